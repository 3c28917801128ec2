"""Small published tables with gaps."""

from __future__ import annotations

import numpy as np
import pandas as pd
from norm2_tables import CHOLESTEROL, MARIJUANA  # noqa: F401  (tests take every table from here)

from emkit import datasets

_ = np.nan

AIRQUALITY = datasets.air_quality().values
AIRQUALITY_GAPS = np.isnan(AIRQUALITY)
AIRQUALITY_NAMES = ["ozone", "solar", "wind", "temp", "month", "day"]
#: As people have it, with names and dates.
AIRQUALITY_FRAME = pd.DataFrame(
    AIRQUALITY, columns=AIRQUALITY_NAMES, index=pd.date_range("1973-05-01", periods=len(AIRQUALITY))
)

#: Size of apple crops and percentage of wormy fruits (Snedecor and Cochran 1967; Little and Rubin 2002, table 7.4).
APPLE = np.array(
    [
        [8.0, 59.0],
        [6.0, 58.0],
        [11.0, 56.0],
        [22.0, 53.0],
        [14.0, 50.0],
        [17.0, 45.0],
        [18.0, 43.0],
        [24.0, 42.0],
        [19.0, 39.0],
        [23.0, 38.0],
        [26.0, 30.0],
        [40.0, 27.0],
        [4.0, _],
        [4.0, _],
        [5.0, _],
        [6.0, _],
        [8.0, _],
        [10.0, _],
    ],
    dtype=float,
)

#: Hald cement data with cells deleted (Little and Rubin 2002, p. 154).
MISSVALS = np.array(
    [
        [7.0, 26.0, 6.0, 60.0, 78.5],
        [1.0, 29.0, 15.0, 52.0, 74.3],
        [11.0, 56.0, 8.0, 20.0, 104.3],
        [11.0, 31.0, 8.0, 47.0, 87.6],
        [7.0, 52.0, 6.0, 33.0, 95.9],
        [11.0, 55.0, 9.0, 22.0, 109.2],
        [3.0, 71.0, 17.0, _, 102.7],
        [1.0, 31.0, 22.0, _, 72.5],
        [2.0, 54.0, 18.0, _, 93.1],
        [_, _, 4.0, _, 115.9],
        [_, _, 23.0, _, 83.8],
        [_, _, 9.0, _, 113.3],
        [_, _, 8.0, _, 109.4],
    ],
    dtype=float,
)

#: Ages of husband and wife, education, income and children of 25 families (R package norm, `mdata`).
MDATA = np.array(
    [
        [34.0, 30.0, 12.0, 40000.0, 1.0],
        [45.0, 44.0, 16.0, 60150.0, 3.0],
        [42.0, 42.0, 17.0, 55300.0, 2.0],
        [30.0, 22.0, 12.0, 60200.0, 2.0],
        [53.0, 46.0, 10.0, 65800.0, 4.0],
        [33.0, 35.0, 12.0, 34500.0, 2.0],
        [67.0, 44.0, 12.0, 83500.0, 5.0],
        [28.0, 28.0, 16.0, 41000.0, 3.0],
        [30.0, 28.0, 15.0, 15000.0, 0.0],
        [43.0, _, _, 41260.0, 2.0],
        [34.0, 30.0, 17.0, 55000.0, 1.0],
        [40.0, _, 7.0, 67050.0, 3.0],
        [67.0, 55.0, _, 78000.0, 3.0],
        [34.0, 30.0, 16.0, _, 2.0],
        [25.0, 26.0, 12.0, _, 1.0],
        [44.0, 40.0, 20.0, 67800.0, 2.0],
        [36.0, _, 18.0, 83200.0, 1.0],
        [42.0, 37.0, _, _, 3.0],
        [22.0, 22.0, 7.0, 32000.0, 2.0],
        [38.0, _, 0.0, 25000.0, 3.0],
        [65.0, _, 5.0, 70000.0, 4.0],
        [34.0, 36.0, 12.0, 85000.0, 1.0],
        [40.0, 35.0, 16.0, _, _],
        [38.0, 38.0, 18.0, 95000.0, 2.0],
        [41.0, 37.0, 12.0, _, 2.0],
    ],
    dtype=float,
)

#: IQ, well-being and job performance of 20 applicants (Enders 2010, Applied Missing Data Analysis, table 1.1).
EMPLOYEE = np.array(
    [
        [78.0, 13.0, _],
        [84.0, 9.0, _],
        [84.0, 10.0, _],
        [85.0, 10.0, _],
        [87.0, _, _],
        [91.0, 3.0, _],
        [92.0, 12.0, _],
        [94.0, 3.0, _],
        [94.0, 13.0, _],
        [96.0, _, _],
        [99.0, 6.0, 7.0],
        [105.0, 12.0, 10.0],
        [105.0, 14.0, 11.0],
        [106.0, 10.0, 15.0],
        [108.0, _, 10.0],
        [112.0, 10.0, 10.0],
        [113.0, 14.0, 12.0],
        [115.0, 14.0, 14.0],
        [118.0, 12.0, 16.0],
        [134.0, 11.0, 12.0],
    ],
    dtype=float,
)

#: Age group, body mass index, hypertension, cholesterol (Schafer 1997, table 6.14).
NHANES = np.array(
    [
        [1.0, _, _, _],
        [2.0, 22.7, 1.0, 187.0],
        [1.0, _, 1.0, 187.0],
        [3.0, _, _, _],
        [1.0, 20.4, 1.0, 113.0],
        [3.0, _, _, 184.0],
        [1.0, 22.5, 1.0, 118.0],
        [1.0, 30.1, 1.0, 187.0],
        [2.0, 22.0, 1.0, 238.0],
        [2.0, _, _, _],
        [1.0, _, _, _],
        [2.0, _, _, _],
        [3.0, 21.7, 1.0, 206.0],
        [2.0, 28.7, 2.0, 204.0],
        [1.0, 29.6, 1.0, _],
        [1.0, _, _, _],
        [3.0, 27.2, 2.0, 284.0],
        [2.0, 26.3, 2.0, 199.0],
        [1.0, 35.3, 1.0, 218.0],
        [3.0, 25.5, 2.0, _],
        [1.0, _, _, _],
        [1.0, 33.2, 1.0, 229.0],
        [1.0, 27.5, 1.0, 131.0],
        [3.0, 24.9, 1.0, _],
        [2.0, 27.4, 1.0, 186.0],
    ],
    dtype=float,
)

#: Oxygen intake, run time and pulse of 31 men (SAS/STAT, PROC MI, the fitness example).
FITNESS = np.array(
    [
        [44.609, 11.37, 178.0],
        [45.313, 10.07, 185.0],
        [54.297, 8.65, 156.0],
        [59.571, _, _],
        [49.874, 9.22, _],
        [44.811, 11.63, 176.0],
        [_, 11.95, 176.0],
        [_, 10.85, _],
        [39.442, 13.08, 174.0],
        [60.055, 8.63, 170.0],
        [50.541, _, _],
        [37.388, 14.03, 186.0],
        [44.754, 11.12, 176.0],
        [47.273, _, _],
        [51.855, 10.33, 166.0],
        [49.156, 8.95, 180.0],
        [40.836, 10.95, 168.0],
        [46.672, 10.0, _],
        [46.774, 10.25, _],
        [50.388, 10.08, 168.0],
        [39.407, 12.63, 174.0],
        [46.08, 11.17, 156.0],
        [45.441, 9.63, 164.0],
        [_, 8.92, _],
        [45.118, 11.08, _],
        [39.203, 12.88, 168.0],
        [45.79, 10.47, 186.0],
        [50.545, 9.93, 148.0],
        [48.673, 9.4, 186.0],
        [47.92, 11.5, 170.0],
        [47.467, 10.5, 170.0],
    ],
    dtype=float,
)

#: A made-up table whose likelihood has two maxima and a saddle (Murray 1977, JRSS B 39:27).
MURRAY = np.array(
    [
        [1.0, 1.0],
        [1.0, -1.0],
        [-1.0, 1.0],
        [-1.0, -1.0],
        [2.0, _],
        [2.0, _],
        [-2.0, _],
        [-2.0, _],
        [_, 2.0],
        [_, 2.0],
        [_, -2.0],
        [_, -2.0],
    ],
    dtype=float,
)

SLEEP = datasets.mammal_sleep().values
#: Without total sleep, and with logarithms of weights, life span and gestation.
LOG_SLEEP = np.delete(SLEEP, 4, axis=1)
LOG_SLEEP[:, [0, 1, 4, 5]] = np.log(LOG_SLEEP[:, [0, 1, 4, 5]])

#: Largest eigenvalue of the Jacobian of EM at the maximum, by differences in other coordinates.
RATES = [
    ("airquality", AIRQUALITY, 0.362),
    ("fitness", FITNESS, 0.426),
    ("cholesterol", CHOLESTEROL, 0.465752),
    ("apple", APPLE, 0.614),
    ("nhanes", NHANES, 0.624),
    ("mdata", MDATA, 0.697),
    ("employee", EMPLOYEE, 0.885),
    ("missvals", MISSVALS, 0.956),
]

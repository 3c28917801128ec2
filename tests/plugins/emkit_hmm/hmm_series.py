"""Small published series."""

import json
from pathlib import Path

import numpy as np

from emkit import datasets


def _digits(text):
    return np.array([int(digit) for digit in "".join(text.split())], dtype=np.float64)[:, None]


#: Major earthquakes of the years 1900 to 2006, (107, 1). Zucchini and MacDonald (2009), table 1.1.
EARTHQUAKES = datasets.earthquakes().values

#: Old Faithful: whether each of 299 eruptions lasted 3 minutes or longer, (299, 1). Azzalini and Bowman (1990), Applied
#: Statistics 39:357, cut as in Zucchini and MacDonald (2009), chapter 10.
LONG_ERUPTIONS = _digits(
    """
    10111011010101101011010101011111010101010101010101010101111101010101101011101111101110101010101010101010101010110101
    01010111011111110111110111111101010101010111111010101011101010110101111010101011101010110110111010101011011111110101
    0111101101110110101110101111101110101011010111111110101010101010110
    """
)

#: Movements of a fetal lamb in 225 intervals of 5 seconds, (225, 1). Guttorp (1995), Stochastic Modeling of Scientific
#: Data, exercise D9.
LAMB = _digits(
    """
    000001010000001010000220000100110011100100000000000000000020100000000000000000100000732324000010000000102000010000
    100000000000000100000210010001011000100100012000101101002012112101100110001110400200000000000000000000000000000
    """
)

_SERIES = json.loads((Path(__file__).parent / "regime_series.json").read_text())
# The examples of `mswitch` in the manual of Stata 14, Time Series.
#: Federal funds rate in percent, 226 quarters, (226, 1).
FEDERAL_FUNDS = np.array(_SERIES["federal_funds"])[:, None]
#: Absolute returns of the S&P 500, 521 weeks, (521, 1).
STOCK_RETURNS = np.array(_SERIES["stock_returns"])[:, None]
#: Cases of mumps in New York City, of 10 000 people, 522 months, (522, 1).
MUMPS = np.array(_SERIES["mumps"])[:, None]
#: 212 numbers near 1e-5 on which the smoother of statsmodels once underflowed (its case 5380), (212, 1).
UNDERFLOWING = np.array(_SERIES["underflowing"])[:, None]
#: Growth of the gross national product of the United States in percent, quarters from 1951 to 1984, (135, 1). Hamilton
#: (1989), Econometrica 57:357.
GNP_GROWTH = np.array(_SERIES["gnp_growth"])[:, None]

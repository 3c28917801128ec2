"""A few small public data sets, and reading tables of numbers from files.

>>> from emkit import datasets
>>> datasets.names()
('air_quality', 'earthquakes', 'london_times_deaths', 'mammal_sleep', 'old_faithful', 'two_coins')
>>> datasets.old_faithful()
Dataset('old_faithful', columns=('eruptions', 'waiting'), 272 rows)
"""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit.datasets.files import NO_ROWS, parse_csv, read_csv, read_npy, read_parquet

_CITATIONS = {
    "air_quality": (
        "Air quality in New York on the days of May to September 1973: ozone (parts per billion), solar radiation "
        "(langleys), wind (miles per hour), temperature (Fahrenheit); some days lack the first two. J. M. Chambers, "
        "W. S. Cleveland, B. Kleiner and P. A. Tukey, Graphical Methods for Data Analysis, Wadsworth (1983), appendix."
    ),
    "earthquakes": (
        "Earthquakes of magnitude 7 or greater in the world, in each year from 1900 to 2006. W. Zucchini and I. L. "
        "MacDonald, Hidden Markov Models for Time Series, Chapman & Hall (2009), table 1.1."
    ),
    "london_times_deaths": (
        "Days on which The Times of London printed so many notices of deaths of women aged 80 and over, "
        "1910-1912. V. Hasselblad, Journal of the American Statistical Association 64 (1969) 1459-1471."
    ),
    "mammal_sleep": (
        "Sleep of 62 species of mammals: body weight (kg), brain weight (g), non-dreaming, dreaming and total sleep "
        "(hours a day), life span (years), gestation (days), and indices of predation, exposure and danger, with gaps. "
        "T. Allison and D. V. Cicchetti, Science 194 (1976) 732-734."
    ),
    "old_faithful": (
        "Duration of an eruption of the Old Faithful geyser and waiting time to the next one, in minutes. "
        "A. Azzalini and A. W. Bowman, Applied Statistics 39 (1990) 357-365; in the form of W. Haerdle, "
        "Smoothing Techniques with Implementation in S, Springer (1991)."
    ),
    "two_coins": (
        "Heads in five sets of ten tosses, each set with one of two coins. "
        "C. B. Do and S. Batzoglou, Nature Biotechnology 26 (2008) 897-899, figure 1."
    ),
}
_ALIASES = {"faithful": "old_faithful"}


def _as_table(values: Any) -> NDArray[np.float64]:
    table = np.array(values, dtype=np.float64)
    table.setflags(write=False)
    return table


@attrs.frozen(eq=False, repr=False)
class Dataset:
    """A table of numbers with the names of its columns.

    Attributes
    ----------
    name : str
    columns : tuple of str
        Names of the columns.
    values : ndarray of shape (n_samples, n_features)
        Read-only; NaN where an entry is missing.
    citation : str
        What was observed and who published it, or which file was read.
    """

    name: str
    columns: tuple[str, ...]
    values: NDArray[np.float64] = attrs.field(converter=_as_table)
    citation: str

    def __repr__(self) -> str:
        return f"Dataset({self.name!r}, columns={self.columns!r}, {len(self.values)} rows)"


def names() -> tuple[str, ...]:
    """Return the names of the bundled data sets."""
    return tuple(sorted(_CITATIONS))


def load(name: str) -> Dataset:
    """Return a bundled data set; hyphens do for underscores.

    Raises
    ------
    ValueError
        If there is none of that name; the message lists those there are.
    """
    known = _bundled_name(name)
    if known is None:
        msg = f"There is no bundled data set {name!r}; there are {', '.join(names())}."
        raise ValueError(msg)
    text = resources.files(__name__).joinpath(f"{known}.csv").read_text(encoding="utf-8")
    columns, values = parse_csv(text.splitlines())
    return Dataset(known, columns, values, _CITATIONS[known])


def air_quality() -> Dataset:
    """Return air quality in New York on 153 days of 1973; ozone and solar radiation have gaps."""
    return load("air_quality")


def earthquakes() -> Dataset:
    """Return the number of major earthquakes in each of 107 years, from 1900 on."""
    return load("earthquakes")


def mammal_sleep() -> Dataset:
    """Return sleep, size and danger of 62 mammals, with gaps; total sleep is the sum of two other columns."""
    return load("mammal_sleep")


def old_faithful() -> Dataset:
    """Return 272 eruptions of the Old Faithful geyser: duration and waiting time after it, in minutes."""
    return load("old_faithful")


def london_times_deaths() -> Dataset:
    """Return on how many days The Times printed 0, 1, ..., 9 notices of deaths, 1096 days in all."""
    return load("london_times_deaths")


def two_coins() -> Dataset:
    """Return heads and tosses of five sets of ten tosses, each with one of two coins."""
    return load("two_coins")


def read(path_or_name: str | os.PathLike[str]) -> Dataset:
    """Return a bundled data set, or the table of numbers in a CSV, NumPy or Parquet file.

    Parameters
    ----------
    path_or_name
        Name of a bundled data set, or path of a file that ends in ``.csv``, ``.npy`` or ``.parquet``. In CSV
        commas separate the columns and the first row may name them; blank cells, ``NA`` and ``NaN`` are
        missing entries, blank lines are skipped. A one-dimensional array is one column.

    Raises
    ------
    FileNotFoundError
        If there is neither a bundled data set nor a file of that name.
    ValueError
        If the file is damaged, a column is not numeric, rows differ in length, or there are no rows; the message names
        the file and the place in it.
    ImportError
        If a Parquet file is to be read and pyarrow is not installed.
    """
    if isinstance(path_or_name, str) and _bundled_name(path_or_name) is not None:
        return load(path_or_name)
    path = Path(path_or_name)
    if not path.exists():
        msg = f"There is neither a file nor a bundled data set {str(path)!r}; bundled are {', '.join(names())}."
        raise FileNotFoundError(msg)
    readers = {".csv": read_csv, ".npy": read_npy, ".parquet": read_parquet}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        msg = f"Expected a file that ends in {', '.join(readers)}; found {path.name!r}."
        raise ValueError(msg)
    try:
        columns, values = reader(path)
    except (ImportError, MemoryError, PermissionError, IsADirectoryError):
        raise
    except Exception as error:
        # Of what libraries raise on a damaged file hardly anything names the file.
        msg = f"{path}: {error}"
        raise ValueError(msg) from error
    if len(values) == 0 or not columns:
        msg = f"{path}: {NO_ROWS}"
        raise ValueError(msg)
    return Dataset(path.stem, columns, values, f"Read from {path.name}.")


def _bundled_name(name: str) -> str | None:
    plain = name.lower().replace("-", "_")
    plain = _ALIASES.get(plain, plain)
    return plain if plain in _CITATIONS else None

"""A few small public data sets, and reading tables of numbers from files.

>>> from emkit import datasets
>>> datasets.names()
('air_quality', 'earthquakes', 'london_times_deaths', 'mammal_sleep', 'old_faithful', 'two_coins')
>>> datasets.old_faithful()
Dataset('old_faithful', columns=('eruptions', 'waiting'), 272 rows)
"""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

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
_MISSING = {"", "na", "nan"}
_NO_ROWS = "it holds no rows of numbers."
_REMEDY = "Leave that column out, or write it as numbers."


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
    columns, values = _parse_csv(text.splitlines())
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
    readers = {".csv": _read_csv, ".npy": _read_npy, ".parquet": _read_parquet}
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
        msg = f"{path}: {_NO_ROWS}"
        raise ValueError(msg)
    return Dataset(path.stem, columns, values, f"Read from {path.name}.")


def _bundled_name(name: str) -> str | None:
    plain = name.lower().replace("-", "_")
    plain = _ALIASES.get(plain, plain)
    return plain if plain in _CITATIONS else None


def _default_columns(n_features: int) -> tuple[str, ...]:
    return tuple(f"x{index}" for index in range(n_features))


def _read_csv(path: Path) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    # Spreadsheets put a byte-order mark in front.
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            return _parse_csv(file)
        except UnicodeDecodeError as error:
            msg = f"expected text in UTF-8, found something else ({error}). Save the table in UTF-8."
            raise ValueError(msg) from error


def _parse_csv(lines: Iterable[str]) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Return names and values of the columns of a CSV text."""
    # Where not strict, the reader takes all that follows an open quote for one cell.
    reader = csv.reader(lines, skipinitialspace=True, strict=True)
    rows, read = [], 0
    try:
        for cells in reader:
            read = reader.line_num
            if cells:
                rows.append((read, cells))
    except csv.Error as error:
        msg = f"line {read + 1}: {error}. Check the quotes there."
        raise ValueError(msg) from error
    if not rows:
        return (), np.empty((0, 0))
    n_features = len(rows[0][1])
    columns = _default_columns(n_features)
    if _is_header(rows[0][1]):
        given = rows.pop(0)[1]
        columns = tuple(cell.strip() or default for cell, default in zip(given, columns, strict=True))
    values = np.empty((len(rows), n_features))
    for row, (line, cells) in enumerate(rows):
        if len(cells) != n_features:
            msg = f"line {line}: expected {n_features} cells as in the first row, found {len(cells)}."
            raise ValueError(msg)
        values[row] = _numbers(cells, columns, f"line {line}")
    return columns, values


def _is_header(cells: Sequence[str]) -> bool:
    """Return whether a first row holds names: some text, and no number."""
    texts = [cell.strip() for cell in cells if cell.strip().lower() not in _MISSING]
    return bool(texts) and all(_number(text) is None for text in texts)


def _numbers(cells: Sequence[str], columns: Sequence[str], place: str) -> list[float]:
    numbers = []
    for cell, column in zip(cells, columns, strict=True):
        number = _number(cell)
        if number is None:
            msg = f"{place}: expected a number in column {column!r}, found {cell!r}. {_REMEDY}"
            raise ValueError(msg)
        numbers.append(number)
    return numbers


def _number(cell: str) -> float | None:
    text = cell.strip()
    if text.lower() in _MISSING:
        return float("nan")
    try:
        # Python would take 1_000 for a thousand; no other reader of CSV does.
        return None if "_" in text else float(text)
    except ValueError:
        return None


def _read_npy(path: Path) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        formats = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        if version not in formats:
            msg = f"expected a NumPy file of version 1.0 or 2.0, found version {version}."
            raise ValueError(msg)
        shape, _, dtype = formats[version](file)
        if dtype.kind not in "fiub" or len(shape) not in {1, 2}:
            msg = f"expected real numbers, 1-D or 2-D; found {dtype} of shape {shape}."
            raise ValueError(msg)
        # Python's integers do not overflow, and nothing is made of a shape before it fits the file.
        announced, found = math.prod(shape) * dtype.itemsize, os.fstat(file.fileno()).st_size - file.tell()
        if announced > found:
            msg = f"shape {shape} of {dtype} takes {announced} bytes, but {found} follow: the file is cut or damaged."
            raise ValueError(msg)
    if min(shape) < 1:
        raise ValueError(_NO_ROWS)
    values = np.asarray(np.load(path, allow_pickle=False), dtype=np.float64)
    return _default_columns(shape[1] if len(shape) == 2 else 1), values.reshape(shape[0], -1)


def _read_parquet(path: Path) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    try:
        from pyarrow import parquet, types  # noqa: PLC0415
    except ImportError as error:
        msg = 'Reading Parquet files needs pyarrow: pip install "emkit[parquet]".'
        raise ImportError(msg) from error
    names = parquet.read_schema(path).names
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        msg = f"expected columns of different names, found several named {', '.join(map(repr, repeated))}. Rename them."
        raise ValueError(msg)
    table = parquet.read_table(path)
    values = np.empty((table.num_rows, table.num_columns))
    for index, (name, column) in enumerate(zip(table.column_names, table.columns, strict=True)):
        kind = column.type
        if not any(is_kind(kind) for is_kind in (types.is_integer, types.is_floating, types.is_boolean)):
            msg = f"expected numbers in column {name!r}, found values of type {kind}. {_REMEDY}"
            raise ValueError(msg)
        try:
            values[:, index] = column.cast("float64").to_numpy()
        except ValueError as error:
            msg = f"column {name!r} holds whole numbers beyond 2**53, which floats do not tell apart ({error})."
            raise ValueError(msg) from error
    return tuple(table.column_names), values

"""Tables of numbers in CSV, NumPy and Parquet files: names of the columns, and values."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

#: Names of the columns, and values (n_samples, n_features).
Table: TypeAlias = tuple[tuple[str, ...], NDArray[np.float64]]

NO_ROWS = "it holds no rows of numbers."
_MISSING = {"", "na", "nan"}
_REMEDY = "Leave that column out, or write it as numbers."


def _default_columns(n_features: int) -> tuple[str, ...]:
    return tuple(f"x{index}" for index in range(n_features))


def read_csv(path: Path) -> Table:
    """Return the table in a CSV file in UTF-8."""
    # Spreadsheets put a byte-order mark in front.
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            return parse_csv(file)
        except UnicodeDecodeError as error:
            msg = f"expected text in UTF-8, found something else ({error}). Save the table in UTF-8."
            raise ValueError(msg) from error


def parse_csv(lines: Iterable[str]) -> Table:
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


def read_npy(path: Path) -> Table:
    """Return the table in a NumPy file; nothing in it is executed."""
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
        raise ValueError(NO_ROWS)
    values = np.asarray(np.load(path, allow_pickle=False), dtype=np.float64)
    return _default_columns(shape[1] if len(shape) == 2 else 1), values.reshape(shape[0], -1)


def read_parquet(path: Path) -> Table:
    """Return the table in a Parquet file."""
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

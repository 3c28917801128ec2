"""Data frames of pandas, polars and Arrow, none of which is imported here."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emkit.arrays.numbers import Array, complex_or_not, numbers


def feature_names(x: Any) -> NDArray[np.object_] | None:
    """Return the column names of a data frame if they are strings, None if there are none.

    Raises
    ------
    TypeError
        If some names are strings and others are not.
    """
    names = column_names(x)
    if not names or not any(isinstance(name, str) for name in names):
        return None
    if not all(isinstance(name, str) for name in names):
        kinds = sorted({type(name).__qualname__ for name in names})
        msg = (
            "Feature names are only supported if all input features have string names, but your input has "
            f"{kinds} as feature name / column name types. Convert the column names to strings, all of them, with "
            "X.columns = X.columns.astype(str), or none."
        )
        raise TypeError(msg)
    return np.array(names, dtype=object)


def column_names(x: Any) -> list[Any] | None:
    """Return the column names of a pandas or polars data frame or an Arrow table, None for anything else.

    Nothing is imported for it: data of a library that is not loaded cannot have been passed.
    """
    if polars := sys.modules.get("polars"):
        if isinstance(x, polars.LazyFrame):
            msg = "A polars LazyFrame holds a query and no data yet: pass X.collect()."
            raise TypeError(msg)
        if isinstance(x, polars.DataFrame):
            return list(x.columns)
    if (pandas := sys.modules.get("pandas")) and isinstance(x, pandas.DataFrame):
        return list(x.columns)
    if (pyarrow := sys.modules.get("pyarrow")) and isinstance(x, pyarrow.Table | pyarrow.RecordBatch):
        return list(x.column_names)
    return None


def frame_to_floats(x: Any, name: str) -> Array:
    """Return a data frame as a float64 matrix; the message names every column that holds no numbers."""
    if hasattr(x, "iloc") and all(isinstance(dtype, np.dtype) and dtype.kind in "biuf" for dtype in x.dtypes):
        return np.asarray(x.to_numpy(dtype=np.float64))
    floats, refused = [], []
    for j, column in enumerate(_columns(x)):
        try:
            floats.append(_column_to_floats(column))
        except ValueError as error:
            refused.append(f"{describe_column(x, j)} {error}")
        except TypeError as error:
            msg = f"{name}: {describe_column(x, j)} {error}."
            raise TypeError(msg) from error
    if refused:
        msg = (
            f"{complex_or_not(refused)}{name} has columns that are not numeric: {'; '.join(refused)}. Turn them into "
            "numbers or leave them out."
        )
        raise ValueError(msg)
    return np.column_stack(floats) if floats else np.empty(x.shape)


def _columns(x: Any) -> list[Any]:
    """Return the columns of a data frame; names may repeat, so they are not looked up by name."""
    if hasattr(x, "iloc"):
        return [column for _, column in x.items()]
    return list(x.get_columns() if hasattr(x, "get_columns") else x.columns)


def _column_to_floats(column: Any) -> Array:
    dtype = getattr(column, "dtype", None)
    if str(dtype) == "category":
        msg = "holds categories"
        raise ValueError(msg)
    # The nullable dtypes of pandas turn into numpy objects unless told what stands for a missing entry.
    if not isinstance(dtype, np.dtype) and getattr(dtype, "kind", "O") in "biuf":
        return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
    values = np.asarray(column)
    if values.ndim != 1:
        msg = f"holds several values in each row (dtype {dtype})"
        raise ValueError(msg)
    return numbers(values)


def describe_column(x: Any, j: int) -> str:
    """Return the number of a column and, where it has one, its name."""
    names = column_names(x)
    return f"column {j}" if names is None or names[j] == j else f"column {j} ({names[j]!r})"

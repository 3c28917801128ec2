"""What comes in from outside: data, weights and names, checked and turned into float64 arrays."""

from __future__ import annotations

import math
import sys
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

#: Largest total of weights, and the inverse of the smallest: their products with log-densities stay floats.
LARGEST_TOTAL = 1e300
#: What the dtypes that are no numbers hold, by ``dtype.kind``.
_KINDS = {
    "c": "complex numbers",
    "S": "bytes",
    "U": "strings",
    "T": "strings",
    "M": "dates",
    "m": "time differences",
    "V": "records",
}


def read_only(value: ArrayLike) -> Array:
    """Return a read-only float64 copy; the converter of every field of params.

    The copy keeps a params object what it was when the caller goes on writing to the array it was made from.
    """
    array = np.array(value, dtype=np.float64)
    array.setflags(write=False)
    return array


def as_array(values: Any, name: str) -> Array:
    """Return a read-only float64 copy of an array of any shape, such as starting values that a user gives.

    Raises
    ------
    ValueError
        If it is ragged or an entry is no real number, NaN or infinite; the message begins with ``name``.
    TypeError
        If an entry is an object that is no number.
    """
    array = read_only(_to_floats(values, name))
    for index in np.argwhere(~np.isfinite(array))[:1].tolist():
        msg = f"{name}{index if index else ''} is {array[tuple(index)]}; finite numbers are expected."
        raise ValueError(msg)
    return array


def as_matrix(
    x: Any,
    *,
    name: str = "X",
    estimator: str | None = None,
    allow_nan: bool = False,
    nan_hint: str | None = None,
    min_samples: int = 1,
    min_features: int = 1,
) -> Array:
    """Return data as a float64 matrix with one row per sample; the data themselves are never written to.

    Missing entries become NaN, however they come: NaN, None, ``pandas.NA``, a null of polars or Arrow, or the mask of
    a numpy masked array. A float64 array is returned as it is, without a copy.

    Parameters
    ----------
    x : (n_samples, n_features)
        Array, masked array, nested lists, a pandas or polars data frame or an Arrow table.
    name : str
        What the messages call the data.
    estimator : str, optional
        Who asks, for the messages.
    allow_nan : bool
        Whether missing entries may pass. Infinity never may.
    nan_hint : str, optional
        What a user with missing entries can do instead, such as "the NormalImputer of emkit_mvn accepts NaN".
    min_samples, min_features : int
        Smallest numbers of rows and columns to accept.

    Returns
    -------
    matrix : (n_samples, n_features)

    Raises
    ------
    ValueError
        If the shape is wrong, or an entry is no number, infinite, or NaN where that is not allowed; the message names
        the column and the first row.
    TypeError
        If the container is of a kind that holds no dense matrix: sparse, lazy, ``numpy.matrix``.
    """
    matrix = _to_floats(x, name) if column_names(x) is None else _frame_to_floats(x, name)
    by = f" by {estimator}" if estimator else ""
    _check_shape(matrix, name, by, (min_samples, min_features))
    _check_entries(matrix, x, name, by, None if allow_nan else nan_hint or "fill the gaps or drop those rows first")
    return matrix


@overload
def as_sample_weight(weight: None, n_samples: int, *, check_total: bool = True) -> None: ...
@overload
def as_sample_weight(weight: ArrayLike, n_samples: int, *, check_total: bool = True) -> Array: ...
def as_sample_weight(weight: ArrayLike | None, n_samples: int, *, check_total: bool = True) -> Array | None:
    """Return one float64 weight per sample, or None for None.

    Parameters
    ----------
    weight : (n_samples,), float or None
        How often each sample counts. A number stands for that weight on every sample.
    n_samples : int
        Number of samples.
    check_total : bool
        Whether the weights must add up to an ordinary positive number. Those of a part of the data need not: all of
        them may be zero.

    Returns
    -------
    weights : (n_samples,) or None

    Raises
    ------
    ValueError
        If the shape is wrong, a weight is negative, NaN or infinite, or the total is zero or leaves the range of
        floats; the message names the first.
    """
    if weight is None:
        return None
    weights = _to_floats(weight, "sample_weight")
    if weights.ndim == 0:
        weights = np.full(n_samples, float(weights))
    if weights.shape != (n_samples,):
        msg = (
            f"sample_weight has shape {weights.shape}, expected ({n_samples},): one weight for each row of X, or "
            "one number for all of them."
        )
        raise ValueError(msg)
    wrong = ~(np.isfinite(weights) & (weights >= 0))
    if wrong.any():
        index = int(np.argmax(wrong))
        msg = f"sample_weight[{index}] is {weights[index]}; a weight must be finite and not negative."
        raise ValueError(msg)
    if check_total:
        _check_total(weights)
    return weights


def _check_total(weights: Array) -> None:
    if not weights.any():
        msg = "All entries of sample_weight are zero: give at least one sample a positive weight."
        raise ValueError(msg)
    with np.errstate(over="ignore"):
        total = weights.sum()
    if not 1 / LARGEST_TOTAL <= total <= LARGEST_TOTAL:
        msg = (
            f"sample_weight adds up to {total:g}; a total between {1 / LARGEST_TOTAL:g} and {LARGEST_TOTAL:g} is "
            "expected: divide the weights by the largest of them."
        )
        raise ValueError(msg)


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


def _frame_to_floats(x: Any, name: str) -> Array:
    """Return a data frame as a float64 matrix; the message names every column that holds no numbers."""
    if hasattr(x, "iloc") and all(isinstance(dtype, np.dtype) and dtype.kind in "biuf" for dtype in x.dtypes):
        return np.asarray(x.to_numpy(dtype=np.float64))
    floats, refused = [], []
    for j, column in enumerate(_columns(x)):
        try:
            floats.append(_column_to_floats(column))
        except ValueError as error:
            refused.append(f"{_column(x, j)} {error}")
        except TypeError as error:
            msg = f"{name}: {_column(x, j)} {error}."
            raise TypeError(msg) from error
    if refused:
        msg = (
            f"{_complex_or_not(refused)}{name} has columns that are not numeric: {'; '.join(refused)}. Turn them into "
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
    return _numbers(values)


def _to_floats(x: Any, name: str) -> Array:
    """Return an array or nested lists, of any shape, as float64."""
    _refuse_containers(x, name)
    try:
        # numpy forgets the masks of rows in a list; its masked stack does not.
        if isinstance(x, list | tuple) and any(isinstance(row, np.ma.MaskedArray) for row in x):
            x = np.ma.stack(x)
        values = x if isinstance(x, np.ma.MaskedArray) else np.asarray(x)
    except ValueError as error:
        msg = f"{name} is ragged or not an array: every row must have the same number of entries ({error})."
        raise ValueError(msg) from error
    try:
        if not isinstance(values, np.ma.MaskedArray):
            return _numbers(values)
        seen = np.asarray(values.filled(np.nan) if values.dtype.kind == "O" else values.data)
        return np.where(np.ma.getmaskarray(values), np.nan, _numbers(seen))
    except ValueError as error:
        msg = f"{_complex_or_not([str(error)])}{name} {error}; real numbers are expected."
        raise ValueError(msg) from error
    except TypeError as error:
        msg = f"{name} {error}."
        raise TypeError(msg) from error


def _refuse_containers(x: Any, name: str) -> None:
    sparse = sys.modules.get("scipy.sparse")
    if sparse is not None and sparse.issparse(x):
        msg = (
            f"Sparse data was passed for {name}, but dense data is required. Use '.toarray()' to convert it to a "
            "dense numpy array."
        )
        raise TypeError(msg)
    if isinstance(x, np.matrix):
        msg = f"{name} is a numpy.matrix, which multiplies unlike an array: pass numpy.asarray({name})."
        raise TypeError(msg)


def _numbers(values: NDArray[Any]) -> Array:
    """Return float64 values; the errors continue a sentence that begins with a name."""
    kind = values.dtype.kind
    if kind in "biuf":
        # A long double beyond the range becomes infinite, which is reported as such.
        with np.errstate(over="ignore"):
            return values.astype(np.float64, copy=False)
    if kind != "O":
        msg = f"holds {_KINDS.get(kind, 'no numbers')} (dtype {values.dtype})"
        raise ValueError(msg)
    floats = np.empty(values.shape)
    for index, value in np.ndenumerate(values):
        try:
            floats[index] = _number(value)
        except ValueError as error:
            msg = f"{error}, the first at {_place(index)}" if index else str(error)
            raise ValueError(msg) from error
        except TypeError as error:
            place = f" at {_place(index)}" if index else ""
            msg = f"holds something else than numbers{place}: {error}"
            raise TypeError(msg) from error
    return floats


def _complex_or_not(reasons: list[str]) -> str:
    # The words that scikit-learn's checks look for.
    return "Complex data not supported. " if any("complex" in reason for reason in reasons) else ""


def _number(value: Any) -> float:
    # pandas.NA is known by the name of its class, so that pandas need not be imported.
    if value is None or type(value).__name__ == "NAType":
        return math.nan
    # float() would read the string "1.5", and data that mix strings and numbers are a mistake upstream.
    if isinstance(value, str | bytes):
        msg = "holds strings"
        raise ValueError(msg)
    if isinstance(value, complex | np.complexfloating):
        msg = "holds complex numbers"
        raise ValueError(msg)
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _place(index: tuple[int, ...]) -> str:
    return ", ".join(f"{axis} {i}" for axis, i in zip(("row", "column", "layer"), index, strict=False))


def _check_shape(matrix: Array, name: str, by: str, least: tuple[int, int]) -> None:
    if matrix.ndim < 2:
        found = "scalar" if matrix.ndim == 0 else "1D"
        msg = (
            f"Expected 2D array, got {found} array instead: {name} has shape {matrix.shape}. Reshape your data with "
            "array.reshape(-1, 1) if it has a single feature or array.reshape(1, -1) if it is a single sample."
        )
        raise ValueError(msg)
    if matrix.ndim > 2:
        msg = f"Found array with dim {matrix.ndim} (shape={matrix.shape}), while dim 2 is required{by}."
        raise ValueError(msg)
    for found_size, least_size, what in zip(matrix.shape, least, ("sample(s)", "feature(s)"), strict=True):
        if found_size < least_size:
            msg = (
                f"Found array with {found_size} {what} (shape={matrix.shape}) while a minimum of {least_size} is "
                f"required{by}."
            )
            raise ValueError(msg)


def _check_entries(matrix: Array, x: Any, name: str, by: str, advice: str | None) -> None:
    """Refuse infinity, and NaN as well where there is advice on what to do about it."""
    # A sum needs no temporary array; it may overflow, and then the exact check decides.
    with np.errstate(over="ignore", invalid="ignore"):
        if math.isfinite(matrix.sum()):
            return
    infinite = np.isinf(matrix)
    if infinite.any():
        msg = f"Input {name} contains infinity or a value too large for dtype('float64'): {_first(infinite, x)}."
        raise ValueError(msg)
    missing = np.isnan(matrix)
    if advice is not None and missing.any():
        msg = (
            f"Input {name} contains NaN: {_first(missing, x)}. Missing entries are not accepted{by}; "
            f"{advice.rstrip('.')}."
        )
        raise ValueError(msg)


def _first(bad: NDArray[np.bool_], x: Any) -> str:
    """Say how many entries are bad, and where the first one is."""
    row, column = np.unravel_index(int(np.argmax(bad)), bad.shape)
    place = f"row {row} of {_column(x, int(column))}"
    count = int(bad.sum())
    return f"in {place}" if count == 1 else f"{count} entries, the first in {place}"


def _column(x: Any, j: int) -> str:
    names = column_names(x)
    return f"column {j}" if names is None or names[j] == j else f"column {j} ({names[j]!r})"

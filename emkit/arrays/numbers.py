"""Single values, arrays and nested lists as float64; errors continue a sentence that begins with a name."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

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
    array = read_only(to_floats(values, name))
    for index in np.argwhere(~np.isfinite(array))[:1].tolist():
        msg = f"{name}{index if index else ''} is {array[tuple(index)]}; finite numbers are expected."
        raise ValueError(msg)
    return array


def to_floats(x: Any, name: str) -> Array:
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
            return numbers(values)
        seen = np.asarray(values.filled(np.nan) if values.dtype.kind == "O" else values.data)
        return np.where(np.ma.getmaskarray(values), np.nan, numbers(seen))
    except ValueError as error:
        msg = f"{complex_or_not([str(error)])}{name} {error}; real numbers are expected."
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


def numbers(values: NDArray[Any]) -> Array:
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


def complex_or_not(reasons: list[str]) -> str:
    """Return the words that scikit-learn's checks look for, if a reason is about complex numbers."""
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

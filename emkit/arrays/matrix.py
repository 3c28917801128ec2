"""Data as a matrix with one row per sample."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emkit.arrays.frames import column_names, describe_column, frame_to_floats
from emkit.arrays.numbers import Array, to_floats


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
    matrix = to_floats(x, name) if column_names(x) is None else frame_to_floats(x, name)
    by = f" by {estimator}" if estimator else ""
    _check_shape(matrix, name, by, (min_samples, min_features))
    _check_entries(matrix, x, name, by, None if allow_nan else nan_hint or "fill the gaps or drop those rows first")
    return matrix


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
    place = f"row {row} of {describe_column(x, int(column))}"
    count = int(bad.sum())
    return f"in {place}" if count == 1 else f"{count} entries, the first in {place}"

"""What is pooled: estimates and their variances as they come from outside, checked."""

from __future__ import annotations

from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emkit.arrays import as_array

Array = NDArray[np.float64]


def checked_estimates(estimates: ArrayLike, variances: ArrayLike) -> tuple[Array, Array]:
    """Return estimates and their variances, or covariance matrices, or raise ValueError."""
    values, squares = as_array(estimates, "estimates"), as_array(variances, "variances")
    if values.ndim == 0 or len(values) < 2:
        found = "one number" if values.ndim == 0 else f"{len(values)}"
        msg = f"Pooling needs the estimates of at least two imputed data sets, along the first axis; found {found}."
        raise ValueError(msg)
    matrices = values.ndim == 2 and squares.shape == (*values.shape, values.shape[1])
    if squares.shape != values.shape and not matrices:
        also = f" or, as covariance matrices, {(*values.shape, values.shape[1])}" if values.ndim == 2 else ""
        msg = (
            f"For estimates of shape {values.shape} variances must have shape {values.shape}{also}; "
            f"theirs is {squares.shape}."
        )
        raise ValueError(msg)
    own = np.diagonal(squares, axis1=1, axis2=2) if matrices else squares
    for index in np.argwhere(own < 0)[:1].tolist():
        msg = f"variances must not be negative; that of estimates{index} is {own[tuple(index)]}."
        raise ValueError(msg)
    if matrices:
        deviations = np.sqrt(own)
        size = deviations[:, :, None] * deviations[:, None, :]
        for index in np.argwhere(np.abs(squares - squares.mT) > 1e-8 * size)[:1].tolist():
            msg = f"Covariance matrices must be symmetric; entry {index[1:]} of matrix {index[0]} has another mirror."
            raise ValueError(msg)
    return values, squares


def check_range(total: Array, shifts: Array) -> None:
    """Raise ValueError where the variance of estimates that differ is no float above zero."""
    lost = ~np.isfinite(total) | ((total == 0) & (shifts != 0).any(axis=0))
    for index in np.argwhere(lost)[:1].tolist():
        entry = f" of entry {index if len(index) > 1 else index[0]}" if index else ""
        msg = f"The total variance{entry} leaves the range of floats: give estimates and variances in other units."
        raise ValueError(msg)


def checked_df(df_complete: float) -> float:
    """Return the degrees of freedom of an analysis without gaps, or raise ValueError."""
    if not isinstance(df_complete, Real) or isinstance(df_complete, bool) or not df_complete > 0:
        msg = f"df_complete must be a positive number, or infinite for a large sample; it is {df_complete!r}."
        raise ValueError(msg)
    return float(df_complete)

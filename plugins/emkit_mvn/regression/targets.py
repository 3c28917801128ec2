"""What a regression predicts: checked on the way in, and compared with predictions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from emkit.arrays import as_matrix, column_names

Array = NDArray[np.float64]


def targets_of(y: Any, n_samples: int, estimator: str, n_targets: int | None = None) -> tuple[Array, bool]:
    """Return targets as a matrix (n_samples, n_targets), and whether they came as one sequence."""
    if y is None:
        msg = f"{estimator} requires y to be passed, but the target y is None."
        raise ValueError(msg)
    values = y if column_names(y) is not None else np.asanyarray(y)
    is_single = np.ndim(values) == 1
    matrix = as_matrix(values[:, None] if is_single else values, name="y", estimator=estimator, allow_nan=True)
    if len(matrix) != n_samples:
        msg = f"Found input variables with inconsistent numbers of samples: X has {n_samples}, y has {len(matrix)}."
        raise ValueError(msg)
    if n_targets not in (None, matrix.shape[1]):
        msg = f"y has {matrix.shape[1]} targets, but {estimator} was fitted to {n_targets}."
        raise ValueError(msg)
    return matrix, is_single


def rows_that_count(table: Array, weights: Array | None) -> tuple[Array, Array | None]:
    """Return the rows of positive weight, at least two of them, and their weights: the others shape no start either."""
    if weights is not None and not weights.all():
        table, weights = table[weights > 0], weights[weights > 0]
    if len(table) < 2:
        msg = "Found 1 sample of positive weight, while a minimum of 2 is required: one row has no variance."
        raise ValueError(msg)
    return table, weights


def r_squared(target: Array, prediction: Array, shares: Array) -> float:
    """Return 1 - residual over total sum of squares; of a constant target 1 if predicted exactly, else 0."""
    seen = ~np.isnan(target) & (shares > 0)
    if not seen.any():
        msg = "No target is seen in rows of positive weight: R squared needs one."
        raise ValueError(msg)
    target, shares = target[seen], shares[seen] / shares[seen].max()
    off_mean, off_prediction = target - np.average(target, weights=shares), target - prediction[seen]
    # In units of the farthest no square leaves the range of floats.
    unit = max(np.abs(off_mean).max(), np.abs(off_prediction).max())
    if not off_mean.any():
        return float(unit == 0)
    total, residual = (float(shares @ (off / unit) ** 2) for off in (off_mean, off_prediction))
    # Where next to the residuals nothing is left of the total, what is explained is worse than any number.
    return 1 - residual / total if total > 0 else -np.inf

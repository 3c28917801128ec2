"""What a regression predicts: checked on the way in, and compared with predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emkit.arrays import as_matrix, column_names

Array = NDArray[np.float64]


def targets_of(y: Any, n_samples: int, estimator: str) -> tuple[Array, bool]:
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
    return matrix, is_single


def require_seen(table: Array, labels: Sequence[str]) -> None:
    """Raise ValueError, naming them, if columns have no cell at all in the rows of a table, which all count."""
    empty = np.flatnonzero(np.isnan(table).all(axis=0)).tolist()
    if empty:
        names = ", ".join(labels[j] for j in empty)
        msg = f"No row sees column{'s' if len(empty) > 1 else ''} {names}: leave out what has no seen cell."
        raise ValueError(msg)


def r_squared(target: Array, prediction: Array, shares: Array) -> float:
    """Return 1 - residual over total sum of squares; of a constant target 1 if predicted exactly, else 0."""
    seen = ~np.isnan(target) & (shares > 0)
    if not seen.any():
        msg = "No target is seen in rows of positive weight: R squared needs one."
        raise ValueError(msg)
    target, shares = target[seen], shares[seen] / shares[seen].max()
    residual = float(shares @ (target - prediction[seen]) ** 2)
    total = float(shares @ (target - np.average(target, weights=shares)) ** 2)
    if total == 0:
        return float(residual == 0)
    return 1 - residual / total

"""How rows are shared among components, and what becomes of components that have none."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: A component whose share of all rows is below this has none: ratios of its sums mean nothing.
EMPTY_SHARE = 1e-200


def occupied(counts: Array) -> NDArray[np.bool_]:
    """Return which components have rows, (n_components,), given their expected numbers."""
    filled: NDArray[np.bool_] = counts > EMPTY_SHARE * counts.sum()
    return filled


def weighted_means(counts: Array, sums: Array, previous: Array) -> Array:
    """Return ``sums / counts``; components without rows keep the previous value.

    Parameters
    ----------
    counts : (n_components,)
    sums, previous : (n_components, ...)
    """
    filled = occupied(counts).reshape(-1, *[1] * (sums.ndim - 1))
    divisor = np.where(filled, counts.reshape(filled.shape), 1.0)
    return np.where(filled, sums / divisor, previous)


def row_weights(responsibilities: Array) -> Array:
    """Return what each row counts for altogether, relative to the largest, (n_samples,); ones where all are zero."""
    weights: Array = responsibilities.sum(axis=1)
    largest = weights.max(initial=0.0)
    return weights / largest if largest > 0 else np.ones(len(weights))


def shared_at_start(responsibilities: Array) -> Array:
    """Return responsibilities with all rows given to each component that has none."""
    empty = ~occupied(responsibilities.sum(axis=0))
    if not empty.any():
        return responsibilities
    # Both of the same order of size, or the ones without rows would look empty beside the others.
    weights = row_weights(responsibilities)[:, None] * (responsibilities.max(initial=0.0) or 1.0)
    return np.where(empty, weights, responsibilities)

"""What is known of the states, at the start of a fit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Array = NDArray[np.float64]


def known_states(log_labels: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Return labels as probabilities of the states (n_samples, n_states), and which rows have any (n_samples,)."""
    top = log_labels.max(axis=1, keepdims=True)
    known = np.exp(log_labels - np.where(np.isfinite(top), top, 0.0))
    known /= known.sum(axis=1, keepdims=True)
    return known, np.ptp(known, axis=1) > 0


def with_known_states(shares: Array, known: Array, is_known: NDArray[np.bool_]) -> Array:
    """Return shares of rows that agree with what is known.

    Groups of rows have no names: they get those under which most labelled rows agree. Then labelled rows go where
    their labels say.

    Parameters
    ----------
    shares : (n_samples, n_components)
        A partition of the rows.
    known : (n_samples, n_components)
        Probabilities, of rows of which something is known.
    is_known : (n_samples,)
    """
    if not is_known.any():
        return shares
    agreement = shares[is_known].T @ known[is_known]
    groups, components = linear_sum_assignment(agreement, maximize=True)
    named = np.empty_like(shares)
    named[:, components] = shares[:, groups]
    return np.where(is_known[:, None], known, named)

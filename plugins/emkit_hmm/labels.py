"""Known states as they are given: numbers, or logarithms of how probable each state is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def unmasked(states: Any) -> NDArray[Any]:
    """Return states as an array; what a mask hides is unknown, so -1, or, of a row of logarithms, all zeros.

    A row of logarithms hidden in part becomes NaN there, which is no logarithm of anything.
    """
    if not isinstance(states, np.ma.MaskedArray):
        return np.asarray(states)
    hidden, values = np.ma.getmaskarray(states), np.asarray(states.data)
    if values.ndim == 2 and values.dtype.kind == "f":
        return np.where(hidden.all(axis=1, keepdims=True), 0.0, np.where(hidden, np.nan, values))
    # Unsigned integers have no -1.
    values = values.astype(np.int64) if values.dtype.kind == "u" else values
    # What is no number is left for the message that says so.
    return np.where(hidden, -1, values) if values.dtype.kind in "if" else values


def log_labels_of(states: Any, n_samples: int, n_states: int) -> Array | None:
    """Return what is known of the states as numbers to add to the log-densities (n_samples, n_states)."""
    if states is None:
        return None
    array = unmasked(states)
    if array.shape == (n_samples, n_states) and array.dtype.kind == "f":
        return _log_prior_of_states(array)
    if array.shape == (n_samples, n_states) and array.dtype.kind in "iub":
        msg = (
            f"states of shape ({n_samples}, {n_states}) are logarithms of how probable each state is, as floats; found "
            f"{array.dtype}. For known states give their numbers, of shape ({n_samples},): states.argmax(axis=1) "
            "if a row has a one for its state, or np.log(states) to have zeros excluded."
        )
        raise ValueError(msg)
    if array.shape != (n_samples,) or array.dtype.kind not in "iuf":
        msg = (
            f"states must be one number for each of the {n_samples} rows (-1 where unknown), or an array "
            f"({n_samples}, {n_states}) of logarithms; found shape {array.shape} of {_entries(array)}."
        )
        raise ValueError(msg)
    wrong = ~(np.isin(array, np.arange(-1, n_states)))
    for row in np.flatnonzero(wrong)[:1]:
        msg = f"states[{row}] is {array[row]}, but states are numbered 0 to {n_states - 1} (-1 where unknown)."
        raise ValueError(msg)
    labels = np.zeros((n_samples, n_states))
    known = np.flatnonzero(array >= 0)
    labels[known] = -np.inf
    labels[known, array[known].astype(np.intp)] = 0.0
    return labels


def _entries(array: NDArray[Any]) -> str:
    """Return what an array holds, and what to do if it only looks like numbers of states."""
    if array.dtype.kind == "b":
        return "bool: write states.astype(int) if False is state 0 and True is state 1"
    if array.dtype.kind in "OUS" and array.size:
        return f"{array.dtype}, such as {array.ravel()[:1].tolist()[0]!r}: write -1 for a state that is not known"
    return str(array.dtype)


def _log_prior_of_states(array: Array) -> Array:
    wrong = np.isnan(array).any(axis=1) | (array == np.inf).any(axis=1) | (array == -np.inf).all(axis=1)
    for row in np.flatnonzero(wrong)[:1]:
        msg = f"states[{row}] must hold logarithms, below infinity and not all minus infinity; it is {array[row]}."
        raise ValueError(msg)
    return np.array(array, dtype=np.float64)

"""Data of a hidden Markov model: sequences of unequal lengths, with weights, known states and covariates."""

from __future__ import annotations

from collections.abc import Sequence as Series
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit.arrays import as_matrix, as_sample_weight

Array = NDArray[np.float64]
Integers = NDArray[np.intp]


@attrs.frozen(eq=False)
class Sequence:
    """One sequence with what is known of it.

    Attributes
    ----------
    x : (n_steps, n_features)
        A row of NaN is a step at which nothing was observed.
    weight : float
        How often the sequence counts.
    states : (n_steps,) or (n_steps, n_states), optional
        Known states, -1 where unknown; or the log of what is known of each: a log-prior, added to the log-densities.
    covariates : (n_steps, n_covariates), optional
        Of the transitions: row t acts on the step from t - 1 to t.
    """

    x: Any
    weight: float = 1.0
    states: Any = None
    covariates: Any = None


@attrs.frozen(eq=False)
class Sequences:
    """Sequences that follow each other in one matrix.

    Attributes
    ----------
    x : (n_samples, n_features)
    lengths : (n_sequences,), optional
        They sum to ``n_samples``. One sequence by default.
    weights : (n_sequences,), optional
    states, covariates : optional
        As in :class:`Sequence`, with ``n_samples`` rows.
    """

    x: Any
    lengths: Any = None
    weights: Any = None
    states: Any = None
    covariates: Any = None


def holds_sequences(data: Any) -> bool:
    """Return whether data are sequences already: one, several with all that belongs to them, or a list of matrices."""
    if isinstance(data, Sequence | Sequences):
        return True
    first = data[0] if isinstance(data, list | tuple) and data else None
    return isinstance(first, Sequence) or len(getattr(first, "shape", ())) == 2


def as_sequences(data: Any, **parts: Any) -> Sequences:
    """Return a matrix and its parts (``lengths``, ``weights``, ...) as sequences, or data that hold sequences already.

    Raises
    ------
    ValueError
        If the data hold sequences, and parts are given beside them.
    """
    if not holds_sequences(data):
        _require_axes(data)
        return Sequences(data, **parts)
    given = ", ".join(name for name, part in parts.items() if part is not None)
    if given:
        msg = f"The data are sequences with parts of their own, so {given} cannot be given beside them."
        raise ValueError(msg)
    return gathered(data)


def _require_axes(data: Any) -> None:
    """Raise if data are sequences of numbers, of which only matrices can be one after the other."""
    shapes = {getattr(part, "shape", ()) for part in data} if isinstance(data, list | tuple) else set()
    if len(shapes) > 1 and all(len(shape) == 1 for shape in shapes):
        msg = "The data are arrays with one axis: a sequence is a matrix (n_steps, n_features), such as x[:, None]."
        raise ValueError(msg)


def gathered(data: Any) -> Sequences:
    """Return data of any accepted form as one matrix with lengths."""
    if isinstance(data, Sequences):
        return data
    if isinstance(data, Sequence):
        data = [data]
    if not isinstance(data, list | tuple):
        return Sequences(data)
    if not data:
        msg = "The list of sequences is empty: give at least one."
        raise ValueError(msg)
    if not any(isinstance(part, Sequence) for part in data):
        return Sequences(*_one_matrix(data))
    parts = [part if isinstance(part, Sequence) else Sequence(part) for part in data]
    x, lengths = _one_matrix([part.x for part in parts])
    return Sequences(
        x,
        lengths,
        np.array([part.weight for part in parts], dtype=np.float64) if any(p.weight != 1.0 for p in parts) else None,
        _joined([part.states for part in parts], "states"),
        _joined([part.covariates for part in parts], "covariates"),
    )


def _one_matrix(sequences: Series[Any]) -> tuple[Array, Integers]:
    """Return sequences one after the other, and their lengths."""
    matrices = sequences if all(map(_is_plain, sequences)) else _matrices(sequences)
    lengths = np.array([len(matrix) for matrix in matrices], dtype=np.intp)
    for index in np.flatnonzero(lengths == 0)[:1]:
        msg = f"Sequence {index} is empty: leave it out."
        raise ValueError(msg)
    widths = sorted({matrix.shape[1] for matrix in matrices})
    if len(widths) > 1:
        msg = f"All sequences need the same columns; found n_features={widths}."
        raise ValueError(msg)
    x = np.concatenate(matrices)
    if np.isinf(x).any():
        _matrices(sequences)  # It says which sequence it is.
    return x, lengths


def _matrices(sequences: Series[Any]) -> list[Array]:
    return [as_matrix(x, allow_nan=True, name=f"Sequence {i}", min_samples=0) for i, x in enumerate(sequences)]


def _is_plain(x: Any) -> bool:
    """Return whether a sequence needs no conversion: checks of ten thousand, one by one, would take as long as EM."""
    return type(x) is np.ndarray and x.dtype == np.float64 and x.ndim == 2


def _joined(parts: list[Any], name: str) -> Any:
    given = [part is not None for part in parts]
    if not any(given):
        return None
    if not all(given):
        msg = f"Sequence {given.index(False)} has no {name}, others have: give them for all (-1 is an unknown state)."
        raise ValueError(msg)
    return np.concatenate([np.asarray(part) for part in parts])


def checked_lengths(lengths: Any, n_samples: int) -> Integers:
    """Return lengths as integers of at least 1 that sum to the number of rows."""
    if lengths is None:
        return np.array([n_samples], dtype=np.intp)
    try:
        array = np.atleast_1d(np.asarray(lengths))
    except ValueError:
        # Arrays of unequal lengths.
        array = np.zeros((0, 0))
    if array.ndim != 1 or array.size == 0 or array.dtype.kind not in "iuf" or not (array == np.round(array)).all():
        msg = f"lengths must be a list of whole numbers, one for each sequence; found {str(lengths)[:80]}."
        raise ValueError(msg)
    array = array.astype(np.intp)
    for index in np.flatnonzero(array < 1)[:1]:
        msg = f"Sequence {index} is empty (lengths[{index}] is {array[index]}): leave it out."
        if len(array) == n_samples:
            msg = f"lengths must be one number for each sequence; found one for each of the {n_samples} rows."
        raise ValueError(msg)
    if array.sum() != n_samples:
        msg = f"lengths must sum to the number of rows, {n_samples}; they sum to {array.sum()}."
        raise ValueError(msg)
    return array


def log_labels_of(states: Any, n_samples: int, n_states: int) -> Array | None:
    """Return what is known of the states as numbers to add to the log-densities (n_samples, n_states)."""
    if states is None:
        return None
    array = np.asarray(states)
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
            f"({n_samples}, {n_states}) of logarithms; found shape {array.shape}."
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


def _log_prior_of_states(array: Array) -> Array:
    wrong = np.isnan(array).any(axis=1) | (array == np.inf).any(axis=1) | (array == -np.inf).all(axis=1)
    for row in np.flatnonzero(wrong)[:1]:
        msg = f"states[{row}] must hold logarithms, below infinity and not all minus infinity; it is {array[row]}."
        raise ValueError(msg)
    return np.array(array, dtype=np.float64)


def weights_of(weights: Any, n_sequences: int) -> Array | None:
    """Return the weights of the sequences, checked."""
    if np.ndim(weights) and np.shape(weights) != (n_sequences,):
        msg = f"weights must be one number for each of the {n_sequences} sequences; found shape {np.shape(weights)}."
        raise ValueError(msg)
    checked: Array | None = as_sample_weight(weights, n_sequences, check_total=False)
    return checked


def resampled(given: Sequences, rng: np.random.Generator) -> Sequences:
    """Return sequences drawn with replacement, with all that belongs to them."""
    lengths = checked_lengths(given.lengths, len(given.x))
    if len(lengths) < 2:
        msg = "One sequence cannot be drawn again: use the parametric bootstrap, kind='parametric'."
        raise ValueError(msg)
    chosen = rng.integers(len(lengths), size=len(lengths))
    firsts = np.cumsum(lengths) - lengths
    rows = np.concatenate([np.arange(int(firsts[i]), int(firsts[i] + lengths[i])) for i in chosen])

    def taken(part: Any) -> Any:
        return None if part is None else np.asarray(part)[rows]

    checked = weights_of(given.weights, len(lengths))
    weights = None if checked is None else checked[chosen]
    return Sequences(taken(given.x), lengths[chosen], weights, taken(given.states), taken(given.covariates))

"""Data of a hidden Markov model: sequences of unequal lengths, with weights, known states and covariates."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit.arrays import as_sample_weight, feature_names
from emkit_hmm.joining import joined_covariates, joined_rows, joined_states, joined_weights
from emkit_hmm.labels import unmasked

Array = NDArray[np.float64]
Integers = NDArray[np.intp]

#: Largest total of weights: their products with log-densities, and sums of these, stay floats.
LARGEST_TOTAL = 1e300
EMPTY = "The list of sequences is empty: give at least one."


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
        Known states, -1 or masked where unknown; or the log of what is known of each: a log-prior, added to the
        log-densities.
    covariates : (n_steps, n_covariates), optional
        Of the transitions: row t acts on the step from t - 1 to t, so that those of the first row may be NaN.
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
    names : (n_features,) of str, optional
        What the columns are called; by default as in ``x``, if that is a data frame.
    """

    x: Any
    lengths: Any = None
    weights: Any = None
    states: Any = None
    covariates: Any = None
    names: Any = None

    def column_names(self) -> NDArray[np.object_] | None:
        """Return what the columns are called, None if they have no names."""
        return feature_names(self.x) if self.names is None else np.asarray(self.names, dtype=object)


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
    if isinstance(data, list | tuple) and not data:
        raise ValueError(EMPTY)
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
        raise ValueError(EMPTY)
    if not any(isinstance(part, Sequence) for part in data):
        x, lengths, names = joined_rows(data)
        return Sequences(x, lengths, names=names)
    parts = [part if isinstance(part, Sequence) else Sequence(part) for part in data]
    x, lengths, names = joined_rows([part.x for part in parts])
    return Sequences(
        x,
        lengths,
        joined_weights([part.weight for part in parts]),
        joined_states([part.states for part in parts], lengths),
        joined_covariates([part.covariates for part in parts], lengths),
        names,
    )


def checked_lengths(lengths: Any, n_samples: int) -> Integers:
    """Return lengths as integers of at least 1 that sum to the number of rows."""
    if lengths is None:
        return np.array([n_samples], dtype=np.intp)
    if np.ma.is_masked(lengths):
        msg = f"lengths must be a list of whole numbers, one for each sequence; some are masked: {str(lengths)[:80]}."
        raise ValueError(msg)
    try:
        array = np.atleast_1d(np.asarray(lengths))
    except ValueError:
        # Arrays of unequal lengths.
        array = np.zeros((0, 0))
    if array.ndim != 1 or array.size == 0 or array.dtype.kind not in "iuf" or not (array == np.round(array)).all():
        msg = f"lengths must be a list of whole numbers, one for each sequence; found {str(lengths)[:80]}."
        raise ValueError(msg)
    for index in np.flatnonzero(array < 1)[:1]:
        msg = f"Sequence {index} is empty (lengths[{index}] is {array[index]:g}): leave it out."
        if len(array) == n_samples:
            msg = f"lengths must be one number for each sequence; found one for each of the {n_samples} rows."
        raise ValueError(msg)
    with np.errstate(over="ignore"):
        total = array.sum()
    if total != n_samples:
        msg = f"lengths must sum to the number of rows, {n_samples}; they sum to {total}."
        raise ValueError(msg)
    return array.astype(np.intp)


def weights_of(weights: Any, n_sequences: int) -> Array | None:
    """Return the weights of the sequences, checked."""
    if np.ndim(weights) and np.shape(weights) != (n_sequences,):
        msg = f"weights must be one number for each of the {n_sequences} sequences; found shape {np.shape(weights)}."
        raise ValueError(msg)
    checked: Array | None = as_sample_weight(weights, n_sequences, check_total=False)
    # No sum is taken to find out, since it may overflow.
    if checked is not None and not checked.max() <= LARGEST_TOTAL / n_sequences:
        index = int(checked.argmax())
        msg = f"weights[{index}] is {checked[index]:g}, too large to be added up: divide all weights by the largest."
        raise ValueError(msg)
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
        # A mask stays with what it hides.
        return None if part is None else np.asanyarray(part)[rows]

    states = None if given.states is None else unmasked(given.states)
    checked, names = weights_of(given.weights, len(lengths)), given.column_names()
    weights = None if checked is None else checked[chosen]
    return Sequences(taken(given.x), lengths[chosen], weights, taken(states), taken(given.covariates), names)

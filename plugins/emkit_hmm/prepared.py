"""Sequences checked, and in the form in which the E-step wants them."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence as Series
from typing import Any, TypeAlias

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit.arrays import as_matrix
from emkit.errors import DegenerateError
from emkit.families import Family
from emkit_hmm.covariates import covariates_of
from emkit_hmm.kernels.layout import Layout
from emkit_hmm.labels import log_labels_of, unmasked
from emkit_hmm.sequences import Sequences, checked_lengths, gathered, weights_of

Array = NDArray[np.float64]
Integers = NDArray[np.intp]


@attrs.frozen(eq=False)
class PreparedSequences:
    """Sequences checked, and in the form in which the E-step wants them.

    Attributes
    ----------
    x : (n_samples, n_features)
    lengths : (n_sequences,)
    seen : (n_seen,) or None
        Rows of which the emissions say something, None if all do.
    rows
        Those rows, as the family prepared them.
    layout : Layout
    weights : (n_sequences,) or None
    log_labels : (n_samples, n_states) or None
        What is known of the states, added to the log-densities.
    covariates : (n_samples, n_covariates) or None
    n_observations : float
        Rows of which something was observed, times their weights.
    """

    x: Array
    lengths: Integers
    seen: Integers | None
    rows: Any
    layout: Layout
    weights: Array | None
    log_labels: Array | None
    covariates: Array | None
    n_observations: float

    @property
    def firsts(self) -> Integers:
        """The first row of every sequence, (n_sequences,)."""
        return np.cumsum(self.lengths) - self.lengths

    def layout_for(self, n_states: int) -> Layout:
        """Return the arrangement for another number of states, such as that of a chain with explicit durations."""
        return self.layout if n_states == self.layout.n_states else Layout.of(self.lengths, n_states)

    def row_weights(self) -> Array | None:
        """Return the weight of every row (n_samples,), None if all are one."""
        return None if self.weights is None else np.repeat(self.weights, self.lengths)

    def total(self, of_sequences: Array) -> float:
        """Return the sum of numbers (n_sequences,), each as often as the weight of its sequence says."""
        if self.weights is None:
            return float(of_sequences.sum())
        # Minus infinity, zero times, is nothing.
        counted = self.weights > 0
        return float((of_sequences[counted] * self.weights[counted]).sum())


#: What a row may look like of which there is to be nothing but the form.
PLACEHOLDERS = (0.0, 1.0, 0.5)

#: A matrix (one sequence), a list of matrices or of :class:`Sequence`, or :class:`Sequences`.
HiddenMarkovData: TypeAlias = "Array | Series[Any] | Sequences | PreparedSequences"


def prepared(leaf: HiddenMarkovData, emission: Family[Any], n_states: int) -> PreparedSequences:
    """Return validated sequences, their rows as the family wants them, cut into columns that recursions run through."""
    if isinstance(leaf, PreparedSequences):
        return leaf
    data = gathered(leaf)
    x = as_matrix(data.x, allow_nan=True)
    lengths = checked_lengths(data.lengths, len(x))
    holes = np.isnan(x)
    weights = weights_of(data.weights, len(lengths))
    seen = None
    if not emission.accepts_nan and holes.any():
        seen = np.flatnonzero(~holes.any(axis=1))
    if seen is None:
        rows = emission.prepare(x, lengths)
    else:
        rows = emission.prepare(x[seen]) if len(seen) else _no_rows(emission, x.shape[1])
    counted = np.ones(len(x)) if weights is None else np.repeat(weights, lengths)
    if seen is None:
        # Rows of autoregressions without a row before them say nothing either.
        counted[holes.all(axis=1) | getattr(rows, "missing", False)] = 0.0
    else:
        counted[holes.any(axis=1)] = 0.0
    return PreparedSequences(
        x=x,
        lengths=lengths,
        seen=seen,
        rows=rows,
        layout=Layout.of(lengths, n_states),
        weights=weights,
        log_labels=log_labels_of(data.states, len(x), n_states),
        covariates=covariates_of(data.covariates, lengths),
        n_observations=float(counted.sum()),
    )


def _no_rows(emission: Family[Any], n_features: int) -> Any:
    """Return what a family makes of no rows at all: it prepares one that it accepts, which is then left out."""
    whole = np.zeros((1, n_features))
    whole[0, 0] = getattr(emission, "n_trials", None) or 1.0
    for row in (*(np.full((1, n_features), value) for value in PLACEHOLDERS), whole):
        try:
            prepared_row = emission.prepare(row)
        except ValueError:
            continue
        nothing = np.zeros(0, dtype=np.intp)
        return prepared_row[nothing] if isinstance(prepared_row, np.ndarray) else prepared_row.take(nothing)
    msg = "Nothing was observed: every row is missing."
    raise DegenerateError(msg)


def redrawn(
    data: HiddenMarkovData,
    sequences: PreparedSequences,
    draw: Callable[[Array, Array | None], tuple[Array, Integers]],
) -> Sequences:
    """Return new rows for all sequences, with lengths, gaps, weights, covariates and known states as they were.

    ``draw(x, covariates)`` gives rows in place of those of one sequence, and their states.
    """
    x, path = np.empty_like(sequences.x), np.empty(len(sequences.x), dtype=np.intp)
    for first, length in zip(sequences.firsts, sequences.lengths, strict=True):
        rows = slice(int(first), int(first + length))
        covariates = None if sequences.covariates is None else sequences.covariates[rows]
        x[rows], path[rows] = draw(sequences.x[rows], covariates)
    x[np.isnan(sequences.x)] = np.nan
    given = None if isinstance(data, PreparedSequences) else gathered(data).states
    states = None if given is None or np.ndim(given) != 1 else np.where(unmasked(given) >= 0, path, -1)
    return Sequences(x, sequences.lengths, sequences.weights, states, sequences.covariates)

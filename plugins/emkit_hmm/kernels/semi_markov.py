"""Chains that stay in a state for an explicitly distributed number of steps.

A sequence is made of segments: a state, a duration drawn from that state's own distribution, one emission for each
step, and then a transition to the state of the next segment. A sequence begins with a segment and ends when it ends:
the last segment is censored, and counts with the probability that it lasts at least so long (Guedon, 2003, Journal of
Computational and Graphical Statistics 12, 604-639). Scaled walks do for nearly all sequences; those that leave the
range of floating-point numbers are treated again in log space, and so are many short ones, which walk side by side.
"""

from __future__ import annotations

from typing import TypeAlias

import attrs
import numpy as np

from emkit_hmm.kernels.columns import Array, Indices
from emkit_hmm.kernels.exact_segments import SemiMarkovChain, batches, exact_segments
from emkit_hmm.kernels.layout import Layout
from emkit_hmm.kernels.onward import Law
from emkit_hmm.kernels.renewals import renewals

__all__ = ["SegmentPosterior", "SemiMarkovChain", "batches", "segment_posterior"]

Rows: TypeAlias = "Indices | slice"
#: Rows of a block of the scaled walks at most: those of the first try, and of the second for sequences that were lost.
LONGEST_BLOCKS = (32, 4)
#: With so many sequences side by side, on average over steps, and so few states times durations, a step in log space
#: costs less than that many scaled ones (measured: up to four times less with ten durations).
WIDE = 32
FEW_AGES = 512


@attrs.frozen(eq=False)
class SegmentPosterior:
    """What the rows say of states and segments.

    Attributes
    ----------
    log_likelihoods : (n_sequences,)
        In nats; -inf for sequences that the chain cannot produce, whose states are then smoothed as if no row of
        theirs had been seen.
    smoothed : (n_rows, n_states)
        Probability of each state given all rows of its sequence.
    first : (n_states,)
        Sum of ``smoothed`` over the first rows, times the weights of the sequences.
    transition_counts : (n_states, n_states)
        Expected number of transitions between segments, times the weights of their sequences.
    duration_counts : (n_states, n_durations)
        Expected number of segments of each duration, times weights. A segment that the end of the data cuts off
        counts by what its whole duration may have been, so that these are the counts of complete data.
    """

    log_likelihoods: Array
    smoothed: Array
    first: Array
    transition_counts: Array
    duration_counts: Array


def segment_posterior(  # noqa: PLR0917 - the order of forward_backward
    layout: Layout,
    startprob: Array,
    transmat: Array,
    log_duration: Array,
    log_emission: Array,
    weights: Array | None = None,
) -> SegmentPosterior:
    """Return the posterior of states, transitions and durations of all sequences.

    Parameters
    ----------
    layout : Layout
    startprob : (n_states,)
    transmat : (n_states, n_states)
        Between segments; usually with a diagonal of zeros.
    log_duration : (n_states, n_durations)
        Log-probability of durations 1, 2, ..., n_durations; -inf is allowed.
    log_emission : (n_rows, n_states)
        -inf is allowed, a row of zeros is a row that was not seen.
    weights : (n_sequences,), optional
        They multiply ``first`` and the counts only.
    """
    weights = np.ones(layout.n_sequences) if weights is None else weights
    sums = _Sums.empty(layout, transmat, log_duration)
    law, left = Law(startprob, transmat, np.exp(log_duration)), np.arange(layout.n_sequences)
    is_wide = layout.n_rows >= WIDE * layout.lengths.max() and log_duration.size <= FEW_AGES
    for longest_block in () if is_wide else LONGEST_BLOCKS:
        left = sums.add_scaled(layout, law, log_emission, weights, left, longest_block)
    chain = SemiMarkovChain.of(startprob, transmat, log_duration)
    for columns in batches(layout, chain, left):
        sums.add(
            columns.sequences, columns.rows, *exact_segments(columns, chain, log_emission, weights[columns.sequences])
        )
    first = weights @ sums.smoothed[layout.starts]
    return SegmentPosterior(sums.log_likelihoods, sums.smoothed, first, sums.transition_counts, sums.duration_counts)


@attrs.frozen(eq=False)
class _Sums:
    """A posterior while it is put together, sequences by sequences."""

    log_likelihoods: Array
    smoothed: Array
    transition_counts: Array
    duration_counts: Array

    @classmethod
    def empty(cls, layout: Layout, transmat: Array, log_duration: Array) -> _Sums:
        smoothed = np.empty((layout.n_rows, len(transmat)))
        return cls(np.empty(layout.n_sequences), smoothed, np.zeros(transmat.shape), np.zeros(log_duration.shape))

    def add(  # noqa: PLR0917
        self,
        sequences: Indices,
        rows: Rows,
        log_likelihoods: Array,
        smoothed: Array,
        transitions: Array,
        durations: Array,
    ) -> None:
        self.log_likelihoods[sequences], self.smoothed[rows] = log_likelihoods, smoothed
        np.add(self.transition_counts, transitions, out=self.transition_counts)
        np.add(self.duration_counts, durations, out=self.duration_counts)

    def add_scaled(  # noqa: PLR0917
        self, layout: Layout, law: Law, log_emission: Array, weights: Array, sequences: Indices, longest_block: int
    ) -> Indices:
        """Add what scaled walks through some sequences say; return the sequences for which these will not do."""
        lost: list[Indices] = [np.zeros(0, dtype=np.intp)]
        while len(sequences):
            rows = _rows_of(layout, sequences)
            found = renewals(law, layout.lengths[sequences], log_emission[rows], weights[sequences], longest_block)
            if not found.is_lost.any():
                counts = found.transition_counts, found.duration_counts
                self.add(sequences, rows, found.log_likelihoods, found.smoothed, *counts)
                break
            lost.append(sequences[found.is_lost])
            sequences = sequences[~found.is_lost]
        return np.sort(np.concatenate(lost))


def _rows_of(layout: Layout, sequences: Indices) -> Rows:
    """Return the rows of some sequences, in their order."""
    if len(sequences) == layout.n_sequences:
        return slice(None)
    lengths = layout.lengths[sequences]
    before = np.cumsum(lengths) - lengths
    return np.asarray(np.arange(lengths.sum()) + np.repeat(layout.starts[sequences] - before, lengths))

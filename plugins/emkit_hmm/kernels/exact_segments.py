"""Explicit durations in log space: slow, and right for any numbers; the rescue of the scaled walks.

The state of the walks is (state, steps that remain), so that a step costs ``n_states**2 + n_states * n_durations``.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import numpy as np

from emkit_hmm.kernels.columns import Array, Columns, Indices
from emkit_hmm.kernels.exact import log_of, log_sum_exp
from emkit_hmm.kernels.layout import Layout
from emkit_hmm.kernels.packing import packed

#: Entries (states, durations, columns) of a batch of sequences.
MOST_ENTRIES = 2**18


@attrs.frozen(eq=False)
class SemiMarkovChain:
    """Logarithms of the probabilities of a chain.

    Attributes
    ----------
    startprob : (n_states,)
    transmat : (n_states, n_states)
    duration : (n_states, n_durations)
        Of 1, 2, ... steps.
    """

    startprob: Array
    transmat: Array
    duration: Array

    @classmethod
    def of(cls, startprob: Array, transmat: Array, log_duration: Array) -> SemiMarkovChain:
        """Return the chain of probabilities and log-probabilities of durations."""
        return cls(log_of(startprob), log_of(transmat), np.ascontiguousarray(log_duration, dtype=np.float64))

    @property
    def n_states(self) -> int:
        """Number of states."""
        return len(self.startprob)


@attrs.frozen(eq=False)
class SegmentWalk:
    """What the walk forward leaves of every step, lists of (n_states, width).

    Attributes
    ----------
    entered : list
        Log-probability of the rows before and of a segment that begins here.
    ended : list
        Log-probability of the rows up to here and of a segment that ends here.
    emission : list
        Log-densities less what was taken out to keep the others of order one.
    scale : (n_columns,)
        What was taken out of each column.
    totals : (n_columns,)
        Log-likelihood of each column less ``scale``.
    """

    entered: list[Array]
    ended: list[Array]
    emission: list[Array]
    scale: Array
    totals: Array


def batches(layout: Layout, chain: SemiMarkovChain, sequences: Indices | None = None) -> Iterator[Columns]:
    """Yield sequences, all by default, as uncut columns, as many together as the size of their states allows."""
    sequences = np.arange(layout.n_sequences) if sequences is None else sequences
    by_length = sequences[np.argsort(-layout.lengths[sequences], kind="stable")]
    width = max(1, MOST_ENTRIES // chain.duration.size)
    for first in range(0, len(by_length), width):
        yield layout.whole(by_length[first : first + width])


def exact_segments(
    columns: Columns, chain: SemiMarkovChain, log_emission: Array, weights: Array
) -> tuple[Array, Array, Array, Array]:
    """Walk through uncut columns forward and back.

    A column that the chain cannot produce is walked through a second time, as if none of its rows had been seen.

    Parameters
    ----------
    columns : Columns
    chain : SemiMarkovChain
    log_emission : (n_rows, n_states)
    weights : (n_columns,)

    Returns
    -------
    log_likelihoods : (n_columns,)
        -inf for impossible columns.
    smoothed : (n_places, n_states)
        Of the rows ``columns.rows``.
    transition_counts : (n_states, n_states)
    duration_counts : (n_states, n_durations)
    """
    walk = walk_segments(columns, chain, columns.steps(packed(columns, log_emission), chain.n_states))
    log_likelihoods = walk.totals + walk.scale
    impossible = walk.totals == -np.inf
    if impossible.any():
        unseen = log_emission.copy()
        unseen[columns.rows[np.isin(_column_of_places(columns), np.flatnonzero(impossible))]] = 0.0
        walk = walk_segments(columns, chain, columns.steps(packed(columns, unseen), chain.n_states))
    transitions, durations = np.zeros_like(chain.transmat), np.zeros_like(chain.duration)
    gamma = _walk_back(chain, walk, weights, transitions, durations)
    return log_likelihoods, np.concatenate([step.T for step in gamma]), transitions, durations


def _column_of_places(columns: Columns) -> Indices:
    return np.concatenate([np.tile(np.arange(run.width), run.last - run.first) for run in columns.runs])


def walk_segments(columns: Columns, chain: SemiMarkovChain, emission: list[Array]) -> SegmentWalk:
    """Walk forward; ``state[k, r]`` is the log-probability of state ``k`` that goes on for ``r`` steps more."""
    n_columns = columns.n_columns
    entered: list[Array] = []
    ended: list[Array] = []
    scale, totals = np.zeros(n_columns), np.empty(n_columns)
    n_states, n_durations = chain.duration.shape
    state = np.full((n_states, n_durations, n_columns), -np.inf)
    entry = np.repeat(chain.startprob[:, None], n_columns, axis=1)
    for t, row in enumerate(emission):
        width = row.shape[1]
        if t > 0:
            totals[width : state.shape[2]] = _total(state[:, :, width:])
            state = state[:, :, :width]
            entry = log_sum_exp(ended[-1][:, None, :width] + chain.transmat[:, :, None], axis=0)
        begun = entry[:, None] + chain.duration[:, :, None]
        np.logaddexp(state[:, 1:], begun[:, :-1], out=begun[:, :-1])
        largest = (begun + row[:, None]).max(axis=(0, 1))
        largest[largest == -np.inf] = 0.0
        scale[:width] += largest
        # The rows' own scale is arbitrary; so the walk back needs no scale of its own.
        np.subtract(row, largest, out=row)
        state = begun + row[:, None]
        entered.append(entry)
        ended.append(state[:, 0].copy())
    totals[: state.shape[2]] = _total(state)
    return SegmentWalk(entered, ended, emission, scale, totals)


def _total(state: Array) -> Array:
    """Return the logarithm of the sum over states and durations, shape (width,)."""
    return log_sum_exp(log_sum_exp(state, axis=0), axis=0)


def _walk_back(
    chain: SemiMarkovChain, walk: SegmentWalk, weights: Array, transition_counts: Array, duration_counts: Array
) -> list[Array]:
    """Add to the counts; returns the smoothed probabilities (n_states, width) of every step.

    Those are sums over all segments that a row may lie in; differences of what has begun and what has ended would hold
    nothing of small ones but rounding.
    """
    n_states, n_durations = chain.duration.shape
    beta = np.zeros((n_states, n_durations, 0))
    occupied = np.zeros((len(walk.emission) + n_durations, n_states, walk.emission[0].shape[1]))
    for t in range(len(walk.emission) - 1, -1, -1):
        row, width = walk.emission[t], walk.emission[t].shape[1]
        beta = np.concatenate([beta, np.zeros((n_states, n_durations, width - beta.shape[2]))], axis=2)
        value = beta + row[:, None]
        whole = value + chain.duration[:, :, None]
        largest = whole.max(axis=1)
        largest[largest == -np.inf] = 0.0
        shares = np.exp(whole - largest[:, None])
        total = shares.sum(axis=1)
        shares *= np.exp(walk.entered[t] + largest - walk.totals[:width])[:, None]
        duration_counts += shares @ weights[:width]
        np.cumsum(shares[:, ::-1], axis=1, out=shares[:, ::-1])
        occupied[t : t + n_durations, :, :width] += shares.transpose(1, 0, 2)
        if t > 0:
            into = log_of(total) + largest
            onward = chain.transmat[:, :, None] + into[None]
            pairs = np.exp(walk.ended[t - 1][:, None, :width] + onward - walk.totals[:width])
            transition_counts += pairs @ weights[:width]
            beta = np.concatenate([log_sum_exp(onward, axis=1)[:, None], value[:, :-1]], axis=1)
    return [now[:, : row.shape[1]] for now, row in zip(occupied, walk.emission, strict=False)]

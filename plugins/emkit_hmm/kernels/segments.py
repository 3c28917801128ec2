"""The most probable segmentation of every sequence under explicit durations."""

from __future__ import annotations

import attrs
import numpy as np

from emkit_hmm.kernels.columns import Array, Booleans, Columns, Indices
from emkit_hmm.kernels.layout import Layout
from emkit_hmm.kernels.packing import packed
from emkit_hmm.kernels.semi_markov import SemiMarkovChain, batches


@attrs.frozen(eq=False)
class Segmentation:
    """The most probable segments.

    Attributes
    ----------
    states : (n_rows,)
    begins : (n_rows,)
        True where a segment begins.
    log_joint : (n_sequences,)
        Log joint density of rows and segments, nats, the last one with the probability that it lasts at least so
        long; -inf where no segmentation is possible, and the states then mean nothing.
    """

    states: Indices
    begins: Booleans
    log_joint: Array


def segment_viterbi(
    layout: Layout, startprob: Array, transmat: Array, log_duration: Array, log_emission: Array
) -> Segmentation:
    """Return the segmentation of highest posterior probability of every sequence.

    Arguments are those of ``segment_posterior``.
    """
    chain = SemiMarkovChain.of(startprob, transmat, log_duration)
    states = np.zeros(layout.n_rows, dtype=np.intp)
    begins = np.zeros(layout.n_rows, dtype=np.bool_)
    log_joint = np.empty(layout.n_sequences)
    survivor = np.logaddexp.accumulate(chain.duration[:, ::-1], axis=1)[:, ::-1]
    for columns in batches(layout, chain):
        walk = _BestWalk.of(columns, chain, columns.steps(packed(columns, log_emission), chain.n_states))
        firsts = columns.rows[: columns.n_columns]
        for column, length in enumerate(columns.lengths.tolist()):
            rows = slice(firsts[column], firsts[column] + length)
            best, *last = _last_segment(walk, column, log_emission[rows], survivor)
            log_joint[columns.sequences[column]] = best
            _trace(walk, column, last, states[rows], begins[rows])
    return Segmentation(states, begins, log_joint)


@attrs.frozen(eq=False)
class _BestWalk:
    """What the walk forward leaves of every step, lists of (n_states, width).

    ``entered`` is the best log joint density of the rows before and of a segment that begins here, ``came`` the state
    before it, ``since`` the first step of the best segment that ends here.
    """

    entered: list[Array]
    came: list[Indices]
    since: list[Indices]

    @classmethod
    def of(cls, columns: Columns, chain: SemiMarkovChain, emission: list[Array]) -> _BestWalk:
        n_columns = columns.n_columns
        walk = cls([], [], [])
        shape = (*chain.duration.shape, n_columns)
        state, since = np.full(shape, -np.inf), np.zeros(shape, dtype=np.intp)
        entry, came = (
            np.repeat(chain.startprob[:, None], n_columns, axis=1),
            np.zeros((chain.n_states, n_columns), dtype=np.intp),
        )
        for t, row in enumerate(emission):
            width = row.shape[1]
            if t > 0:
                scores = state[:, 0, None, :width] + chain.transmat[:, :, None]
                entry, came = scores.max(axis=0), scores.argmax(axis=0)
            state, since = state[:, :, :width], since[:, :, :width]
            begun, start = entry[:, None] + chain.duration[:, :, None], np.full((*shape[:2], width), t)
            stays = state[:, 1:] > begun[:, :-1]
            np.copyto(begun[:, :-1], state[:, 1:], where=stays)
            np.copyto(start[:, :-1], since[:, 1:], where=stays)
            state, since = begun + row[:, None], start
            walk.entered.append(entry)
            walk.came.append(came)
            walk.since.append(since[:, 0].copy())
        return walk


def _last_segment(walk: _BestWalk, column: int, log_emission: Array, survivor: Array) -> tuple[float, int, int]:
    """Return the best log joint density of a column, and the state and first step of its last segment."""
    length, longest = len(log_emission), min(len(log_emission), survivor.shape[1])
    entered = np.array([walk.entered[length - d][:, column] for d in range(1, longest + 1)])
    rows = np.cumsum(log_emission[::-1][:longest], axis=0)
    scores = entered + rows + survivor[:, :longest].T
    duration, state = np.unravel_index(int(scores.argmax()), scores.shape)
    return float(scores[duration, state]), int(state), length - 1 - int(duration)


def _trace(walk: _BestWalk, column: int, last: list[int], states: Indices, begins: Booleans) -> None:
    """Fill in the states of one column from its last segment, a state and a first step, back."""
    state, start = last
    stop = len(states)
    while True:
        states[start:stop] = state
        begins[start] = True
        if start == 0:
            return
        state, stop = int(walk.came[start][state, column]), start
        start = int(walk.since[stop - 1][state, column])

"""Explicit durations in scaled space: where segments begin, as the solution of triangular equations.

With ``onward[s, j, t] = P(duration = t - s | j) * product of emission[s, j], ..., emission[t - 1, j]``,

    begun[t, k] = sum over s < t and j of begun[s, j] * onward[s, j, t] * transmat[j, k]
    ahead[s, j] = last[s, j] + sum over t > s and k of onward[s, j, t] * transmat[j, k] * ahead[t, k]

are the densities of the rows before a segment of a state that begins here (in first rows the start), and of the rows
from there on; ``last`` is that of a segment which goes on to the end of the sequence. No step goes through the ages of
a segment, and nothing is negative, so that nothing cancels. A block of rows is one triangular matrix, the same for both
walks.
"""

from __future__ import annotations

import attrs
import numpy as np
from scipy.linalg.blas import dtrsv

from emkit_hmm.kernels.columns import Array, Booleans, Indices
from emkit_hmm.kernels.onward import Blocks, Law, windows

#: What is taken out of a block is not smaller, or numbers within it would become too large.
SMALLEST = 1e-90
#: Smaller numbers may have lost digits. It matters where they meet one so large that this share of all is missed.
TINY = 1e-200
HARMLESS = 1e-13
#: Relative difference of the likelihoods by both walks that is no rounding.
DISAGREEMENT = 1e-9
#: Nats that a path has to gain in scaled rows to be missed by both walks; and in a segment, to be lost within it.
MOST_GAIN = 800.0
MOST_GAIN_WITHIN = 200.0


@attrs.frozen(eq=False)
class Renewals:
    """What both walks through some sequences say.

    Attributes
    ----------
    log_likelihoods : (n_sequences,)
        In nats.
    smoothed : (n_rows, n_states)
    transition_counts : (n_states, n_states)
        Times the weights of the sequences.
    duration_counts : (n_states, n_durations)
        Times the weights of the sequences.
    is_lost : (n_sequences,) of bool
        Which sequences have left the range of floating-point numbers; if any has, the counts mean nothing.
    """

    log_likelihoods: Array
    smoothed: Array
    transition_counts: Array
    duration_counts: Array
    is_lost: Booleans


def renewals(law: Law, lengths: Indices, log_emission: Array, weights: Array, longest_block: int) -> Renewals:
    """Walk through sequences whose rows follow each other.

    Parameters
    ----------
    law : Law
    lengths : (n_sequences,)
    log_emission : (n_rows, n_states)
    weights : (n_sequences,)
    longest_block : int
        Rows of a block at most. In short ones numbers stay in range where rows are very improbable.
    """
    # A segment that is longer than any sequence is known by its chances alone.
    within = attrs.evolve(law, duration=law.duration[:, : int(lengths.max())])
    blocks = Blocks.of(within, lengths, log_emission, longest_block)
    n_rows = blocks.n_rows
    # What leaves the range is found below.
    with np.errstate(all="ignore"):
        begun, ended = _forward(blocks)
        uncut, survival = blocks.last_segments(), _survival(blocks, law)
        likelihoods = np.add.reduceat((begun[:n_rows] * uncut * survival).sum(axis=1), blocks.firsts)
        of_rows = np.repeat(likelihoods, lengths)[:, None]
        chances, of_each = begun[:n_rows] / of_rows, np.repeat(weights, lengths)
        ahead, whole, occupied = _backward(blocks, uncut * survival, chances, of_each)
        is_lost = _lost(blocks, chances, ahead, likelihoods, log_emission > -np.inf)
        transitions = law.transmat * ((ended * of_each[:, None] / of_rows).T @ ahead)
        durations = _last_durations(blocks, law, chances * uncut * of_each[:, None])
        durations[:, : within.duration.shape[1]] += whole
        log_likelihoods = np.log(likelihoods) + np.add.reduceat(blocks.shifts[:n_rows], blocks.firsts)
        smoothed = occupied + _in_last_segment(blocks, chances * uncut * survival)
    return Renewals(log_likelihoods, smoothed, transitions, durations, is_lost)


def _forward(blocks: Blocks) -> tuple[Array, Array]:
    """Return ``begun`` (n_filled, n_states), and the sums over s alone (n_rows, n_states); rescales the emissions."""
    law, n_filled = blocks.law, len(blocks.left)
    n_states, n_durations = law.duration.shape
    begun, ended = np.zeros((n_filled, n_states)), np.zeros((n_states, n_filled + n_durations))
    begun[blocks.firsts] = law.startprob
    for start in blocks.starts:
        stop = start + blocks.block
        onward, _ = blocks.onward(start)
        now = begun[start:stop]
        now += ended[:, start:stop].T @ law.transmat
        dtrsv(blocks.equations(onward), now.reshape(-1), lower=1, diag=1, overwrite_x=1)
        ended[:, start : stop + n_durations] += np.matmul(now.T[:, None], onward.transpose(1, 0, 2))[:, 0]
        largest = ended[:, stop : stop + n_durations].max()
        if 0 < largest < 1:
            begin = max(start, int(blocks.first_of[stop - 1]))
            _rescale(blocks, begun, ended, slice(begin, stop), max(float(largest), SMALLEST))
    return begun, ended[:, : blocks.n_rows].T


def _rescale(blocks: Blocks, begun: Array, ended: Array, rows: slice, factor: float) -> None:
    """Divide by a factor all that comes after some rows; all of these bear the same share of it."""
    n = rows.stop - rows.start
    each = factor ** (1 / n)
    powers = each ** np.arange(n)
    begun[rows] /= powers[:, None]
    ended[:, rows] /= powers
    ended[:, rows.stop :][:, : blocks.law.duration.shape[1]] /= factor
    blocks.emission[:, rows] /= each
    blocks.shifts[rows] += np.log(each)


def _backward(blocks: Blocks, last: Array, chances: Array, weights: Array) -> tuple[Array, Array, Array]:
    """Walk back, from segments that reach to the end.

    Returns
    -------
    ahead : (n_rows, n_states)
    durations : (n_states, n_durations)
        Expected numbers of all segments but the last ones, times weights.
    occupied : (n_rows, n_states)
        Probability of being in each state, in a segment that is not the last one.
    """
    law, n_filled, n_rows = blocks.law, len(blocks.left), blocks.n_rows
    n_states, n_durations = law.duration.shape
    ahead, begun, of_each = np.zeros((n_filled, n_states)), np.zeros((n_filled, n_states)), np.zeros(n_filled)
    ahead[:n_rows], begun[:n_rows], of_each[:n_rows] = last, chances, weights
    onward_to, durations = np.zeros((n_states, n_filled + n_durations)), np.zeros_like(law.duration)
    occupied = np.zeros_like(onward_to)
    for start in reversed(blocks.starts):
        stop = start + blocks.block
        onward, band = blocks.onward(start)
        now, after = ahead[start:stop], onward_to[:, stop : stop + n_durations, None]
        now += np.matmul(onward[:, :, blocks.block :].transpose(1, 0, 2), after)[:, :, 0].T
        dtrsv(blocks.equations(onward), now.reshape(-1), lower=1, trans=1, diag=1, overwrite_x=1)
        onward_to[:, start:stop] = law.transmat @ now.T
        segments = windows(onward_to[:, start + 1 :], blocks.block, n_durations) * band
        segments *= begun[start:stop, :, None]
        durations += np.tensordot(of_each[start:stop], segments, 1)
        occupied[:, start : stop + n_durations] += blocks.covered(segments)
    return ahead[:n_rows], durations, occupied[:, :n_rows].T


def _survival(blocks: Blocks, law: Law) -> Array:
    """Return the probabilities of segments that reach from each row to the end of its sequence, (n_rows, n_states)."""
    left = np.minimum(blocks.left[: blocks.n_rows], law.duration.shape[1])
    at_least = np.cumsum(law.duration[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(at_least[:, left - 1].T)


def _last_durations(blocks: Blocks, law: Law, chances: Array) -> Array:
    """Return the expected durations of last segments, were they not cut; ``chances`` are those of any duration."""
    left = blocks.left[: blocks.n_rows]
    near = np.flatnonzero(left <= law.duration.shape[1])
    shortest = np.zeros((law.duration.shape[1], len(law.duration)))
    np.add.at(shortest, left[near] - 1, chances[near])
    return np.asarray(law.duration * np.cumsum(shortest, axis=0).T)


def _in_last_segment(blocks: Blocks, begins: Array) -> Array:
    """Return the probabilities of being in the last segment, from those of its beginning in each row."""
    occupied, total = np.zeros_like(begins), np.zeros((len(blocks.lengths), begins.shape[1]))
    ends = blocks.firsts + blocks.lengths
    for back in range(min(blocks.law.duration.shape[1], int(blocks.lengths.max())), 0, -1):
        longer = np.flatnonzero(blocks.lengths >= back)
        total[longer] += begins[ends[longer] - back]
        occupied[ends[longer] - back] = total[longer]
    return occupied


def _lost(blocks: Blocks, begun: Array, ahead: Array, likelihoods: Array, is_possible: Booleans) -> Booleans:
    """Return which sequences have left the range of numbers; ``begun * ahead`` are probabilities.

    A walk that has lost a path that mattered disagrees with the other, or its number is tiny where that of the other is
    huge. Both can lose the same path only if it gains that much in between.
    """
    huge, of_rows = HARMLESS / TINY, np.repeat(likelihoods, blocks.lengths)[:, None]
    # In rows that are impossible in a state, such as those of another label, zero is no loss.
    tiny, tiny_ahead = ~(begun * of_rows >= TINY), ~(ahead >= TINY) & is_possible
    begins = begun * ahead
    missed = (tiny & ~(ahead < huge)) | (tiny_ahead & ~(begun < huge)) | ~(begins < 1 + DISAGREEMENT)
    apart = ~(np.abs(begins[blocks.firsts].sum(axis=1) - 1) < DISAGREEMENT)
    by_both = blocks.any_row(tiny_ahead)
    if by_both.any():
        by_both &= _may_gain(blocks, tiny)
    return np.asarray(~(likelihoods > TINY) | apart | blocks.any_row(missed) | by_both)


def _may_gain(blocks: Blocks, tiny: Booleans) -> Booleans:
    """Return in which sequences a path may gain enough to be missed by both walks, after the one forward has lost it.

    It loses a path where a number is tiny, or within a segment, if what that gains does not show before its end.
    """
    gains = np.maximum(np.log(blocks.emission.max(axis=0)), 0.0)
    total = np.concatenate([[0.0], np.cumsum(gains)])
    n_durations = blocks.law.duration.shape[1]
    within = (total[n_durations:-1] - total[: -n_durations - 1])[: blocks.n_rows, None]
    in_all = np.add.reduceat(gains[: blocks.n_rows], blocks.firsts)
    return (blocks.any_row(tiny) | blocks.any_row(~(within < MOST_GAIN_WITHIN))) & ~(in_all < MOST_GAIN)

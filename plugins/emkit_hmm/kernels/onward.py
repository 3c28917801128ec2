"""Rows in blocks, and how densely segments that begin in a block lead on from it; see ``renewals``."""

from __future__ import annotations

import attrs
import numpy as np
from numpy.lib.stride_tricks import as_strided

from emkit_hmm.kernels.columns import Array, Booleans, Indices

#: Rows times states of a block.
BLOCK_ENTRIES = 144


@attrs.frozen(eq=False)
class Law:
    """Probabilities of a chain of segments.

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


@attrs.frozen(eq=False)
class Blocks:
    """Sequences whose rows follow each other, in blocks of rows, the last of which is filled up.

    Attributes
    ----------
    law : Law
    emission : (n_states, n_filled + n_durations)
        ``exp(log_emission - shifts)``, at most one until it is rescaled; zero after the end.
    shifts : (n_filled,)
    lengths : (n_sequences,)
    firsts : (n_sequences,)
        First row of each sequence.
    first_of : (n_filled,)
        First row of the sequence of each row.
    left : (n_filled,)
        Rows of its sequence from each row on.
    block : int
        Rows of a block.
    """

    law: Law
    emission: Array
    shifts: Array
    lengths: Indices
    firsts: Indices
    first_of: Indices
    left: Indices
    block: int
    _buffer: Array
    _cover: Array
    _links: Array

    @classmethod
    def of(cls, law: Law, lengths: Indices, log_emission: Array, longest_block: int) -> Blocks:
        """Return the blocks of rows (n_rows, n_states), none of which is longer than ``longest_block``."""
        (n_rows, n_states), n_durations = log_emission.shape, law.duration.shape[1]
        block = min(n_rows, longest_block, max(1, BLOCK_ENTRIES // n_states))
        n_filled = -(-n_rows // block) * block
        shifts = np.zeros(n_filled)
        # Rows that are impossible in every state stay so.
        np.maximum(log_emission.max(axis=1), np.finfo(np.float64).min, out=shifts[:n_rows])
        emission = np.zeros((n_states, n_filled + n_durations))
        np.exp(log_emission.T - shifts[:n_rows], out=emission[:, :n_rows])
        ends = np.cumsum(lengths)
        first_of, left = np.full(n_filled, n_rows), np.ones(n_filled, dtype=np.intp)
        first_of[:n_rows] = np.repeat(ends - lengths, lengths)
        left[:n_rows] = np.repeat(ends, lengths) - np.arange(n_rows)
        buffer = np.zeros(block * n_states * (block + n_durations) + block)
        links = np.empty((block, n_states, block, n_states))
        cover = np.zeros_like(buffer)
        return cls(law, emission, shifts, lengths, ends - lengths, first_of, left, block, buffer, cover, links)

    @property
    def n_rows(self) -> int:
        """Number of rows, without those that fill the last block up."""
        return int(self.lengths.sum())

    @property
    def starts(self) -> range:
        """First rows of the blocks."""
        return range(0, len(self.left), self.block)

    def onward(self, start: int) -> tuple[Array, Array]:
        """Return the densities of segments that begin in the block that starts at a row, and end where others begin.

        Returns
        -------
        onward : (block, n_states, block + n_durations)
            ``onward[s, j, t]`` is that of a segment of rows ``start + s``, ..., ``start + t - 1``; zero where it
            would reach the end of its sequence. It is overwritten by the next call.
        band : (block, n_states, n_durations)
            The same by duration: a view.
        """
        block, (n_states, n_durations) = self.block, self.law.duration.shape
        wide, size = block + n_durations, self._buffer.itemsize
        strides = ((n_states * wide + 1) * size, wide * size, size)
        band = as_strided(self._buffer[1:], (block, n_states, n_durations), strides)
        np.multiply.accumulate(windows(self.emission[:, start:], block, n_durations), axis=2, out=band)
        band *= self.law.duration
        left = self.left[start : start + block]
        if left.min() <= n_durations:
            band *= (np.arange(1, n_durations + 1) < left[:, None])[:, None]
        return self._buffer[: block * n_states * wide].reshape(block, n_states, wide), band

    def covered(self, segments: Array) -> Array:
        """Return the probability of each row to lie in segments that begin in a block.

        Sums of what is positive: differences of those that have begun and of those that have ended would hold nothing
        of small ones but rounding.

        Parameters
        ----------
        segments : (block, n_states, n_durations)
            Probability of each, by the row of the block where it begins, and its duration.

        Returns
        -------
        covered : (n_states, block + n_durations)
        """
        block, (n_states, n_durations) = self.block, self.law.duration.shape
        wide, size = block + n_durations, self._cover.itemsize
        strides = ((n_states * wide + 1) * size, wide * size, size)
        rows = as_strided(self._cover, (block, n_states, n_durations), strides)
        np.cumsum(segments[:, :, ::-1], axis=2, out=rows[:, :, ::-1])
        return np.asarray(self._cover[: block * n_states * wide].reshape(block, n_states, wide).sum(axis=0))

    def equations(self, onward: Array) -> Array:
        """Return the matrix of the equations of a block: one on the diagonal, minus ``onward * transmat`` below it.

        Shape (block * n_states, block * n_states), rows first; only what is below the diagonal is filled in, and
        overwritten by the next call.
        """
        inside = onward[:, :, : self.block]
        for state, into in enumerate(self.law.transmat.T):
            np.multiply(inside, -into[:, None], out=self._links[..., state])
        size = self.block * len(self.law.transmat)
        return self._links.reshape(size, size).T

    def last_segments(self) -> Array:
        """Return the densities of all rows from each one to the end of its sequence, (n_rows, n_states).

        Zero where these are more than a segment can have.
        """
        n_states, n_durations = self.law.duration.shape
        uncut, product = np.zeros((self.n_rows, n_states)), np.ones((len(self.lengths), n_states))
        ends, longer = self.firsts + self.lengths, np.arange(len(self.lengths))
        for back in range(1, min(n_durations, int(self.lengths.max())) + 1):
            longer = longer[self.lengths[longer] >= back]
            rows = ends[longer] - back
            product[longer] *= self.emission[:, rows].T
            uncut[rows] = product[longer]
        return uncut

    def any_row(self, holds: Booleans) -> Booleans:
        """Return for each sequence whether something holds in any of its rows (n_rows, n_states)."""
        return np.asarray(np.logical_or.reduceat(holds.any(axis=1), self.firsts))


def windows(table: Array, n: int, width: int) -> Array:
    """Return ``table[:, s : s + width]`` for s = 0, ..., n - 1, a view (n, len(table), width)."""
    return as_strided(table, (n, len(table), width), (table.strides[1], *table.strides), writeable=False)

"""Sequences side by side: ragged columns sorted by length, stored step by step without padding."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.intp]
Booleans = NDArray[np.bool_]

#: Entries of a piece of the lattice that one vectorised call treats: three such pieces stay in a second-level cache.
PIECE = 2**15


@attrs.frozen
class Run:
    """Consecutive steps that equally many columns reach.

    Attributes
    ----------
    first, last : int
        Steps, the last one excluded.
    width : int
        Number of columns; they are the first ones, for columns are sorted by length.
    offset : int
        Number of places before those of step ``first``.
    """

    first: int
    last: int
    width: int
    offset: int

    def view(self, flat: Array, n_states: int) -> Array:
        """Return the run's part of a flat array of all places, shape (n_steps, n_states, width)."""
        n_steps = self.last - self.first
        part = flat[n_states * self.offset : n_states * (self.offset + n_steps * self.width)]
        return part.reshape(n_steps, n_states, self.width)

    def pieces(self, n_states: int) -> Iterator[Run]:
        """Cut the run into runs of few enough steps to stay in the cache."""
        n_steps = max(1, PIECE // (n_states * self.width))
        for first in range(self.first, self.last, n_steps):
            offset = self.offset + (first - self.first) * self.width
            yield Run(first, min(first + n_steps, self.last), self.width, offset)

    @property
    def places(self) -> slice:
        """The places of the run."""
        return slice(self.offset, self.offset + (self.last - self.first) * self.width)


@attrs.frozen(eq=False)
class Columns:
    """Columns that walk through their steps together.

    A column is a sequence, or a block of a long one. Step ``t`` of all columns that are longer than ``t`` is one
    matrix (n_states, width), and these matrices follow each other in memory: there is no padding. Columns that are
    continued by another (blocks but the last of their sequence) are equally long and come first.

    Attributes
    ----------
    runs : tuple of Run
    rows : (n_places,)
        The row of the data at each place; places are ordered by step, then by column.
    lengths : (n_columns,)
        Descending.
    sequences : (n_columns,)
        Which sequence of the layout each column belongs to.
    previous : (n_columns,)
        The column that each one continues, -1 where it begins its sequence.
    order : (n_columns,)
        Columns sorted by sequence and time.
    n_continued : int
        How many columns are continued by another.
    """

    runs: tuple[Run, ...]
    rows: Indices
    lengths: Indices
    sequences: Indices
    previous: Indices
    order: Indices
    n_continued: int

    @classmethod
    def of(cls, starts: Indices, lengths: Indices, sequences: Indices, *, block: int | None = None) -> Columns:
        """Return the columns of sequences that begin at rows ``starts``, cut into blocks of ``block`` steps."""
        n_blocks = np.ones_like(lengths) if block is None else -(-lengths // block)
        sequence = np.repeat(np.arange(len(lengths)), n_blocks)
        number = np.arange(len(sequence)) - np.repeat(np.cumsum(n_blocks) - n_blocks, n_blocks)
        skipped = number * (block or 0)
        length = lengths[sequence] - skipped
        if block is not None:
            length = np.minimum(length, block)
        continued = number < n_blocks[sequence] - 1
        by_length = np.lexsort((~continued, -length))
        place_of = np.empty(len(sequence), dtype=np.intp)
        place_of[by_length] = np.arange(len(sequence))
        previous = np.full(len(sequence), -1)
        previous[place_of[number > 0]] = place_of[np.flatnonzero(number > 0) - 1]
        first_rows = (starts[sequence] + skipped)[by_length]
        length = length[by_length]
        runs = tuple(_runs(length))
        rows = [(np.arange(run.first, run.last)[:, None] + first_rows[: run.width]).ravel() for run in runs]
        return cls(
            runs,
            np.concatenate(rows) if rows else np.zeros(0, dtype=np.intp),
            length,
            sequences[sequence[by_length]],
            previous,
            place_of,
            int(continued.sum()),
        )

    @property
    def n_columns(self) -> int:
        """Number of columns."""
        return len(self.lengths)

    def steps(self, flat: Array, n_states: int) -> list[Array]:
        """Return the matrices (n_states, width) of all steps, views of a flat array."""
        return [step for run in self.runs for step in run.view(flat, n_states)]

    def by_step(self, places: Indices) -> list[Indices]:
        """Return what an array (n_places,) holds of the columns at each step, views (width,)."""
        return [step for run in self.runs for step in places[run.places].reshape(-1, run.width)]

    def pieces(self, n_states: int) -> Iterator[Run]:
        """Yield runs short enough for the cache, in order of time."""
        for run in self.runs:
            yield from run.pieces(n_states)


def _runs(lengths: Indices) -> Iterator[Run]:
    """Yield the runs of columns of given lengths, descending."""
    ends = np.unique(lengths)
    widths = np.searchsorted(-lengths, -ends, side="right")
    first = offset = 0
    for last, width in zip(ends.tolist(), widths.tolist(), strict=True):
        yield Run(first, last, width, offset)
        offset += (last - first) * width
        first = last

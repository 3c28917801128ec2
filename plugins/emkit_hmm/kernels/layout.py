"""How the rows of many sequences are arranged for the kernels; made once for the data."""

from __future__ import annotations

import math

import attrs
import numpy as np
from numpy.typing import ArrayLike

from emkit_hmm.kernels.columns import Columns, Indices
from emkit_hmm.kernels.scratch import Scratch

#: Blocks are never shorter: their ends must be guessed from this many steps or fewer.
SHORTEST_BLOCK = 64
#: Sequences are cut when the longest is this many times longer than a block.
WORTH_CUTTING = 3
#: Entries of the widest step of a group of columns: two such matrices stay in a second-level cache.
WIDEST_STEP = 2**15


@attrs.frozen(eq=False)
class Layout:
    """Ragged sequences, their rows one after another, arranged in groups of columns.

    With many sequences every sequence is a column and groups are small enough for the cache; few long ones are cut
    into blocks, which are the columns of one group.

    Attributes
    ----------
    lengths : (n_sequences,)
    starts : (n_sequences,)
        First row of each sequence.
    n_states : int
    groups : tuple of Columns
    scratch : Scratch
        Memory of the kernels.
    """

    lengths: Indices
    starts: Indices
    n_states: int
    groups: tuple[Columns, ...]
    scratch: Scratch = attrs.field(factory=Scratch, repr=False)

    @classmethod
    def of(cls, lengths: ArrayLike, n_states: int, *, block: int | None = None) -> Layout:
        """Arrange sequences of given lengths.

        Parameters
        ----------
        lengths : array-like of shape (n_sequences,)
            At least 1 each; their sum is the number of rows.
        n_states : int
        block : int, optional
            Cut longer sequences into blocks of this many steps; by default the shapes decide.

        Raises
        ------
        ValueError
            If a sequence is empty.
        """
        lengths = np.asarray(lengths, dtype=np.intp)
        if lengths.ndim != 1 or lengths.size == 0 or lengths.min() < 1:
            found = np.array2string(lengths, threshold=10)
            msg = f"Expected the lengths of sequences, each at least 1; found {found}. Leave empty sequences out."
            raise ValueError(msg)
        starts = np.cumsum(lengths) - lengths
        groups = tuple(_groups(starts, lengths, n_states, block or _block(lengths, n_states)))
        return cls(lengths, starts, n_states, groups)

    @property
    def n_rows(self) -> int:
        """Number of rows of all sequences."""
        return int(self.lengths.sum())

    @property
    def n_sequences(self) -> int:
        """Number of sequences."""
        return len(self.lengths)

    @property
    def last_rows(self) -> Indices:
        """Last row of each sequence."""
        return self.starts + self.lengths - 1

    def whole(self, sequences: Indices) -> Columns:
        """Return some sequences as uncut columns; ``sequences`` of the columns are their indices here."""
        return Columns.of(self.starts[sequences], self.lengths[sequences], sequences)


def _block(lengths: Indices, n_states: int) -> int | None:
    """Return the number of steps of a block, or None where sequences are short or many enough as they are.

    A step costs numpy calls and work in proportion to its width, so that both the number of steps and the width
    grow with the square root of the data; more states are more work, so fewer columns do.
    """
    block = max(SHORTEST_BLOCK, math.ceil(math.sqrt(lengths.sum() * n_states / 8)))
    return block if lengths.max() >= WORTH_CUTTING * block else None


def _groups(starts: Indices, lengths: Indices, n_states: int, block: int | None) -> list[Columns]:
    if block is not None:
        return [Columns.of(starts, lengths, np.arange(len(lengths)), block=block)]
    by_length = np.argsort(-lengths, kind="stable")
    width = max(1, WIDEST_STEP // n_states)
    parts = [by_length[first : first + width] for first in range(0, len(by_length), width)]
    return [Columns.of(starts[part], lengths[part], part) for part in parts]

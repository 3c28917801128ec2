"""Rows grouped by which of their cells are seen: the patterns of missing data."""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import NDArray

Booleans = NDArray[np.bool_]
Indices = NDArray[np.intp]


@attrs.frozen(eq=False)
class Patterns:
    """The distinct patterns of a table, those with few gaps first.

    Attributes
    ----------
    order : (n_samples,)
        Rows of the table, pattern after pattern; within a pattern they keep their order.
    starts : (n_patterns + 1,)
        Rows ``order[starts[k]:starts[k + 1]]`` have pattern ``k``.
    observed : (n_patterns, n_features)
        True where rows of the pattern are seen.
    """

    order: Indices
    starts: Indices
    observed: Booleans

    @property
    def n_rows(self) -> Indices:
        """Number of rows of each pattern."""
        return np.diff(self.starts)


def patterns_of(observed: Booleans) -> Patterns:
    """Return the patterns of a table from which of its cells are seen, (n_samples, n_features).

    The key of a pattern is its bits, all of them: a sum of numbers that stand for columns is shorter, but different
    patterns collide in it once there are more columns than the sum has digits.
    """
    n_samples = len(observed)
    if n_samples == 0:
        return Patterns(np.empty(0, np.intp), np.zeros(1, np.intp), observed)
    keys = _keys(observed)
    order = np.lexsort(keys)
    changes = np.zeros(n_samples - 1, dtype=bool)
    for key in keys:
        in_order = key[order]
        changes |= in_order[1:] != in_order[:-1]
    starts = np.concatenate([[0], np.flatnonzero(changes) + 1, [n_samples]])
    return Patterns(order, starts, observed[order[starts[:-1]]])


def _keys(observed: Booleans) -> list[NDArray[np.unsignedinteger]]:
    """Return what to sort by, the most important last: the bits in words of 64, then the number of gaps."""
    packed = np.packbits(observed, axis=1)
    n_words = -(-packed.shape[1] // 8)
    padded = np.zeros((len(observed), 8 * n_words), dtype=np.uint8)
    padded[:, : packed.shape[1]] = packed
    words = padded.view(np.uint64)
    n_gaps = observed.shape[1] - np.count_nonzero(observed, axis=1)
    return [*words.T, n_gaps.astype(np.uint32)]

"""Rows of like patterns, side by side, so that one pass of numpy treats all of them."""

from __future__ import annotations

import math
from collections.abc import Iterator

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit_mvn.kernels.patterns import Booleans, Indices, Patterns

Array = NDArray[np.float64]

#: A pattern with this many times more rows than columns is replaced by its mean and the root of its scatter.
WORTH_COMPRESSING = 4
#: Largest number of rows, and of entries of the small matrices, of a block: both stay in the cache.
MOST_ROWS = 2048
MOST_ENTRIES = 2**16


@attrs.frozen(eq=False)
class Block:
    """Rows whose patterns have equally many cells to solve for.

    A row ``x`` of weight ``w`` stands here as ``sqrt(w) x`` with the multiplier ``sqrt(w)``, so that its residual is
    ``row - multiplier * mean`` and products of residuals are weighted already. Rows of one pattern with mean ``m`` and
    scatter ``R'R`` about it may be replaced by ``sqrt(w) m`` with the multiplier ``sqrt(w)`` (``w`` their total
    weight) and the rows of ``R`` with the multiplier zero: all sums of products stay what they are.

    Attributes
    ----------
    rows : (n_rows, n_features)
        Zero in the gaps.
    multipliers : (n_rows,)
    pattern : (n_rows,)
        Which pattern of the block a row has.
    cells : (n_cells, n_patterns)
        The columns to solve for: the gaps of the pattern, or the seen ones where these are fewer.
    solves_gaps : bool
        Which of the two.
    weights : (n_patterns,)
        Total weight of the rows of each pattern.
    """

    rows: Array
    multipliers: Array
    pattern: Indices
    cells: Indices
    solves_gaps: bool
    weights: Array

    @property
    def observed(self) -> Booleans:
        """Which cells of each pattern are seen, shape (n_patterns, n_features)."""
        n_cells, n_patterns = self.cells.shape
        observed = np.full((n_patterns, self.rows.shape[1]), self.solves_gaps)
        observed[np.repeat(np.arange(n_patterns), n_cells), self.cells.T.ravel()] = not self.solves_gaps
        return observed

    @property
    def gaps(self) -> Indices:
        """Columns that each pattern lacks, shape (n_gaps, n_patterns)."""
        return self.cells if self.solves_gaps else _positions(~self.observed)

    @property
    def places(self) -> Indices:
        """Indices of the cells of every row in the flattened rows, shape (n_cells, n_rows)."""
        n_rows, n_features = self.rows.shape
        places: Indices = self.cells[:, self.pattern] + n_features * np.arange(n_rows)
        return places

    @property
    def pairs(self) -> Indices:
        """Indices of all pairs of cells of every pattern in a flattened matrix (n_features, n_features)."""
        pairs: Indices = self.cells[:, None] * self.rows.shape[1] + self.cells
        return pairs


def blocks_of(x: Array, weights: Array | None, patterns: Patterns, *, compress: bool = True) -> Iterator[Block]:
    """Yield the blocks of a table; ``x`` has zeros in its gaps.

    With ``compress=False`` the rows are those of the table, in the order of ``patterns``.
    """
    multipliers, n_rows = _multipliers(weights, patterns.order), patterns.n_rows
    totals = np.add.reduceat(multipliers**2, patterns.starts[:-1])
    if compress:
        rows, multipliers, n_rows = _compressed(x, multipliers, patterns)
    else:
        rows = x[patterns.order] * multipliers[:, None]
    starts = np.concatenate([[0], np.cumsum(n_rows)])
    for first, last in _cuts(patterns.observed, n_rows):
        inside = slice(starts[first], starts[last])
        observed = patterns.observed[first:last]
        n_gaps = np.count_nonzero(~observed[0])
        solves_gaps = 2 * n_gaps <= observed.shape[1]
        yield Block(
            rows[inside],
            multipliers[inside],
            np.repeat(np.arange(last - first), n_rows[first:last]),
            _positions(~observed if solves_gaps else observed),
            solves_gaps,
            totals[first:last],
        )


def _multipliers(weights: Array | None, order: Indices) -> Array:
    return np.ones(len(order)) if weights is None else np.sqrt(weights[order])


def _positions(flags: Booleans) -> Indices:
    """Return where each row of flags, all with equally many, is True: shape (n_true, n_rows)."""
    return np.ascontiguousarray(np.nonzero(flags)[1].reshape(len(flags), -1).T)


def _cuts(observed: Booleans, n_rows: Indices) -> Iterator[tuple[int, int]]:
    """Yield ranges of patterns with equally many gaps, of a size that stays in the cache."""
    n_features = observed.shape[1]
    n_gaps = np.count_nonzero(~observed, axis=1)
    first = 0
    while first < len(observed):
        n_cells = min(n_gaps[first], n_features - n_gaps[first])
        most = max(1, min(MOST_ROWS, MOST_ENTRIES // max(n_cells, 1) ** 2))
        after = np.searchsorted(n_gaps, n_gaps[first], side="right")
        within = np.searchsorted(np.cumsum(n_rows[first:after]), most, side="right")
        last = min(first + max(int(within), 1), int(after))
        yield first, last
        first = last


def _compressed(x: Array, multipliers: Array, patterns: Patterns) -> tuple[Array, Array, Indices]:
    """Return rows, multipliers and number of rows per pattern after patterns with many rows are replaced."""
    n_seen = np.count_nonzero(patterns.observed, axis=1)
    worth = patterns.n_rows > WORTH_COMPRESSING * (n_seen + 1)
    n_rows = np.where(worth, n_seen + 1, patterns.n_rows)
    starts = np.concatenate([[0], np.cumsum(n_rows)])
    kept, left = np.flatnonzero(np.repeat(~worth, n_rows)), np.repeat(~worth, patterns.n_rows)
    short, short_multipliers = np.zeros((starts[-1], x.shape[1])), np.zeros(starts[-1])
    short_multipliers[kept] = multipliers[left]
    sources = patterns.order[left]
    for start in range(0, len(kept), MOST_ROWS):
        # In parts, for there are two copies of the table already.
        part = slice(start, start + MOST_ROWS)
        short[kept[part]] = x[sources[part]] * short_multipliers[kept[part], None]
    for k in np.flatnonzero(worth):
        inside, observed = slice(patterns.starts[k], patterns.starts[k + 1]), patterns.observed[k]
        own = multipliers[inside]
        mean, root, size = _mean_and_root(x[patterns.order[inside]][:, observed] * own[:, None], own)
        short_multipliers[starts[k]] = size
        short[starts[k], observed] = size * mean
        short[starts[k] + 1 : starts[k + 1], observed] = root
    return short, short_multipliers, n_rows


def _mean_and_root(x: Array, multipliers: Array) -> tuple[Array, Array, float]:
    """Return the mean of rows, a square root of their scatter about it, and the root of their total weight."""
    total = float(multipliers @ multipliers)
    mean = multipliers @ x / total
    centred = x - multipliers[:, None] * mean
    scatter = centred.T @ centred
    try:
        root: Array = np.asarray(np.linalg.cholesky(scatter).T, dtype=np.float64)
    except np.linalg.LinAlgError:
        # Some column is a combination of others.
        eigenvalues, vectors = np.linalg.eigh(scatter)
        root = np.sqrt(np.maximum(eigenvalues, 0.0))[:, None] * vectors.T
    return mean, root, math.sqrt(total)

"""Rows with missing cells: which of them miss the same, and in which units they come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit.arrays import as_matrix, as_sample_weight, column_scales
from emkit_factor.noise import Noise

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

#: Numbers in a block of rows: it stays in the cache, and no copy of the data is ever made.
BLOCK = 2**17
#: A column whose values differ by no more than this many units in the last place is constant.
CONSTANT_ULPS = 4
#: How many columns a message names.
NAMED = 5


def _checked(x: Any) -> Array:
    return as_matrix(x, allow_nan=True)


@attrs.frozen(eq=False)
class PartialRows:
    """Data of a factor model: rows, NaN where a cell is missing, and how often each row counts.

    Attributes
    ----------
    x : (n_samples, n_features)
    weights : (n_samples,), optional
    order : (n_informative,)
        The rows of positive weight in which anything is observed, those that miss the same cells side by side.
    firsts : (n_patterns,)
        Where in ``order`` a new pattern of missing cells begins.
    is_complete : bool
        Whether every row is informative and has all its cells; ``order`` is then the order of the data.
    """

    x: Array = attrs.field(converter=_checked)
    weights: Any = None
    order: Indices = attrs.field(init=False)
    firsts: Indices = attrs.field(init=False)
    is_complete: bool = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        # Of a part of the data all weights may be zero; `initialize` sees all of the data and checks their total.
        weights = as_sample_weight(self.weights, len(self.x), check_total=False)
        order, firsts = _grouped(np.isnan(self.x), weights)
        # The numbers of the complete pattern come first, so a single pattern is complete if its first row is.
        is_complete = len(order) == len(self.x) and len(firsts) == 1 and not np.isnan(self.x[order[0]]).any()
        for name, value in (("weights", weights), ("order", order), ("firsts", firsts), ("is_complete", is_complete)):
            object.__setattr__(self, name, value)

    def blocks(self, width: int) -> Iterator[tuple[Any, Indices]]:
        """Yield the informative rows in blocks of about :data:`BLOCK` numbers, ``width`` to a row.

        Yields
        ------
        rows : slice or (n_block,)
            Which rows.
        firsts : (n_patterns_of_block,)
            Where among them a new pattern begins.
        """
        size = max(1, BLOCK // width)
        for start in range(0, len(self.order), size):
            stop = min(start + size, len(self.order))
            rows = slice(start, stop) if self.is_complete else self.order[start:stop]
            inside = self.firsts[(self.firsts > start) & (self.firsts < stop)]
            yield rows, np.concatenate([[0], inside - start]).astype(np.intp)

    def weights_of(self, rows: Any, number: int) -> Array:
        """Return the weights of a block of so many rows."""
        return np.ones(number) if self.weights is None else self.weights[rows]


def _grouped(missing: NDArray[np.bool_], weights: Array | None) -> tuple[Indices, Indices]:
    """Return the informative rows grouped by pattern, and where each pattern begins."""
    informative = ~missing.all(axis=1) if weights is None else ~missing.all(axis=1) & (weights > 0)
    rows = np.flatnonzero(informative)
    if len(rows) == 0:
        return rows, np.zeros(0, dtype=np.intp)
    if not missing.any():
        return rows, np.zeros(1, dtype=np.intp)
    # One string of bits for each row: exact, however many columns there are.
    bits = np.packbits(missing, axis=1)[rows]
    keys = np.ascontiguousarray(bits).view(np.dtype((np.void, bits.shape[1]))).ravel()
    _, pattern = np.unique(keys, return_inverse=True)
    by_pattern = np.argsort(pattern, kind="stable")
    firsts = np.flatnonzero(np.diff(pattern[by_pattern], prepend=-1))
    return rows[by_pattern], firsts


def require_seen(x: Array, weights: Array | None, names: Sequence[str] | None = None) -> None:
    """Raise ValueError, naming the columns, if some column has no value in any row that counts."""
    counted = x if weights is None or weights.all() else x[weights > 0]
    unseen = np.flatnonzero(np.isnan(counted).all(axis=0))
    if unseen.size:
        named = ", ".join(str(j) if names is None else f"{j} ({names[j]!r})" for j in unseen[:NAMED])
        more = f" and {unseen.size - NAMED} more" if unseen.size > NAMED else ""
        which, what = (f"Column {named} has", "it") if unseen.size == 1 else (f"Columns {named}{more} have", "them")
        msg = (
            f"{which} no observed value in any row of positive weight, so nothing can be learnt about {what}: leave "
            f"{what} out."
        )
        raise ValueError(msg)


def location_and_scale(rows: PartialRows, noise: Noise) -> tuple[Array, Array]:
    """Return mean and standard deviation of the observed cells of each column, weighted.

    A constant column has its size as scale, or one. Columns are taken in blocks: a copy of the data may be more than
    there is memory for.
    """
    counted = slice(None) if len(rows.order) == len(rows.x) else np.sort(rows.order)
    weights = None if rows.weights is None else rows.weights[counted] / rows.weights.max()
    n_features = rows.x.shape[1]
    size = max(1, BLOCK // max(len(rows.order), 1))
    parts = [
        _mean_and_deviation(rows.x[counted, start : start + size], weights) for start in range(0, n_features, size)
    ]
    location, deviation, magnitude = (np.concatenate(column) for column in zip(*parts, strict=True))
    scale = noise.scale_of(deviation)
    # What is constant is known exactly here, so only the sizes of those columns are of interest.
    sizes = np.where(scale > 0, 0.0, noise.scale_of(magnitude))
    return location, column_scales(scale, sizes)


def _mean_and_deviation(x: Array, weights: Array | None) -> tuple[Array, Array, Array]:
    """Return mean, standard deviation and largest size of each column, NaN left out."""
    # From the middle of the range and in units of half of it, no square leaves the range of floats and data far from
    # zero lose nothing. Halved first: the difference of the ends may be too large for a float.
    low, high = np.fmin.reduce(x, axis=0) / 2, np.fmax.reduce(x, axis=0) / 2
    middle, reach = low + high, high - low
    magnitude = np.maximum(np.abs(low), np.abs(high)) * 2
    constant = reach <= CONSTANT_ULPS / 2 * np.spacing(magnitude)
    reach = np.where(constant, 1.0, reach)
    standard = (x - middle) / reach
    observed = ~np.isnan(standard)
    standard[~observed] = 0.0
    row_weights = np.ones(len(x)) if weights is None else weights
    counts = row_weights @ observed
    mean = row_weights @ standard / counts
    standard -= mean
    standard[~observed] = 0.0
    deviation = np.sqrt(row_weights @ standard**2 / counts)
    return np.where(constant, middle, middle + reach * mean), np.where(constant, 0.0, reach * deviation), magnitude

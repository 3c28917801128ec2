"""Rows with gaps as the E-step of a t distribution wants them: each of them, in units that outliers do not set."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from emkit.arrays import as_matrix, as_sample_weight
from emkit_mvn.kernels.blocks import blocks_of
from emkit_mvn.kernels.patterns import patterns_of
from emkit_mvn.kernels.rows import IncompleteRows, Units, pair_weights

Array = NDArray[np.float64]

#: Half of a normal sample lies within this many deviations of its middle.
QUARTILE = 0.6744897501960817
#: A spread of no more than this many units in the last place of the median is rounding.
CONSTANT_ULPS = 4
#: A cell so many spreads from the middle of its column has a square beyond the range of floats, or nearly.
FARTHEST = 1e140


def every_row(x: Any, weights: Any = None) -> IncompleteRows:
    """Return a table and, optionally, how often each of its rows counts, in prepared form.

    Rows of one pattern are not replaced by their moments: they differ in their latent weight.
    """
    matrix = as_matrix(x, allow_nan=True)
    shares = as_sample_weight(weights, len(matrix), check_total=False)
    observed = ~np.isnan(matrix)
    informative = observed.any(axis=1)
    if shares is not None:
        informative &= shares > 0
    kept = slice(None) if informative.all() else np.flatnonzero(informative)
    counted, sizes = observed[kept], None if shares is None else shares[kept]
    standard, units = _standardised(matrix[kept], counted, sizes)
    blocks = tuple(blocks_of(standard, sizes, patterns_of(counted), compress=False))
    total = float(len(counted) if sizes is None else sizes.sum())
    return IncompleteRows(matrix, shares, units, blocks, total, pair_weights(blocks, matrix.shape[1]))


def middle_and_spread(column: Array, shares: Array | None) -> tuple[float, float]:
    """Return the median of numbers, and the median of the distances from it in units of a normal deviation."""
    if len(column) == 0:
        return 0.0, 0.0
    middle = _median(column, shares)
    with np.errstate(over="ignore"):
        return middle, _median(np.abs(column - middle), shares) / QUARTILE


def _median(values: Array, shares: Array | None) -> float:
    """Return the middle value, each counted with its share."""
    if shares is None or (shares == shares[0]).all():
        # Halves first: the sum of the two middle values may overflow.
        return 2 * float(np.median(values / 2))
    order = np.argsort(values, kind="stable")
    below = np.cumsum(shares[order])
    low = np.searchsorted(below, below[-1] / 2, side="left")
    high = np.searchsorted(below, below[-1] / 2, side="right")
    ends = values[order][[low, min(high, len(values) - 1)]]
    return float(ends[0] / 2 + ends[1] / 2)


def _standardised(x: Array, observed: NDArray[np.bool_], shares: Array | None) -> tuple[Array, Units]:
    """Return the rows in units of their own, with zeros in the gaps, and those units."""
    size = np.abs(np.where(observed, x, 0.0)).max(axis=0, initial=0.0)
    middles, spreads = [], []
    for column, seen in zip(x.T, observed.T, strict=True):
        pair = middle_and_spread(column[seen], None if shares is None else shares[seen])
        middles.append(pair[0])
        spreads.append(pair[1])
    location, spread = np.array(middles), np.array(spreads)
    # Where most cells are equal, the size of the largest residual: any unit will do in which nothing overflows.
    with np.errstate(over="ignore"):
        residuals = np.where(observed, x - location, 0.0)
    farthest = np.abs(residuals).max(axis=0, initial=0.0)
    spread = np.where(spread > CONSTANT_ULPS * np.spacing(np.abs(location)), spread, farthest)
    scale = np.exp2(np.round(np.log2(np.where(spread > 0, spread, 1.0))))
    _refuse_beyond(farthest / scale)
    residuals /= scale
    largest = np.where(farthest > 0, farthest / scale, 1.0)
    weights = np.ones(len(x)) if shares is None else shares
    counts = np.maximum(weights @ observed, 1e-300)
    deviation = largest * np.sqrt(weights @ (residuals / largest) ** 2 / counts)
    return residuals, Units(location, scale, deviation * scale, size)


def _refuse_beyond(distance: Array) -> None:
    for column in np.flatnonzero(~(distance < FARTHEST))[:1]:
        msg = (
            f"Column {column} has a cell {distance[column]:.3g} times farther from its median than most cells are: "
            "the square of that leaves the range of floats. Make it NaN, a missing cell, or give the column in other "
            "units."
        )
        raise ValueError(msg)

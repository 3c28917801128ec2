"""Rows with gaps as the E-step wants them: standardised, grouped by pattern, and no more of them than needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit.arrays import as_matrix, as_sample_weight
from emkit_mvn.kernels.blocks import Block, blocks_of
from emkit_mvn.kernels.patterns import patterns_of

Array = NDArray[np.float64]


@attrs.frozen(eq=False)
class Units:
    """Where a table lies and how far it spreads: ``standardised = (x - location) / scale``.

    Attributes
    ----------
    location : (n_features,)
        Near the middle of the seen cells of each column.
    scale : (n_features,)
        Powers of two near the deviations, so that dividing rounds nothing.
    deviation, size : (n_features,)
        Standard deviation and largest absolute value of the seen cells.
    """

    location: Array
    scale: Array
    deviation: Array
    size: Array


@attrs.frozen(eq=False)
class IncompleteRows:
    """Prepared data of a normal model.

    Attributes
    ----------
    x : (n_samples, n_features)
        As given, NaN where a cell is missing.
    weights : (n_samples,) or None
    units : Units
        Of this part of the data.
    blocks : tuple of Block
        Rows in those units. Rows of weight zero and rows without a single cell are left out: they say nothing.
    total_weight : float
        Of the rows in the blocks.
    pair_weights : (n_features, n_features)
        Total weight of the rows in which two columns are both seen; of one column, on the diagonal.
    """

    x: Array
    weights: Array | None
    units: Units
    blocks: tuple[Block, ...]
    total_weight: float
    pair_weights: Array


def incomplete_rows(x: Any, weights: Any = None) -> IncompleteRows:
    """Return a table and, optionally, how often each of its rows counts, in prepared form."""
    matrix = as_matrix(x, allow_nan=True)
    # Of a part of the data all weights may be zero; whoever sees all of the data checks their total.
    shares = as_sample_weight(weights, len(matrix), check_total=False)
    observed = ~np.isnan(matrix)
    informative = observed.any(axis=1)
    if shares is not None:
        informative &= shares > 0
    kept = slice(None) if informative.all() else np.flatnonzero(informative)
    counted = observed[kept]
    sizes = None if shares is None else shares[kept]
    standard, units = _standardised(matrix[kept], counted, sizes)
    patterns = patterns_of(counted)
    blocks = tuple(blocks_of(standard, sizes, patterns))
    total = float(len(counted) if sizes is None else sizes.sum())
    return IncompleteRows(matrix, shares, units, blocks, total, pair_weights(blocks, matrix.shape[1]))


def pair_weights(blocks: Sequence[Block], n_features: int) -> Array:
    """Return the total weight of the rows in which two columns are both seen, (n_features, n_features)."""
    total = np.zeros((n_features, n_features))
    for block in blocks:
        observed = block.observed.astype(np.float64)
        total += observed.T @ (observed * block.weights[:, None])
    return total


def _standardised(x: Array, observed: NDArray[np.bool_], weights: Array | None) -> tuple[Array, Units]:
    """Return the rows in units of their own, with zeros in the gaps, and those units."""
    z = np.where(observed, x, 0.0)
    size = np.abs(z).max(axis=0, initial=0.0)
    # Squares of numbers of 1e200 leave the range of floats.
    unit = _power_of_two(size)
    z /= unit
    shares = np.ones(len(z)) if weights is None else weights
    counts = shares @ observed
    counts[counts == 0] = 1.0
    location = np.zeros_like(size)
    # Twice, because the sum of a long column has lost some digits: a constant column would seem to vary.
    for _ in range(2):
        mean = (shares @ z) / counts
        z -= mean
        z *= observed
        location += mean
    deviation = np.sqrt(np.einsum("n,nd,nd->d", shares, z, z) / counts)
    spread = _power_of_two(deviation)
    z /= spread
    return z, Units(location * unit, spread * unit, deviation * unit, size)


def _power_of_two(size: Array) -> Array:
    """Return a power of two near each size, one for zero."""
    return np.where(size > 0, np.exp2(np.round(np.log2(np.where(size > 0, size, 1.0)))), 1.0)

"""Where the fit of a multivariate t distribution starts: at medians, so that no outlier has a say."""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit.arrays import column_scales
from emkit.families import raise_eigenvalues
from emkit_mvn.kernels.rows import IncompleteRows
from emkit_mvn.student.params import StudentParams
from emkit_mvn.student.rows import CONSTANT_ULPS, middle_and_spread

Array = NDArray[np.float64]

#: Smallest eigenvalue of a starting correlation matrix.
START_FLOOR = 0.05
#: Residuals are cut at this many deviations before products of them are averaged.
CUT = 2.0
#: Starts other than the first have tails no lighter than this.
HEAVY = 0.5


def robust_params(rows: IncompleteRows, tail: float) -> StudentParams:
    """Return medians, scales of the middle half of every column, and correlations of residuals cut at two of them."""
    weights = np.ones(len(rows.x)) if rows.weights is None else rows.weights
    counted = weights > 0
    x, weights = rows.x[counted], weights[counted]
    seen = ~np.isnan(x)
    pairs = [middle_and_spread(column[s], weights[s]) for column, s in zip(x.T, seen.T, strict=True)]
    location, spread = np.array(pairs).T
    scale = _scale(rows, location, spread)
    standard = np.where(seen, np.clip((x - location) / scale, -CUT, CUT), 0.0)
    products, counts = (standard * weights[:, None]).T @ standard, rows.pair_weights
    covariance = np.divide(products, counts, out=np.zeros_like(counts), where=counts > 0)
    scatter = raise_eigenvalues(covariance, START_FLOOR) * np.outer(scale, scale)
    return StudentParams(location, scatter, tail, scale, counts / rows.total_weight)


def random_start(
    params: StudentParams, rows: IncompleteRows, estimates_tail: bool, rng: np.random.Generator
) -> StudentParams:
    """Return params that lie at a row drawn from the data, of those that count and have a cell."""
    counts = ~np.isnan(rows.x).all(axis=1)
    if rows.weights is not None:
        counts &= rows.weights > 0
    row = rows.x[rng.choice(np.flatnonzero(counts))]
    location = np.where(np.isnan(row), params.location, row)
    tail = max(float(params.tail), HEAVY) if estimates_tail else params.tail
    return attrs.evolve(params, location=location, tail=tail)


def _scale(rows: IncompleteRows, location: Array, spread: Array) -> Array:
    """Return the spread of each column; where most cells are equal its standard deviation, or its size."""
    # What rounding leaves of a spread is relative to the middle: the largest cell may be an outlier.
    size = np.abs(location)
    is_usual = spread > CONSTANT_ULPS * np.spacing(size)
    return column_scales(np.where(is_usual, spread, rows.units.deviation), size)

"""The E-step of a t distribution with gaps: rows weighted by how near they lie."""

from __future__ import annotations

from collections.abc import Iterable

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from emkit_mvn.kernels.blocks import Block
from emkit_mvn.kernels.moments import Normal, conditional_covariance, filled_residuals, solved
from emkit_mvn.student.params import TailStatistics
from emkit_mvn.student.tail import TailDensity

Array = NDArray[np.float64]

#: Tails that a fit which stands at the normal looks at, to see whether one of them is likelier.
CANDIDATES = tuple(4.0**-k for k in range(1, 7))


@attrs.frozen(eq=False)
class WeightedExpectations:
    """Expected residuals of rows, ``r = E[x | seen cells] - location``, weighted by ``u``.

    Attributes
    ----------
    weight : float
        Sum of ``u``.
    first : (n_features,)
        Sum of ``u r``.
    second : (n_features, n_features)
        Sum of ``u r r' + C``.
    log_determinant : float
        Sum of ``log det`` of the scatter of the seen cells.
    tail : TailStatistics
    """

    weight: float
    first: Array
    second: Array
    log_determinant: float
    tail: TailStatistics


def weighted_expectations(blocks: Iterable[Block], normal: Normal, tail: float) -> WeightedExpectations:
    """Return the expected residual moments of all rows; the rows of the blocks are those of the data.

    A row with ``o`` seen cells at the squared distance ``d`` has the weight ``u = (df + o) / (df + d)``.
    """
    size = len(normal.mean)
    first, second, log_determinant = np.zeros(size), np.zeros((size, size)), 0.0
    sums, others = np.zeros(9), np.zeros(len(CANDIDATES))
    for block in blocks:
        inverse, log_determinants = solved(block, normal)
        residuals = filled_residuals(block, normal, inverse)
        shares, n_seen = block.multipliers**2, seen_cells(block)
        distances = squared_distances(residuals, normal) / shares
        density = TailDensity(tail, n_seen)
        u = density.weights(distances)
        weighted = u[:, None] * residuals
        first += block.multipliers @ weighted
        second += weighted.T @ residuals + conditional_covariance(block, normal, inverse)
        log_determinant += float(block.weights @ log_determinants)
        sums += _tail_sums(density, shares, distances, u)
        if tail == 0:
            others += _candidate_sums(n_seen, shares, distances)
    weight, log_weight, score, kernel, *rest = map(float, sums)
    found = TailStatistics(log_weight, score, kernel, others, *rest)
    return WeightedExpectations(weight, first, second, log_determinant, found)


def seen_cells(block: Block) -> int:
    """Return how many cells each row of a block has: the same for all of them."""
    n_cells = len(block.cells)
    return block.rows.shape[1] - n_cells if block.solves_gaps else n_cells


def squared_distances(residuals: Array, normal: Normal) -> Array:
    """Return the squared Mahalanobis distance of every row; filled gaps add nothing to that of the seen cells."""
    whitened = solve_triangular(normal.factor, residuals.T, lower=True, check_finite=False)
    distances: Array = np.einsum("dn,dn->n", whitened, whitened)
    return distances


def _tail_sums(density: TailDensity, shares: Array, distances: Array, u: Array) -> Array:
    """Return the sum of weights and the fields of TailStatistics but for ``kernels``, shape (9,)."""
    n_seen, count = density.n_seen, float(shares.sum())
    weight, distance = float(shares @ u), float(shares @ distances)
    growth = float(shares @ density.growth(distances))
    # The square of a row 1e80 deviations away is infinite, and compares as it should.
    with np.errstate(over="ignore"):
        squares = float(shares @ distances**2)
    return np.array(
        [
            weight,
            density.log_weights(count, growth),
            density.scores(count, growth, float(shares @ density.excess(distances)), distance, squares),
            density.kernel(count, growth, distance),
            n_seen * count,
            distance,
            squares,
            n_seen * distance,
            n_seen * (n_seen - 2) * count,
        ]
    )


def _candidate_sums(n_seen: int, shares: Array, distances: Array) -> Array:
    """Return the sums of the kernel for the tails that are candidates."""
    densities = [TailDensity(tail, n_seen) for tail in CANDIDATES]
    count, distance = float(shares.sum()), float(shares @ distances)
    return np.array([each.kernel(count, float(shares @ each.growth(distances)), distance) for each in densities])

"""The E-step of a normal model with gaps: expected moments of the rows, and the log-likelihood of what is seen."""

from __future__ import annotations

from collections.abc import Iterable

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from emkit.errors import DegenerateError
from emkit_mvn.kernels.blocks import Block
from emkit_mvn.kernels.inversion import inverses

Array = NDArray[np.float64]

#: How far a computed log-likelihood may be off, in multiples of what rounding the params does to it.
ROUNDING_MARGIN = 4.0


@attrs.frozen(eq=False)
class Normal:
    """A normal distribution, with what every block needs of it."""

    mean: Array
    covariance: Array
    factor: Array
    precision: Array
    log_determinant: float

    @classmethod
    def of(cls, mean: Array, covariance: Array) -> Normal:
        """Return the distribution of a mean (n_features,) and a covariance (n_features, n_features)."""
        if not np.isfinite(covariance).all():
            msg = (
                "The covariance in units of the data leaves the range of floats: columns that differ so much in size "
                "need other units, or a covariance that does not compare them."
            )
            raise DegenerateError(msg)
        factor, failure = lapack.dpotrf(covariance, lower=1)
        if failure or not np.isfinite(factor).all():
            msg = "The covariance is not positive definite and finite to working precision: give a larger floor."
            raise DegenerateError(msg)
        # LAPACK leaves zeros above the diagonal of both.
        inverse, _ = lapack.dpotri(factor, lower=1)
        precision = inverse + inverse.T
        precision[np.diag_indices(len(precision))] /= 2
        return cls(mean, covariance, factor, precision, 2.0 * float(np.log(np.diag(factor)).sum()))


@attrs.frozen(eq=False)
class Expectations:
    """Expected residuals of rows, ``r = E[x | seen cells] - mean``, and what the gaps add to their products.

    Attributes
    ----------
    first : (n_features,)
        Sum of ``r``.
    second : (n_features, n_features)
        Sum of ``r r' + Cov[x | seen cells]``.
    log_determinant : float
        Sum of ``log det`` of the covariance of the seen cells.
    distance : float
        Sum of the squared Mahalanobis distances of the seen cells, ``r' precision r``.
    """

    first: Array
    second: Array
    log_determinant: float
    distance: float


def expectations(blocks: Iterable[Block], normal: Normal) -> Expectations:
    """Return the expected residual moments of all rows."""
    size = len(normal.mean)
    first, products, spread, log_determinant = np.zeros(size), np.zeros((size, size)), np.zeros((size, size)), 0.0
    for block in blocks:
        inverse, log_determinants = solved(block, normal)
        residuals = filled_residuals(block, normal, inverse)
        first += block.multipliers @ residuals
        products += residuals.T @ residuals
        spread += conditional_covariance(block, normal, inverse)
        log_determinant += float(block.weights @ log_determinants)
    # At the conditional mean the quadratic form of all cells is that of the seen ones.
    whitened, _ = lapack.dtrtrs(normal.factor, products, lower=1)
    whitened, _ = lapack.dtrtrs(normal.factor, whitened.T, lower=1)
    distance = np.trace(whitened)
    return Expectations(first, products + spread, log_determinant, float(distance))


def solved(block: Block, normal: Normal) -> tuple[Array, Array]:
    """Return the inverses (n_cells, n_cells, n_patterns) of a block, and ``log det`` of the covariance of seen cells.

    With ``m`` the gaps and ``o`` the seen cells of a pattern, these are the inverses of ``precision[m, m]``, with

        log det covariance[o, o] = log det covariance + log det precision[m, m],

    or, where the seen cells are fewer, of ``covariance[o, o]`` itself.
    """
    if block.solves_gaps:
        inverse, log_determinants = inverses(normal.precision.take(block.pairs))
        return inverse, log_determinants + normal.log_determinant
    return inverses(normal.covariance.take(block.pairs))


def filled_residuals(block: Block, normal: Normal, inverse: Array) -> Array:
    """Return ``E[x | seen cells] - mean`` of every row times its multiplier, shape (n_rows, n_features).

    The residuals of the gaps are ``-inverse(precision[m, m]) precision[m, o] r[o]``, and the same are
    ``covariance[m, o] inverse(covariance[o, o]) r[o]``.
    """
    residuals = block.rows - block.multipliers[:, None] * normal.mean
    if block.cells.size == 0:
        return residuals if block.solves_gaps else np.zeros_like(residuals)
    places = block.places
    if block.solves_gaps:
        # Whatever the residuals of the gaps are here, they cancel.
        pulled = (residuals @ normal.precision).take(places)
        residuals.reshape(-1)[places] -= _times(inverse, pulled, block)
        return residuals
    weighted = np.zeros_like(residuals)
    weighted.reshape(-1)[places] = _times(inverse, residuals.take(places), block)
    filled: Array = weighted @ normal.covariance
    return filled


def _times(inverse: Array, vectors: Array, block: Block) -> Array:
    """Return the product of the inverse of each row's pattern with the row's vector (n_cells, n_rows)."""
    each = inverse if inverse.shape[-1] == vectors.shape[-1] else inverse[:, :, block.pattern]
    product: Array = np.einsum("ijr,jr->ir", each, vectors)
    return product


def conditional_covariance(block: Block, normal: Normal, inverse: Array) -> Array:
    """Return the sum over rows of ``Cov[x | seen cells]``, which is zero but for the gaps."""
    size = len(normal.mean)
    flat = np.bincount(block.pairs.ravel(), (inverse * block.weights).ravel(), size * size)
    total: Array = flat.astype(np.float64, copy=False).reshape(size, size)
    if not block.solves_gaps:
        covariance = normal.covariance
        total = block.weights.sum() * covariance - covariance @ total @ covariance
    return total


def complete_gradient(covariance: Array, first: Array, second: Array, count: float) -> tuple[Array, Array]:
    """Return the gradients of the expected complete-data log-likelihood for mean and covariance.

    With ``P`` the precision, and of ``count`` rows the sum ``first`` of the residuals and ``second`` of their products,
    that is ``P first`` and ``(P second P - count P) / 2``.
    """
    precision = np.linalg.inv(covariance)
    curvature = precision @ second @ precision - count * precision
    return precision @ first, curvature / 2


def rounding(normal: Normal, distance: Array | float, total_weight: float) -> float:
    """Return by how much the rounding of the params may move the log-likelihood, in nats.

    A mean is known to one unit in its last place and so is a covariance S with inverse P; of ``n`` rows that moves the
    log-likelihood by about

        n n_features eps (sqrt(sum over j of P[j, j] distance[j]**2) + n_features sum over j of S[j, j] P[j, j])

    whatever the units of each column, with ``distance`` the ``|mean|``, (n_features,), from zero and not from the
    origin of the units. A number stands for that distance in all columns.
    """
    size, tightness = len(normal.mean), np.diag(normal.precision)
    # As products of roots, or the largest columns would leave the range of floats.
    far = float(np.linalg.norm(np.sqrt(tightness) * distance))
    lost = far + size * float(np.diag(normal.covariance) @ tightness)
    unit = ROUNDING_MARGIN * size * float(np.finfo(np.float64).eps)
    return unit * total_weight * lost

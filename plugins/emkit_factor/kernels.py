"""The posterior of the factors, block by block; nothing here is larger than the loadings times the factors.

In standard units ``u = (x - location) / scale`` a row is ``mean + loadings @ z + noise``. With W the loadings of the
cells that are observed in it and D their noise variances, the factors of the row have the posterior

    covariance = inverse(I + W' D^-1 W)        mean = covariance @ W' D^-1 (u - mean)

and with r = u - mean - W @ E[z] its log-density is

    -1/2 (log det(2 pi D) + log det(I + W' D^-1 W) + r' D^-1 r + |E[z]|^2)

The last two terms are the squared distance of the row without the difference of large numbers that the usual formula
for it has where D is small. Rows that miss the same cells share precision and covariance.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit_factor.params import FactorAnalysisParams
from emkit_factor.rows import Indices, PartialRows
from emkit_factor.symmetric import symmetric, unpacked

Array = NDArray[np.float64]
LOG_2PI = float(np.log(2 * np.pi))


@attrs.frozen(eq=False)
class Block:
    """Some rows and the posterior of their factors.

    Attributes
    ----------
    rows : slice or (n_block,)
        Which rows of the data these are.
    weights : (n_block,)
    centred : (n_block, n_features)
        ``u - mean``; zero where missing.
    missing : (n_block, n_features), or None
        None where nothing is.
    observed : (n_patterns, n_features), or None
        Ones and zeros, a row for each pattern.
    firsts, pattern : (n_patterns,), (n_block,)
        Where each pattern begins, and which one a row has.
    means : (n_block, n_factors)
        Of the factors.
    covariances : (n_patterns, n_factors, n_factors)
    log_determinants : (n_patterns,)
        Of their inverses.
    """

    rows: Any
    weights: Array
    centred: Array
    missing: NDArray[np.bool_] | None
    observed: Array | None
    firsts: Indices
    pattern: Indices
    means: Array
    covariances: Array
    log_determinants: Array

    def per_pattern(self, values: Array) -> Array:
        """Return the sums of values (n_block, ...) over the rows of each pattern."""
        return np.asarray(np.add.reduceat(values, self.firsts, axis=0))

    def over_observed(self, values: Array) -> Array:
        """Return, for every column, the sums of values (n_patterns, k) over the patterns in which it is observed.

        Of complete rows the one sum for all columns, shape (1, k).
        """
        return values.sum(axis=0, keepdims=True) if self.observed is None else self.observed.T @ values

    def over_columns(self, values: Array) -> Array:
        """Return, for every row, the sum of values (n_features,) over its observed cells."""
        sums = values.sum(keepdims=True) if self.observed is None else self.observed @ values
        return np.asarray(sums[self.pattern])


@attrs.frozen(eq=False)
class StandardFactors:
    """The params in standard units, and what they tell about rows.

    Attributes
    ----------
    location, scale : (n_features,)
        The units.
    center : (n_features,)
        The mean in the units of the data, from which rows are centred: exact however far from zero they lie.
    loadings : (n_features, n_factors)
    variances : (n_features,)
    """

    location: Array
    scale: Array
    center: Array
    loadings: Array
    variances: Array

    @classmethod
    def of(cls, params: FactorAnalysisParams) -> StandardFactors:
        """Return the params in standard units."""
        scale = params.scale
        variances = params.noise_variances / scale**2
        return cls(params.location, scale, params.mean, params.loadings / scale[:, None], variances)

    @property
    def mean(self) -> Array:
        """The mean in standard units, shape (n_features,)."""
        return (self.center - self.location) / self.scale

    def blocks(self, data: PartialRows) -> Iterator[Block]:
        """Yield the informative rows in blocks, with the posterior of their factors."""
        n_features, n_factors = self.loadings.shape
        pull = self.loadings / self.variances[:, None]
        i, j = np.triu_indices(n_factors)
        information = self.loadings[:, i] * pull[:, j]
        for rows, firsts in data.blocks(max(n_features, len(i))):
            centred = data.x[rows] - self.center
            centred /= self.scale
            missing, observed = _gaps(centred, firsts)
            sums = information.sum(axis=0, keepdims=True) if observed is None else observed @ information
            precisions = unpacked(sums, n_factors) + np.eye(n_factors)
            covariances = symmetric(np.linalg.inv(precisions))
            pattern = np.repeat(np.arange(len(firsts)), np.diff(firsts, append=len(centred)))
            pulls = centred @ pull
            is_single = len(firsts) == 1
            means = pulls @ covariances[0] if is_single else (covariances[pattern] @ pulls[:, :, None])[:, :, 0]
            yield Block(
                rows,
                data.weights_of(rows, len(centred)),
                centred,
                missing,
                observed,
                firsts,
                pattern,
                means,
                covariances,
                2 * np.log(np.diagonal(np.linalg.cholesky(precisions), axis1=1, axis2=2)).sum(axis=1),
            )

    def residuals(self, block: Block) -> Array:
        """Return ``u - mean - loadings @ E[z]``, shape (n_block, n_features); zero where missing."""
        residuals = block.centred - block.means @ self.loadings.T
        if block.missing is not None:
            residuals[block.missing] = 0.0
        return residuals

    def log_density(self, block: Block) -> Array:
        """Return the log-density of the observed cells of each row in the units of the data, shape (n_block,)."""
        # The sum of the two logarithms: the product may leave the range of floats.
        constant = block.over_columns(LOG_2PI + np.log(self.variances) + 2 * np.log(self.scale))
        residuals = self.residuals(block)
        # The square of a distance may overflow: a row so far away has a density of zero.
        with np.errstate(over="ignore"):
            residuals *= residuals
            distance = residuals @ (1 / self.variances) + (block.means**2).sum(axis=1)
        return np.asarray(-(constant + block.log_determinants[block.pattern] + distance) / 2)

    def fill(self, data: PartialRows) -> Array:
        """Return the rows of the data with their gaps at their expectation, in the units of the data."""
        filled = np.array(data.x)
        means = np.zeros((len(filled), self.loadings.shape[1]))
        for block in self.blocks(data):
            means[block.rows] = block.means
        # Row by row: the expectations of all cells together would be another copy of the data.
        for n in np.flatnonzero(np.isnan(filled).any(axis=1)):
            gaps = np.isnan(filled[n])
            filled[n, gaps] = self.center[gaps] + self.scale[gaps] * (self.loadings[gaps] @ means[n])
        return filled

    def rounding(self, counts: Array) -> float:
        """Return by how much the rounding of a mean far from zero may move a log-likelihood, in nats.

        A mean is known to ``eps * |mean|``; of ``n`` cells that moves the log-likelihood by at most
        ``n * (eps * mean)**2 / noise_variance`` next to its maximum.
        """
        lost = np.finfo(np.float64).eps * np.abs(self.center) / self.scale
        with np.errstate(over="ignore"):
            return float(4 * (counts * lost**2 / self.variances).sum())


def _gaps(centred: Array, firsts: Indices) -> tuple[NDArray[np.bool_] | None, Array | None]:
    """Return what is missing and the observed cells of each pattern; set what is missing to zero."""
    missing = np.isnan(centred)
    if not missing.any():
        return None, None
    centred[missing] = 0.0
    return missing, (~missing[firsts]).astype(np.float64)

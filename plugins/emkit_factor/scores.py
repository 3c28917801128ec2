"""Gradients of the log-likelihood, by Fisher's identity from expected moments, and row by row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emkit_factor.kernels import StandardFactors
from emkit_factor.params import FactorAnalysisParams, FactorStatistics
from emkit_factor.rows import PartialRows
from emkit_factor.symmetric import unpacked

Array = NDArray[np.float64]


def gradient(params: FactorAnalysisParams, statistics: FactorStatistics) -> FactorAnalysisParams:
    """Return the gradient of the expected complete-data log-likelihood, in the shape of the params.

    With ``r = u - mean - loadings @ z`` and sums over the rows in which a column is observed it is

        E[r] / v        E[r z] / v        (E[r**2] / v - 1) / (2 v)

    in standard units.
    """
    factors = StandardFactors.of(params)
    mean, loadings, variances = factors.mean, factors.loadings, factors.variances
    products = unpacked(statistics.factor_products, loadings.shape[1])
    explained = (products @ loadings[:, :, None])[:, :, 0]
    first = statistics.sums - statistics.counts * mean - (statistics.factor_sums * loadings).sum(axis=1)
    cross = statistics.cross - mean[:, None] * statistics.factor_sums - explained
    # E[r**2] = E[r u] - mean E[r] - loadings @ E[r z]
    along = statistics.squares - mean * statistics.sums - (statistics.cross * loadings).sum(axis=1)
    squares = along - mean * first - (cross * loadings).sum(axis=1)
    slopes = (squares / variances - statistics.counts) / (2 * variances)
    return _in_units(params, first / variances, cross / variances[:, None], slopes)


def gradients(params: FactorAnalysisParams, data: PartialRows) -> FactorAnalysisParams:
    """Return the gradient of the log-likelihood of every row, times its weight; rows first.

    As :func:`gradient`, of each row by itself. A row without observed cells has zeros.
    """
    factors = StandardFactors.of(params)
    n_samples, (n_features, n_factors) = len(data.x), params.loadings.shape
    first, slopes = np.zeros((n_samples, n_features)), np.zeros((n_samples, n_features))
    cross = np.zeros((n_samples, n_features, n_factors))
    for block in factors.blocks(data):
        observed = np.ones(block.centred.shape) if block.missing is None else (~block.missing).astype(np.float64)
        weighted = observed * block.weights[:, None] / factors.variances
        residuals = factors.residuals(block)
        # Of every pattern, what the uncertainty of the factors adds: (n_patterns, n_features, n_factors).
        spread = (factors.loadings @ block.covariances)[block.pattern]
        squares = residuals**2 + (spread * factors.loadings).sum(axis=2)
        first[block.rows] = weighted * residuals
        cross[block.rows] = weighted[:, :, None] * (residuals[:, :, None] * block.means[:, None, :] - spread)
        slopes[block.rows] = weighted * (squares / factors.variances - 1) / 2
    return _in_units(params, first, cross, slopes)


def _in_units(params: FactorAnalysisParams, first: Array, cross: Array, slopes: Array) -> FactorAnalysisParams:
    """Return gradients of standard params as those of the params themselves; leading axes are kept."""
    scale = params.scale
    slopes = slopes / scale**2
    if params.noise_variances.size == 1:
        slopes = slopes.sum(axis=-1, keepdims=True)
    constants = np.zeros(first.shape)
    return FactorAnalysisParams(first / scale, cross / scale[:, None], slopes, constants, constants)

"""The M-step: a regression of every column on the expected factors, then the factors put back to unit covariance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emkit_factor.params import FactorStatistics
from emkit_factor.symmetric import unpacked

Array = NDArray[np.float64]
Free = NDArray[np.bool_] | None


def regressions(statistics: FactorStatistics, free: Free) -> tuple[Array, Array, Array]:
    """Return the regression of every column on the factors, over the rows in which it is observed.

    With bars for means over these rows, it solves for every column

        (E[z z'] - zbar zbar') loadings = E[u z] - ubar zbar        mean = ubar - loadings @ zbar

    Parameters
    ----------
    free : (n_features, n_factors), optional
        Which loadings there are; the others stay zero.

    Returns
    -------
    mean : (n_features,)
    loadings : (n_features, n_factors)
    squares : (n_features,)
        Expected squared residuals, summed.

    A column without cells has zeros.
    """
    counts = np.where(statistics.counts > 0, statistics.counts, 1.0)
    factor_means = statistics.factor_sums / counts[:, None]
    cross = statistics.cross - statistics.sums[:, None] * factor_means
    loadings = _solutions(statistics, factor_means, cross, free)
    mean = statistics.sums / counts - (loadings * factor_means).sum(axis=1)
    squares = statistics.squares - statistics.sums * (statistics.sums / counts) - (loadings * cross).sum(axis=1)
    return mean, loadings, np.maximum(squares, 0.0)


def _solutions(statistics: FactorStatistics, factor_means: Array, cross: Array, free: Free) -> Array:
    products, sums, counts = statistics.factor_products, statistics.factor_sums, statistics.counts
    if free is None and (counts == counts[0]).all() and (sums == sums[0]).all() and (products == products[0]).all():
        # All columns are observed in the same rows, so that one matrix serves all of them.
        products, sums, factor_means = products[:1], sums[:1], factor_means[:1]
    n_factors = cross.shape[1]
    matrices = unpacked(products, n_factors) - sums[:, :, None] * factor_means[:, None, :]
    if free is not None:
        matrices = matrices * (free[:, :, None] & free[:, None, :])
        cross = cross * free
    # Ones in place of what is not there: loadings of zero, or a column without cells.
    absent = np.broadcast_to(~(counts[: len(matrices)] > 0)[:, None], (len(matrices), n_factors))
    absent = absent if free is None else absent | ~free
    matrices = matrices + absent[:, :, None] * np.eye(n_factors)
    if len(matrices) == 1:
        return np.asarray(np.linalg.solve(matrices[0], cross.T).T, dtype=np.float64)
    return np.asarray(np.linalg.solve(matrices, cross[:, :, None])[:, :, 0], dtype=np.float64)


def to_unit_factors(statistics: FactorStatistics, groups: list[list[int]]) -> tuple[Array, Array]:
    """Return the mean and the root of the covariance of the expected factors of all rows.

    Parameters
    ----------
    groups : lists of factors
        Factors within a group may be correlated, factors of different groups are not.

    Returns
    -------
    mean : (n_factors,)
    root : (n_factors, n_factors)
        Symmetric, so that rotated factors have a rotated root and nothing turns by itself.
    """
    n_factors = len(statistics.row_sums)
    mean = statistics.row_sums / statistics.n_rows
    covariance = unpacked(statistics.row_products, n_factors) / statistics.n_rows - np.outer(mean, mean)
    root = np.zeros_like(covariance)
    for group in groups:
        inside = np.ix_(group, group)
        values, vectors = np.linalg.eigh(covariance[inside])
        root[inside] = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    return mean, root

"""K Gaussians of a single column: no matrices, a few passes over rows that stay in cache."""

from __future__ import annotations

import math

import numpy as np

from emkit.families.gaussian.expansions import Array
from emkit.families.gaussian.moments import GaussianMoments

#: Rows handled at a time: with 16 components, a megabyte.
BLOCK_ROWS = 8192
#: Sums of powers about the location lose digits to a component so many of its standard deviations away.
FARTHEST_MEAN = 100.0


def column_log_density(column: Array, means: Array, variances: Array, log_scale: float = 0.0) -> Array:
    """Return ``log N(column[n]; means[k], variances[k]) - log_scale``, shape (n_samples, n_components).

    Parameters
    ----------
    column : (n_samples,)
    means, variances : (n_components,)
        All in units in which the column has a standard deviation of about one.
    log_scale : float
        Logarithm of that unit.
    """
    # Component by component a row of memory each: every pass is over neighbours.
    out = np.empty((len(means), len(column)))
    factors = np.sqrt(0.5 / variances)
    constants = -0.5 * (np.log(variances) + math.log(2.0 * math.pi)) - log_scale
    for start in range(0, len(column), BLOCK_ROWS):
        rows = slice(start, start + BLOCK_ROWS)
        block = out[:, rows]
        for k in range(len(means)):
            row = block[k]
            np.subtract(column[rows], means[k], out=row)
            row *= factors[k]
            np.multiply(row, row, out=row)
            np.subtract(constants[k], row, out=row)
    return out.T


def column_moments(column: Array, responsibilities: Array, means: Array, variances: Array) -> GaussianMoments:
    """Return the moments of a column about ``means``, with second moments of shape (n_components,)."""
    powers = np.empty((len(column), 3))
    powers[:, 0] = 1.0
    powers[:, 1] = column
    np.multiply(column, column, out=powers[:, 2])
    sums = responsibilities.T @ powers
    counts = sums[:, 0]
    first = sums[:, 1] - counts * means
    second = sums[:, 2] - means * (2.0 * sums[:, 1] - counts * means)
    for k in np.flatnonzero(np.abs(means) > FARTHEST_MEAN * np.sqrt(variances)):
        centred = column - means[k]
        weighted = responsibilities[:, k] * centred
        first[k], second[k] = weighted.sum(), (weighted * centred).sum()
    return GaussianMoments(counts, first[:, None], second)

"""Where the columns of weighted rows lie and how far they spread: what Gaussian kernels standardise by."""

from __future__ import annotations

import numpy as np

from emkit.arrays import column_scales
from emkit.families.gaussian.covariance import CovarianceStructure
from emkit.families.gaussian.expansions import Array

#: A column whose values differ by no more than this many units in the last place is constant.
CONSTANT_ULPS = 4
#: The standard deviation of a normal in units of its median absolute deviation.
NORMAL_MAD = 1.4826022185056018


def location_and_scale(x: Array, weights: Array, structure: CovarianceStructure) -> tuple[Array, Array]:
    """Return the weighted mean and standard deviation of the seen cells of each column, as the structure allows them.

    A constant column gets its size as scale, or one; one without any seen cell gets zero and one. Rows of weight zero
    take no part, unless all are.

    Parameters
    ----------
    x : (n_samples, n_features)
        May contain NaN.
    weights : (n_samples,)
    structure : CovarianceStructure

    Returns
    -------
    location, scale : (n_features,)
    """
    weights = weights if weights.any() else np.ones(len(x))
    location, deviation, size = np.array([_mean_and_deviation(column, weights) for column in x.T]).T
    return location, structure.scale_of(column_scales(deviation, size))


def _mean_and_deviation(column: Array, weights: Array) -> tuple[float, float, float]:
    """Return mean, standard deviation and largest absolute value of the seen cells."""
    seen = (weights > 0) & ~np.isnan(column)
    if not seen.all():
        column, weights = column[seen], weights[seen]
    if not column.size:
        return 0.0, 0.0, 0.0
    # From the middle of the range and in units of half of it, no square leaves the range of floats and data far from
    # zero lose nothing. Halved first: the difference of the ends may be too large for a float.
    low, high = column.min() / 2, column.max() / 2
    middle, reach = low + high, high - low
    size = max(abs(low), abs(high)) * 2
    if reach == 0:
        return middle, 0.0, size
    shares = weights / weights.max()
    shares /= shares.sum()
    standard = (column - middle) / reach
    # Not a product of vectors: BLAS would add in another order with another number of threads.
    mean = (shares * standard).sum()
    standard -= mean
    standard *= standard
    standard *= shares
    return middle + reach * mean, reach * np.sqrt(standard.sum()), size


def robust_location_and_scale(x: Array, weights: Array, structure: CovarianceStructure) -> tuple[Array, Array]:
    """Return the weighted median of each column, and the scale that its median absolute deviation tells of.

    A few outliers do not move them. Where more than half of the rows are equal the standard deviation is taken. For
    whole rows; otherwise as :func:`location_and_scale`.
    """
    weights = weights if weights.any() else np.ones(len(x))
    location, usual = location_and_scale(x, weights, structure)
    medians, scales = location.copy(), usual.copy()
    for j, column in enumerate(x.T):
        medians[j] = _weighted_median(column, weights)
        with np.errstate(over="ignore"):
            deviation = NORMAL_MAD * _weighted_median(np.abs(column - medians[j]), weights)
        if CONSTANT_ULPS * np.spacing(np.abs(column).max()) < deviation < usual[j]:
            scales[j] = deviation
    return medians, structure.scale_of(scales)


def _weighted_median(column: Array, weights: Array) -> float:
    """Return the smallest value at which at least half of the weight is reached."""
    order = np.argsort(column, kind="stable")
    reached = np.cumsum(weights[order])
    return float(column[order[np.searchsorted(reached, reached[-1] / 2)]])

"""Densities of counts as distances from their means, in which nothing cancels however large the counts are.

The terms of ``y log(m) - m - log(y!)`` are of the size of ``y log(y)``, and of counts of ten millions their rounding is
larger than what an EM step gains. In the form of Loader [1]_ the density is that at the best mean, ``y`` itself, less a
distance that is small where the density is not:

    log_density = y * (log(m / y) - (m / y - 1)) - log(2 pi y) / 2 - stirling_error(y)

References
----------
.. [1] C. Loader, Fast and accurate computation of binomial probabilities (2000).
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import gammaln

from emkit.families.base import Array
from emkit.families.positive.curve import curve

#: From here on the series is exact to the last digit.
LARGE = 15.0
#: Up to this count the terms may cancel: they lose less than 1e-10 nats, and a matrix product is all they need.
LARGE_COUNT = 1e4


def stirling_error(x: Array) -> Array:
    """Return ``gammaln(x + 1) - ((x + 1/2) log(x) - x + log(2 pi) / 2)`` of positive numbers."""
    square = 1.0 / np.maximum(x, LARGE) ** 2
    series = 1 / 1260 - square * (1 / 1680 - square * (1 / 1188 - square * 691 / 360360))
    series = (1 / 12 - square * (1 / 360 - square * series)) * np.sqrt(square)
    small = np.minimum(x, LARGE)
    direct = gammaln(small + 1) - ((small + 0.5) * np.log(small) - small + 0.5 * math.log(2 * math.pi))
    return np.where(x < LARGE, direct, series)


def log_peak(counts: Array) -> Array:
    """Return the log-density of positive counts under the Poisson distributions whose means they are; zero for zero."""
    y = np.where(counts > 0, counts, 1.0)
    return np.where(counts > 0, -0.5 * np.log(2 * np.pi * y) - stirling_error(y), 0.0)


def log_fall(counts: Array, means: Array) -> Array:
    """Return ``counts * (log(means / counts) - (means / counts - 1))``; ``-means`` for a count of zero."""
    y = np.where(counts > 0, counts, 1.0)
    with np.errstate(invalid="ignore", over="ignore"):
        # A mean beyond all floats is infinite.
        return np.where((counts > 0) & (means < np.inf), y * curve(means, y), -means)

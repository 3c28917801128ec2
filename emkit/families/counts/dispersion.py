"""The dispersion of highest likelihood, given how often a negative binomial count exceeds each number."""

from __future__ import annotations

import numpy as np

from emkit.families.base import Array
from emkit.families.counts.rising import KNOTS
from emkit.families.roots import decreasing_roots

#: Below this ``dispersion * mean`` the differences of :func:`phi` and :func:`chi` cancel, and series are used.
SMALL_PRODUCT = 0.01
#: Their Taylor coefficients at zero.
PHI = [(-1) ** n / (n + 2) for n in range(9)]
PHI_SLOPE = [(-1) ** (n + 1) * (n + 1) / (n + 3) for n in range(9)]
CHI = [(-1) ** n * (n + 1) / (n + 2) for n in range(9)]
#: Smallest and largest dispersion, times the mean, that an M-step looks for.
SMALLEST, LARGEST = 1e-12, 1e20


def best_dispersions(weights: Array, means: Array, previous: Array) -> Array:
    """Return the dispersions ``a`` with ``sum_c weights[c] c / (1 + a c) = mean**2 phi(a mean)``, or zero.

    Parameters
    ----------
    weights : (n_functions, n_knots)
        Of one row.
    means, previous : (n_functions,)
        Positive; where to begin.
    """
    used = np.flatnonzero(weights.any(axis=0))
    # In units of the means, so that neither knots nor their weights are large.
    knots = KNOTS[used] / means[:, None]
    masses = weights[:, used] / means[:, None]

    def excess(log_product: Array) -> tuple[Array, Array]:
        u = np.exp(log_product)
        value, slope = phi(u)
        terms = 1 / (1 + u[:, None] * knots)
        gained = (masses * knots * terms).sum(axis=1)
        lost = u * (masses * (knots * terms) ** 2).sum(axis=1)
        # Times u, so that its size near the root does not depend on u. Where u is large both sides are one but for
        # little: since masses add up to one, u c / (1 + u c) and u phi(u) can be taken from one on both sides.
        left, share = (masses * terms).sum(axis=1), np.log1p(u) / u
        is_large = u > 1
        shared = np.where(is_large, share - left, u * (gained - value))
        falling = 1 / (1 + u) - share + u * (masses * knots * terms**2).sum(axis=1)
        return shared, np.where(is_large, falling, u * (gained - value - lost - u * slope))

    spreads = (masses * knots).sum(axis=1) > phi(np.zeros(1))[0]
    first = np.where(previous > 0, previous * means, 1.0)
    ends = np.log([SMALLEST, LARGEST])
    found = np.exp(decreasing_roots(excess, np.log(first), *(np.full(len(means), end) for end in ends)))
    return np.where(spreads & (found > SMALLEST), found / means, 0.0)


def phi(u: Array) -> tuple[Array, Array]:
    """Return ``(u - log(1 + u)) / u**2`` and its derivative."""
    small, large = np.minimum(u, SMALL_PRODUCT), np.maximum(u, SMALL_PRODUCT)
    direct = (large - np.log1p(large)) / large**2
    derivative = (1 / (1 + large) - 2 * direct) / large
    is_small = u < SMALL_PRODUCT
    return (
        np.where(is_small, np.polynomial.polynomial.polyval(small, PHI), direct),
        np.where(is_small, np.polynomial.polynomial.polyval(small, PHI_SLOPE), derivative),
    )


def chi(u: Array) -> Array:
    """Return ``(log(1 + u) - u / (1 + u)) / u**2``."""
    small, large = np.minimum(u, SMALL_PRODUCT), np.maximum(u, SMALL_PRODUCT)
    direct = (np.log1p(large) - large / (1 + large)) / large**2
    return np.asarray(np.where(u < SMALL_PRODUCT, np.polynomial.polynomial.polyval(small, CHI), direct))

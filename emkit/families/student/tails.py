"""Functions of the degrees of freedom of t distributions, exact from the Cauchy to the nearly normal."""

from __future__ import annotations

import numpy as np
from scipy import special

from emkit.families.base import Array
from emkit.families.roots import decreasing_roots

#: Between them the degrees of freedom are estimated; a million cannot be told from a normal.
LOWEST_DF, HIGHEST_DF = 0.1, 1e6
#: From here on series in ``1 / x`` are more accurate than differences of the functions themselves.
LARGE = 50.0


def log_minus_digamma(x: Array) -> Array:
    """Return ``log(x) - digamma(x)`` of positive numbers: it falls from infinity to zero."""
    inverse = 1.0 / np.maximum(x, LARGE)
    square = inverse * inverse
    series = 0.5 * inverse + square * (1 / 12 - square * (1 / 120 - square / 252))
    return np.where(x < LARGE, np.log(x) - special.digamma(x), series)


def log_gamma_ratio(a: Array, b: float) -> Array:
    """Return ``lgamma(a + b) - lgamma(a) - b * log(a)``: it rises to zero as ``a`` grows."""
    large = np.maximum(a, LARGE)
    # Stirling's series of both, with their common terms gone.
    series = (large + b - 0.5) * np.log1p(b / large) - b + _stirling(large + b) - _stirling(large)
    return np.where(a < LARGE, special.gammaln(a + b) - special.gammaln(a) - b * np.log(a), series)


def _stirling(x: Array) -> Array:
    square = (1.0 / x) ** 2
    series: Array = (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square / 1680))) / x
    return series


def df_of_gap(gap: Array, lowest: float, highest: float) -> Array:
    """Return the ``df`` between ``lowest`` and ``highest`` with ``log(df / 2) - digamma(df / 2) = gap``.

    Parameters
    ----------
    gap : (n_components,)
        A gap of zero or less is that of infinitely many degrees of freedom.
    """
    target = np.log(np.maximum(gap, 1e-300))

    def excess(logarithm: Array) -> tuple[Array, Array]:
        # The curve in logarithms is nearly a line of slope -1.
        half = np.exp(logarithm)
        curve = log_minus_digamma(half)
        return np.log(curve) - target, (1.0 - half * special.polygamma(1, half)) / curve

    lower, upper = (np.full(gap.shape, np.log(end / 2)) for end in (lowest, highest))
    start = np.log(0.5) - target
    return np.asarray(np.clip(2.0 * np.exp(decreasing_roots(excess, start, lower, upper)), lowest, highest))

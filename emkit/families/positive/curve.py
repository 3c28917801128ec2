"""The curve ``log(x / m) - (x / m - 1)``, by which gamma and Poisson densities fall on both sides of a mean."""

from __future__ import annotations

import numpy as np

from emkit.families.base import Array

#: Nearer to the mean than this, relative to it, the two terms cancel and the curve is taken from its series.
NEAR = 0.01
#: Farther than this a value far below the mean has lost its digits in ``x / m - 1``.
FAR = 0.5
#: Taylor coefficients of ``(log(1 + e) - e) / e**2``; the first term left out is below 1e-17 of the sum.
SERIES = [(-1) ** (n + 1) / (n + 2) for n in range(9)]


def curve_of_excess(excess: Array) -> Array:
    """Return ``log(1 + e) - e`` to all digits."""
    is_near = np.abs(excess) < NEAR
    if is_near.all():
        return _series(excess)
    with np.errstate(divide="ignore", invalid="ignore"):
        direct = np.log1p(excess) - excess
    return np.where(is_near, _series(np.where(is_near, excess, 0.0)), direct) if is_near.any() else direct


def _series(excess: Array) -> Array:
    total = np.full_like(excess, SERIES[-1])
    for coefficient in SERIES[-2::-1]:
        total *= excess
        total += coefficient
    total *= excess
    total *= excess
    return total


def curve(values: Array, means: Array) -> Array:
    """Return ``log(values / means) - (values / means - 1)`` of positive numbers, broadcast over both."""
    with np.errstate(all="ignore"):
        excess = np.asarray((values - means) / means)
        is_far = ~(np.abs(excess) < FAR)
        if not is_far.any():
            return curve_of_excess(excess)
        # Beyond the range of floats the ratio is infinite, but its logarithm is still a number.
        far = np.log(values) - np.log(means) + 1 - values / means
        return np.where(is_far, far, curve_of_excess(np.where(is_far, 0.0, excess)))


def log_ratio(values: Array, means: Array) -> Array:
    """Return ``log(values / means)`` of positive numbers, to all digits also where they nearly agree."""
    with np.errstate(all="ignore"):
        excess = (values - means) / means
        return np.where(np.abs(excess) < FAR, np.log1p(excess), np.log(values) - np.log(means))

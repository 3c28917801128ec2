"""Roots of many decreasing functions of one variable at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from emkit.families.base import Array

MAX_STEPS = 200
#: Steps in a logarithm below this change a value by a few units in its last place.
SMALLEST_STEP = 4 * np.finfo(np.float64).eps


def decreasing_roots(
    function: Callable[[Array], tuple[Array, Array]], start: Array, lower: Array, upper: Array
) -> Array:
    """Return where decreasing functions cross zero: Newton's steps, halved into a bracket where they leave it.

    Parameters
    ----------
    function
        Takes an array of points, one for each function, and returns values and derivatives there.
    start, lower, upper : (n_functions,)
        Where to begin and the ends of the brackets. A function that is positive at ``upper`` (negative at ``lower``)
        has that end as its answer.

    Returns
    -------
    roots : (n_functions,)
    """
    with np.errstate(all="ignore"):
        at_upper, at_lower = function(upper)[0] >= 0, function(lower)[0] <= 0
        low, high, point = lower.copy(), upper.copy(), np.clip(start, lower, upper)
        for _ in range(MAX_STEPS):
            value, slope = function(point)
            low, high = np.where(value >= 0, point, low), np.where(value <= 0, point, high)
            newton = point - value / slope
            is_inside = (newton > low) & (newton < high)
            following = np.where(value == 0, point, np.where(is_inside, newton, (low + high) / 2))
            moved = np.abs(following - point)
            point = following
            if (moved <= SMALLEST_STEP * np.maximum(np.abs(point), 1.0))[~(at_upper | at_lower)].all():
                break
    return np.where(at_upper, upper, np.where(at_lower, lower, point))

"""How long a fit still takes, from how fast its estimated gap shrinks.

EM's gap shrinks by the factor ``rate**2`` in every E-step, so that from a gap ``g`` the tolerance ``tol`` is

    log(tol / g) / log(rate**2)

E-steps away. An accelerated fit goes faster, at a pace of its own. Both are read off the gaps themselves: the logarithm
of the last ones is a line over E-steps, and that line is followed to ``log(tol)``. Where acceleration makes the gap
jump, the forecast is good to a factor of two or so.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np

from emkit.result import Iterate

#: How many points the line is drawn through, at most and at least.
MEMORY = 12
FEWEST = 5
#: Slopes are believed that are so many of their standard errors below zero.
CLEAR = 2.0
#: How far a new forecast moves the one that is shown, as a share of their difference.
WEIGHT = 0.3


def remaining_e_steps(n_e_steps: Sequence[float], gaps: Sequence[float], tolerance: float) -> float:
    """Return how many E-steps after the last one the gap reaches ``tolerance``; NaN while that cannot be known.

    The least-squares line ``log(gap) = a + b * n_e_steps`` through the points with a known gap ends at
    ``(log(tolerance) - a) / b``. Exact where gaps shrink geometrically.

    Parameters
    ----------
    n_e_steps, gaps : (n,)
        E-steps spent and estimated remaining gain, in nats, at the last accepted points.
    tolerance : float
        The gap at which the fit ends.
    """
    steps, nats = np.asarray(n_e_steps, dtype=float), np.asarray(gaps, dtype=float)
    is_known = np.isfinite(nats) & (nats > 0)
    if tolerance <= 0 or is_known.sum() < FEWEST:
        return float("nan")
    x, y = steps[is_known], np.log(nats[is_known])
    centred = x - x.mean()
    slope = centred @ y / (centred @ centred)
    residual = y - y.mean() - slope * centred
    error = math.sqrt(residual @ residual / (len(x) - 2) / (centred @ centred))
    if not slope < -CLEAR * error:
        return float("nan")
    end = x.mean() + (math.log(tolerance) - y.mean()) / slope
    return max(float(end - steps[-1]), 0.0)


class Forecast:
    """Forecasts the end of one climb, point by point.

    Parameters
    ----------
    tolerance : float or None
        The gap, in nats, at which the fit ends; None where it ends by another rule, and then nothing is known.
    """

    def __init__(self, tolerance: float | None) -> None:
        self._tolerance = tolerance
        self._points: deque[tuple[int, float, float]] = deque(maxlen=MEMORY)
        self._end = float("nan")

    def add(self, point: Iterate[Any]) -> None:
        """Take note of an accepted point."""
        if self._points and point.n_e_steps <= self._points[-1][0]:
            # The climb has begun anew, and what was known says nothing about this one.
            self._points.clear()
            self._end = float("nan")
        self._points.append((point.n_e_steps, point.gap, point.elapsed))

    def seconds_left(self) -> float:
        """Return the seconds from the last point to the end, smoothed over calls; NaN while unknown."""
        if self._tolerance is None or not self._points:
            return float("nan")
        n_e_steps, gaps, seconds = np.array(self._points).T
        left = remaining_e_steps(n_e_steps, gaps, self._tolerance)
        if math.isnan(left) or left == 0:
            self._end = float("nan")
            return left
        end = float(seconds[-1] + left * (seconds[-1] - seconds[0]) / (n_e_steps[-1] - n_e_steps[0]))
        # It is the time of the end that is smoothed: it stands still while the time that is left runs down.
        self._end = end if math.isnan(self._end) else self._end + WEIGHT * (end - self._end)
        return max(self._end - float(seconds[-1]), 0.0)


def describe_seconds(seconds: float) -> str:
    """Return a time in words, to a precision that a forecast deserves."""
    if math.isnan(seconds):
        return "unknown"
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 1 else "under 1 s"

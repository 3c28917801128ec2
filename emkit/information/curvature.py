"""Second derivatives of the objective by differences of its values, or of its exact slopes.

Steps are a fixed fraction of a standard error in every direction, so that they neither drown in rounding nor leave
the quadratic part: 1/100 to 1/20 for values, whose second differences lose half the digits, 1/10000 for slopes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from emkit.information.surface import Surface

Array = NDArray[np.float64]

#: Rounding of an objective, relative to its size, by which steps are chosen.
ROUNDING = 1e-14
#: Longest difference step of values in standard errors.
LONGEST_STEP = 0.05
#: Length of a difference step of slopes in standard errors: truncation is of its square. Between the limits a step is
#: as good.
SLOPE_STEP = 1e-4
SLOPE_STEP_LIMITS = (1e-6, 5e-4)
#: The same, relative to the size of the entry, before anything is known of the standard error.
FIRST_SLOPE_STEP = 1e-6
LONGEST_SLOPE_STEP = 1e-3
#: In shorter steps, relative to the size of the entry, nothing would change, whatever the data say.
SHORTEST_SLOPE_STEP = 1e-13
#: Rounding of a second difference of the objective, relative to the objective.
NOISE = 2e-13
#: How often steps are shortened to stay in the space.
MAX_SHORTENINGS = 40
MAX_JOINT_SHORTENINGS = 10


def slope_changes(surface: Surface) -> tuple[Array, Array]:
    """Return the gradient, and minus the derivative of the slopes along each direction (rows), not symmetrised."""
    directions = surface.directions
    gradient = surface.slopes(np.zeros(directions.shape[1]))
    if gradient is None or not np.isfinite(gradient).all():
        msg = f"The score of {type(surface.model).__name__} is not finite at these params."
        raise ValueError(msg)
    return gradient, -changes_along(surface, surface.slopes)


def changes_along(surface: Surface, slopes: Callable[[Array], Array | None]) -> Array:
    """Return the derivatives of slopes along the free directions of a surface (rows)."""
    sizes = surface.typical(surface.directions)
    changes: Array = np.zeros((len(sizes), len(sizes)))
    for index, (direction, size) in enumerate(zip(surface.directions, sizes, strict=True)):
        change = _slope_change(slopes, direction, index, float(size))
        if change is None:
            touched = np.array(surface.entry_names(), dtype=object)[direction != 0]
            msg = (
                f"No step from the params along {touched[0]} stays in their space and has a finite score: there are no "
                "second derivatives. If it is next to a bound, fix it there, or give method='likelihood'."
            )
            raise ValueError(msg)
        changes[index] = change
    return changes


def slope_change(slopes: Callable[[Array], Array | None], direction: Array, index: int, size: float) -> Array:
    """Return the derivative of slopes along one direction: two calls, four where the first step was unfit.

    Parameters
    ----------
    slopes : callable
        Slopes along all directions at entries shifted by its argument; None outside the space.
    direction : (n_entries,)
    index : int
        Of the direction among all; its own curvature measures the step.
    size : float
        Of a typical displacement along it.
    """
    change = _slope_change(slopes, direction, index, size)
    if change is None:
        msg = f"No step from the params along free direction {index} stays in their space and has a finite score."
        raise ValueError(msg)
    return change


def _slope_change(slopes: Callable[[Array], Array | None], direction: Array, index: int, size: float) -> Array | None:
    """Return the derivative of slopes along one direction, None if no step will do."""
    length, longest = FIRST_SLOPE_STEP * size, LONGEST_SLOPE_STEP * size
    change: Array | None = None
    for _ in range(MAX_SHORTENINGS):
        above, below = slopes(length * direction), slopes(-length * direction)
        if above is None or below is None or not (np.isfinite(above) & np.isfinite(below)).all():
            longest = length = length / 4
            if length < SHORTEST_SLOPE_STEP * size:
                break
            continue
        change = np.asarray((above - below) / (2 * length))
        in_errors = length * np.sqrt(abs(change[index]))
        if SLOPE_STEP_LIMITS[0] <= in_errors <= SLOPE_STEP_LIMITS[1]:
            return change
        wanted = min(length * SLOPE_STEP / max(in_errors, 1e-300), longest)
        if wanted == length:
            return change
        length = wanted
    # Along a flat direction all is rounding, and every length asks for another.
    return change


def central_difference(function: Callable[[Array], Array | None], displacement: Array, length: float) -> Array | None:
    """Return the derivative of a function of displacements, the step shortened until both sides are in the space."""
    for _ in range(MAX_SHORTENINGS):
        above, below = function(length * displacement), function(-length * displacement)
        if above is not None and below is not None:
            return np.asarray((above - below) / (2 * length))
        length /= 4
    return None


def gradient_and_hessian(surface: Surface) -> tuple[Array, Array, float]:
    """Return gradient and observed information from values of the objective alone, and the error of the latter.

    The error is on the scale of a unit diagonal: rounding, and what the extrapolation has left of the truncation.
    """
    lengths = step_lengths(surface)
    coarse = _hessian_at(surface, lengths)
    for _ in range(MAX_JOINT_SHORTENINGS):
        if np.isfinite(coarse).all():
            break
        # Two steps that stay in the space, taken together, may leave it.
        lengths = lengths / 4
        coarse = _hessian_at(surface, lengths)
    information: Array = -(4 * _hessian_at(surface, lengths / 2) - coarse) / 3
    # A curvature that is all rounding is none: its sign would call a flat direction a saddle.
    noise = NOISE * (1 + abs(surface.center)) / np.outer(lengths, lengths)
    error = _rounding(surface) / _step(surface) ** 2 + _truncation(information, -coarse, noise)
    information[np.abs(information) <= noise] = 0.0
    half = (lengths / 2)[:, None] * surface.directions
    rises = [surface.objective(step) - surface.objective(-step) for step in half]
    return np.array(rises, dtype=np.float64) / lengths, information, error


def _truncation(information: Array, coarse: Array, noise: Array) -> float:
    """Return the truncation error after one Richardson step, on the scale of a unit diagonal.

    The step removes a term in the square of the length, and what is left is of its fourth power: about the square of
    what was removed. Where an objective has a tail like an exponential's, as that of a regression whose signs a plane
    parts, a step that costs anything leads far out of the quadratic part, and this is large.
    """
    size = np.maximum(np.abs(np.diag(information)), np.abs(np.diag(coarse)))
    known = size > np.diag(noise)
    scale = np.sqrt(np.where(known, size, np.inf))
    return float((np.abs(information - coarse) / np.outer(scale, scale)).max(initial=0.0) ** 2)


def _step(surface: Surface) -> float:
    """Return the length of a difference step of values in standard errors.

    After one Richardson step the truncation error is of its fourth power; rounding is divided by its square. Both are
    equal at the sixth root of the rounding.
    """
    return min(float(_rounding(surface) ** (1 / 6)), LONGEST_STEP)


def _rounding(surface: Surface) -> float:
    return max(ROUNDING * (1 + abs(surface.center)), surface.center_step.rounding)


def step_lengths(surface: Surface) -> Array:
    """Return, per direction, the displacement that costs about ``step**2 / 2`` nats."""
    sizes = surface.typical(surface.directions)
    cost = _step(surface) ** 2 / 2
    lengths = [_step_length(surface, i, 1e-3 * float(size), cost) for i, size in enumerate(sizes)]
    return np.array(lengths, dtype=np.float64)


def _step_length(surface: Surface, index: int, length: float, wanted: float) -> float:
    longest = float("inf")
    for _ in range(MAX_SHORTENINGS):
        step = length * surface.directions[index]
        second = 2 * surface.center - surface.objective(step) - surface.objective(-step)
        if not np.isfinite(second):
            longest, length = length / 4, length / 4
            continue
        ratio = np.sqrt(wanted / (max(abs(second), 1e-300) / 2))
        # A direction of which the data say nothing costs nothing up to the edge of the space.
        if 0.5 <= ratio <= 2 or length >= longest < ratio * length:
            break
        length = min(length * float(np.clip(ratio, 0.1, 10.0)), longest)
    return length


def _hessian_at(surface: Surface, lengths: Array) -> Array:
    n = len(lengths)
    steps = lengths[:, None] * surface.directions
    plus = [surface.objective(step) for step in steps]
    minus = [surface.objective(-step) for step in steps]
    second: Array = np.empty((n, n))
    for i in range(n):
        second[i, i] = plus[i] - 2 * surface.center + minus[i]
        for j in range(i):
            both = surface.objective(steps[i] + steps[j]) + surface.objective(-steps[i] - steps[j])
            mixed = (both - plus[i] - plus[j] - minus[i] - minus[j] + 2 * surface.center) / 2
            second[i, j] = second[j, i] = mixed
    return np.asarray(second / np.outer(lengths, lengths))

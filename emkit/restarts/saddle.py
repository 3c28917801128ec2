"""Ways off a saddle: a push to either side along the direction in which the EM map F grows most.

At a maximum all eigenvalues of the Jacobian of F are below 1; at a saddle the largest exceeds 1, and EM runs away along
its direction (Murray 1977 gives the classical case). Power iteration finds it from differences of F alone,

    v <- (F(x + h v) - F(x)) / h, divided by its norm, which tends to that eigenvalue.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emkit.space.coordinates import Coordinates, Guard

Array = NDArray[np.float64]

#: E-steps of the power iteration.
POWER_STEPS = 20
#: Lengths of the difference steps of the power iteration and of the push, relative to the scale of each field.
PROBE, PUSH = 1e-3, 0.1
#: Below this the largest eigenvalue belongs to a maximum beyond doubt.
NEARLY_ONE = 0.99
#: How often a push is halved to stay in the space.
MAX_HALVINGS = 30


def both_sides(model: Any, params: Any, em_step: Callable[[Any], Any]) -> list[Any]:
    """Return params on both sides along the direction in which EM grows most; none at a maximum."""
    image = em_step(params)
    coordinates = Coordinates.of(model, params, image)
    x, base = coordinates.flatten(params), coordinates.flatten(image)
    feasible = _Feasible(coordinates, x)
    direction, growth = _random_direction(coordinates, x), 0.0
    for _ in range(POWER_STEPS):
        probe, length = feasible.shortened(PROBE * direction)
        moved = coordinates.flatten(em_step(coordinates.unflatten(probe, like=params)))
        change = (moved - base) / (PROBE * length)
        growth = coordinates.norm(change)
        if not (np.isfinite(growth) and growth > 0):
            return []
        direction = change / growth
    if growth < NEARLY_ONE:
        return []
    sides = (feasible.shortened(sign * PUSH * direction)[0] for sign in (1, -1))
    return [coordinates.unflatten(side, like=params) for side in sides]


class _Feasible:
    """Shortens steps from a point until they stay in the space."""

    def __init__(self, coordinates: Coordinates[Any], x: Array) -> None:
        self._x = x
        self._guard = Guard(coordinates)
        self._guard.observe(x)

    def shortened(self, step: Array) -> tuple[Array, float]:
        """Return the point at the end of a step, and the fraction of the step that was taken."""
        fraction = 1.0
        for _ in range(MAX_HALVINGS):
            if self._guard.allows(self._x + fraction * step, self._x):
                break
            fraction /= 2
        return self._x + fraction * step, fraction


def _random_direction(coordinates: Coordinates[Any], x: Array) -> Array:
    """Return a direction of norm 1 that has a part in every free direction of the space, the same in every run."""
    rng = np.random.default_rng(0)
    direction = np.zeros_like(x)
    for entry in coordinates.entries:
        value = x[entry.place].reshape(entry.shape)
        directions = entry.space.tangent(value)
        touches_bound = np.abs(directions) @ entry.space.on_bound(value).ravel() > 0
        part = (rng.normal(size=len(directions)) * ~touches_bound) @ directions
        length = np.linalg.norm(part / entry.scale)
        direction[entry.place] = part / length if length else 0.0
    norm = coordinates.norm(direction)
    return direction / norm if norm else direction

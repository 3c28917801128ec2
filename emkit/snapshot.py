"""The state of a climb at one accepted point: enough to go on from there as if nothing had happened."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

import attrs
import numpy as np

from emkit.acceleration import Acceleration
from emkit.convergence import Monitor
from emkit.point import Point
from emkit.space.base import Array

T = TypeVar("T")


@attrs.frozen(eq=False)
class Snapshot:
    """A climb at rest at an accepted point.

    Statistics are not kept: an E-step at the params gives them again, bit for bit.

    Attributes
    ----------
    point : Point
        Where the climb stands, without statistics.
    image : params or None
        Its EM image, where that is known already.
    anchor : tuple or None
        The point before the last accelerated step, and its image.
    gain : float or None
        What the plain step to this point has gained.
    monitor, acceleration
        The memories of the stopping rule and of the accelerator; the second is None if it cannot be stored.
    scale : (n_entries,)
        Units of the accelerated entries.
    held : list of tuples of str
        What held so far of each undeclared field.
    next_look : int
        Number of accepted points at which the units are looked at again.
    rows : (n_points, 6)
        The trail.
    """

    point: Point
    image: Any
    anchor: tuple[Point, Any] | None
    gain: float | None
    monitor: Monitor
    acceleration: Acceleration | None
    scale: Array
    held: list[tuple[str, ...]]
    next_look: int
    rows: Array
    n_e_steps: int
    n_rejected: int
    has_polished: bool
    seconds: float


def without_statistics(point: Point) -> Point:
    """Return a point without what an E-step gives again."""
    return attrs.evolve(point, statistics=None)


def copied(memory: T) -> T:
    """Return a memory that no longer changes with the original; arrays are never written to, and shared."""
    if not attrs.has(type(memory)):
        return copy.deepcopy(memory)
    twin = copy.copy(memory)
    kind: Any = type(memory)
    for field in attrs.fields(kind):
        value = getattr(memory, field.name)
        if isinstance(value, list):
            object.__setattr__(twin, field.name, list(value))
        elif attrs.has(type(value)) and not isinstance(value, np.ndarray):
            object.__setattr__(twin, field.name, copied(value))
    return twin

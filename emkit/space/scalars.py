"""Sets whose entries are free of each other, or nearly: numbers, bounded numbers, constants."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit.space.base import (
    BOUND_RTOL,
    INSIDE,
    ON_BOUND,
    PROBABILITY_ATOL,
    Array,
    Space,
    as_floats,
    first_true,
    outside,
)

#: What is said of one entry, and of several, that a safeguard holds up.
ON_FLOOR = (
    "rests on its floor: the data do not determine it.",
    "rest on their floor: the data do not determine them.",
)


@attrs.frozen(eq=False)
class Real(Space):
    """Any finite number.

    ``scale`` is the size of a change that matters; default: the starting values' own. ``free`` (boolean,
    broadcastable) marks the entries that are estimated; the others keep the value that they have.
    """

    scale: Array | None = None
    free: NDArray[np.bool_] | None = None

    def check(self, value: Any, name: str) -> None:
        """Raise unless every entry is finite."""
        array = as_floats(value)
        for index in first_true(~np.isfinite(array)):
            raise outside(name, index, "a finite number", array[index])

    def typical(self, value: Array) -> Array:
        """Return the declared scale, else the root mean square."""
        return super().typical(value) if self.scale is None else self.scale

    def tangent(self, value: Array) -> Array:
        """Return one direction for every free entry."""
        directions = np.eye(value.size)
        return directions if self.free is None else directions[np.broadcast_to(self.free, value.shape).ravel()]

    def n_free(self, value: Array) -> int:
        """Return the number of free entries."""
        return value.size if self.free is None else int(np.count_nonzero(np.broadcast_to(self.free, value.shape)))


@attrs.frozen(eq=False)
class Positive(Space):
    """Numbers of at least ``lower``. A positive ``lower`` is a safeguard, such as a floor under a variance."""

    lower: Any = 0.0
    scale: Array | None = None

    def _edge(self, side: int) -> Array:
        lower = as_floats(self.lower)
        return np.asarray(lower + side * BOUND_RTOL * np.abs(lower))

    def check(self, value: Any, name: str) -> None:
        """Raise unless every entry is finite and at least ``lower``."""
        Real().check(value, name)
        array = as_floats(value)
        for index in first_true(array < self._edge(-1)):
            raise outside(
                name,
                index,
                f"at least {np.broadcast_to(self.lower, array.shape)[index]:g}",
                array[index],
            )

    def allows(self, proposal: Array, reference: Array) -> bool:
        """Return whether entries above the bound stay above it."""
        above = np.where(reference > self.lower, proposal > self.lower, proposal >= self.lower)
        return bool(above.all()) and bool(np.isfinite(proposal).all())

    def pull_inside(self, proposal: Array, reference: Array) -> Array:
        """Return entries at or below the bound moved above it."""
        lower = as_floats(self.lower)
        return np.where((proposal <= lower) & (reference > lower), lower + INSIDE * (reference - lower), proposal)

    def room(self, value: Array, direction: Array) -> Array:
        """Return the distance from ``lower``, downwards."""
        return np.where(direction < 0, value - as_floats(self.lower), np.inf)

    def on_bound(self, value: Array) -> NDArray[np.bool_]:
        """Return which entries equal ``lower``."""
        return np.asarray(value <= self._edge(1))

    def on_floor(self, value: Array) -> bool:
        """Return whether a positive ``lower`` is active."""
        return bool((self.on_bound(value) & (np.asarray(self.lower) > 0)).any())

    def describe_bound(self, value: Array, name: str) -> str | None:
        """Return a sentence about the entries on the bound, or None."""
        sentence = super().describe_bound(value, name)
        if sentence and self.on_floor(value):
            for edge, floor in zip(ON_BOUND, ON_FLOOR, strict=True):
                sentence = sentence.replace(edge, floor)
        return sentence

    def typical(self, value: Array) -> Array:
        """Return the declared scale, else the root mean square."""
        return super().typical(value) if self.scale is None else self.scale


@attrs.frozen(eq=False)
class UnitInterval(Space):
    """Probabilities that need not sum to one."""

    def check(self, value: Any, name: str) -> None:
        """Raise unless every entry is in [0, 1]."""
        array = as_floats(value)
        for index in first_true(~((array >= 0) & (array <= 1))):
            raise outside(name, index, "in [0, 1]", array[index])

    def allows(self, proposal: Array, reference: Array) -> bool:
        """Return whether entries inside (0, 1) stay inside."""
        low = np.where(reference > 0, proposal > 0, proposal >= 0)
        high = np.where(reference < 1, proposal < 1, proposal <= 1)
        return bool((low & high).all())

    def pull_inside(self, proposal: Array, reference: Array) -> Array:
        """Return entries at or beyond 0 or 1 moved inside."""
        inside = np.where((proposal <= 0) & (reference > 0), INSIDE * reference, proposal)
        return np.where((proposal >= 1) & (reference < 1), 1 - INSIDE * (1 - reference), inside)

    def room(self, value: Array, direction: Array) -> Array:
        """Return the distance from 0 downwards and from 1 upwards."""
        return np.where(direction < 0, value, np.where(direction > 0, 1 - value, np.inf))

    def on_bound(self, value: Array) -> NDArray[np.bool_]:
        """Return which entries are 0 or 1."""
        return np.asarray((value <= PROBABILITY_ATOL) | (value >= 1 - PROBABILITY_ATOL))


@attrs.frozen(eq=False)
class Ordered(Space):
    """Numbers that increase along the last axis."""

    def check(self, value: Any, name: str) -> None:
        """Raise unless entries are finite and strictly increasing along the last axis."""
        Real().check(value, name)
        array = as_floats(value)
        for index in first_true(np.diff(array, axis=-1) <= 0):
            raise outside(name, index, "less than the next entry", array[index])

    def allows(self, proposal: Array, reference: Array) -> bool:
        """Return whether the order is kept."""
        return bool(np.isfinite(proposal).all()) and bool((np.diff(proposal, axis=-1) > 0).all())


@attrs.frozen(eq=False)
class Fixed(Space):
    """A constant of the fit: saved, but neither estimated nor counted."""

    is_accelerated: ClassVar[bool] = False

    def check(self, value: Any, name: str) -> None:
        """Raise unless every entry is finite."""
        Real().check(value, name)

    def tangent(self, value: Array) -> Array:
        """Return no direction."""
        return np.zeros((0, value.size))

    def n_free(self, value: Array) -> int:
        """Return zero."""
        return 0


@attrs.frozen(eq=False)
class Integer(Space):
    """Whole numbers: estimated, but outside acceleration and differentiation."""

    is_accelerated: ClassVar[bool] = False

    def check(self, value: Any, name: str) -> None:
        """Raise unless every entry is a whole number."""
        array = as_floats(value)
        for index in np.argwhere(~(np.isfinite(array) & (array == np.round(array))))[:1]:
            raise outside(name, index, "a whole number", array[index])

    def tangent(self, value: Array) -> Array:
        """Return no direction."""
        return np.zeros((0, value.size))

    def n_free(self, value: Array) -> int:
        """Return zero."""
        return 0


@attrs.frozen(eq=False)
class Undeclared(Space):
    """A field that declares nothing: real, and guarded by what held at every EM iterate so far.

    See :class:`emkit.space.coordinates.Guard` and :func:`emkit.space.assignment.infer_spaces`.
    """

    def check(self, value: Any, name: str) -> None:
        """Raise unless every entry is finite."""
        Real().check(value, name)

"""Numbers that a safeguard keeps from growing without bound, or from coming too near to zero."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit.errors import InvalidParamsError
from emkit.space import Positive, Space

Array = NDArray[np.float64]
#: How near to its cap a number counts as resting on it, relative to the cap; and how near a step may take it.
AT_CAP = 1e-6


@attrs.frozen(eq=False)
class Capped(Space):
    """Numbers between ``lower`` and ``upper``, where ``upper``, and a ``lower`` above zero, are no natural bounds."""

    upper: Any
    lower: Any = 0.0

    @property
    def _floor(self) -> Positive:
        return Positive(self.lower)

    def check(self, value: Any, name: str) -> None:
        """Raise unless every entry is finite, at least ``lower`` and at most ``upper``."""
        self._floor.check(value, name)
        array = np.asarray(value, dtype=np.float64)
        over = np.argwhere(array > np.asarray(self.upper) * (1 + AT_CAP))
        if len(over):
            index = tuple(over[0].tolist())
            cap = np.broadcast_to(self.upper, array.shape)[index]
            msg = f"{name}[{', '.join(map(str, index))}] must be at most {cap:g}, but is {array[index]}. Start lower."
            raise InvalidParamsError(msg)

    def allows(self, proposal: Array, reference: Array) -> bool:
        """Return whether entries inside stay inside."""
        below = np.where(reference < self.upper, proposal < self.upper, proposal <= self.upper)
        return self._floor.allows(proposal, reference) and bool(below.all())

    def pull_inside(self, proposal: Array, reference: Array) -> Array:
        """Return entries beyond an end moved inside; those above the cap at the reference's distance from it."""
        pulled = self._floor.pull_inside(proposal, reference)
        return np.where(pulled > self.upper, (reference + self.upper) / 2, pulled)

    def room(self, value: Array, direction: Array) -> Array:
        """Return the distance from ``lower`` downwards and from the cap upwards."""
        return np.where(
            direction < 0, value - self.lower, np.where(direction > 0, np.maximum(self.upper - value, 0.0), np.inf)
        )

    def on_bound(self, value: Array) -> NDArray[np.bool_]:
        """Return which entries are at either end."""
        return np.asarray(self._floor.on_bound(value) | self._at_cap(value))

    def on_floor(self, value: Array) -> bool:
        """Return whether the cap, or a ``lower`` above zero, holds any entry."""
        return bool(self._at_cap(value).any()) or self._floor.on_floor(value)

    def _at_cap(self, value: Array) -> NDArray[np.bool_]:
        return np.asarray(value >= np.asarray(self.upper) * (1 - AT_CAP))

    def describe_bound(self, value: Array, name: str) -> str | None:
        """Return a sentence about the entries on the edge, or None."""
        where = np.argwhere(self._at_cap(value))
        if len(where) == 0:
            return self._floor.describe_bound(value, name)
        place = f"{name}[{', '.join(map(str, where[0]))}]"
        others = f" and {len(where) - 1} more" if len(where) > 1 else ""
        return f"{place}{others} rests on its cap: the data do not determine it."

"""Proportions, and matrices of them."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit.space.base import INSIDE, PROBABILITY_ATOL, Array, Space, as_floats, first_true, outside

#: How far from one a proportion may sum. Rounding of 1e6 additions stays far below it, a mistake far above.
SUM_TOLERANCE = 1e-8


@attrs.frozen(eq=False)
class Simplex(Space):
    """Proportions: non-negative, summing to one over the last axis. A matrix holds one distribution per row.

    ``support`` (boolean, broadcastable) marks the entries that may be positive: a zero outside it is structural.
    ``known`` (broadcastable, NaN where an entry is free) holds the entries that somebody has fixed.
    """

    support: NDArray[np.bool_] | None = None
    known: Array | None = None

    def check(self, value: Any, name: str) -> None:
        """Raise unless rows are non-negative, zero outside the support, and sum to one."""
        array = as_floats(value)
        for index in first_true(~(array >= 0)):
            raise outside(name, index, "a proportion of at least 0", array[index])
        if self.support is not None:
            for index in first_true((array > 0) & ~self._support(array)):
                raise outside(name, index, "0 (outside the support)", array[index])
        if self.known is not None:
            known = self._known(array)
            for index in first_true(~np.isnan(known) & ~(np.abs(array - known) <= SUM_TOLERANCE)):
                raise outside(name, index, f"{known[index]:g}, as it is fixed", array[index])
        total = array.sum(axis=-1)
        for index in first_true(~(np.abs(total - 1) <= SUM_TOLERANCE)):
            raise outside(name, index, "a set of proportions that sum to 1", f"summing to {float(total[index])!r}")

    def _support(self, value: Array) -> NDArray[np.bool_]:
        return np.ones(value.shape, dtype=bool) if self.support is None else np.broadcast_to(self.support, value.shape)

    def _known(self, value: Array) -> Array:
        return np.full(value.shape, np.nan) if self.known is None else np.broadcast_to(self.known, value.shape)

    def _free(self, value: Array) -> NDArray[np.bool_]:
        """Return which entries are estimated: supported and not fixed."""
        return self._support(value) & np.isnan(self._known(value))

    def allows(self, proposal: Array, reference: Array) -> bool:
        """Return whether positive entries stay positive."""
        inside = np.where(reference > 0, proposal > 0, proposal >= 0)
        return bool(inside.all()) and bool(np.isfinite(proposal).all())

    def pull_inside(self, proposal: Array, reference: Array) -> Array:
        """Return entries at or below 0 moved above it, and the others of their row shortened to keep its sum."""
        outside = (proposal <= 0) & (reference > 0)
        if not outside.any() or not np.isfinite(proposal).all():
            return proposal
        moved = np.where(outside, INSIDE * reference, np.where(self._free(reference), 0.0, proposal))
        others = np.where(outside | ~self._free(reference), 0.0, proposal)
        rest = others.sum(axis=-1, keepdims=True)
        share = (1 - moved.sum(axis=-1, keepdims=True)) / np.where(rest > 0, rest, 1.0)
        return np.asarray(moved + others * share)

    def tangent(self, value: Array) -> Array:
        """Return ``e_j - e_r`` for every free entry j of a row but the row's largest free entry r."""
        rows = value.reshape(-1, value.shape[-1])
        free = self._free(value).reshape(rows.shape)
        directions = []
        for i, row in enumerate(rows):
            largest = int(np.argmax(np.where(free[i], row, -1.0)))
            for j in np.flatnonzero(free[i]):
                if j != largest:
                    direction = np.zeros(rows.shape)
                    direction[i, j], direction[i, largest] = 1.0, -1.0
                    directions.append(direction.ravel())
        return np.array(directions).reshape(len(directions), value.size)

    def n_free(self, value: Array) -> int:
        """Return the number of free entries less one for each row that has any."""
        if self.support is None and self.known is None:
            return int(value.size - value.size // max(value.shape[-1], 1))
        free = np.count_nonzero(self._free(value), axis=-1)
        return int(np.sum(np.maximum(free - 1, 0)))

    def room(self, value: Array, direction: Array) -> Array:
        """Return the distance from 0, downwards; entries that are not free have no bound to meet."""
        return np.where((direction < 0) & self._free(value), value, np.inf)

    def on_bound(self, value: Array) -> NDArray[np.bool_]:
        """Return which free entries are zero."""
        return np.asarray((value <= PROBABILITY_ATOL) & self._free(value))

"""What a set of parameter values must be able to tell."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from emkit.errors import InvalidParamsError

Array = NDArray[np.float64]

#: A probability this close to 0 or 1 lies on its bound: EM only approaches a bound, and no data of fewer than a
#: billion rows could tell the difference.
PROBABILITY_ATOL = 1e-9
#: An entry this close to its bound, relative to the bound, counts as lying on it.
BOUND_RTOL = 1e-6
#: How near to a bound an entry may be taken in one accelerated step, relative to where EM takes it.
INSIDE = 0.1
#: What is said of one entry on the edge, and of several.
ON_BOUND = ("lies on the bound of its space.", "lie on the bound of their space.")


def as_floats(value: Any) -> Array:
    """Return a value as a float64 array."""
    return np.asarray(value, dtype=np.float64)


def outside(name: str, index: tuple[int, ...], expected: str, found: object) -> InvalidParamsError:
    """Return the error that names field and index."""
    place = f"{name}[{', '.join(map(str, index))}]" if index else name
    return InvalidParamsError(f"{place} must be {expected}, but is {found}. Give starting params inside that set.")


def first_true(flags: NDArray[np.bool_]) -> list[tuple[int, ...]]:
    """Return the index of the first True in a list, an empty list if there is none."""
    return [tuple(np.argwhere(flags)[0].tolist())] if flags.any() else []


class Space(ABC):
    """One set of parameter values.

    Attributes
    ----------
    is_accelerated : bool
        Whether entries take part in acceleration; constants of a fit do not.
    is_affine : bool
        Whether affine combinations of members satisfy the set's equations. Inequalities are another matter: they are
        what :meth:`allows` tests.
    """

    is_accelerated: ClassVar[bool] = True
    is_affine: ClassVar[bool] = True

    @abstractmethod
    def check(self, value: Any, name: str) -> None:
        """Raise InvalidParamsError, naming field and index, unless ``value`` is a member."""

    def allows(self, proposal: Array, reference: Array) -> bool:
        """Return whether an affine proposal satisfies the inequalities; ``reference`` is a nearby member.

        An entry that is inside at the reference must be inside, not on the edge, at the proposal: EM cannot leave
        most edges again.
        """
        return bool(np.isfinite(proposal).all())

    def pull_inside(self, proposal: Array, reference: Array) -> Array:
        """Return the proposal with entries beyond a bound put back inside, where the set's equations permit that.

        An entry comes to :data:`INSIDE` of its distance from the bound at the reference; the rest is kept as far as
        possible. What is still not allowed must be shortened as a whole. The default changes nothing.
        """
        return proposal

    def tangent(self, value: Array) -> Array:
        """Return the free directions at ``value``, shape (n_free, size), one per row."""
        return np.eye(value.size)

    def n_free(self, value: Array) -> int:
        """Return the number of free directions, without building them."""
        return value.size

    def room(self, value: Array, direction: Array) -> Array:
        """Return how far each entry can move in a direction (its sign) before it meets a bound; else infinite."""
        return np.full(value.shape, np.inf)

    def on_bound(self, value: Array) -> NDArray[np.bool_]:
        """Return which entries lie on the edge of the set, in the shape of ``value``."""
        return np.zeros(value.shape, dtype=bool)

    def on_floor(self, value: Array) -> bool:
        """Return whether a safeguard (not a natural bound such as 0) holds the value up: a degenerate estimate."""
        return False

    def describe_bound(self, value: Array, name: str) -> str | None:
        """Return a sentence about the entries on the edge, or None."""
        on_bound = self.on_bound(value)
        if not on_bound.any():
            return None
        where = np.argwhere(on_bound)
        place = f"{name}[{', '.join(map(str, where[0]))}]" if value.ndim else name
        others = f" and {len(where) - 1} more" if len(where) > 1 else ""
        return f"{place}{others} {ON_BOUND[len(where) > 1]}"

    def typical(self, value: Array) -> Array:
        """Return the size of a typical entry, broadcastable to ``value``; zero where nothing can be said."""
        return np.asarray(root_mean_square(value))


def root_mean_square(value: Array) -> float:
    """Return the root of the mean square, zero of an empty array."""
    largest = float(np.abs(value).max(initial=0.0))
    # Divided by the largest first: units may be such that squares overflow.
    return largest * float(np.sqrt(np.mean((value / largest) ** 2))) if 0 < largest < np.inf else largest

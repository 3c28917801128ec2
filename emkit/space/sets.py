"""The sets themselves: what belongs to them, how many dimensions they have, when a point is on their edge."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit.errors import InvalidParamsError

Array = NDArray[np.float64]

#: How far from one a proportion may sum. Rounding of 1e6 additions stays far below it, a mistake far above.
SUM_TOLERANCE = 1e-8
#: A probability this close to 0 or 1 lies on its bound: EM only approaches a bound, and no data of fewer than a
#: billion rows could tell the difference.
PROBABILITY_ATOL = 1e-9
#: An entry this close to its bound, relative to the bound, counts as lying on it.
BOUND_RTOL = 1e-6
_ON_BOUND = "lies on the bound of its space."


def _as_array(value: Any) -> Array:
    return np.asarray(value, dtype=np.float64)


def _fail(name: str, index: tuple[int, ...], expected: str, found: object) -> InvalidParamsError:
    place = f"{name}[{', '.join(map(str, index))}]" if index else name
    return InvalidParamsError(f"{place} must be {expected}, but is {found}. Give starting params inside that set.")


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

    def tangent(self, value: Array) -> Array:
        """Return the free directions at ``value``, shape (n_free, size), one per row."""
        return np.eye(value.size)

    def on_bound(self, value: Array) -> NDArray[np.bool_]:
        """Return which entries lie on the edge of the set, in the shape of ``value``."""
        return np.zeros(value.shape, dtype=bool)

    def on_floor(self, value: Array) -> bool:
        """Return whether a safeguard (not a natural bound such as 0) holds the value up: a degenerate estimate."""
        return False

    def describe_bound(self, value: Array, name: str) -> str | None:
        """Return a sentence about the entries on the edge, or None."""
        where = np.argwhere(self.on_bound(value))
        if len(where) == 0:
            return None
        place = f"{name}[{', '.join(map(str, where[0]))}]" if value.ndim else name
        others = f" and {len(where) - 1} more" if len(where) > 1 else ""
        return f"{place}{others} {_ON_BOUND}"

    def typical(self, value: Array) -> Array:
        """Return the size of a typical entry, broadcastable to ``value``; zero where nothing can be said."""
        return np.asarray(_root_mean_square(value))


def _root_mean_square(value: Array) -> float:
    largest = float(np.abs(value).max(initial=0.0))
    # Divided by the largest first: units may be such that squares overflow.
    return largest * float(np.sqrt(np.mean((value / largest) ** 2))) if 0 < largest < np.inf else largest


@attrs.frozen(eq=False)
class Real(Space):
    """Any finite number. ``scale`` is the size of a change that matters; default: the starting values' own."""

    scale: Array | None = None

    def check(self, value: Any, name: str) -> None:
        """Raise unless every entry is finite."""
        array = _as_array(value)
        for index in np.argwhere(~np.isfinite(array))[:1]:
            raise _fail(name, tuple(index), "a finite number", array[tuple(index)])

    def typical(self, value: Array) -> Array:
        """Return the declared scale, else the root mean square."""
        return super().typical(value) if self.scale is None else self.scale


@attrs.frozen(eq=False)
class Positive(Space):
    """Numbers of at least ``lower``. A positive ``lower`` is a safeguard, such as a floor under a variance."""

    lower: Any = 0.0
    scale: Array | None = None

    def check(self, value: Any, name: str) -> None:
        """Raise unless every entry is finite and at least ``lower``."""
        Real().check(value, name)
        array = _as_array(value)
        for index in np.argwhere(array < np.asarray(self.lower) * (1 - BOUND_RTOL))[:1]:
            raise _fail(
                name,
                tuple(index),
                f"at least {np.broadcast_to(self.lower, array.shape)[tuple(index)]:g}",
                array[tuple(index)],
            )

    def allows(self, proposal: Array, reference: Array) -> bool:
        """Return whether entries above the bound stay above it."""
        above = np.where(reference > self.lower, proposal > self.lower, proposal >= self.lower)
        return bool(above.all()) and bool(np.isfinite(proposal).all())

    def on_bound(self, value: Array) -> NDArray[np.bool_]:
        """Return which entries equal ``lower``."""
        return np.asarray(value <= np.asarray(self.lower) * (1 + BOUND_RTOL))

    def on_floor(self, value: Array) -> bool:
        """Return whether a positive ``lower`` is active."""
        return bool((self.on_bound(value) & (np.asarray(self.lower) > 0)).any())

    def describe_bound(self, value: Array, name: str) -> str | None:
        """Return a sentence about the entries on the bound, or None."""
        sentence = super().describe_bound(value, name)
        if sentence and self.on_floor(value):
            return sentence.replace(_ON_BOUND, "rests on its floor: the data do not determine it.")
        return sentence

    def typical(self, value: Array) -> Array:
        """Return the declared scale, else the root mean square."""
        return super().typical(value) if self.scale is None else self.scale


@attrs.frozen(eq=False)
class UnitInterval(Space):
    """Probabilities that need not sum to one."""

    def check(self, value: Any, name: str) -> None:
        """Raise unless every entry is in [0, 1]."""
        array = _as_array(value)
        for index in np.argwhere(~((array >= 0) & (array <= 1)))[:1]:
            raise _fail(name, tuple(index), "in [0, 1]", array[tuple(index)])

    def allows(self, proposal: Array, reference: Array) -> bool:
        """Return whether entries inside (0, 1) stay inside."""
        low = np.where(reference > 0, proposal > 0, proposal >= 0)
        high = np.where(reference < 1, proposal < 1, proposal <= 1)
        return bool((low & high).all())

    def on_bound(self, value: Array) -> NDArray[np.bool_]:
        """Return which entries are 0 or 1."""
        return np.asarray((value <= PROBABILITY_ATOL) | (value >= 1 - PROBABILITY_ATOL))


@attrs.frozen(eq=False)
class Simplex(Space):
    """Proportions: non-negative, summing to one over the last axis. A matrix holds one distribution per row.

    ``support`` (boolean, broadcastable) marks the entries that may be positive: a zero outside it is structural.
    """

    support: NDArray[np.bool_] | None = None

    def check(self, value: Any, name: str) -> None:
        """Raise unless rows are non-negative, zero outside the support, and sum to one."""
        array = _as_array(value)
        for index in np.argwhere(~(array >= 0))[:1]:
            raise _fail(name, tuple(index), "a proportion of at least 0", array[tuple(index)])
        for index in np.argwhere((array > 0) & ~self._support(array))[:1]:
            raise _fail(name, tuple(index), "0 (outside the support)", array[tuple(index)])
        total = array.sum(axis=-1)
        for index in np.argwhere(~(np.abs(total - 1) <= SUM_TOLERANCE))[:1]:
            raise _fail(name, tuple(index), "a set of proportions that sum to 1", f"summing to {total[tuple(index)]!r}")

    def _support(self, value: Array) -> NDArray[np.bool_]:
        return np.ones(value.shape, dtype=bool) if self.support is None else np.broadcast_to(self.support, value.shape)

    def allows(self, proposal: Array, reference: Array) -> bool:
        """Return whether positive entries stay positive."""
        inside = np.where(reference > 0, proposal > 0, proposal >= 0)
        return bool(inside.all()) and bool(np.isfinite(proposal).all())

    def tangent(self, value: Array) -> Array:
        """Return ``e_j - e_r`` for every supported entry j of a row but the row's largest entry r."""
        rows = value.reshape(-1, value.shape[-1])
        support = self._support(value).reshape(rows.shape)
        directions = []
        for i, row in enumerate(rows):
            largest = int(np.argmax(row))
            for j in np.flatnonzero(support[i]):
                if j != largest:
                    direction = np.zeros(rows.shape)
                    direction[i, j], direction[i, largest] = 1.0, -1.0
                    directions.append(direction.ravel())
        return np.array(directions).reshape(len(directions), value.size)

    def on_bound(self, value: Array) -> NDArray[np.bool_]:
        """Return which supported entries are zero."""
        return np.asarray((value <= PROBABILITY_ATOL) & self._support(value))


@attrs.frozen(eq=False)
class Covariance(Space):
    """Symmetric positive definite matrices, over the last two axes.

    The set is ``{S : eigenvalues of D^-1 S D^-1 >= floor}`` with ``D = diag(unit)``: the floor is relative to the
    unit of each column, so that it means the same in metres and in miles.
    """

    floor: float = 0.0
    unit: Array | None = None

    def _unit(self, value: Array) -> Array:
        return np.ones(value.shape[-1]) if self.unit is None else self.unit

    def _standardised(self, value: Array) -> Array:
        unit = self._unit(value)
        return value / np.outer(unit, unit)

    def check(self, value: Any, name: str) -> None:
        """Raise unless every matrix is symmetric with eigenvalues at least ``floor``."""
        Real().check(value, name)
        array = _as_array(value)
        if array.ndim < 2 or array.shape[-1] != array.shape[-2]:
            raise _fail(name, (), "square over its last two axes", f"of shape {array.shape}")
        standard = self._standardised(array)
        asymmetry = np.abs(standard - np.swapaxes(standard, -1, -2)).max(axis=(-1, -2))
        size = np.abs(standard).max(axis=(-1, -2))
        for index in np.argwhere(asymmetry > 1e-8 * size)[:1]:
            raise _fail(name, tuple(index), "symmetric", f"not, by {asymmetry[tuple(index)]:.3g}")
        smallest = np.linalg.eigvalsh(standard)[..., 0]
        wrong = (smallest <= 0) | (smallest < self.floor * (1 - BOUND_RTOL))
        for index in np.argwhere(wrong)[:1]:
            expected = f"positive definite with eigenvalues of at least {self.floor:g} (relative to its units)"
            raise _fail(name, tuple(index), expected, f"a matrix with eigenvalue {smallest[tuple(index)]:.3g}")

    def allows(self, proposal: Array, reference: Array) -> bool:
        """Return whether every matrix stays positive definite and above the floor."""
        if not np.isfinite(proposal).all():
            return False
        inside = self._standardised(proposal) - self.floor * (1 - BOUND_RTOL) * np.eye(proposal.shape[-1])
        try:
            np.linalg.cholesky(inside)
        except np.linalg.LinAlgError:
            return False
        return True

    def tangent(self, value: Array) -> Array:
        """Return one symmetric direction for every entry of the upper triangle of every matrix."""
        size = value.shape[-1]
        matrices = value.reshape(-1, size, size)
        directions = []
        for m in range(len(matrices)):
            for i in range(size):
                for j in range(i, size):
                    direction = np.zeros(matrices.shape)
                    direction[m, i, j] = direction[m, j, i] = 1.0
                    directions.append(direction.ravel())
        return np.array(directions)

    def on_bound(self, value: Array) -> NDArray[np.bool_]:
        """Return the whole matrix as True where its smallest eigenvalue is the floor."""
        smallest = np.linalg.eigvalsh(self._standardised(value))[..., 0]
        at_floor = smallest <= self.floor * (1 + 1e3 * BOUND_RTOL)
        return np.asarray(np.broadcast_to(at_floor[..., None, None], value.shape))

    def on_floor(self, value: Array) -> bool:
        """Return whether the floor holds up any matrix."""
        return bool(self.on_bound(value).any())

    def describe_bound(self, value: Array, name: str) -> str | None:
        """Return a sentence naming the matrices that rest on the floor."""
        flags = self.on_bound(value)[..., 0, 0]
        if not flags.any():
            return None
        which = name if flags.ndim == 0 else f"{name}[{', '.join(str(i) for i in np.flatnonzero(flags))}]"
        return f"{which} rests on its eigenvalue floor ({self.floor:g}, relative): the data do not determine it."

    def typical(self, value: Array) -> Array:
        """Return the product of typical standard deviations for every entry."""
        if self.unit is not None:
            return np.outer(self.unit, self.unit)
        variances = np.einsum("...ii->...i", value).reshape(-1, value.shape[-1]).mean(axis=0)
        deviations = np.sqrt(np.abs(variances))
        return np.outer(deviations, deviations)


@attrs.frozen(eq=False)
class Ordered(Space):
    """Numbers that increase along the last axis."""

    def check(self, value: Any, name: str) -> None:
        """Raise unless entries are finite and strictly increasing along the last axis."""
        Real().check(value, name)
        array = _as_array(value)
        for index in np.argwhere(np.diff(array, axis=-1) <= 0)[:1]:
            raise _fail(name, tuple(index), "less than the next entry", array[tuple(index)])

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


@attrs.frozen(eq=False)
class Integer(Space):
    """Whole numbers: estimated, but outside acceleration and differentiation."""

    is_accelerated: ClassVar[bool] = False

    def check(self, value: Any, name: str) -> None:
        """Raise unless every entry is a whole number."""
        array = _as_array(value)
        for index in np.argwhere(~(np.isfinite(array) & (array == np.round(array))))[:1]:
            raise _fail(name, tuple(index), "a whole number", array[tuple(index)])

    def tangent(self, value: Array) -> Array:
        """Return no direction."""
        return np.zeros((0, value.size))


@attrs.frozen(eq=False)
class Undeclared(Space):
    """A field that declares nothing: real, and guarded by what held at every EM iterate so far.

    See :class:`emkit.space.coordinates.Guard`. Its equations are read off the value: entries that sum to one over the
    last axis count as proportions, symmetric matrices as covariances.
    """

    def check(self, value: Any, name: str) -> None:
        """Raise unless every entry is finite."""
        Real().check(value, name)

    def tangent(self, value: Array) -> Array:
        """Return the free directions of the set the value looks like a member of."""
        return self._guess(value).tangent(value)

    def on_bound(self, value: Array) -> NDArray[np.bool_]:
        """Return which entries lie on the edge of that set."""
        return self._guess(value).on_bound(value)

    def _guess(self, value: Array) -> Space:
        if value.ndim and value.shape[-1] > 1:
            if (value >= 0).all() and (np.abs(value.sum(axis=-1) - 1) <= SUM_TOLERANCE).all():
                return Simplex()
            is_square = value.ndim > 1 and value.shape[-1] == value.shape[-2]
            if is_square and np.array_equal(value, np.swapaxes(value, -1, -2)):
                return Covariance()
        return Real()

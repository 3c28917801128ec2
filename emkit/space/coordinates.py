"""Params as a vector, and which vectors may be evaluated: natural coordinates for acceleration."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit import tree
from emkit.space.assignment import spaces_of
from emkit.space.base import Array, Space
from emkit.space.scalars import Undeclared

Params = TypeVar("Params")


@attrs.frozen(eq=False)
class Entry:
    """One leaf of the params in the vector."""

    path: tree.Path
    space: Space
    shape: tuple[int, ...]
    is_float: bool
    place: slice
    scale: Array
    get: Callable[[Any], Any]

    @property
    def name(self) -> str:
        """The field as people write it."""
        return tree.path_name(self.path)


@attrs.frozen(eq=False)
class Coordinates(Generic[Params]):
    """The map between params and vectors of their accelerated entries, for one run of the driver.

    Vectors hold the natural values; :attr:`scale` holds the size of a typical change of each, taken from the starting
    params, so that norms do not depend on units.
    """

    entries: tuple[Entry, ...]
    like: Params
    scale: Array
    starts: NDArray[np.intp]
    sizes: Array

    @classmethod
    def of(cls, model: object, params: Params, after_one_step: Params | None = None) -> Coordinates[Params]:
        """Return the coordinates of a model's params; a field that starts at zero is scaled by its next value."""
        later = dict(tree.leaves(after_one_step)) if after_one_step is not None else {}
        entries: list[Entry] = []
        offset = 0
        spaces = spaces_of(model, params)
        for path, leaf in tree.leaves(params):
            space = spaces[path]
            if not space.is_accelerated or (isinstance(space, Undeclared) and _is_whole(later.get(path, leaf))):
                continue
            value = np.asarray(leaf, dtype=np.float64)
            scale = _scale(space, value, later.get(path))
            place = slice(offset, offset + value.size)
            is_float = not isinstance(leaf, np.ndarray)
            entries.append(Entry(path, space, value.shape, is_float, place, scale, tree.getter(params, path)))
            offset += value.size
        scales = [entry.scale for entry in entries]
        filled = [entry.place for entry in entries if entry.scale.size]
        return cls(
            tuple(entries),
            params,
            np.concatenate(scales) if scales else np.zeros(0),
            np.array([place.start for place in filled], dtype=np.intp),
            np.array([place.stop - place.start for place in filled], dtype=np.float64),
        )

    def scale_at(self, params: Params, after_one_step: Params) -> Array:
        """Return the scale that other params would give, in the same spaces."""
        scales = [_scale(e.space, np.asarray(e.get(params), float), e.get(after_one_step)) for e in self.entries]
        return np.concatenate(scales) if scales else np.zeros(0)

    def scaled(self, scale: Array) -> Coordinates[Params]:
        """Return the same coordinates with another scale."""
        entries = tuple(attrs.evolve(entry, scale=scale[entry.place]) for entry in self.entries)
        return attrs.evolve(self, entries=entries, scale=scale)

    def flatten(self, params: Params) -> Array:
        """Return the accelerated entries as one vector, in natural units."""
        parts = [self._part(entry, params) for entry in self.entries]
        return np.concatenate(parts) if parts else np.zeros(0)

    def _part(self, entry: Entry, params: Params) -> Array:
        try:
            value = np.asarray(entry.get(params), dtype=np.float64)
        except (AttributeError, LookupError, TypeError, ValueError):
            value = np.array(np.nan)
        if value.shape != entry.shape:
            msg = f"{entry.name} had shape {entry.shape} at the start, and now {value.shape}: an M-step must keep it."
            raise ValueError(msg)
        return value.ravel()

    def unflatten(self, vector: Array, like: Params | None = None) -> Params:
        """Return params with the entries of ``vector``; the rest is taken from ``like``."""
        values: dict[tree.Path, Any] = {}
        for entry in self.entries:
            part = vector[entry.place].reshape(entry.shape)
            values[entry.path] = float(part) if entry.is_float else part.copy()
        return tree.replace_leaves(self.like if like is None else like, values)

    def norms(self, scaled: Array) -> tuple[float, float]:
        """Return the root mean square of a difference, of all entries and the largest over fields.

        The difference is in units of each entry's scale. A step is small only if it is small in every field.
        """
        if scaled.size == 0:
            return 0.0, 0.0
        squares = np.add.reduceat(scaled * scaled, self.starts)
        return math.sqrt(squares.sum() / scaled.size), math.sqrt((squares / self.sizes).max())

    def norm(self, difference: Array) -> float:
        """Return the root mean square of a difference, each entry in units of its scale."""
        return self.norms(difference / self.scale)[0]


def _is_whole(leaf: Any) -> bool:
    """Return whether an M-step answered in whole numbers; a start of 1 and 3 would say nothing."""
    return np.asarray(leaf).dtype.kind in "iu"


def _scale(space: Space, value: Array, later: Any) -> Array:
    typical = np.empty(value.shape)
    typical[...] = space.typical(value)
    if later is not None and not (typical > 0).all():
        typical = np.where(typical > 0, typical, space.typical(np.asarray(later, dtype=np.float64)))
    typical[~((typical > 0) & np.isfinite(typical))] = 1.0
    return typical.ravel()


def _is_nonnegative(value: Array) -> bool:
    return bool((value >= 0).all())


def _is_at_most_one(value: Array) -> bool:
    return bool((value <= 1).all())


def _is_positive_definite(value: Array) -> bool:
    if value.ndim < 2 or value.shape[-1] != value.shape[-2]:
        return False
    if not np.allclose(value, np.swapaxes(value, -1, -2), rtol=1e-10, atol=0):
        return False
    try:
        np.linalg.cholesky(value)
    except np.linalg.LinAlgError:
        return False
    return True


_INFERRED: tuple[Callable[[Array], bool], ...] = (_is_nonnegative, _is_at_most_one, _is_positive_definite)


class Guard:
    """Decides whether an accelerated proposal may be evaluated at all.

    Declared fields answer for themselves. For an undeclared one, what held at every EM iterate so far must hold for
    the proposal: entries of at least 0 (and none newly 0), entries of at most 1, symmetric positive definite
    matrices. A finite likelihood is no evidence: a mixture with a negative proportion can have a higher one.
    """

    def __init__(self, coordinates: Coordinates[Any], held: Sequence[tuple[str, ...]] | None = None) -> None:
        self._entries = coordinates.entries
        self._held = {entry.path: _INFERRED for entry in self._entries if isinstance(entry.space, Undeclared)}
        if held is not None:
            tests = [tuple(test for test in _INFERRED if test.__name__ in names) for names in held]
            self._held = dict(zip(self._held, tests, strict=True))

    def held(self) -> list[tuple[str, ...]]:
        """Return the names of what held so far of each undeclared field, for a checkpoint."""
        return [tuple(test.__name__ for test in tests) for tests in self._held.values()]

    def observe(self, vector: Array) -> None:
        """Take note of an EM iterate."""
        for entry in self._entries:
            if entry.path in self._held:
                value = vector[entry.place].reshape(entry.shape)
                self._held[entry.path] = tuple(test for test in self._held[entry.path] if test(value))

    def pull_inside(self, proposal: Array, reference: Array) -> Array:
        """Return the proposal with every field pulled inside its bounds as far as its space can do that."""
        pulled = proposal.copy()
        for entry in self._entries:
            inside = entry.space.pull_inside(
                proposal[entry.place].reshape(entry.shape), reference[entry.place].reshape(entry.shape)
            )
            pulled[entry.place] = inside.ravel()
        return pulled

    def allows(self, proposal: Array, reference: Array) -> bool:
        """Return whether ``proposal`` is feasible, given an EM iterate nearby."""
        return all(
            self._entry_allows(
                entry, proposal[entry.place].reshape(entry.shape), reference[entry.place].reshape(entry.shape)
            )
            for entry in self._entries
        )

    def _entry_allows(self, entry: Entry, proposal: Array, reference: Array) -> bool:
        if not entry.space.allows(proposal, reference):
            return False
        held = self._held.get(entry.path, ())
        if _is_nonnegative in held and bool(((proposal == 0) & (reference > 0)).any()):
            return False
        return all(test(proposal) for test in held)

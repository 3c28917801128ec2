"""Params as vectors in natural units, what may be evaluated among them, and how long a step is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emkit import tree
from emkit.convergence import Step
from emkit.point import Point, Stop
from emkit.result import Status
from emkit.space.coordinates import Coordinates, Guard

Array = NDArray[np.float64]
#: How often a proposal is halved towards the EM iterate to become feasible before the plain step is taken.
MAX_HALVINGS = 30
#: A field whose typical size has grown by more than this factor is measured in new units. Smaller units are never
#: taken: what goes to zero would never come to rest.
OUTGROWN = 4.0


class Chart:
    """The coordinates of one climb.

    Parameters
    ----------
    model
        Whose params they are.
    params, image : params
        Where the climb stands, and the EM image.
    held : sequence of tuples of str, optional
        What held of undeclared fields in an earlier run.

    Attributes
    ----------
    basis : tuple
        The params and their image from which coordinates and units were read.
    """

    def __init__(self, model: Any, params: Any, image: Any, held: Sequence[tuple[str, ...]] | None = None) -> None:
        self._model = model
        self.basis = (params, image)
        self.coordinates = Coordinates.of(model, params, image)
        self.guard = Guard(self.coordinates, held)
        if held is None:
            self.guard.observe(self.coordinates.flatten(params))
        moving = {entry.path for entry in self.coordinates.entries}
        getters = {path: tree.getter(image, path) for path, _ in tree.leaves(image)}
        self.getters: list[Callable[[Any], Any]] = list(getters.values())
        self._constants = [get for path, get in getters.items() if path not in moving]
        self._seen: list[Any] = [None] * len(self._constants)

    @property
    def fields(self) -> list[slice]:
        """Where each field lies in a vector."""
        return [entry.place for entry in self.coordinates.entries]

    @property
    def is_affine(self) -> bool:
        """Whether affine combinations of params satisfy the equations of all their spaces."""
        return all(entry.space.is_affine for entry in self.coordinates.entries)

    def outgrown(self, params: Any, image: Any) -> bool:
        """Take new scales if the params have grown out of those of the start, which may have been next to zero."""
        growth = self.coordinates.scale_at(params, image) / self.coordinates.scale
        if not growth.size or growth.max() <= OUTGROWN:
            return False
        self.coordinates, self.basis = Coordinates.of(self._model, params, image), (params, image)
        return True

    def flatten_image(self, image: Any) -> Array:
        """Return what an M-step gave as a vector, or stop where it is not finite."""
        vector = self.coordinates.flatten(image)
        constants = [get(image) for get in self._constants]
        changed = [value for value, seen in zip(constants, self._seen, strict=True) if value is not seen]
        if not np.isfinite(vector).all() or not all(np.isfinite(value).all() for value in changed):
            paths = (path for path, leaf in tree.leaves(image) if not np.isfinite(leaf).all())
            detail = f"The M-step gave a value that is not finite in {tree.path_name(next(paths))}."
            raise Stop(Status.NONFINITE, detail)
        self._seen = constants
        self.guard.observe(vector)
        return vector

    def step(self, point: Point, x: Array, image: Array, gain: float | None, *, measures_length: bool) -> Step:
        """Return what the EM step from a point shows to a stopping rule."""
        scaled_x, scaled_image = x / self.coordinates.scale, image / self.coordinates.scale
        scaled, largest = self.coordinates.norms(scaled_image - scaled_x)
        length = _length(image - x) if measures_length else float("nan")
        return Step(length, scaled, largest, point.objective, point.floor, gain, scaled_x, scaled_image)

    def feasible(self, proposal: Array, image: Array) -> Array | None:
        """Return a proposal pulled inside its space, or halved towards the EM image until it is feasible."""
        if not self.guard.allows(proposal, image):
            proposal = self.guard.pull_inside(proposal, image)
        for _ in range(MAX_HALVINGS):
            if self.guard.allows(proposal, image):
                return proposal
            proposal = (proposal + image) / 2
        return None


def _length(difference: Array) -> float:
    """Return the Euclidean norm in natural units, which may be as large as 1e300."""
    with np.errstate(over="ignore"):
        return float(np.linalg.norm(difference))

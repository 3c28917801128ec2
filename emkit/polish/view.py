"""What a polish sees of a model: the objective, its gradient and the EM step, at vectors of accelerated entries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit import tree
from emkit.engines import Workload
from emkit.errors import DegenerateError
from emkit.information.score import score
from emkit.model import EStep
from emkit.space import spaces_of
from emkit.space.assignment import Spaces, free_directions, infer_spaces, n_free
from emkit.space.coordinates import Coordinates, Guard

Array = NDArray[np.float64]
#: How a model may refuse to tell its score at some point.
REFUSALS = (ArithmeticError, ValueError, RuntimeWarning, DegenerateError)


@attrs.frozen(eq=False)
class Place:
    """A point of the climb with the score there and where EM would go.

    Attributes
    ----------
    point : Point
        Params, statistics and objective.
    image : params
        After the M-step.
    x : (n_entries,)
        The accelerated entries of the params.
    step : (n_entries,)
        EM step, ``image - x``.
    score : (n_entries,)
        Gradient of the objective. Only products with differences of points of the space mean anything.
    """

    point: Any
    image: Any
    x: Array
    step: Array
    score: Array

    @property
    def slope(self) -> float:
        """Rise of the objective along the EM step, twice the gain that is left if EM were Newton's method."""
        return float(self.score @ self.step)


class View:
    """The model in the coordinates of a climb.

    Parameters
    ----------
    workload, coordinates, guard
        Those of the climb.
    reach : callable
        ``reach(params)`` runs one E-step and one M-step and returns the point and its EM image; None where the model
        refuses one of them.
    like : params
        Whose other entries, the constants, are kept.
    """

    def __init__(
        self,
        workload: Workload,
        coordinates: Coordinates[Any],
        guard: Guard,
        reach: Callable[[Any], tuple[Any, Any] | None],
        like: Any,
    ) -> None:
        self._workload = workload
        self.model = workload.model
        self._coordinates = coordinates
        self._guard = guard
        self._reach = reach
        self._like = like
        moving = {entry.path for entry in coordinates.entries}
        parts = [np.full(np.size(leaf), path in moving) for path, leaf in tree.leaves(like)]
        self._is_moving = np.concatenate(parts)
        self.n_e_steps = 0
        self.refusal = ""

    @property
    def scale(self) -> Array:
        """Size of a typical change of each entry, (n_entries,)."""
        return self._coordinates.scale

    def curved_fields(self) -> list[str]:
        """Return the fields whose space straight lines leave."""
        return [entry.name for entry in self._coordinates.entries if not entry.space.is_affine]

    def allows(self, x: Array, reference: Array) -> bool:
        """Return whether a vector is feasible, given a place nearby."""
        return self._guard.allows(x, reference)

    def inside(self, x: Array, reference: Array) -> Array | None:
        """Return a vector pulled inside bounds as far as its spaces can do that; None if it is not feasible then."""
        if not self._guard.allows(x, reference):
            x = self._guard.pull_inside(x, reference)
        return x if self._guard.allows(x, reference) else None

    def at(self, x: Array) -> Place | None:
        """Run an E-step at a feasible vector; None where the model refuses it or anything is not finite."""
        return self.reached(self._coordinates.unflatten(x, like=self._like))

    def reached(self, params: Any) -> Place | None:
        """Run an E-step at params; None where the model refuses them or anything is not finite."""
        self.n_e_steps += 1
        answer = self._reach(params)
        return None if answer is None else self.place(*answer)

    def place(self, point: Any, image: Any) -> Place | None:
        """Return a point with its score; None, and the reason in ``refusal``, where there is none."""
        x = self._coordinates.flatten(point.params)
        step = self._coordinates.flatten(image) - x
        e_step = EStep(point.statistics, point.log_likelihood, point.n_observations)
        try:
            with np.errstate(all="ignore"):
                gradient = score(self._workload, point.params, e_step)[self._is_moving]
        except REFUSALS as error:
            self.refusal = f"{type(error).__name__}: {error}"
            return None
        # On a bound a slope may be infinite, and EM does not move there.
        gradient = np.where((step == 0) & ~np.isfinite(gradient), 0.0, gradient)
        if not (np.isfinite(gradient) & np.isfinite(step)).all():
            self.refusal = "the score is not finite."
            return None
        return Place(point, image, x, step, gradient)

    def n_free(self, params: Any) -> int:
        """Return the number of free parameters, those on a bound included; at most the number of entries."""
        return min(n_free(spaces_of(self.model, params), params), int(self._is_moving.sum()))

    def free_directions(self, params: Any) -> Array:
        """Return the free directions that touch no entry on a bound, shape (n_free, n_entries)."""
        spaces: Spaces = infer_spaces(spaces_of(self.model, params), params, self._em_step)
        directions, on_bound = free_directions(spaces, params)
        return directions[~on_bound][:, self._is_moving]

    def _em_step(self, params: Any) -> Any:
        place = self.reached(params)
        return None if place is None else place.image

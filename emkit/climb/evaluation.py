"""The model's own two steps, within the budget of a fit and with its refusals turned into reasons to stop."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from emkit import tree
from emkit.convergence import FALL_RTOL
from emkit.engines import Workload
from emkit.errors import DegenerateError, InvalidParamsError
from emkit.model import as_number, offers
from emkit.point import REFUSALS, Point, Settings, Stop
from emkit.result import Status
from emkit.space.assignment import outside

#: How an E-step answers to params that are not of its model.
MISFITS = (*REFUSALS, AttributeError, LookupError, TypeError)


class Evaluation:
    """Runs E- and M-steps, and counts them.

    Attributes
    ----------
    n_e_steps : int
        So far.
    getters : list of callables
        How to fetch each leaf of the params, once that is known.
    """

    def __init__(self, workload: Workload, settings: Settings) -> None:
        self._workload = workload
        self._model = workload.model
        self._settings = settings
        self._has_prior = offers(self._model, "log_prior")
        self.n_e_steps = 0
        self.getters: list[Callable[[Any], Any]] = []

    def point_at(self, params: Any) -> Point:
        """Run one E-step, unless the budget is spent."""
        if self.n_e_steps >= self._settings.max_iter:
            raise Stop(Status.MAX_ITER)
        if self.n_e_steps and time.monotonic() > self._settings.deadline:
            raise Stop(Status.MAX_TIME)
        self.n_e_steps += 1
        try:
            e_step = self._workload.e_step(params)
        except (DegenerateError, np.linalg.LinAlgError) as error:
            raise Stop(Status.DEGENERATE, f"E-step: {error}") from error
        name = type(self._model).__name__
        log_likelihood = as_number(e_step.log_likelihood, f"{name}.e_step")
        prior = as_number(self._model.log_prior(params), f"{name}.log_prior") if self._has_prior else 0.0
        count = e_step.n_observations
        n_observations = None if count is None else as_number(count, f"{name}.e_step (n_observations)")
        return Point(params, e_step.statistics, log_likelihood, log_likelihood + prior, n_observations, e_step.rounding)

    def image_of(self, point: Point) -> Any:
        """Run one M-step."""
        try:
            following = self._model.m_step(point.params, point.statistics)
        except (DegenerateError, np.linalg.LinAlgError) as error:
            raise Stop(Status.DEGENERATE, f"M-step: {error}") from error
        except ValueError as error:
            if "read-only" in str(error):
                error.add_note("Params are read-only: m_step must return new arrays, not write into those it is given.")
            raise
        if following is None:
            msg = f"{type(self._model).__name__}.m_step returned None; it must return the new params."
            raise TypeError(msg)
        return self._locked(following)

    def require_finite(self, point: Point) -> None:
        """Stop unless the objective is a number."""
        if not np.isfinite(point.objective):
            detail = f"The objective is {point.objective} at E-step {self.n_e_steps}."
            raise Stop(Status.NONFINITE, f"{detail} {outside(self._model, point.params)}".rstrip())

    def require_inside(self, image: Any) -> None:
        """Raise InvalidParamsError if the first M-step leaves the space of the params: it would never come back."""
        is_finite = all(np.isfinite(leaf).all() for _, leaf in tree.leaves(image))
        wrong = outside(self._model, image) if is_finite else ""
        if wrong:
            found = wrong.partition(": ")[2]
            msg = f"{type(self._model).__name__}.m_step returned params outside their space: {found}"
            raise InvalidParamsError(msg)

    def attempt(self, follow: Callable[[], Point | None]) -> Point | None:
        """Return the point that some steps lead to; None if the model refuses one of them, or it is not finite.

        A spent budget, or a mistake in the model's code, is no refusal.
        """
        try:
            with np.errstate(all="ignore"):
                point = follow()
        except Stop as stop:
            if stop.status is not Status.DEGENERATE:
                raise
            return None
        except REFUSALS:
            return None
        return point if point is not None and np.isfinite(point.objective) else None

    def reach(self, params: Any) -> tuple[Point, Any] | None:
        """Return the point at params and its EM image, or None where the model refuses either."""
        images = []

        def follow() -> Point:
            point = self.point_at(params)
            images.append(self.image_of(point))
            return point

        point = self.attempt(follow)
        return None if point is None else (point, images[0])

    def recheck(self, before: Point) -> Point:
        """Return a point that was kept as this model and these data see it: one E-step.

        Raises
        ------
        ValueError
            If the objective there is not what it was: the model or the data have changed.
        """
        try:
            now = self.point_at(before.params)
            if abs(now.objective - before.objective) <= max(before.floor, FALL_RTOL * (1 + abs(before.objective))):
                return now
            found = f"it is {now.objective:.12g}"
        except (Stop, *MISFITS) as error:
            found = f"there is none ({type(error).__name__}: {error})"
        msg = (
            f"The checkpoint is of another fit: at its params the objective was {before.objective:.12g}, and with "
            f"this model and these data {found}. Give the model and the data of that fit, or another folder for the "
            "checkpoints of this one."
        )
        raise ValueError(msg)

    def _locked(self, params: Any) -> Any:
        """Forbid writing to the arrays of params, as :func:`emkit.tree.lock` does, without walking the tree."""
        try:
            for get in self.getters:
                value = get(params)
                if isinstance(value, np.ndarray) and value.flags.writeable:
                    value.setflags(write=False)
        except (AttributeError, LookupError, TypeError):
            # Of another form than the starting params: the flattening will say so.
            return tree.lock(params)
        return params if self.getters else tree.lock(params)

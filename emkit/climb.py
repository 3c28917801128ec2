"""One start of a fit, from its starting params to a reason to stop.

The loop, in words. An E-step at params x gives the objective at x; the M-step after it gives F(x). Then either

* the plain step: go to F(x). Its objective must not fall beyond rounding; or
* an accelerated one: evaluate a proposal instead, and go there only if the objective has not fallen (the gate).

Every E-step reports the objective at its own params, so neither the gate nor the check costs an extra one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emkit import tree
from emkit.acceleration import Acceleration
from emkit.boundary import notes_on_the_way
from emkit.convergence import FALL_RTOL, Step, is_fall
from emkit.engines import Workload
from emkit.errors import DegenerateError
from emkit.model import as_number, offers
from emkit.point import RECOVERABLE, REFUSALS, Ending, Point, Settings, Stop, describe_fall
from emkit.polish import Ascent, View
from emkit.result import Iterate, Status
from emkit.snapshot import Snapshot, restore, state_of
from emkit.space.assignment import outside
from emkit.space.coordinates import Coordinates, Guard
from emkit.trail import Trail

Array = NDArray[np.float64]
#: How often a proposal is halved towards the EM iterate to become feasible before the plain step is taken.
MAX_HALVINGS = 30
#: A field whose typical size has grown by more than this factor is measured in new units. Looked at when the number of
#: accepted points has doubled. Smaller units are never taken: what goes to zero would never come to rest.
OUTGROWN = 4.0
#: Accepted steps before a polish: from a start far off or next to a saddle the first gains say little.
STEPS_BEFORE_POLISH = 5
#: How an E-step answers to params that are not of its model.
MISFITS = (*REFUSALS, AttributeError, LookupError, TypeError)


class Climb:
    """The state of one start."""

    def __init__(
        self,
        workload: Workload,
        settings: Settings,
        index: int,
        report: Callable[[Iterate[Any]], None],
        keep: Callable[[Snapshot], None] | None = None,
    ) -> None:
        self._workload = workload
        self.model = workload.model
        self._settings = settings
        self._index = index
        self._report = report
        self._keep = keep
        self._has_prior = offers(self.model, "log_prior")
        self._monitor = settings.tolerance.begin()
        self._acceleration: Acceleration | None = None
        self._stabilises = False
        self._coordinates: Coordinates[Any]
        self._basis: tuple[Any, Any]
        self._guard: Guard
        self._next_look = 2
        self._has_polished = False
        self._polish_note = ""
        self._current: Point
        self._image: Any = None
        self._x: Array | None = None
        self._leaves: list[Callable[[Any], Any]] = []
        self._constants: list[Callable[[Any], Any]] = []
        self._seen: list[Any] = []
        self._gain: float | None = None
        self._anchor: tuple[Point, Any] | None = None
        self._trail = Trail(settings.began)
        self.best: Point | None = None
        self.n_e_steps = 0
        self.n_rejected = 0
        self.status = Status.MAX_ITER
        self.message = ""

    def ending(self) -> Ending:
        """Return where and why the climb has ended.

        Raises
        ------
        DegenerateError
            If there is no point at all: the model could not even take its first E-step.
        """
        if self.best is None:
            raise DegenerateError(self.message)
        return Ending(
            params=self.best.params,
            log_likelihood=self.best.log_likelihood,
            objective=self.best.objective,
            n_observations=self.best.n_observations,
            status=self.status,
            message=self.message,
            history=self._trail.history(),
            n_e_steps=self.n_e_steps,
            n_rejected=self.n_rejected,
            rate=self._monitor.rate,
            gap=self._monitor.gap,
            notes=tuple(self._notes()),
        )

    def _notes(self) -> list[str]:
        if self.status not in (Status.CONVERGED, Status.MAX_ITER, Status.MAX_TIME, Status.STALLED):
            return []
        notes = list(notes_on_the_way(self._coordinates, self._monitor.points, self._monitor.images))
        return [*notes, self._polish_note] if self._polish_note else notes

    def run(self, params: Any) -> None:
        """Climb from ``params`` until there is a reason to stop; afterwards the attributes tell the outcome."""
        try:
            self._climb(params)
        except Stop as stop:
            self.status, self.message = stop.status, stop.message
        except KeyboardInterrupt:
            if self.best is None or not self._settings.return_on_interrupt:
                raise
            self.status, self.message = Status.INTERRUPTED, Status.INTERRUPTED.value

    def resume(self, snapshot: Snapshot) -> None:
        """Go on from where a climb of the same model on the same data stood.

        Raises
        ------
        ValueError
            If the objective there is another one: the model or the data have changed.
        """
        self._restore(snapshot)
        self.run(None)

    def _climb(self, params: Any) -> None:
        if params is not None:
            self._begin(params)
            self._tell()
        while True:
            if self._keep is not None:
                self._keep(self.snapshot())
            try:
                self._step()
            except (Stop, *REFUSALS) as error:
                anchor, self._anchor = self._anchor, None
                if anchor is None or (isinstance(error, Stop) and error.status not in RECOVERABLE):
                    raise
                self._retreat(*anchor)
            # Outside the handler above: what a callback raises is nobody's refusal of a point.
            self._tell()

    def _step(self) -> None:
        """Go from the current point to the next accepted one."""
        point = self._current
        if self._image is None:
            self._image = self._m_step(point)
        if len(self._trail) == self._next_look:
            self._next_look *= 2
            self._rescale(point)
        x = self._coordinates.flatten(point.params) if self._x is None else self._x
        image = self._flatten_image()
        self._check_convergence(point, x, image)
        if self._polishes():
            return
        proposal = self._feasible_proposal(x, image)
        candidate = None if proposal is None else self._try(proposal, point)
        if candidate is not None:
            self._anchor = (point, self._image)
            self._accept(candidate, gain=None, x=None if self._stabilises else proposal)
            return
        following = self._evaluate(self._image)
        self._require_finite(following)
        self._require_no_fall(point, following)
        self._anchor = None
        self._accept(following, gain=following.objective - point.objective, x=image)

    def snapshot(self) -> Snapshot:
        """Return the state at the current point."""
        return Snapshot(
            point=self._current,
            x=self._x,
            image=self._image,
            anchor=self._anchor,
            gain=self._gain,
            monitor=state_of(self._monitor),
            acceleration=None if self._acceleration is None else state_of(self._acceleration),
            basis=self._basis,
            held=self._guard.held(),
            next_look=self._next_look,
            has_polished=self._has_polished,
            polish_note=self._polish_note,
            trail=self._trail.excerpt(),
            n_e_steps=self.n_e_steps,
            n_rejected=self.n_rejected,
        )

    def _restore(self, snapshot: Snapshot) -> None:
        self.best = self._current = self.recheck(snapshot)
        self._set_coordinates(*snapshot.basis)
        self._guard = Guard(self._coordinates, snapshot.held)
        self._x, self._image, self._gain, self._anchor = snapshot.x, snapshot.image, snapshot.gain, snapshot.anchor
        if snapshot.monitor is not None:
            restore(self._monitor, snapshot.monitor)
        self._begin_acceleration()
        if snapshot.acceleration is not None and self._acceleration is not None:
            restore(self._acceleration, snapshot.acceleration)
        self._next_look = snapshot.next_look
        self._has_polished, self._polish_note = snapshot.has_polished, snapshot.polish_note
        self._trail = Trail.again(snapshot.trail)
        self.n_e_steps, self.n_rejected = snapshot.n_e_steps, snapshot.n_rejected

    def recheck(self, snapshot: Snapshot) -> Point:
        """Return the point of a snapshot as this model and these data see it: one E-step.

        Raises
        ------
        ValueError
            If the objective there is not what it was: the model or the data have changed.
        """
        before = snapshot.point
        try:
            now = self._evaluate(before.params)
            same = abs(now.objective - before.objective) <= max(before.floor, FALL_RTOL * (1 + abs(before.objective)))
            found = f"it is {now.objective:.12g}"
        except (Stop, *MISFITS) as error:
            same, found = False, f"there is none ({type(error).__name__}: {error})"
        if same:
            return now
        msg = (
            f"The checkpoint is of another fit: at its params the objective was {before.objective:.12g}, and with "
            f"this model and these data {found}. Give the model and the data of that fit, or another folder for the "
            "checkpoints of this one."
        )
        raise ValueError(msg)

    def _set_coordinates(self, params: Any, image: Any) -> None:
        self._basis = (params, image)
        self._coordinates = Coordinates.of(self.model, params, image)
        moving = {entry.path for entry in self._coordinates.entries}
        getters = {path: tree.getter(image, path) for path, _ in tree.leaves(image)}
        self._leaves = list(getters.values())
        self._constants = [get for path, get in getters.items() if path not in moving]
        self._seen = [None] * len(self._constants)

    def _begin(self, params: Any) -> None:
        point = self._evaluate(tree.owned(params))
        self._accept(point, gain=None)
        self._require_finite(point)
        image = self._m_step(point)
        self._set_coordinates(point.params, image)
        self._guard = Guard(self._coordinates)
        self._guard.observe(self._coordinates.flatten(point.params))
        self._begin_acceleration()
        self._image = image

    def _begin_acceleration(self) -> None:
        if self._settings.accelerator is not None:
            fields = [entry.place for entry in self._coordinates.entries]
            self._acceleration = self._settings.accelerator.begin(self._coordinates.scale, fields)
            is_affine = all(entry.space.is_affine for entry in self._coordinates.entries)
            self._stabilises = self._acceleration.stabilises or not is_affine

    def _rescale(self, point: Point) -> None:
        """Take new scales if the params have grown out of those of the start, which may have been next to zero."""
        coordinates = Coordinates.of(self.model, point.params, self._image)
        growth = coordinates.scale / self._coordinates.scale
        if growth.size and growth.max() > OUTGROWN:
            self._coordinates, self._basis = coordinates, (point.params, self._image)
            self._monitor.rescaled()
            self._begin_acceleration()

    def _accept(self, point: Point, gain: float | None, x: Array | None = None) -> None:
        """Make ``point``, as a vector ``x``, the current one; ``gain`` is what a plain step to it has gained."""
        self.best = self._current = point
        self._gain, self._x, self._image = gain, x, None
        self._trail.add(point, self.n_e_steps)

    def _tell(self) -> None:
        """Report the current point."""
        point = self._current
        iterate = Iterate(
            params=point.params,
            log_likelihood=point.log_likelihood,
            objective=point.objective,
            n_iter=len(self._trail) - 1,
            n_e_steps=self.n_e_steps,
            rate=self._monitor.rate,
            gap=self._monitor.gap,
            start=self._index,
            elapsed=time.monotonic() - self._settings.began,
        )
        try:
            self._report(iterate)
        except StopIteration as stop:
            raise Stop(Status.STOPPED_BY_CALLBACK, str(stop)) from None

    def _flatten_image(self) -> Array:
        image = self._coordinates.flatten(self._image)
        constants = [get(self._image) for get in self._constants]
        changed = [value for value, seen in zip(constants, self._seen, strict=True) if value is not seen]
        if not np.isfinite(image).all() or not all(np.isfinite(value).all() for value in changed):
            paths = (path for path, leaf in tree.leaves(self._image) if not np.isfinite(leaf).all())
            detail = f"The M-step gave a value that is not finite in {tree.path_name(next(paths))}."
            raise Stop(Status.NONFINITE, detail)
        self._seen = constants
        self._guard.observe(image)
        return image

    def _check_convergence(self, point: Point, x: Array, image: Array) -> None:
        scaled_x, scaled_image = x / self._coordinates.scale, image / self._coordinates.scale
        scaled, largest = self._coordinates.norms(scaled_image - scaled_x)
        step = Step(
            length=_length(image - x) if self._monitor.measures_length else float("nan"),
            scaled=scaled,
            largest=largest,
            objective=point.objective,
            floor=point.floor,
            gain=self._gain,
            x=scaled_x,
            image=scaled_image,
        )
        stops = self._monitor.update(step)
        self._trail.measure(step.largest, self._monitor.gap)
        if stops:
            raise Stop(Status.CONVERGED, self._settings.tolerance.describe())
        if self._monitor.is_stalled:
            raise Stop(Status.STALLED)

    def _feasible_proposal(self, x: Array, image: Array) -> Array | None:
        """Return the accelerator's proposal, halved towards the EM image until it is feasible."""
        if self._acceleration is None:
            return None
        if self._monitor.wants_plain:
            self._acceleration.skipped(x, image)
            return None
        proposal = self._acceleration.propose(x, image)
        if proposal is None:
            return None
        if not self._guard.allows(proposal, image):
            proposal = self._guard.pull_inside(proposal, image)
        for _ in range(MAX_HALVINGS):
            if self._guard.allows(proposal, image):
                return proposal
            proposal = (proposal + image) / 2
        self._judge(accepted=False)
        return None

    def _try(self, proposal: Array, point: Point) -> Point | None:
        """Return the point a proposal leads to if it passes the gate, else None."""
        try:
            with np.errstate(all="ignore"):
                candidate = self._follow(self._coordinates.unflatten(proposal, like=self._image))
        except Stop as stop:
            if stop.status is not Status.DEGENERATE:
                raise
            candidate = None
        except REFUSALS:
            candidate = None
        passes = candidate is not None and candidate.objective >= point.objective - point.floor
        self._judge(accepted=passes)
        return candidate if passes else None

    def _follow(self, params: Any) -> Point | None:
        candidate = self._evaluate(params)
        if self._stabilises and np.isfinite(candidate.objective):
            candidate = self._evaluate(self._m_step(candidate))
        return candidate if np.isfinite(candidate.objective) else None

    def _polishes(self) -> bool:
        """Go to the end of a polish, if it is time for one and it leads higher; return whether it did."""
        polish, rows = self._settings.polish, self._trail.rows
        if polish is None or self._has_polished or self._monitor.wants_plain or len(rows) <= STEPS_BEFORE_POLISH:
            return False
        if rows[-1][1] - rows[-2][1] > polish.hand_over:
            return False
        self._has_polished = True
        before, image = self._current, self._image
        view = View(self._workload, self._coordinates, self._guard, self._reach, like=image)
        ascent = Ascent(polish, view, view.place(before, image))
        try:
            ascent.run()
        except Stop:
            # The budget is spent, and will be at the next E-step too; what has been gained counts. A climb resumed
            # with a larger budget does not go on from there: it polishes as one that was never cut.
            self._keep = None
        finally:
            self._polish_note, found = ascent.note, ascent.place
            is_higher = found is not None and found.point.objective > before.objective
            if found is not None and is_higher:
                self._anchor = (before, image)
                self._accept(found.point, gain=None, x=found.x)
                self._image = found.image
                self._begin_acceleration()
        return is_higher

    def _reach(self, params: Any) -> tuple[Point, Any] | None:
        """Return the point at params and its EM image, or None where the model refuses either."""
        try:
            with np.errstate(all="ignore"):
                point = self._evaluate(params)
                return (point, self._m_step(point)) if np.isfinite(point.objective) else None
        except Stop as stop:
            if stop.status is not Status.DEGENERATE:
                raise
        except REFUSALS:
            pass
        return None

    def _judge(self, *, accepted: bool) -> None:
        if self._acceleration is not None:
            self._acceleration.judged(accepted=accepted)
        self.n_rejected += not accepted

    def _require_no_fall(self, before: Point, after: Point) -> None:
        floor = max(before.floor, after.floor)
        if self._settings.check_fall and is_fall(before.objective, after.objective, floor):
            raise Stop(Status.DECREASED, describe_fall(before, after, len(self._trail)))

    def _retreat(self, before: Point, image: Any) -> None:
        """Go back to the point where the last acceleration started, and take the plain step to its image.

        An accelerated point can pass the gate and still be one from which the model cannot go on.
        """
        self._trail.pop()
        self.best = self._current = before
        self._judge(accepted=False)
        resumed = self._evaluate(image)
        self._require_finite(resumed)
        self._require_no_fall(before, resumed)
        self._accept(resumed, gain=None)

    def _evaluate(self, params: Any) -> Point:
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
        name = type(self.model).__name__
        log_likelihood = as_number(e_step.log_likelihood, f"{name}.e_step")
        prior = as_number(self.model.log_prior(params), f"{name}.log_prior") if self._has_prior else 0.0
        return Point(
            params, e_step.statistics, log_likelihood, log_likelihood + prior, e_step.n_observations, e_step.rounding
        )

    def _m_step(self, point: Point) -> Any:
        try:
            following = self.model.m_step(point.params, point.statistics)
        except (DegenerateError, np.linalg.LinAlgError) as error:
            raise Stop(Status.DEGENERATE, f"M-step: {error}") from error
        if following is None:
            msg = f"{type(self.model).__name__}.m_step returned None; it must return the new params."
            raise TypeError(msg)
        return self._locked(following)

    def _locked(self, params: Any) -> Any:
        """Forbid writing to the arrays of params, as :func:`emkit.tree.lock` does, without walking the tree."""
        try:
            for get in self._leaves:
                value = get(params)
                if isinstance(value, np.ndarray) and value.flags.writeable:
                    value.setflags(write=False)
        except (AttributeError, LookupError, TypeError):
            # Of another form than the starting params: the flattening will say so.
            return tree.lock(params)
        return params if self._leaves else tree.lock(params)

    def _require_finite(self, point: Point) -> None:
        if not np.isfinite(point.objective):
            detail = f"The objective is {point.objective} at E-step {self.n_e_steps}."
            raise Stop(Status.NONFINITE, f"{detail} {outside(self.model, point.params)}".rstrip())


def _length(difference: Array) -> float:
    """Return the Euclidean norm in natural units, which may be as large as 1e300."""
    with np.errstate(over="ignore"):
        return float(np.linalg.norm(difference))

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
from emkit.boundary import notes_on_the_way
from emkit.climb.chart import Chart
from emkit.climb.evaluation import Evaluation
from emkit.climb.finish import Finish
from emkit.climb.horizon import note_at_infinity
from emkit.climb.leaps import Leaps
from emkit.climb.strays import recalled
from emkit.convergence import is_fall
from emkit.engines import Workload
from emkit.errors import DegenerateError
from emkit.point import RECOVERABLE, REFUSALS, Ending, Point, Settings, Stop, describe_fall
from emkit.polish import View
from emkit.result import AT_REST, Iterate, Status
from emkit.snapshot import Snapshot, restore, state_of
from emkit.trail import Trail

Array = NDArray[np.float64]


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
        self._evaluation = Evaluation(workload, settings)
        self._settings = settings
        self._index = index
        self._report = report
        self._keep = keep
        self._monitor = settings.tolerance.begin()
        self._leaps = Leaps(settings.accelerator, self._evaluation)
        self._finish = Finish(settings.polish)
        self._chart: Chart
        # The units are looked at when the number of accepted points has doubled.
        self._next_look = 2
        self._far_note = ""
        self._current: Point
        self._image: Any = None
        self._x: Array | None = None
        self._gain: float | None = None
        self._anchor: tuple[Point, Any] | None = None
        self._trail = Trail(settings.began)
        self.best: Point | None = None
        self.status = Status.MAX_ITER
        self.message = ""

    @property
    def n_e_steps(self) -> int:
        """E-steps so far."""
        return self._evaluation.n_e_steps

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
            n_e_steps=self._evaluation.n_e_steps,
            n_rejected=self._leaps.n_rejected,
            rate=self._monitor.rate,
            gap=self._monitor.gap,
            notes=tuple(self._notes()),
        )

    def _notes(self) -> list[str]:
        if self.status not in (Status.CONVERGED, Status.MAX_ITER, Status.MAX_TIME, Status.STALLED):
            return []
        monitor, is_at_rest = self._monitor, self.status in AT_REST
        notes = notes_on_the_way(self._chart.coordinates, monitor.points, monitor.images, is_at_rest=is_at_rest)
        return [*notes, *(note for note in (self._far_note, self._finish.note) if note)]

    def run(self, params: Any) -> None:
        """Climb from ``params`` until there is a reason to stop; afterwards the attributes tell the outcome."""
        try:
            try:
                self._climb(params)
            except Stop as stop:
                self.status, self.message = stop.status, stop.message
            if self.status in AT_REST and self.best is not None:
                self._far_note = note_at_infinity(self._chart, self._monitor, self._evaluation, self.best)
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
            self._image = self._evaluation.image_of(point)
        if len(self._trail) == self._next_look:
            self._next_look *= 2
            if self._chart.outgrown(point.params, self._image):
                self._monitor.rescaled()
                self._leaps.begin(self._chart)
        x = self._chart.coordinates.flatten(point.params) if self._x is None else self._x
        image = self._chart.flatten_image(self._image)
        if self._recalls_strays(x, image):
            return
        self._check_convergence(point, x, image)
        if self._polishes():
            return
        proposal = self._leaps.proposal(x, image, wants_plain=self._monitor.wants_plain)
        candidate = None if proposal is None else self._leaps.end_of(proposal, point, like=self._image)
        if candidate is not None:
            self._anchor = (point, self._image)
            self._accept(candidate, gain=None, x=None if self._leaps.stabilises else proposal)
            return
        following = self._plain_step(point, self._image)
        self._anchor = None
        self._accept(following, gain=following.objective - point.objective, x=image)

    def _begin(self, params: Any) -> None:
        point = self._evaluation.point_at(tree.owned(params))
        self._accept(point, gain=None)
        if point.n_observations == 0:
            # Any params are a fixed point then, and the fit would seem to converge.
            raise Stop(Status.DEGENERATE, "Nothing was observed: there are no rows, or all weights are zero.")
        self._evaluation.require_finite(point)
        image = self._evaluation.image_of(point)
        self._evaluation.require_inside(image)
        self._chart = Chart(self._workload.model, point.params, image)
        self._evaluation.getters = self._chart.getters
        self._leaps.begin(self._chart)
        self._image = image

    def _accept(self, point: Point, gain: float | None, x: Array | None = None) -> None:
        """Make ``point``, as a vector ``x``, the current one; ``gain`` is what a plain step to it has gained."""
        self.best = self._current = point
        self._gain, self._x, self._image = gain, x, None
        self._trail.add(point, self._evaluation.n_e_steps)

    def _tell(self) -> None:
        """Report the current point."""
        point = self._current
        iterate = Iterate(
            params=point.params,
            log_likelihood=point.log_likelihood,
            objective=point.objective,
            n_iter=len(self._trail) - 1,
            n_e_steps=self._evaluation.n_e_steps,
            rate=self._monitor.rate,
            gap=self._monitor.gap,
            start=self._index,
            elapsed=time.monotonic() - self._settings.began,
        )
        try:
            self._report(iterate)
        except StopIteration as stop:
            raise Stop(Status.STOPPED_BY_CALLBACK, str(stop)) from None

    def _check_convergence(self, point: Point, x: Array, image: Array) -> None:
        step = self._chart.step(point, x, image, self._gain, measures_length=self._monitor.measures_length)
        stops = self._monitor.update(step)
        self._trail.measure(step.largest, self._monitor.gap)
        if stops:
            raise Stop(Status.CONVERGED, self._settings.tolerance.describe())
        if self._monitor.is_stalled:
            raise Stop(Status.STALLED)

    def _plain_step(self, before: Point, image: Any) -> Point:
        """Return the point at an EM image, or stop if the objective has fallen."""
        after = self._evaluation.point_at(image)
        self._evaluation.require_finite(after)
        floor = max(before.floor, after.floor)
        if self._settings.check_fall and is_fall(before.objective, after.objective, floor):
            raise Stop(Status.DECREASED, describe_fall(before, after, len(self._trail)))
        return after

    def _recalls_strays(self, x: Array, image: Array) -> bool:
        """Put back what the leap to the current point has moved and EM then leaves alone; return whether it did."""
        if self._anchor is None or not (image == x).any():
            return False
        point, last = self._current, self._chart.coordinates.flatten(self._anchor[1])
        back = recalled(self._chart.coordinates, x, image, last)
        if back is None:
            return False
        params = self._chart.coordinates.unflatten(back, like=self._image)
        candidate = self._evaluation.attempt(lambda: self._evaluation.point_at(params))
        if candidate is None or candidate.objective < point.objective - point.floor:
            return False
        self._trail.pop()
        self._accept(candidate, gain=None, x=back)
        # What the accelerator remembers would take them away again.
        self._leaps.begin(self._chart)
        return True

    def _retreat(self, before: Point, image: Any) -> None:
        """Go back to the point where the last acceleration started, and take the plain step to its image.

        An accelerated point can pass the gate and still be one from which the model cannot go on.
        """
        self._trail.pop()
        self.best = self._current = before
        self._leaps.judge(accepted=False)
        self._accept(self._plain_step(before, image), gain=None)

    def _polishes(self) -> bool:
        """Go to the end of a polish, if it is time for one and it leads higher; return whether it did."""
        if not self._finish.is_due(self._trail.rows, wants_plain=self._monitor.wants_plain):
            return False
        before, image = self._current, self._image
        view = View(self._workload, self._chart.coordinates, self._chart.guard, self._evaluation.reach, like=image)
        try:
            self._finish.run(view, view.place(before, image))
        except Stop:
            # The budget is spent, and will be at the next E-step too; what has been gained counts. A climb resumed
            # with a larger budget does not go on from there: it polishes as one that was never cut.
            self._keep = None
        finally:
            found = self._finish.place
            is_higher = found is not None and found.point.objective > before.objective
            if found is not None and is_higher:
                self._anchor = (before, image)
                self._accept(found.point, gain=None, x=found.x)
                self._image = found.image
                self._leaps.begin(self._chart)
        return is_higher

    def snapshot(self) -> Snapshot:
        """Return the state at the current point."""
        return Snapshot(
            point=self._current,
            x=self._x,
            image=self._image,
            anchor=self._anchor,
            gain=self._gain,
            monitor=state_of(self._monitor),
            acceleration=None if self._leaps.memory is None else state_of(self._leaps.memory),
            basis=self._chart.basis,
            held=self._chart.guard.held(),
            next_look=self._next_look,
            has_polished=self._finish.has_run,
            polish_note=self._finish.note,
            trail=self._trail.excerpt(),
            n_e_steps=self._evaluation.n_e_steps,
            n_rejected=self._leaps.n_rejected,
        )

    def _restore(self, snapshot: Snapshot) -> None:
        self.best = self._current = self._evaluation.recheck(snapshot.point)
        self._chart = Chart(self._workload.model, *snapshot.basis, held=snapshot.held)
        self._evaluation.getters = self._chart.getters
        self._x, self._image, self._gain, self._anchor = snapshot.x, snapshot.image, snapshot.gain, snapshot.anchor
        if snapshot.monitor is not None:
            restore(self._monitor, snapshot.monitor)
        self._leaps.begin(self._chart)
        if snapshot.acceleration is not None and self._leaps.memory is not None:
            restore(self._leaps.memory, snapshot.acceleration)
        self._next_look = snapshot.next_look
        self._finish.has_run, self._finish.note = snapshot.has_polished, snapshot.polish_note
        self._trail = Trail.again(snapshot.trail)
        self._evaluation.n_e_steps, self._leaps.n_rejected = snapshot.n_e_steps, snapshot.n_rejected

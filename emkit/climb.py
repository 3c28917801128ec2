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

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit.acceleration import Acceleration, Accelerator
from emkit.convergence import Step, Tolerance, is_fall, rounding_floor
from emkit.engines import Workload
from emkit.errors import DegenerateError
from emkit.model import offers
from emkit.result import Iterate, Status
from emkit.space.coordinates import Coordinates, Guard

Array = NDArray[np.float64]
#: How often a proposal is halved towards the EM iterate to become feasible before the plain step is taken.
MAX_HALVINGS = 30


class Stop(Exception):  # noqa: N818 - not an error: how the loop is left from any depth
    """Ends a climb."""

    def __init__(self, status: Status, detail: str = "") -> None:
        super().__init__(status)
        self.status = status
        self.message = f"{status.value} {detail}".strip()


@attrs.frozen(eq=False)
class Settings:
    """What the caller of a fit chose."""

    tolerance: Tolerance
    accelerator: Accelerator | None
    max_iter: int
    deadline: float
    check_fall: bool
    return_on_interrupt: bool
    began: float


@attrs.frozen(eq=False)
class Point:
    """Params and what the E-step at them gave."""

    params: Any
    statistics: Any
    log_likelihood: float
    objective: float
    n_observations: float | None

    @property
    def floor(self) -> float:
        """Rounding of the objective."""
        return rounding_floor(self.objective, self.n_observations)


class Climb:
    """The state of one start."""

    def __init__(
        self, workload: Workload, settings: Settings, index: int, report: Callable[[Iterate[Any]], None]
    ) -> None:
        self._workload = workload
        self._model = workload.model
        self._settings = settings
        self._index = index
        self._report = report
        self._has_prior = offers(self._model, "log_prior")
        self._monitor = settings.tolerance.begin()
        self._acceleration: Acceleration | None = None
        self._stabilises = False
        self._image: Any = None
        self.accepted: list[tuple[float, float]] = []
        self.best: Point | None = None
        self.n_e_steps = 0
        self.n_rejected = 0
        self.status = Status.MAX_ITER
        self.message = ""

    @property
    def rate(self) -> float:
        """Estimated rate of EM."""
        return self._monitor.rate

    @property
    def gap(self) -> float:
        """Estimated gain that remains."""
        return self._monitor.gap

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

    def _climb(self, params: Any) -> None:
        point = self._evaluate(params)
        self.best = point
        self._require_finite(point)
        self._begin(point)
        gain: float | None = None
        anchor: tuple[Point, Any] | None = None
        while True:
            x, image = self._coordinates.flatten(point.params), self._flatten_image()
            self._check_convergence(point, x, image, gain)
            proposal = self._feasible_proposal(x, image)
            if proposal is not None:
                candidate = self._try(proposal, point)
                if candidate is not None:
                    anchor, gain, point = (point, self._image), None, candidate
                    self._accept(point)
                    continue
            following = self._evaluate(self._image)
            self._require_finite(following)
            if self._falls(point, following):
                point, gain, anchor = self._retreat(anchor, point, following), None, None
            else:
                gain, point, anchor = following.objective - point.objective, following, None
            self._accept(point)

    def _begin(self, point: Point) -> None:
        self._image = self._m_step(point)
        self._coordinates = Coordinates.of(self._model, point.params, self._image)
        self._guard = Guard(self._coordinates)
        self._guard.observe(self._coordinates.flatten(point.params))
        if self._settings.accelerator is not None:
            self._acceleration = self._settings.accelerator.begin(
                self._coordinates.scale, [entry.place for entry in self._coordinates.entries]
            )
            is_affine = all(entry.space.is_affine for entry in self._coordinates.entries)
            self._stabilises = self._acceleration.stabilises or not is_affine
        self._record(point)

    def _accept(self, point: Point) -> None:
        """Make ``point`` the current one and take the M-step from it."""
        self._record(point)
        self._image = self._m_step(point)

    def _record(self, point: Point) -> None:
        self.best = point
        self.accepted.append((point.log_likelihood, point.objective))
        iterate = Iterate(
            params=point.params,
            log_likelihood=point.log_likelihood,
            objective=point.objective,
            n_iter=len(self.accepted) - 1,
            n_e_steps=self.n_e_steps,
            rate=self.rate,
            gap=self.gap,
            start=self._index,
            elapsed=time.monotonic() - self._settings.began,
        )
        try:
            self._report(iterate)
        except StopIteration as stop:
            raise Stop(Status.STOPPED_BY_CALLBACK, str(stop)) from None

    def _flatten_image(self) -> Array:
        image = self._coordinates.flatten(self._image)
        if not np.isfinite(image).all():
            bad = next(e for e in self._coordinates.entries if not np.isfinite(image[e.place]).all())
            raise Stop(Status.NONFINITE, f"The M-step gave a value that is not finite in {bad.name}.")
        self._guard.observe(image)
        return image

    def _check_convergence(self, point: Point, x: Array, image: Array, gain: float | None) -> None:
        difference = image - x
        with np.errstate(over="ignore"):
            # The only norm in natural units, which may be as large as 1e300.
            length = float(np.linalg.norm(difference))
        step = Step(
            length=length,
            scaled=self._coordinates.norm(difference),
            largest=self._coordinates.largest_field_norm(difference),
            objective=point.objective,
            floor=point.floor,
            gain=gain,
        )
        if self._monitor.update(step):
            raise Stop(Status.CONVERGED)
        if self._monitor.is_stalled:
            raise Stop(Status.STALLED)

    def _feasible_proposal(self, x: Array, image: Array) -> Array | None:
        """Return the accelerator's proposal, halved towards the EM image until it is feasible."""
        proposal = self._acceleration.propose(x, image) if self._acceleration else None
        if proposal is None:
            return None
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
        except Exception:
            # A model may refuse a point that no EM step would have visited; the plain step does not need it.
            candidate = None
        passes = candidate is not None and candidate.objective >= point.objective - point.floor
        self._judge(accepted=passes)
        return candidate if passes else None

    def _follow(self, params: Any) -> Point | None:
        candidate = self._evaluate(params)
        if self._stabilises and np.isfinite(candidate.objective):
            candidate = self._evaluate(self._model.m_step(candidate.params, candidate.statistics))
        return candidate if np.isfinite(candidate.objective) else None

    def _judge(self, *, accepted: bool) -> None:
        if self._acceleration is not None:
            self._acceleration.judged(accepted=accepted)
        self.n_rejected += not accepted

    def _falls(self, before: Point, after: Point) -> bool:
        return self._settings.check_fall and is_fall(before.objective, after.objective, before.n_observations)

    def _retreat(self, anchor: tuple[Point, Any] | None, point: Point, following: Point) -> Point:
        """Return the plain point before the last acceleration, or stop if the fall was between two plain steps."""
        if anchor is None:
            raise Stop(Status.DECREASED, _describe_fall(point, following, len(self.accepted)))
        before, image = anchor
        self.accepted.pop()
        self.best = before
        self._judge(accepted=False)
        resumed = self._evaluate(image)
        self._require_finite(resumed)
        if self._falls(before, resumed):
            raise Stop(Status.DECREASED, _describe_fall(before, resumed, len(self.accepted)))
        return resumed

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
        log_likelihood = float(e_step.log_likelihood)
        prior = float(self._model.log_prior(params)) if self._has_prior else 0.0
        return Point(params, e_step.statistics, log_likelihood, log_likelihood + prior, e_step.n_observations)

    def _m_step(self, point: Point) -> Any:
        try:
            return self._model.m_step(point.params, point.statistics)
        except (DegenerateError, np.linalg.LinAlgError) as error:
            raise Stop(Status.DEGENERATE, f"M-step: {error}") from error

    def _require_finite(self, point: Point) -> None:
        if not np.isfinite(point.objective):
            detail = f"The objective is {point.objective} at E-step {self.n_e_steps}."
            raise Stop(Status.NONFINITE, detail)


def _describe_fall(before: Point, after: Point, iteration: int) -> str:
    return (
        f"At step {iteration} it went from {before.objective!r} to {after.objective!r}, "
        f"by {before.objective - after.objective:.3g} nats. Usual causes: m_step does not maximise what e_step "
        "expects; a prior or a weight is missing from log_likelihood or log_prior; e_step and m_step treat the data "
        "differently. For a model that may fall by design set `monotone = False`, or pass on_decrease='ignore'."
    )

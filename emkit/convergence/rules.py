"""Stopping rules."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import attrs
import numpy as np

from emkit.convergence.monitor import CHECKS, MIN_STEPS, PATIENCE, RESTLESS, SHORT, STEP_FLOOR, Monitor, Step


class Tolerance(ABC):
    """A stopping rule; holds settings only. ``tol=`` of :func:`emkit.fit` takes one, or a number of nats."""

    @abstractmethod
    def begin(self) -> Monitor:
        """Return a monitor for one run."""

    def describe(self) -> str:
        """Return the sentence that tells people which rule was met."""
        return f"{self!r} is met."


@attrs.frozen
class GainTolerance(Tolerance):
    """Stop when at most ``nats`` remain to be gained and the step is small, on consecutive checks.

    Parameters
    ----------
    nats : float
        Largest estimated remaining gain. The default leaves estimates about ``sqrt(2e-6)``, 0.0014 standard errors,
        from their local optimum.
    step : float
        Largest root mean square of the last step in any field, relative to the field's scale.
    """

    nats: float = 1e-6
    step: float = 1e-4

    def begin(self) -> Monitor:
        """Return a monitor for one run."""
        return GainMonitor(self)

    def describe(self) -> str:
        """Return the sentence that tells people which rule was met."""
        return f"At most {self.nats:g} nats remain to be gained."


@attrs.define(eq=False)
class GainMonitor(Monitor):
    """The memory of a GainTolerance."""

    rule: GainTolerance
    n_passed: int = 0
    n_seen: int = 0
    height: float = -float("inf")
    shortest: float = float("inf")
    since: int = 0
    steady_rate: float = float("nan")

    def _decide(self, step: Step) -> bool:
        self.n_seen += 1
        if step.scaled < self.shortest:
            self.shortest, self.since, self.steady_rate = step.scaled, 0, self.rate
        elif self.at_floor:
            self.since += 1
        climbed, self.height = step.objective - self.height, step.objective
        if step.gain is None:
            # What an accelerated step climbed tells whether it is time to look closer, no more.
            if climbed <= max(self.rule.nats, step.floor) and step.largest <= self.rule.step:
                self.wants_plain = True
            return False
        is_known = self.n_seen >= MIN_STEPS or step.largest <= SHORT
        # Looking closer costs more than the rest of a check, and before a rate is known it decides nothing.
        is_small = is_known and step.largest <= self.rule.step and self._is_little_left()
        # Steps of a nearly singular model are rounding long before they are that short: they no longer shrink.
        is_noise = self.since >= RESTLESS and step.largest <= self.rule.step
        if is_noise:
            self.rate = self.steady_rate
        at_rest = (step.largest <= STEP_FLOOR or is_noise) and self.at_floor > 0
        if at_rest:
            # Ratios of such steps say nothing, and what is left drowns in rounding.
            self.gap = min(self.gap, step.floor)
        self.n_passed = self.n_passed + 1 if is_small or at_rest else 0
        self.wants_plain = self.n_passed > 0
        self.is_stalled = self.at_floor >= PATIENCE and step.largest > self.rule.step
        return self.n_passed >= CHECKS

    def _is_little_left(self) -> bool:
        if self.gap <= self.rule.nats:
            self.look_closer()
        return self.gap <= self.rule.nats


@attrs.frozen
class StepTolerance(Tolerance):
    """Stop when one EM step is at most ``length`` long.

    Parameters
    ----------
    length : float
        Largest Euclidean norm of ``F(params) - params`` over all estimated entries, in their own units: the rule of
        most published EM iterations, for comparing with them.
    """

    length: float = 1e-8

    def begin(self) -> Monitor:
        """Return a monitor for one run."""
        return StepMonitor(self.length)

    def describe(self) -> str:
        """Return the sentence that tells people which rule was met."""
        return f"One EM step is at most {self.length:g} long."


@attrs.define(eq=False)
class StepMonitor(Monitor):
    """The memory of a StepTolerance."""

    measures_length: ClassVar[bool] = True

    longest: float

    def _decide(self, step: Step) -> bool:
        return step.length <= self.longest


@attrs.frozen
class Standstill(Tolerance):
    """Run until the params stop moving: ``tol=0``.

    At rest means a step of a few units in the last place, or no shorter step for ``patience`` checks while the
    objective only shows rounding.
    """

    patience: int = RESTLESS

    def begin(self) -> Monitor:
        """Return a monitor for one run."""
        return StandstillMonitor(self.patience)

    def describe(self) -> str:
        """Return the sentence that tells people which rule was met."""
        return "The params no longer move."


@attrs.define(eq=False)
class StandstillMonitor(Monitor):
    """The memory of a Standstill."""

    patience: int
    shortest: float = float("inf")
    since: int = 0
    height: float = -float("inf")

    def _decide(self, step: Step) -> bool:
        # Whatever kind of step led here: accelerated ones may go on and on in rounding.
        is_flat = abs(step.objective - self.height) <= step.floor
        self.height = step.objective
        if step.scaled < self.shortest:
            self.shortest, self.since = step.scaled, 0
        elif is_flat:
            self.since += 1
        is_over = self.since >= self.patience
        self.is_stalled = is_over and step.largest > SHORT
        return step.scaled <= 4 * float(np.finfo(np.float64).eps) or (is_over and not self.is_stalled)


def as_tolerance(tol: float | Tolerance) -> Tolerance:
    """Return the rule for a number of nats (0: run to a standstill), or the rule itself."""
    if isinstance(tol, Tolerance):
        return tol
    if not isinstance(tol, int | float | np.number) or isinstance(tol, bool) or not np.isfinite(tol) or tol < 0:
        msg = (
            "tol must be a number of nats of at least 0, or a Tolerance: emkit.GainTolerance(nats, step), "
            f"emkit.StepTolerance(length) or emkit.Standstill(patience); it is {tol!r}."
        )
        raise ValueError(msg)
    return Standstill() if tol == 0 else GainTolerance(float(tol))

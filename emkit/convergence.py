"""When to stop: the gain that is left, what counts as a fall, where rounding begins.

EM's steps shrink by its rate ``r`` (the largest eigenvalue of the EM map's Jacobian at the optimum), and gains in the
objective by ``r**2``. From the last gain ``g`` between two plain EM steps, what remains to be gained is therefore about

    gap = g * r**2 / (1 - r**2)        (Aitken)

An estimate whose objective lies ``gap`` nats below its local optimum is off by about ``sqrt(2 * gap)`` standard errors,
whatever the model and its units. That is why the default tolerance is a gap, not a difference of likelihoods.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque

import attrs
import numpy as np

#: Rounding of an objective, relative to the sum of its terms: what a strict gate forgives.
ROUNDING = 64 * float(np.finfo(np.float64).eps)
#: A fall beyond this, relative to the objective, is not rounding. Models evaluate their densities less exactly than
#: they sum them; a mistake in an M-step loses far more.
FALL_RTOL = 1e-10
#: How many estimates of the rate are remembered. The largest of them counts: after an accelerated step the residual
#: may show a fast mode for a while, and a rate taken too small stops too early.
RATE_MEMORY = 4
#: Consecutive checks that must agree.
CHECKS = 2
#: Checks at the rounding floor of the objective after which params that still move mean a flat ridge.
PATIENCE = 100


def rounding_floor(objective: float, n_observations: float | None) -> float:
    """Return the size of rounding in an objective; differences below it mean nothing."""
    return ROUNDING * (abs(objective) + (n_observations or 1.0))


def is_fall(before: float, after: float, n_observations: float | None) -> bool:
    """Return whether an objective fell by more than rounding."""
    return after < before - max(FALL_RTOL * (1 + abs(before)), rounding_floor(before, n_observations))


@attrs.frozen
class Step:
    """What one plain EM step from params x to F(x) shows.

    Attributes
    ----------
    length : float
        Euclidean norm of F(x) - x in natural units.
    scaled : float
        Root mean square of F(x) - x, entries in units of their scale.
    largest : float
        The same, field by field, the largest of them.
    objective : float
        At x.
    floor : float
        Rounding of that objective.
    gain : float or None
        Objective at x less that of the point whose EM step led to x; None where x was reached otherwise.
    """

    length: float
    scaled: float
    largest: float
    objective: float
    floor: float
    gain: float | None


class Monitor(ABC):
    """The memory of a stopping rule during one run.

    Attributes
    ----------
    rate : float
        Estimated rate of EM; NaN while unknown.
    gap : float
        Estimated gain that remains, in nats; infinite while unknown.
    """

    def __init__(self) -> None:
        self.rate = float("nan")
        self.gap = float("inf")
        self.is_stalled = False
        self._rates: deque[float] = deque(maxlen=RATE_MEMORY)
        self._previous: Step | None = None
        self._at_floor = 0

    def update(self, step: Step) -> bool:
        """Take note of a step and return whether to stop."""
        self._estimate(step)
        self._previous = step
        return self._decide(step)

    def _estimate(self, step: Step) -> None:
        if step.gain is None or self._previous is None:
            return
        if step.gain < -max(FALL_RTOL * (1 + abs(step.objective)), step.floor):
            # A model that may fall, or whose caller ignores it: nothing follows about what is left.
            self._at_floor = 0
            self.gap = float("inf")
            return
        if step.gain <= step.floor:
            # Gains at the floor are noise; so are the ratios of the steps that belong to them.
            self._at_floor += 1
            self.gap = min(self.gap, step.floor)
            return
        self._at_floor = 0
        self._rates.append(step.scaled / self._previous.scaled if self._previous.scaled else float("inf"))
        self.rate = max(self._rates)
        self.gap = step.gain * self.rate**2 / (1 - self.rate**2) if self.rate < 1 else float("inf")

    @abstractmethod
    def _decide(self, step: Step) -> bool:
        """Return whether the rule is met."""


class Tolerance(ABC):
    """A stopping rule; holds settings only. ``tol=`` of :func:`emkit.fit` takes one, or a number of nats."""

    @abstractmethod
    def begin(self) -> Monitor:
        """Return a monitor for one run."""


@attrs.frozen
class GainTolerance(Tolerance):
    """Stop when at most ``nats`` remain to be gained and the step is small, on two consecutive checks.

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
        return _GainMonitor(self)


class _GainMonitor(Monitor):
    def __init__(self, rule: GainTolerance) -> None:
        super().__init__()
        self._rule = rule
        self._passed = 0

    def _decide(self, step: Step) -> bool:
        if step.gain is None:
            return False
        small_gap = self.gap <= max(self._rule.nats, step.floor)
        self._passed = self._passed + 1 if small_gap and step.largest <= self._rule.step else 0
        self.is_stalled = self._at_floor >= PATIENCE and step.largest > self._rule.step
        return self._passed >= CHECKS


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
        return _StepMonitor(self.length)


class _StepMonitor(Monitor):
    def __init__(self, length: float) -> None:
        super().__init__()
        self._length = length

    def _decide(self, step: Step) -> bool:
        return step.length <= self._length


@attrs.frozen
class Standstill(Tolerance):
    """Run until the params stop moving: ``tol=0``.

    At rest means a step of a few units in the last place, or no shorter step for ``patience`` checks while the
    objective only shows rounding.
    """

    patience: int = 20

    def begin(self) -> Monitor:
        """Return a monitor for one run."""
        return _StandstillMonitor(self.patience)


class _StandstillMonitor(Monitor):
    def __init__(self, patience: int) -> None:
        super().__init__()
        self._patience = patience
        self._shortest = float("inf")
        self._since = 0

    def _decide(self, step: Step) -> bool:
        if step.scaled < self._shortest:
            self._shortest, self._since = step.scaled, 0
        elif self._at_floor:
            self._since += 1
        return step.scaled <= 4 * float(np.finfo(np.float64).eps) or self._since >= self._patience


def as_tolerance(tol: float | Tolerance) -> Tolerance:
    """Return the rule for a number of nats (0: run to a standstill), or the rule itself."""
    if isinstance(tol, Tolerance):
        return tol
    if not isinstance(tol, int | float | np.number) or not np.isfinite(tol) or tol < 0:
        msg = f"tol must be a number of nats of at least 0, or a Tolerance; it is {tol!r}."
        raise ValueError(msg)
    return Standstill() if tol == 0 else GainTolerance(float(tol))

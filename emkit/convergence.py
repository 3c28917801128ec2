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
RATE_MEMORY = 8
#: Consecutive checks that must agree. All but the first follow plain EM steps, in which fast modes die out.
CHECKS = 4
#: Steps to see before a rate is known well enough to stop, unless they are shorter than :data:`SHORT`. From a start
#: next to a saddle the first steps shrink, and only later ones grow.
MIN_STEPS = 10
SHORT = 1e-8
#: A step this short, relative to each field's scale, is rounding, whatever the ratio of such steps.
STEP_FLOOR = 1e-12
#: A gain is clear of rounding when it is this many times its floor.
CLEAR = 1e3
#: Checks at the rounding floor of the objective after which params that still move mean a flat ridge.
PATIENCE = 100


def rounding_floor(objective: float, n_observations: float | None) -> float:
    """Return the size of rounding in an objective; differences below it mean nothing."""
    return ROUNDING * (abs(objective) + (n_observations or 1.0))


def is_fall(before: float, after: float, floor: float) -> bool:
    """Return whether an objective fell by more than rounding, given the size of that of a sum."""
    return after < before - max(FALL_RTOL * (1 + abs(before)), floor)


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
        Largest of the last ratios of two plain steps, which near an optimum approach the rate of EM; NaN while
        unknown.
    gap : float
        Estimated gain that remains, in nats; infinite while unknown.
    is_stalled : bool
        Whether the objective has stood still for long while the params move.
    wants_plain : bool
        Whether the next steps should be plain: a check has passed and awaits confirmation.
    """

    def __init__(self) -> None:
        self.rate = float("nan")
        self.gap = float("inf")
        self.is_stalled = False
        self.wants_plain = False
        self._rates: deque[float] = deque(maxlen=RATE_MEMORY)
        self._previous: Step | None = None
        self._clear: tuple[float, float] | None = None
        self._at_floor = 0

    def update(self, step: Step) -> bool:
        """Take note of a step and return whether to stop."""
        if step.gain is not None and self._previous is not None:
            self._estimate(step, step.gain, self._previous.scaled)
        self._previous = step
        return self._decide(step)

    def _estimate(self, step: Step, gain: float, length: float) -> None:
        """Update rate and gap, given the gain that the last step, of that length, has made."""
        if gain < -max(FALL_RTOL * (1 + abs(step.objective)), step.floor):
            # A model that may fall, or whose caller ignores it: nothing follows about what is left.
            self._at_floor = 0
            self.gap = float("inf")
            return
        ratio = step.scaled / length if length else float("inf") if step.scaled else 0.0
        if ratio < 1:
            self._rates.append(ratio)
        # A step longer than the one before says that this is no time to stop, and no more: right after an acceleration
        # it may be the mixture of modes that changes.
        self.rate = max(self._rates, default=ratio)
        bound = max(ratio, self.rate)
        self._at_floor = self._at_floor + 1 if gain <= step.floor else 0
        if gain > CLEAR * step.floor:
            self._clear = (gain, length)
        elif self._clear is not None and length < self._clear[1]:
            # The gain drowns in rounding long before the step does. Gains are quadratic in steps, so the last clear
            # one tells what this step gained.
            gain = self._clear[0] * (length / self._clear[1]) ** 2
        gain = max(gain, 0.0)
        self.gap = gain * bound**2 / (1 - bound**2) if bound < 1 else float("inf")

    @abstractmethod
    def _decide(self, step: Step) -> bool:
        """Return whether the rule is met."""


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
        return _GainMonitor(self)

    def describe(self) -> str:
        """Return the sentence that tells people which rule was met."""
        return f"At most {self.nats:g} nats remain to be gained."


class _GainMonitor(Monitor):
    def __init__(self, rule: GainTolerance) -> None:
        super().__init__()
        self._rule = rule
        self._passed = 0
        self._seen = 0

    def _decide(self, step: Step) -> bool:
        self._seen += 1
        if step.gain is None:
            return False
        is_known = self._seen >= MIN_STEPS or step.largest <= SHORT
        is_small = self.gap <= self._rule.nats and step.largest <= self._rule.step
        at_rest = step.largest <= STEP_FLOOR and self._at_floor > 0
        self._passed = self._passed + 1 if (is_known and is_small) or at_rest else 0
        self.wants_plain = self._passed > 0
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

    def describe(self) -> str:
        """Return the sentence that tells people which rule was met."""
        return f"One EM step is at most {self.length:g} long."


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

    def describe(self) -> str:
        """Return the sentence that tells people which rule was met."""
        return "The params no longer move."


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
        is_over = self._since >= self._patience
        self.is_stalled = is_over and step.largest > SHORT
        return step.scaled <= 4 * float(np.finfo(np.float64).eps) or (is_over and not self.is_stalled)


def as_tolerance(tol: float | Tolerance) -> Tolerance:
    """Return the rule for a number of nats (0: run to a standstill), or the rule itself."""
    if isinstance(tol, Tolerance):
        return tol
    if not isinstance(tol, int | float | np.number) or not np.isfinite(tol) or tol < 0:
        msg = f"tol must be a number of nats of at least 0, or a Tolerance; it is {tol!r}."
        raise ValueError(msg)
    return Standstill() if tol == 0 else GainTolerance(float(tol))

"""When to stop: the gain that is left, what counts as a fall, where rounding begins.

EM's steps shrink by its rate ``r`` (the largest eigenvalue of the EM map's Jacobian at the optimum), and gains in the
objective by ``r**2``. From the last gain ``g`` between two plain EM steps, what remains to be gained is therefore about

    gap = g * r**2 / (1 - r**2)        (Aitken)

An estimate whose objective lies ``gap`` nats below its local optimum is off by about ``sqrt(2 * gap)`` standard errors,
whatever the model and its units. That is why the default tolerance is a gap, not a difference of likelihoods.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit.convergence.spectrum import slowest_rate

Array = NDArray[np.float64]

#: Rounding of an objective, relative to the sum of its terms: what a strict gate forgives.
ROUNDING = 64 * float(np.finfo(np.float64).eps)
#: A fall beyond this, relative to the objective, is not rounding. Models evaluate their densities less exactly than
#: they sum them; a mistake in an M-step loses far more.
FALL_RTOL = 1e-10
#: How many estimates of the rate are remembered. The largest of them counts: after an accelerated step the residual
#: may show a fast mode for a while, and a rate taken too small stops too early.
RATE_MEMORY = 8
#: Consecutive checks that must agree. All but the first follow plain EM steps, in which fast modes die out.
CHECKS = 2
#: Steps to see before a rate is known well enough to stop, unless they are shorter than :data:`SHORT`. From a start
#: next to a saddle the first steps shrink, and only later ones grow.
MIN_STEPS = 10
SHORT = 1e-8
#: A step this short, relative to each field's scale, is rounding, whatever the ratio of such steps.
STEP_FLOOR = 1e-12
#: Checks at the rounding floor without a shorter step after which steps are rounding as well.
RESTLESS = 20
#: A gain is clear of rounding when it is this many times its floor.
CLEAR = 1e3
#: How many of the last points are kept, and how many of them the rate is read off. A gap is read off all of them too:
#: where the slow modes are many, a few points show none of the slowest.
POINTS = 20
RECENT = 6
#: Of params with more entries than this only the recent points are kept, to save memory.
MANY_ENTRIES = 20_000
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
        Euclidean norm of F(x) - x in natural units; NaN where the rule does not ask for it.
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
    x, image : (n_entries,), optional
        In units of each entry's scale.
    """

    length: float
    scaled: float
    largest: float
    objective: float
    floor: float
    gain: float | None
    x: Array | None = None
    image: Array | None = None


@attrs.define(eq=False, kw_only=True)
class Monitor(ABC):
    """The memory of a stopping rule during one run.

    Attributes
    ----------
    rate : float
        Estimated rate of EM: the largest of the last ratios of two plain steps, until the points visited tell more
        (see :func:`emkit.convergence.spectrum.slowest_rate`). NaN while unknown.
    gap : float
        Estimated gain that remains, in nats; infinite while unknown.
    is_stalled : bool
        Whether the objective has stood still for long while the params move.
    wants_plain : bool
        Whether the next steps should be plain: a check has passed and awaits confirmation.
    """

    #: Whether the rule needs the length of steps in natural units.
    measures_length: ClassVar[bool] = False

    rate: float = float("nan")
    gap: float = float("inf")
    is_stalled: bool = False
    wants_plain: bool = False
    gain: float = float("inf")
    ratios: list[float] = attrs.field(factory=list)
    last_length: float | None = None
    clear: tuple[float, float] | None = None
    at_floor: int = 0
    points: list[Array] = attrs.field(factory=list)
    images: list[Array] = attrs.field(factory=list)

    def update(self, step: Step) -> bool:
        """Take note of a step and return whether to stop."""
        if step.x is not None and step.image is not None:
            self.points.append(step.x)
            self.images.append(step.image)
            n_kept = POINTS if step.x.size <= MANY_ENTRIES else RECENT
            del self.points[:-n_kept], self.images[:-n_kept]
        if step.gain is not None and self.last_length is not None:
            self._estimate(step, step.gain, self.last_length)
        self.last_length = step.scaled
        return self._decide(step)

    def rescaled(self) -> None:
        """Forget what was measured in other units."""
        self.last_length = self.clear = None
        self.points, self.images = [], []

    def _estimate(self, step: Step, gain: float, length: float) -> None:
        """Update rate and gap, given the gain that the last step, of that length, has made."""
        if gain < -max(FALL_RTOL * (1 + abs(step.objective)), step.floor):
            # A model that may fall, or whose caller ignores it: nothing follows about what is left.
            self.at_floor = 0
            self.gap = float("inf")
            return
        ratio = step.scaled / length if length else float("inf") if step.scaled else 0.0
        if ratio < 1:
            self.ratios.append(ratio)
            del self.ratios[:-RATE_MEMORY]
        # A step longer than the one before says that this is no time to stop, and no more: right after an acceleration
        # it may be the mixture of modes that changes.
        self.rate = max(self.ratios, default=ratio)
        self.at_floor = self.at_floor + 1 if gain <= step.floor else 0
        if gain > CLEAR * step.floor:
            self.clear = (gain, length)
        elif self.clear is not None and length < self.clear[1]:
            # The gain drowns in rounding long before the step does. Gains are quadratic in steps, so the last clear
            # one tells what this step gained: too little if faster modes have died out since, hence no less than was
            # seen of it.
            gain = max(self.clear[0] * (length / self.clear[1]) ** 2, gain - step.floor)
        self.gain = max(gain, 0.0)
        self.gap = remaining(self.gain, max(ratio, self.rate))

    def look_closer(self) -> None:
        """Update rate and gap by the slowest mode that the last points show."""
        recent = slowest_rate(self.points[-RECENT:], self.images[-RECENT:])
        for slowest in (recent, slowest_rate(self.points, self.images)):
            if np.isfinite(slowest):
                self.gap = max(self.gap, remaining(self.gain, slowest))
        if np.isfinite(recent):
            self.rate = recent

    @abstractmethod
    def _decide(self, step: Step) -> bool:
        """Return whether the rule is met."""


def remaining(gain: float, rate: float) -> float:
    """Return the sum of all further gains, if each is ``rate**2`` times the one before and the last was ``gain``."""
    return gain * rate**2 / (1 - rate**2) if rate < 1 else float("inf")

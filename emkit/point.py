"""What a climb is made of: its settings, the points it visits, and the reasons for which it stops."""

from __future__ import annotations

import functools
from typing import Any

import attrs

from emkit.acceleration import Accelerator
from emkit.convergence import Tolerance, rounding_floor
from emkit.history import History
from emkit.polish import Polish
from emkit.result import Status

#: How a model may refuse a point that no EM step would have visited. Anything else is a mistake in the model's code.
REFUSALS = (ArithmeticError, ValueError, RuntimeWarning)
#: Endings that a point reached by acceleration can be blamed for.
RECOVERABLE = (Status.DECREASED, Status.NONFINITE, Status.DEGENERATE)


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
    polish: Polish | None = None


@attrs.frozen(eq=False)
class Point:
    """Params and what the E-step at them gave."""

    params: Any
    statistics: Any
    log_likelihood: float
    objective: float
    n_observations: float | None
    rounding: float = 0.0

    @functools.cached_property
    def floor(self) -> float:
        """Rounding of the objective."""
        return max(rounding_floor(self.objective, self.n_observations), self.rounding)


@attrs.frozen(eq=False)
class Ending:
    """Where and why one start ended: all that outlives its climb, small enough to be sent between processes.

    Attributes
    ----------
    notes : tuple of str
        What the climb itself has noticed about the params.
    """

    params: Any
    log_likelihood: float
    objective: float
    n_observations: float | None
    status: Status
    message: str
    history: History
    n_e_steps: int
    n_rejected: int
    rate: float
    gap: float
    notes: tuple[str, ...] = ()


def describe_fall(before: Point, after: Point, iteration: int) -> str:
    """Return how far the objective fell between two plain steps, and what usually causes that."""
    return (
        f"At step {iteration} it went from {before.objective:.12g} to {after.objective:.12g}, "
        f"by {before.objective - after.objective:.3g} nats. Usual causes: m_step does not maximise what e_step "
        "expects; a prior or a weight is missing from log_likelihood or log_prior; e_step and m_step treat the data "
        "differently. For a model that may fall by design set `monotone = False`, or pass on_decrease='ignore'."
    )

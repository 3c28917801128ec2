"""When to stop: the gain that is left, what counts as a fall, where rounding begins.

EM's steps shrink by its rate ``r`` (the largest eigenvalue of the EM map's Jacobian at the optimum), and gains in the
objective by ``r**2``. From the last gain ``g`` between two plain EM steps, what remains to be gained is therefore about

    gap = g * r**2 / (1 - r**2)        (Aitken)

An estimate whose objective lies ``gap`` nats below its local optimum is off by about ``sqrt(2 * gap)`` standard errors,
whatever the model and its units. That is why the default tolerance is a gap, not a difference of likelihoods.
"""

from emkit.convergence.monitor import FALL_RTOL, Monitor, Step, is_fall, rounding_floor
from emkit.convergence.rules import GainTolerance, Standstill, StepTolerance, Tolerance, as_tolerance

__all__ = [
    "FALL_RTOL",
    "GainTolerance",
    "Monitor",
    "Standstill",
    "Step",
    "StepTolerance",
    "Tolerance",
    "as_tolerance",
    "is_fall",
    "rounding_floor",
]

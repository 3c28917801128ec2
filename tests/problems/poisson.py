"""Two Poisson components as a bare vector (p, lambda_1, lambda_2), to which the published counts refer."""

from __future__ import annotations

import numpy as np
from toys import DEATHS, SQUAREM_DEMO_START, PoissonVector

from emkit import StepTolerance
from problems.record import Problem

#: Where all derivatives vanish to 1e-15; R's SQUAREM, turboEM and daarem agree.
POISSON_OPTIMUM = -1989.9458598829644


def _from(start, em_steps):
    """Return the problem from one start; the counts are those of R's fpiter() with tol = 1e-8."""
    name = f"Poisson mixture from ({start[0]:.3g}, {start[1]:.3g}, {start[2]:.3g})"
    return Problem(
        name, PoissonVector(), DEATHS, np.asarray(start, float), POISSON_OPTIMUM, em_steps, StepTolerance(1e-8)
    )


POISSON_PROBLEMS = (
    _from(SQUAREM_DEMO_START, 2909),
    _from((0.5, 1.0, 3.0), 2643),
    _from((0.3, 1.0, 2.5), 2586),
    _from((0.25, 1.0, 2.0), 2697),
)
POISSON_FROM_NINE_TENTHS = _from((0.9, 1.0, 3.0), 3045)

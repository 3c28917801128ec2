"""The nonparametric estimate of Turnbull (1976), in proportions and in their square roots."""

from __future__ import annotations

import numpy as np
from toys import TURNBULL_DATA, TURNBULL_OPTIMUM, Turnbull

from emkit import StepTolerance
from problems.record import Problem


class SquareRootTurnbull:
    """Turnbull's estimate with square roots as params: ``proportions = params**2 / sum(params**2)``.

    Proportions on their bound are interior here, but EM goes there more slowly: a root shrinks by the square root of
    the factor of its proportion.
    """

    def e_step(self, params, data):
        weights = params * params
        proportions = weights / weights.sum()
        density = data @ proportions
        return proportions * (data.T @ (1 / density)), float(np.log(density).sum())

    def m_step(self, params, statistics):
        return np.sqrt(statistics / statistics.sum())


def certificate(proportions):
    """Return ``max_j sum_i inside[i, j] / (inside @ proportions)[i] - n``: zero at the maximum and only there.

    The gradient conditions of a concave problem on the simplex (Gentleman and Geyer 1994, Biometrika 81:618).
    """
    return float((TURNBULL_DATA.T @ (1 / (TURNBULL_DATA @ proportions))).max() - len(TURNBULL_DATA))


_UNIFORM = np.full(TURNBULL_DATA.shape[1], 1 / TURNBULL_DATA.shape[1])
TOL = StepTolerance(1e-8)
INTERVAL_PROBLEMS = (
    Problem("interval censoring", Turnbull(), TURNBULL_DATA, _UNIFORM, TURNBULL_OPTIMUM, 216, TOL),
    Problem(
        "interval censoring, square roots",
        SquareRootTurnbull(),
        TURNBULL_DATA,
        np.sqrt(_UNIFORM),
        TURNBULL_OPTIMUM,
        440,
        TOL,
    ),
)

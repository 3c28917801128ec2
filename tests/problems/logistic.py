"""Logistic regression by an MM algorithm: a climb without latent variables that is EM in form."""

from __future__ import annotations

import attrs
import numpy as np

import emkit
from emkit import StepTolerance, space
from problems.record import Problem


@attrs.frozen(eq=False)
class LogisticParams:
    coefficients: np.ndarray = space.real()


class LogisticMM(emkit.LatentModel):
    """Logistic regression climbed by quadratic minorisers with one curvature for all points.

    ``X.T @ X / 4`` bounds minus the Hessian everywhere, so the maximiser of

        Q(b') = L(b) + score @ (b' - b) - (b' - b) @ (X.T @ X / 4) @ (b' - b) / 2

    never lowers L (Boehning and Lindsay 1988, Ann. Inst. Statist. Math. 40:641). Data: (X, y) with y in {0, 1};
    statistics: score and bound at the params.
    """

    def e_step(self, params, data):
        design, response = data
        linear = design @ params.coefficients
        score = design.T @ (response - 0.5 * (1 + np.tanh(linear / 2)))
        total = response @ linear - np.logaddexp(0, linear).sum()
        return emkit.EStep((score, design.T @ design / 4), float(total), float(len(response)))

    def m_step(self, params, statistics):
        score, bound = statistics
        return LogisticParams(params.coefficients + np.linalg.solve(bound, score))


#: Remission of 27 leukaemia patients: cell, smear, infil, li, blast, temp; then 1 for remission (Lee 1974, Computer
#: Programs in Biomedicine 4:80; the example of SAS PROC LOGISTIC).
LEUKAEMIA = np.array(
    [
        *([0.8, 0.83, 0.66, 1.9, 1.1, 0.996, 1], [0.9, 0.36, 0.32, 1.4, 0.74, 0.992, 1]),
        *([0.8, 0.88, 0.7, 0.8, 0.176, 0.982, 0], [1, 0.87, 0.87, 0.7, 1.053, 0.986, 0]),
        *([0.9, 0.75, 0.68, 1.3, 0.519, 0.98, 1], [1, 0.65, 0.65, 0.6, 0.519, 0.982, 0]),
        *([0.95, 0.97, 0.92, 1, 1.23, 0.992, 1], [0.95, 0.87, 0.83, 1.9, 1.354, 1.02, 0]),
        *([1, 0.45, 0.45, 0.8, 0.322, 0.999, 0], [0.95, 0.36, 0.34, 0.5, 0, 1.038, 0]),
        *([0.85, 0.39, 0.33, 0.7, 0.279, 0.988, 0], [0.7, 0.76, 0.53, 1.2, 0.146, 0.982, 0]),
        *([0.8, 0.46, 0.37, 0.4, 0.38, 1.006, 0], [0.2, 0.39, 0.08, 0.8, 0.114, 0.99, 0]),
        *([1, 0.9, 0.9, 1.1, 1.037, 0.99, 0], [1, 0.84, 0.84, 1.9, 2.064, 1.02, 1]),
        *([0.65, 0.42, 0.27, 0.5, 0.114, 1.014, 0], [1, 0.75, 0.75, 1, 1.322, 1.004, 0]),
        *([0.5, 0.44, 0.22, 0.6, 0.114, 0.99, 0], [1, 0.63, 0.63, 1.1, 1.072, 0.986, 1]),
        *([1, 0.33, 0.33, 0.4, 0.176, 1.01, 0], [0.9, 0.93, 0.84, 0.6, 1.591, 1.02, 0]),
        *([1, 0.58, 0.58, 1, 0.531, 1.002, 1], [0.95, 0.32, 0.3, 1.6, 0.886, 0.988, 0]),
        *([1, 0.6, 0.6, 1.7, 0.964, 0.99, 1], [1, 0.69, 0.69, 0.9, 0.398, 0.986, 1]),
        [1, 0.73, 0.73, 0.7, 0.398, 0.986, 0],
    ]
)
LOGISTIC_DATA = (np.column_stack([np.ones(len(LEUKAEMIA)), LEUKAEMIA[:, :-1]]), LEUKAEMIA[:, -1])
LOGISTIC_COEFFICIENTS = np.array(
    [58.03848711, 24.66154385, 19.29357458, -19.60126124, 3.89596333, 0.15109233, -87.43390235]
)
LOGISTIC_PROBLEM = Problem(
    "logistic regression, MM",
    LogisticMM(),
    LOGISTIC_DATA,
    LogisticParams(np.full(7, 10.0)),
    -10.875326142723,
    1127,
    StepTolerance(1e-7),
)

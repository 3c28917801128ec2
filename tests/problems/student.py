"""The multivariate t distribution with known degrees of freedom: EM, its parameter-expanded version, many maxima."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
from scipy.special import gammaln

import emkit
from emkit import StepTolerance, space
from problems.record import Problem


@attrs.frozen(eq=False)
class StudentParams:
    mean: np.ndarray = space.real()
    scatter: np.ndarray = space.covariance()


@attrs.frozen(eq=False)
class StudentStatistics:
    """Rows, sum of their weights, weighted sum of rows and of outer products."""

    count: float
    weight: float
    first: np.ndarray
    second: np.ndarray


@attrs.frozen
class MultivariateT(emkit.LatentModel):
    """Multivariate t: normal given a hidden weight, which is gamma distributed with mean one.

    With ``is_expanded`` the M-step is that of PX-EM: the scatter is divided by the sum of the weights instead of the
    number of rows (Kent, Tyler and Vardi 1994; Liu, Rubin and Wu 1998, Biometrika 85:755). Same fixed points, same
    log-likelihood, fewer steps.
    """

    degrees: float
    is_expanded: bool = False

    def e_step(self, params: StudentParams, data: Any) -> emkit.EStep:
        count, size = data.shape
        residuals = data - params.mean
        root = np.linalg.cholesky(params.scatter)
        distances = np.sum(np.linalg.solve(root, residuals.T) ** 2, axis=0)
        weights = (self.degrees + size) / (self.degrees + distances)
        half, more = self.degrees / 2, (self.degrees + size) / 2
        constant = (
            gammaln(more) - gammaln(half) - size / 2 * np.log(self.degrees * np.pi) - np.log(root.diagonal()).sum()
        )
        total = count * constant - more * np.log1p(distances / self.degrees).sum()
        first, second = weights @ data, (data.T * weights) @ data
        return emkit.EStep(
            StudentStatistics(float(count), float(weights.sum()), first, second), float(total), float(count)
        )

    def m_step(self, params: StudentParams, statistics: StudentStatistics) -> StudentParams:
        mean = statistics.first / statistics.weight
        scatter = statistics.second - statistics.weight * np.outer(mean, mean)
        scatter = scatter / (statistics.weight if self.is_expanded else statistics.count)
        return StudentParams(mean, (scatter + scatter.T) / 2)


@attrs.frozen
class LocationT(emkit.LatentModel):
    """The location of a univariate t distribution with scale one; the params are an array of one number.

    ``log_likelihood = -(degrees + 1) / 2 * sum(log(1 + (data - location)**2 / degrees))``, without the constant.
    """

    degrees: float

    def e_step(self, params, data):
        residuals = data - params[0]
        weights = (self.degrees + 1) / (self.degrees + residuals**2)
        total = -(self.degrees + 1) / 2 * np.log1p(residuals**2 / self.degrees).sum()
        return emkit.EStep((weights.sum(), weights @ data), float(total), float(len(data)))

    def m_step(self, params, statistics):
        weight, first = statistics
        return np.array([first / weight])

    def initialize(self, data, rng):
        return rng.choice(data, 1) + rng.standard_normal(1)


#: Twenty-one days of a plant oxidising ammonia: air flow, water temperature, acid concentration, stack loss (Brownlee
#: 1965, Statistical Theory and Methodology in Science and Engineering, pp. 491-500).
STACKLOSS = np.array(
    [
        *([80, 27, 89, 42], [80, 27, 88, 37], [75, 25, 90, 37], [62, 24, 87, 28], [62, 22, 87, 18], [62, 23, 87, 18]),
        *([62, 24, 93, 19], [62, 24, 93, 20], [58, 23, 87, 15], [58, 18, 80, 14], [58, 18, 89, 14], [58, 17, 88, 13]),
        *([58, 18, 82, 11], [58, 19, 93, 12], [50, 18, 89, 8], [50, 18, 86, 7], [50, 19, 72, 8], [50, 19, 79, 8]),
        *([50, 20, 80, 9], [56, 20, 82, 15], [70, 20, 91, 15]),
    ],
    dtype=float,
)
STUDENT_MEANS = {
    1: np.array([58.02133416, 20.73401064, 85.94348047, 14.92935881]),
    4: np.array([58.72316926, 20.73979481, 86.01369961, 15.80863791]),
}
_START = StudentParams(STACKLOSS.mean(axis=0), np.cov(STACKLOSS.T, bias=True))


def _stackloss(degrees, optimum, em_steps, is_expanded=False):
    name = f"multivariate t, {degrees} degrees of freedom" + (", PX-EM" if is_expanded else "")
    return Problem(name, MultivariateT(degrees, is_expanded), STACKLOSS, _START, optimum, em_steps, StepTolerance(1e-8))


STUDENT_PROBLEMS = (
    # 118 with each covariance counted once in the length of a step: the driver counts all entries of the matrix.
    _stackloss(1, -243.0128583116, 119),
    _stackloss(1, -243.0128583116, 52, is_expanded=True),
)
STUDENT_4_PROBLEMS = (
    # 48 and 37 with each covariance counted once.
    _stackloss(4, -235.9079845326, 49),
    _stackloss(4, -235.9079845326, 38, is_expanded=True),
)

#: Four observations whose t likelihood with 0.05 degrees of freedom has four maxima (Arslan, Constable and Kent 1993,
#: Statistics and Computing 3:103).
ARSLAN_DATA = np.array([-20.0, 1.0, 2.0, 3.0])
#: Location and log-likelihood of the maxima, from left to right; the third is the highest.
ARSLAN_MAXIMA = (
    (-19.993164608871, -14.452564018578),
    (1.086167806311, -8.616670504430),
    (1.997512608912, -8.015097463953),
    (2.905630894468, -8.703555444087),
)

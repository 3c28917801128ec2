"""Factor analysis with zeros prescribed among its loadings, where EM is slower than anywhere else here."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np

import emkit
from emkit import StepTolerance, space
from problems.record import Problem


@attrs.frozen(eq=False)
class FactorParams:
    """Loadings (n_factors, n_variables) and variances (n_variables,) of what is specific to each variable."""

    loadings: np.ndarray = space.real()
    uniquenesses: np.ndarray = space.positive()


@attrs.frozen(eq=False)
class FactorStatistics:
    """Rows, and sums of outer products: factors by factors, factors by variables, squares of the variables."""

    count: float
    factors: np.ndarray
    cross: np.ndarray
    squares: np.ndarray


@attrs.frozen(eq=False)
class FactorAnalysis(emkit.LatentModel):
    """Factor analysis of a covariance matrix; ``groups`` are (variables, their factors), other loadings are zero.

    The log-likelihood is ``-n/2 (log det S + trace(S^-1 C))`` with ``S = loadings.T @ loadings + diag(uniquenesses)``,
    without the constant; the steps are those of Rubin and Thayer (1982, Psychometrika 47:69). Data: (C, n).
    Factors on which every variable loads may be rotated among themselves: the likelihood is flat along that.
    """

    groups: tuple[tuple[slice, np.ndarray], ...]

    def e_step(self, params: FactorParams, data: Any) -> emkit.EStep:
        covariance, count = data
        loadings = params.loadings
        implied = loadings.T @ loadings + np.diag(params.uniquenesses)
        precision = np.linalg.inv(implied)
        gain = loadings @ precision
        cross = gain @ covariance
        factors = cross @ gain.T + np.eye(len(loadings)) - gain @ loadings.T
        total = -count / 2 * (np.linalg.slogdet(implied)[1] + np.vdot(precision, covariance))
        statistics = FactorStatistics(count, count * factors, count * cross, count * covariance.diagonal())
        return emkit.EStep(statistics, float(total), count)

    def m_step(self, params: FactorParams, statistics: FactorStatistics) -> FactorParams:
        loadings = np.zeros_like(params.loadings)
        for variables, factors in self.groups:
            inside = statistics.factors[factors[:, None], factors]
            loadings[factors, variables] = np.linalg.solve(inside, statistics.cross[factors, variables])
        uniquenesses = (statistics.squares - (loadings * statistics.cross).sum(axis=0)) / statistics.count
        return FactorParams(loadings, uniquenesses)


#: Correlations of nine variables, lower triangle by rows (Joreskog 1967, Psychometrika 32:443; the example of Rubin and
#: Thayer 1982 and of the vignette of R's SQUAREM, which takes them for those of 145 rows).
_LOWER = (
    *(1, 0.554, 1, 0.227, 0.296, 1, 0.189, 0.219, 0.769, 1, 0.461, 0.479, 0.237, 0.212, 1),
    *(0.506, 0.530, 0.243, 0.226, 0.520, 1, 0.408, 0.425, 0.304, 0.291, 0.514, 0.473, 1),
    *(0.280, 0.311, 0.718, 0.681, 0.313, 0.348, 0.374, 1),
    *(0.241, 0.311, 0.730, 0.661, 0.245, 0.290, 0.306, 0.672, 1),
)
CORRELATIONS = np.zeros((9, 9))
CORRELATIONS[np.tril_indices(9)] = _LOWER
CORRELATIONS = np.maximum(CORRELATIONS, CORRELATIONS.T)
FACTOR_DATA = (CORRELATIONS, 145.0)
#: The start of Liu and Rubin (1998, Statistica Sinica 8:729).
FACTOR_START = FactorParams(
    np.array(
        [
            [0.5954912, 0.6449102, 0.7630006, 0.7163828, 0.6175647, 0.6464100, 0.6452737, 0.7868222, 0.7482302],
            [-0.4893347, -0.4408213, 0.5053083, 0.5258722, -0.4714808, -0.4628659, -0.3260013, 0.3690580, 0.4326963],
            [-0.3848925, -0.3555598, -0.0535340, 0.0219100, 0, 0, 0, 0, 0],
            [0, 0, 0, 0, 0.1931459, 0.4606456, -0.3622682, 0.0630371, 0.0431256],
        ]
    ),
    np.full(9, 1e-8),
)
FACTOR_UNIQUENESSES = np.array(
    [0.4790817, 0.4049028, 0.0898967, 0.3047449, 0.4407201, 0.4606512, 0.5155361, 0.3171134, 0.3161365]
)
FACTOR_PROBLEM = Problem(
    "factor analysis",
    FactorAnalysis(((slice(0, 4), np.array([0, 1, 2])), (slice(4, 9), np.array([0, 1, 3])))),
    FACTOR_DATA,
    FACTOR_START,
    -327.6906284752,
    14665,
    StepTolerance(1e-8),
    # R counts 14659 in the vignette of SQUAREM, another program in numpy 14666.
    band=10,
)

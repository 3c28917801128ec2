"""Problems beside the thirteen: short ones, other starts, many maxima."""

from __future__ import annotations

import numpy as np
from toys import LINKAGE_DATA, LinkageParams

from emkit import StepTolerance
from problems.poisson import POISSON_FROM_NINE_TENTHS
from problems.record import Problem
from problems.scored import (
    APPLE_CROP,
    APPLE_OPTIMUM,
    BLOOD_COUNTS,
    AlleleParams,
    BloodGroups,
    IncompleteNormal,
    NormalParams,
    ScoredLinkage,
)
from problems.student import ARSLAN_DATA, ARSLAN_MAXIMA, STUDENT_4_PROBLEMS, LocationT

TOL = StepTolerance(1e-8)
#: 125 ln(2 + t) + 38 ln(1 - t) + 34 ln t at the root of the likelihood equation.
LINKAGE_LOG_LIKELIHOOD = 67.384102095


def _arslan(start, maximum, em_steps):
    name = f"t location from {start:g}"
    return Problem(name, LocationT(0.05), ARSLAN_DATA, np.array([start]), ARSLAN_MAXIMA[maximum][1], em_steps, TOL)


FURTHER_PROBLEMS = (
    Problem("linkage", ScoredLinkage(), LINKAGE_DATA, LinkageParams(0.5), LINKAGE_LOG_LIKELIHOOD, 10, TOL),
    Problem("blood groups", BloodGroups(), BLOOD_COUNTS, AlleleParams([0.3, 0.2, 0.5]), -511.571469716, 9, TOL),
    # The pattern is monotone, so from the complete trees EM needs one step; from here it does not.
    Problem(
        "apple crop", IncompleteNormal(), APPLE_CROP, NormalParams([0, 0], [[100, 0], [0, 100]]), APPLE_OPTIMUM, 51, TOL
    ),
    *STUDENT_4_PROBLEMS,
    POISSON_FROM_NINE_TENTHS,
    _arslan(100.0, 1, 27),
    _arslan(10.0, 2, 13),
    _arslan(-25.0, 0, 7),
)

"""The classical problems of EM on which the driver is measured: thirteen to compare accelerators on, and more."""

from problems.factors import FACTOR_PROBLEM
from problems.further import FURTHER_PROBLEMS
from problems.hidden_markov import EARTHQUAKE_PROBLEMS
from problems.interval import INTERVAL_PROBLEMS
from problems.logistic import LOGISTIC_PROBLEM
from problems.normals import THREE_NORMALS_PROBLEM
from problems.poisson import POISSON_PROBLEMS
from problems.record import Problem
from problems.student import STUDENT_PROBLEMS

__all__ = ["FURTHER_PROBLEMS", "PROBLEMS", "Problem"]

#: What accelerators are compared on: each takes plain EM from 40 to 15 000 steps.
PROBLEMS: tuple[Problem, ...] = (
    *POISSON_PROBLEMS,
    *INTERVAL_PROBLEMS,
    *STUDENT_PROBLEMS,
    THREE_NORMALS_PROBLEM,
    LOGISTIC_PROBLEM,
    FACTOR_PROBLEM,
    *EARTHQUAKE_PROBLEMS,
)

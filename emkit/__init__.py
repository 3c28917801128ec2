"""Write an E-step and an M-step; get everything else.

    >>> import emkit
    >>> result = emkit.fit(model, data)  # doctest: +SKIP

:class:`LatentModel` says what a model is, :func:`fit` fits it, :class:`EMResult` is what comes back.
"""

from emkit import datasets, errors, families, space, testing
from emkit.acceleration import Accelerator, Anderson, Automatic, QuasiNewton, Squarem
from emkit.arrays import read_only
from emkit.checkpoint import Checkpoint
from emkit.convergence import GainTolerance, Standstill, StepTolerance, Tolerance
from emkit.driver import fit, iterate
from emkit.engines import Engine, ExecutorEngine, SerialEngine, ThreadEngine
from emkit.loading import load
from emkit.model import EStep, LatentModel, SupportsEM
from emkit.optima import Optimum
from emkit.polish import Polish
from emkit.registry import available_models, load_model
from emkit.restarts import ShortRuns
from emkit.result import EMResult, Iterate, Start, Status
from emkit.variants import SAEM, Annealing, MonteCarloEM, StochasticEM, anneal, fit_stochastic

__all__ = [
    "SAEM",
    "Accelerator",
    "Anderson",
    "Annealing",
    "Automatic",
    "Checkpoint",
    "EMResult",
    "EStep",
    "Engine",
    "ExecutorEngine",
    "GainTolerance",
    "Iterate",
    "LatentModel",
    "MonteCarloEM",
    "Optimum",
    "Polish",
    "QuasiNewton",
    "SerialEngine",
    "ShortRuns",
    "Squarem",
    "Standstill",
    "Start",
    "Status",
    "StepTolerance",
    "StochasticEM",
    "SupportsEM",
    "ThreadEngine",
    "Tolerance",
    "anneal",
    "available_models",
    "datasets",
    "errors",
    "families",
    "fit",
    "fit_stochastic",
    "iterate",
    "load",
    "load_model",
    "read_only",
    "space",
    "testing",
]

__version__ = "0.1.0"

# Results know nothing of the driver above them; their bootstrap fits with what they are handed here.
EMResult._fit = staticmethod(fit)

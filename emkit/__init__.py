"""Write an E-step and an M-step; get everything else.

    >>> import emkit
    >>> result = emkit.fit(model, data)  # doctest: +SKIP

:class:`LatentModel` says what a model is, :func:`fit` fits it, :class:`EMResult` is what comes back.
"""

from emkit import datasets, errors, families, space, testing
from emkit.acceleration import Accelerator, Squarem
from emkit.arrays import read_only
from emkit.convergence import GainTolerance, Standstill, StepTolerance, Tolerance
from emkit.driver import fit, iterate
from emkit.engines import Engine, SerialEngine
from emkit.loading import load
from emkit.model import EStep, LatentModel, SupportsEM
from emkit.registry import available_models, load_model
from emkit.result import EMResult, Iterate, Start, Status

__all__ = [
    "Accelerator",
    "EMResult",
    "EStep",
    "Engine",
    "GainTolerance",
    "Iterate",
    "LatentModel",
    "SerialEngine",
    "Squarem",
    "Standstill",
    "Start",
    "Status",
    "StepTolerance",
    "SupportsEM",
    "Tolerance",
    "available_models",
    "datasets",
    "errors",
    "families",
    "fit",
    "iterate",
    "load",
    "load_model",
    "read_only",
    "space",
    "testing",
]

__version__ = "0.1.0"

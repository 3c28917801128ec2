"""Variants of EM on the same protocol: deterministic annealing, and EM with simulated E-steps."""

from emkit.variants.annealing import Annealing, anneal
from emkit.variants.schemes import SAEM, MonteCarloEM, Scheme, StochasticEM
from emkit.variants.stochastic import fit_stochastic
from emkit.variants.tempered import Tempered

__all__ = [
    "SAEM",
    "Annealing",
    "MonteCarloEM",
    "Scheme",
    "StochasticEM",
    "Tempered",
    "anneal",
    "fit_stochastic",
]

"""Finite mixtures: `GaussianMixture` for people with data, models of Gaussians and of any family below it."""

from emkit_mixture.estimator import GaussianMixture
from emkit_mixture.general import MixtureModel
from emkit_mixture.model import GaussianMixtureModel, WeightedRows
from emkit_mixture.params import GaussianMixtureParams, GaussianMixtureStatistics, MixtureParams
from emkit_mixture.starts import StartingValues

__all__ = [
    "GaussianMixture",
    "GaussianMixtureModel",
    "GaussianMixtureParams",
    "GaussianMixtureStatistics",
    "MixtureModel",
    "MixtureParams",
    "StartingValues",
    "WeightedRows",
]

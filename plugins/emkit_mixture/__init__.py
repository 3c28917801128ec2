"""Finite mixtures: `GaussianMixture` for people with data, `GaussianMixtureModel` for people with models."""

from emkit_mixture.estimator import GaussianMixture
from emkit_mixture.model import GaussianMixtureModel, WeightedRows
from emkit_mixture.params import GaussianMixtureParams, GaussianMixtureStatistics
from emkit_mixture.starts import StartingValues

__all__ = [
    "GaussianMixture",
    "GaussianMixtureModel",
    "GaussianMixtureParams",
    "GaussianMixtureStatistics",
    "StartingValues",
    "WeightedRows",
]

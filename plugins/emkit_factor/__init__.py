"""Factor analysis and probabilistic principal components with missing cells, also for far more columns than rows.

`FactorAnalysis` and `ProbabilisticPCA` are for people with data, `FactorAnalysisModel` for people with models.
"""

from emkit_factor.estimator import FactorAnalysis, ProbabilisticPCA
from emkit_factor.model import FactorAnalysisModel
from emkit_factor.noise import DiagonalNoise, InverseGamma, IsotropicNoise, Noise
from emkit_factor.params import FactorAnalysisParams, FactorPosterior, FactorStatistics
from emkit_factor.rows import PartialRows

__all__ = [
    "DiagonalNoise",
    "FactorAnalysis",
    "FactorAnalysisModel",
    "FactorAnalysisParams",
    "FactorPosterior",
    "FactorStatistics",
    "InverseGamma",
    "IsotropicNoise",
    "Noise",
    "PartialRows",
    "ProbabilisticPCA",
]

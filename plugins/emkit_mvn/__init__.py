"""The multivariate normal with missing entries: maximum likelihood, imputation, pooling, and a test of randomness."""

from emkit_mvn.conditional import Completion
from emkit_mvn.model import MultivariateNormal
from emkit_mvn.params import NormalParams, NormalStatistics
from emkit_mvn.priors import InverseWishart, Prior, Ridge
from emkit_mvn.structures import (
    BlockDiagonal,
    CovarianceStructure,
    Diagonal,
    Exchangeable,
    Known,
    Spherical,
    Unrestricted,
)

__all__ = [
    "BlockDiagonal",
    "Completion",
    "CovarianceStructure",
    "Diagonal",
    "Exchangeable",
    "InverseWishart",
    "Known",
    "MultivariateNormal",
    "NormalParams",
    "NormalStatistics",
    "Prior",
    "Ridge",
    "Spherical",
    "Unrestricted",
]

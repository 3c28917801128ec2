"""The multivariate normal with missing entries: maximum likelihood, imputation, pooling, and a test of randomness."""

from emkit_mvn.conditional import Completion
from emkit_mvn.estimator import NormalImputer
from emkit_mvn.imputations import Imputations
from emkit_mvn.information import MissingInformation, fraction_missing_information
from emkit_mvn.little import McarTest, mcar_test
from emkit_mvn.model import MultivariateNormal
from emkit_mvn.multiple import multiple_imputation
from emkit_mvn.params import NormalParams, NormalStatistics
from emkit_mvn.pooling import PooledEstimate, WaldTest, pool, pool_results
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
    "Imputations",
    "InverseWishart",
    "Known",
    "McarTest",
    "MissingInformation",
    "MultivariateNormal",
    "NormalImputer",
    "NormalParams",
    "NormalStatistics",
    "PooledEstimate",
    "Prior",
    "Ridge",
    "Spherical",
    "Unrestricted",
    "WaldTest",
    "fraction_missing_information",
    "mcar_test",
    "multiple_imputation",
    "pool",
    "pool_results",
]

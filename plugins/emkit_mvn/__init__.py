"""The multivariate normal with missing entries: maximum likelihood, imputation, pooling, and a test of randomness."""

from emkit_mvn.estimator import NormalImputer
from emkit_mvn.inference.information import MissingInformation, fraction_missing_information
from emkit_mvn.inference.little import McarTest, mcar_test
from emkit_mvn.kernels.conditional import Completion
from emkit_mvn.model import MultivariateNormal
from emkit_mvn.multiple.imputation import multiple_imputation
from emkit_mvn.multiple.imputations import Imputations
from emkit_mvn.multiple.pooling import PooledEstimate, pool, pool_results
from emkit_mvn.multiple.wald import WaldTest
from emkit_mvn.params import NormalParams, NormalStatistics
from emkit_mvn.priors import InverseWishart, Prior, Ridge
from emkit_mvn.regression.estimator import NormalRegression
from emkit_mvn.regression.table import RegressionSummary
from emkit_mvn.structures import (
    BlockDiagonal,
    CovarianceStructure,
    Diagonal,
    Exchangeable,
    Known,
    Spherical,
    Unrestricted,
)
from emkit_mvn.student.conditional import StudentCompletion
from emkit_mvn.student.estimator import StudentImputer
from emkit_mvn.student.model import MultivariateT
from emkit_mvn.student.params import StudentParams, StudentStatistics

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
    "MultivariateT",
    "NormalImputer",
    "NormalParams",
    "NormalRegression",
    "NormalStatistics",
    "PooledEstimate",
    "Prior",
    "RegressionSummary",
    "Ridge",
    "Spherical",
    "StudentCompletion",
    "StudentImputer",
    "StudentParams",
    "StudentStatistics",
    "Unrestricted",
    "WaldTest",
    "fraction_missing_information",
    "mcar_test",
    "multiple_imputation",
    "pool",
    "pool_results",
]

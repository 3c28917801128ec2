"""Families of distributions, and the building blocks below them, that mixtures and hidden Markov models share.

A `Family` holds one distribution for each component or state: its log-density, its weighted fit and its sampler.
`Gaussian` and `StudentT` are families of rows of real numbers, `Mixture` gives each state a mixture of its own,
`LinearRegression` and `Autoregressive` look at covariates or at earlier rows; others are there for counts, symbols,
positive numbers and angles, and `Product` joins columns of different kinds. `STARTS` holds the usual ways to begin.

Below them `Gaussians` does what an E-step needs of K Gaussians: ``log_density`` and ``moments`` separately, for a
model that must run a recursion in between, and ``mixture_e_step`` fused in one pass for a mixture; `gaussian_m_step`
turns moments into parameters. Which covariance matrices are allowed is told by a small object, `Full`, `Tied`,
`Diagonal` or `Spherical`, which also knows how the quadratic form is expanded so that a block of rows costs one
matrix product.
"""

from __future__ import annotations

from emkit.families.base import Family, SharedRows
from emkit.families.circular import VonMises, VonMisesParams
from emkit.families.counts.negative_binomial import NegativeBinomial, NegativeBinomialParams
from emkit.families.counts.poisson import Poisson, PoissonParams
from emkit.families.discrete.categorical import Categorical, CategoricalParams
from emkit.families.discrete.trials import Bernoulli, BernoulliParams, Multinomial, MultinomialParams
from emkit.families.gaussian.covariance import (
    CovarianceStructure,
    Diagonal,
    Full,
    Spherical,
    Tied,
    as_structure,
)
from emkit.families.gaussian.densities import Gaussians, gaussian_m_step
from emkit.families.gaussian.family import Gaussian
from emkit.families.gaussian.moments import GaussianMoments
from emkit.families.gaussian.params import GaussianParams
from emkit.families.gaussian.positive_definite import raise_eigenvalues
from emkit.families.gaussian.prior import GaussianPrior
from emkit.families.mixture import Mixture, MixtureParams
from emkit.families.partition import partition_by_features
from emkit.families.positive.exponential import Exponential, ExponentialParams
from emkit.families.positive.gamma import Gamma, GammaParams
from emkit.families.priors import BetaPrior, DirichletPrior, GammaPrior
from emkit.families.product import Product, ProductParams
from emkit.families.regression.autoregressive import Autoregressive, AutoregressiveParams
from emkit.families.regression.design import CoefficientParams
from emkit.families.regression.generalised import LogisticRegression, PoissonRegression
from emkit.families.regression.linear import LinearRegression, LinearRegressionParams
from emkit.families.starts import (
    STARTS,
    kmeans_plusplus_responsibilities,
    kmeans_responsibilities,
    random_responsibilities,
    random_row_responsibilities,
)
from emkit.families.student.family import StudentT
from emkit.families.student.params import StudentTParams

__all__ = [
    "STARTS",
    "Autoregressive",
    "AutoregressiveParams",
    "Bernoulli",
    "BernoulliParams",
    "BetaPrior",
    "Categorical",
    "CategoricalParams",
    "CoefficientParams",
    "CovarianceStructure",
    "Diagonal",
    "DirichletPrior",
    "Exponential",
    "ExponentialParams",
    "Family",
    "Full",
    "Gamma",
    "GammaParams",
    "GammaPrior",
    "Gaussian",
    "GaussianMoments",
    "GaussianParams",
    "GaussianPrior",
    "Gaussians",
    "LinearRegression",
    "LinearRegressionParams",
    "LogisticRegression",
    "Mixture",
    "MixtureParams",
    "Multinomial",
    "MultinomialParams",
    "NegativeBinomial",
    "NegativeBinomialParams",
    "Poisson",
    "PoissonParams",
    "PoissonRegression",
    "Product",
    "ProductParams",
    "SharedRows",
    "Spherical",
    "StudentT",
    "StudentTParams",
    "Tied",
    "VonMises",
    "VonMisesParams",
    "as_structure",
    "gaussian_m_step",
    "kmeans_plusplus_responsibilities",
    "kmeans_responsibilities",
    "partition_by_features",
    "raise_eigenvalues",
    "random_responsibilities",
    "random_row_responsibilities",
]

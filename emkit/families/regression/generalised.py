"""Regressions with a response of zeros and ones, or of counts: logistic and Poisson regression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NoReturn, final

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, gammaln

from emkit.errors import MissingCapabilityError
from emkit.families.base import Array, Family, Labels, SharedRows
from emkit.families.counts.deviance import LARGE_COUNT, log_fall, log_peak
from emkit.families.regression.design import (
    CoefficientParams,
    RegressionRows,
    as_ridge,
    blank_params,
    coefficient_space,
    from_standard,
    penalties,
    predictors,
    ridge_log_prior,
    runaways,
    score_in_units,
    solve,
    standardised,
    to_standard,
    yes_or_no,
)
from emkit.families.regression.newton import fit_components, logistic, poisson
from emkit.families.responsibilities import occupied, shared_at_start
from emkit.families.supports import COUNTS, are_counts
from emkit.space import Space


def no_sampler(family: object) -> NoReturn:
    """Raise: covariates have no distribution."""
    msg = f"{type(family).__name__} describes a response given covariates: use `simulate(params, components, x, rng)`."
    raise MissingCapabilityError(msg)


@attrs.frozen(eq=False)
class LogisticStatistics:
    """Expected counts, and a quadratic bound of the log-likelihood in standardised coefficients.

    Attributes
    ----------
    counts : (n_components,)
    score : (n_components, n_coefficients)
        Gradient at the params.
    curvature : (n_components, n_coefficients, n_coefficients)
        ``sum r w z z'`` with ``w = tanh(eta / 2) / (2 eta)``, the mean of a Polya-gamma variable.
    """

    counts: Array
    score: Array
    curvature: Array


@final
@attrs.frozen
class LogisticRegression(Family[CoefficientParams]):
    """Rows (response, covariates...) with a response of 0 or 1.

    ``log_density = y eta - log(1 + exp(eta))`` with ``eta = intercept + slopes @ covariates``

    The M-step maximises a quadratic bound that touches at the current params: the E-step of data augmented by
    Polya-gamma variables [1]_, the bound of [2]_. ``fit``, which sees the rows, goes to the maximum.

    Attributes
    ----------
    intercept : bool
    ridge : float
        Precision of a normal prior of the slopes of standardised covariates, of mean zero.

    References
    ----------
    .. [1] N. G. Polson, J. G. Scott, J. Windle, Bayesian inference for logistic models using Polya-Gamma latent
       variables, J. Am. Stat. Assoc. 108 (2013) 1339-1349.
    .. [2] T. S. Jaakkola, M. I. Jordan, Bayesian parameter estimation via variational methods, Stat. Comput. 10
       (2000) 25-37.
    """

    intercept: bool = attrs.field(default=True, validator=yes_or_no)
    ridge: float = attrs.field(default=0.0, converter=as_ridge)

    has_sampler: ClassVar[bool] = False
    is_additive: ClassVar[bool] = True

    def prepare(self, x: Any, lengths: NDArray[np.intp] | None = None) -> RegressionRows:
        """Return responses and covariates, checked."""
        if isinstance(x, RegressionRows):
            return x
        return RegressionRows.of(x, "LogisticRegression", "0 or 1", lambda y: (y == 0) | (y == 1))

    def log_density(self, params: CoefficientParams, x: RegressionRows) -> Array:
        """Return ``log p(response[n] | covariates[n], component k)`` in nats, (n_samples, n_components)."""
        return -np.logaddexp(0.0, (1 - 2 * x.response)[:, None] * predictors(params, x.covariates))

    def fit(
        self, x: RegressionRows, responsibilities: Array, params: CoefficientParams | None = None
    ) -> CoefficientParams:
        """Return the maximiser, by Newton's method."""
        x = self.prepare(x)
        if params is None:
            responsibilities = shared_at_start(responsibilities)
            params = blank_params(x, responsibilities, self.intercept)
        return fit_components(logistic, params, x, responsibilities, self.ridge)

    def statistics(self, params: CoefficientParams, x: RegressionRows, responsibilities: Array) -> LogisticStatistics:
        """Return the bound at ``params``."""
        eta, design = predictors(params, x.covariates), standardised(params, x.covariates)
        score = (responsibilities * (x.response[:, None] - expit(eta))).T @ design
        half = np.abs(eta) / 2
        weights = responsibilities * np.where(
            half < 1e-4, 0.25 - half**2 / 12, np.tanh(half) / np.maximum(4 * half, 1e-9)
        )
        curvature = np.stack([(design * column[:, None]).T @ design for column in weights.T])
        return LogisticStatistics(np.ones(len(x)) @ responsibilities, score, curvature)

    def m_step(self, params: CoefficientParams, statistics: LogisticStatistics) -> CoefficientParams:
        """Return the maximiser of the bound."""
        precision, coefficients = penalties(self.ridge, params), params.coefficients.copy()
        for k in np.flatnonzero(occupied(statistics.counts)):
            standard = to_standard(params, coefficients[k])
            score = statistics.score[k] - precision * standard
            step = solve(statistics.curvature[k] + np.diag(precision), score)
            coefficients[k] += from_standard(params, step)
        return attrs.evolve(params, coefficients=coefficients)

    def space(self, params: CoefficientParams) -> dict[str, Space]:
        """Return the units of the coefficients."""
        return coefficient_space(params)

    def log_prior(self, params: CoefficientParams) -> float:
        """Return the log-density of the prior of the slopes."""
        return ridge_log_prior(params, self.ridge)

    def complete_score(self, params: CoefficientParams, statistics: LogisticStatistics) -> CoefficientParams:
        """Return ``sum r (y - probability) (1, covariates)``."""
        score = score_in_units(params, statistics.score)
        return CoefficientParams(score, np.zeros_like(params.location), np.zeros_like(params.scale))

    def features(self, x: RegressionRows) -> Array:
        """Return response and covariates."""
        return x.features()

    def sample(self, params: CoefficientParams, components: Labels, rng: np.random.Generator) -> Array:
        """Raise: see :meth:`simulate`."""
        no_sampler(self)

    def simulate(self, params: CoefficientParams, components: Labels, x: Array, rng: np.random.Generator) -> Array:
        """Return the rows with responses drawn for their covariates."""
        eta = predictors(params, x[:, 1:])[np.arange(len(x)), components]
        drawn = np.where(np.isnan(eta), np.nan, rng.random(len(x)) < expit(eta))
        return np.column_stack([drawn, x[:, 1:]])

    def notes(self, params: CoefficientParams, statistics: Any = None) -> Sequence[str]:
        """Return a sentence if covariates separate the responses."""
        return runaways(params, "its covariates separate the zeros from the ones")


@final
@attrs.frozen
class PoissonRegression(Family[CoefficientParams]):
    """Rows (response, covariates...) with a response that counts.

    ``log_density = y eta - exp(eta) - log(y!)`` with ``eta = intercept + slopes @ covariates``

    The log-likelihood has no quadratic bound, so its maximum is found by Newton's method with all rows in one piece.

    Attributes
    ----------
    intercept : bool
    ridge : float
        Precision of a normal prior of the slopes of standardised covariates, of mean zero.
    """

    intercept: bool = attrs.field(default=True, validator=yes_or_no)
    ridge: float = attrs.field(default=0.0, converter=as_ridge)

    has_sampler: ClassVar[bool] = False

    def prepare(self, x: Any, lengths: NDArray[np.intp] | None = None) -> RegressionRows:
        """Return responses and covariates, checked."""
        if isinstance(x, RegressionRows):
            return x
        return RegressionRows.of(x, "PoissonRegression", COUNTS, are_counts)

    def log_density(self, params: CoefficientParams, x: RegressionRows) -> Array:
        """Return ``log p(response[n] | covariates[n], component k)`` in nats, (n_samples, n_components)."""
        y, eta = x.response[:, None], predictors(params, x.covariates)
        plain, rates, _ = poisson(eta, y)
        density = plain - gammaln(y + 1)
        if y.max(initial=0.0) <= LARGE_COUNT:
            return density
        # Where a rate is near to its count the terms of the plain form cancel; of large counts nothing would be left.
        near = np.abs(rates - y) < y / 2
        return np.where(near, log_fall(y, np.where(near, rates, 1.0)) + log_peak(y), density)

    def fit(
        self, x: RegressionRows, responsibilities: Array, params: CoefficientParams | None = None
    ) -> CoefficientParams:
        """Return the maximiser, by Newton's method."""
        x = self.prepare(x)
        if params is None:
            responsibilities = shared_at_start(responsibilities)
            params = self._start(x, responsibilities)
        return fit_components(poisson, params, x, responsibilities, self.ridge)

    def _start(self, x: RegressionRows, responsibilities: Array) -> CoefficientParams:
        """Return slopes of zero, and intercepts that meet the mean counts."""
        params = blank_params(x, responsibilities, self.intercept)
        if not self.intercept:
            return params
        counts = responsibilities.sum(axis=0)
        means = (responsibilities.T @ x.response) / np.where(counts > 0, counts, 1.0)
        standard = np.zeros_like(params.coefficients)
        standard[:, 0] = np.log(np.where(means > 0, means, 1.0))
        return attrs.evolve(params, coefficients=from_standard(params, standard))

    def space(self, params: CoefficientParams) -> dict[str, Space]:
        """Return the units of the coefficients."""
        return coefficient_space(params)

    def log_prior(self, params: CoefficientParams) -> float:
        """Return the log-density of the prior of the slopes."""
        return ridge_log_prior(params, self.ridge)

    def complete_score(self, params: CoefficientParams, statistics: SharedRows) -> CoefficientParams:
        """Return ``sum r (y - rate) (1, covariates)``."""
        x = statistics.x
        _, rates, _ = poisson(predictors(params, x.covariates), x.response[:, None])
        score = (statistics.responsibilities * (x.response[:, None] - rates)).T @ standardised(params, x.covariates)
        score = score_in_units(params, score)
        return CoefficientParams(score, np.zeros_like(params.location), np.zeros_like(params.scale))

    def features(self, x: RegressionRows) -> Array:
        """Return the square root of the response, and the covariates."""
        return np.column_stack([np.sqrt(x.response), x.covariates])

    def sample(self, params: CoefficientParams, components: Labels, rng: np.random.Generator) -> Array:
        """Raise: see :meth:`simulate`."""
        no_sampler(self)

    def simulate(self, params: CoefficientParams, components: Labels, x: Array, rng: np.random.Generator) -> Array:
        """Return the rows with responses drawn for their covariates."""
        eta = predictors(params, x[:, 1:])[np.arange(len(x)), components]
        drawn = rng.poisson(np.exp(np.where(np.isnan(eta), 0.0, np.minimum(eta, 40.0)))).astype(np.float64)
        return np.column_stack([np.where(np.isnan(eta), np.nan, drawn), x[:, 1:]])

    def notes(self, params: CoefficientParams, statistics: Any = None) -> Sequence[str]:
        """Return a sentence if coefficients have no finite estimate."""
        return runaways(params, "counts that are zero on one side of its covariates leave them undetermined")

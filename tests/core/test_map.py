"""Maximum a posteriori through ``log_prior``."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import gammaln, logsumexp, softmax
from toys import DEATHS, PoissonMixture, PoissonMixtureParams

import emkit


@attrs.frozen
class PriorOnPoissonMixture(emkit.LatentModel):
    """Weights ~ Dirichlet(concentration), rates ~ Gamma(shape, rate): conjugate, so the M-step stays closed."""

    n_components: int = 3
    concentration: float = 3.0
    shape: float = 4.0
    rate: float = 2.0
    mixture: PoissonMixture = PoissonMixture(3)

    def e_step(self, params, data):
        return self.mixture.e_step(params, data)

    def m_step(self, params, statistics):
        counts = statistics["counts"] + self.concentration - 1
        rates = (statistics["sums"] + self.shape - 1) / (statistics["counts"] + self.rate)
        return PoissonMixtureParams(counts / counts.sum(), rates)

    def log_prior(self, params):
        weights = (self.concentration - 1) * np.log(params.weights)
        rates = (self.shape - 1) * np.log(params.rates) - self.rate * params.rates
        return float(weights.sum() + rates.sum())

    def initialize(self, data, rng):
        return self.mixture.initialize(data, rng)


START = PoissonMixtureParams([0.3, 0.4, 0.3], [0.5, 2.0, 4.0])


def log_posterior(weights, rates, model):
    y, days = DEATHS
    log_density = logsumexp(y[:, None] * np.log(rates) - rates + np.log(weights), axis=1) - gammaln(y + 1)
    prior = (model.concentration - 1) * np.log(weights).sum()
    return days @ log_density + prior + ((model.shape - 1) * np.log(rates) - model.rate * rates).sum()


def test_the_fit_is_the_mode_that_an_optimiser_finds():
    model = PriorOnPoissonMixture()

    def loss(x):
        return -log_posterior(softmax(np.r_[x[:2], 0.0]), np.exp(x[2:]), model)

    oracle = minimize(loss, np.r_[0.0, 0.3, np.log(START.rates)], method="BFGS", options={"gtol": 1e-6})
    result = emkit.fit(model, DEATHS, START)
    assert result.converged
    assert result.objective == pytest.approx(-oracle.fun, abs=1e-5)
    # BFGS stops within a ten-thousandth of a standard error, the default of a fit within 0.0014.
    order, expected = np.argsort(result.params.rates), np.argsort(oracle.x[2:])
    np.testing.assert_allclose(result.params.rates[order], np.exp(oracle.x[2:])[expected], rtol=2e-3)
    np.testing.assert_allclose(result.params.weights[order], softmax(np.r_[oracle.x[:2], 0.0])[expected], rtol=5e-3)


def test_the_objective_is_the_log_likelihood_and_the_prior():
    model = PriorOnPoissonMixture()
    result = emkit.fit(model, DEATHS, START)
    assert result.log_likelihood == model.log_likelihood(result.params, DEATHS)
    assert result.objective == result.log_likelihood + model.log_prior(result.params)
    assert (np.diff(result.objectives) > -1e-9).all()


def test_the_prior_holds_up_a_component_that_the_likelihood_lets_die():
    alone = emkit.fit(PoissonMixture(3), DEATHS, START, max_iter=50_000)
    held = emkit.fit(PriorOnPoissonMixture(), DEATHS, START)
    assert np.diff(np.sort(alone.params.rates)).min() < 1e-2 or alone.params.weights.min() < 1e-3
    assert held.params.weights.min() > 0.05
    assert np.diff(np.sort(held.params.rates)).min() > 0.1


def test_a_prior_that_the_m_step_forgets_is_noticed():
    class Forgotten(PriorOnPoissonMixture):
        def m_step(self, params, statistics):
            return self.mixture.m_step(params, statistics)

    with pytest.raises(emkit.errors.LikelihoodDecreasedError, match="a prior or a weight is missing"):
        emkit.fit(Forgotten(), DEATHS, START)


def test_a_prior_that_log_prior_forgets_is_noticed():
    class Forgotten(PriorOnPoissonMixture):
        def log_prior(self, params):
            return 0.0

    # From the maximum of the likelihood every step towards the mode lowers the likelihood.
    start = emkit.fit(PoissonMixture(3), DEATHS, START).params
    with pytest.raises(emkit.errors.LikelihoodDecreasedError, match="a prior or a weight is missing"):
        emkit.fit(Forgotten(), DEATHS, start)

"""Regimes of series against the fits of Stata, to their digits: likelihoods, estimates and standard errors."""

from __future__ import annotations

import itertools

import attrs
import numpy as np
import pytest
from chain_oracles import plain_recursion
from emkit_hmm import HiddenMarkovModel, HiddenMarkovParams, Markov, Stationary, StationaryParams
from hmm_series import FEDERAL_FUNDS, GNP_GROWTH, MUMPS, STOCK_RETURNS, UNDERFLOWING
from scipy.stats import norm

from emkit import fit
from emkit.families import Autoregressive, Gaussian, GaussianParams, LinearRegression


def low_first(chain, means):
    """Return the order of the regimes and their transitions in it."""
    order = np.argsort(means)
    return order, chain.transmat[np.ix_(order, order)]


def regression_on_the_last_value(series):
    return np.column_stack([series[1:], series[:-1]])


def test_means_of_the_federal_funds_rate():
    """Stata 14, Time Series, mswitch."""
    model = HiddenMarkovModel(2, Gaussian("tied"), chain=Stationary())
    result = fit(model, FEDERAL_FUNDS, rng=0, tol=0)
    order, transmat = low_first(result.params.chain, result.params.emission.means[:, 0])
    assert result.converged
    assert result.log_likelihood == pytest.approx(-508.635918, abs=1e-6)
    assert result.n_parameters == 5
    np.testing.assert_allclose(transmat[:, 0], [0.9820939, 0.0503587], atol=1e-7)
    np.testing.assert_allclose(result.params.emission.means[order, 0], [3.70877, 9.556793], atol=1e-6)
    assert np.sqrt(result.params.emission.covariances[0, 0]) == pytest.approx(2.107562, abs=1e-6)


@pytest.mark.parametrize("method", ["score", "likelihood"])
def test_standard_errors_of_the_federal_funds_rate(method):
    """Stata 14, Time Series, mswitch: of p11, p21 and both means."""
    model = HiddenMarkovModel(2, Gaussian("tied"), chain=Stationary())
    result = fit(model, FEDERAL_FUNDS, rng=0, tol=0)
    errors = result.standard_errors(FEDERAL_FUNDS, method=method)
    order, _ = low_first(result.params.chain, result.params.emission.means[:, 0])
    np.testing.assert_allclose(errors.chain.transmat[order, order[0]], [0.0104002, 0.0268434], atol=1e-7)
    np.testing.assert_allclose(errors.emission.means[order, 0], [0.1767083, 0.2999889], atol=1e-7)


def test_means_of_the_federal_funds_rate_with_a_start_of_its_own():
    """As the EM of statsmodels 0.15.0 gives them with a free start."""
    result = fit(HiddenMarkovModel(2, Gaussian("tied"), chain=Markov()), FEDERAL_FUNDS, rng=0, tol=0)
    order, transmat = low_first(result.params.chain, result.params.emission.means[:, 0])
    assert result.log_likelihood == pytest.approx(-508.309989, abs=1e-6)
    np.testing.assert_allclose(result.params.emission.means[order, 0], [3.707776, 9.554184], atol=1e-6)
    np.testing.assert_allclose(np.diag(transmat), [0.980472, 0.953455], atol=1e-6)
    assert result.params.emission.covariances[0, 0] == pytest.approx(4.442201, abs=1e-6)


def test_an_autoregression_of_the_federal_funds_rate():
    """Stata 14, Time Series, mswitch: intercepts and the last value switch, the variance does not."""
    result = fit(
        HiddenMarkovModel(2, Autoregressive(covariance="tied"), chain=Stationary()), FEDERAL_FUNDS, rng=0, tol=0
    )
    emission, errors = result.params.emission, result.standard_errors(FEDERAL_FUNDS)
    order = np.argsort(-emission.intercepts[:, 0])
    assert result.log_likelihood == pytest.approx(-264.71069, abs=1e-5)
    assert result.n_observations == len(FEDERAL_FUNDS) - 1
    np.testing.assert_allclose(result.params.chain.transmat[order, order[0]], [0.6378175, 0.1306295], atol=1e-6)
    np.testing.assert_allclose(emission.intercepts[order, 0], [0.724457, -0.0988764], atol=1e-6)
    np.testing.assert_allclose(emission.coefficients[order].ravel(), [0.7631424, 1.061174], atol=1e-6)
    assert np.sqrt(emission.covariances[0, 0]) == pytest.approx(0.6915759, abs=1e-6)
    np.testing.assert_allclose(errors.chain.transmat[order, order[0]], [0.1202616, 0.0495924], atol=1e-6)
    np.testing.assert_allclose(errors.emission.intercepts[order, 0], [0.2886657, 0.1183838], atol=1e-6)
    np.testing.assert_allclose(errors.emission.coefficients[order].ravel(), [0.0337234, 0.0185031], atol=1e-6)


def test_a_regression_on_the_last_value_is_the_autoregression():
    x = regression_on_the_last_value(FEDERAL_FUNDS)
    result = fit(HiddenMarkovModel(2, LinearRegression(shared_variance=True), chain=Stationary()), x, rng=0, tol=0)
    assert result.log_likelihood == pytest.approx(-264.71069, abs=1e-5)


def test_stock_returns_with_a_variance_for_each_regime():
    """Stata 14, Time Series, mswitch."""
    x = regression_on_the_last_value(STOCK_RETURNS)
    result = fit(HiddenMarkovModel(2, LinearRegression(), chain=Stationary()), x, rng=0, tol=0)
    emission, errors = result.params.emission, result.standard_errors(x)
    order, transmat = low_first(result.params.chain, emission.coefficients[:, 0])
    assert result.log_likelihood == pytest.approx(-745.7977, abs=5e-5)
    np.testing.assert_allclose(transmat[:, 0], [0.7530865, 0.6825357], atol=1e-6)
    np.testing.assert_allclose(emission.coefficients[order], [[0.7641424, 0.0790744], [1.972771, 0.527953]], atol=1e-6)
    np.testing.assert_allclose(np.sqrt(emission.variances[order]), [0.5895792, 1.605333], atol=1e-6)
    np.testing.assert_allclose(errors.chain.transmat[order, order[0]], [0.0634387, 0.0662574], atol=1e-6)
    np.testing.assert_allclose(
        errors.emission.coefficients[order], [[0.0782852, 0.0301862], [0.2784204, 0.0857841]], atol=1e-6
    )


def test_mumps_without_an_intercept():
    """Stata 14, Time Series, mswitch."""
    x = regression_on_the_last_value(MUMPS)
    result = fit(HiddenMarkovModel(2, LinearRegression(intercept=False), chain=Stationary()), x, rng=0, tol=0)
    emission = result.params.emission
    order, transmat = low_first(result.params.chain, emission.coefficients[:, 0])
    assert result.log_likelihood == pytest.approx(131.7225, abs=5e-5)
    np.testing.assert_allclose(transmat[:, 0], [0.762733, 0.1473767], atol=1e-6)
    np.testing.assert_allclose(emission.coefficients[order, 0], [0.420275, 0.9847369], atol=1e-6)
    np.testing.assert_allclose(np.sqrt(emission.variances[order]), [0.0562405, 0.2611362], atol=1e-6)


def test_the_business_cycle_of_hamilton_with_a_state_for_every_five_quarters():
    """EViews: growth ``y[t] - m[s[t]]`` depends on the last four of the same, so a state is five regimes in a row."""
    transmat = np.array([[0.754673, 1 - 0.754673], [0.095915, 1 - 0.095915]])
    means, sd = np.array([-0.358811, 1.163516]), np.exp(-0.262658)
    lags = np.array([0.013486, -0.057521, -0.246983, -0.212923])
    regimes = np.array(list(itertools.product([0, 1], repeat=5)))  # of this quarter, the last one, ...
    follows = (regimes[:, None, :4] == regimes[None, :, 1:]).all(axis=2)
    expanded = np.where(follows, transmat[regimes[:, 0]][:, regimes[:, 0]], 0.0)
    intercepts = means[regimes[:, 0]] - means[regimes[:, 1:]] @ lags
    x = np.column_stack([GNP_GROWTH[4 - lag : len(GNP_GROWTH) - lag] for lag in range(5)])
    model = HiddenMarkovModel(32, LinearRegression(), chain=Stationary())
    emission = attrs.evolve(
        LinearRegression().fit(LinearRegression().prepare(x), np.ones((len(x), 32))),
        coefficients=np.column_stack([intercepts, np.tile(lags, (32, 1))]),
        variances=np.full(32, sd**2),
    )
    value = model.log_likelihood(HiddenMarkovParams(StationaryParams(expanded), emission), x)
    assert value == pytest.approx(-181.26339, abs=5e-6)


def test_numbers_that_made_another_smoother_underflow_do_not_here():
    """At the params at which statsmodels once gave NaN (its case 5380)."""
    means, variances = np.array([-6.41266551e-06, 3.81141202e-06]), np.array([4.72462327e-08, 4.45291473e-06])
    transmat = np.array([[6.97337611e-01, 1 - 6.97337611e-01], [6.26116329e-01, 1 - 6.26116329e-01]])
    start = np.array([transmat[1, 0], transmat[0, 1]]) / (transmat[1, 0] + transmat[0, 1])
    constants = np.zeros(1), np.ones(1)
    emission = GaussianParams(means[:, None], variances[:, None, None], *constants)
    params = HiddenMarkovParams(StationaryParams(transmat), emission)
    model = HiddenMarkovModel(2, Gaussian(), chain=Stationary())
    log_likelihood, _, smoothed, _ = plain_recursion(
        start, transmat, norm(means, np.sqrt(variances)).logpdf(UNDERFLOWING)
    )
    assert model.log_likelihood(params, UNDERFLOWING) == pytest.approx(log_likelihood, rel=1e-12)
    np.testing.assert_allclose(model.posterior(params, UNDERFLOWING), smoothed, atol=1e-12)


def test_numbers_near_a_hundred_thousandth_are_fitted_as_in_other_units():
    model = HiddenMarkovModel(2, Gaussian())
    small, large = (fit(model, UNDERFLOWING * unit, rng=0) for unit in (1.0, 1000.0))
    assert small.converged
    assert small.log_likelihood == pytest.approx(large.log_likelihood + 212 * np.log(1000), abs=1e-5)
    np.testing.assert_allclose(small.params.chain.transmat, large.params.chain.transmat, atol=1e-4)

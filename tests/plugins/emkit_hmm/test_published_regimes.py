"""Regimes of series against the fits of Stata, to their digits: likelihoods, estimates and standard errors."""

from __future__ import annotations

import numpy as np
import pytest
from chain_oracles import plain_recursion
from emkit_hmm import HiddenMarkovModel, HiddenMarkovParams, Markov, Stationary, StationaryParams
from hmm_series import FEDERAL_FUNDS, MUMPS, STOCK_RETURNS, UNDERFLOWING
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

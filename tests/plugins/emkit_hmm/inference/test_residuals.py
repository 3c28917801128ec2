"""Pseudo-residuals: standard normal under the true model, and what they are made of."""

from __future__ import annotations

import hmm_oracles as oracles
import numpy as np
import pytest
from emkit_hmm import HiddenMarkovModel, HiddenMarkovParams, MarkovParams, filtered, pseudo_residuals
from emkit_hmm.inference.residuals import without_own_row
from scipy import stats
from small_chains import KINDS, data_for, model_and_params, pieces

from emkit.errors import MissingCapabilityError
from emkit.families import Bernoulli, BernoulliParams, Categorical, Gaussian, GaussianParams

GAUSSIAN = HiddenMarkovModel(2, Gaussian())
TRUTH = HiddenMarkovParams(
    MarkovParams(np.array([1.0, 0.0]), np.array([[0.9, 0.1], [0.3, 0.7]])),
    GaussianParams(np.array([[0.0], [3.0]]), np.array([[[1.0]], [[0.25]]]), np.zeros(1), np.ones(1)),
)


@pytest.mark.parametrize("kind", KINDS)
def test_states_given_all_other_rows(kind):
    model, params = model_and_params(kind)
    found = without_own_row(model, params, data_for(model))
    for rows, log_emission, covariates in pieces(model, params):
        for t in range(len(log_emission)):
            others = log_emission.copy()
            others[t] = 0.0
            expected = oracles.smoothed(model, params, others, covariates)[0][t]
            np.testing.assert_allclose(found[rows][t], expected, atol=1e-10)


def test_forecast_residuals_are_independent_and_normal_under_the_truth():
    x = GAUSSIAN.sample(TRUTH, 3000, np.random.default_rng(0))
    residuals = pseudo_residuals(GAUSSIAN, TRUTH, x, kind="forecast")
    np.testing.assert_array_equal(residuals.lower, residuals.upper)
    assert stats.kstest(residuals.middle, "norm").pvalue > 0.01
    assert abs(np.corrcoef(residuals.middle[1:], residuals.middle[:-1])[0, 1]) < 4 / np.sqrt(3000)


def test_ordinary_residuals_are_normal_under_the_truth_and_not_elsewhere():
    x = GAUSSIAN.sample(TRUTH, 3000, np.random.default_rng(1))
    assert stats.kstest(pseudo_residuals(GAUSSIAN, TRUTH, x).middle, "norm").pvalue > 0.01
    assert stats.kstest(pseudo_residuals(GAUSSIAN, TRUTH, x + 0.3).middle, "norm").pvalue < 1e-6


def test_counts_have_a_segment_between_the_probabilities_below_and_up_to_them():
    """Of a forecast: written out with Poisson's distribution function."""
    model, params = model_and_params("markov")
    data = data_for(model)
    residuals = pseudo_residuals(model, params, data, kind="forecast")
    rates, x = params.emission.rates[:, 0], data.x[:, 0]
    start = params.chain.startprob
    assert stats.norm.cdf(residuals.upper[0]) == pytest.approx(start @ stats.poisson(rates).cdf(x[0]), rel=1e-10)
    assert stats.norm.cdf(residuals.lower[0]) == pytest.approx(start @ stats.poisson(rates).cdf(x[0] - 1), rel=1e-10)
    next_states = filtered(model, params, data)[0] @ params.chain.transmat
    up_to = next_states @ stats.poisson(rates).cdf(x[1])
    assert stats.norm.cdf(residuals.upper[1]) == pytest.approx(up_to, rel=1e-10)
    assert ((residuals.lower < residuals.middle) & (residuals.middle < residuals.upper)).all()


def test_rows_that_nobody_saw_have_no_residual():
    x = GAUSSIAN.sample(TRUTH, 50, np.random.default_rng(1))
    x[[0, 7]] = np.nan
    for kind in ("ordinary", "forecast"):
        middle = pseudo_residuals(GAUSSIAN, TRUTH, x, kind=kind).middle
        np.testing.assert_array_equal(np.flatnonzero(np.isnan(middle)), [0, 7])


def test_residuals_need_a_distribution_function_and_a_known_kind():
    model, params = model_and_params("markov")
    with pytest.raises(ValueError, match="'ordinary', 'forecast'"):
        pseudo_residuals(model, params, data_for(model), kind="sideways")
    symbols = HiddenMarkovModel(2, Categorical(3))
    x = np.array([[0.0], [1], [2], [1]])
    with pytest.raises(MissingCapabilityError, match="cumulative"):
        pseudo_residuals(symbols, symbols.initialize(x, np.random.default_rng(0)), x)


@pytest.mark.parametrize("outlier", [10.0, 37.0, 38.0, 60.0, 300.0])
def test_an_outlier_is_judged_by_what_the_others_say(outlier):
    # Seen from its neighbours the narrow state is all but certain; the outlier itself must not choose the state.
    chain = MarkovParams([0.5, 0.5], [[0.99, 0.01], [0.01, 0.99]])
    emission = GaussianParams([[0.0], [0.0]], [[1.0], [1e4]], [0.0], [1.0])
    params = HiddenMarkovParams(chain, emission)
    x = np.array([0.1, -0.3, 0.5, outlier, 0.2, -0.1, 0.4])[:, None]
    model = HiddenMarkovModel(2, Gaussian("diag"))
    weights = without_own_row(model, params, x)[3]
    gap = x.copy()
    gap[3] = np.nan
    expected = model.posterior(params, gap)[3]
    np.testing.assert_allclose(weights, expected, rtol=1e-10)
    middle = pseudo_residuals(model, params, x).middle[3]
    tail = expected @ stats.norm.sf(outlier, scale=[1.0, 100.0])
    assert middle == pytest.approx(stats.norm.isf(tail), rel=1e-8)


def test_a_row_that_is_impossible_in_a_state_does_not_rule_the_state_out_for_itself():
    params = HiddenMarkovParams(MarkovParams([0.5, 0.5], [[0.9, 0.1], [0.2, 0.8]]), BernoulliParams([[1.0], [0.5]]))
    x = np.array([1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0])[:, None]
    model = HiddenMarkovModel(2, Bernoulli())
    gap = x.copy()
    gap[3] = np.nan
    expected = model.posterior(params, gap)[3]
    np.testing.assert_allclose(without_own_row(model, params, x)[3], expected, rtol=1e-10)
    assert pseudo_residuals(model, params, x).upper[3] == pytest.approx(stats.norm.ppf(0.5 * expected[1]), rel=1e-8)


@pytest.mark.parametrize("kind", ["ordinary", "forecast"])
def test_both_tails_keep_their_digits(kind):
    x = np.array([-30.0, -10.0, 0.0, 10.0, 30.0])[:, None]
    model = HiddenMarkovModel(1, Gaussian("diag"))
    constants = np.zeros(1), np.ones(1)
    params = HiddenMarkovParams(
        MarkovParams(np.ones(1), np.ones((1, 1))), GaussianParams(np.zeros((1, 1)), np.ones((1, 1)), *constants)
    )
    found = pseudo_residuals(model, params, x, kind)
    for part in (found.lower, found.upper, found.middle):
        np.testing.assert_allclose(part, x[:, 0], rtol=1e-12)

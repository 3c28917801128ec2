"""Attributes that are changed by hand, before a fit or after it, are what is used."""

from __future__ import annotations

import numpy as np
import pytest
from emkit_hmm import GMMHMM, CategoricalHMM, GaussianHMM, MultinomialHMM, PoissonHMM
from scipy.stats import norm

from emkit import datasets

QUAKES = datasets.earthquakes().values


def test_states_far_apart_and_very_narrow_may_be_set():
    hmm = GaussianHMM(2)
    hmm.startprob_, hmm.transmat_ = [0.5, 0.5], [[0.5, 0.5], [0.5, 0.5]]
    hmm.means_, hmm.covars_ = [[0.0], [1000.0]], [[1e-8], [1e4]]
    x = np.array([[1e-4], [1100.0]])
    expected = np.log([0.5, 0.5]).sum() + norm.logpdf(1e-4, 0, 1e-4) + norm.logpdf(1100, 1000, 100)
    assert hmm.score(x) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("kind", ["diag", "full", "spherical", "tied"])
def test_means_and_covars_changed_after_a_fit_count(kind):
    hmm = GaussianHMM(2, kind, random_state=0).fit(QUAKES)
    hmm.means_, hmm.covars_ = [[0.0], [10.0]], 1e-6 * np.ones_like(hmm._covars_)
    assert hmm.score([[0.0]]) == pytest.approx(np.log(hmm.startprob_[0]) + norm.logpdf(0, 0, 1e-3), rel=1e-12)


@pytest.mark.filterwarnings("ignore::emkit.errors.DegenerateWarning")
def test_weights_of_a_mixture_changed_after_a_fit_count():
    hmm = GMMHMM(1, n_mix=2, random_state=0).fit(QUAKES)
    hmm.weights_ = [[0.25, 0.75]]
    deviations = np.sqrt(hmm.covars_[0, :, 0])
    density = norm.pdf(20.0, hmm.means_[0, :, 0], deviations) @ [0.25, 0.75]
    assert hmm.score([[20.0]]) == pytest.approx(np.log(density), rel=1e-12)
    hmm.means_ = [[[0.0], [1e5]]]
    assert hmm.score([[0.0]]) == pytest.approx(np.log(0.25 * norm.pdf(0, 0, deviations[0])), rel=1e-12)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("covars_", [[[1.0], [-1.0]]], r"covars_\[1, 0\] must be positive"),
        ("covars_", [[1.0, 1.0]], r"covars_ must have shape \(1, 2, n_features\), .* it has shape \(1, 2\)"),
        ("means_", [[0.0, 1.0]], r"means_ must have shape \(1, 2, n_features\), for n_components=1"),
        ("weights_", [[0.2, 0.3, 0.5]], r"weights_ must have shape \(1, 2\)"),
        ("weights_", [[0.2, 0.3]], "weights.*sum"),
    ],
)
def test_parts_of_a_mixture_that_do_not_fit_are_told(name, value, message):
    hmm = GMMHMM(1, n_mix=2)
    hmm.startprob_, hmm.transmat_, hmm.weights_ = [1.0], [[1.0]], [[0.5, 0.5]]
    hmm.means_, hmm.covars_ = [[[0.0], [1.0]]], [[[1.0], [1.0]]]
    assert np.isfinite(hmm.score([[0.0]]))
    setattr(hmm, name, value)
    with pytest.raises(ValueError, match=message):
        hmm.score([[0.0]])


@pytest.mark.filterwarnings("ignore::emkit.errors.DegenerateWarning")
def test_columns_keep_their_own_numbers_of_symbols():
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.integers(0, 4, 60), rng.integers(0, 2, 60)])
    hmm = CategoricalHMM(2, random_state=0).fit(x)
    assert hmm.emissionprob_.shape == (2, 2, 4)
    assert hmm.aic(x) == pytest.approx(-2 * hmm.score(x) + 2 * (1 + 2 + 2 * (3 + 1)))
    with pytest.raises(ValueError, match="Row 0, column 1 is symbol 3, but the fit knows symbols 0 to 1"):
        hmm.score([[0, 3]])
    hmm.emissionprob_ = np.full((2, 2, 5), 0.2)
    assert hmm.score([[4, 4]]) == pytest.approx(2 * np.log(0.2), rel=1e-12)


def test_rates_and_probabilities_changed_after_a_fit_count():
    hmm = PoissonHMM(1).fit(QUAKES)
    hmm.lambdas_ = [[2.0]]
    assert hmm.score([[0]]) == pytest.approx(-2.0, rel=1e-12)
    counts = MultinomialHMM(1).fit(np.array([[1, 3], [2, 2]]))
    counts.emissionprob_ = [[0.9, 0.1]]
    assert counts.score([[1, 0]]) == pytest.approx(np.log(0.9), rel=1e-12)
    assert counts.sample(4)[0].sum(axis=1).tolist() == [4] * 4


def test_one_state_more_needs_a_new_fit():
    hmm = PoissonHMM(2, random_state=0).fit(QUAKES)
    with pytest.raises(ValueError, match=r"startprob_ must have shape \(3,\), for n_components=3 states; .* \(2,\)"):
        hmm.set_params(n_components=3).predict(QUAKES)
    assert hmm.fit(QUAKES).lambdas_.shape == (3, 1)


def test_priors_of_their_own_give_states_their_names():
    # Far from the default order: the prior wants the high rates in state 0.
    means = np.array([[30.0], [10.0]])
    hmm = GaussianHMM(2, means_prior=means, means_weight=500.0, random_state=0).fit(QUAKES)
    model = hmm.model_
    swapped = model.permuted(hmm.result_.params, np.array([1, 0]))
    assert model.log_prior(hmm.result_.params) + hmm.score(QUAKES) == pytest.approx(hmm.result_.objective, rel=1e-12)
    assert model.log_prior(hmm.result_.params) != pytest.approx(model.log_prior(swapped))


def test_a_prior_of_symbols_may_differ_between_states():
    x = np.array([[0], [1], [2], [0], [1], [2]])
    prior = np.array([[1.0, 1.0, 9.0], [9.0, 1.0, 1.0]])
    hmm = CategoricalHMM(2, emissionprob_prior=prior, init_params="", n_iter=2, accelerate=None)
    hmm.startprob_, hmm.transmat_, hmm.emissionprob_ = [0.5, 0.5], np.full((2, 2), 0.5), np.full((2, 3), 1 / 3)
    with pytest.warns(match="max_iter"):
        hmm.fit(x)
    # Every symbol is seen twice, and belongs to each state by half.
    np.testing.assert_allclose(hmm.emissionprob_, [[1 / 11, 1 / 11, 9 / 11], [9 / 11, 1 / 11, 1 / 11]], rtol=1e-12)

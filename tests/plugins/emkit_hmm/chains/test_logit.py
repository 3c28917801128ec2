"""Transitions by covariates: the E-step by all paths, the M-step by a search, and what may go wrong."""

from __future__ import annotations

import hmm_oracles as oracles
import numpy as np
import pytest
from emkit_hmm import HiddenMarkovModel, Logit, LogitParams, Markov, Sequences
from emkit_hmm.chains.logit import LogitStatistics, design_of
from regimes import COUNTS, COVARIATES, LENGTHS
from scipy import optimize
from scipy.special import log_softmax, logsumexp
from small_chains import ALLOWED, data_for, model_and_params, pieces

from emkit import fit
from emkit.families import Poisson


def expected_height(chain, coefficients, statistics):
    """Return the expected log-likelihood of the transitions plus the log-prior, written out."""
    allowed = np.ones(coefficients.shape[:2], bool) if chain.allowed is None else chain.allowed
    total = 0.0
    for row, counts in zip(statistics.design, statistics.transitions, strict=True):
        log_odds = np.where(allowed, coefficients @ row, -np.inf)
        total += np.sum(counts[allowed] * log_softmax(log_odds, axis=1)[allowed])
    return total - 0.5 * chain.ridge * np.sum(coefficients[..., 1:] ** 2)


def random_statistics(n_states, n_rows, allowed, rng):
    transitions = rng.dirichlet(np.full(n_states**2, 0.3), size=n_rows).reshape(n_rows, n_states, n_states) * allowed
    return LogitStatistics(np.ones(n_states), transitions, design_of(rng.normal(size=(n_rows, 2))))


@pytest.mark.parametrize("kind", ["logit", "logit with zeros"])
def test_expected_transitions_are_those_of_all_paths(kind):
    model, params = model_and_params(kind)
    found = model.e_step(params, data_for(model)).statistics.chain
    for rows, log_emission, covariates in pieces(model, params):
        paths, log_paths = oracles.log_paths(model, params, log_emission, covariates)
        chances = np.exp(log_paths - logsumexp(log_paths))
        hits = (paths[:, :, None] == np.arange(3)).astype(float)
        expected = np.einsum("p,ptj,ptk->tjk", chances, hits[:, :-1], hits[:, 1:])
        np.testing.assert_allclose(found.transitions[rows][1:], expected, atol=1e-12)
        np.testing.assert_array_equal(found.transitions[rows][0], 0)


@pytest.mark.parametrize("allowed", [None, ALLOWED], ids=["all", "some"])
@pytest.mark.parametrize("ridge", [0.0, 2.0])
def test_the_m_step_is_the_maximum_that_a_search_finds(allowed, ridge):
    rng = np.random.default_rng(0)
    chain = Logit(allowed=allowed, ridge=ridge)
    mask = np.ones((3, 3), bool) if allowed is None else allowed
    statistics = random_statistics(3, 60, mask, rng)
    params = LogitParams(np.full(3, 1 / 3), np.zeros((3, 3, 3)))
    for _ in range(3):
        params = chain.m_step(params, statistics)
    free = mask & ~np.eye(3, dtype=bool)

    def filled(values):
        coefficients = np.zeros((3, 3, 3))
        coefficients[free] = values.reshape(-1, 3)
        return coefficients

    searched = optimize.minimize(
        lambda values: -expected_height(chain, filled(values), statistics), np.zeros(free.sum() * 3), tol=1e-10
    )
    assert expected_height(chain, params.coefficients, statistics) >= -searched.fun - 1e-9
    np.testing.assert_allclose(params.coefficients, filled(searched.x), atol=1e-4)
    np.testing.assert_array_equal(params.coefficients[~free], 0)


def test_no_m_step_ever_lowers_the_height():
    """From far away, where Newton's full step overshoots."""
    rng = np.random.default_rng(1)
    chain = Logit()
    for _ in range(30):
        statistics = random_statistics(2, 15, np.ones((2, 2), bool), rng)
        coefficients = rng.normal(size=(2, 2, 3)) * 8
        coefficients[[0, 1], [0, 1]] = 0
        after = chain.m_step(LogitParams(np.full(2, 0.5), coefficients), statistics).coefficients
        before_height = expected_height(chain, coefficients, statistics)
        assert expected_height(chain, after, statistics) >= before_height - 1e-10 * (1 + abs(before_height))


def test_the_score_is_the_slope_of_the_expected_height():
    rng = np.random.default_rng(2)
    chain = Logit(allowed=ALLOWED)
    statistics = random_statistics(3, 20, ALLOWED, rng)
    coefficients = rng.normal(size=(3, 3, 3)) * (ALLOWED & ~np.eye(3, dtype=bool))[..., None]
    slopes = chain.complete_score(LogitParams(np.full(3, 1 / 3), coefficients), statistics).coefficients
    for i, j, q in np.argwhere((ALLOWED & ~np.eye(3, dtype=bool))[..., None] & np.ones(3, bool)):
        step = np.zeros((3, 3, 3))
        step[i, j, q] = 1e-6
        heights = [expected_height(chain, coefficients + sign * step, statistics) for sign in (1, -1)]
        assert slopes[i, j, q] == pytest.approx((heights[0] - heights[1]) / 2e-6, rel=1e-5, abs=1e-8)


def test_without_covariates_it_is_a_plain_chain():
    """A covariate that is always 0 leaves intercepts, and these say what a matrix says."""
    x = Sequences(COUNTS, LENGTHS, covariates=np.zeros((len(COUNTS), 1)))
    logit = fit(HiddenMarkovModel(2, Poisson(), chain=Logit()), x, rng=0, tol=0)
    plain = fit(HiddenMarkovModel(2, Poisson(), chain=Markov()), Sequences(COUNTS, LENGTHS), rng=0, tol=0)
    assert logit.log_likelihood == pytest.approx(plain.log_likelihood, abs=1e-8)
    transmat = logit.model.chain.expanded(logit.params.chain, np.zeros((1, 1))).transmat[0]
    np.testing.assert_allclose(transmat, plain.params.chain.transmat, atol=1e-5)


def test_coefficients_are_found_again():
    rng = np.random.default_rng(3)
    covariates = rng.normal(size=(4000, 1))
    chain = LogitParams(np.array([1.0, 0.0]), np.array([[[0, 0], [-2.0, 1.5]], [[-1.0, -1.0], [0, 0]]]))
    states = Logit().sample(chain, 4000, rng, covariates)
    x = Sequences(rng.poisson(np.where(states == 0, 1, 12))[:, None].astype(float), covariates=covariates)
    model = HiddenMarkovModel(2, Poisson(), chain=Logit())
    result = fit(model, x, rng=0)
    found, errors = model.canonical(result.params).chain.coefficients, result.standard_errors(x).chain.coefficients
    assert (np.abs(found - chain.coefficients) <= 4 * errors.max() + 1e-12).all()
    assert result.n_parameters == 1 + 4 + 2


def test_covariates_that_part_the_transitions_need_a_ridge():
    """The state follows the sign of the covariate: without a ridge coefficients grow and the likelihood still rises."""
    rng = np.random.default_rng(4)
    covariates = rng.normal(size=(200, 1))
    x = Sequences(rng.poisson(np.where(covariates > 0, 30, 1)).astype(float), covariates=covariates)
    free = fit(HiddenMarkovModel(2, Poisson(), chain=Logit()), x, rng=0, max_iter=200)
    held = fit(HiddenMarkovModel(2, Poisson(), chain=Logit(ridge=0.1)), x, rng=0)
    assert np.isfinite(free.params.chain.coefficients).all()
    assert (np.diff(free.log_likelihoods) >= -1e-8).all()
    assert held.converged
    assert np.abs(held.params.chain.coefficients).max() < 20 < np.abs(free.params.chain.coefficients).max()


@pytest.mark.parametrize("allowed", [[[0, 1], [1, 1]], [[1, 1, 1], [1, 1, 1], [1, 1, 1]]])
def test_every_state_must_be_allowed_to_stay(allowed):
    model = HiddenMarkovModel(2, Poisson(), chain=Logit(allowed=allowed))
    with pytest.raises(ValueError, match="every state must be allowed to stay"):
        model.initialize(Sequences(COUNTS, covariates=COVARIATES), np.random.default_rng(0))


def test_covariates_are_asked_for():
    with pytest.raises(ValueError, match="need covariates"):
        fit(HiddenMarkovModel(2, Poisson(), chain=Logit()), COUNTS, rng=0)


@pytest.mark.parametrize(
    ("unit", "origin"), [(1e6, 0.0), (1e-6, 0.0), (1.0, 1e3), (1.0, 1e6), (1e9, 1e11), (1e-3, 7.0)]
)
def test_units_and_origin_of_covariates_do_not_matter(unit, origin):
    """A thermometer in Kelvin or a clock in seconds since 1970 must not end elsewhere."""
    rng = np.random.default_rng(0)
    covariates, states = rng.normal(size=(300, 2)), np.zeros(300, dtype=int)
    for t in range(1, 300):
        states[t] = states[t - 1] ^ (rng.random() < 1 / (1 + np.exp(2 - 2 * covariates[t, 0])))
    x = rng.poisson(np.where(states, 12, 2))[:, None].astype(float)
    model = HiddenMarkovModel(2, Poisson(), chain=Logit())
    plain = fit(model, Sequences(x, covariates=covariates), rng=0)
    other = np.column_stack([origin + unit * covariates[:, 0], covariates[:, 1]])
    found = fit(model, Sequences(x, covariates=other), rng=0)
    assert found.converged
    assert found.log_likelihood == pytest.approx(plain.log_likelihood, abs=1e-6)
    slopes = found.params.chain.coefficients[..., 1:] * [unit, 1.0]
    np.testing.assert_allclose(slopes, plain.params.chain.coefficients[..., 1:], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("ridge", [-1.0, np.nan, np.inf, "a", None])
def test_a_ridge_is_a_precision(ridge):
    with pytest.raises(ValueError, match="ridge, a precision, must be a finite number of at least 0"):
        Logit(ridge=ridge)


@pytest.mark.parametrize("allowed", [[[1, 0.5], [1, 1]], [[1, np.nan], [1, 1]], [["yes", "no"], ["no", "yes"]]])
def test_transitions_are_allowed_or_not(allowed):
    with pytest.raises(ValueError, match=r"allowed must hold True .* found"):
        Logit(allowed=allowed)


def test_covariates_of_other_columns_are_counted():
    covariates = np.random.default_rng(0).normal(size=(len(COUNTS), 1))
    model = HiddenMarkovModel(2, Poisson(), chain=Logit(ridge=1.0))
    params = model.initialize(Sequences(COUNTS, covariates=covariates), np.random.default_rng(0))
    with pytest.raises(ValueError, match="covariates have 2 columns, but the transitions depend on 1"):
        model.log_likelihood(params, Sequences(COUNTS, covariates=np.column_stack([covariates, covariates])))

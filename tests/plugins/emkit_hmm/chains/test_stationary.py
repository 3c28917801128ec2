"""Chains that start as they go on: the stationary law, its M-step and its score."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from emkit_hmm import HiddenMarkovModel, Pattern, Stationary, StationaryParams, stationary_distribution
from emkit_hmm.chains.markov import MarkovStatistics
from regimes import COUNTS, LENGTHS
from scipy import optimize

from emkit import fit, iterate
from emkit.families import Poisson


def expected_height(chain, transmat, statistics):
    start = stationary_distribution(transmat)
    height = statistics.first @ np.log(start) + np.sum(statistics.transition_counts * np.log(transmat))
    return height + chain.transitions.log_prior(transmat)


def searched_height(chain, statistics):
    """Return the best height that a direct search over logits finds."""
    n_states = len(statistics.first)

    def fall(logits):
        rows = np.exp(logits.reshape(n_states, -1) - logits.max())
        return -expected_height(chain, rows / rows.sum(axis=1, keepdims=True), statistics)

    starts = np.log(statistics.transition_counts + 0.5).ravel()
    return -optimize.minimize(fall, starts, method="BFGS", options={"gtol": 1e-9}).fun


@pytest.mark.parametrize("n_states", [2, 3, 5])
@pytest.mark.parametrize("n_sequences", [1, 40])
@pytest.mark.parametrize("concentration", [1.0, 2.0])
def test_the_m_step_reaches_the_height_of_a_direct_search(n_states, n_sequences, concentration):
    """With many short sequences the start says as much as the transitions."""
    rng = np.random.default_rng(n_states)
    chain = Stationary(Pattern(concentration=concentration))
    statistics = MarkovStatistics(rng.dirichlet(np.ones(n_states)) * n_sequences, rng.gamma(1, 8, (n_states, n_states)))
    params = StationaryParams(rng.dirichlet(np.ones(n_states), size=n_states))
    for _ in range(20):
        params = chain.m_step(params, statistics)
    found = expected_height(chain, params.transmat, statistics)
    assert found == pytest.approx(searched_height(chain, statistics), abs=1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_no_m_step_ever_lowers_the_height(seed):
    rng = np.random.default_rng(seed)
    chain = Stationary()
    for _ in range(30):
        statistics = MarkovStatistics(rng.dirichlet(np.full(3, 0.3)) * 20, rng.gamma(0.3, 5, (3, 3)))
        params = StationaryParams(rng.dirichlet(np.full(3, 0.5), size=3))
        after = chain.m_step(params, statistics)
        before_height = expected_height(chain, params.transmat, statistics)
        assert expected_height(chain, after.transmat, statistics) >= before_height - 1e-9 * (1 + abs(before_height))


def test_shares_of_counts_would_end_far_below_where_this_ends():
    """What other packages do: the start, half of all rows here, then tells nothing of the transitions."""
    x = [part[:2] for part in np.split(COUNTS, np.cumsum(LENGTHS)[:-1])] * 5
    model = HiddenMarkovModel(2, Poisson(), chain=Stationary())
    start = model.initialize(x, np.random.default_rng(0))
    ours = [point.log_likelihood for point in itertools.islice(iterate(model, x, start), 60)]
    assert (np.diff(ours) >= -1e-9).all()

    params, shares = start, []
    for _ in range(60):
        e_step = model.e_step(params, x)
        shares.append(e_step.log_likelihood)
        counts = e_step.statistics.chain.transition_counts
        naive = StationaryParams(counts / counts.sum(axis=1, keepdims=True))
        following = model.m_step(params, e_step.statistics)
        params = type(params)(naive, following.emission)
    assert shares[-1] < ours[-1] - 1


def test_the_stationary_law_is_left_as_it_is():
    for seed in range(5):
        transmat = np.random.default_rng(seed).dirichlet(np.full(4, 0.3), size=4)
        start = stationary_distribution(transmat)
        np.testing.assert_allclose(start @ transmat, start, atol=1e-13)
        assert start.sum() == pytest.approx(1, abs=1e-14)


def test_the_stationary_law_of_closed_classes_is_the_limit_from_an_equal_start():
    transmat = np.array([[0.5, 0.5, 0, 0], [0.5, 0.5, 0, 0], [0, 0, 1, 0], [0.25, 0.25, 0.5, 0]])
    np.testing.assert_allclose(stationary_distribution(transmat), [0.3125, 0.3125, 0.375, 0], atol=1e-12)


def test_the_score_counts_what_the_start_says_of_the_transitions():
    rng = np.random.default_rng(4)
    chain, transmat = Stationary(), rng.dirichlet(np.ones(3), size=3)
    statistics = MarkovStatistics(rng.gamma(1, 5, 3), rng.gamma(1, 5, (3, 3)))
    slopes = chain.complete_score(StationaryParams(transmat), statistics).transmat
    for i, j in itertools.product(range(3), range(2)):
        step = np.zeros((3, 3))
        step[i, j], step[i, 2] = 1e-6, -1e-6
        heights = [expected_height(chain, transmat + sign * step, statistics) for sign in (1, -1)]
        assert slopes[i, j] - slopes[i, 2] == pytest.approx((heights[0] - heights[1]) / 2e-6, rel=1e-6)


def test_fixed_transitions_stay():
    chain = Stationary(Pattern([[np.nan, np.nan], [0.3, 0.7]]))
    statistics = MarkovStatistics(np.array([9.0, 1.0]), np.array([[5.0, 5.0], [9.0, 1.0]]))
    found = chain.m_step(StationaryParams(np.array([[0.5, 0.5], [0.3, 0.7]])), statistics).transmat
    np.testing.assert_array_equal(found[1], [0.3, 0.7])
    searched = optimize.minimize_scalar(
        lambda p: -expected_height(chain, np.array([[p, 1 - p], [0.3, 0.7]]), statistics), bounds=(0.01, 0.99)
    )
    assert found[0, 0] == pytest.approx(searched.x, abs=1e-5)


def test_sequences_that_never_change_states_are_fitted_all_the_same():
    """Transitions go towards the identity, which has no stationary law of its own."""
    rng = np.random.default_rng(0)
    x = [rng.poisson(rate, size=(8, 1)).astype(float) for rate in [1] * 5 + [40] * 10]
    result = fit(HiddenMarkovModel(2, Poisson(), chain=Stationary()), x, rng=0, tol=0, max_iter=300)
    assert np.isfinite(result.log_likelihood)
    assert (np.diff(result.log_likelihoods) >= -1e-8).all()
    assert (np.diag(result.params.chain.transmat) > 0.98).all()
    means = [np.mean(x[:5]), np.mean(x[5:])]
    np.testing.assert_allclose(np.sort(result.params.emission.rates[:, 0]), means, rtol=1e-9)


@pytest.mark.parametrize("rare", [1e-3, 1e-9, 1e-12, 1e-200])
def test_rare_transitions_lose_no_digits(rare):
    # A chain of births and deaths balances every pair of neighbours, so its distribution is known exactly.
    births, deaths = np.array([rare, 0.3, rare]), np.array([0.2, rare, 0.4])
    transmat = np.diag(births, 1) + np.diag(deaths, -1)
    transmat += np.diag(1 - transmat.sum(axis=1))
    expected = np.cumprod(np.r_[1.0, births / deaths])
    np.testing.assert_allclose(stationary_distribution(transmat), expected / expected.sum(), rtol=1e-13)


def test_transitions_next_to_impossible_give_no_warning_of_overflow():
    transmat = np.array([[0.0, 1e-310, 1.0], [0.5, 0.5, 0.0], [1.0, 1e-320, 0.0]])
    np.testing.assert_allclose(
        stationary_distribution(transmat / transmat.sum(axis=1, keepdims=True)), [0.5, 0, 0.5], atol=1e-12
    )

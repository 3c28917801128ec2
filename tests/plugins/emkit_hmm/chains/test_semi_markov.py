"""Explicit durations: all segmentations, geometric durations, what is cut off, and fits."""

from __future__ import annotations

import hmm_oracles as oracles
import numpy as np
import pytest
from emkit_hmm import (
    FreeDurations,
    HiddenMarkovModel,
    HiddenMarkovParams,
    Markov,
    MarkovParams,
    NegativeBinomialDurationParams,
    NegativeBinomialDurations,
    Pattern,
    PoissonDurationParams,
    PoissonDurations,
    SemiMarkov,
    SemiMarkovParams,
    left_right,
)
from regimes import COUNTS, forms
from scipy.special import logsumexp
from small_chains import LENGTHS, ROWS, data_for, model_and_params, pieces

from emkit import fit
from emkit.families import Poisson, PoissonParams

LAWS = {"poisson": PoissonDurations(), "negative binomial": NegativeBinomialDurations(), "free": FreeDurations()}


def segments_of(path):
    """Return states and lengths of the runs of a path; diagonals are zero, so they are its segments."""
    ends = np.flatnonzero(np.diff(path)) + 1
    return path[np.r_[0, ends]], np.diff(np.r_[0, ends, len(path)])


@pytest.mark.parametrize("kind", LAWS)
def test_expected_segments_are_those_of_all_segmentations(kind):
    model, params = model_and_params(kind)
    found = model.e_step(params, data_for(model)).statistics.chain
    pmf = np.exp(model.chain.durations.log_pmf(params.chain.durations, 4))
    first, transitions, durations = np.zeros(3), np.zeros((3, 3)), np.zeros((3, 4))
    for _, log_emission, _ in pieces(model, params):
        paths, log_paths = oracles.log_paths(model, params, log_emission)
        for path, chance in zip(paths, np.exp(log_paths - logsumexp(log_paths)), strict=True):
            states, lengths = segments_of(path)
            if (np.diff(states) == 0).any():
                continue
            first[states[0]] += chance
            np.add.at(transitions, (states[:-1], states[1:]), chance)
            np.add.at(durations, (states[:-1], lengths[:-1] - 1), chance)
            rest = pmf[states[-1], lengths[-1] - 1 :]
            durations[states[-1], lengths[-1] - 1 :] += chance * rest / rest.sum()
    np.testing.assert_allclose(found.first, first, atol=1e-10)
    np.testing.assert_allclose(found.transition_counts, transitions, atol=1e-10)
    np.testing.assert_allclose(found.duration_counts, durations, atol=1e-10)


@pytest.mark.parametrize("kind", LAWS)
def test_rows_that_nobody_saw_change_no_likelihood(kind):
    """However much of the law the longest duration cuts off."""
    model, params = model_and_params(kind)
    rows = np.vstack([ROWS, np.full((7, 1), np.nan)])
    whole = model.log_likelihood(params, data_for(model, rows, np.array([5, 1, 10])))
    assert whole == pytest.approx(model.log_likelihood(params, data_for(model, ROWS, LENGTHS)), rel=1e-12)
    assert model.log_likelihood(params, np.full((9, 1), np.nan)) == pytest.approx(0, abs=1e-12)


def test_geometric_durations_are_a_plain_chain():
    """A negative binomial law of dispersion 1 is geometric: staying has one probability for each state."""
    stay, moves = np.array([0.7, 0.5, 0.6]), np.array([[0, 0.4, 0.6], [0.5, 0, 0.5], [0.9, 0.1, 0]])
    start, rates = np.array([0.2, 0.3, 0.5]), PoissonParams(np.array([[1.0], [5.0], [12.0]]))
    durations = NegativeBinomialDurationParams(stay / (1 - stay), np.ones(3))
    segments = HiddenMarkovParams(SemiMarkovParams(start, moves, durations), rates)
    transmat = np.diag(stay) + (1 - stay)[:, None] * moves
    plain = HiddenMarkovParams(MarkovParams(start, transmat), rates)
    semi = HiddenMarkovModel(3, Poisson(), chain=SemiMarkov(NegativeBinomialDurations(), longest=100))
    chain = HiddenMarkovModel(3, Poisson())
    for form in ("one", "gaps", "weights", "labels"):
        x = forms(np.minimum(COUNTS, 15))[form]
        if form == "labels":
            x = type(x)(x.x, x.lengths, states=np.where(x.states == 1, 2, x.states))
        assert semi.log_likelihood(segments, x) == pytest.approx(chain.log_likelihood(plain, x), rel=1e-9)
        np.testing.assert_allclose(semi.posterior(segments, x), chain.posterior(plain, x), atol=1e-9)


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_the_longest_duration_may_exceed_the_data(law):
    model = HiddenMarkovModel(2, Poisson(), chain=SemiMarkov(law, longest=40))
    x = [COUNTS[:6], COUNTS[6:7], COUNTS[7:15]]
    result = fit(model, x, rng=0, max_iter=60)
    assert np.isfinite(result.log_likelihood)
    assert (np.diff(result.log_likelihoods) >= -1e-8).all()
    pmf = np.exp(model.chain.durations.log_pmf(result.params.chain.durations, 40))
    np.testing.assert_allclose(pmf.sum(axis=1), 1, rtol=1e-10)


def test_durations_that_generated_the_data_are_found_again():
    model, rng = (
        HiddenMarkovModel(2, Poisson(), chain=SemiMarkov(PoissonDurations(), longest=40)),
        np.random.default_rng(0),
    )
    swap = np.array([[0.0, 1.0], [1.0, 0.0]])
    law = PoissonDurationParams(np.array([3.0, 9.0]))
    truth = HiddenMarkovParams(
        SemiMarkovParams(np.array([1.0, 0.0]), swap, law), PoissonParams(np.array([[2.0], [9.0]]))
    )
    x = model.sample(truth, 1500, rng)
    result = fit(model, x, rng=0)
    found, errors = model.canonical(result.params), result.standard_errors(x)
    assert result.n_parameters == 1 + 0 + 2 + 2
    assert (np.abs(found.chain.durations.rates - [3, 9]) < 4 * errors.chain.durations.rates.max()).all()
    assert (np.abs(found.emission.rates[:, 0] - [2, 9]) < 4 * errors.emission.rates.max()).all()
    np.testing.assert_array_equal(result.params.chain.transmat, swap)
    plain = fit(HiddenMarkovModel(2, Poisson()), x, rng=0)
    assert result.log_likelihood > plain.log_likelihood + 20


def test_what_the_longest_duration_cuts_off_is_said():
    chain = SemiMarkov(PoissonDurations(), longest=5)
    params = SemiMarkovParams(np.ones(2) / 2, 1 - np.eye(2), PoissonDurationParams(np.array([0.1, 4.0])))
    (note,) = chain.notes(params)
    assert note == "longest=5 leaves out 0.37 of the law of durations of state 1: allow more."
    assert SemiMarkov(PoissonDurations(), longest=50).notes(params) == []


def test_transitions_may_be_fixed_and_never_lead_to_the_same_state():
    known = [[np.nan, np.nan, 0], [np.nan, np.nan, np.nan], [0.25, 0.75, 0]]
    chain = SemiMarkov(transitions=Pattern(known), longest=8)
    result = fit(HiddenMarkovModel(3, Poisson(), chain=chain), COUNTS, rng=0, max_iter=50)
    transmat = result.params.chain.transmat
    np.testing.assert_array_equal(np.diag(transmat), 0)
    np.testing.assert_allclose(transmat[[0, 2]], [[0, 1, 0], [0.25, 0.75, 0]])
    assert result.n_parameters == 2 + 1 + 3 + 3


def test_a_last_state_that_is_never_left():
    """From left to right, with states of 4 and 7 steps on average before the last one."""
    rng = np.random.default_rng(0)
    lasts = 1 + rng.poisson([3.0, 6.0], size=(40, 2))
    paths = [np.repeat([0, 1, 2], [*last, 25 - last.sum()]) if last.sum() < 25 else None for last in lasts]
    sequences = [rng.poisson([2.0, 15.0, 60.0])[None].T[path].astype(float) for path in paths if path is not None]
    start = Pattern([1.0, 0.0, 0.0])
    chain = SemiMarkov(PoissonDurations(), longest=20, start=start, transitions=Pattern(left_right(3)))
    result = fit(HiddenMarkovModel(3, Poisson(), chain=chain), sequences, rng=0, n_starts=3)
    transmat = result.params.chain.transmat
    np.testing.assert_allclose(transmat, [[0, 1, 0], [0, 0, 1], [0, 0, 1]])
    assert result.converged
    kept = lasts[[path is not None for path in paths]]
    np.testing.assert_allclose(result.params.chain.durations.rates[:2], kept.mean(axis=0) - 1, rtol=0.02)


@pytest.mark.parametrize("row", [[0.5, 0.5], [0.5, np.nan]])
def test_a_diagonal_says_nothing_of_how_long_a_state_lasts(row):
    chain = SemiMarkov(transitions=Pattern([row, [np.nan, np.nan]]))
    with pytest.raises(ValueError, match=r"row 0 cannot fix 0\.5 on the diagonal"):
        fit(HiddenMarkovModel(2, Poisson(), chain=chain), COUNTS, rng=0)


def test_fixed_transitions_are_those_of_all_states():
    chain = SemiMarkov(transitions=Pattern(np.full((3, 3), np.nan)))
    with pytest.raises(ValueError, match=r"must have shape \(2, 2\)"):
        fit(HiddenMarkovModel(2, Poisson(), chain=chain), COUNTS, rng=0)


def test_one_state_has_no_segments():
    with pytest.raises(ValueError, match="n_states of at least 2"):
        fit(HiddenMarkovModel(1, Poisson(), chain=SemiMarkov()), COUNTS, rng=0)


def test_paths_drawn_have_the_law_of_durations():
    chain = SemiMarkov(PoissonDurations(), longest=30)
    params = SemiMarkovParams(np.array([1.0, 0]), 1 - np.eye(2), PoissonDurationParams(np.array([1.0, 6.0])))
    states, lengths = segments_of(chain.sample(params, 40_000, np.random.default_rng(0)))
    for k, rate in enumerate([1.0, 6.0]):
        mine = lengths[:-1][states[:-1] == k]
        assert abs(mine.mean() - 1 - rate) < 5 * np.sqrt(rate / len(mine))
        assert mine.var() == pytest.approx(rate, rel=0.1)


def test_a_plain_chain_is_a_mixture_of_rows_where_all_transitions_are_alike():
    """Uniform rows forget: the likelihood is that of independent rows."""
    weights, rates = np.array([0.3, 0.7]), np.array([[2.0], [9.0]])
    params = HiddenMarkovParams(MarkovParams(weights, np.array([weights, weights])), PoissonParams(rates))
    model = HiddenMarkovModel(2, Poisson(), chain=Markov())
    rows = Poisson().log_density(PoissonParams(rates), Poisson().prepare(COUNTS))
    expected = logsumexp(rows + np.log(weights), axis=1).sum()
    assert model.log_likelihood(params, COUNTS) == pytest.approx(expected, rel=1e-12)

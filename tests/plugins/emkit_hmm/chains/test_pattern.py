"""Which transitions are estimated: zeros, fixed entries, left-right chains, priors, and what is counted."""

from __future__ import annotations

import numpy as np
import pytest
from emkit_hmm import (
    HiddenMarkovModel,
    Logit,
    Markov,
    MarkovParams,
    Pattern,
    PoissonDurations,
    SemiMarkov,
    Stationary,
    StationaryParams,
    left_right,
)
from regimes import COUNTS, forms
from scipy import optimize

from emkit import fit
from emkit.families import Poisson

NAN = np.nan


@pytest.mark.parametrize(
    "known",
    [
        None,
        [[NAN, NAN, NAN], [0.0, NAN, NAN], [NAN, 0.0, NAN]],
        [[0.5, NAN, NAN], [NAN, 0.2, NAN], [0.1, 0.2, 0.7]],
        left_right(3),
    ],
    ids=["free", "zeros", "fixed", "left-right"],
)
@pytest.mark.parametrize("concentration", [1.0, 2.5, np.array([[4.0, 1, 1], [1, 4.0, 1], [1, 1, 4.0]])])
def test_the_m_step_is_the_highest_posterior_that_a_search_finds(known, concentration):
    pattern = Pattern(known, concentration)
    counts = np.random.default_rng(0).gamma(2.0, size=(3, 3)) * 5
    found = pattern.m_step(np.full((3, 3), 1 / 3), counts)
    free = pattern.free((3, 3))

    fixed = np.zeros((3, 3)) if known is None else np.nan_to_num(np.asarray(known, float))

    def rows_at(logits):
        weights = np.zeros((3, 3))
        weights[free] = np.exp(logits)
        total = np.maximum(weights.sum(axis=1, keepdims=True), 1e-300)
        return fixed + weights / total * (1 - fixed.sum(axis=1, keepdims=True))

    def height(rows):
        return np.sum(counts[free] * np.log(rows[free])) + pattern.log_prior(rows)

    searched = optimize.minimize(lambda logits: -height(rows_at(logits)), np.zeros(free.sum()), method="BFGS")
    assert height(found) >= -searched.fun - 1e-9
    np.testing.assert_allclose(found, rows_at(searched.x), atol=1e-4)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-14)


def test_a_row_without_counts_keeps_its_values_and_a_prior_is_enough_to_move_it():
    previous = np.array([[0.3, 0.7], [0.6, 0.4]])
    counts = np.array([[0.0, 0.0], [1.0, 3.0]])
    np.testing.assert_array_equal(Pattern().m_step(previous, counts), [[0.3, 0.7], [0.25, 0.75]])
    np.testing.assert_allclose(Pattern(concentration=2.0).m_step(previous, counts)[0], [0.5, 0.5])


@pytest.mark.parametrize(
    ("chain", "n_parameters"),
    [
        (Markov(), 2 + 6 + 3),
        (Markov(Pattern([1.0, 0, 0])), 6 + 3),
        (Markov(Pattern([1.0, 0, 0]), Pattern(left_right(3))), 2 + 3),
        (Markov(transitions=Pattern(left_right(3, skip=2))), 2 + 3 + 3),
        (Markov(transitions=Pattern([[0.9, NAN, NAN], [NAN, NAN, NAN], [0.1, 0.1, 0.8]])), 2 + 3 + 3),
    ],
)
def test_fixed_probabilities_are_no_parameters(chain, n_parameters):
    result = fit(HiddenMarkovModel(3, Poisson(), chain=chain), forms(COUNTS)["ragged"], rng=0)
    assert result.n_parameters == n_parameters
    assert result.aic == pytest.approx(-2 * result.log_likelihood + 2 * n_parameters)
    known = chain.transitions.known
    if known is not None:
        fixed = ~np.isnan(known)
        np.testing.assert_allclose(result.params.chain.transmat[fixed], known[fixed], rtol=1e-14)


def test_fixed_zeros_are_no_estimates_on_a_bound():
    chain = Markov(Pattern([1.0, 0, 0]), Pattern(left_right(3)))
    result = fit(HiddenMarkovModel(3, Poisson(), chain=chain), forms(COUNTS)["ragged"], rng=0)
    assert not [note for note in result.notes if "bound" in note]
    errors = result.standard_errors(forms(COUNTS)["ragged"]).chain
    assert (errors.startprob == 0).all()
    assert (errors.transmat[[0, 1, 1, 2, 2, 2], [2, 0, 0, 0, 1, 2]] == 0).all()
    assert (errors.transmat[[0, 1], [1, 2]] > 0).all()


def test_an_estimate_that_reaches_zero_by_itself_is_counted_and_named():
    result = fit(HiddenMarkovModel(2, Poisson()), COUNTS, rng=0, tol=0)
    assert result.n_parameters == 1 + 2 + 2
    assert any("chain.startprob" in note and "bound" in note for note in result.notes)


def test_priors_are_part_of_the_objective():
    chain = Markov(Pattern(concentration=2.0), Pattern(concentration=3.0))
    result = fit(HiddenMarkovModel(2, Poisson(), chain=chain), COUNTS, rng=0)
    path = result.params.chain
    prior = np.log(path.startprob).sum() + 2 * np.log(path.transmat).sum()
    assert result.objective - result.log_likelihood == pytest.approx(prior, rel=1e-12)
    assert result.model.log_likelihood(result.params, COUNTS) == pytest.approx(result.log_likelihood, rel=1e-12)


def test_left_right_chains_skip_as_far_as_they_may():
    np.testing.assert_array_equal(
        np.isnan(left_right(4, skip=2)), [[1, 1, 1, 0], [0, 1, 1, 1], [0, 0, 1, 1], [0, 0, 0, 0]]
    )
    assert left_right(4)[3, 3] == 1


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ([[1.5, NAN], [NAN, NAN]], r"between 0 and 1; entry \(0, 0\) is 1.5"),
        ([[NAN, NAN], [0.5, 0.4]], "row 1 sum to 0.9"),
        ([[NAN, 1.0], [NAN, NAN]], "row 0 sum to 1"),
        ([0.5, 0.6], "the row sum to 1.1"),
    ],
)
def test_probabilities_that_cannot_be_are_refused(known, message):
    with pytest.raises(ValueError, match=message):
        Pattern(known)


def test_a_pattern_for_another_number_of_states_is_refused():
    with pytest.raises(ValueError, match=r"must have shape \(2, 2\), one for each state; found \(3, 3\)"):
        fit(HiddenMarkovModel(2, Poisson(), chain=Markov(transitions=Pattern(left_right(3)))), COUNTS, rng=0)


def test_a_prior_without_a_maximum_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        Pattern(concentration=0.5)


def test_a_state_that_no_path_reaches_is_named():
    transmat = np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.3, 0.3, 0.4]])
    notes = Markov().notes(MarkovParams([1.0, 0.0, 0.0], transmat))
    assert notes == ["State 2 is never visited: no row is left to it, so its emissions mean nothing."]
    assert not Markov().notes(MarkovParams([0.5, 0.0, 0.5], transmat))


@pytest.mark.parametrize("chain", [Markov, Stationary, SemiMarkov])
def test_an_array_of_transitions_is_a_pattern(chain):
    known = [[0.5, np.nan, np.nan], [0.0, np.nan, np.nan], [np.nan, 0.2, np.nan]]
    assert chain(transitions=known) == chain(transitions=Pattern(known))
    assert chain(transitions=None) == chain()


def test_an_array_of_the_start_is_a_pattern():
    assert Markov([1.0, 0.0]) == Markov(Pattern([1.0, 0.0]))
    assert Logit(start=[1.0, 0.0]) == Logit(start=Pattern([1.0, 0.0]))


@pytest.mark.parametrize("wrong", ["left-right", Pattern])
def test_what_is_no_pattern_is_told_at_once(wrong):
    with pytest.raises(TypeError, match="Give a Pattern, or an array of probabilities with NaN"):
        Markov(transitions=wrong)


@pytest.mark.parametrize("wrong", ["poisson", 20, PoissonDurations])
def test_what_is_no_law_of_durations_is_told_at_once(wrong):
    with pytest.raises(TypeError, match=r"durations must be PoissonDurations\(\).*found"):
        SemiMarkov(wrong)


def test_states_that_a_stationary_chain_leaves_for_good_are_named():
    notes = Stationary().notes(StationaryParams(np.array([[0.5, 0.5], [0.0, 1.0]])))
    assert notes == ["State 0 is never visited: no row is left to it, so its emissions mean nothing."]

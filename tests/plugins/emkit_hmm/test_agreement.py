"""Params, settings and starts of another model are refused by the name of what does not fit."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
from emkit_hmm import (
    FreeDurations,
    HiddenMarkovModel,
    HiddenMarkovParams,
    Markov,
    MarkovParams,
    Pattern,
    PoissonDurations,
    SemiMarkov,
    StartingPoint,
    Stationary,
    left_right,
    viterbi,
)
from emkit_hmm.agreement import params_class

import emkit
from emkit.errors import InvalidParamsError
from emkit.families import Family, Gaussian, GaussianParams, Mixture, Poisson, PoissonParams

X = np.random.default_rng(0).poisson(np.repeat([[3.0], [20.0]], 20, axis=0)).astype(float)
TWO = HiddenMarkovParams(MarkovParams([0.5, 0.5], [[0.9, 0.1], [0.2, 0.8]]), PoissonParams([[3.0], [20.0]]))
THREE = HiddenMarkovParams(MarkovParams(np.full(3, 1 / 3), np.full((3, 3), 1 / 3)), TWO.emission)
MODELS = [
    (HiddenMarkovModel(3, Poisson()), TWO, r"chain.startprob must have n_states=3 .*axis 0, but has shape \(2,\)"),
    (HiddenMarkovModel(3, Poisson()), THREE, r"emission.rates must have one row for each of 3 .*has shape \(2, 1\)"),
    (
        HiddenMarkovModel(2, Poisson()),
        attrs.evolve(TWO, chain=MarkovParams([0.5, 0.5], np.full((2, 3), 1 / 3))),
        r"chain.transmat must have n_states=2 .*axis 1, but has shape \(2, 3\)",
    ),
    (
        HiddenMarkovModel(2, Poisson(), ties=[0, 0]),
        TWO,
        r"emission.rates must have one row for each of 1 distributions, shape \(1, ...\), but has shape \(2, 1\)",
    ),
    (HiddenMarkovModel(2, Gaussian()), TWO, "emission must be GaussianParams, the params of Gaussian, but is Poisson"),
    (
        HiddenMarkovModel(2, Poisson(), chain=SemiMarkov()),
        TWO,
        "chain must be SemiMarkovParams, the params of SemiMarkov, but is MarkovParams",
    ),
    (HiddenMarkovModel(2, Poisson(), chain=Stationary()), TWO, "chain must be StationaryParams"),
    (HiddenMarkovModel(2, Poisson()), TWO.emission, "must be HiddenMarkovParams, but are PoissonParams"),
]


@pytest.mark.parametrize(("model", "params", "message"), MODELS)
def test_params_of_another_model_are_told_wherever_they_are_given(model, params, message):
    for ask in (
        lambda: emkit.fit(model, X, params),
        lambda: model.log_likelihood(params, X),
        lambda: model.posterior(params, X),
        lambda: model.check(params),
    ):
        with pytest.raises(InvalidParamsError, match=message):
            ask()


def test_params_of_fewer_states_have_no_most_probable_path():
    with pytest.raises(InvalidParamsError, match="n_states=3"):
        viterbi(HiddenMarkovModel(3, Poisson()), TWO, X)
    with pytest.raises(InvalidParamsError, match="n_states=3"):
        HiddenMarkovModel(3, Poisson()).sample(TWO, 5, np.random.default_rng(0))


def test_durations_of_another_law_are_told():
    model = HiddenMarkovModel(2, Poisson(), chain=SemiMarkov(PoissonDurations(), 5))
    params = model.initialize(X, np.random.default_rng(0))
    assert np.isfinite(model.log_likelihood(params, X))
    with pytest.raises(InvalidParamsError, match=r"chain.durations must be FreeDurationParams.* is PoissonDurationPar"):
        attrs.evolve(model, chain=SemiMarkov(FreeDurations(), 5)).log_likelihood(params, X)


def test_the_class_of_params_is_what_a_family_declares():
    @attrs.frozen
    class Said(Family[GaussianParams]):
        log_density = fit = sample = None

    @attrs.frozen
    class Silent(Family):
        log_density = fit = sample = None

    assert params_class(Said) is GaussianParams
    assert params_class(Silent) is None
    assert params_class(Markov) is MarkovParams


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: HiddenMarkovModel(2, Poisson), r"emission must be a Family.* the class itself: write Poisson\(\)"),
        (
            lambda: HiddenMarkovModel(2, "a"),
            r"emission must be a Family, such as emkit.families.Poisson\(\); it is 'a'",
        ),
        (lambda: HiddenMarkovModel(2, None), "emission must be a Family.* it is None"),
        (lambda: HiddenMarkovModel(2, chain=Stationary), r"chain must be a Chain.* write Stationary\(\)"),
        (lambda: HiddenMarkovModel(2, is_emission_fixed="a"), "is_emission_fixed must be True or False; it is 'a'"),
        (lambda: StartingPoint(emission=3), "fields of a start must be a dict.*; found 3"),
        (lambda: StartingPoint(chain={0: [0.5, 0.5]}), "fields of a start must be a dict"),
    ],
)
def test_what_is_no_part_of_a_model_is_told_when_the_model_is_made(make, message):
    with pytest.raises(TypeError, match=message):
        make()


@pytest.mark.parametrize("ties", [[0, 0.9], "ab", 3, [[0, 1]], [True, False], [0, np.nan], [[0], [0, 1]]])
def test_ties_are_whole_numbers(ties):
    with pytest.raises(ValueError, match="ties must be a list of whole numbers"):
        HiddenMarkovModel(2, Poisson(), ties=ties)


@pytest.mark.parametrize("ties", [[0, 2], [0, -1], [0], [0, 0, 1], [], [1, 1]])
def test_ties_have_a_number_for_every_state_and_no_gap(ties):
    with pytest.raises(ValueError, match=r"ties must hold, for each of the n_states=2 states.* without a gap"):
        HiddenMarkovModel(2, Poisson(), ties=ties)


def test_ties_may_be_numbers_of_any_kind():
    assert HiddenMarkovModel(2, ties=np.array([0.0, 1.0])) == HiddenMarkovModel(2, ties=(0, 1))


@pytest.mark.parametrize(
    ("chain", "message"),
    [
        (Markov(transitions=Pattern(concentration=np.full(3, 2.0))), r"concentration of chain.transitions .* \(2, 2\)"),
        (Markov(transitions=Pattern(concentration=np.full(2, 2.0))), r"concentration of chain.transitions .*\(2,\)"),
        (Markov(Pattern(concentration=np.full((2, 2), 2.0))), r"concentration of chain.start .* have shape \(2,\)"),
        (Markov(transitions=Pattern(left_right(3))), r"probabilities of chain.transitions must .*\(2, 2\).*\(3, 3\)"),
        (Stationary(Pattern([np.nan, np.nan])), r"probabilities of chain.transitions .*\(2, 2\).*found \(2,\)"),
        (SemiMarkov(start=Pattern([1.0, 0.0, 0.0])), r"probabilities of chain.start .*\(2,\).* found \(3,\)"),
    ],
)
def test_patterns_of_other_numbers_of_states_are_told_when_the_model_is_made(chain, message):
    with pytest.raises(ValueError, match=message):
        HiddenMarkovModel(2, Poisson(), chain=chain)


def test_what_a_prior_adds_is_for_all_probabilities_or_for_each():
    np.testing.assert_array_equal(Pattern(concentration=3.0).added((2, 2)), np.full((2, 2), 2.0))
    np.testing.assert_array_equal(Pattern(concentration=[[1, 2], [3, 4]]).added((2, 2)), [[0, 1], [2, 3]])
    with pytest.raises(ValueError, match=r"concentration must be a number or have shape \(2, 2\)"):
        Pattern(concentration=[1.0, 2.0]).added((2, 2))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Pattern("a"), "Fixed probabilities must be a number for each .* found 'a'"),
        (lambda: Pattern(1.0), r"one or two axes; found shape \(\)"),
        (lambda: Pattern(np.zeros((2, 2, 2))), r"one or two axes; found shape \(2, 2, 2\)"),
        (lambda: Pattern(concentration="a"), "concentration of a Dirichlet prior must be a number.* found 'a'"),
        (lambda: Pattern(concentration=[[1, 2], [1]]), "in rows of the same length"),
    ],
)
def test_what_is_no_pattern_is_told(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (StartingPoint(emission={"rates": [[1.0], [2.0], [3.0]]}), r"start of rates .*\(2, 1\), .* found \(3, 1\)"),
        (StartingPoint(emission={"rates": [[1.0, 2.0], [3.0, 4.0]]}), r"start of rates .*\(2, 1\), .* found \(2, 2\)"),
        (StartingPoint(emission={"rates": [1.0, 2.0]}), r"start of rates .*\(2, 1\), .* found \(2,\)"),
        (StartingPoint(emission={"foo": 3}), "start gives 'foo', but params of the emissions only have 'rates'"),
        (StartingPoint(emission={"rates.b": 3}), "start gives 'rates.b', but params of the emissions only"),
        (StartingPoint(emission={"rates": "abc"}), "start of rates holds strings"),
        (StartingPoint(emission={"rates": [[np.nan], [1.0]]}), r"start of rates\[0, 0\] is nan"),
        (StartingPoint(chain={"transmat": [0.5, 0.5]}), r"start of transmat .*\(2, 2\), as params of the chain"),
        (StartingPoint(chain={"foo": 1}), "params of the chain only have 'startprob', 'transmat'"),
    ],
)
def test_a_start_that_does_not_fit_is_told(start, message):
    with pytest.raises(ValueError, match=message):
        emkit.fit(HiddenMarkovModel(2, Poisson(), start=start), X, rng=0)


def test_a_start_may_name_fields_of_numbered_parts():
    family = emkit.families.Product([(0, Poisson()), (1, Mixture(Gaussian("diag"), 2))])
    start = StartingPoint(emission={"parts[0].rates": [[4.0], [9.0]]})
    model = HiddenMarkovModel(2, family, start=start)
    params = model.initialize(np.column_stack([X, np.sqrt(X)]), np.random.default_rng(0))
    np.testing.assert_array_equal(params.emission.parts[0].rates, [[4.0], [9.0]])

"""What a chain does by itself: samples along covariates, and where it is in the long run."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from emkit_hmm import (
    HMM,
    FreeDurationParams,
    FreeDurations,
    GaussianHMM,
    HiddenMarkovModel,
    HiddenMarkovParams,
    Logit,
    LogitParams,
    Markov,
    MarkovParams,
    PoissonDurationParams,
    PoissonDurations,
    PoissonHMM,
    SemiMarkov,
    SemiMarkovParams,
    Stationary,
    StationaryParams,
)

from emkit import datasets
from emkit.errors import NotFittedError
from emkit.families import LinearRegression, Poisson, PoissonParams

QUAKES = datasets.earthquakes().values
RATES = PoissonParams([[1.0], [50.0]])
MOVES = [[0.9, 0.1], [0.3, 0.7]]


def _known(chain, params):
    hmm = HMM(2, Poisson(), chain)
    hmm.params_ = HiddenMarkovParams(params, RATES)
    return hmm


def _along_covariates():
    # The log-odds of going from 0 to 1 are -2 + 3 z, those of going back are 1 - z.
    coefficients = np.zeros((2, 2, 2))
    coefficients[0, 1], coefficients[1, 0] = [-2.0, 3.0], [1.0, -1.0]
    return _known(Logit(), LogitParams([1.0, 0.0], coefficients))


def _odds(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("chain", [Markov(), Stationary()], ids=["markov", "stationary"])
def test_in_the_long_run_two_states_divide_time_by_the_odds_of_leaving(chain):
    params = MarkovParams([1.0, 0.0], MOVES) if isinstance(chain, Markov) else StationaryParams(MOVES)
    np.testing.assert_allclose(_known(chain, params).get_stationary_distribution(), [0.75, 0.25], rtol=1e-12)


def test_it_is_that_of_the_special_face():
    special = PoissonHMM(3, random_state=0).fit(QUAKES)
    general = HMM(3, Poisson(), random_state=0).fit(QUAKES)
    np.testing.assert_allclose(general.get_stationary_distribution(), special.get_stationary_distribution(), rtol=1e-12)
    assert special.get_stationary_distribution() @ special.transmat_ == pytest.approx(
        special.get_stationary_distribution(), rel=1e-12
    )


def test_with_explicit_durations_states_divide_time_by_how_long_they_last():
    # States take turns, so each has its mean duration (one more than the Poisson rate) as its share.
    params = SemiMarkovParams([0.5, 0.5], [[0.0, 1.0], [1.0, 0.0]], PoissonDurationParams([1.0, 4.0]))
    hmm = _known(SemiMarkov(PoissonDurations(), longest=60), params)
    np.testing.assert_allclose(hmm.get_stationary_distribution(), [2 / 7, 5 / 7], rtol=1e-9)


def test_with_covariates_it_is_that_of_steps_with_the_same_covariates():
    hmm = _along_covariates()
    there, back = _odds(-2 + 3 * 0.5), _odds(1 - 0.5)
    expected = np.array([back, there]) / (there + back)
    np.testing.assert_allclose(hmm.get_stationary_distribution([0.5]), expected, rtol=1e-12)
    for covariates in (None, [[0.5], [0.6]]):
        with pytest.raises(ValueError, match=r"give the covariates of every step, of shape \(n_covariates,\)"):
            hmm.get_stationary_distribution(covariates)


def test_samples_follow_the_covariates_of_the_row_they_lead_to():
    hmm = _along_covariates()
    covariates = np.tile([-2.0, 3.0], 10_000)[:, None]
    x, states = hmm.sample(covariates=covariates, random_state=0)
    assert x.shape == (20_000, 1)
    assert states[0] == 0
    for z in (-2.0, 3.0):
        rows = np.flatnonzero(covariates[1:, 0] == z) + 1
        for state, probability in ((0, _odds(-2 + 3 * z)), (1, 1 - _odds(1 - z))):
            after = states[rows[states[rows - 1] == state]]
            spread = np.sqrt(probability * (1 - probability) / len(after))
            assert abs(after.mean() - probability) < 5 * spread
    assert ((x[:, 0] > 20) == (states == 1)).mean() > 0.999


def test_a_sample_may_start_in_a_state_and_is_as_long_as_its_covariates():
    hmm = _along_covariates()
    z = np.zeros((6, 1))
    one, two = hmm.sample(6, random_state=3, covariates=z), hmm.sample(random_state=3, covariates=z)
    np.testing.assert_array_equal(one[0], two[0])
    assert hmm.sample(6, random_state=3, currstate=1, covariates=z)[1][0] == 1
    with pytest.raises(ValueError, match="one row for each of the n_samples=4 steps; found 6"):
        hmm.sample(4, covariates=z)
    with pytest.raises(ValueError, match=r"give those of every step, sample\(covariates=...\)"):
        hmm.sample(4)


def test_without_covariates_one_row_is_the_default_as_in_hmmlearn():
    hmm = PoissonHMM(2, random_state=0).fit(QUAKES)
    assert hmm.sample()[0].shape == (1, 1)
    assert hmm.sample(9)[0].shape == (9, 1)
    assert list(inspect.signature(hmm.sample).parameters)[:3] == ["n_samples", "random_state", "currstate"]
    with pytest.raises(ValueError, match="n_samples must be a whole number"):
        hmm.sample(2.5)


def test_params_set_by_hand_make_a_general_face_ready():
    hmm = _known(Markov(), MarkovParams([0.5, 0.5], MOVES))
    x, states = hmm.sample(400, random_state=0)
    assert (hmm.predict(x) == states).mean() > 0.99
    assert hmm.aic(x) == pytest.approx(-2 * hmm.score(x) + 2 * 5)
    with pytest.raises(NotFittedError):
        HMM(2, Poisson()).get_stationary_distribution()


def test_rows_are_divided_at_the_start_as_the_model_would():
    rng = np.random.default_rng(0)
    z = rng.normal(size=200)
    line = np.where(np.repeat([0, 1, 0, 1], 50), 3 * z + 1, -3 * z)
    x = np.column_stack([line + 0.1 * rng.normal(size=200), z])
    regression = HMM(2, LinearRegression(), random_state=0).fit(x)
    assert regression.model_ == HiddenMarkovModel(2, LinearRegression())
    assert regression.model_.start.kind == "random"
    assert HMM(2, random_state=0).fit(QUAKES).model_.start.kind == "kmeans"
    assert HMM(2, start="random_from_data", random_state=0).fit(QUAKES).model_.start.kind == "random_from_data"
    assert HMM().get_params()["start"] is None
    assert GaussianHMM(2, random_state=0).fit(QUAKES).model_.start.kind == "kmeans"


def test_a_state_in_which_nothing_starts_begins_with_a_whole_segment():
    """Of five steps, as every segment here."""
    hmm = _known(
        SemiMarkov(FreeDurations(), longest=8),
        SemiMarkovParams([1.0, 0.0], [[0.0, 1.0], [1.0, 0.0]], FreeDurationParams(np.eye(8)[[4, 4]])),
    )
    for seed in range(10):
        states = hmm.sample(6, random_state=seed, currstate=1)[1]
        np.testing.assert_array_equal(states, [1, 1, 1, 1, 1, 0])

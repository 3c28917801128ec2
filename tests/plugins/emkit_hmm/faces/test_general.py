"""A face over any family and any chain, and what all faces tell beyond hmmlearn."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from emkit_hmm import (
    GMMHMM,
    HMM,
    CategoricalHMM,
    GaussianHMM,
    Logit,
    MultinomialHMM,
    PoissonDurations,
    PoissonHMM,
    SemiMarkov,
    Sequence,
    Sequences,
    StartingPoint,
    Stationary,
)
from scipy.stats import norm, poisson
from sklearn.base import clone

from emkit import datasets
from emkit.families import Bernoulli, Categorical, Gaussian, Poisson, Product

QUAKES = datasets.earthquakes().values
SHORT = np.array([[0], [2], [1], [1], [0]])


def _three_symbols():
    hmm = CategoricalHMM(2, random_state=0)
    hmm.startprob_, hmm.transmat_ = [0.6, 0.4], [[0.7, 0.3], [0.2, 0.8]]
    hmm.emissionprob_ = [[0.5, 0.3, 0.2], [0.1, 0.3, 0.6]]
    return hmm


def _paths_of_short():
    """Return every path of ``SHORT`` with its probability together with the data."""
    hmm = _three_symbols()
    start, moves, emission = (np.array(a) for a in (hmm.startprob_, hmm.transmat_, hmm.emissionprob_))
    joint = {}
    for path in itertools.product(range(2), repeat=len(SHORT)):
        p = start[path[0]] * emission[path[0], SHORT[0, 0]]
        for t in range(1, len(SHORT)):
            p *= moves[path[t - 1], path[t]] * emission[path[t], SHORT[t, 0]]
        joint[path] = p
    return joint


def test_it_is_the_face_of_its_family_where_there_is_one():
    general, special = HMM(2, Poisson(), random_state=0).fit(QUAKES), PoissonHMM(2, random_state=0).fit(QUAKES)
    np.testing.assert_array_equal(general.params_.emission.rates, special.lambdas_)
    np.testing.assert_array_equal(general.predict_proba(QUAKES), special.predict_proba(QUAKES))
    for name in ("score", "aic", "bic"):
        assert getattr(general, name)(QUAKES) == getattr(special, name)(QUAKES)
    assert general.get_params()["emission"] == Poisson()
    assert clone(general).get_params()["chain"] is None


def test_a_stationary_chain_gives_the_published_likelihood_and_criteria():
    # Zucchini and MacDonald, Hidden Markov Models for Time Series (2009): 342.3183, AIC 692.6365, BIC 703.3278.
    hmm = HMM(2, Poisson(), Stationary(), random_state=0).fit(QUAKES)
    assert -hmm.score(QUAKES) == pytest.approx(342.318267, abs=1e-5)
    assert hmm.aic(QUAKES) == pytest.approx(692.6365, abs=1e-4)
    assert hmm.bic(QUAKES) == pytest.approx(703.3278, abs=1e-4)


def test_explicit_durations_have_all_methods_but_the_probability_of_a_path_without_ends():
    hmm = HMM(2, Poisson(), SemiMarkov(PoissonDurations(), longest=60), random_state=0).fit(QUAKES)
    assert hmm.predict(QUAKES).shape == (107,)
    assert hmm.filter(QUAKES)[-1] == pytest.approx(hmm.predict_proba(QUAKES)[-1], abs=1e-9)
    states, means = hmm.forecast(QUAKES, steps=4)
    np.testing.assert_allclose(means[0], states[0] @ hmm.params_.emission.rates, rtol=1e-12)
    assert (hmm.sample(30, random_state=0, currstate=1)[1][0]) == 1
    with pytest.raises(ValueError, match="ends of segments"):
        hmm.decode(QUAKES, algorithm="map")
    np.testing.assert_array_equal(
        hmm.set_params(algorithm="map").predict(QUAKES), hmm.predict_proba(QUAKES).argmax(axis=1)
    )


def test_columns_of_different_kinds_with_missing_cells():
    rng = np.random.default_rng(0)
    z = np.repeat([0, 1, 0, 1], 60)
    x = np.column_stack([rng.normal(4.0 * z), rng.random(240) < 0.2 + 0.6 * z])
    x[rng.random((240, 2)) < 0.2] = np.nan
    hmm = HMM(2, Product([(0, Gaussian("diag")), (1, Bernoulli())]), random_state=0).fit(x)
    assert (hmm.predict(x) == z).mean() > 0.97


def test_covariates_go_with_the_data_of_every_question():
    covariates = np.linspace(-1, 1, 107)[:, None]
    hmm = HMM(2, Poisson(), Logit(), random_state=0).fit(QUAKES, covariates=covariates)
    data = Sequences(QUAKES, covariates=covariates)
    assert hmm.score(data) == pytest.approx(hmm.result_.log_likelihood, rel=1e-12)
    assert hmm.score(data) > -341.9
    with pytest.raises(ValueError, match="need covariates"):
        hmm.score(QUAKES)


def test_settings_of_the_model_reach_it():
    start = StartingPoint(emission={"rates": np.array([[30.0], [10.0]])})
    hmm = HMM(2, Poisson(), start=start, is_emission_fixed=True, random_state=0).fit(QUAKES)
    assert hmm.params_.emission.rates.ravel().tolist() == [30.0, 10.0]
    assert hmm.result_.n_parameters == 3
    tied = HMM(3, Poisson(), ties=(0, 1, 1), random_state=0).fit(QUAKES)
    assert tied.params_.emission.rates.shape == (2, 1)
    assert tied.predict_proba(QUAKES).shape == (107, 3)


def test_states_that_were_given_keep_their_names():
    start = StartingPoint(emission={"rates": np.array([[30.0], [10.0]])})
    given = HMM(2, Poisson(), start=start, random_state=0).fit(QUAKES)
    labelled = HMM(2, Poisson(), random_state=0).fit(QUAKES, states=np.where(QUAKES[:, 0] > 35, 0, -1))
    free = HMM(2, Poisson(), random_state=0).fit(QUAKES)
    np.testing.assert_allclose(given.params_.emission.rates[::-1], free.params_.emission.rates, rtol=1e-3)
    assert given.params_.emission.rates[0] > given.params_.emission.rates[1]
    assert labelled.params_.emission.rates[0] > labelled.params_.emission.rates[1]
    assert free.params_.emission.rates[0] < free.params_.emission.rates[1]


def test_the_most_probable_path_is_what_is_predicted_by_default():
    hmm = HMM(2, Poisson(), random_state=0).fit(QUAKES)
    assert hmm.decode(QUAKES)[0] == pytest.approx(hmm.decode_k_best(QUAKES, 1)[0][0], rel=1e-12)
    assert hmm.decode(QUAKES)[0] > hmm.decode(QUAKES, algorithm="map")[0]


def test_every_face_takes_a_list_of_sequences():
    parts = [QUAKES[:30], QUAKES[30:31], QUAKES[31:]]
    one = PoissonHMM(2, random_state=0).fit(QUAKES, [30, 1, 76])
    two = PoissonHMM(2, random_state=0).fit(parts)
    np.testing.assert_array_equal(one.lambdas_, two.lambdas_)
    assert one.score(QUAKES, [30, 1, 76]) == two.score(parts) == two.score(Sequences(QUAKES, [30, 1, 76]))
    np.testing.assert_array_equal(two.predict(Sequence(QUAKES)), two.predict(QUAKES))
    with pytest.raises(ValueError, match="lengths cannot be given beside them"):
        two.score(parts, [30, 1, 76])


def test_the_best_paths_are_those_of_all_paths():
    joint = _paths_of_short()
    best = sorted(joint.values(), reverse=True)
    log_joint, states = _three_symbols().decode_k_best(SHORT, 40)
    np.testing.assert_allclose(np.exp(log_joint), best, rtol=1e-10)
    np.testing.assert_allclose([joint[tuple(path)] for path in states.tolist()], best, rtol=1e-10)
    assert _three_symbols().decode(SHORT)[0] == pytest.approx(log_joint[0], rel=1e-12)


def test_drawn_paths_have_the_shares_that_all_paths_have():
    joint = _paths_of_short()
    total = sum(joint.values())
    paths = _three_symbols().sample_paths(SHORT, n=20_000, random_state=1)
    drawn, counts = np.unique(paths, axis=0, return_counts=True)
    for path, count in zip(drawn.tolist(), counts, strict=True):
        share = joint[tuple(path)] / total
        assert abs(count / 20_000 - share) < 5 * np.sqrt(share / 20_000)
    np.testing.assert_array_equal(paths, _three_symbols().sample_paths(SHORT, n=20_000, random_state=1))


def test_a_lag_looks_so_far_ahead_and_no_further():
    hmm = _three_symbols()
    for t, lag in itertools.product(range(5), (0, 1, 2)):
        until = hmm.predict_proba(SHORT[: t + lag + 1])[t]
        np.testing.assert_allclose(hmm.smooth_with_lag(SHORT, lag=lag)[t], until, rtol=1e-12)
    np.testing.assert_array_equal(hmm.smooth_with_lag(SHORT, lag=0), hmm.filter(SHORT))


def test_pseudo_residuals_of_one_state_are_normal_quantiles_of_the_distribution_function():
    hmm = PoissonHMM(1).fit(QUAKES)
    found = hmm.pseudo_residuals(QUAKES)
    counts, rate = QUAKES[:, 0], QUAKES.mean()
    np.testing.assert_allclose(found.upper, norm.ppf(poisson.cdf(counts, rate)), rtol=1e-8)
    np.testing.assert_allclose(found.lower, norm.ppf(poisson.cdf(counts - 1, rate)), rtol=1e-8)


def test_a_forecast_is_the_chain_going_on():
    hmm = PoissonHMM(3, random_state=0).fit(QUAKES)
    states, means = hmm.forecast(QUAKES, [50, 57], steps=2)
    last = hmm.filter(QUAKES, [50, 57])[[49, 106]]
    np.testing.assert_allclose(states[:, 1], last @ hmm.transmat_ @ hmm.transmat_, rtol=1e-12)
    np.testing.assert_allclose(means[:, 0], last @ hmm.transmat_ @ hmm.lambdas_, rtol=1e-12)


@pytest.mark.filterwarnings("ignore::emkit.errors.DegenerateWarning")
def test_symbols_have_probabilities_to_come_and_no_mean():
    x = (QUAKES > 20).astype(int) + (QUAKES > 30)
    hmm = CategoricalHMM(2, random_state=0).fit(x)
    states, symbols = hmm.forecast(x, steps=3)
    np.testing.assert_allclose(symbols, states @ hmm.emissionprob_, rtol=1e-14)
    np.testing.assert_allclose(symbols.sum(axis=2), 1.0)
    general = HMM(2, Product([(0, Categorical(3)), (1, Poisson())]), random_state=0).fit(np.column_stack([x, QUAKES]))
    states, means = general.forecast(np.column_stack([x, QUAKES]), steps=2)
    assert states.shape == (1, 2, 2)
    assert means is None


@pytest.mark.filterwarnings("ignore::emkit.errors.DegenerateWarning")
@pytest.mark.parametrize(
    "hmm",
    [
        GaussianHMM(2, random_state=0),
        GMMHMM(2, n_mix=2, random_state=0),
        PoissonHMM(2, random_state=0),
        CategoricalHMM(2, random_state=0),
        MultinomialHMM(2, random_state=0),
        HMM(2, Poisson(), random_state=0),
    ],
    ids=lambda hmm: type(hmm).__name__,
)
def test_every_face_answers_every_question(hmm):
    x = QUAKES if not isinstance(hmm, MultinomialHMM) else np.column_stack([QUAKES, 45 - QUAKES])
    hmm.fit(x)
    assert hmm.decode_k_best(x, 2)[1].shape == (2, 107)
    assert hmm.sample_paths(x, [50, 57], n=3).shape == (3, 107)
    np.testing.assert_allclose(hmm.smooth_with_lag(x, lag=200), hmm.predict_proba(x), atol=1e-9)
    np.testing.assert_allclose(hmm.filter(x).sum(axis=1), 1, rtol=1e-12)
    assert hmm.sample(7)[0].shape == (7, x.shape[1])
    assert hmm.score_samples(x)[0] == hmm.score(x)


def test_a_forecast_along_covariates_takes_those_to_come():
    x = np.random.default_rng(0).poisson(4.0, (60, 1)).astype(float)
    z = np.linspace(-1, 1, 60)[:, None]
    hmm = HMM(2, Poisson(), chain=Logit(ridge=1.0), random_state=0).fit(Sequences(x, covariates=z))
    states, means = hmm.forecast(Sequences(x, covariates=z), steps=3, covariates=[[1.1], [1.2], [1.3]])
    assert states.shape == (1, 3, 2)
    np.testing.assert_allclose(states.sum(axis=2), 1)
    assert means.shape == (1, 3, 1)

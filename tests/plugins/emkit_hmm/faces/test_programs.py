"""Programs written for hmmlearn run: attributes by hand, letters, drop-in signatures."""

from __future__ import annotations

import inspect
import pickle

import numpy as np
import pytest
from emkit_hmm import GMMHMM, CategoricalHMM, GaussianHMM, MultinomialHMM, PoissonHMM
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.utils import check_random_state

from emkit import datasets, errors

QUAKES = datasets.earthquakes().values


def _three_states(**settings):
    hmm = GaussianHMM(n_components=3, covariance_type="full", **settings)
    hmm.startprob_ = np.array([0.6, 0.3, 0.1])
    hmm.transmat_ = np.array([[0.7, 0.3, 0.0], [0.2, 0.5, 0.3], [0.0, 0.5, 0.5]])
    hmm.means_ = np.array([[0.0, 0.0], [3.0, -3.0], [5.0, 10.0]])
    hmm.covars_ = np.tile(np.identity(2), (3, 1, 1))
    return hmm


@pytest.mark.parametrize(
    ("face", "names"),
    [
        (
            GaussianHMM,
            "n_components covariance_type min_covar startprob_prior transmat_prior means_prior means_weight "
            "covars_prior covars_weight algorithm random_state n_iter tol verbose params init_params implementation",
        ),
        (
            GMMHMM,
            "n_components n_mix min_covar startprob_prior transmat_prior weights_prior means_prior means_weight "
            "covars_prior covars_weight algorithm covariance_type random_state n_iter tol verbose params init_params "
            "implementation",
        ),
        (CategoricalHMM, "n_components startprob_prior transmat_prior"),
        (
            MultinomialHMM,
            "n_components n_trials startprob_prior transmat_prior algorithm random_state n_iter tol verbose params "
            "init_params implementation",
        ),
        (
            PoissonHMM,
            "n_components startprob_prior transmat_prior lambdas_prior lambdas_weight algorithm random_state n_iter "
            "tol verbose params init_params implementation",
        ),
    ],
)
def test_positional_arguments_have_the_order_of_hmmlearn(face, names):
    parameters = inspect.signature(face).parameters.values()
    assert [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD] == names.split()


def test_the_keywords_of_categorical_are_those_of_hmmlearn():
    theirs = "emissionprob_prior n_features algorithm random_state n_iter tol verbose params init_params implementation"
    keywords = [p.name for p in inspect.signature(CategoricalHMM).parameters.values() if p.kind is p.KEYWORD_ONLY]
    assert keywords[: len(theirs.split())] == theirs.split()


def test_a_model_set_by_hand_samples_decodes_and_scores_without_a_fit():
    hmm = _three_states()
    x, states = hmm.sample(500, random_state=1)
    assert x.shape == (500, 2)
    assert (hmm.predict(x) == states).mean() > 0.95
    assert hmm.n_features == 2
    assert np.isfinite(hmm.score(x))
    assert hmm.aic(x) == pytest.approx(-2 * hmm.score(x) + 2 * (2 + 3 * 2 + 3 * 2 + 3 * 3))


def test_sampling_goes_on_from_a_state():
    hmm = _three_states(random_state=3)
    _, states = hmm.sample(10)
    _, more = hmm.sample(n_samples=10, currstate=states[-1])
    assert more[0] == states[-1]
    with pytest.raises(ValueError, match="currstate must be one of the states 0 to 2; it is 3"):
        hmm.sample(5, currstate=3)


def test_a_random_state_makes_samples_repeat():
    hmm = _three_states()
    one, two = (hmm.sample(20, random_state=check_random_state(7))[0] for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_a_fit_goes_on_from_attributes_whose_letters_init_params_leaves_out():
    truth = _three_states()
    x, _ = truth.sample(400, random_state=0)
    hmm = GaussianHMM(3, "full", init_params="", random_state=0)
    for name in ("startprob_", "transmat_", "means_", "covars_"):
        setattr(hmm, name, getattr(truth, name))
    hmm.fit(x)
    assert hmm.monitor_.history[0] == pytest.approx(truth.score(x), rel=1e-12)
    assert hmm.score(x) > truth.score(x)


def test_zeros_of_a_start_stay_and_are_not_counted():
    truth = _three_states()
    x, _ = truth.sample(400, random_state=0)
    hmm = GaussianHMM(3, "full", init_params="mc", random_state=0)
    hmm.startprob_, hmm.transmat_ = np.array([1.0, 0.0, 0.0]), truth.transmat_
    hmm.fit(x)
    assert (hmm.transmat_[truth.transmat_ == 0] == 0).all()
    np.testing.assert_array_equal(hmm.startprob_, [1.0, 0.0, 0.0])
    assert hmm.result_.n_parameters == (7 - 3) + 3 * 2 + 3 * 3


@pytest.mark.parametrize("letter", "stmc")
def test_what_params_leaves_out_keeps_its_start_and_is_not_counted(letter):
    names = {"s": "startprob_", "t": "transmat_", "m": "means_", "c": "covars_"}
    truth = _three_states()
    x, _ = truth.sample(300, random_state=0)
    settings = {"covariance_type": "full", "random_state": 0}
    hmm = GaussianHMM(3, params="stmc".replace(letter, ""), init_params="", **settings)
    for name in names.values():
        setattr(hmm, name, getattr(truth, name))
    before = np.array(getattr(hmm, names[letter]))
    hmm.fit(x)
    np.testing.assert_array_equal(getattr(hmm, names[letter]), before)
    free = {"s": 2, "t": 6 - 2, "m": 6, "c": 9}
    assert hmm.result_.n_parameters == sum(free.values()) - free[letter]
    assert all((getattr(hmm, name) != getattr(truth, name)).any() for a, name in names.items() if a != letter)


def test_what_is_missing_is_initialised_although_init_params_leaves_it_out():
    hmm = PoissonHMM(2, init_params="", random_state=0).fit(QUAKES)
    assert -hmm.score(QUAKES) == pytest.approx(341.878701, abs=1e-5)


@pytest.mark.parametrize(
    ("kind", "covars"),
    [
        ("spherical", [1.0, 2.0]),
        ("diag", [[1.0, 1.5], [2.0, 0.5]]),
        ("full", [[[1.0, 0.2], [0.2, 1.5]], [[2.0, 0.0], [0.0, 0.5]]]),
        ("tied", [[1.0, 0.2], [0.2, 1.5]]),
    ],
)
def test_covars_are_set_in_the_shape_of_their_type_and_read_as_matrices(kind, covars):
    hmm = GaussianHMM(2, covariance_type=kind)
    hmm.means_ = [[0.0, 0.0], [1.0, 1.0]]
    hmm.covars_ = covars
    matrices = hmm.covars_
    assert matrices.shape == (2, 2, 2)
    other = GaussianHMM(2, covariance_type=kind)
    other.means_, other.covars_ = hmm.means_, matrices
    np.testing.assert_array_equal(other.covars_, matrices)


@pytest.mark.parametrize(
    ("kind", "covars", "message"),
    [
        ("diag", [1.0, 2.0], r"shape \(n_components, n_features\) of covariance_type='diag'; it has shape \(2,\)"),
        ("diag", [[1.0, -2.0], [1.0, 1.0]], r"covars_\[0, 1\] must be positive; the smallest is -2"),
        ("full", [[[1.0, 2.0], [2.0, 1.0]]] * 2, r"covars_\[0\] must be a matrix with positive eigenvalues"),
        ("full", [[[1.0, 0.5], [0.2, 1.0]]] * 2, "symmetric"),
        ("spherical", [[1.0, 2.0], [1.0, 1.0]], "variances of a state must be equal"),
        ("diag", [[[1.0, 0.5], [0.5, 1.0]]] * 2, "must be diagonal"),
        ("tied", [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], r"shape \(n_features, n_features\)"),
    ],
)
def test_covars_that_cannot_be_are_refused_when_they_are_set(kind, covars, message):
    hmm = GaussianHMM(2, covariance_type=kind)
    with pytest.raises(ValueError, match=message):
        hmm.covars_ = covars


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("startprob_", [0.5, 0.5], r"startprob_ must have shape \(3,\), for n_components=3"),
        ("transmat_", [[0.5, 0.5], [0.5, 0.5]], r"transmat_ must have shape \(3, 3\)"),
        ("means_", [[0.0, 0.0]], r"means_ must have shape \(3, n_features\), .* it has shape \(1, 2\)"),
        ("startprob_", [0.5, 0.5, 0.5], "startprob.*sum"),
        ("means_", [[0.0], [1.0], [2.0]], r"With means_ of shape \(3, 1\) covars_ must have \(3, 1, 1\)"),
        ("means_", [[0.0, np.nan], [1.0, 1.0], [2.0, 2.0]], r"means_\[0, 1\] is nan"),
    ],
)
def test_attributes_that_do_not_fit_are_named(name, value, message):
    hmm = _three_states()
    setattr(hmm, name, value)
    with pytest.raises(ValueError, match=message):
        hmm.predict(np.zeros((4, 2)))
    with pytest.raises(ValueError, match=f"{message}|X has 2 features, but means_, where the fit starts"):
        hmm.set_params(init_params="").fit(np.random.default_rng(0).normal(size=(30, 2)))


def test_what_has_not_been_set_is_named():
    with pytest.raises(errors.NotFittedError, match="not fitted yet"):
        GaussianHMM(2).predict(np.zeros((4, 2)))
    hmm = GaussianHMM(1)
    hmm.startprob_, hmm.transmat_ = [1.0], [[1.0]]
    with pytest.raises(errors.NotFittedError, match="means_ is missing"):
        hmm.predict(np.zeros((4, 2)))


def test_samples_of_counts_and_symbols_are_whole_numbers_that_can_index():
    hmm = CategoricalHMM(2, random_state=99)
    hmm.startprob_, hmm.transmat_ = [1.0, 0.0], [[0.95, 0.05], [0.1, 0.9]]
    hmm.emissionprob_ = [[1 / 6] * 6, [0.1, 0.1, 0.1, 0.1, 0.1, 0.5]]
    rolls, _ = hmm.sample(200)
    assert np.array(list("123456"))[rolls[:, 0]].shape == (200,)
    assert PoissonHMM(2, random_state=0).fit(QUAKES).sample(5)[0].dtype.kind == "i"


def test_fits_travel_through_pickles_clones_and_searches():
    hmm = PoissonHMM(2, random_state=0).fit(QUAKES)
    back = pickle.loads(pickle.dumps(hmm))
    np.testing.assert_array_equal(back.predict_proba(QUAKES), hmm.predict_proba(QUAKES))
    assert clone(hmm).get_params() == hmm.get_params()
    assert not hasattr(clone(hmm), "transmat_")
    search = GridSearchCV(PoissonHMM(random_state=0), {"n_components": [1, 2]}, cv=3).fit(QUAKES)
    assert search.best_params_ == {"n_components": 2}


def test_the_monitor_has_hmmlearns_words():
    monitor = PoissonHMM(2, random_state=0).fit(QUAKES).monitor_
    assert monitor.converged
    assert monitor.iter >= len(monitor.history) - 1
    assert list(monitor.history) == sorted(monitor.history)


def test_n_features_may_be_declared_as_in_old_programs():
    hmm = PoissonHMM(2, random_state=0)
    hmm.n_features = 2
    with pytest.raises(ValueError, match="X has 1 features, but n_features was set to 2"):
        hmm.fit(QUAKES)
    hmm.n_features = 1
    assert hmm.fit(QUAKES).n_features == 1


def test_rows_that_add_up_to_declared_trials_are_required_and_an_array_of_trials_is_taken():
    counts = np.array([[1, 2], [2, 1], [3, 0], [0, 3]] * 5)
    assert MultinomialHMM(1, n_trials=counts.sum(axis=1)).fit(counts).sample(3)[0].sum() == 9
    with pytest.raises(ValueError, match=r"add up to 3; .* expects 4"):
        MultinomialHMM(1, n_trials=4).fit(counts)

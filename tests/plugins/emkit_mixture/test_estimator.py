"""GaussianMixture as a scikit-learn estimator, and what it has beyond one."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn.mixture
from emkit_mixture import GaussianMixture, GaussianMixtureModel, StartingValues
from sklearn.base import clone
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

import emkit
from emkit import datasets, errors

FAITHFUL = datasets.old_faithful().values
TYPES = ("full", "tied", "diag", "spherical")


def _all_checks():
    faces = [GaussianMixture(), GaussianMixture(n_components=2, covariance_type="diag", random_state=0)]
    with warnings.catch_warnings():
        # scikit-learn warns about estimators that do not inherit from its own base class; ours never import it.
        warnings.filterwarnings("ignore", message=".*does not inherit from `sklearn.base.BaseEstimator`")
        return [pair for face in faces for pair in estimator_checks_generator(face)]


def _name(item):
    check = getattr(item, "func", item)
    return getattr(check, "__name__", repr(item))


# The checks fit tiny and degenerate data on purpose, and do not mind being told.
@pytest.mark.filterwarnings("ignore::emkit.errors.EmkitWarning", "ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.parametrize(("estimator", "check"), _all_checks(), ids=_name)
def test_scikit_learns_estimator_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_every_public_answer_agrees_with_scikit_learn_at_the_same_params(covariance_type):
    ours = GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(FAITHFUL)
    theirs = sklearn.mixture.GaussianMixture(2, covariance_type=covariance_type)
    theirs.weights_, theirs.means_, theirs.covariances_ = ours.weights_, ours.means_, ours.covariances_
    theirs.precisions_cholesky_ = ours.precisions_cholesky_
    np.testing.assert_allclose(ours.score_samples(FAITHFUL), theirs.score_samples(FAITHFUL), rtol=1e-10)
    np.testing.assert_allclose(ours.predict_proba(FAITHFUL), theirs.predict_proba(FAITHFUL), atol=1e-10)
    np.testing.assert_array_equal(ours.predict(FAITHFUL), theirs.predict(FAITHFUL))
    for name in ("score", "aic", "bic"):
        assert getattr(ours, name)(FAITHFUL) == pytest.approx(getattr(theirs, name)(FAITHFUL), rel=1e-10)
    assert ours.result_.bic == pytest.approx(ours.bic(FAITHFUL), rel=1e-12)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_fitted_attributes_have_scikit_learns_shapes_and_meaning(covariance_type):
    ours = GaussianMixture(3, covariance_type=covariance_type, random_state=0).fit(FAITHFUL)
    theirs = sklearn.mixture.GaussianMixture(3, covariance_type=covariance_type, random_state=0, max_iter=500).fit(
        FAITHFUL
    )
    for name in ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_"):
        assert getattr(ours, name).shape == getattr(theirs, name).shape
    model = ours.model_.covariance
    identity = np.eye(2)
    covariances = model.to_full(ours.covariances_, 3, 2)
    precisions = model.to_full(ours.precisions_, 3, 2)
    np.testing.assert_allclose(covariances @ precisions, np.broadcast_to(identity, (3, 2, 2)), atol=1e-9)
    assert ours.lower_bound_ == pytest.approx(ours.score(FAITHFUL), rel=1e-12)
    assert ours.lower_bounds_[-1] == ours.lower_bound_
    assert ours.converged_
    assert ours.n_iter_ == len(ours.lower_bounds_) - 1


def test_scikit_learns_default_stops_more_than_half_a_nat_short_where_ours_does_not():
    start = {"weights_init": None, "means_init": None, "precisions_init": None}
    theirs = sklearn.mixture.GaussianMixture(3, random_state=0, **start).fit(FAITHFUL)
    ours = GaussianMixture(
        3, weights_init=theirs.weights_, means_init=theirs.means_, precisions_init=theirs.precisions_
    ).fit(FAITHFUL)
    tight = emkit.fit(ours.model_, FAITHFUL, ours.result_.params, tol=0)
    assert tight.log_likelihood - theirs.score(FAITHFUL) * len(FAITHFUL) > 0.5
    assert tight.log_likelihood - ours.result_.log_likelihood < 1e-5


@pytest.mark.parametrize("kind", ["kmeans", "k-means++", "random", "random_from_data"])
@pytest.mark.parametrize("covariance_type", TYPES)
def test_every_start_gives_a_fit(kind, covariance_type):
    mixture = GaussianMixture(2, init_params=kind, covariance_type=covariance_type, random_state=1).fit(FAITHFUL)
    assert mixture.converged_
    assert np.isfinite(mixture.score(FAITHFUL))


def test_an_unknown_start_is_refused_with_the_choices():
    with pytest.raises(ValueError, match="'kmeans', 'k-means\\+\\+', 'random', 'random_from_data'"):
        GaussianMixture(init_params="hierarchical").fit(FAITHFUL)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_given_starting_values_are_where_the_fit_starts(covariance_type):
    model = GaussianMixtureModel(2, covariance_type)
    weights, means = np.array([0.3, 0.7]), np.array([[2.0, 55.0], [4.0, 80.0]])
    covariances = model.initialize(FAITHFUL, np.random.default_rng(0)).covariances
    precisions = np.linalg.inv(covariances) if model.covariance.is_matrix else 1 / covariances
    mixture = GaussianMixture(
        2, covariance_type=covariance_type, weights_init=weights, means_init=means, precisions_init=precisions
    ).fit(FAITHFUL)
    start = model.initialize(FAITHFUL, np.random.default_rng(0))
    start = type(start)(weights, means, covariances, start.location, start.scale)
    expected = model.log_density(start, FAITHFUL).mean()
    assert mixture.lower_bounds_[0] == pytest.approx(expected, rel=1e-9)


def test_starting_values_of_the_wrong_shape_are_named():
    with pytest.raises(ValueError, match=r"means_init must have shape \(2, 2\).*found shape \(3, 2\)"):
        GaussianMixture(2, means_init=np.zeros((3, 2))).fit(FAITHFUL)


def test_a_part_of_the_starting_values_may_be_given():
    start = StartingValues("kmeans", weights=np.array([0.5, 0.5]))
    params = GaussianMixtureModel(2, start=start).initialize(FAITHFUL, np.random.default_rng(0))
    np.testing.assert_array_equal(params.weights, [0.5, 0.5])


@pytest.mark.parametrize("covariance_type", TYPES)
def test_integer_weights_repeat_rows(covariance_type):
    rng = np.random.default_rng(5)
    weights = rng.integers(0, 4, len(FAITHFUL))
    repeated = np.repeat(FAITHFUL, weights, axis=0)
    settings = {"n_components": 2, "covariance_type": covariance_type, "random_state": 3}
    one = GaussianMixture(**settings).fit(FAITHFUL, sample_weight=weights)
    two = GaussianMixture(**settings).fit(repeated)
    np.testing.assert_allclose(one.means_, two.means_, rtol=1e-8)
    np.testing.assert_allclose(one.covariances_, two.covariances_, rtol=1e-7)
    assert one.score(FAITHFUL, sample_weight=weights) == pytest.approx(two.score(repeated), rel=1e-10)
    assert one.result_.n_observations == len(repeated)
    assert one.result_.bic == pytest.approx(two.result_.bic, rel=1e-9)
    assert one.bic(FAITHFUL, sample_weight=weights) == pytest.approx(two.bic(repeated), rel=1e-9)
    assert one.aic(FAITHFUL, sample_weight=weights) == pytest.approx(two.aic(repeated), rel=1e-9)


def test_rows_of_weight_zero_do_nothing_even_if_they_are_absurd():
    absurd = np.vstack([FAITHFUL, [[1e9, -1e9]]])
    weights = np.append(np.ones(len(FAITHFUL)), 0.0)
    one = GaussianMixture(2, random_state=0).fit(absurd, sample_weight=weights)
    two = GaussianMixture(2, random_state=0).fit(FAITHFUL)
    np.testing.assert_allclose(one.means_, two.means_, rtol=1e-10)


def test_several_starts_keep_the_best_and_report_all():
    mixture = GaussianMixture(4, n_init=6, init_params="random_from_data", random_state=0).fit(FAITHFUL)
    starts = mixture.result_.starts
    assert len(starts) == 6
    sound = [start.objective for start in starts if not start.rests_on_floor]
    assert mixture.result_.objective == max(sound)


def test_a_warm_start_goes_on_from_the_last_fit():
    mixture = GaussianMixture(3, warm_start=True, random_state=0).fit(FAITHFUL)
    first = mixture.result_
    mixture.fit(FAITHFUL)
    assert mixture.result_.log_likelihoods[0] == pytest.approx(first.log_likelihood, abs=1e-9)
    assert mixture.result_.n_e_steps < first.n_e_steps
    mixture.set_params(n_components=2).fit(FAITHFUL)
    assert mixture.means_.shape == (2, 2)


def test_one_seed_gives_one_fit():
    one, two = (GaussianMixture(3, init_params="random", random_state=7).fit(FAITHFUL) for _ in range(2))
    np.testing.assert_array_equal(one.means_, two.means_)


def test_samples_come_with_their_components_and_follow_the_fit():
    mixture = GaussianMixture(2, random_state=0).fit(FAITHFUL)
    x, labels = mixture.sample(20_000)
    assert x.shape == (20_000, 2)
    assert labels.shape == (20_000,)
    for k in range(2):
        share = (labels == k).mean()
        assert share == pytest.approx(mixture.weights_[k], abs=5 * np.sqrt(0.25 / 20_000))
        deviation = np.sqrt(np.diag(mixture.covariances_[k]) / (labels == k).sum())
        assert (np.abs(x[labels == k].mean(axis=0) - mixture.means_[k]) < 5 * deviation).all()
    assert adjusted_rand_score(labels, mixture.predict(x)) > 0.95


def test_a_fit_cut_short_warns_and_says_that_it_did_not_converge():
    with pytest.warns(errors.ConvergenceWarning, match="max_iter"):
        mixture = GaussianMixture(3, max_iter=3, random_state=0).fit(FAITHFUL)
    assert not mixture.converged_


def test_it_works_in_pipelines_searches_clones_and_pickles():
    pipeline = make_pipeline(StandardScaler(), GaussianMixture(2, random_state=0)).fit(FAITHFUL)
    assert pipeline.predict(FAITHFUL).shape == (len(FAITHFUL),)
    search = GridSearchCV(GaussianMixture(random_state=0), {"n_components": [1, 2]}).fit(FAITHFUL)
    assert search.best_params_ == {"n_components": 2}
    fitted = GaussianMixture(2, random_state=0).fit(FAITHFUL)
    assert clone(fitted).get_params() == fitted.get_params()
    back = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(back.predict_proba(FAITHFUL), fitted.predict_proba(FAITHFUL))


def test_column_names_are_kept_and_compared():
    frame = pd.DataFrame(FAITHFUL, columns=["eruptions", "waiting"])
    mixture = GaussianMixture(2, random_state=0).fit(frame)
    assert list(mixture.feature_names_in_) == ["eruptions", "waiting"]
    with pytest.raises(ValueError, match="same order"):
        mixture.predict(frame[["waiting", "eruptions"]])


def test_the_model_names_its_face():
    assert GaussianMixtureModel.face is GaussianMixture


def test_verbose_shows_progress(capsys):
    GaussianMixture(2, random_state=0, verbose=1).fit(FAITHFUL)
    assert "objective" in capsys.readouterr().err


@pytest.mark.parametrize("covariance_type", TYPES)
def test_a_warm_start_on_data_in_other_units_is_no_worse_than_a_cold_one(covariance_type):
    settings = {"n_components": 3, "covariance_type": covariance_type, "random_state": 0}
    mixture = GaussianMixture(**settings, warm_start=True).fit(FAITHFUL)
    for factor in (1e8, 1e-8):
        mixture.fit(FAITHFUL * factor)
        cold = GaussianMixture(**settings).fit(FAITHFUL * factor)
        assert mixture.result_.log_likelihood > cold.result_.log_likelihood - 1e-3
        np.testing.assert_array_equal(mixture.result_.params.scale, cold.result_.params.scale)
        assert mixture.weights_.min() > 0.01


def test_a_warm_start_on_similar_data_goes_on_from_how_the_last_fit_divides_them():
    mixture = GaussianMixture(3, warm_start=True, random_state=0).fit(FAITHFUL[::2])
    labels = mixture.predict(FAITHFUL[1::2])
    mixture.fit(FAITHFUL[1::2])
    assert adjusted_rand_score(labels, mixture.predict(FAITHFUL[1::2])) > 0.8
    assert mixture.result_.params.scale[0] == pytest.approx(FAITHFUL[1::2, 0].std(), rel=1e-12)


def test_a_fit_that_fails_leaves_the_last_one():
    mixture = GaussianMixture(2, random_state=0).fit(pd.DataFrame(FAITHFUL, columns=["a", "b"]))
    with pytest.raises(ValueError, match="standard deviation"):
        mixture.fit(np.tile(FAITHFUL, 2) * 1e200)
    assert mixture.n_features_in_ == 2
    assert mixture.predict(pd.DataFrame(FAITHFUL, columns=["a", "b"])).shape == (272,)

"""FactorAnalysis and ProbabilisticPCA as scikit-learn estimators, and what they have beyond."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from emkit_factor import FactorAnalysis, FactorAnalysisModel, InverseGamma, ProbabilisticPCA
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import emkit
from emkit import errors

WINE = load_wine().data
FACES = (FactorAnalysis, ProbabilisticPCA)


def _with_gaps(x, share=0.1, seed=0):
    gaps = np.random.default_rng(seed).random(x.shape) < share
    return np.where(gaps, np.nan, x)


# The checks fit tiny and degenerate data on purpose, and do not mind being told.
@pytest.mark.filterwarnings("ignore::emkit.errors.EmkitWarning", "ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.filterwarnings("ignore:.*does not inherit from `sklearn.base.BaseEstimator`")
@pytest.mark.parametrize(
    "face", [FactorAnalysis(), FactorAnalysis(1), ProbabilisticPCA(), ProbabilisticPCA(2)], ids=repr
)
def test_it_passes_scikit_learns_estimator_checks(face):
    found = check_estimator(face, on_skip=None)
    assert len(found) > 50
    assert {each["status"] for each in found} == {"passed"}


@pytest.mark.parametrize("face", FACES)
def test_gaps_are_filled_from_what_the_other_cells_tell(face):
    truth = WINE / WINE.std(axis=0)
    x = _with_gaps(truth)
    filled = face(n_components=3).fit(x).impute(x)
    gaps = np.isnan(x)
    np.testing.assert_array_equal(filled[~gaps], truth[~gaps])
    means = np.broadcast_to(np.nanmean(x, axis=0), x.shape)
    assert np.square(filled - truth)[gaps].mean() < 0.75 * np.square(means - truth)[gaps].mean()
    np.testing.assert_allclose(face(n_components=3).fit(x).impute(np.full((1, 13), np.nan))[0], means[0], atol=0.2)


@pytest.mark.parametrize("face", FACES)
def test_scores_of_rows_with_gaps_are_near_those_of_the_complete_rows(face):
    truth = WINE / WINE.std(axis=0)
    analysis = face(n_components=2).fit(truth)
    complete, partial = analysis.transform(truth), analysis.transform(_with_gaps(truth, 0.05))
    assert np.corrcoef(complete[:, 0], partial[:, 0])[0, 1] > 0.98
    assert not np.isnan(partial).any()


def test_scores_of_a_row_with_gaps_are_those_of_the_row_filled_in():
    x = _with_gaps(WINE)
    pca = ProbabilisticPCA(2).fit(x)
    np.testing.assert_allclose(pca.transform(x), pca.transform(pca.impute(x)), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("face", FACES)
def test_integer_weights_repeat_rows(face):
    x, weights = _with_gaps(WINE), np.random.default_rng(5).integers(0, 4, len(WINE))
    one = face(2).fit(x, sample_weight=weights)
    two = face(2).fit(np.repeat(x, weights, axis=0))
    np.testing.assert_allclose(one.mean_, two.mean_, rtol=1e-9)
    np.testing.assert_allclose(one.components_, two.components_, rtol=1e-6, atol=1e-8)
    assert one.score(x, sample_weight=weights) == pytest.approx(two.score(np.repeat(x, weights, axis=0)), rel=1e-10)
    assert one.result_.n_observations == weights.sum()


@pytest.mark.parametrize("face", FACES)
def test_rows_without_any_cell_change_nothing(face):
    x = _with_gaps(WINE)
    one, two = face(2).fit(x), face(2).fit(np.vstack([np.full((3, 13), np.nan), x]))
    np.testing.assert_allclose(one.components_, two.components_, rtol=1e-9, atol=1e-12)
    assert one.result_.bic == pytest.approx(two.result_.bic, rel=1e-12)
    assert two.score_samples(np.full((1, 13), np.nan))[0] == 0


@pytest.mark.parametrize("face", FACES)
def test_the_result_belongs_to_the_components_that_are_shown(face):
    x = _with_gaps(WINE)
    analysis = face(2).fit(x)
    result = analysis.result_
    assert analysis.model_.log_likelihood(result.params, x) == pytest.approx(result.log_likelihood, rel=1e-12)
    assert analysis.score(x) * len(x) == pytest.approx(result.log_likelihood, rel=1e-12)
    fitted = result.params.loadings @ result.params.loadings.T + np.diag(
        np.broadcast_to(result.params.noise_variances, 13)
    )
    np.testing.assert_allclose(analysis.get_covariance(), fitted, rtol=1e-12)
    np.testing.assert_allclose(analysis.get_precision() @ fitted, np.eye(13), atol=1e-8)


def test_axes_are_orthonormal_and_variances_fall():
    pca = ProbabilisticPCA(4).fit(_with_gaps(WINE))
    np.testing.assert_allclose(pca.components_ @ pca.components_.T, np.eye(4), atol=1e-10)
    assert (np.diff(pca.explained_variance_) < 0).all()
    values = np.linalg.eigvalsh(pca.get_covariance())[::-1]
    np.testing.assert_allclose(values[:4], pca.explained_variance_, rtol=1e-8)
    np.testing.assert_allclose(values[4:], pca.noise_variance_, rtol=1e-6)
    assert pca.explained_variance_ratio_.sum() == pytest.approx(values[:4].sum() / values.sum(), rel=1e-8)


def test_the_history_ends_at_the_fit():
    analysis = FactorAnalysis(2).fit(WINE)
    assert analysis.loglike_[-1] == analysis.result_.log_likelihood
    assert analysis.n_iter_ == len(analysis.loglike_) - 1
    assert (np.diff(analysis.loglike_) > -1e-8).all()


def test_given_noise_variances_are_where_the_fit_starts():
    given = WINE.var(axis=0) / 2
    model = FactorAnalysisModel(2)
    start = model.initialize(WINE, np.random.default_rng(0))
    start = type(start)(start.mean, start.loadings, given, start.location, start.scale)
    analysis = FactorAnalysis(2, noise_variance_init=given).fit(WINE)
    assert analysis.loglike_[0] == pytest.approx(model.log_likelihood(start, WINE), rel=1e-9)
    assert analysis.loglike_[-1] == pytest.approx(FactorAnalysis(2).fit(WINE).loglike_[-1], abs=1e-5)


@pytest.mark.parametrize("given", [np.ones(3), np.zeros(13), -np.ones(13)])
def test_noise_variances_that_cannot_be_are_refused(given):
    with pytest.raises(ValueError, match="noise_variance_init must be 13 numbers above 0"):
        FactorAnalysis(2, noise_variance_init=given).fit(WINE)


def test_a_prior_pulls_noise_variances_up():
    free, held = FactorAnalysis(2).fit(WINE), FactorAnalysis(2, noise_prior=InverseGamma(1.0, 50.0)).fit(WINE)
    assert held.noise_variance_.min() / WINE.var(axis=0).max() > 0
    assert (held.noise_variance_ > free.noise_variance_).mean() > 0.9
    with pytest.raises(TypeError, match="noise_prior must be an InverseGamma"):
        FactorAnalysis(2, noise_prior=0.5).fit(WINE)


def test_several_starts_keep_the_best_and_report_all():
    x = _with_gaps(WINE)
    analysis = FactorAnalysis(2, n_init=4, random_state=0).fit(x)
    assert len(analysis.result_.starts) == 4
    assert analysis.result_.objective == max(start.objective for start in analysis.result_.starts)
    assert analysis.result_.starts[0].n_e_steps < min(start.n_e_steps for start in analysis.result_.starts[1:])


def test_samples_follow_the_fit():
    analysis = FactorAnalysis(2, random_state=3).fit(WINE)
    x = analysis.sample(50_000)
    assert x.shape == (50_000, 13)
    deviations = WINE.std(axis=0)
    np.testing.assert_allclose((x.mean(axis=0) - analysis.mean_) / deviations, 0, atol=0.03)
    np.testing.assert_allclose(
        np.cov(x.T) / np.outer(deviations, deviations),
        analysis.get_covariance() / np.outer(deviations, deviations),
        atol=0.04,
    )


@pytest.mark.parametrize("n_samples", [0, -1, 1.5, None])
def test_a_number_of_rows_to_draw_that_is_none_is_refused(n_samples):
    with pytest.raises(ValueError, match="n_samples must be a whole number of at least 1"):
        FactorAnalysis(1).fit(WINE).sample(n_samples)


def test_what_lies_on_the_axes_comes_back_from_its_scores():
    pca = ProbabilisticPCA(2).fit(WINE)
    back = pca.inverse_transform(pca.transform(WINE))
    # The projection on the plane of the axes: what is left is orthogonal to it, and nothing is lost the second time.
    np.testing.assert_allclose((WINE - back) @ pca.components_.T, 0, atol=1e-9 * WINE.std())
    np.testing.assert_allclose(pca.inverse_transform(pca.transform(back)), back, rtol=1e-9)
    np.testing.assert_array_equal(pca.inverse_transform([[0.0, 0.0]])[0], pca.mean_)


def test_a_fit_cut_short_warns_and_says_that_it_did_not_converge():
    with pytest.warns(errors.ConvergenceWarning, match="max_iter"):
        analysis = FactorAnalysis(3, max_iter=2).fit(WINE)
    assert analysis.result_.status is emkit.Status.MAX_ITER


def test_as_many_factors_as_columns_are_fitted_with_a_warning():
    with pytest.warns(errors.DegenerateWarning, match="more than the covariances of n_features=4"):
        FactorAnalysis().fit(WINE[:, :4])


@pytest.mark.parametrize("face", FACES)
def test_it_works_in_pipelines_searches_clones_and_pickles(face):
    x = _with_gaps(WINE)
    pipeline = make_pipeline(StandardScaler(), face(2)).fit(x)
    assert pipeline.transform(x).shape == (178, 2)
    search = GridSearchCV(face(), {"n_components": [1, 2]}, cv=KFold(3, shuffle=True, random_state=0)).fit(x)
    assert search.best_params_ == {"n_components": 2}
    fitted = face(2).fit(x)
    assert clone(fitted).get_params() == fitted.get_params()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).transform(x), fitted.transform(x))


@pytest.mark.parametrize("face", FACES)
def test_frames_come_in_and_out(face):
    frame = pd.DataFrame(_with_gaps(WINE)).add_prefix("c")
    out = face(2).set_output(transform="pandas").fit_transform(frame)
    stem = face.__name__.lower()
    assert list(out.columns) == [f"{stem}0", f"{stem}1"]
    frame["c3"] = np.nan
    with pytest.raises(ValueError, match=r"Column 3 \('c3'\) has no observed value"):
        face(2).fit(frame)


def test_the_model_names_its_face():
    assert FactorAnalysisModel.face is FactorAnalysis


def test_a_fit_that_fails_leaves_the_last_one():
    analysis = FactorAnalysis(2).fit(WINE)
    with pytest.raises(ValueError, match="no observed value"):
        analysis.fit(np.c_[WINE[:, :2], np.full(178, np.nan)])
    assert analysis.transform(WINE).shape == (178, 2)

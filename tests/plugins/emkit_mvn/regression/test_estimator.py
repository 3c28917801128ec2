"""Regression with gaps, held to least squares, to closed forms of monotone gaps, and to published coefficients."""

import pickle

import numpy as np
import pytest
from emkit_mvn.regression.estimator import NormalRegression
from mvn_tables import AIRQUALITY, CHOLESTEROL
from scipy import optimize, stats
from sklearn.base import clone
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from emkit.errors import ConvergenceWarning, DegenerateWarning, NotFittedError


# The checks fit tiny and degenerate data on purpose, and do not mind being told.
@pytest.mark.filterwarnings("ignore::emkit.errors.EmkitWarning", "ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.filterwarnings("ignore:.*does not inherit from `sklearn.base.BaseEstimator`")
@pytest.mark.parametrize("settings", [{}, {"prior": "ridge"}])
def test_it_passes_scikit_learns_estimator_checks(settings):
    found = check_estimator(NormalRegression(**settings), on_skip=None)
    assert len(found) > 50
    assert {each["status"] for each in found} == {"passed"}


def complete(n=200, n_features=4, n_targets=None, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, n_features)) @ rng.standard_normal((n_features, n_features)) + 5
    slopes = rng.standard_normal((n_features, n_targets or 1))
    y = 2 + x @ slopes + rng.standard_normal((n, n_targets or 1))
    return x, y if n_targets else y[:, 0]


@pytest.mark.parametrize("n_targets", [None, 1, 3])
@pytest.mark.parametrize("weighted", [False, True])
def test_complete_data_give_ordinary_least_squares(n_targets, weighted):
    x, y = complete(n_targets=n_targets)
    weights = np.random.default_rng(1).uniform(0, 2, len(x)) if weighted else None
    ours, theirs = NormalRegression().fit(x, y, weights), LinearRegression().fit(x, y, weights)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-10)
    np.testing.assert_allclose(ours.predict(x), theirs.predict(x), rtol=1e-10)
    assert ours.score(x, y, weights) == pytest.approx(theirs.score(x, y, weights), abs=1e-10)
    assert np.shape(ours.coef_) == np.shape(theirs.coef_)
    assert np.shape(ours.intercept_) == np.shape(theirs.intercept_)


def test_complete_data_give_the_standard_errors_of_maximum_likelihood():
    x, y = complete()
    fit = NormalRegression().fit(x, y)
    design = np.column_stack([np.ones(len(x)), x])
    sigma2 = np.mean((y - fit.predict(x)) ** 2)
    expected = np.sqrt(sigma2 * np.diag(np.linalg.inv(design.T @ design)))
    assert fit.sigma2_ == pytest.approx(sigma2, rel=1e-9)
    assert fit.intercept_standard_error_ == pytest.approx(expected[0], rel=1e-4)
    np.testing.assert_allclose(fit.standard_errors_, expected[1:], rtol=1e-4)


def test_cholesterol_levels_have_their_published_coefficients():
    # Third day on the first two (Schafer 1997, Analysis of Incomplete Multivariate Data, section 5.3); coefficients
    # as R's norm2 prints them after ten steps, so that the last digits of the variance are not its maximum's.
    fit = NormalRegression().fit(CHOLESTEROL[:, :2], CHOLESTEROL[:, 2])
    np.testing.assert_allclose(fit.intercept_, 74.0236337, atol=5e-7)
    np.testing.assert_allclose(fit.coef_, [-0.1673990, 0.8269102], atol=5e-7)
    assert fit.sigma2_ == pytest.approx(838.9239, abs=3e-3)


def test_rows_without_their_only_target_do_not_move_the_coefficients():
    # The likelihood factors: p(y | x) is estimated from the rows that see both.
    seen = ~np.isnan(CHOLESTEROL[:, 2])
    fit = NormalRegression().fit(CHOLESTEROL[:, :2], CHOLESTEROL[:, 2])
    least = LinearRegression().fit(CHOLESTEROL[seen, :2], CHOLESTEROL[seen, 2])
    np.testing.assert_allclose(fit.coef_, least.coef_, rtol=1e-9)
    residuals = CHOLESTEROL[seen, 2] - least.predict(CHOLESTEROL[seen, :2])
    assert fit.sigma2_ == pytest.approx(np.mean(residuals**2), rel=1e-9)
    design = np.column_stack([np.ones(seen.sum()), CHOLESTEROL[seen, :2]])
    errors = np.sqrt(np.mean(residuals**2) * np.diag(np.linalg.inv(design.T @ design)))
    np.testing.assert_allclose(fit.standard_errors_, errors[1:], rtol=1e-4)


def test_missing_predictors_give_the_regression_of_the_likeliest_joint_normal():
    x, y = complete(n=60, n_features=2, seed=2)
    x[np.random.default_rng(3).random(x.shape) < 0.25] = np.nan
    table = np.column_stack([x, y])
    below = np.tril_indices(3)

    def read(vector):
        root = np.zeros((3, 3))
        root[below] = vector[3:]
        return vector[:3], root @ root.T

    def loss(vector):
        mean, covariance = read(vector)
        return -sum(
            stats.multivariate_normal.logpdf(row[s], mean[s], covariance[np.ix_(s, s)])
            for row in table
            for s in [np.flatnonzero(~np.isnan(row))]
        )

    start = np.concatenate([np.nanmean(table, axis=0), np.diag(np.nanstd(table, axis=0))[below]])
    mean, covariance = read(optimize.minimize(loss, start, method="BFGS").x)
    slopes = np.linalg.solve(covariance[:2, :2], covariance[:2, 2])
    fit = NormalRegression(tol=1e-10).fit(x, y)
    np.testing.assert_allclose(fit.coef_, slopes, rtol=1e-4)
    assert fit.intercept_ == pytest.approx(mean[2] - slopes @ mean[:2], rel=1e-4)
    assert fit.sigma2_ == pytest.approx(covariance[2, 2] - slopes @ covariance[:2, 2], rel=1e-4)
    partial = np.array([[6.0, np.nan], [np.nan, np.nan]])
    slope = covariance[0, 2] / covariance[0, 0]
    expected = [mean[2] + slope * (partial[0, 0] - mean[0]), mean[2]]
    variances = [covariance[2, 2] - slope * covariance[0, 2], covariance[2, 2]]
    predicted, deviations = fit.predict(partial, return_std=True)
    np.testing.assert_allclose(predicted, expected, rtol=1e-4)
    np.testing.assert_allclose(deviations, np.sqrt(variances), rtol=1e-4)


def test_intervals_cover_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(5)
    covers = []
    for _ in range(80):
        x = rng.standard_normal((120, 2)) @ [[1.0, 0.6], [0.0, 0.8]]
        y = 1 + x @ [1.0, -1.0] + rng.standard_normal(120)
        # The first predictor is missing where y is large: complete rows alone would be biased.
        x[(y > 1.5) & (rng.random(120) < 0.7), 0] = np.nan
        summary = NormalRegression().fit(x, y).summary()
        truth = np.array([1.0, 1.0, -1.0])
        covers.append((summary.lower[0] < truth) & (truth < summary.upper[0]))
    # Three standard errors of a share of 0.95 in 80 draws are 0.07.
    assert (np.mean(covers, axis=0) > 0.87).all()


def test_weights_count_rows():
    x, y = AIRQUALITY[:, 1:4], AIRQUALITY[:, 0]
    weights = np.random.default_rng(0).integers(0, 3, len(y))
    weighted = NormalRegression(tol=1e-10).fit(x, y, weights)
    repeated = NormalRegression(tol=1e-10).fit(np.repeat(x, weights, axis=0), np.repeat(y, weights))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-5)
    np.testing.assert_allclose(weighted.standard_errors_, repeated.standard_errors_, rtol=1e-4)


def test_several_targets_help_each_other_across_gaps():
    x, y = complete(n=300, n_targets=2, seed=6)
    y[:, 1] = y[:, 0] + 0.1 * np.random.default_rng(7).standard_normal(300)
    y[100:, 0] = np.nan
    both = NormalRegression().fit(x, y)
    alone = NormalRegression().fit(x, y[:, 0])
    assert both.coef_.shape == (2, 4)
    assert (both.standard_errors_[0] < 0.7 * alone.standard_errors_).all()


def test_scores_are_those_of_rows_with_a_target():
    x, y = complete(n_targets=2)
    fit = NormalRegression().fit(x, y)
    y[::3, 0] = np.nan
    seen = ~np.isnan(y[:, 0])
    predicted = fit.predict(x)
    expected = (r2_score(y[seen, 0], predicted[seen, 0]) + r2_score(y[:, 1], predicted[:, 1])) / 2
    assert fit.score(x, y) == pytest.approx(expected, rel=1e-12)


def test_coefficients_follow_units():
    x, y = complete()
    x[::7, 0] = np.nan
    factor = np.array([1e-6, 1.0, 1e9, 1e3])
    here, there = NormalRegression(tol=1e-10).fit(x, y), NormalRegression(tol=1e-10).fit((x + 9) * factor, y)
    np.testing.assert_allclose(there.coef_ * factor, here.coef_, rtol=1e-5)
    np.testing.assert_allclose(there.standard_errors_ * factor, here.standard_errors_, rtol=1e-3)


def test_pipelines_clones_and_pickles_work():
    x, y = complete()
    pipeline = make_pipeline(StandardScaler(), NormalRegression()).fit(x, y)
    np.testing.assert_allclose(pipeline.predict(x), LinearRegression().fit(x, y).predict(x))
    fit = NormalRegression(tol=1e-4).fit(x, y)
    assert clone(fit).tol == 1e-4
    again = pickle.loads(pickle.dumps(fit))
    np.testing.assert_array_equal(again.standard_errors_, fit.standard_errors_)


def test_before_a_fit_there_are_no_standard_errors():
    with pytest.raises(NotFittedError):
        NormalRegression().summary()


def test_more_predictors_than_rows_are_fitted_on_the_floor_or_with_a_prior():
    x, y = complete(n=8, n_features=20)
    with pytest.warns(DegenerateWarning, match="floor"):
        fit = NormalRegression().fit(x, y)
    assert np.isfinite(fit.coef_).all()
    assert np.isfinite(NormalRegression(prior="ridge").fit(x, y).coef_).all()


def test_a_constant_predictor_has_no_slope():
    x, y = complete()
    with pytest.warns(DegenerateWarning, match="floor"):
        fit = NormalRegression().fit(np.column_stack([x, np.full(len(x), 3.0)]), y)
    np.testing.assert_allclose(fit.coef_[:4], LinearRegression().fit(x, y).coef_, rtol=1e-6)
    assert fit.coef_[4] == pytest.approx(0, abs=1e-6)


def test_a_fit_that_ends_early_is_warned_about():
    with pytest.warns(ConvergenceWarning):
        NormalRegression(max_iter=2).fit(AIRQUALITY[:, 1:], AIRQUALITY[:, 0])

"""StudentImputer as a scikit-learn transformer, beside NormalImputer, and what outliers do to the two."""

import inspect
import pickle

import numpy as np
import pandas as pd
import pytest
from emkit_mvn import MultivariateT, NormalImputer, StudentImputer
from mvn_tables import AIRQUALITY, AIRQUALITY_FRAME, NHANES
from scipy import stats
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import check_estimator
from student_rows import brute_log_density, heavy_rows

from emkit import errors

FACES = (StudentImputer, NormalImputer)

#: Settings of NormalImputer that a t distribution has no use for: bounds, structures of a covariance, priors of it.
NORMAL_ONLY = {"min_value", "max_value", "covariance_type", "prior"}


# The checks fit tiny and degenerate data on purpose, and do not mind being told.
@pytest.mark.filterwarnings("ignore::emkit.errors.EmkitWarning", "ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.filterwarnings("ignore:.*does not inherit from `sklearn.base.BaseEstimator`")
@pytest.mark.parametrize(
    "settings", [{}, {"df": 3.0, "add_indicator": True, "keep_empty_features": True}, {"missing_values": -999}]
)
def test_it_passes_scikit_learns_estimator_checks(settings):
    found = check_estimator(StudentImputer(**settings), on_skip=None)
    assert len(found) > 50
    assert {each["status"] for each in found} == {"passed"}


def test_its_interface_is_that_of_the_normal_imputer():
    ours, theirs = StudentImputer().get_params(), NormalImputer().get_params()
    assert set(ours) - {"df"} == set(theirs) - NORMAL_ONLY
    same = set(ours) - {"df", "missing_values"}
    assert {name: ours[name] for name in same} == {name: theirs[name] for name in same}
    public = [{name for name, _ in inspect.getmembers(face) if name[0] != "_"} for face in FACES]
    assert public[0] == public[1]
    fitted = [{name for name in vars(face().fit(heavy_rows())) if name[-1] == "_"} for face in FACES]
    assert fitted[0] - {"location_", "scatter_", "df_"} == fitted[1] - {"mean_", "covariance_"}


def test_gaps_are_filled_with_the_centre_of_what_the_seen_cells_leave_open():
    x = heavy_rows(n=80)
    imputer = StudentImputer(df=4).fit(x)
    filled = imputer.transform(x)
    for row, found in zip(x, filled, strict=True):
        gaps, seen = np.flatnonzero(np.isnan(row)), np.flatnonzero(~np.isnan(row))
        scatter = imputer.scatter_
        residual = row[seen] - imputer.location_[seen]
        shift = scatter[np.ix_(gaps, seen)] @ np.linalg.solve(scatter[np.ix_(seen, seen)], residual)
        np.testing.assert_allclose(found[gaps], imputer.location_[gaps] + shift, rtol=1e-9)
        np.testing.assert_array_equal(found[seen], row[seen])


def test_outliers_hardly_move_what_is_filled_in():
    truth = heavy_rows(n=300, df=np.inf, missing=0.0, seed=1)
    x = truth.copy()
    gaps = np.random.default_rng(2).random(x.shape) < 0.15
    x[gaps] = np.nan
    slips = np.flatnonzero(~gaps.any(axis=1))[:15]
    x[slips, np.arange(15) % 3] *= 100
    error = {face: np.sqrt(np.mean((face().fit(x).transform(x) - truth)[gaps] ** 2)) for face in FACES}
    best = np.sqrt(np.mean((NormalImputer().fit(truth).transform(np.where(gaps, np.nan, truth)) - truth)[gaps] ** 2))
    assert error[StudentImputer] < 1.1 * best
    assert error[NormalImputer] > 2 * best


def test_without_tails_it_is_the_normal_imputer():
    student, normal = StudentImputer(df=np.inf, tol=1e-9).fit(AIRQUALITY), NormalImputer(tol=1e-9).fit(AIRQUALITY)
    np.testing.assert_allclose(student.transform(AIRQUALITY), normal.transform(AIRQUALITY), rtol=1e-4)
    assert student.score(AIRQUALITY) == pytest.approx(normal.score(AIRQUALITY), rel=1e-9)
    assert np.isinf(student.df_)


def test_draws_have_the_conditional_t_distribution():
    imputer = StudentImputer(df=3.0, random_state=0).fit(heavy_rows(n=100, missing=0.1))
    location, scatter = imputer.location_, imputer.scatter_
    # The first cell is far out, so that the others vary more than elsewhere.
    far = location[0] + 6 * np.sqrt(scatter[0, 0])
    draws = imputer.sample(np.tile([far, np.nan, np.nan], (4000, 1)))[0]
    assert (draws[:, 0] == far).all()
    slope = scatter[1:, 0] / scatter[0, 0]
    center = location[1:] + slope * (far - location[0])
    spread = np.diag(scatter)[1:] - slope * scatter[0, 1:]
    # One seen cell at the squared distance 36: four degrees of freedom, scatter times (3 + 36) / (3 + 1).
    scale = np.sqrt(spread * (3 + 36) / 4)
    for k in (0, 1):
        assert stats.kstest((draws[:, 1 + k] - center[k]) / scale[k], stats.t(4).cdf).pvalue > 1e-3
    deviations = imputer.conditional_std([[far, np.nan, np.nan]])[0]
    np.testing.assert_allclose(deviations, [0, *(scale * np.sqrt(4 / 2))], rtol=1e-9)


def test_draws_are_reproducible_and_differ_from_each_other():
    imputer = StudentImputer(df=4, random_state=3).fit(NHANES)
    one, two = imputer.sample(NHANES, 2)
    np.testing.assert_array_equal(imputer.sample(NHANES)[0], one)
    assert (one != two).any()
    assert (imputer.sample(NHANES, random_state=4)[0] != one).any()


def test_scores_are_the_densities_of_the_seen_cells():
    x = heavy_rows(n=60)
    imputer = StudentImputer(df=5).fit(x)
    expected = brute_log_density(imputer.location_, imputer.scatter_, 5, x)
    np.testing.assert_allclose(imputer.score_samples(x), expected, rtol=1e-10)
    assert imputer.score(x) * len(x) == pytest.approx(imputer.result_.log_likelihood, rel=1e-10)
    # A cell so far away that the square of its distance is no float has a density all the same.
    far = imputer.score_samples([[1e300, np.nan, np.nan], [1e299, np.nan, np.nan]])
    assert far[1] - far[0] == pytest.approx((5 + 1) * np.log(10), rel=1e-6)


def test_columns_without_a_cell_are_dropped_or_kept():
    x = np.insert(NHANES, 2, np.nan, axis=1)
    with pytest.warns(errors.EmkitWarning, match=r"without any observed values: \[2\]"):
        dropped = StudentImputer(df=4).fit(x)
    assert dropped.transform(x).shape == NHANES.shape
    assert np.isnan(dropped.location_).tolist() == [False, False, True, False, False]
    assert np.isnan(dropped.scatter_).sum() == 9
    assert (StudentImputer(df=4, keep_empty_features=True).fit(x).transform(x)[:, 2] == 0).all()


def test_indicators_bring_the_gaps_back():
    imputer = StudentImputer(df=4, add_indicator=True).fit(AIRQUALITY)
    filled = imputer.transform(AIRQUALITY)
    assert filled.shape == (153, 8)
    np.testing.assert_array_equal(imputer.inverse_transform(filled), AIRQUALITY)
    assert not hasattr(StudentImputer(), "inverse_transform")


def test_a_weight_counts_a_row_so_often_and_zero_leaves_it_out():
    x, counts = heavy_rows(n=90), np.arange(90) % 3
    weighted = StudentImputer(tol=1e-10).fit(x, sample_weight=counts)
    repeated = StudentImputer(tol=1e-10).fit(np.repeat(x, counts, axis=0))
    np.testing.assert_allclose(weighted.scatter_, repeated.scatter_, rtol=1e-5)
    assert weighted.df_ == pytest.approx(repeated.df_, rel=1e-4)


def test_frames_come_in_and_out_and_messages_have_their_names():
    imputer = StudentImputer(df=4).set_output(transform="pandas")
    filled = imputer.fit_transform(AIRQUALITY_FRAME)
    assert isinstance(filled, pd.DataFrame)
    assert list(filled.columns) == list(AIRQUALITY_FRAME.columns)
    far, apart = AIRQUALITY_FRAME.copy(), AIRQUALITY_FRAME.copy()
    far.iloc[7, 2] = 1e200
    with pytest.raises(ValueError, match=f"Column '{far.columns[2]}' has a cell .* times farther from its median"):
        StudentImputer(df=4).fit(far)
    apart.iloc[:70, 0], apart.iloc[70:, 2] = np.nan, np.nan
    named = " and ".join(repr(name) for name in apart.columns[[0, 2]])
    with pytest.warns(errors.EmkitWarning, match=f"No row sees columns {named} together"):
        StudentImputer(df=4).fit(apart)


def test_it_works_in_searches_clones_and_pickles():
    x = heavy_rows(n=200, df=2.0)
    search = GridSearchCV(StudentImputer(), {"df": [1.0, 2.0, 50.0]}, cv=4).fit(x)
    assert search.best_params_ == {"df": 2.0}
    imputer = StudentImputer(df=2.0).fit(x)
    assert clone(imputer).df == 2.0
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(imputer)).transform(x), imputer.transform(x))
    assert MultivariateT.face is StudentImputer


def test_a_fit_cut_short_warns_at_the_line_of_the_user():
    with pytest.warns(errors.ConvergenceWarning, match=r"StudentImputer: .*max_iter") as caught:
        imputer = StudentImputer(max_iter=2).fit(heavy_rows())
    assert caught[0].filename == __file__
    assert not imputer.converged_


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"df": 0}, "df must be a number of at least"),
        ({"df": 1e-30}, "df must be a number of at least"),
        ({"floor": 1.0}, "floor must be"),
        ({"missing_values": "x"}, "missing_values must be"),
        ({"n_init": 0}, "n_init must be"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        StudentImputer(**settings).fit(NHANES)

"""NormalImputer as a scikit-learn transformer, beside IterativeImputer, and what it has beyond one."""

from __future__ import annotations

import pickle
import warnings

import attrs
import numpy as np
import pandas as pd
import polars as pl
import pytest
from emkit_mvn import BlockDiagonal, Known, MultivariateNormal, Ridge, estimator
from emkit_mvn.estimator import NormalImputer
from emkit_mvn.kernels.rows import IncompleteRows
from mvn_tables import AIRQUALITY, CHOLESTEROL, EMPLOYEE, FITNESS, MDATA, MURRAY, NHANES
from scipy import stats
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import estimator_checks_generator

import emkit
from emkit import errors

NAMES = ["ozone", "solar", "wind", "temp", "month", "day"]
FRAME = pd.DataFrame(AIRQUALITY, columns=NAMES, index=pd.date_range("1973-05-01", periods=153))
GAPS = np.isnan(AIRQUALITY)
TABLES = {
    "airquality": AIRQUALITY,
    "cholesterol": CHOLESTEROL,
    "employee": EMPLOYEE,
    "fitness": FITNESS,
    "mdata": MDATA,
    "nhanes": NHANES,
}
NEVER_TOGETHER = np.array([[1, np.nan, 2.2, np.nan], [2, np.nan, 1, np.nan], [4, np.nan, 5, np.nan]] * 3)
NEVER_TOGETHER = np.vstack([NEVER_TOGETHER, [[np.nan, np.nan, 1, 5], [np.nan, np.nan, 2, 7], [np.nan, np.nan, 4, 7.5]]])


def _all_checks():
    faces = [
        NormalImputer(),
        NormalImputer(add_indicator=True, keep_empty_features=True, min_value=-1, prior="ridge"),
        NormalImputer(missing_values=-999),
    ]
    with warnings.catch_warnings():
        # scikit-learn warns about estimators that do not inherit from its own base class; ours never import it.
        warnings.filterwarnings("ignore", message=".*does not inherit from `sklearn.base.BaseEstimator`")
        return [pair for face in faces for pair in estimator_checks_generator(face)]


def _name(item):
    check = getattr(item, "func", item)
    return getattr(check, "__name__", repr(item))


# The checks fit tiny and degenerate data on purpose, and do not mind being told.
@pytest.mark.filterwarnings("ignore::emkit.errors.EmkitWarning", "ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.parametrize(("face", "check"), _all_checks(), ids=_name)
def test_scikit_learns_estimator_checks(face, check):
    check(face)


def _conditional(imputer, row):
    """Return mean and covariance of the gaps of a row, by the textbook formula."""
    gap = np.isnan(row)
    mean, covariance = imputer.mean_, imputer.covariance_
    gain = np.linalg.solve(covariance[np.ix_(~gap, ~gap)], covariance[np.ix_(~gap, gap)]).T
    return (
        mean[gap] + gain @ (row - mean)[~gap],
        covariance[np.ix_(gap, gap)] - gain @ covariance[np.ix_(~gap, gap)],
    )


@pytest.mark.parametrize("table", TABLES)
def test_every_gap_gets_its_conditional_mean_and_standard_deviation(table):
    x = TABLES[table]
    imputer = NormalImputer().fit(x)
    filled, deviations = imputer.transform(x), imputer.conditional_std(x)
    for n, row in enumerate(x):
        gap = np.isnan(row)
        mean, covariance = _conditional(imputer, row)
        np.testing.assert_allclose(filled[n, gap], mean, rtol=1e-9)
        np.testing.assert_allclose(deviations[n, gap], np.sqrt(np.diag(covariance)), rtol=1e-9)
        np.testing.assert_array_equal(filled[n, ~gap], row[~gap])
        assert not deviations[n, ~gap].any()


def test_the_airquality_table_is_filled_from_its_maximum_likelihood_fit():
    """The reference values are those of EM row by row in plain numpy, run until nothing moves any more."""
    imputer = NormalImputer(tol=0).fit(AIRQUALITY)
    filled = imputer.transform(AIRQUALITY)
    assert filled[4, 0] == pytest.approx(-11.808389, abs=1e-6)
    assert filled[26, 0] == pytest.approx(14.183844, abs=1e-6)
    np.testing.assert_allclose(imputer.mean_[:2], [42.522163421, 185.5344904793], rtol=1e-7)
    assert imputer.result_.log_likelihood == pytest.approx(-3123.9792854747, abs=1e-8)
    assert imputer.converged_
    assert imputer.n_iter_ == imputer.result_.n_iter
    assert imputer.n_features_with_missing_ == 2


def test_new_rows_are_filled_by_the_fitted_distribution_and_do_not_change_it():
    imputer = NormalImputer().fit(AIRQUALITY[:100])
    whole = imputer.transform(AIRQUALITY)
    for n in (4, 101, 118):
        np.testing.assert_allclose(imputer.transform(AIRQUALITY[n : n + 1])[0], whole[n], rtol=1e-12)
    np.testing.assert_array_equal(imputer.mean_, NormalImputer().fit(AIRQUALITY[:100]).mean_)


def test_a_column_that_was_complete_in_fit_is_filled_when_it_has_gaps_later():
    imputer = NormalImputer().fit(AIRQUALITY)
    row = AIRQUALITY[0].copy()
    row[3] = np.nan
    assert not GAPS[:, 3].any()
    (expected,), _ = _conditional(imputer, row)
    assert imputer.transform([row])[0, 3] == pytest.approx(expected, rel=1e-10)


def test_a_row_without_a_seen_cell_gets_the_mean_and_does_not_count():
    imputer = NormalImputer().fit(np.vstack([AIRQUALITY, np.full((5, 6), np.nan)]))
    np.testing.assert_allclose(imputer.mean_, NormalImputer().fit(AIRQUALITY).mean_, rtol=1e-12)
    np.testing.assert_array_equal(imputer.transform(np.full((1, 6), np.nan))[0], imputer.mean_)


@pytest.mark.filterwarnings("ignore:.*without any observed values", "ignore:.*Early stopping")
@pytest.mark.parametrize("add_indicator", [False, True])
@pytest.mark.parametrize("keep_empty_features", [False, True])
def test_columns_and_their_names_are_those_of_scikit_learn(keep_empty_features, add_indicator):
    # Of a frame of floats alone scikit-learn gets an array that it cannot write to, which it tries.
    frame = FRAME.astype({"day": int}).assign(nothing=np.nan)[["nothing", *NAMES]]
    later = frame.iloc[:9].copy()
    later.iloc[0, 0], later.iloc[1, 4] = 7.5, np.nan  # a first value of "nothing", a gap where there was none
    settings = {"keep_empty_features": keep_empty_features, "add_indicator": add_indicator}
    ours, theirs = (
        cls(**settings).set_output(transform="pandas").fit(frame) for cls in (NormalImputer, IterativeImputer)
    )
    found, expected = ours.transform(later), theirs.transform(later)
    assert list(found.columns) == list(expected.columns)
    assert list(ours.get_feature_names_out()) == list(theirs.get_feature_names_out())
    assert found.shape == expected.shape
    for name in set(found.columns) & set(NAMES):
        kept = later[name].notna()
        np.testing.assert_array_equal(found[name][kept], later[name][kept])
    for name in set(found.columns) - set(NAMES):
        np.testing.assert_array_equal(found[name], expected[name])
    if add_indicator:
        np.testing.assert_array_equal(ours.indicator_.features_, theirs.indicator_.features_)
    else:
        assert ours.indicator_ is theirs.indicator_ is None


def test_what_is_seen_later_in_a_column_that_was_empty_has_no_influence():
    x = np.insert(AIRQUALITY, 2, np.nan, axis=1)
    imputer = NormalImputer(keep_empty_features=True).fit(x)
    expected = NormalImputer().fit_transform(AIRQUALITY)
    x[:, 2] = 1e6
    np.testing.assert_array_equal(np.delete(imputer.transform(x), 2, axis=1), expected)
    assert np.isnan(imputer.mean_[2])
    assert np.isnan(imputer.covariance_[2]).all()
    np.testing.assert_array_equal(imputer.seen_features_, [0, 1, 3, 4, 5, 6])
    x[3, 2] = np.nan
    assert np.isnan(imputer.conditional_std(x)[:, 2]).sum() == 1


@pytest.mark.parametrize(("marker", "gap"), [(np.nan, np.nan), (None, np.nan), (-999, -999.0)])
@pytest.mark.parametrize("keep_empty_features", [False, True])
def test_the_inverse_transform_brings_the_gaps_back(marker, gap, keep_empty_features):
    x = np.insert(AIRQUALITY, 3, np.nan, axis=1)
    x[np.isnan(x)] = gap
    imputer = NormalImputer(missing_values=marker, add_indicator=True, keep_empty_features=keep_empty_features)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*without any observed values")
        transformed = imputer.fit_transform(x)
    np.testing.assert_array_equal(imputer.inverse_transform(transformed), x)
    with pytest.raises(ValueError, match=r"X has 6 columns, but transform gives \d+"):
        imputer.inverse_transform(transformed[:, :6])


def test_gaps_without_an_indicator_stay_filled_and_without_any_there_is_no_way_back():
    imputer = NormalImputer(add_indicator=True).fit(AIRQUALITY)
    row = np.array([[np.nan, 118, 8, np.nan, 5, 2]])
    back = imputer.inverse_transform(imputer.transform(row))
    np.testing.assert_array_equal(np.isnan(back), [[True, False, False, False, False, False]])
    without = NormalImputer().fit(AIRQUALITY)
    assert not hasattr(without, "inverse_transform")
    with pytest.raises(AttributeError, match="add_indicator=True"):
        without.inverse_transform(AIRQUALITY[:1])
    with pytest.raises(ValueError, match="fit again"):
        without.set_params(add_indicator=True).inverse_transform(AIRQUALITY[:1])


@pytest.mark.parametrize("marker", [-999, -999.9, 0.1])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_number_may_mark_gaps_in_either_precision(marker, dtype):
    marked = np.where(GAPS, marker, AIRQUALITY).astype(dtype)
    found = NormalImputer(missing_values=marker).fit_transform(marked)
    rounded = np.where(GAPS, np.nan, AIRQUALITY.astype(dtype))
    np.testing.assert_array_equal(found, NormalImputer().fit_transform(rounded))


def _containers():
    whole = ["month", "day", "temp"]
    nullable = FRAME.convert_dtypes()
    assert str(nullable["ozone"].dtype) == "Int64"
    assert nullable["ozone"].isna().any()
    lists = [[None if np.isnan(value) else value for value in row] for row in AIRQUALITY]
    return {
        "integers": FRAME.astype(dict.fromkeys(whole, "int16")),
        "nullable": nullable,
        "objects": pd.DataFrame(FRAME.astype(object).where(FRAME.notna(), pd.NA)),
        "polars": pl.DataFrame(lists, schema=NAMES, orient="row"),
        "lists": lists,
        "masked": np.ma.masked_array(np.where(GAPS, 1e6, AIRQUALITY), mask=GAPS),
        "fortran": np.asfortranarray(AIRQUALITY),
    }


@pytest.mark.parametrize("kind", _containers())
def test_gaps_are_found_in_whatever_holds_them(kind):
    x = _containers()[kind]
    np.testing.assert_array_equal(NormalImputer().fit_transform(x), NormalImputer().fit_transform(AIRQUALITY))
    if kind in {"objects", "nullable"}:
        filled = NormalImputer(missing_values=pd.NA).fit_transform(x)
        np.testing.assert_array_equal(filled, NormalImputer().fit_transform(AIRQUALITY))


def test_frames_come_out_with_the_names_and_the_index_they_came_in_with():
    imputer = NormalImputer(add_indicator=True, random_state=0).set_output(transform="pandas")
    out = imputer.fit_transform(FRAME)
    assert list(out.columns) == [*NAMES, "missingindicator_ozone", "missingindicator_solar"]
    assert out.index.equals(FRAME.index)
    np.testing.assert_array_equal(out["missingindicator_ozone"], FRAME["ozone"].isna())
    (draw,) = imputer.sample(FRAME)
    assert list(draw.columns) == list(out.columns)
    assert draw.index.equals(FRAME.index)
    polars = imputer.set_output(transform="polars").transform(pl.DataFrame(AIRQUALITY, schema=NAMES))
    assert isinstance(polars, pl.DataFrame)
    np.testing.assert_array_equal(polars.to_numpy(), out.to_numpy())


def test_draws_have_the_conditional_mean_and_covariance_and_can_be_repeated():
    imputer = NormalImputer().fit(AIRQUALITY)
    row = AIRQUALITY[4]
    draws = imputer.sample(np.tile(row, (50, 1)), 80, random_state=1)
    assert len(draws) == 80
    x = np.vstack(draws)
    np.testing.assert_array_equal(x[:, 2:], np.tile(row[2:], (4000, 1)))
    mean, covariance = _conditional(imputer, row)
    whitened = np.linalg.solve(np.linalg.cholesky(covariance), (x[:, :2] - mean).T)
    assert (np.abs(whitened.mean(axis=1)) < 5 / np.sqrt(4000)).all()
    np.testing.assert_allclose(np.cov(whitened), np.eye(2), atol=5 * np.sqrt(2 / 4000))
    again = imputer.sample(np.tile(row, (50, 1)), 80, random_state=1)
    np.testing.assert_array_equal(np.vstack(again), x)
    assert not np.array_equal(draws[0], draws[1])
    seeded = NormalImputer(random_state=3).fit(AIRQUALITY)
    np.testing.assert_array_equal(seeded.sample(AIRQUALITY), imputer.sample(AIRQUALITY, random_state=3))


def test_the_score_is_the_mean_log_density_of_the_seen_cells():
    imputer = NormalImputer(prior=Ridge(3)).fit(AIRQUALITY)
    density = imputer.score_samples(AIRQUALITY)
    for n in (0, 4, 5, 9):
        seen = ~GAPS[n]
        law = stats.multivariate_normal(imputer.mean_[seen], imputer.covariance_[np.ix_(seen, seen)])
        assert density[n] == pytest.approx(law.logpdf(AIRQUALITY[n, seen]), rel=1e-10)
    assert imputer.score(AIRQUALITY) == pytest.approx(imputer.result_.log_likelihood / 153, rel=1e-12)
    weights = np.arange(153.0) % 3
    assert imputer.score(AIRQUALITY, sample_weight=weights) == pytest.approx(density @ weights / weights.sum())
    assert imputer.score(AIRQUALITY, sample_weight=weights * 1e305) == pytest.approx(density @ weights / weights.sum())


def test_a_weight_counts_a_row_so_often_and_zero_leaves_it_out():
    counts = np.arange(153) % 3
    weighted = NormalImputer(tol=1e-10, add_indicator=True).fit(AIRQUALITY, sample_weight=counts)
    repeated = NormalImputer(tol=1e-10, add_indicator=True).fit(np.repeat(AIRQUALITY, counts, axis=0))
    np.testing.assert_allclose(weighted.covariance_, repeated.covariance_, rtol=1e-6)
    # Whether a column has gaps or is empty is for the rows that count to say as well.
    x = np.column_stack([AIRQUALITY, np.full(153, np.nan)])
    x[0, 6], x[1, 3] = 1.0, np.nan
    counts = np.r_[0, 0, np.ones(151)]
    with pytest.warns(errors.EmkitWarning, match=r"without any observed values: \[6\]"):
        found = NormalImputer(add_indicator=True).fit(x, sample_weight=counts)
    np.testing.assert_array_equal(found.indicator_.features_, [0, 1, 6])
    assert found.n_features_with_missing_ == 3
    assert found.transform(x).shape == (153, 9)


def test_weights_reach_the_fit_through_fit_transform_and_pipelines():
    weights = np.linspace(0, 2, 153)
    expected = NormalImputer().fit(AIRQUALITY, sample_weight=weights).transform(AIRQUALITY)
    found = NormalImputer().fit_transform(AIRQUALITY, sample_weight=weights)
    np.testing.assert_array_equal(found, expected)
    pipeline = make_pipeline(NormalImputer(), LinearRegression())
    pipeline.fit(AIRQUALITY, AIRQUALITY[:, 3], normalimputer__sample_weight=weights)
    np.testing.assert_array_equal(pipeline[0].transform(AIRQUALITY), expected)


def test_it_works_in_searches_column_transformers_clones_and_pickles():
    search = GridSearchCV(NormalImputer(), {"prior": [None, "ridge", Ridge(5), Ridge(500)]}, cv=5)
    assert search.fit(NHANES).best_params_["prior"] == Ridge(5)
    columns = ColumnTransformer([("fill", NormalImputer(), ["ozone", "wind", "temp"])], remainder="drop")
    columns.set_output(transform="pandas")
    assert list(columns.fit_transform(FRAME).columns) == ["fill__ozone", "fill__wind", "fill__temp"]
    fitted = NormalImputer(min_value=np.zeros(6), add_indicator=True).fit(FRAME)
    assert clone(fitted).get_params().keys() == fitted.get_params().keys()
    back = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(back.transform(FRAME), fitted.transform(FRAME))


@pytest.mark.parametrize("names", [None, ["a", "b", "c", "d"]])
def test_columns_never_seen_together_are_named_as_the_user_knows_them(names):
    x = NEVER_TOGETHER if names is None else pd.DataFrame(NEVER_TOGETHER, columns=names)
    expected = "columns 0 and 3 together" if names is None else "columns 'a' and 'd' together"
    with pytest.warns(errors.EmkitWarning) as caught:
        imputer = NormalImputer().fit(x)
    assert sum(expected in str(warning.message) for warning in caught) == 1
    assert any(expected in note for note in imputer.result_.notes)


def test_the_empty_columns_are_named():
    frame = FRAME.assign(empty=np.nan)
    with pytest.warns(errors.EmkitWarning, match=r"without any observed values: \['empty'\]") as caught:
        NormalImputer().fit(frame)
    assert caught[0].filename == __file__
    NormalImputer(keep_empty_features=True).fit(frame)


def test_data_of_more_rows_than_a_leaf_are_cut_first_and_give_the_same_fit(monkeypatch):
    prepared = []

    def spy(model, data, **settings):
        prepared.append(isinstance(data, IncompleteRows))
        return emkit.fit(model, data, **settings)

    monkeypatch.setattr(estimator, "fit", spy)
    whole = NormalImputer(tol=1e-10).fit(AIRQUALITY)
    monkeypatch.setattr(MultivariateNormal, "leaf_rows", 40)
    cut = NormalImputer(tol=1e-10).fit(AIRQUALITY, sample_weight=np.ones(153))
    np.testing.assert_allclose(cut.covariance_, whole.covariance_, rtol=1e-6)
    assert prepared == [True, False]


def test_a_fall_of_the_objective_keeps_the_best_point_and_warns(monkeypatch):
    best = emkit.fit(MultivariateNormal(), AIRQUALITY)

    def falling(*_, **__):
        msg = "It fell."
        raise errors.LikelihoodDecreasedError(msg, attrs.evolve(best, status=emkit.Status.DECREASED))

    monkeypatch.setattr(estimator, "fit", falling)
    with pytest.warns(errors.LikelihoodDecreasedWarning, match="NormalImputer"):
        imputer = NormalImputer().fit(AIRQUALITY)
    np.testing.assert_array_equal(imputer.mean_, best.params.mean)
    assert not imputer.converged_


def test_several_starts_find_the_maximum_beside_the_saddle():
    """Murray (1977): from no correlation EM stops at a saddle of -30.033; the two maxima are higher."""
    one = NormalImputer(random_state=0, n_init=5).fit(MURRAY)
    assert one.result_.log_likelihood == pytest.approx(-29.9742864105, abs=1e-6)
    assert abs(one.covariance_[0, 1]) == pytest.approx(4 / 3, rel=1e-3)
    assert len(one.result_.starts) == 5


@pytest.mark.parametrize("structure", ["full", "diag", "spherical", "exchangeable", BlockDiagonal((0, 0, 1, 1, 2, 2))])
def test_covariance_structures_are_those_of_the_model(structure):
    imputer = NormalImputer(covariance_type=structure).fit(AIRQUALITY)
    expected = emkit.fit(MultivariateNormal(structure), AIRQUALITY).params
    np.testing.assert_allclose(imputer.covariance_, expected.covariance, rtol=1e-9)


@pytest.mark.filterwarnings("ignore:.*without any observed values")
def test_structures_given_for_all_columns_lose_those_that_are_empty():
    x = np.insert(AIRQUALITY, 1, np.nan, axis=1)
    blocks = NormalImputer(covariance_type=BlockDiagonal(["a", "z", "a", "b", "b", "c", "c"])).fit(x)
    without = NormalImputer(covariance_type=BlockDiagonal(["a", "a", "b", "b", "c", "c"])).fit(AIRQUALITY)
    np.testing.assert_array_equal(np.delete(np.delete(blocks.covariance_, 1, 0), 1, 1), without.covariance_)
    known = NormalImputer(covariance_type=Known(np.diag(np.arange(1.0, 8)))).fit(x)
    np.testing.assert_array_equal(np.diag(known.covariance_), [1, np.nan, 3, 4, 5, 6, 7])


def test_a_fit_cut_short_warns_at_the_line_of_the_user():
    with pytest.warns(errors.ConvergenceWarning, match="NormalImputer: .*max_iter") as caught:
        imputer = NormalImputer(max_iter=2).fit(NHANES)
    assert caught[0].filename == __file__
    assert not imputer.converged_


def test_a_fit_that_fails_leaves_the_last_one():
    imputer = NormalImputer().fit(FRAME)
    before = imputer.transform(FRAME)
    with pytest.raises(ValueError, match="no seen cell"):
        imputer.fit(np.full((4, 2), np.nan))
    np.testing.assert_array_equal(imputer.transform(FRAME), before)
    assert list(imputer.feature_names_in_) == NAMES


def test_the_model_names_its_face():
    assert MultivariateNormal.face is NormalImputer


def test_verbose_shows_progress(capsys):
    NormalImputer(verbose=1).fit(AIRQUALITY)
    assert "objective" in capsys.readouterr().err


def test_the_answer_is_likelier_than_that_of_chained_regressions():
    """The fixed point of IterativeImputer is no maximum: a fit to its completed table is less likely to be seen."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = IterativeImputer(max_iter=100).fit_transform(AIRQUALITY)
    ours = NormalImputer().fit(AIRQUALITY)
    assert np.abs(ours.transform(AIRQUALITY) - theirs).max() > 20
    assert NormalImputer().fit(theirs).score(AIRQUALITY) < ours.score(AIRQUALITY)

"""What a fitted NormalImputer does with rows, old and new."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from emkit_mvn import Ridge
from emkit_mvn.estimator import NormalImputer
from mvn_tables import (
    AIRQUALITY,
    AIRQUALITY_FRAME,
    AIRQUALITY_GAPS,
    AIRQUALITY_NAMES,
    CHOLESTEROL,
    EMPLOYEE,
    FITNESS,
    MDATA,
    NHANES,
)
from scipy import stats

TABLES = {
    "airquality": AIRQUALITY,
    "cholesterol": CHOLESTEROL,
    "employee": EMPLOYEE,
    "fitness": FITNESS,
    "mdata": MDATA,
    "nhanes": NHANES,
}


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
    assert not AIRQUALITY_GAPS[:, 3].any()
    (expected,), _ = _conditional(imputer, row)
    assert imputer.transform([row])[0, 3] == pytest.approx(expected, rel=1e-10)


def test_a_row_without_a_seen_cell_gets_the_mean_and_does_not_count():
    imputer = NormalImputer().fit(np.vstack([AIRQUALITY, np.full((5, 6), np.nan)]))
    np.testing.assert_allclose(imputer.mean_, NormalImputer().fit(AIRQUALITY).mean_, rtol=1e-12)
    np.testing.assert_array_equal(imputer.transform(np.full((1, 6), np.nan))[0], imputer.mean_)


def _containers():
    whole = ["month", "day", "temp"]
    nullable = AIRQUALITY_FRAME.convert_dtypes()
    assert str(nullable["ozone"].dtype) == "Int64"
    assert nullable["ozone"].isna().any()
    lists = [[None if np.isnan(value) else value for value in row] for row in AIRQUALITY]
    return {
        "integers": AIRQUALITY_FRAME.astype(dict.fromkeys(whole, "int16")),
        "nullable": nullable,
        "objects": pd.DataFrame(AIRQUALITY_FRAME.astype(object).where(AIRQUALITY_FRAME.notna(), pd.NA)),
        "polars": pl.DataFrame(lists, schema=AIRQUALITY_NAMES, orient="row"),
        "lists": lists,
        "masked": np.ma.masked_array(np.where(AIRQUALITY_GAPS, 1e6, AIRQUALITY), mask=AIRQUALITY_GAPS),
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
    out = imputer.fit_transform(AIRQUALITY_FRAME)
    assert list(out.columns) == [*AIRQUALITY_NAMES, "missingindicator_ozone", "missingindicator_solar"]
    assert out.index.equals(AIRQUALITY_FRAME.index)
    np.testing.assert_array_equal(out["missingindicator_ozone"], AIRQUALITY_FRAME["ozone"].isna())
    (draw,) = imputer.sample(AIRQUALITY_FRAME)
    assert list(draw.columns) == list(out.columns)
    assert draw.index.equals(AIRQUALITY_FRAME.index)
    polars = imputer.set_output(transform="polars").transform(pl.DataFrame(AIRQUALITY, schema=AIRQUALITY_NAMES))
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
        seen = ~AIRQUALITY_GAPS[n]
        law = stats.multivariate_normal(imputer.mean_[seen], imputer.covariance_[np.ix_(seen, seen)])
        assert density[n] == pytest.approx(law.logpdf(AIRQUALITY[n, seen]), rel=1e-10)
    assert imputer.score(AIRQUALITY) == pytest.approx(imputer.result_.log_likelihood / 153, rel=1e-12)
    weights = np.arange(153.0) % 3
    assert imputer.score(AIRQUALITY, sample_weight=weights) == pytest.approx(density @ weights / weights.sum())
    assert imputer.score(AIRQUALITY, sample_weight=weights * 1e305) == pytest.approx(density @ weights / weights.sum())


def test_a_row_of_weight_zero_does_not_count_in_the_score_however_unlikely_it_is():
    imputer = NormalImputer().fit(AIRQUALITY)
    rows = np.vstack([AIRQUALITY[:1], np.full(6, 1e300)])
    assert imputer.score(rows) == -np.inf
    assert imputer.score(rows, sample_weight=[2, 0]) == imputer.score(rows[:1])

"""Little's test against converged references, brute force, and its own promise: the rate of errors."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from emkit_mvn import MultivariateNormal
from emkit_mvn.inference.little import mcar_test
from mvn_tables import AIRQUALITY, APPLE, CHOLESTEROL, EMPLOYEE, MISSVALS, NHANES, SLEEP
from scipy import stats

import emkit
from emkit.errors import ConvergenceWarning, DegenerateWarning, EmkitWarning

#: Statistic, degrees of freedom, p-value, and the statistic with the divisor n - 1, by EM run to a standstill.
#: R packages that stop EM at a relative change of 1e-4 print 35.10613 (naniar), 7.357838 (BaylorEdPsych).
CONVERGED = [
    ("airquality", AIRQUALITY, 35.1061749072, 14, 0.00141775887, 34.8767227836),
    ("employee", EMPLOYEE, 14.6317211814, 5, 0.0120574797, 13.9001351223),
    ("apple", APPLE, 7.3578544590, 1, 0.0066770420, 6.9490847668),
    ("missvals", MISSVALS, 11.1606888748, 6, 0.0835353, 10.3021743460),
    ("cholesterol", CHOLESTEROL, 1.4418823551, 2, 0.4862944, 1.3903865567),
    ("nhanes", NHANES, 7.9995059367, 9, 0.5341960, 7.6795256992),
]


@pytest.mark.parametrize(
    ("x", "statistic", "df", "p", "other"), [c[1:] for c in CONVERGED], ids=[c[0] for c in CONVERGED]
)
def test_published_tables_to_all_printed_digits(x, statistic, df, p, other):
    test = mcar_test(x)
    assert test.statistic == pytest.approx(statistic, rel=1e-9)
    assert test.df == df
    assert test.p_value == pytest.approx(p, rel=1e-6)
    assert mcar_test(x, ddof=1).statistic == pytest.approx(other, rel=1e-9)


def test_enders_prints_the_employee_example():
    """Enders 2010, Applied Missing Data Analysis, section 1.10: 14.63 on 5 degrees of freedom, p = .01."""
    test = mcar_test(EMPLOYEE)
    assert (round(test.statistic, 2), test.df, round(test.p_value, 2)) == (14.63, 5, 0.01)


def brute_force(x, weights):
    params = emkit.fit(MultivariateNormal(), (x, weights), tol=0).params
    total, df = 0.0, -x.shape[1]
    for pattern in np.unique(np.isnan(x), axis=0):
        o = np.flatnonzero(~pattern)
        rows = (np.isnan(x) == pattern).all(axis=1)
        shift = np.average(x[rows][:, o], axis=0, weights=weights[rows]) - params.mean[o]
        total += weights[rows].sum() * shift @ np.linalg.solve(params.covariance[np.ix_(o, o)], shift)
        df += len(o)
    return total, df


def test_the_statistic_is_that_of_a_loop_over_patterns(rng):
    x = rng.standard_normal((60, 4)) @ rng.standard_normal((4, 4)) + 100
    x[rng.random(x.shape) < 0.3] = np.nan
    x = x[~np.isnan(x).all(axis=1)]
    weights = rng.uniform(0.5, 3, len(x))
    statistic, df = brute_force(x, weights)
    test = mcar_test(x, sample_weight=weights)
    assert test.statistic == pytest.approx(statistic, rel=1e-8)
    assert test.df == df


def test_a_whole_weight_is_so_many_rows():
    weights = np.arange(len(NHANES)) % 3
    test, repeated = mcar_test(NHANES, sample_weight=weights), mcar_test(np.repeat(NHANES, weights, axis=0))
    assert test.statistic == pytest.approx(repeated.statistic, rel=1e-9)
    assert (test.df, test.n_patterns) == (repeated.df, repeated.n_patterns)
    a, b = (mcar_test(NHANES, sample_weight=w, ddof=1).statistic for w in (1, 2))
    assert b == pytest.approx(2 * a * (49 / 50) / (24 / 25), rel=1e-9)


def test_rows_without_a_seen_cell_are_a_pattern_and_nothing_else():
    with_empty = np.vstack([AIRQUALITY, np.full((2, 6), np.nan)])
    for ddof in (0, 1):
        test, without = mcar_test(with_empty, ddof=ddof), mcar_test(AIRQUALITY, ddof=ddof)
        assert (test.n_patterns, without.n_patterns) == (5, 4)
        assert (test.statistic, test.df) == (pytest.approx(without.statistic, rel=1e-12), without.df)


def test_columns_without_a_seen_cell_are_left_out():
    wider = np.insert(AIRQUALITY, 2, np.nan, axis=1)
    assert mcar_test(wider).statistic == pytest.approx(mcar_test(AIRQUALITY).statistic, rel=1e-12)
    assert (mcar_test(wider).df, mcar_test(wider).n_patterns) == (14, 4)


def test_a_column_seen_only_in_rows_of_weight_zero_is_left_out():
    x = np.column_stack([APPLE, np.full(len(APPLE), np.nan)])
    x[0, 2] = 1.0
    weights = np.ones(len(x))
    weights[0] = 0
    assert mcar_test(x, sample_weight=weights).df == mcar_test(APPLE[1:]).df


def test_one_pattern_alone_cannot_be_tested():
    complete = AIRQUALITY[~np.isnan(AIRQUALITY).any(axis=1)]
    with pytest.warns(EmkitWarning, match="nothing to test, since no column"):
        test = mcar_test(complete)
    assert (test.statistic, test.df, test.n_patterns) == (0, 0, 1)
    assert np.isnan(test.p_value)


def test_columns_that_no_row_sees_together_leave_nothing_to_compare():
    x = np.array([[1.0, np.nan], [2.0, np.nan], [np.nan, 5.0], [np.nan, 7.0]])
    with pytest.warns(EmkitWarning, match="nothing to test, since no column"):
        test = mcar_test(x)
    assert (test.statistic, test.df, test.n_patterns) == (0, 0, 2)
    assert np.isnan(test.p_value)


def test_units_and_locations_do_not_matter():
    moved = EMPLOYEE * [1e-100, 1e6, 1e100] + [0, 1e8, 0]
    assert mcar_test(moved).statistic == pytest.approx(mcar_test(EMPLOYEE).statistic, rel=1e-6)


def test_collinear_columns_are_warned_of_and_add_nothing_to_the_statistic():
    wider = np.column_stack([AIRQUALITY, AIRQUALITY[:, 0] + AIRQUALITY[:, 1]])
    with pytest.warns(DegenerateWarning, match="collinear"):
        test = mcar_test(wider)
    assert test.statistic == pytest.approx(mcar_test(AIRQUALITY).statistic, rel=1e-6)
    with pytest.warns(DegenerateWarning, match="collinear"):
        assert np.isfinite(mcar_test(SLEEP).statistic)


def test_frames_of_pandas_and_polars_give_the_same_as_arrays():
    names = [f"c{j}" for j in range(NHANES.shape[1])]
    expected = mcar_test(NHANES)
    assert mcar_test(pd.DataFrame(NHANES, columns=names)) == expected
    assert mcar_test(pl.DataFrame(NHANES, schema=names)) == expected


def test_a_loose_stop_is_visible_and_a_stop_too_early_is_warned_of(monkeypatch):
    loose = mcar_test(EMPLOYEE, tol=1e-2)
    assert 1e-9 < abs(loose.statistic / 14.6317211814 - 1) < 0.1
    short = emkit.fit(MultivariateNormal(), (EMPLOYEE, np.ones(20)), max_iter=3)
    monkeypatch.setattr("emkit_mvn.fitting.fit", lambda *a, **k: short)
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        mcar_test(EMPLOYEE)


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="ddof must be 0"):
        mcar_test(APPLE, ddof=2)
    with pytest.raises(ValueError, match="no seen cell"):
        mcar_test(np.full((3, 2), np.nan))
    with pytest.raises(ValueError, match="sample_weight has shape"):
        mcar_test(APPLE, sample_weight=[1, 2])


def test_under_the_hypothesis_p_values_are_uniform_and_against_it_small(rng):
    mix = np.array([[1.0, 0, 0], [0.6, 0.8, 0], [0.4, 0.2, 0.9]])
    p_values = []
    for _ in range(150):
        x = rng.standard_normal((400, 3)) @ mix.T
        x[rng.random(x.shape) < 0.2] = np.nan
        p_values.append(mcar_test(x, tol=1e-8).p_value)
    assert stats.kstest(p_values, "uniform").pvalue > 0.01
    x = rng.standard_normal((300, 3)) @ mix.T
    # Gaps where another column is large: at random, but not completely.
    x[x[:, 0] > 0.5, 1] = np.nan
    assert mcar_test(x).p_value < 1e-6


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.mark.parametrize("names", [None, ["empty", "a", "b"], [7, 8, 9]])
def test_errors_name_columns_as_the_user_knows_them_whatever_was_left_out(names):
    x = np.column_stack([np.full(18, np.nan), APPLE * [1, 1e300]])
    expected = {None: "Column 2 has", 7: "Column 9 has", "empty": "Column 'b' has"}[names and names[0]]
    with pytest.raises(ValueError, match=expected):
        mcar_test(x if names is None else pd.DataFrame(x, columns=names))


@pytest.mark.parametrize("ddof", [1, np.int64(1), 1.0])
def test_the_result_is_of_plain_numbers(ddof):
    test = mcar_test(APPLE, ddof=ddof)
    assert [type(value) for value in (test.statistic, test.df, test.p_value, test.n_patterns)] == [
        float,
        int,
        float,
        int,
    ]

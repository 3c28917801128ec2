"""Rubin's rules against published numbers, their limits, and their own promise: the rate of errors."""

import numpy as np
import pytest
from emkit_mvn.multiple.pooling import pool, pool_results
from pooled_analyses import analyses
from scipy import stats


def test_the_scalar_example_of_the_mice_manual():
    """``pool.scalar(Q = c(-1.5457, -1.428), U = c(.9723^2, 1.041^2), n = 25, k = 2)`` of R package mice 3.17."""
    pooled = pool([-1.5457, -1.428], [0.9723**2, 1.041**2], df_complete=25 - 2)
    assert pooled.n_imputations == 2
    assert pooled.estimate == pytest.approx(-1.48685, abs=1e-14)
    assert pooled.within == pytest.approx(1.014524145, abs=1e-14)
    assert pooled.between == pytest.approx(0.006926645, abs=1e-14)
    assert pooled.total == pytest.approx(1.0249141125, abs=1e-13)
    assert pooled.df == pytest.approx(20.970254838079192, rel=1e-13)  # in rational arithmetic; R prints 20.97025
    assert pooled.relative_increase == pytest.approx(0.0102412225, abs=5e-11)
    assert pooled.fraction_missing_information == pytest.approx(0.0927283145, abs=5e-11)


def test_the_same_example_in_a_large_sample_has_the_df_of_rubin_1987():
    assert pool([-1.5457, -1.428], [0.9723**2, 1.041**2]).df == pytest.approx(9730.7557, abs=5e-5)


def test_the_combination_example_of_the_package_mgmm():
    """Points 1, 2, 3 with variances 2, 4, 6 (tests of R package MGMM)."""
    pooled = pool([1, 2, 3], [2, 4, 6])
    assert pooled.estimate == pytest.approx(2, abs=1e-15)
    assert pooled.total == pytest.approx(16 / 3, abs=1e-14)


@pytest.mark.parametrize("df_complete", [1.0, 23.0, 100.0])
def test_without_variance_between_imputations_the_df_are_their_limit(df_complete):
    """Barnard & Rubin 1999; the same limit as in the tests of mice."""
    limit = df_complete * (df_complete + 1) / (df_complete + 3)
    assert pool([0.1] * 3, [1, 2, 3], df_complete=df_complete).df == pytest.approx(limit, rel=1e-14)
    assert pool([0.1, 0.1, 0.1 + 1e-9], [1, 2, 3], df_complete=df_complete).df == pytest.approx(limit, rel=1e-14)


def test_without_variance_between_imputations_a_large_sample_gives_a_normal_interval():
    pooled = pool([0.1, 0.1, 0.1], [4.0, 4.0, 4.0])
    assert pooled.estimate == 0.1
    assert (pooled.between, pooled.relative_increase, pooled.fraction_missing_information) == (0, 0, 0)
    assert pooled.df == np.inf
    np.testing.assert_allclose(pooled.intervals(0.9), 0.1 + 2 * stats.norm.ppf([0.05, 0.95]), rtol=1e-14)
    assert pooled.p_values(4.1) == pytest.approx(2 * stats.norm.sf(2), rel=1e-13)


def test_estimates_without_variance_within_have_all_information_missing():
    pooled = pool([1.0, 2.0, 3.0], [0, 0, 0])
    assert pooled.relative_increase == np.inf
    assert pooled.fraction_missing_information == 1
    assert pooled.df == 2  # those of the variance of three numbers
    expected = 2 + np.sqrt(4 / 3) * stats.t.ppf([0.025, 0.975], 2)
    np.testing.assert_allclose(pooled.intervals(), expected, rtol=1e-12)


def test_no_degrees_of_freedom_left_means_that_nothing_is_known():
    pooled = pool([1.0, 2.0, 3.0], [0, 0, 0], df_complete=10)
    assert pooled.df == 0
    assert pooled.intervals() == (-np.inf, np.inf)
    assert pooled.p_values() == 1


@pytest.mark.parametrize("df_complete", [10, np.inf])
def test_an_estimate_without_any_variance_is_certain(df_complete):
    pooled = pool([3.0, 3.0], [0.0, 0.0], df_complete=df_complete)
    assert pooled.intervals() == (3.0, 3.0)
    assert (pooled.p_values(3.0), pooled.p_values(2.0)) == (1.0, 0.0)


def test_intervals_and_p_values_are_those_of_t():
    pooled = pool([1.0, 1.4, 0.7], [0.5, 0.6, 0.4], df_complete=40)
    expected = stats.t(pooled.df, pooled.estimate, pooled.standard_error)
    np.testing.assert_allclose(pooled.intervals(0.8), expected.interval(0.8), rtol=1e-12)
    assert pooled.p_values(null=2.0) == pytest.approx(2 * expected.sf(2 * pooled.estimate - (2 * pooled.estimate - 2)))
    # The p-value at an end of the interval is one minus its level.
    np.testing.assert_allclose([pooled.p_values(end) for end in pooled.intervals(0.8)], 0.2, rtol=1e-10)


@pytest.mark.parametrize("shape", [(3,), (2, 4), (1,)])
def test_entries_of_an_array_are_pooled_one_by_one(shape):
    rng = np.random.default_rng(3)
    estimates, variances = rng.normal(size=(5, *shape)), rng.uniform(1, 2, size=(5, *shape))
    pooled = pool(estimates, variances, df_complete=50)
    for index in np.ndindex(*shape):
        one = pool(estimates[(slice(None), *index)], variances[(slice(None), *index)], df_complete=50)
        for name in ("estimate", "total", "standard_error", "df", "relative_increase", "fraction_missing_information"):
            assert getattr(pooled, name).shape == shape
            assert getattr(pooled, name)[index] == pytest.approx(getattr(one, name), rel=1e-14)
        assert pooled.p_values(0.3)[index] == pytest.approx(one.p_values(0.3), rel=1e-12)


def test_the_diagonals_of_matrices_are_pooled_as_variances():
    estimates, matrices = analyses()
    pooled = pool(estimates, matrices, df_complete=30)
    alone = pool(estimates, np.diagonal(matrices, axis1=1, axis2=2), df_complete=30)
    np.testing.assert_allclose(pooled.between, np.cov(estimates.T), rtol=1e-12)
    np.testing.assert_allclose(pooled.total, matrices.mean(0) + (1 + 1 / 6) * np.cov(estimates.T), rtol=1e-12)
    for name in ("estimate", "standard_error", "df", "relative_increase", "fraction_missing_information"):
        np.testing.assert_allclose(getattr(pooled, name), getattr(alone, name), rtol=1e-12)


def test_numbers_come_out_as_floats_and_arrays_read_only():
    pooled = pool([1, 2], [3, 4])
    assert all(type(value) is float for value in (pooled.estimate, pooled.df, pooled.p_values(), *pooled.intervals()))
    with pytest.raises(ValueError, match="read-only"):
        pool([[1.0], [2.0]], [[3.0], [4.0]]).estimate[0] = 0


def test_pairs_are_pooled_like_two_lists():
    estimates, matrices = analyses()
    pooled = pool_results(zip(estimates, matrices, strict=True), df_complete=9)
    np.testing.assert_array_equal(pooled.df, pool(estimates, matrices, df_complete=9).df)


def test_the_units_do_not_matter():
    estimates, matrices = analyses()
    units = np.array([1e-6, 1.0, 1e8])
    pooled, scaled = pool(estimates, matrices), pool(estimates * units, matrices * np.outer(units, units))
    np.testing.assert_allclose(scaled.df, pooled.df, rtol=1e-10)
    assert scaled.wald_test().p_value == pytest.approx(pooled.wald_test().p_value, rel=1e-10)


def test_intervals_cover_the_truth_as_often_as_they_say():
    """20 000 analyses of 3 imputations at 50 % missing information, where the normal interval falls short."""
    rng = np.random.default_rng(11)
    n, m = 20_000, 3
    estimates = rng.normal(size=n) * np.sqrt(2) + rng.normal(size=(m, n))
    pooled = pool(estimates, np.ones((m, n)))
    low, high = pooled.intervals(0.95)
    # The t approximation is itself about one per cent off here (Rubin 1987, table 4.1).
    assert np.mean((low < 0) & (high > 0)) == pytest.approx(0.95, abs=0.015)
    assert np.mean(np.abs(pooled.estimate) < 1.96 * pooled.standard_error) < 0.92


@pytest.mark.parametrize(
    ("estimates", "variances", "message"),
    [
        ([1.0], [1.0], "at least two imputed data sets.*found 1"),
        (1.0, 1.0, "at least two imputed data sets.*found one number"),
        ([], [], "at least two imputed data sets.*found 0"),
        ([1.0, 2.0], [1.0, 2.0, 3.0], r"shape \(2,\).*\(3,\)"),
        ([[1.0, 2.0]] * 3, np.ones((3, 2, 3)), r"\(3, 2\) or, as covariance matrices, \(3, 2, 2\)"),
        ([1.0, np.nan], [1.0, 1.0], r"estimates\[1\] is nan"),
        ([1.0, 2.0], [1.0, np.inf], r"variances\[1\] is inf"),
        ([1e300, -1e300], [1.0, 1.0], "total variance leaves the range of floats"),
        ([1e308, -1e308], [1.0, 1.0], "total variance leaves the range of floats"),
        ([1e-200, 2e-200], [0.0, 0.0], "total variance leaves the range of floats"),
        ([[1.0, 1e200], [2.0, -1e200]], np.ones((2, 2)), "total variance of entry 1 leaves the range"),
        ([[1.0, 1e200], [2.0, -1e200]], [np.eye(2)] * 2, "total variance of entry 1 leaves the range"),
        ([1.0, 2.0], [1.0, -0.5], r"must not be negative.*estimates\[1\] is -0.5"),
        ([[1.0, 2.0]] * 2, [np.eye(2), np.diag([1.0, -3.0])], r"must not be negative.*estimates\[1, 1\] is -3"),
        ([[1.0, 2.0]] * 2, [np.eye(2), [[1.0, 0.5], [0.1, 1.0]]], r"symmetric; entry \[0, 1\] of matrix 1"),
    ],
)
def test_bad_input_is_named(estimates, variances, message):
    with pytest.raises(ValueError, match=message):
        pool(estimates, variances)


@pytest.mark.parametrize("df_complete", [0, -1, np.nan, None, True, "inf"])
def test_impossible_degrees_of_freedom_are_refused(df_complete):
    with pytest.raises(ValueError, match="df_complete must be a positive number"):
        pool([1, 2], [1, 2], df_complete=df_complete)


def test_misused_methods_say_what_they_need():
    pooled = pool([[1.0, 2.0], [2.0, 2.0]], [[1.0, 1.0], [1.0, 1.0]])
    with pytest.raises(ValueError, match="needs covariance matrices"):
        pooled.wald_test()
    with pytest.raises(ValueError, match="level must be a number between 0 and 1"):
        pooled.intervals(95)
    with pytest.raises(ValueError, match=r"null must be one number or have the shape of the estimate, \(2,\)"):
        pooled.p_values([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="positive definite; its smallest eigenvalue is"):
        pool([[1.0, 2.0], [2.0, 2.0]], np.ones((2, 2, 2))).wald_test()
    with pytest.raises(ValueError, match="result 1 is 3"):
        pool_results([(1, 2), 3])


def test_matrices_with_entries_near_the_end_of_floats_are_pooled():
    pooled = pool([[1e100, 2.0], [3e100, 2.0]], [np.diag([1e200, 1e-200])] * 2)
    assert pooled.standard_error == pytest.approx([np.sqrt(1e200 + 1.5 * 2e200), 1e-100])


def test_the_table_has_a_line_for_every_estimate():
    pooled = pool([[1.0, 10.0], [1.2, 9.0], [0.8, 11.0]], [[0.04, 4.0]] * 3, df_complete=20)
    lines = str(pooled.summary(["slope", "a long name"])).splitlines()
    assert len(lines) == 4
    assert lines[0].split() == ["estimate", "std.", "error", "t", "df", "p", "lower", "upper", "missing"]
    fields = lines[2].removeprefix("a long name").split()
    assert fields[0] == "10"
    assert float(fields[1]) == pytest.approx(pooled.standard_error[1], rel=5e-3)
    assert float(fields[4]) == pytest.approx(pooled.p_values()[1], abs=5e-5)
    assert str(pooled).splitlines()[1].startswith("0 ")
    with pytest.raises(ValueError, match="one name for each of the 2 estimates; found 1"):
        pooled.summary(["slope"])

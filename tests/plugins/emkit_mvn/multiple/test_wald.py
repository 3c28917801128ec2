"""The joint test of several estimates against its formulas, its limits, and its own promise: the rate of errors."""

import numpy as np
import pytest
from emkit_mvn.multiple.pooling import pool
from pooled_analyses import analyses
from scipy import stats


def test_the_joint_test_of_one_entry_is_its_t_test_for_few_imputations():
    """Up to five imputations D1 uses the df of Rubin 1987 for one entry, so that F = t**2."""
    for df_complete in (np.inf, 12):
        pooled = pool([[1.0], [1.4], [0.7]], [[[0.5]], [[0.6]], [[0.4]]], df_complete=df_complete)
        wald = pooled.wald_test(0.2)
        assert wald.statistic == pytest.approx((pooled.estimate[0] - 0.2) ** 2 / pooled.total[0, 0], rel=1e-13)
        assert wald.df_denominator == pytest.approx(pooled.df[0], rel=1e-12)
        assert wald.p_value == pytest.approx(pooled.p_values(0.2)[0], rel=1e-11)


def test_the_joint_test_follows_its_published_formulas():
    """Li, Raghunathan & Rubin 1991, written out for diagonal matrices."""
    estimates = np.array([[1.0, 0.0], [3.0, 1.0], [2.0, 0.5], [2.0, 0.5]])
    matrices = np.tile(np.diag([2.0, 0.5]), (4, 1, 1))
    increase = 1.25 * (np.var([1, 3, 2, 2], ddof=1) / 2 + np.var([0, 1, 0.5, 0.5], ddof=1) / 0.5) / 2
    wald = pool(estimates, matrices).wald_test([1.0, 0.0])
    assert wald.relative_increase == pytest.approx(increase, rel=1e-14)
    assert wald.statistic == pytest.approx((1 / 2 + 0.5**2 / 0.5) / (2 * (1 + increase)), rel=1e-14)
    df = 4 + (6 - 4) * (1 + (1 - 2 / 6) / increase) ** 2
    assert wald.df_denominator == pytest.approx(df, rel=1e-14)
    assert wald.p_value == pytest.approx(stats.f.sf(wald.statistic, 2, df), rel=1e-12)
    # Few imputations of few entries have a rule of their own.
    few = pool(estimates[:3], matrices[:3]).wald_test()
    assert few.df_denominator == pytest.approx(4 * (1 + 1 / 2) * (1 + 1 / few.relative_increase) ** 2 / 2, rel=1e-14)


def test_reiters_df_have_the_limits_of_his_paper():
    """A large sample gives the df of Li et al.; without missing entries those of Barnard and Rubin remain."""
    estimates, matrices = analyses()
    large, huge = pool(estimates, matrices), pool(estimates, matrices, df_complete=1e9)
    assert huge.wald_test().df_denominator == pytest.approx(large.wald_test().df_denominator, rel=1e-6)
    limit = 40 * 41 / 43
    nearly = pool(estimates * 1e-6, matrices, df_complete=40).wald_test()
    assert nearly.df_denominator == pytest.approx(limit, rel=1e-9)
    same = pool(estimates * 0 + 1, matrices, df_complete=40).wald_test()
    assert same.df_denominator == pytest.approx(limit, rel=1e-14)
    assert same.relative_increase == 0


def test_reiters_df_are_those_of_an_independent_evaluation():
    """Equations 1 and 2 of Reiter 2007 with average increase 0.5, t = 10 and 30 complete-data df, by hand.

    a = 0.5 * 10 / 8 = 0.625, v* = 31 / 33 * 30 = 28.1818, c1 = v* - 3.25 = 24.9318, c2 = v* - 6.5 = 21.6818;
    z = 1 / c2 + (a^2 c1 / ((1 + a)^2 c2) + 8 a^2 c1 / ((1 + a) c2^2) + 4 a^2 / ((1 + a) c2) + 4 a^2 / (c1 c2)
    + 16 a^2 c1 / c2^3 + 8 a^2 / c2^2) / 6 = 0.0461216 + (0.1701030 + 0.1019904 + 0.0443477 + 0.0028905 + 0.0152879
    + 0.0066475) / 6 = 0.1029995, so 4 + 1 / z = 13.7088.
    """
    # Six estimates of two entries with variances 0.5 / (7 / 6) between, relative to within.
    signs = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1], [1, 1], [-1, -1]]) * np.sqrt(5 / 6 * 0.5 * 6 / 7)
    wald = pool(signs, np.tile(np.eye(2), (6, 1, 1)), df_complete=30).wald_test()
    assert wald.relative_increase == pytest.approx(0.5, rel=1e-12)
    assert wald.df_denominator == pytest.approx(13.7088, abs=1e-4)


def test_joint_tests_reject_a_true_hypothesis_as_often_as_they_say():
    """4000 analyses of 5 imputations, 3 entries, 30 % of the information missing; four standard errors of 5 %."""
    rng = np.random.default_rng(7)
    _, matrices = analyses()
    root = np.linalg.cholesky(matrices[0])
    n, m, odds = 4000, 5, 0.3 / 0.7
    centre = rng.normal(size=(n, 1, 3)) * np.sqrt(1 + odds)
    estimates = (centre + rng.normal(size=(n, m, 3)) * np.sqrt(odds)) @ root.T
    matrix = np.tile(matrices[0], (m, 1, 1))
    tests = [pool(one, matrix).wald_test() for one in estimates]
    assert np.mean([one.p_value < 0.05 for one in tests]) == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / n))
    # The increase in variance is not ignored: the same test without it rejects three times as often.
    naive = [stats.chi2.sf(3 * one.statistic * (1 + one.relative_increase), 3) < 0.05 for one in tests]
    assert np.mean(naive) > 0.12

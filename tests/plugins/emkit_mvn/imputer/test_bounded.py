"""Gaps with bounds: the conditional distribution restricted to them, never a clipped expectation."""

import numpy as np
import pytest
from emkit_mvn.estimator import NormalImputer
from emkit_mvn.imputer import bounded
from emkit_mvn.kernels.truncated import truncated_mean
from mvn_tables import AIRQUALITY
from scipy import stats

OZONE, SOLAR = 0, 1
BOTH_MISSING = 4  # the fifth of May


def _conditional(imputer, row):
    """Return mean and covariance of the gaps of a row, by the textbook formula."""
    gap = np.isnan(row)
    mean, covariance = imputer.mean_, imputer.covariance_
    gain = covariance[np.ix_(gap, ~gap)] @ np.linalg.inv(covariance[np.ix_(~gap, ~gap)])
    return (
        mean[gap] + gain @ (row - mean)[~gap],
        covariance[np.ix_(gap, gap)] - gain @ covariance[np.ix_(~gap, gap)],
    )


def _mean_above(lower, mean, covariance):
    """Return the mean of a bivariate normal above two bounds (Rosenbaum 1961, JRSS B 23:405, equation 1)."""
    unit = np.sqrt(np.diag(covariance))
    h, k = (lower - mean) / unit
    rho = covariance[0, 1] / unit.prod()
    root = np.sqrt(1 - rho**2)
    mass = stats.multivariate_normal.cdf([-h, -k], None, [[1, rho], [rho, 1]], abseps=1e-12, releps=1e-12)
    at_h = stats.norm.pdf(h) * stats.norm.sf((k - rho * h) / root)
    at_k = stats.norm.pdf(k) * stats.norm.sf((h - rho * k) / root)
    return mean + unit * np.array([at_h + rho * at_k, rho * at_h + at_k]) / mass


def test_the_negative_ozone_of_the_fifth_of_may_becomes_the_expectation_above_zero():
    free = NormalImputer().fit(AIRQUALITY)
    assert free.transform(AIRQUALITY)[BOTH_MISSING, OZONE] == pytest.approx(-11.808389, abs=1e-4)
    above_zero = NormalImputer(min_value=0).fit(AIRQUALITY)
    expected = _mean_above(np.zeros(2), *_conditional(free, AIRQUALITY[BOTH_MISSING]))
    assert expected[0] > 10
    found = above_zero.transform(AIRQUALITY)[BOTH_MISSING, [OZONE, SOLAR]]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_bounds_do_not_change_the_fit():
    free, held = NormalImputer().fit(AIRQUALITY), NormalImputer(min_value=0, max_value=100).fit(AIRQUALITY)
    np.testing.assert_array_equal(free.covariance_, held.covariance_)


@pytest.mark.parametrize(("low", "high"), [(0, np.inf), (-np.inf, 30), (10, 40), (80, 81), (None, 5)], ids=str)
def test_one_gap_is_filled_with_the_mean_of_a_truncated_normal(low, high):
    imputer = NormalImputer(min_value=low, max_value=high).fit(AIRQUALITY)
    rows = np.flatnonzero(np.isnan(AIRQUALITY[:, OZONE]) & ~np.isnan(AIRQUALITY[:, SOLAR]))
    filled = imputer.transform(AIRQUALITY)
    low = -np.inf if low is None else low
    for row in rows:
        (mean,), ((variance,),) = _conditional(imputer, AIRQUALITY[row])
        unit = np.sqrt(variance)
        law = stats.truncnorm((low - mean) / unit, (high - mean) / unit, loc=mean, scale=unit)
        assert filled[row, OZONE] == pytest.approx(law.mean(), rel=1e-7)
        assert low < filled[row, OZONE] < high


def test_only_rows_with_a_bounded_gap_are_touched():
    bounds = np.full(6, -np.inf)
    bounds[SOLAR] = 0
    free = NormalImputer().fit_transform(AIRQUALITY)
    held = NormalImputer(min_value=bounds).fit_transform(AIRQUALITY)
    others = ~np.isnan(AIRQUALITY[:, SOLAR])
    np.testing.assert_array_equal(held[others], free[others])
    assert (held[~others, SOLAR] > free[~others, SOLAR]).all()


def test_rows_without_a_bounded_gap_cost_nothing_extra(monkeypatch):
    sizes = []

    def counting(mean, covariance, lower, upper):
        sizes.append(len(mean))
        return np.zeros_like(mean)

    monkeypatch.setattr(bounded, "truncated_mean", counting)
    NormalImputer(min_value=[-np.inf, 0] + [-np.inf] * 4).fit_transform(AIRQUALITY)
    assert sum(sizes) == np.isnan(AIRQUALITY[:, SOLAR]).sum() == 7
    NormalImputer(min_value=[-np.inf, -5000] + [-np.inf] * 4).fit_transform(AIRQUALITY)
    assert sum(sizes) == 7, "a bound that is sixty standard deviations away cannot matter"


def test_seen_cells_outside_the_bounds_stay_and_count():
    imputer = NormalImputer(min_value=150, max_value=200).fit(AIRQUALITY)
    filled, seen = imputer.transform(AIRQUALITY), ~np.isnan(AIRQUALITY)
    np.testing.assert_array_equal(filled[seen], AIRQUALITY[seen])
    assert ((filled[~seen] > 150) & (filled[~seen] < 200)).all()


def test_a_gap_without_bounds_follows_the_bounded_gap_beside_it_by_regression():
    imputer = NormalImputer(min_value=[0] + [-np.inf] * 5).fit(AIRQUALITY)
    mean, covariance = _conditional(imputer, AIRQUALITY[BOTH_MISSING])
    unit = np.sqrt(covariance[0, 0])
    ozone = stats.truncnorm(-mean[0] / unit, np.inf, loc=mean[0], scale=unit).mean()
    solar = mean[1] + covariance[0, 1] / covariance[0, 0] * (ozone - mean[0])
    assert abs(solar - mean[1]) > 1
    found = imputer.transform(AIRQUALITY)[BOTH_MISSING, [OZONE, SOLAR]]
    np.testing.assert_allclose(found, [ozone, solar], rtol=1e-9)


def test_every_row_of_a_table_with_many_patterns_is_conditioned_on_what_it_shows():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(150, 5)) @ rng.normal(size=(5, 5))
    x[rng.random(x.shape) < 0.4] = np.nan
    imputer = NormalImputer(max_value=[-1] + [np.inf] * 4).fit(x)
    filled = imputer.transform(x)
    for row in np.flatnonzero(np.isnan(x[:, 0])):
        mean, covariance = _conditional(imputer, x[row])
        unit = np.sqrt(covariance[0, 0])
        first = stats.truncnorm(-np.inf, (-1 - mean[0]) / unit, mean[0], unit).mean()
        expected = mean + covariance[0] / covariance[0, 0] * (first - mean[0])
        np.testing.assert_allclose(filled[row, np.isnan(x[row])], expected, rtol=1e-6)


def test_boxes_of_every_kind_in_one_row_are_integrated_over_as_they_are():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(60, 4)) @ rng.normal(size=(4, 4)) + 1
    x[rng.random(x.shape) < 0.5] = np.nan
    low, high = np.array([0, -np.inf, -1, -np.inf]), np.array([np.inf, 2, 2, np.inf])
    imputer = NormalImputer(min_value=low, max_value=high).fit(x)
    filled = imputer.transform(x)
    for row in np.flatnonzero(np.isnan(x).any(axis=1) & ~np.isnan(x).all(axis=1)):
        gap = np.isnan(x[row])
        mean, covariance = _conditional(imputer, x[row])
        (expected,) = truncated_mean(mean[None], covariance, low[gap], high[gap], n_points=2003)
        np.testing.assert_allclose(filled[row, gap], expected, atol=2e-4)


def test_every_row_of_a_table_with_many_patterns_gets_its_own_box():
    """Columns that are independent turn the box of every row into intervals, in closed form."""
    rng = np.random.default_rng(0)
    x = rng.normal([0, 10, -5, 3, 1], [1, 5, 2, 0.1, 3], (120, 5))
    x[rng.random(x.shape) < 0.5] = np.nan
    low, high = np.array([0.5, -np.inf, -6, 3.1, -np.inf]), np.array([np.inf, 8, -5, np.inf, np.inf])
    imputer = NormalImputer(min_value=low, max_value=high, covariance_type="diag").fit(x)
    unit = np.sqrt(np.diag(imputer.covariance_))
    law = stats.truncnorm((low - imputer.mean_) / unit, (high - imputer.mean_) / unit, imputer.mean_, unit)
    np.testing.assert_allclose(imputer.transform(x), np.where(np.isnan(x), law.mean(), x), rtol=1e-9)


def test_bounds_belong_to_the_columns_of_the_data_when_an_empty_one_is_dropped():
    with_empty = np.insert(AIRQUALITY, 0, np.nan, axis=1)
    bounds = [-np.inf, 0, 0, -np.inf, -np.inf, -np.inf, -np.inf]
    expected = NormalImputer(min_value=bounds[1:]).fit_transform(AIRQUALITY)
    with pytest.warns(UserWarning, match="without any observed values"):
        found = NormalImputer(min_value=bounds).fit_transform(with_empty)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("low", "high"), [(0, 120), (0, np.inf), (-np.inf, 120)])
def test_draws_lie_inside_and_follow_the_truncated_distribution(low, high):
    imputer = NormalImputer(min_value=low, max_value=high).fit(AIRQUALITY)
    gaps = np.isnan(AIRQUALITY)
    one_gap = 9
    assert gaps[one_gap].sum() == 1
    rows = np.vstack([np.tile(AIRQUALITY[one_gap], (2000, 1)), np.tile(AIRQUALITY[BOTH_MISSING], (2000, 1))])
    (drawn,) = imputer.sample(rows, random_state=0)
    seen = ~np.isnan(rows)
    np.testing.assert_array_equal(drawn[seen], rows[seen])
    assert (drawn[~seen] > low).all()
    assert (drawn[~seen] < high).all()
    (mean,), ((variance,),) = _conditional(imputer, AIRQUALITY[one_gap])
    unit = np.sqrt(variance)
    law = stats.truncnorm((low - mean) / unit, (high - mean) / unit, loc=mean, scale=unit)
    assert stats.kstest(drawn[:2000, OZONE], law.cdf).pvalue > 1e-3
    filled = imputer.transform(AIRQUALITY)[BOTH_MISSING, [OZONE, SOLAR]]
    both = drawn[2000:, [OZONE, SOLAR]]
    assert (np.abs(both.mean(axis=0) - filled) < 5 * both.std(axis=0) / np.sqrt(2000)).all()


def test_a_row_without_a_seen_cell_gets_the_mean_of_the_box():
    imputer = NormalImputer(min_value=[200] + [-np.inf] * 5).fit(AIRQUALITY)
    (filled,) = imputer.transform(np.full((1, 6), np.nan))
    unit = np.sqrt(imputer.covariance_[0, 0])
    ozone = stats.truncnorm((200 - imputer.mean_[0]) / unit, np.inf, imputer.mean_[0], unit).mean()
    rest = imputer.mean_ + imputer.covariance_[0] / unit**2 * (ozone - imputer.mean_[0])
    np.testing.assert_allclose(filled, rest, rtol=1e-9)


@pytest.mark.parametrize("factor", [1e-150, 1e-8, 1e8, 1e150])
def test_other_units_give_the_same_answer_in_them(factor):
    plain = NormalImputer(min_value=0, max_value=150).fit_transform(AIRQUALITY)
    scaled = NormalImputer(min_value=0, max_value=150 * factor).fit_transform(AIRQUALITY * factor)
    np.testing.assert_allclose(scaled / factor, plain, rtol=1e-9)


def test_data_far_from_zero_give_the_shifted_answer():
    plain = NormalImputer(min_value=0).fit_transform(AIRQUALITY)
    shifted = NormalImputer(min_value=1e8).fit_transform(AIRQUALITY + 1e8)
    np.testing.assert_allclose(shifted - 1e8, plain, atol=1e-5)


@pytest.mark.parametrize("high", [2e300, np.inf])
@pytest.mark.parametrize(("unit", "low"), [(1, 1e6), (1, 1e300), (1e-150, 1e300)])
def test_a_box_far_from_all_data_is_entered_by_a_hair(unit, low, high):
    settings = {"min_value": [low] + [-np.inf] * 5, "max_value": [high] + [np.inf] * 5}
    imputer = NormalImputer(**settings).fit(AIRQUALITY * unit)
    filled = imputer.transform(AIRQUALITY * unit)
    gaps = np.isnan(AIRQUALITY[:, OZONE])
    assert (filled[gaps, OZONE] >= low).all()
    np.testing.assert_allclose(filled[gaps, OZONE], low, rtol=1e-4)
    assert np.isfinite(filled).all()


def test_an_interval_that_rounding_closes_is_entered_all_the_same():
    low, high = 1e-17, 2e-17
    filled = NormalImputer(min_value=low, max_value=high).fit_transform(AIRQUALITY)
    gaps = np.isnan(AIRQUALITY)
    assert ((filled[gaps] >= low) & (filled[gaps] <= high)).all()

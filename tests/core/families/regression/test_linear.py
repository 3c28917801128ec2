"""The family of linear regressions."""

import numpy as np
import pytest
from scipy import stats

from emkit.errors import MissingCapabilityError
from emkit.families import Gaussian, LinearRegression
from emkit.space.assignment import boundary_notes, n_free, rests_on_floor, spaces_of
from emkit.testing import check_family

RNG = np.random.default_rng(9)
COVARIATES = RNG.normal(size=(150, 2)) * [1.0, 20.0] + [3.0, 100.0]
RESPONSE = 2.0 + COVARIATES @ [1.0, -0.3] + RNG.normal(size=150)
ROWS = np.column_stack([RESPONSE, COVARIATES])
SHARES = RNG.dirichlet([0.7, 0.7], size=150)
settings = pytest.mark.parametrize("shared", [False, True], ids=["own variance", "shared variance"])
intercepts = pytest.mark.parametrize("intercept", [False, True], ids=["through the origin", "intercept"])


def fitted(family, x, shares, params=None):
    return family.fit(family.prepare(x), shares, params)


def design(x, intercept):
    return np.column_stack([np.ones(len(x)), x[:, 1:]]) if intercept else x[:, 1:]


@settings
@intercepts
def test_it_keeps_the_laws_of_families(intercept, shared):
    report = check_family(LinearRegression(intercept, shared), ROWS)
    assert {"the_complete_score_is_the_gradient", "samples_refitted_from_the_truth_stay_near_it"} <= set(report.kept)


@settings
@intercepts
def test_the_fit_is_weighted_least_squares(intercept, shared):
    params = fitted(LinearRegression(intercept, shared), ROWS, SHARES)
    z, squares = design(ROWS, intercept), []
    for k, share in enumerate(SHARES.T):
        root = np.sqrt(share)[:, None]
        expected = np.linalg.lstsq(root * z, root[:, 0] * RESPONSE, rcond=None)[0]
        np.testing.assert_allclose(params.coefficients[k], expected, rtol=1e-9)
        squares.append(share @ (RESPONSE - z @ expected) ** 2)
    counts = SHARES.sum(axis=0)
    expected = [sum(squares) / 150] if shared else squares / counts
    np.testing.assert_allclose(params.variances, expected, rtol=1e-10)


@settings
def test_the_log_density_is_that_of_scipy(shared):
    family = LinearRegression(shared_variance=shared)
    params = fitted(family, ROWS, SHARES)
    means = design(ROWS, True) @ params.coefficients.T
    expected = stats.norm(means, np.sqrt(params.variances)).logpdf(RESPONSE[:, None])
    np.testing.assert_allclose(family.log_density(params, family.prepare(ROWS)), expected, rtol=1e-11)
    below, _ = family.cumulative(params, family.prepare(ROWS))
    np.testing.assert_allclose(below, stats.norm(means, np.sqrt(params.variances)).cdf(RESPONSE[:, None]))


def test_without_covariates_it_is_a_gaussian():
    family, gaussian = LinearRegression(), Gaussian()
    params, other = fitted(family, ROWS[:, :1], SHARES), fitted(gaussian, ROWS[:, :1], SHARES)
    np.testing.assert_allclose(params.coefficients, other.means)
    np.testing.assert_allclose(params.variances, other.covariances[:, 0, 0])


def test_collinear_covariates_share_their_effect_and_predict_the_same():
    family = LinearRegression()
    double = np.column_stack([ROWS, ROWS[:, 1]])
    check_family(family, double)
    params, plain = fitted(family, double, SHARES), fitted(family, ROWS, SHARES)
    np.testing.assert_allclose(params.coefficients[:, 1], params.coefficients[:, 3], rtol=1e-8)
    np.testing.assert_allclose(params.coefficients[:, [1, 3]].sum(axis=1), plain.coefficients[:, 1], rtol=1e-8)


def test_fewer_rows_than_coefficients_rest_on_the_floor_and_say_so():
    family = LinearRegression(floor=1e-5)
    shares = np.zeros((150, 2))
    shares[:148, 0] = shares[148:, 1] = 1.0
    params = fitted(family, ROWS, shares)
    assert params.variances[1] == pytest.approx(1e-5 * RESPONSE.var())
    spaces = spaces_of(family, params)
    assert rests_on_floor(spaces, params)
    assert "variances[1]" in boundary_notes(spaces, params)[0]


@settings
@intercepts
def test_other_units_give_the_same_fit(intercept, shared):
    family, units = LinearRegression(intercept, shared), np.array([1e3, 1e-3, 1e5])
    params, other = fitted(family, ROWS, SHARES), fitted(family, ROWS * units, SHARES)
    ratio = units[0] / np.r_[1.0, units[1:]][1 - intercept :]
    np.testing.assert_allclose(other.coefficients, params.coefficients * ratio, rtol=1e-8)
    np.testing.assert_allclose(other.variances, params.variances * units[0] ** 2, rtol=1e-8)


def test_covariates_far_from_zero_keep_their_digits():
    # Years: the same slope as of years counted from 2000.
    family = LinearRegression()
    years = np.arange(150.0)
    near = np.column_stack([RESPONSE, years])
    far = np.column_stack([RESPONSE, years + 2.0**24])
    params, other = fitted(family, near, SHARES), fitted(family, far, SHARES)
    np.testing.assert_allclose(other.coefficients[:, 1], params.coefficients[:, 1], rtol=1e-7)
    np.testing.assert_allclose(other.variances, params.variances, rtol=1e-7)


@settings
def test_only_estimates_are_counted(shared):
    family = LinearRegression(shared_variance=shared)
    params = fitted(family, ROWS, SHARES)
    assert n_free(spaces_of(family, params), params) == 2 * 3 + (1 if shared else 2)


def test_covariates_have_no_law_to_be_drawn_from():
    family = LinearRegression()
    params = fitted(family, ROWS, SHARES)
    with pytest.raises(MissingCapabilityError, match="simulate"):
        family.sample(params, np.zeros(3, dtype=int), RNG)
    drawn = family.simulate(params, np.ones(150, dtype=int), ROWS, np.random.default_rng(0))
    np.testing.assert_array_equal(drawn[:, 1:], COVARIATES)


def test_a_row_with_a_gap_says_nothing():
    family = LinearRegression()
    params = fitted(family, ROWS, SHARES)
    gaps = ROWS.copy()
    gaps[3, 0] = gaps[5, 2] = np.nan
    rows = family.prepare(gaps)
    assert np.flatnonzero(rows.missing).tolist() == [3, 5]
    assert (family.log_density(params, rows)[[3, 5]] == 0).all()
    kept = np.delete(np.arange(150), [3, 5])
    one, other = fitted(family, gaps, SHARES), fitted(family, ROWS[kept], SHARES[kept])
    np.testing.assert_allclose(one.coefficients, other.coefficients, rtol=1e-9)


def test_other_covariates_are_refused():
    family = LinearRegression()
    with pytest.raises(ValueError, match="have 1 covariates after the response, but the params were fitted to 2"):
        family.log_density(fitted(family, ROWS, SHARES), family.prepare(ROWS[:, :2]))

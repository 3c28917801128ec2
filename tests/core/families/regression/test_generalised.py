"""Logistic and Poisson regressions against numerical maxima; separated, collinear, shifted and huge covariates."""

import attrs
import numpy as np
import pytest
from scipy import optimize, stats

from emkit.errors import MissingCapabilityError
from emkit.families import CoefficientParams, LogisticRegression, Poisson, PoissonParams, PoissonRegression
from emkit.testing import check_family

FAMILIES = [LogisticRegression, PoissonRegression]


def rows(family, n_samples=300, seed=0):
    """Two covariates in unequal units, away from zero."""
    rng = np.random.default_rng(seed)
    covariates = rng.normal([5.0, 100.0], [1.0, 30.0], size=(n_samples, 2))
    eta = 0.8 * (covariates[:, 0] - 5) - (covariates[:, 1] - 100) / 40 + 0.3
    if family is LogisticRegression:
        response = rng.random(n_samples) < 1 / (1 + np.exp(-eta))
    else:
        response = rng.poisson(np.exp(eta))
    return np.column_stack([response, covariates])


def log_pmf(family, y, eta):
    if family is LogisticRegression:
        return np.where(y == 1, stats.logistic.logcdf(eta), stats.logistic.logsf(eta))
    return stats.poisson.logpmf(y, np.exp(eta))


def params_of(coefficients):
    n_covariates = np.shape(coefficients)[1] - 1
    return CoefficientParams(coefficients, np.zeros(n_covariates), np.ones(n_covariates))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("settings", [{}, {"ridge": 2.0}, {"intercept": False}])
def test_regressions_keep_the_laws_of_families(family, settings):
    x = rows(family)
    if not settings.get("intercept", True):
        x[:, 1:] -= [5.0, 100.0]
    check_family(family(**settings), x)


@pytest.mark.parametrize("family", FAMILIES)
def test_densities_are_scipys(family):
    x, coefficients = rows(family), np.array([[0.2, 0.5, -0.01], [-3.0, 0.0, 0.04]])
    eta = coefficients[:, 0] + x[:, 1:] @ coefficients[:, 1:].T
    density = family().log_density(params_of(coefficients), family().prepare(x))
    assert np.allclose(density, log_pmf(family, x[:, :1], eta), rtol=1e-10)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("ridge", [0.0, 5.0])
def test_the_fit_is_the_numerical_maximum(family, ridge):
    x = rows(family)
    weights = np.random.default_rng(1).random((len(x), 1))
    z = (x[:, 1:] - np.average(x[:, 1:], axis=0, weights=weights[:, 0])) / np.sqrt(
        np.average((x[:, 1:] - np.average(x[:, 1:], axis=0, weights=weights[:, 0])) ** 2, axis=0, weights=weights[:, 0])
    )

    def loss(beta):
        return (
            -float(weights[:, 0] @ log_pmf(family, x[:, 0], beta[0] + z @ beta[1:])) + ridge / 2 * beta[1:] @ beta[1:]
        )

    best = optimize.minimize(loss, np.zeros(3), method="BFGS", options={"gtol": 1e-7})
    model = family(ridge=ridge)
    prepared = model.prepare(x)
    fitted = model.fit(prepared, weights)
    found = (weights * model.log_density(fitted, prepared)).sum() + model.log_prior(fitted)
    assert found == pytest.approx(-best.fun, abs=1e-7)
    eta = fitted.coefficients[0, 0] + x[:, 1:] @ fitted.coefficients[0, 1:]
    assert np.allclose(eta, best.x[0] + z @ best.x[1:], atol=1e-4)


def test_the_m_steps_of_a_logistic_regression_arrive_at_its_maximum():
    family = LogisticRegression()
    x = family.prepare(rows(LogisticRegression))
    weights = np.ones((len(x), 1))
    best = family.fit(x, weights)
    params = CoefficientParams(np.zeros((1, 3)), best.location, best.scale)
    for _ in range(200):
        params = family.m_step(params, family.statistics(params, x, weights))
    assert np.allclose(params.coefficients, best.coefficients, rtol=1e-8)


def test_the_curvature_of_the_bound_is_the_mean_of_a_polya_gamma_variable():
    family = LogisticRegression()
    k = np.arange(1, 1_000_001)
    tail = 1 / (2 * np.pi**2 * k[-1])
    for eta in (0.0, 1e-6, 1.9e-4, 3e-4, 0.7, 40.0, -40.0, 900.0):
        params = CoefficientParams([[eta]], np.zeros(0), np.zeros(0))
        statistics = family.statistics(params, family.prepare([[1.0]]), np.ones((1, 1)))
        series = (1 / (((k - 0.5) * np.pi) ** 2 + eta**2 / 4)).sum() / 2 + tail
        assert statistics.curvature.item() == pytest.approx(series, rel=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_units_of_covariates_do_not_matter(family):
    x = rows(family)
    weights = np.random.default_rng(1).dirichlet([1, 1], len(x))
    moved = x * [1, 1e6, 1e-9] + [0, 1e7, 0.01]
    one, two = (family().prepare(table) for table in (x, moved))
    first = family().log_density(family().fit(one, weights), one)
    second = family().log_density(family().fit(two, weights), two)
    assert np.allclose(first, second, atol=1e-6)


def far_rows(family, shift):
    """Rows whose covariates are whole numbers of eighths, so that a shift of them is exact."""
    x = rows(family)
    x[:, 1:] = np.round(8 * (x[:, 1:] - [5.0, 100.0]) / [1.0, 30.0]) / 8 + shift
    return x


@pytest.mark.parametrize("family", FAMILIES)
def test_densities_far_from_the_origin_keep_their_digits(family):
    near, far = (family().prepare(far_rows(family, shift)) for shift in (0.0, 1e8))
    shares = np.ones((300, 1))
    slopes = np.array([[0.5, -0.25]])
    densities = []
    for x, shift in ((near, 0.0), (far, 1e8)):
        params = family().fit(x, shares)
        coefficients = np.column_stack([[0.25 - shift * slopes.sum()], slopes])
        densities.append(family().log_density(attrs.evolve(params, coefficients=coefficients), x))
    np.testing.assert_allclose(densities[1], densities[0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("shift", [1e4, 1e8])
def test_m_steps_far_from_the_origin_do_not_fall_and_arrive(family, shift):
    shares, others = np.random.default_rng(0).dirichlet([0.5, 0.5], size=(2, 300))
    best = []
    for where in (0.0, shift):
        x = family().prepare(far_rows(family, where))
        params = family().fit(x, others)
        for _ in range(60):
            before = (shares * family().log_density(params, x)).sum()
            params = family().m_step(params, family().statistics(params, x, shares))
            assert (shares * family().log_density(params, x)).sum() >= before - 1e-11 * abs(before)
        best.append((shares * family().log_density(params, x)).sum())
    assert best[1] == pytest.approx(best[0], rel=1e-11)


def test_the_unit_of_an_intercept_is_its_uncertainty_at_the_origin():
    # Of least squares Var(intercept) = variance / n * (1 + mean**2 / variance of x), that of a slope / (variance of x).
    params = CoefficientParams(np.zeros((1, 2)), np.array([300.0]), np.array([4.0]))
    unit = LogisticRegression().space(params)["coefficients"].typical(params.coefficients)
    np.testing.assert_allclose(unit[0], [np.sqrt(1 + (300.0 / 4.0) ** 2), 1 / 4.0])


def test_large_counts_given_covariates_have_all_their_digits():
    # A slope of zero makes it a Poisson distribution, whose digits are tested elsewhere.
    rate, y = 3e9, np.round(3e9 + 5e4 * np.arange(-3.0, 4.0))
    x = PoissonRegression().prepare(np.column_stack([y, np.arange(7.0)]))
    density = PoissonRegression().log_density(params_of([[np.log(rate), 0.0]]), x)
    reference = Poisson().log_density(PoissonParams(np.array([[np.exp(np.log(rate))]])), Poisson().prepare(y[:, None]))
    np.testing.assert_allclose(density, reference, rtol=0, atol=1e-9)


@pytest.mark.parametrize("family", FAMILIES)
def test_collinear_covariates_predict_as_one_of_them(family):
    x = rows(family)[:, :2]
    weights = np.ones((len(x), 1))
    one, two = family().prepare(x), family().prepare(np.column_stack([x, 3 * x[:, 1], np.full(len(x), 7.0)]))
    found = family().fit(two, weights)
    first = family().log_density(family().fit(one, weights), one)
    assert np.allclose(family().log_density(found, two), first, atol=1e-7)
    after = family().m_step(found, family().statistics(found, two, weights))
    assert np.allclose(family().log_density(after, two), first, atol=1e-7)


def test_separated_responses_are_finite_and_noted_and_a_ridge_holds_them():
    x = np.column_stack([np.repeat([0.0, 1.0], 10), np.arange(20.0)])
    free, held = LogisticRegression(), LogisticRegression(ridge=0.1)
    params = free.fit(free.prepare(x), np.ones((20, 1)))
    assert np.isfinite(params.coefficients).all()
    assert free.log_density(params, free.prepare(x)).sum() == pytest.approx(0.0, abs=1e-6)
    assert "separate the zeros from the ones" in free.notes(params)[0]
    assert not held.notes(held.fit(held.prepare(x), np.ones((20, 1))))


def test_counts_that_are_all_zero_leave_a_finite_intercept_and_a_note():
    family = PoissonRegression()
    x = family.prepare(np.column_stack([np.zeros(10), np.arange(10.0)]))
    params = family.fit(x, np.ones((10, 1)))
    assert np.isfinite(params.coefficients).all()
    assert family.log_density(params, x).sum() == pytest.approx(0.0, abs=1e-10)
    assert family.notes(params)


def test_a_rate_beyond_all_floats_is_impossible_and_no_error():
    params = params_of([[0.0, 1.0]])
    density = PoissonRegression().log_density(params, PoissonRegression().prepare([[3, 1e4], [3, -1e4], [0, -1e4]]))
    assert density.ravel()[0] == -np.inf
    assert density.ravel()[1:] == pytest.approx([-3e4 - np.log(6), 0.0])


def test_a_predictor_beyond_all_floats_is_impossible_and_no_nan():
    params, family = params_of([[0.0, 1e200]]), PoissonRegression()
    assert family.log_density(params, family.prepare([[3, 1e200], [0, 1e200]])).ravel().tolist() == [-np.inf, -np.inf]


def test_newton_comes_back_from_a_far_start():
    family = PoissonRegression()
    x = family.prepare(rows(PoissonRegression))
    weights = np.ones((len(x), 1))
    best = family.fit(x, weights)
    for far in ([[40.0, 0.0, 0.0]], [[-200.0, 1.0, 1.0]]):
        start = CoefficientParams(far, best.location, best.scale)
        assert np.allclose(family.fit(x, weights, start).coefficients, best.coefficients, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_regression_simulates_but_does_not_sample(family):
    x = np.tile([0.0, 2.0], (40_000, 1))
    x[0, 1] = np.nan
    params = params_of([[0.5, -1.0], [0.5, 0.1]])
    components = np.repeat([0, 1], 20_000)
    drawn = family().simulate(params, components, x, np.random.default_rng(0))
    assert np.isnan(drawn[0]).all()
    eta = np.array([-1.5, 0.7])
    expected = 1 / (1 + np.exp(-eta)) if family is LogisticRegression else np.exp(eta)
    assert np.allclose(np.nanmean(drawn[:, 0].reshape(2, -1), axis=1), expected, atol=0.04)
    with pytest.raises(MissingCapabilityError, match="simulate"):
        family().sample(params, components, np.random.default_rng(0))


@pytest.mark.parametrize("size", [1e-300, 1e307])
def test_covariates_beyond_the_range_of_squares_are_refused(size):
    x = np.column_stack([np.arange(40.0) % 2, size * (1 + np.arange(40.0) % 3)])
    with pytest.raises(ValueError, match="Of the covariates, counted from 0: Column 0 has a standard deviation"):
        LogisticRegression().fit(LogisticRegression().prepare(x), np.ones((40, 1)))


def test_a_response_outside_the_support_is_named():
    with pytest.raises(ValueError, match=r"Row 1, column 0 is 2; LogisticRegression expects 0 or 1"):
        LogisticRegression().prepare([[1, 0.3], [2, 0.1]])
    with pytest.raises(ValueError, match=r"Row 0, column 0 is 0\.5"):
        PoissonRegression().prepare([[0.5, 0.3]])
    with pytest.raises(ValueError, match="ridge must be"):
        PoissonRegression(ridge=-1)

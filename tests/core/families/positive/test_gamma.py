"""Gamma sizes against SciPy and a numerical maximum; equal values and their cap; units."""

from fractions import Fraction

import numpy as np
import pytest
from scipy import optimize, stats

from emkit.families import Gamma, GammaParams
from emkit.families.positive.curve import curve
from emkit.families.positive.gamma import LARGE_SHAPE, NARROW_SHAPE, gamma_shapes
from emkit.testing import check_family


def sizes(shape=3.0, n_samples=200, seed=0):
    return np.random.default_rng(seed).gamma(shape, [[2.0, 0.1]], size=(n_samples, 2))


@pytest.mark.parametrize("shape", [0.4, 3.0, 5e4])
def test_gamma_keeps_the_laws_of_families(shape):
    check_family(Gamma(), sizes(shape))


@pytest.mark.parametrize("shape", [1e-2, 0.7, 50.0, NARROW_SHAPE * 0.99, NARROW_SHAPE * 1.01, 1e6])
def test_densities_are_scipys(shape):
    x, family = np.array([[0.3], [1.0], [1.001], [4.0]]), Gamma()
    params = GammaParams([[1.2]], [[shape]], [1e9])
    expected = stats.gamma.logpdf(x, shape, scale=1.2 / shape)
    assert np.allclose(family.log_density(params, family.prepare(x)), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("shape", [0.05, 1.0, 40.0, 3000.0])
def test_the_fit_is_the_numerical_maximum(shape):
    x = sizes(shape)[:, :1]
    weights, family = np.random.default_rng(1).random((len(x), 1)), Gamma()
    fitted = family.fit(family.prepare(x), weights)
    mean = float((weights * x).sum() / weights.sum())

    def loss(log_shape):
        k = np.exp(log_shape)
        return -float((weights * stats.gamma.logpdf(x, k, scale=mean / k)).sum())

    best = optimize.minimize_scalar(loss, bounds=(np.log(shape) - 2, np.log(shape) + 2), options={"xatol": 1e-9})
    assert fitted.means.item() == pytest.approx(mean, rel=1e-12)
    assert np.log(fitted.shapes.item()) == pytest.approx(best.x, abs=1e-5)


def test_shapes_solve_their_equation_to_the_last_digits():
    shapes = np.geomspace(1e-3, 1e7, 41)
    with np.errstate(all="raise"):
        inverse = 1 / shapes
        series = inverse / 2 + inverse**2 / 12 - inverse**4 / 120 + inverse**6 / 252
        from_definition = np.log(shapes) - np.array([float(_digamma(k)) for k in shapes])
    spread = np.where(shapes > LARGE_SHAPE, series, from_definition)
    assert np.allclose(gamma_shapes(spread, np.full(41, 1e12)), shapes, rtol=1e-10)


def _digamma(k):
    """By recurrence up to 40 and the asymptotic series there, in extended precision."""
    k, shift = np.longdouble(k), np.longdouble(0)
    while k < 40:
        shift, k = shift - 1 / k, k + 1
    return shift + np.log(k) - 1 / (2 * k) - 1 / (12 * k**2) + 1 / (120 * k**4) - 1 / (252 * k**6)


def test_equal_values_rest_on_a_cap_relative_to_all_rows():
    x = np.array([[2.0], [2.0], [1.0], [3.0], [9.0]])
    responsibilities = np.repeat(np.eye(2), [2, 3], axis=0)
    shapes = []
    for unit in (1.0, 1e3):
        family = Gamma(floor=1e-4)
        params = family.fit(family.prepare(x * unit), responsibilities)
        assert params.shapes[0, 0] == pytest.approx(params.caps[0], rel=1e-12)
        assert "cap" in family.space(params)["shapes"].describe_bound(params.shapes, "shapes")
        assert params.means.ravel() == pytest.approx(np.array([2.0, 13 / 3]) * unit)
        shapes.append(params.shapes[:, 0])
    assert np.allclose(*shapes, rtol=1e-9)
    logs = np.log(x)
    spread = 2 * (np.log(x.mean()) - logs.mean())
    assert params.caps[0] == pytest.approx(1 / (1e-4 * spread))


def test_rows_that_are_all_equal_have_finite_params():
    family = Gamma()
    x = family.prepare(np.full((4, 1), 7.0))
    params = family.fit(x, np.ones((4, 2)) / 2)
    assert np.isfinite(params.shapes).all()
    assert np.isfinite(family.log_density(params, x)).all()


def test_a_narrow_component_is_not_lost_in_rounding():
    """At a shape of 1e7 the linear form of the density loses ten digits."""
    x = 2.0 * (1 + 3e-4 * np.linspace(-2, 2, 50))[:, None]
    family, shape = Gamma(), 1e7
    density = family.log_density(GammaParams([[2.0]], [[shape]], [1e12]), family.prepare(x))
    ratio = np.longdouble(x) / 2
    expected = shape * (np.log(ratio) - ratio + 1) - np.log(x) + np.log(shape / (2 * np.pi)) / 2 - 1 / (12 * shape)
    assert np.allclose(density, expected.astype(float), rtol=0, atol=1e-10)


def test_rows_far_from_a_narrow_component_have_a_logarithm_or_none():
    family = Gamma()
    x = np.array([[1e-30], [1e-300], [1e3], [1e306]])
    params = GammaParams([[1.0], [1e-10]], np.full((2, 1), 2 * NARROW_SHAPE), [1e9])
    density = family.log_density(params, family.prepare(x))
    expected = stats.gamma.logpdf(x[:3], 2 * NARROW_SHAPE, scale=params.means[:, 0] / (2 * NARROW_SHAPE))
    assert np.allclose(density[:3], expected, rtol=1e-10)
    assert density[3, 1] == -np.inf


@pytest.mark.parametrize("centre", [1e3, 1e6, 1e8, 1e11])
def test_narrow_data_are_fitted_to_all_their_digits(centre):
    # Exact rationals: log(mean) - mean(log x) is a sum of powers of x / mean - 1, and 1 / (2 k) + 1 / (12 k**2).
    x = centre + np.random.default_rng(0).normal(size=(100, 1))
    values = [Fraction(value) for value in x[:, 0]]
    mean = sum(values) / 100
    excesses = [value / mean - 1 for value in values]
    spread = float(sum(e**2 / 2 - e**3 / 3 + e**4 / 4 - e**5 / 5 for e in excesses) / 100)
    params = Gamma().fit(Gamma().prepare(x), np.ones((100, 1)))
    assert params.means.item() == pytest.approx(float(mean), rel=1e-15)
    shape = params.shapes.item()
    assert 1 / (2 * shape) + 1 / (12 * shape**2) == pytest.approx(spread, rel=1e-9, abs=0)
    # So narrow a gamma is a normal but for its skewness.
    normal = stats.norm.logpdf(x, float(mean), float(mean) / np.sqrt(shape))
    assert np.allclose(Gamma().log_density(params, Gamma().prepare(x)), normal, atol=20 / centre + 1e-6)


@pytest.mark.parametrize("centre", [1e5, 1e8, 1e10])
def test_m_steps_on_narrow_data_arrive_and_do_not_fall(centre):
    rng, family = np.random.default_rng(1), Gamma()
    x = family.prepare(centre + rng.normal(4.0 * (np.arange(200) % 2), 1.0)[:, None])
    shares, others = rng.dirichlet([0.5, 0.5], size=(2, 200))
    params = family.fit(x, others)
    for _ in range(6):
        before = (shares * family.log_density(params, x)).sum()
        params = family.m_step(params, family.statistics(params, x, shares))
        assert (shares * family.log_density(params, x)).sum() >= before - 1e-9 * abs(before)
    np.testing.assert_allclose(params.shapes, family.fit(x, shares).shapes, rtol=1e-6)


def test_a_component_may_turn_narrow_in_one_step():
    # From shapes of one sums of logarithms are all that is known; what they say of so narrow a spread is rounding.
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.gamma(50.0, 0.02, size=100), 1e8 + rng.normal(size=100)])[:, None]
    family, shares = Gamma(floor=0.0), np.eye(2)[np.arange(200) // 100]
    x = family.prepare(values)
    params = GammaParams(np.full((2, 1), 5e7), np.ones((2, 1)), np.full(1, 1e30))
    for _ in range(8):
        before = (shares * family.log_density(params, x)).sum()
        params = family.m_step(params, family.statistics(params, x, shares))
        assert (shares * family.log_density(params, x)).sum() >= before - 1e-9 * abs(before)
    assert params.shapes[1, 0] == pytest.approx(1e16 / values[100:].var(), rel=1e-6)


@pytest.mark.parametrize("means", [1.0, 1e-3, 7e8])
def test_the_curve_is_that_of_the_logarithm_in_extended_precision(means):
    ratios = np.array([1e-12, 0.1, 0.49, 0.51, 0.989, 0.991, 1 - 1e-9, 1.0, 1 + 1e-7, 1.009, 1.011, 1.49, 1.51, 300.0])
    values = ratios * means
    excess = (np.longdouble(values) - np.longdouble(means)) / np.longdouble(means)
    # In extended precision the difference cancels too, but 1000 times less; next to one the first terms are exact.
    series = -(excess**2) * (0.5 - excess / 3 + excess**2 / 4 - excess**3 / 5)
    direct = np.log(np.longdouble(values) / np.longdouble(means)) - excess
    expected = np.where(np.abs(excess) < 1e-4, series, direct)
    np.testing.assert_allclose(curve(values, np.array(means)), expected.astype(float), rtol=1e-12, atol=0)


def test_zeros_are_named():
    with pytest.raises(ValueError, match="Row 1, column 0 is 0; Gamma expects numbers above 0"):
        Gamma().prepare([[1], [0]])


def test_cumulative_probabilities_are_scipys():
    x, family = np.array([[0.1], [1.0], [30.0]]), Gamma()
    below, up_to = family.cumulative(GammaParams([[2.0], [7.0]], [[3.0], [0.5]], [1e6]), family.prepare(x))
    assert np.allclose(below, stats.gamma.cdf(x, [3.0, 0.5], scale=[2 / 3, 14.0]), rtol=1e-12)
    assert np.array_equal(below, up_to)


def test_samples_have_the_moments_of_the_params():
    params = GammaParams([[4.0], [0.1]], [[2.0], [50.0]], [1e6])
    drawn = Gamma().sample(params, np.repeat([0, 1], 20_000), np.random.default_rng(0)).reshape(2, -1)
    assert np.allclose(drawn.mean(axis=1), [4.0, 0.1], rtol=0.04)
    assert np.allclose(drawn.var(axis=1), [8.0, 0.01 / 50], rtol=0.05)

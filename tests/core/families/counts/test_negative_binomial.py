"""Negative binomial counts against SciPy and a numerical maximum; the Poisson limit; the bound behind the M-step."""

import numpy as np
import pytest
from scipy import optimize, stats

from emkit.families import NegativeBinomial, NegativeBinomialParams
from emkit.families.counts.dispersion import SMALL_PRODUCT, chi, phi
from emkit.families.counts.rising import EXACT, KNOTS, knot_weights
from emkit.testing import check_family


def counts(size=2.0, mean=10.0, n_samples=300, seed=0):
    rng = np.random.default_rng(seed)
    return rng.negative_binomial(size, size / (size + mean), size=(n_samples, 1)).astype(float)


def weighted(n_samples, seed=1):
    return np.random.default_rng(seed).random((n_samples, 1))


@pytest.mark.parametrize("mean", [3.0, 400.0, 1e7, 1e12, 1e14])
def test_negative_binomial_keeps_the_laws_of_families(mean):
    check_family(NegativeBinomial(), np.column_stack([counts(mean=mean), counts(20.0, mean, seed=1)]))


@pytest.mark.parametrize("size", [1e-3, 0.7, 30.0, 900.0, 1100.0])
def test_densities_are_scipys(size):
    x = np.array([[0.0], [1.0], [7.0], [500.0]])
    family, params = NegativeBinomial(), NegativeBinomialParams([[12.0]], [[1 / size]])
    expected = stats.nbinom.logpmf(x, size, size / (size + 12.0))
    assert np.allclose(family.log_density(params, family.prepare(x)), expected, rtol=1e-11, atol=1e-11)


def test_no_dispersion_is_poisson_and_a_tiny_one_nearly_so():
    x, family = np.arange(60.0)[:, None], NegativeBinomial()
    prepared = family.prepare(x)
    expected = stats.poisson.logpmf(x, 20.0)
    for dispersion in (0.0, 1e-15):
        density = family.log_density(NegativeBinomialParams([[20.0]], [[dispersion]]), prepared)
        assert np.allclose(density, expected, rtol=1e-12, atol=1e-11)


@pytest.mark.parametrize(("size", "mean"), [(0.3, 2.0), (2.0, 10.0), (50.0, 30.0), (1.0, 900.0), (8.0, 3e5)])
def test_the_fit_is_the_numerical_maximum(size, mean):
    x = counts(size, mean)
    weights, family = weighted(len(x)), NegativeBinomial()
    fitted = family.fit(family.prepare(x), weights)
    centre = float((weights * x).sum() / weights.sum())

    def loss(log_size):
        r = np.exp(log_size)
        return -float((weights * stats.nbinom.logpmf(x, r, r / (r + centre))).sum())

    best = optimize.minimize_scalar(loss, bounds=(np.log(size) - 3, np.log(size) + 3), options={"xatol": 1e-9})
    assert fitted.means.item() == pytest.approx(centre, rel=1e-12)
    assert np.log(fitted.sizes.item()) == pytest.approx(best.x, abs=1e-5)


def test_counts_that_vary_less_than_poissons_have_no_dispersion():
    x, family = np.array([[4.0], [5.0], [6.0], [5.0]]), NegativeBinomial()
    fitted = family.fit(family.prepare(x), np.ones((4, 1)))
    assert fitted.dispersions.item() == 0
    assert np.isinf(fitted.sizes.item())


def test_an_m_step_leaves_the_poisson_limit_where_counts_vary_more():
    x, family = counts(2.0, 200.0), NegativeBinomial()
    prepared, weights = family.prepare(x), np.ones((len(x), 1))
    start = NegativeBinomialParams(x.mean(keepdims=True), [[0.0]])
    after = family.m_step(start, family.statistics(start, prepared, weights))
    best = family.fit(prepared, weights)
    assert after.dispersions.item() == pytest.approx(best.dispersions.item(), rel=0.05)


def test_one_m_step_is_exact_for_small_counts_from_anywhere():
    x, family = np.minimum(counts(2.0, 10.0), EXACT), NegativeBinomial()
    prepared, weights = family.prepare(x), np.ones((len(x), 1))
    results = []
    for dispersion in (0.0, 1e-3, 1e4):
        start = NegativeBinomialParams([[1.0]], [[dispersion]])
        results.append(family.m_step(start, family.statistics(start, prepared, weights)).dispersions.item())
    assert results == pytest.approx([results[0]] * 3, rel=1e-10)


@pytest.mark.parametrize("touching", [0.0, 1e-4, 0.05, 20.0])
def test_the_bound_touches_and_stays_below(touching):
    values = np.array([3.0, 63.0, 64.0, 65.0, 100.0, 4000.0])
    shown = np.array([[1.0, 2.0, 0.5, 1.0, 3.0, 1.0]])
    weights = knot_weights(values, shown, np.array([touching]))[0]

    def gap(dispersion):
        rising = [np.log1p(dispersion * np.arange(value)).sum() for value in values]
        return float(shown[0] @ rising - weights @ np.log1p(dispersion * KNOTS))

    least = gap(touching)
    size = float(shown[0] @ values)
    assert weights.sum() == pytest.approx(size, rel=1e-12)
    for factor in (1e-3, 0.1, 0.9, 1.1, 10.0, 1e3):
        assert gap(factor * touching if touching else factor) >= least - 1e-9 * size
    # Touching is more than staying below: the slopes agree as well.
    step = 1e-4 * touching
    if touching:
        slope = (gap(touching + step) - gap(touching - step)) / (2 * step) * touching
        assert abs(slope) < 1e-6 * size


def test_functions_that_cancel_at_zero_are_right_on_either_side_of_their_series():
    u = np.array([1e-5, 1e-3, 0.99 * SMALL_PRODUCT, 1.01 * SMALL_PRODUCT, 3.0, 1e6])
    long = u.astype(np.longdouble)
    log = np.log1p(long)
    value, slope = phi(u)
    assert np.allclose(value, ((long - log) / long**2).astype(float), rtol=1e-6)
    assert np.allclose(chi(u), ((log - long / (1 + long)) / long**2).astype(float), rtol=1e-6)
    assert np.allclose(slope, ((1 / (1 + long) - 2 * (long - log) / long**2) / long).astype(float), rtol=1e-6)
    ends = slice(1, None)
    assert np.allclose(value[ends], ((long - log) / long**2).astype(float)[ends], rtol=1e-12)


def test_zeros_alone_keep_the_dispersion_they_had():
    family = NegativeBinomial()
    x = family.prepare(np.zeros((3, 1)))
    before = NegativeBinomialParams([[2.0]], [[0.4]])
    after = family.fit(x, np.ones((3, 1)), before)
    assert (after.means.item(), after.dispersions.item()) == (0.0, 0.4)
    assert family.log_density(after, x).tolist() == [[0.0]] * 3


def test_cumulative_probabilities_are_scipys():
    x, family = np.array([[0.0], [3.0], [50.0]]), NegativeBinomial()
    below, up_to = family.cumulative(NegativeBinomialParams([[12.0], [5.0]], [[0.5], [0.0]]), family.prepare(x))
    for found, shift in ((below, 1), (up_to, 0)):
        assert np.allclose(found[:, 0], stats.nbinom.cdf(x - shift, 2, 2 / 14).ravel(), rtol=1e-10, atol=1e-300)
        assert np.allclose(found[:, 1], stats.poisson.cdf(x - shift, 5.0).ravel(), rtol=1e-10, atol=1e-300)


def test_samples_have_the_moments_of_the_params():
    params = NegativeBinomialParams([[4.0], [10.0]], [[0.5], [0.0]])
    components = np.repeat([0, 1], 40_000)
    drawn = NegativeBinomial().sample(params, components, np.random.default_rng(0)).reshape(2, -1)
    assert np.allclose(drawn.mean(axis=1), [4.0, 10.0], rtol=0.03)
    assert np.allclose(drawn.var(axis=1), [4.0 + 0.5 * 16, 10.0], rtol=0.05)


def test_a_fraction_is_named():
    with pytest.raises(ValueError, match=r"Row 1, column 0 is 2\.5"):
        NegativeBinomial().prepare([[0], [2.5]])

"""Exponential waiting times: weighted means, the floor below zeros, the prior of the rate."""

import numpy as np
import pytest
from scipy import stats

from emkit.families import Exponential, ExponentialParams, GammaPrior
from emkit.testing import check_family


def times(n_samples=200, seed=0):
    return np.random.default_rng(seed).exponential([[2.0, 500.0]], size=(n_samples, 2))


@pytest.mark.parametrize("prior", [None, GammaPrior(3.0, 2.0)])
def test_exponential_keeps_the_laws_of_families(prior):
    check_family(Exponential(prior=prior), times())


def test_densities_are_scipys():
    x, family = times(), Exponential()
    params = ExponentialParams([[2.0, 100.0], [0.1, 1e4]], [1.0, 1.0])
    expected = np.stack([stats.expon.logpdf(x, scale=means).sum(axis=1) for means in params.means], axis=1)
    assert np.allclose(family.log_density(params, family.prepare(x)), expected, rtol=1e-12)


def test_estimates_are_weighted_means_or_modes_of_the_rates():
    x, responsibilities = times(), np.random.default_rng(1).dirichlet(np.ones(3), 200)
    sums, totals = responsibilities.T @ x, responsibilities.sum(axis=0)[:, None]
    family = Exponential()
    assert np.allclose(family.fit(family.prepare(x), responsibilities).means, sums / totals, rtol=1e-13)
    family = Exponential(prior=GammaPrior(3.0, 2.0))
    assert np.allclose(family.fit(family.prepare(x), responsibilities).rates, (totals + 2) / (sums + 2), rtol=1e-13)


def test_zeros_alone_rest_on_a_floor_relative_to_all_rows():
    family = Exponential(floor=1e-4)
    for unit in (1.0, 1e3):
        x = family.prepare(np.array([[0.0], [0.0], [4.0], [8.0]]) * unit)
        params = family.fit(x, np.repeat(np.eye(2), 2, axis=0))
        assert params.means.ravel() == pytest.approx([3e-4 * unit, 6.0 * unit])
        assert family.space(params)["means"].on_floor(params.means)


def test_negative_times_are_named():
    with pytest.raises(ValueError, match="Row 1, column 0 is -1"):
        Exponential().prepare([[0], [-1]])


def test_cumulative_probabilities_are_scipys():
    x = np.array([[0.0], [1e-9], [3.0]])
    family = Exponential()
    below, up_to = family.cumulative(ExponentialParams([[2.0], [7.0]], [1.0]), family.prepare(x))
    assert np.allclose(below, stats.expon.cdf(x, scale=[2.0, 7.0]), rtol=1e-12)
    assert np.array_equal(below, up_to)


def test_samples_have_the_moments_of_the_params():
    params = ExponentialParams([[4.0], [0.1]], [1.0])
    drawn = Exponential().sample(params, np.repeat([0, 1], 20_000), np.random.default_rng(0)).reshape(2, -1)
    assert np.allclose(drawn.mean(axis=1), [4.0, 0.1], rtol=0.04)
    assert np.allclose(drawn.std(axis=1), [4.0, 0.1], rtol=0.04)

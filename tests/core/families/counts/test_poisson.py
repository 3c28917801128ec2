"""Poisson counts against SciPy, weighted means and their own laws."""

import numpy as np
import pytest
from scipy import stats

from emkit.families import GammaPrior, Poisson, PoissonParams
from emkit.testing import check_family


def counts(n_samples=200, seed=0):
    rng = np.random.default_rng(seed)
    return rng.poisson([[2.0, 40.0]], size=(n_samples, 2)).astype(float)


@pytest.mark.parametrize("prior", [None, GammaPrior(3.0, 2.0)])
def test_poisson_keeps_the_laws_of_families(prior):
    check_family(Poisson(prior), counts())


def test_densities_are_scipys():
    x, params, family = counts(), PoissonParams([[2.0, 30.0], [1e-3, 500.0]]), Poisson()
    expected = np.stack([stats.poisson.logpmf(x, rates).sum(axis=1) for rates in params.rates], axis=1)
    assert np.allclose(family.log_density(params, family.prepare(x)), expected, rtol=1e-12)


def test_estimates_are_weighted_means_and_a_prior_adds_events_and_rows():
    x, responsibilities = counts(), np.random.default_rng(1).dirichlet(np.ones(3), 200)
    sums, totals = responsibilities.T @ x, responsibilities.sum(axis=0)[:, None]
    family = Poisson()
    assert np.allclose(family.fit(family.prepare(x), responsibilities).rates, sums / totals, rtol=1e-13)
    family = Poisson(GammaPrior(3.0, 2.0))
    fitted = family.fit(family.prepare(x), responsibilities)
    assert np.allclose(fitted.rates, (sums + 2) / (totals + 2), rtol=1e-13)
    expected = stats.gamma.logpdf(fitted.rates, 3.0, scale=0.5) - stats.gamma.logpdf(1.0, 3.0, scale=0.5)
    assert family.log_prior(fitted) - fitted.rates.size * family.prior.log_density(np.ones(1)) == pytest.approx(
        expected.sum()
    )


def test_zeros_alone_have_a_rate_of_zero_under_which_all_else_is_impossible():
    family = Poisson()
    x = family.prepare([[0], [0], [3]])
    params = family.fit(x, np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    assert params.rates.ravel().tolist() == [0.0, 3.0]
    assert family.log_density(params, x)[:, 0].tolist() == [0.0, 0.0, -np.inf]
    assert np.isfinite(family.complete_score(params, family.statistics(params, x, np.eye(3)[:, ::2])).rates[0]).all()


@pytest.mark.parametrize("entry", [-1.0, 0.5, 1e300])
def test_an_entry_that_counts_nothing_is_named(entry):
    with pytest.raises(ValueError, match=f"Row 1, column 0 is {entry:g}".replace("+", r"\+")):
        Poisson().prepare([[0], [entry]])


def test_cumulative_probabilities_are_scipys():
    x = np.array([[0.0], [3.0], [50.0]])
    below, up_to = Poisson().cumulative(PoissonParams([[2.5], [40.0]]), Poisson().prepare(x))
    assert np.allclose(below, stats.poisson.cdf(x - 1, [2.5, 40.0]), rtol=1e-12, atol=1e-300)
    assert np.allclose(up_to, stats.poisson.cdf(x, [2.5, 40.0]), rtol=1e-12)


def test_samples_have_the_moments_of_the_params():
    params = PoissonParams([[2.0, 30.0], [0.0, 5.0]])
    components = np.repeat([0, 1], 20_000)
    drawn = Poisson().sample(params, components, np.random.default_rng(0)).reshape(2, 20_000, 2)
    assert np.allclose(drawn.mean(axis=1), params.rates, rtol=0.02)
    assert np.allclose(drawn.var(axis=1), params.rates, rtol=0.05)

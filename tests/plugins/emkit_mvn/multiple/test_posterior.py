"""Draws of mean and covariance from their posterior."""

import numpy as np
import pytest
from emkit_mvn import InverseWishart, Ridge
from emkit_mvn.multiple.posterior import draw_posterior, noninformative, posterior_df, wishart_factors
from sample_moments import assert_same_moments
from scipy import stats

from emkit.errors import DegenerateError


@pytest.fixture
def rng():
    return np.random.default_rng(11)


@pytest.mark.parametrize(
    "prior",
    [
        noninformative(3),
        Ridge(4).terms(3, np.array([1.0, 2, 3])),
        InverseWishart(6, np.diag([3.0, 2, 1]) + 1, mean=np.array([5.0, 0, -5]), strength=8).terms(3, np.ones(3)),
    ],
    ids=["Jeffreys", "ridge", "normal inverse Wishart"],
)
def test_the_p_step_has_the_moments_of_the_normal_inverse_wishart(prior, rng):
    """Gelman et al. 2013, Bayesian Data Analysis, section 3.6."""
    n, mean = 15.0, np.array([1.0, 2.0, 3.0])
    root = rng.standard_normal((3, 3))
    scatter = n * (root @ root.T + np.eye(3))
    shift = mean - prior.centre
    spread = scatter + prior.scatter + n * prior.strength / (n + prior.strength) * np.outer(shift, shift)
    df = n - 1 + {4.0: 0, 8.0: 4, 11.0: 7}[prior.count]
    centre = (n * mean + prior.strength * prior.centre) / (n + prior.strength)
    assert posterior_df(n, prior) == df
    draws = [draw_posterior(n, mean, scatter, prior, rng) for _ in range(6000)]
    covariances = stats.invwishart(df, spread).rvs(6000, random_state=rng)
    np.testing.assert_allclose(np.mean([c for _, c in draws], axis=0), spread / (df - 4), rtol=0.1, atol=0.1)
    whitened = [np.linalg.solve(np.linalg.cholesky(c / (n + prior.strength)), m - centre) for m, c in draws]
    assert stats.kstest(np.ravel(whitened), "norm").pvalue > 0.01
    assert np.mean(np.square(whitened)) == pytest.approx(1, abs=0.045)
    assert_same_moments(np.log([np.linalg.eigvalsh(c) for _, c in draws]), np.log(np.linalg.eigvalsh(covariances)))


def test_wishart_factors_have_the_moments_of_the_wishart(rng):
    factors = wishart_factors(np.full(20_000, 5.5), 3, rng)
    draws = factors @ factors.mT
    others = stats.wishart(5.5, np.eye(3)).rvs(20_000, random_state=rng)
    assert_same_moments(draws[:, *np.triu_indices(3)], others[:, *np.triu_indices(3)])


def test_a_singular_scatter_asks_for_a_prior(rng):
    with pytest.raises(DegenerateError, match="prior='ridge'"):
        draw_posterior(9.0, np.zeros(2), np.ones((2, 2)), noninformative(2), rng)

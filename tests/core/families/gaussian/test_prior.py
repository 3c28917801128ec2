"""Conjugate priors of Gaussians, with the meaning that hmmlearn gives them."""

import numpy as np
import pytest
from scipy import stats

from emkit.families import Gaussian, GaussianPrior
from emkit.testing import check_family

RNG = np.random.default_rng(8)
ROWS = RNG.normal(size=(60, 2)) * [1.0, 20.0] + [3.0, -5.0]
SHARES = RNG.dirichlet([0.7, 0.7], size=60)
COUNTS = SHARES.sum(axis=0)
MEANS_PRIOR = np.array([[0.0, 1.0], [2.0, -3.0]])
every_structure = pytest.mark.parametrize("structure", ["full", "tied", "diag", "spherical"])


def moments():
    """Return posterior means and, about them, scatter matrices that include the pull of the prior mean."""
    means = (2.0 * MEANS_PRIOR + SHARES.T @ ROWS) / (2.0 + COUNTS)[:, None]
    scatters = []
    for k, mean in enumerate(means):
        centred, pull = ROWS - mean, mean - MEANS_PRIOR[k]
        scatters.append((centred * SHARES[:, k, None]).T @ centred + 2.0 * np.outer(pull, pull))
    return means, np.array(scatters)


@every_structure
def test_with_a_prior_it_keeps_the_laws_of_families(structure):
    check_family(Gaussian(structure, prior=GaussianPrior(1.0, 3.0, 2.0, 7.0)), ROWS)


def test_the_m_step_is_the_one_of_hmmlearn():
    # The formulas of hmmlearn 0.3 for covars_prior given as matrices or variances and covars_weight = 6:
    # (covars_prior + scatter) / (max(covars_weight - n_features, 0) + counts), or with 1 for n_features if diagonal.
    means, scatters = moments()
    wishart = np.array([[0.5, 0.1], [0.1, 40.0]])
    variances = np.array([0.5, 40.0])
    full = (wishart + scatters) / (4.0 + COUNTS)[:, None, None]
    cases = {
        "full": (wishart, full),
        "tied": (wishart, (wishart + scatters.sum(axis=0)) / (4.0 + COUNTS.sum())),
        "diag": (variances, (np.diagonal(scatters, axis1=1, axis2=2) + variances) / (5.0 + COUNTS)[:, None]),
        "spherical": (3.0, (np.trace(scatters, axis1=1, axis2=2) / 2 + 3.0) / (5.0 + COUNTS)),
    }
    for structure, (covars_prior, expected) in cases.items():
        family = Gaussian(structure, prior=GaussianPrior(MEANS_PRIOR, 2.0, covars_prior, 6.0))
        params = family.fit(ROWS, SHARES)
        np.testing.assert_allclose(params.means, means, rtol=1e-11)
        np.testing.assert_allclose(params.covariances, expected, rtol=1e-10)


def test_the_log_prior_is_the_normal_inverse_wishart_density():
    wishart = np.array([[0.5, 0.1], [0.1, 40.0]])
    family = Gaussian("full", prior=GaussianPrior(MEANS_PRIOR, 2.0, wishart, 9.0))
    one, other = (family.fit(ROWS, shares) for shares in (SHARES, SHARES[::-1]))

    def log_density(params):
        total = 0.0
        for mean, centre, covariance in zip(params.means, MEANS_PRIOR, params.covariances, strict=True):
            total += stats.multivariate_normal(centre, covariance / 2.0).logpdf(mean)
            # Weight 9 less two columns is 7 times log det; of it the normal has 1, the Wishart df + 3.
            total += stats.invwishart(3, wishart).logpdf(covariance)
        return total

    found, expected = family.log_prior(one) - family.log_prior(other), log_density(one) - log_density(other)
    assert found == pytest.approx(expected, rel=1e-9)


def test_a_strong_prior_holds_up_what_the_data_cannot():
    family = Gaussian("full", floor=0.0, prior=GaussianPrior(covars_prior=np.eye(2) * 4.0, covars_weight=4.0))
    params = family.fit(ROWS[:1], np.ones((1, 1)))
    np.testing.assert_allclose(params.covariances[0], np.eye(2) * 4.0 / (1.0 + 2.0), rtol=1e-12)


def test_priors_compare_hash_and_refuse_nonsense():
    assert GaussianPrior([[0.0, 1.0]], 2.0) == GaussianPrior(np.array([[0.0, 1.0]]), 2)
    assert hash(GaussianPrior([[0.0, 1.0]], 2.0)) == hash(GaussianPrior(((0.0, 1.0),), 2.0))
    with pytest.raises(ValueError, match="means_weight must be at least 0; found -1"):
        GaussianPrior(0.0, -1.0)
    with pytest.raises(ValueError, match=r"means_prior must be a number or of the shape \(2, 2\); found .*\(3,\)"):
        Gaussian(prior=GaussianPrior([0.0, 0.0, 0.0], 1.0)).fit(ROWS, SHARES)

"""Data augmentation against closed forms, brute force and direct simulation of the posterior."""

import numpy as np
import pytest
from emkit_mvn import MultivariateNormal
from emkit_mvn.kernels.conditional import Conditional
from emkit_mvn.kernels.rows import incomplete_rows
from emkit_mvn.multiple.augmentation import Augmentation
from emkit_mvn.multiple.imputation import multiple_imputation
from emkit_mvn.multiple.posterior import noninformative
from sample_moments import assert_same_moments
from scipy import stats

import emkit


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def drawn_moments(x, params, rng, n):
    """Sums of completed residuals and of their products, gaps drawn row by row."""
    conditional = Conditional.of(params.mean, params.covariance)
    residuals = [conditional.draw(x, rng) - params.mean for _ in range(n)]
    return [np.append(r.sum(axis=0), (r.T @ r).ravel()) for r in residuals]


def chain_moments(x, weights, params, rng, n):
    augmentation = Augmentation.of(incomplete_rows(x, weights), noninformative(x.shape[1]))
    scale = augmentation.units.scale
    state = augmentation.standardised(params.mean, params.covariance)
    moments = (augmentation.completed_moments(*state, rng) for _ in range(n))
    return [np.append(a * scale, (b * np.outer(scale, scale)).ravel()) for a, b in moments]


def table_with_all_kinds_of_patterns(rng):
    """Patterns of many rows, of few more than are kept, of one row; with few gaps and with many; without gaps."""
    x = rng.standard_normal((120, 4)) @ rng.standard_normal((4, 4)) + [0, 10, -5, 3]
    x[:50, 1] = np.nan
    x[50:73, [0, 2, 3]] = np.nan
    x[73:80, [0, 1]] = np.nan
    x[80, [2, 3]] = np.nan
    x[81] = np.nan
    return x


def test_sums_of_products_of_compressed_rows_are_distributed_as_those_of_the_rows(rng):
    x = table_with_all_kinds_of_patterns(rng)
    params = emkit.fit(MultivariateNormal(), x).params
    kept = x[~np.isnan(x).all(axis=1)]
    assert_same_moments(chain_moments(x, None, params, rng, 4000), drawn_moments(kept, params, rng, 2000))


def test_a_whole_weight_is_so_many_rows_with_gaps_of_their_own(rng):
    x = table_with_all_kinds_of_patterns(rng)[45:90]
    weights = rng.integers(0, 9, len(x))
    params = emkit.fit(MultivariateNormal(), (x, weights)).params
    repeated = np.repeat(x, weights, axis=0)
    repeated = repeated[~np.isnan(repeated).all(axis=1)]
    assert_same_moments(chain_moments(x, weights, params, rng, 4000), drawn_moments(repeated, params, rng, 2000))


def test_one_column_has_the_student_t_as_posterior_predictive(rng):
    """With r seen cells: t with r - 1 degrees of freedom, at their mean, of scale s sqrt(1 + 1 / r)."""
    x = np.full((14, 1), np.nan)
    x[:8, 0] = [1.0, 3.0, 4.0, 4.5, 6.0, 7.0, 11.0, 12.0]
    seen = x[:8, 0]
    imputations = multiple_imputation(x, 1500, random_state=3)
    predictive = stats.t(7, seen.mean(), seen.std(ddof=1) * np.sqrt(1 + 1 / 8))
    assert stats.kstest([table[9, 0] for table in imputations], predictive.cdf).pvalue > 0.01
    means = [params.mean[0] for params in imputations.params]
    assert stats.kstest(means, stats.t(7, seen.mean(), seen.std(ddof=1) / np.sqrt(8)).cdf).pvalue > 0.01
    variances = [params.covariance[0, 0] for params in imputations.params]
    assert stats.kstest(seen.var(ddof=1) * 7 / np.array(variances), stats.chi2(7).cdf).pvalue > 0.01


def bivariate_posterior(x, n, rng):
    """Draws of (mean_1, covariance_01, covariance_11) where column 0 is complete, column 1 seen in r rows.

    With Jeffreys' prior det ** (-3/2) the posterior factors: variance_00 is a scaled inverse chi-squared of n - 2
    degrees of freedom, the residual variance of the regression one of r - 1.
    """
    seen = x[~np.isnan(x[:, 1])]
    total, r = len(x), len(seen)
    design = np.column_stack([np.ones(r), seen[:, 0]])
    least_squares, rest = np.linalg.lstsq(design, seen[:, 1], rcond=None)[:2]
    v00 = ((x[:, 0] - x[:, 0].mean()) ** 2).sum() / rng.chisquare(total - 2, n)
    residual = rest[0] / rng.chisquare(r - 1, n)
    m0 = x[:, 0].mean() + rng.standard_normal(n) * np.sqrt(v00 / total)
    root = np.linalg.cholesky(np.linalg.inv(design.T @ design))
    b0, b1 = (least_squares + np.sqrt(residual)[:, None] * (rng.standard_normal((n, 2)) @ root.T)).T
    return np.column_stack([b0 + b1 * m0, b1 * v00, b1**2 * v00 + residual])


def test_two_columns_have_the_posterior_that_direct_simulation_gives(rng):
    x = rng.standard_normal((12, 2)) @ [[1.0, 0.9], [0.0, 0.5]]
    x[7:, 1] = np.nan
    imputations = multiple_imputation(x, 1200, random_state=5, spacing=15)
    draws = np.array([[p.mean[1], p.covariance[0, 1], p.covariance[1, 1]] for p in imputations.params])
    direct = bivariate_posterior(x, 20_000, rng)
    for drawn, exact in zip(draws.T, direct.T, strict=True):
        assert stats.ks_2samp(drawn, exact).pvalue > 0.01

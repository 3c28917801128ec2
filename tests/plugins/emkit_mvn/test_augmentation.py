"""Data augmentation against closed forms, brute force and direct simulation of the posterior."""

from __future__ import annotations

import numpy as np
import pytest
from emkit_mvn import InverseWishart, MultivariateNormal, Ridge
from emkit_mvn.kernels.conditional import Conditional
from emkit_mvn.kernels.rows import incomplete_rows
from emkit_mvn.multiple.augmentation import Augmentation
from emkit_mvn.multiple.chain import WorstFunction
from emkit_mvn.multiple.imputation import multiple_imputation
from emkit_mvn.multiple.posterior import draw_posterior, noninformative, posterior_df, wishart_factors
from mvn_tables import AIRQUALITY, EMPLOYEE, MISSVALS
from scipy import stats

import emkit
from emkit.errors import ConvergenceWarning, DegenerateError


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def assert_same_moments(draws, others, z=4.5):
    """Means and standard deviations of two samples differ by less than z of their standard errors."""
    a, b = (np.reshape(sample, (len(sample), -1)) for sample in (draws, others))
    scale = np.sqrt(a.var(axis=0) / len(a) + b.var(axis=0) / len(b))
    assert (np.abs(a.mean(axis=0) - b.mean(axis=0)) <= z * scale + 1e-9 * np.abs(b).max()).all()
    spread = np.sqrt(1 / len(a) + 1 / len(b)) * np.sqrt(stats.kurtosis(b, fisher=False).max() / 4)
    same = b.std(axis=0) > 1e-9 * np.abs(b).max()
    np.testing.assert_allclose(a.std(axis=0)[same] / b.std(axis=0)[same], 1, atol=z * spread)


# The P-step.


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


# The I-step.


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


# The posterior.


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


def test_the_trace_is_correlated_as_the_rate_says():
    """In large samples the worst linear function is an autoregression whose coefficient is the rate of EM."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2000, 2)) @ [[1.0, 0.7], [0.0, 0.7]]
    x[rng.random(2000) < 0.7, 1] = np.nan
    imputations = multiple_imputation(x, 1, random_state=0, burn_in=5000)
    trace = imputations.trace
    assert len(trace) == 5000
    assert np.corrcoef(trace[1:], trace[:-1])[0, 1] == pytest.approx(imputations.rate, abs=0.05)
    assert trace.std() == pytest.approx(1, abs=0.15)


def test_the_worst_function_has_the_fraction_of_missing_information_that_is_the_rate():
    result = emkit.fit(MultivariateNormal(), EMPLOYEE, tol=0)
    worst = WorstFunction.of(result.model, result.params, incomplete_rows(EMPLOYEE))
    covariance = result.params.covariance
    product = worst.covariance @ covariance
    complete = (worst.mean @ covariance @ worst.mean + 2 * np.trace(product @ product)) / 20
    coefficients = np.concatenate([worst.mean, worst.covariance.ravel(), np.zeros(12)])
    observed = coefficients @ result.covariance(EMPLOYEE) @ coefficients
    assert 1 - complete / observed == pytest.approx(0.88504, abs=1e-4)
    assert complete / (1 - worst.rate) == pytest.approx(1, rel=1e-6)
    shift = np.array([1.0, 0.5, 2.0])
    assert worst(result.params.mean + shift, covariance) == pytest.approx(worst.mean @ shift)
    assert worst(result.params.mean, 1.1 * covariance) == pytest.approx(0.1 * np.trace(product))


def test_the_lengths_follow_from_the_rate():
    imputations = multiple_imputation(MISSVALS, 2, random_state=0)
    assert imputations.rate == pytest.approx(0.956, abs=0.001)
    assert imputations.spacing == int(np.ceil(np.log(0.05) / np.log(imputations.rate)))
    assert imputations.burn_in == 2 * imputations.spacing
    assert len(imputations.trace) == 3 * imputations.spacing
    assert multiple_imputation(AIRQUALITY, 2, random_state=0).spacing == 10


def test_imputations_too_much_alike_are_warned_of():
    with pytest.warns(ConvergenceWarning, match=r"0.885.* 2 steps leave an autocorrelation of 0.78"):
        multiple_imputation(EMPLOYEE, 2, spacing=2, random_state=0)

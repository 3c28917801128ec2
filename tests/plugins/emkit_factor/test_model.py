"""What the factor model computes, against the distributions themselves: brute force, derivatives, optimisation."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
from emkit_factor import FactorAnalysisModel, FactorAnalysisParams, InverseGamma
from scipy import optimize, stats
from sklearn.datasets import load_iris, load_wine

import emkit
from emkit.testing import check_model

NOISES = ("diagonal", "isotropic")


def with_gaps(x, share=0.2, seed=0):
    """Return data with cells missing at random, the first row empty and the second complete."""
    gaps = np.random.default_rng(seed).random(x.shape) < share
    gaps[0], gaps[1] = True, False
    return np.where(gaps, np.nan, x)


IRIS = with_gaps(load_iris().data)
WINE = with_gaps(load_wine().data)


def some_params(n_features, n_factors, noise="diagonal", seed=1):
    rng = np.random.default_rng(seed)
    n_variances = n_features if noise == "diagonal" else 1
    return FactorAnalysisParams(
        rng.standard_normal(n_features) + 3,
        rng.standard_normal((n_features, n_factors)),
        rng.uniform(0.2, 2.0, n_variances),
        rng.standard_normal(n_features),
        rng.uniform(0.5, 2.0, n_features) if noise == "diagonal" else np.full(n_features, 0.7),
    )


def covariance_of(params):
    return params.loadings @ params.loadings.T + np.diag(np.broadcast_to(params.noise_variances, params.mean.shape))


def brute_force_density(params, x):
    """Return the log-density of each row: a normal distribution of its observed cells."""
    covariance, density = covariance_of(params), np.zeros(len(x))
    for n, row in enumerate(x):
        seen = ~np.isnan(row)
        if seen.any():
            density[n] = stats.multivariate_normal(params.mean[seen], covariance[np.ix_(seen, seen)]).logpdf(row[seen])
    return density


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("n_factors", [1, 3])
def test_the_log_likelihood_is_that_of_the_observed_cells_of_every_row(noise, n_factors):
    model, params = FactorAnalysisModel(n_factors, noise), some_params(13, n_factors, noise)
    expected = brute_force_density(params, WINE[:60])
    np.testing.assert_allclose(model.log_density(params, WINE[:60]), expected, rtol=1e-10)
    assert model.e_step(params, WINE[:60]).log_likelihood == pytest.approx(expected.sum(), rel=1e-12)
    weights = np.random.default_rng(2).integers(0, 3, 60).astype(float)
    e_step = model.e_step(params, (WINE[:60], weights))
    assert e_step.log_likelihood == pytest.approx(weights @ expected, rel=1e-12)
    assert e_step.n_observations == weights[1:].sum()


def test_the_log_likelihood_is_exact_where_the_noise_nearly_vanishes():
    params = attrs.evolve(some_params(4, 2), noise_variances=[1e-9, 1e-9, 1.0, 1.0])
    x = params.mean + np.random.default_rng(0).standard_normal((5, 2)) @ params.loadings.T
    # With v -> 0 in two columns these determine the two factors; the others are independent given the factors.
    head, tail = params.loadings[:2], params.loadings[2:]
    factors = np.linalg.solve(head, (x[:, :2] - params.mean[:2]).T).T
    expected = stats.multivariate_normal(params.mean[:2], head @ head.T).logpdf(x[:, :2])
    expected += stats.norm(params.mean[2:] + factors @ tail.T, 1.0).logpdf(x[:, 2:]).sum(axis=1)
    np.testing.assert_allclose(FactorAnalysisModel(2).log_density(params, x), expected, atol=1e-6)


@pytest.mark.parametrize("noise", NOISES)
def test_the_posterior_and_the_imputed_cells_are_conditional_expectations(noise):
    model, params = FactorAnalysisModel(2, noise), some_params(13, 2, noise)
    posterior, filled = model.posterior(params, WINE), model.impute(params, WINE)
    covariance = covariance_of(params)
    for n in (0, 1, 7, 30):
        seen, row = ~np.isnan(WINE[n]), WINE[n]
        gain = np.linalg.solve(covariance[np.ix_(seen, seen)], np.c_[params.loadings, covariance][seen]).T
        shift = gain @ (row[seen] - params.mean[seen])
        np.testing.assert_allclose(posterior.means[n], shift[:2], rtol=1e-9, atol=1e-9)
        spread = np.eye(2) - gain[:2] @ params.loadings[seen]
        np.testing.assert_allclose(posterior.covariances[n], spread, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(filled[n], np.where(seen, row, params.mean + shift[2:]), rtol=1e-9)
    np.testing.assert_array_equal(filled[~np.isnan(WINE)], WINE[~np.isnan(WINE)])
    np.testing.assert_array_equal(filled[0], params.mean)


def brute_force_q(params, before, x):
    """Return the expected complete-data log-likelihood of params, with the factors expected at ``before``."""
    total = 0.0
    for row in x:
        seen = ~np.isnan(row)
        loadings, noise = before.loadings[seen], before.noise_variances[seen]
        spread = np.linalg.inv(np.eye(2) + loadings.T @ (loadings / noise[:, None]))
        mean = spread @ (loadings / noise[:, None]).T @ (row[seen] - before.mean[seen])
        residual = row[seen] - params.mean[seen] - params.loadings[seen] @ mean
        extra = np.einsum("jk,kl,jl->j", params.loadings[seen], spread, params.loadings[seen])
        variances = params.noise_variances[seen]
        total -= 0.5 * (np.log(variances) + (residual**2 + extra) / variances).sum()
    return total


def test_without_expansion_the_m_step_is_the_maximum_of_the_expected_log_likelihood():
    model, before = FactorAnalysisModel(2, is_expanded=False), some_params(4, 2)
    x = IRIS[1:40]
    after = model.m_step(before, model.e_step(before, x).statistics)
    top = brute_force_q(after, before, x)
    rng = np.random.default_rng(0)
    for _ in range(40):
        nearby = attrs.evolve(
            after,
            mean=after.mean + 1e-3 * rng.standard_normal(4),
            loadings=after.loadings + 1e-3 * rng.standard_normal((4, 2)),
            noise_variances=after.noise_variances * np.exp(1e-3 * rng.standard_normal(4)),
        )
        assert brute_force_q(nearby, before, x) < top


def test_the_expanded_m_step_puts_mean_and_covariance_of_the_factors_into_the_params():
    before, x = some_params(4, 2), IRIS[1:40]
    model = FactorAnalysisModel(2)
    statistics = model.e_step(before, x).statistics
    plain = attrs.evolve(model, is_expanded=False).m_step(before, statistics)
    expanded = model.m_step(before, statistics)
    posterior = model.posterior(before, x)
    mean = posterior.means.mean(axis=0)
    covariance = np.cov(posterior.means.T, bias=True) + posterior.covariances.mean(axis=0)
    np.testing.assert_allclose(expanded.mean, plain.mean + plain.loadings @ mean, rtol=1e-10)
    np.testing.assert_allclose(
        expanded.loadings @ expanded.loadings.T, plain.loadings @ covariance @ plain.loadings.T, rtol=1e-9
    )
    np.testing.assert_array_equal(expanded.noise_variances, plain.noise_variances)


def _numerical_gradient(function, params, field):
    value = getattr(params, field)
    gradient = np.zeros(value.shape)
    for index in np.ndindex(value.shape):
        step = np.zeros(value.shape)
        step[index] = 1e-5 * max(abs(value[index]), 0.1)
        ends = [function(attrs.evolve(params, **{field: value + sign * step})) for sign in (1, -1)]
        gradient[index] = (ends[0] - ends[1]) / (2 * step[index])
    return gradient


@pytest.mark.parametrize("noise", NOISES)
def test_scores_are_the_derivatives_of_the_log_likelihood(noise):
    model, params, x = FactorAnalysisModel(2, noise), some_params(4, 2, noise), IRIS[:30]
    weights = np.random.default_rng(4).integers(0, 3, 30).astype(float)
    score = model.complete_score(params, model.e_step(params, (x, weights)).statistics)
    rows = model.score_contributions(params, (x, weights))
    for field in ("mean", "loadings", "noise_variances"):
        expected = _numerical_gradient(lambda at: weights @ model.log_density(at, x), params, field)
        np.testing.assert_allclose(getattr(score, field), expected, rtol=1e-6, atol=1e-5)
        np.testing.assert_allclose(getattr(rows, field).sum(axis=0), getattr(score, field), rtol=1e-9, atol=1e-8)
    one = model.complete_score(params, model.e_step(params, x[5:6]).statistics)
    unweighted = model.score_contributions(params, x)
    np.testing.assert_allclose(unweighted.loadings[5], one.loadings, rtol=1e-9, atol=1e-12)
    assert not unweighted.loadings[0].any()


def _maximum(x, n_factors, noise):
    """Return the largest log-likelihood that a quasi-Newton method finds, with numerical derivatives."""
    n_features = x.shape[1]
    n_variances = n_features if noise == "diagonal" else 1
    location, scale = np.nanmean(x, axis=0), np.nanstd(x, axis=0)

    def params_of(vector):
        mean, loadings, logarithms = np.split(vector, [n_features, n_features * (1 + n_factors)])
        unit = scale if noise == "diagonal" else np.full(n_features, scale.mean())
        return FactorAnalysisParams(
            location + unit * mean,
            unit[:, None] * loadings.reshape(n_features, n_factors),
            unit[:n_variances] ** 2 * np.exp(logarithms),
        )

    def objective(vector):
        return -brute_force_density(params_of(vector), x).sum()

    rng = np.random.default_rng(0)
    size = n_features * (1 + n_factors) + n_variances
    return -optimize.minimize(objective, 0.5 * rng.standard_normal(size), method="L-BFGS-B").fun


@pytest.mark.parametrize(("columns", "noise"), [((0, 6, 8, 10), "diagonal"), ((0, 5, 6, 8, 10), "isotropic")])
def test_a_fit_with_gaps_reaches_what_direct_maximisation_reaches(columns, noise):
    x = WINE[1:40, columns]
    result = emkit.fit(FactorAnalysisModel(1, noise), x, n_starts=3, rng=0)
    assert result.converged
    assert result.log_likelihood == pytest.approx(_maximum(x, 1, noise), abs=2e-4)


@pytest.mark.parametrize(
    "model",
    [
        FactorAnalysisModel(1),
        FactorAnalysisModel(2, "isotropic"),
        FactorAnalysisModel(2, prior=InverseGamma(2.0, 0.3)),
        FactorAnalysisModel(2, free_loadings=np.tri(5, 2, dtype=bool)),
        FactorAnalysisModel(1, is_expanded=False),
    ],
    ids=["diagonal", "isotropic", "prior", "echelon", "plain"],
)
def test_the_laws_hold(model):
    report = check_model(model, WINE[:, :5])
    assert len(report.kept) >= 11


def test_a_prior_keeps_noise_variances_from_vanishing():
    x = load_iris().data
    model = FactorAnalysisModel(1, prior=InverseGamma(1.0, 0.1))
    result = emkit.fit(model, x)
    assert emkit.fit(FactorAnalysisModel(1), x).notes
    assert not result.notes
    assert result.objective == pytest.approx(result.log_likelihood + model.log_prior(result.params))

    def objective(at):
        return model.log_density(at, x).sum() + model.log_prior(at)

    gradient = _numerical_gradient(objective, result.params, "noise_variances") * x.var(axis=0)
    np.testing.assert_allclose(gradient, 0, atol=0.05)
    assert model.prior.log_density(np.array([0.05])) == pytest.approx(
        stats.invgamma(1.0, scale=0.1).logpdf(0.05) - stats.invgamma(1.0, scale=0.1).logpdf(1.0) - 0.1
    )


def test_a_column_that_a_replicate_does_not_see_keeps_its_params():
    model, params = FactorAnalysisModel(2), some_params(4, 2)
    x = np.array(IRIS[1:])
    x[:, 3] = np.nan
    after = model.m_step(params, model.e_step(params, x).statistics)
    for field in ("mean", "loadings", "noise_variances"):
        np.testing.assert_array_equal(getattr(after, field)[3], getattr(params, field)[3])
        assert (getattr(after, field)[:3] != getattr(params, field)[:3]).all()

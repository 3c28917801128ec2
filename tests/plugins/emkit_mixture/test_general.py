"""Mixtures of any family."""

from __future__ import annotations

import numpy as np
import pytest
from emkit_mixture import GaussianMixtureModel, MixtureModel

import emkit
from emkit import datasets
from emkit.errors import DegenerateError
from emkit.families import (
    Bernoulli,
    Categorical,
    Gamma,
    Gaussian,
    LinearRegression,
    Poisson,
    PoissonRegression,
    Product,
    StudentT,
)
from emkit.testing import check_model

FAITHFUL = datasets.old_faithful().values
DEATHS = datasets.london_times_deaths().values
RNG = np.random.default_rng(0)
Z = RNG.integers(2, size=300)
COUNTS = RNG.poisson(np.array([[2.0, 9.0], [8.0, 3.0]])[Z]).astype(float)
MIXED = np.column_stack([RNG.normal(4.0 * Z, 1.0), RNG.poisson(1 + 5 * Z), RNG.random(300) < 0.2 + 0.6 * Z])
COVARIATE = RNG.uniform(-1, 1, 300)
LINE = np.column_stack([np.where(Z, 3 * COVARIATE, -1 - COVARIATE) + RNG.normal(0, 0.3, 300), COVARIATE])

CASES = {
    "gaussian": (Gaussian("full"), FAITHFUL),
    "poisson": (Poisson(), COUNTS),
    "product": (Product([(0, Gaussian()), (1, Poisson()), (2, Bernoulli())]), MIXED),
    "regression": (LinearRegression(), LINE),
    "gamma": (Gamma(), RNG.gamma(np.where(Z, 2.0, 20.0))[:, None]),
}


@pytest.mark.parametrize("case", CASES)
def test_the_laws_hold(case):
    family, x = CASES[case]
    check_model(MixtureModel(2, family), x)


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
def test_gaussians_are_those_of_the_gaussian_mixture(kind):
    # -1130.2639601847 is the published maximum on Old Faithful with two full covariances.
    ours = emkit.fit(MixtureModel(2, Gaussian(kind)), FAITHFUL, tol=1e-10, rng=0)
    theirs = emkit.fit(GaussianMixtureModel(2, kind), FAITHFUL, tol=1e-10, rng=0)
    assert ours.log_likelihood == pytest.approx(theirs.log_likelihood, abs=1e-7)
    assert ours.n_parameters == theirs.n_parameters
    assert ours.bic == pytest.approx(theirs.bic, abs=1e-6)


def test_the_death_notices_have_their_published_maximum():
    result = emkit.fit(MixtureModel(2, Poisson()), (DEATHS[:, :1], DEATHS[:, 1]), tol=0, rng=0)
    assert result.log_likelihood == pytest.approx(-1989.9458598830, abs=1e-8)
    errors = result.standard_errors((DEATHS[:, :1], DEATHS[:, 1]))
    np.testing.assert_allclose(np.sort(errors.components.rates[:, 0]), [0.250478270, 0.350029711], rtol=1e-5)
    np.testing.assert_allclose(errors.weights, 0.194684299, rtol=1e-5)


def test_weights_are_repetitions():
    weights = np.arange(300) % 3
    weighted = emkit.fit(MixtureModel(2, Poisson()), (COUNTS, weights), tol=1e-12, rng=0)
    repeated = emkit.fit(MixtureModel(2, Poisson()), np.repeat(COUNTS, weights, axis=0), tol=1e-12, rng=0)
    assert weighted.log_likelihood == pytest.approx(repeated.log_likelihood, abs=1e-7)
    assert weighted.n_observations == repeated.n_observations


def test_rows_with_gaps_count_only_where_the_family_knows_gaps():
    x = COUNTS.copy()
    x[::7, 0] = np.nan
    plain = emkit.fit(MixtureModel(2, Poisson()), x, rng=0)
    assert plain.n_observations == np.count_nonzero(~np.isnan(x).any(axis=1))
    parts = emkit.fit(MixtureModel(2, Product([(0, Poisson()), (1, Poisson())])), x, rng=0)
    assert parts.n_observations == len(x)
    model = plain.model
    assert (model.posterior(plain.params, x)[0] == plain.params.weights).all()
    assert model.log_density(plain.params, x)[0] == 0
    np.testing.assert_allclose(model.posterior(plain.params, x).sum(axis=1), 1)


def test_simulated_data_keep_gaps_weights_and_covariates():
    x = LINE.copy()
    x[3] = np.nan
    model = MixtureModel(2, LinearRegression())
    params = emkit.fit(model, x, rng=0).params
    drawn, weights = model.simulate(params, (x, np.ones(300)), np.random.default_rng(0))
    np.testing.assert_array_equal(drawn[:, 1], x[:, 1])
    assert np.isnan(drawn[3]).all()
    assert (drawn[4:, 0] != x[4:, 0]).all()
    assert (weights == 1).all()


def test_a_family_without_sums_is_fitted_in_one_piece():
    y = np.random.default_rng(1).poisson(np.exp(np.where(Z, 1 + COVARIATE, 2.5 - COVARIATE)))
    x = np.column_stack([y, COVARIATE])
    model = MixtureModel(2, PoissonRegression())
    assert model.leaf_rows is None
    result = emkit.fit(model, x, rng=0, n_starts=3)
    assert result.converged
    np.testing.assert_allclose(np.sort(result.params.components.coefficients[:, 0]), [1.0, 2.5], atol=0.2)


@pytest.mark.parametrize("family", [StudentT(), Categorical(), Gaussian()])
def test_saved_results_come_back(family, tmp_path):
    x = COUNTS[:, :1]
    result = emkit.fit(MixtureModel(2, family), x, rng=0, max_iter=50)
    result.save(tmp_path / "result")
    back = emkit.load(tmp_path / "result")
    assert back.log_likelihood == result.log_likelihood
    assert back.model == result.model


@pytest.mark.parametrize("data", [np.full((5, 1), np.nan), (np.ones((5, 1)), np.zeros(5))])
def test_data_that_say_nothing_are_refused(data):
    with pytest.raises((DegenerateError, ValueError), match="Nothing was observed"):
        emkit.fit(MixtureModel(2, Poisson()), data)


def test_rows_of_weight_zero_do_not_shape_the_start():
    x = np.concatenate([COUNTS, np.full((5, 2), 1e6)])
    weighted = emkit.fit(MixtureModel(2, Poisson()), (x, np.r_[np.ones(300), np.zeros(5)]), tol=1e-10, rng=0)
    alone = emkit.fit(MixtureModel(2, Poisson()), COUNTS, tol=1e-10, rng=0)
    assert weighted.log_likelihood == pytest.approx(alone.log_likelihood, abs=1e-7)

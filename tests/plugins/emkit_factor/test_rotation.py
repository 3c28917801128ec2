"""Loadings that may be turned: one of all equivalent ones is shown, and what the information says of them."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
from emkit_factor import FactorAnalysisModel, InverseGamma
from scipy import stats
from sklearn.datasets import load_wine

import emkit
from emkit import information

TABLE = load_wine().data
TABLE[np.random.default_rng(0).random(TABLE.shape) < 0.2] = np.nan
WINE = load_wine().data[:, [0, 1, 2, 3, 4]].copy()
WINE[np.random.default_rng(5).uniform(size=WINE.shape) < 0.2] = np.nan


@pytest.mark.parametrize(
    "model",
    [
        FactorAnalysisModel(2, "isotropic"),
        FactorAnalysisModel(2, prior=InverseGamma(2.0, 0.3)),
        FactorAnalysisModel(2, prior=InverseGamma(3.0, 1.0)),
    ],
    ids=["isotropic", "prior", "stronger prior"],
)
def test_a_rotation_is_a_direction_that_changes_nothing(model):
    # Neither a saddle nor a maximum: what differences of the score show along it is their own rounding.
    result = emkit.fit(model, WINE, tol=1e-10, rng=0)
    found = information.verify(model, result.params, WINE)
    assert found.kind == "not determined"
    assert abs(found.smallest_eigenvalue) < 1e-6
    assert found.gap < 1e-8


@pytest.mark.parametrize("noise", ["diagonal", "isotropic"])
def test_canonical_loadings_are_the_same_distribution_from_any_rotation(noise):
    model = FactorAnalysisModel(3, noise)
    _, params = model.starts(TABLE, np.random.default_rng(1), 2)
    canonical = model.canonical(params)
    np.testing.assert_array_equal(canonical.noise_variances, params.noise_variances)
    np.testing.assert_allclose(
        canonical.loadings @ canonical.loadings.T, params.loadings @ params.loadings.T, rtol=1e-9
    )
    product = canonical.loadings.T @ (canonical.loadings / np.broadcast_to(params.noise_variances, 13)[:, None])
    np.testing.assert_allclose(product, np.diag(np.diag(product)), atol=1e-10)
    assert (np.diff(np.diag(product)) < 0).all()
    rotation = stats.ortho_group(3, seed=0).rvs()
    turned = model.canonical(attrs.evolve(params, loadings=params.loadings @ rotation))
    np.testing.assert_allclose(turned.loadings, canonical.loadings, rtol=1e-9, atol=1e-10)


def test_rotated_params_take_rotated_steps():
    model = FactorAnalysisModel(3)
    _, params = model.starts(TABLE, np.random.default_rng(1), 2)
    rotation = stats.ortho_group(3, seed=0).rvs()
    step = model.m_step(params, model.e_step(params, TABLE).statistics)
    turned = attrs.evolve(params, loadings=params.loadings @ rotation)
    other = model.m_step(turned, model.e_step(turned, TABLE).statistics)
    np.testing.assert_allclose(other.loadings, step.loadings @ rotation, rtol=1e-8, atol=1e-8)


def test_zeros_above_the_diagonal_give_the_loadings_standard_errors():
    x = TABLE[:, [0, 5, 6, 8, 10, 11]]
    free = emkit.fit(FactorAnalysisModel(2), x)
    model = FactorAnalysisModel(2, free_loadings=np.tri(6, 2, dtype=bool))
    fixed = emkit.fit(model, x, tol=1e-9)
    assert fixed.log_likelihood == pytest.approx(free.log_likelihood, abs=1e-5)
    assert fixed.n_parameters == free.n_parameters
    errors = fixed.standard_errors(x)
    assert (errors.loadings[model.free_loadings] > 0).all()
    assert errors.loadings[0, 1] == 0
    by_likelihood = fixed.standard_errors(x, method="likelihood")
    np.testing.assert_allclose(errors.loadings, by_likelihood.loadings, rtol=1e-3)
    with pytest.raises(ValueError, match="not positive definite"):
        free.standard_errors(x)

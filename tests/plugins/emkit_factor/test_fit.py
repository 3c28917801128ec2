"""What a fit takes and gives: steps, files, threads, memory, and data drawn from it."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from emkit_factor import FactorAnalysisModel, InverseGamma
from sklearn.datasets import load_wine

import emkit
from emkit import tree

NOISES = ("diagonal", "isotropic")
WINE = load_wine().data
WINE[np.random.default_rng(0).random(WINE.shape) < 0.2] = np.nan


def test_the_expanded_steps_lead_to_the_same_maximum_in_fewer_steps():
    x = WINE / np.nanstd(WINE, axis=0)
    for noise in NOISES:
        plain, expanded = (
            emkit.fit(FactorAnalysisModel(2, noise, is_expanded=flag), x, accelerate=None) for flag in (False, True)
        )
        assert expanded.log_likelihood == pytest.approx(plain.log_likelihood, abs=1e-5)
        assert expanded.n_e_steps <= plain.n_e_steps
    # In units that differ by a factor of a thousand the loadings must grow far, which plain EM does in tiny steps.
    slow, fast = (
        emkit.fit(FactorAnalysisModel(1, "isotropic", is_expanded=flag), WINE, accelerate=None, max_iter=2000)
        for flag in (False, True)
    )
    assert slow.n_e_steps == 2000
    assert fast.n_e_steps < 30
    assert fast.log_likelihood > slow.log_likelihood


def test_simulated_data_have_the_gaps_and_the_weights_of_the_data():
    model = FactorAnalysisModel(2)
    params = model.initialize(WINE, np.random.default_rng(0))
    weights = np.arange(len(WINE)) % 3
    x, kept = model.simulate(params, (WINE, weights), np.random.default_rng(0))
    np.testing.assert_array_equal(np.isnan(x), np.isnan(WINE))
    np.testing.assert_array_equal(kept, weights)
    assert isinstance(model.simulate(params, WINE, np.random.default_rng(0)), np.ndarray)


@pytest.mark.parametrize("noise", NOISES)
def test_samples_have_the_mean_and_the_covariance_of_the_params(noise):
    model = FactorAnalysisModel(2, noise)
    _, params = model.starts(WINE[:, :5], np.random.default_rng(0), 2)
    x = model.sample(params, 200_000, np.random.default_rng(0))
    covariance = params.loadings @ params.loadings.T + np.diag(np.broadcast_to(params.noise_variances, 5))
    deviations = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose((x.mean(axis=0) - params.mean) / deviations, 0, atol=0.015)
    units = np.outer(deviations, deviations)
    np.testing.assert_allclose(np.cov(x.T) / units, covariance / units, atol=0.02)


def test_a_result_with_zeros_and_a_prior_comes_back_from_its_file(tmp_path):
    model = FactorAnalysisModel(2, "isotropic", free_loadings=np.tri(4, 2, dtype=bool), prior=InverseGamma(2.0, 0.2))
    result = emkit.fit(model, WINE[:, :4], max_iter=5)
    result.save(tmp_path / "fit.emkit")
    back = emkit.load(tmp_path / "fit.emkit", model=FactorAnalysisModel)
    assert back.model == model
    np.testing.assert_array_equal(back.params.loadings, result.params.loadings)


def test_leaves_blocks_and_engines_do_not_matter():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((30_000, 8))
    x[rng.random(x.shape) < 0.1] = np.nan
    model = FactorAnalysisModel(2)
    _, params = model.starts(x, rng, 2)
    whole = model.e_step(params, x)
    parts = [model.e_step(params, part) for part in np.array_split(x, 7)]
    assert sum(part.log_likelihood for part in parts) == pytest.approx(whole.log_likelihood, rel=1e-12)
    for (_, one), *others in zip(*(tree.leaves(e.statistics) for e in (whole, *parts)), strict=True):
        np.testing.assert_allclose(sum(other for _, other in others), one, rtol=1e-9, atol=1e-6)
    # Three leaves on two threads, to the last bit.
    many = np.tile(x, (5, 1))
    serial, threads = (emkit.fit(model, many, params, max_iter=3, engine=engine) for engine in (None, 2))
    np.testing.assert_array_equal(serial.params.loadings, threads.params.loadings)


def test_far_more_columns_than_rows_need_little_memory():
    rng = np.random.default_rng(0)
    n_features = 20_000
    x = rng.standard_normal((24, 3)) @ rng.standard_normal((3, n_features)) + rng.standard_normal((24, n_features))
    x[rng.random(x.shape) < 0.1] = np.nan
    model = FactorAnalysisModel(3)
    tracemalloc.start()
    try:
        params = model.initialize(x, rng)
        rows = model.prepare(x)
        for _ in range(3):
            params = model.m_step(params, model.e_step(params, rows).statistics)
        copies_of_model = tracemalloc.get_traced_memory()[1] / x.nbytes
        result = emkit.fit(model, x)
        copies_of_fit = tracemalloc.get_traced_memory()[1] / x.nbytes
    finally:
        tracemalloc.stop()
    assert result.converged
    # A matrix of all pairs of columns would be 833 copies of the data. Most of what a fit holds is the driver's: the
    # params, a fifth of the data, at the last points.
    assert copies_of_model < 5
    assert copies_of_fit < 16

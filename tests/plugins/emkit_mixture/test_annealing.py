"""Deterministic annealing of Gaussian mixtures."""

from __future__ import annotations

import numpy as np
import pytest
from emkit_mixture import GaussianMixtureModel
from scipy.special import logsumexp

import emkit
from emkit import Annealing
from emkit.variants import Tempered

CENTRES = np.array([(i, j) for i in (-6.0, 0.0, 6.0) for j in (-6.0, 0.0, 6.0)])
X = (np.random.default_rng(1).standard_normal((40, 9, 2)) + CENTRES).reshape(-1, 2)


def test_temperature_one_is_the_plain_e_step_bit_for_bit():
    model = GaussianMixtureModel(3)
    params = model.initialize(X, np.random.default_rng(0))
    plain, tempered = model.e_step(params, X), model.e_step(params, X, temperature=1.0)
    assert plain.log_likelihood == tempered.log_likelihood
    assert (plain.statistics.second == tempered.statistics.second).all()


@pytest.mark.parametrize("structure", ["full", "tied", "diag", "spherical"])
def test_the_tempered_e_step_is_that_of_powers_of_the_densities(structure):
    model = GaussianMixtureModel(3, structure)
    params = model.initialize(X, np.random.default_rng(0))
    weights, temperature = np.linspace(0.5, 2, len(X)), 2.5
    log_joint = model._log_joint(params, X) / temperature
    log_density = logsumexp(log_joint, axis=1)
    tempered = model.e_step(params, (X, weights), temperature=temperature)
    assert tempered.log_likelihood == pytest.approx(temperature * (weights @ log_density), rel=1e-12)
    counts = weights @ np.exp(log_joint - log_density[:, None])
    np.testing.assert_allclose(tempered.statistics.counts, counts, rtol=1e-10)


@pytest.mark.parametrize("temperature", [1.2, 3.0])
def test_em_at_a_fixed_temperature_never_lowers_the_tempered_objective(temperature):
    model = Tempered(GaussianMixtureModel(4, start="random_from_data"), temperature)
    result = emkit.fit(model, X, rng=0, accelerate=None)
    assert (np.diff(result.objectives) > -1e-8).all()


def test_annealing_from_random_rows_finds_the_best_hill_more_often_than_plain_em():
    model = GaussianMixtureModel(9, "spherical", start="random_from_data")
    top = emkit.fit(GaussianMixtureModel(9, "spherical"), X, n_starts=5, rng=0).log_likelihood
    plain = [emkit.fit(model, X, rng=seed).log_likelihood for seed in range(8)]
    schedule = Annealing(start=3.0, factor=1.3)
    annealed = [emkit.anneal(model, X, rng=seed, schedule=schedule).log_likelihood for seed in range(8)]
    assert np.mean(np.array(plain) > top - 1e-2) <= 0.25
    assert np.mean(np.array(annealed) > top - 1e-2) >= 0.5

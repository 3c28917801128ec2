"""Gaussian mixtures with every accelerator: near enough to the top of their hill, by the 0.01-standard-error rule."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from emkit_mixture import GaussianMixtureModel

import emkit
from emkit import StepTolerance

METHODS = (None, "squarem", "anderson", "quasi_newton", "auto")
#: An estimate so many nats below its optimum is sqrt(2 * 5e-5), a hundredth of a standard error, away from it.
HUNDREDTH = 5e-5


def simulated(seed):
    """Return overlapping clusters of any size and number, a model for them and its start."""
    rng = np.random.default_rng(seed)
    n_components, n_features = int(rng.integers(2, 5)), int(rng.integers(1, 4))
    n_samples = int(rng.integers(60, 600))
    centres = rng.normal(size=(n_components, n_features)) * rng.choice([1.0, 2.0, 4.0])
    x = centres[rng.integers(0, n_components, n_samples)] + rng.normal(size=(n_samples, n_features))
    model = GaussianMixtureModel(n_components, ("full", "diag", "tied", "spherical")[seed % 4])
    return model, x, model.initialize(x, np.random.default_rng(seed))


CASES = [simulated(seed) for seed in range(20)]


@functools.cache
def fitted(accelerate):
    """Return a fit of every case; plain EM is not given all the time in the world."""
    return [emkit.fit(model, x, start, accelerate=accelerate, max_iter=3000) for model, x, start in CASES]


@pytest.mark.parametrize("accelerate", METHODS, ids=str)
def test_estimates_are_within_a_hundredth_of_a_standard_error(accelerate):
    converged = 0
    for (model, x, _), result in zip(CASES, fitted(accelerate), strict=True):
        if result.converged:
            # From there on, to the top of the same hill.
            top = emkit.fit(model, x, result.params, accelerate="anderson", tol=StepTolerance(1e-9), max_iter=3000)
            assert top.log_likelihood - result.log_likelihood <= HUNDREDTH
            converged += 1
    # One of them takes plain EM more than 10 000 steps.
    assert converged >= {None: 17, "auto": 20}.get(accelerate, 19)


@pytest.mark.parametrize("accelerate", METHODS, ids=str)
def test_histories_do_not_fall(accelerate):
    for result in fitted(accelerate):
        assert (np.diff(result.objectives) >= -1e-10 * (1 + abs(result.objective))).all()


def test_auto_is_never_slower_than_plain_em_and_on_average_faster():
    plain, auto = (np.array([result.n_e_steps for result in fitted(method)]) for method in (None, "auto"))
    # One E-step more than EM is a rejection at the very end of a short fit.
    assert (auto <= 1.05 * plain + 1).all()
    assert np.exp(np.mean(np.log(plain / auto))) >= 2

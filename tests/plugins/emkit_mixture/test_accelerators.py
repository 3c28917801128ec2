"""Gaussian mixtures with every accelerator: near enough to the top of their hill, by the 0.01-standard-error rule."""

from __future__ import annotations

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


@pytest.mark.parametrize("accelerate", METHODS, ids=str)
def test_estimates_are_within_a_hundredth_of_a_standard_error(accelerate):
    for model, x, start in CASES:
        result = emkit.fit(model, x, start, accelerate=accelerate)
        further = emkit.fit(
            model, x, result.params, accelerate="anderson", tol=StepTolerance(1e-9), max_iter=3000, on_decrease="ignore"
        )
        assert result.converged
        assert further.log_likelihood - result.log_likelihood <= HUNDREDTH


@pytest.mark.parametrize("accelerate", METHODS[1:])
def test_histories_do_not_fall(accelerate):
    for model, x, start in CASES:
        objectives = emkit.fit(model, x, start, accelerate=accelerate).objectives
        assert (np.diff(objectives) >= -1e-10 * (1 + abs(objectives[-1]))).all()


def test_auto_is_never_slower_than_plain_em_and_on_average_faster():
    ratios = []
    for model, x, start in CASES:
        plain, auto = (emkit.fit(model, x, start, accelerate=method).n_e_steps for method in (None, "auto"))
        # One E-step more than EM is a rejection at the very end of a short fit.
        assert auto <= 1.05 * plain + 1
        ratios.append(plain / auto)
    assert np.exp(np.mean(np.log(ratios))) >= 2

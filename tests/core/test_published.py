"""The driver against published numbers."""

from __future__ import annotations

import numpy as np
import pytest
from toys import (
    DEATHS,
    LINKAGE_DATA,
    LINKAGE_OPTIMUM,
    SQUAREM_DEMO_START,
    TURNBULL_DATA,
    TURNBULL_OPTIMUM,
    Linkage,
    LinkageParams,
    PoissonMixture,
    PoissonMixtureParams,
    PoissonVector,
    Turnbull,
)

import emkit
from emkit import Status, StepTolerance

#: Dempster, Laird and Rubin 1977, JRSS B 39, Table 1, from 0.5. Two entries of the printed table are off by one in the
#: last place (iterates 2 and 4 to 7 print ...051, ...323, ...394); these are the exact iterates, rounded.
DLR_ITERATES = (
    0.5,
    0.608247423,
    0.624321050,
    0.626488879,
    0.626777322,
    0.626815632,
    0.626820719,
    0.626821394,
    0.626821484,
)

#: Stationary to 1e-15; agrees with R's SQUAREM, turboEM and daarem packages on the same data.
POISSON_OPTIMUM = np.array([0.35988539698495, 1.25609510122437, 2.66340435663249])
POISSON_LOG_LIKELIHOOD = -1989.9458598829644
POISSON_RATE = 0.99566622


def _unlabelled(params):
    """Return (p, lambda_1, lambda_2) with the smaller rate first."""
    p, one, two = params
    return np.array([p, one, two]) if one < two else np.array([1 - p, two, one])


def test_linkage_repeats_the_nine_published_iterates():
    points = emkit.iterate(Linkage(), LINKAGE_DATA, LinkageParams(0.5))
    found = [point.params.theta for _, point in zip(range(9), points, strict=False)]
    np.testing.assert_allclose(found, DLR_ITERATES, rtol=0, atol=1.1e-9)


@pytest.mark.parametrize("accelerate", [None, "squarem"])
def test_linkage_converges_to_the_root_of_its_likelihood_equation(accelerate):
    result = emkit.fit(Linkage(), LINKAGE_DATA, LinkageParams(0.5), tol=0, accelerate=accelerate)
    assert result.converged
    assert result.params.theta == pytest.approx(0.626821497870982, abs=2e-15)
    assert pytest.approx(0.626821497870982, abs=1e-15) == LINKAGE_OPTIMUM


def test_linkage_shows_the_published_rate():
    result = emkit.fit(Linkage(), LINKAGE_DATA, LinkageParams(0.5), accelerate=None, tol=StepTolerance(1e-9))
    thetas = [
        p.params.theta
        for _, p in zip(range(9), emkit.iterate(Linkage(), LINKAGE_DATA, LinkageParams(0.5)), strict=False)
    ]
    steps = np.diff(thetas)
    assert steps[-1] / steps[-2] == pytest.approx(0.132779, abs=1e-5)
    assert result.rate == pytest.approx(0.1328, abs=0.005)


def test_plain_em_takes_2909_map_evaluations_on_the_london_times_deaths():
    """The count of R's SQUAREM demonstration, fpiter() with tol = 1e-8."""
    result = emkit.fit(PoissonVector(), DEATHS, SQUAREM_DEMO_START, accelerate=None, tol=StepTolerance(1e-8))
    assert result.n_e_steps == 2909


def test_em_takes_530_steps_a_digit_on_the_london_times_deaths():
    counts = [
        emkit.fit(PoissonVector(), DEATHS, SQUAREM_DEMO_START, accelerate=None, tol=StepTolerance(tol)).n_e_steps
        for tol in (1e-7, 1e-8)
    ]
    assert counts[1] - counts[0] == pytest.approx(np.log(0.1) / np.log(POISSON_RATE), abs=1)


def test_squarem_takes_at_most_110_on_the_london_times_deaths():
    result = emkit.fit(PoissonVector(), DEATHS, SQUAREM_DEMO_START, tol=StepTolerance(1e-8))
    assert result.converged
    assert result.n_e_steps <= 110


@pytest.mark.parametrize("accelerate", [None, "squarem"])
def test_the_london_times_deaths_have_their_published_optimum(accelerate):
    result = emkit.fit(PoissonVector(), DEATHS, SQUAREM_DEMO_START, tol=0, accelerate=accelerate)
    assert result.converged
    assert result.log_likelihood == pytest.approx(POISSON_LOG_LIKELIHOOD, abs=1e-9)
    np.testing.assert_allclose(_unlabelled(result.params), POISSON_OPTIMUM, rtol=1e-9)


def test_declared_params_reach_the_same_optimum_in_far_fewer_steps_than_em():
    start = PoissonMixtureParams(
        SQUAREM_DEMO_START[0] + np.array([0.0, 1 - 2 * SQUAREM_DEMO_START[0]]), SQUAREM_DEMO_START[1:]
    )
    result = emkit.fit(PoissonMixture(), DEATHS, start, tol=StepTolerance(1e-8))
    assert result.log_likelihood == pytest.approx(POISSON_LOG_LIKELIHOOD, abs=1e-9)
    assert result.n_e_steps <= 200


def test_a_hundred_starts_on_the_london_times_deaths_all_arrive():
    rng = np.random.default_rng(0)
    counts = []
    for _ in range(100):
        start = np.array([rng.uniform(0.05, 0.95), *rng.uniform(0, 6, 2)])
        result = emkit.fit(PoissonVector(), DEATHS, start, tol=StepTolerance(1e-8))
        assert result.converged
        assert result.log_likelihood == pytest.approx(POISSON_LOG_LIKELIHOOD, abs=1e-9)
        assert (np.diff(result.objectives) >= -1e-10 * 1990).all()
        counts.append(result.n_e_steps)
    assert np.median(counts) <= 115


def test_the_default_stops_within_a_hundredth_of_a_standard_error_on_the_slow_poisson_mixture():
    """Standard errors .194684 .350030 .250478 by complex-step Hessian, Louis and supplemented EM alike."""
    errors = np.array([0.194684299, 0.350029711, 0.250478270])
    rng = np.random.default_rng(1)
    for _ in range(50):
        start = np.array([rng.uniform(0.05, 0.95), *rng.uniform(0, 6, 2)])
        result = emkit.fit(PoissonVector(), DEATHS, start)
        assert (np.abs(_unlabelled(result.params) - POISSON_OPTIMUM) / errors < 0.01).all()


class _WatchedTurnbull(Turnbull):
    def __init__(self):
        self.smallest = np.inf

    def e_step(self, params, data):
        self.smallest = min(self.smallest, params.min())
        return super().e_step(params, data)


def test_undeclared_probabilities_never_become_negative_in_200_starts():
    """Log-likelihood -58.0600219540 with its certificate: no direction of the simplex leads up."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        model = _WatchedTurnbull()
        result = emkit.fit(model, TURNBULL_DATA, rng.dirichlet(np.ones(14)))
        assert result.status is Status.CONVERGED
        assert model.smallest >= 0
        assert (np.diff(result.objectives) >= -1e-12 * 58).all()
        assert result.log_likelihood == pytest.approx(TURNBULL_OPTIMUM, abs=5e-6)


def test_turnbulls_estimate_is_certified_as_the_global_maximum():
    result = emkit.fit(Turnbull(), TURNBULL_DATA, np.full(14, 1 / 14), tol=0)
    slopes = (TURNBULL_DATA / (TURNBULL_DATA @ result.params)[:, None]).sum(axis=0) - len(TURNBULL_DATA)
    assert result.log_likelihood == pytest.approx(TURNBULL_OPTIMUM, abs=1e-10)
    assert slopes.max() < 1e-10

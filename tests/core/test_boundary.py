"""Estimates that creep towards a bound, or run away to infinity, are named, however the fit ended."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
from problems import FURTHER_PROBLEMS, PROBLEMS
from scipy.special import log_ndtr
from toys import Parabola

import emkit
from emkit import space


@attrs.frozen(eq=False)
class Variance:
    between: float = space.positive()


@attrs.frozen
class OneWay(emkit.LatentModel):
    """Group means with variance ``between + 1 / n``; where they scatter less than 1 / n, the estimate is zero.

    EM's step is then ``t - n (1 - n s) t**2 + ...`` for means of variance s: a sequence like 1 / k.
    """

    n: int = 10

    def e_step(self, params, means):
        variance = params.between + 1 / self.n
        share = params.between / variance
        total = np.sum((share * means) ** 2) + len(means) * params.between * (1 - share)
        density = -np.sum(means**2 / variance + np.log(2 * np.pi * variance)) / 2
        return emkit.EStep((total, len(means)), float(density), float(len(means)))

    def m_step(self, params, statistics):
        return Variance(float(statistics[0] / statistics[1]))


MEANS = np.random.default_rng(0).normal(size=20) * np.sqrt(0.06)


@pytest.mark.parametrize("accelerate", [None, "squarem", "anderson", "quasi_newton", "auto"])
@pytest.mark.parametrize("tol", [1e-6, 1e-10])
def test_a_variance_that_goes_to_zero_is_named_with_its_pace(accelerate, tol):
    result = emkit.fit(OneWay(), MEANS, Variance(1.0), accelerate=accelerate, tol=tol, max_iter=3000)
    (note,) = result.notes
    assert note.startswith("between = ")
    assert "on the way to a bound" in note
    assert result.converged == (accelerate is not None)


def test_the_pace_towards_zero_is_called_sublinear():
    (note,) = emkit.fit(OneWay(), MEANS, Variance(1.0), accelerate=None, max_iter=3000).notes
    assert "sublinear convergence" in note


def test_an_estimate_inside_its_space_is_not_named():
    assert emkit.fit(OneWay(), 2 * MEANS, Variance(1.0)).notes == ()


@attrs.frozen
class Shrinking(Parabola):
    def space(self, params):
        return space.Positive()


def test_a_linear_approach_is_named_without_a_pace():
    result = emkit.fit(Shrinking(0.5), None, np.array([1.0, 3.0]), accelerate=None, max_iter=20)
    (note,) = result.notes
    assert note.startswith("params[0] = ")
    assert "params[1]" in note
    assert " are on the way to a bound of the space: " in note


def test_an_approach_to_a_value_near_a_bound_is_not_named():
    result = emkit.fit(Shrinking(0.5, target=0.1), None, np.array([1.0]), accelerate=None, max_iter=20)
    assert result.notes == ()


class Steps(Shrinking):
    """Steps of 0.2, 0.1 and 0.09: if they went on as the last two do, zero would be reached and passed."""

    def m_step(self, params, statistics):
        return np.array([{1.0: 0.8, 0.8: 0.7, 0.7: 0.61}[float(params[0])]])


@pytest.mark.parametrize(("start", "max_iter"), [(1.0, 3), (0.8, 2)])
def test_the_first_steps_of_a_fit_that_was_cut_do_not_tell_where_they_lead(start, max_iter):
    result = emkit.fit(Steps(0.5), None, np.array([start]), accelerate=None, max_iter=max_iter)
    assert result.params[0] == 0.7
    assert result.notes == ()


def test_a_fit_of_one_e_step_has_nothing_to_tell():
    assert emkit.fit(Shrinking(0.5), None, np.array([1.0]), max_iter=1).notes == ()


@attrs.frozen(eq=False)
class Slopes:
    slopes: np.ndarray = space.real()


class Probit(emkit.LatentModel):
    """Signs of latent normal variables, regressed on given ones (Albert and Chib 1993, JASA 88:669)."""

    def e_step(self, params, data):
        x, signs = data
        mean = x @ params.slopes
        log_density = log_ndtr(signs * mean)
        latent = mean + signs * np.exp(-(mean**2) / 2 - log_density) / np.sqrt(2 * np.pi)
        return emkit.EStep((x.T @ x, x.T @ latent), float(log_density.sum()), float(len(x)))

    def m_step(self, params, statistics):
        return Slopes(np.linalg.solve(*statistics))


class ProbitWithPrior(Probit):
    def log_prior(self, params):
        return -float(params.slopes @ params.slopes) / 2

    def m_step(self, params, statistics):
        products, sums = statistics
        return Slopes(np.linalg.solve(products + np.eye(len(sums)), sums))


def signs_of(seed, overlap=False):
    rng = np.random.default_rng(seed)
    x = np.column_stack([np.ones(50), rng.standard_normal((50, 2))])
    signs = np.where(x[:, 1] > 0, 1.0, -1.0)
    if overlap:
        # One of the inner ones on the wrong side: no plane parts the signs, and the maximum is far out but finite.
        signs[np.argsort(np.abs(x[:, 1]))[12]] *= -1
    return x, signs


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("accelerate", ["auto", "squarem"])
def test_a_maximum_at_infinity_is_told(seed, accelerate):
    result = emkit.fit(Probit(), signs_of(seed), Slopes(np.zeros(3)), accelerate=accelerate, tol=1e-3)
    assert result.converged
    (note,) = result.notes
    assert "slopes[1] = " in note
    assert "the maximum lies at infinity, or very far off" in note


def test_the_look_at_infinity_costs_one_e_step_within_the_budget():
    cut = emkit.fit(Probit(), signs_of(0), Slopes(np.zeros(3)), tol=1e-3)
    spent = int(cut.history.n_e_steps[-1])
    assert cut.n_e_steps == spent + 1
    exact = emkit.fit(Probit(), signs_of(0), Slopes(np.zeros(3)), tol=1e-3, max_iter=spent)
    assert exact.converged
    assert exact.n_e_steps == spent
    assert exact.notes == ()


@pytest.mark.parametrize("tol", [1e-3, 1e-6])
@pytest.mark.parametrize(("model", "overlap"), [(Probit(), True), (ProbitWithPrior(), False)], ids=["overlap", "prior"])
def test_a_maximum_that_is_far_but_finite_is_not_told(model, overlap, tol):
    for seed in range(4):
        result = emkit.fit(model, signs_of(seed, overlap), Slopes(np.zeros(3)), tol=tol)
        assert result.converged
        assert result.notes == ()


def test_a_slow_way_to_a_finite_maximum_is_looked_at_and_not_told():
    model = Parabola(rates=1 - np.geomspace(2e-5, 0.5, 8), target=np.arange(1.0, 9.0))
    result = emkit.fit(model, None, np.full(8, 0.1), tol=1e-2)
    assert result.converged
    assert result.rate > 1 - 1e-4
    assert result.n_e_steps > result.history.n_e_steps[-1]
    assert result.notes == ()


@pytest.mark.parametrize("problem", [*PROBLEMS, *FURTHER_PROBLEMS], ids=lambda problem: problem.name)
def test_no_maximum_of_a_classical_problem_is_sought_at_infinity(problem):
    for tol in (1e-2, 1e-6):
        result = emkit.fit(problem.model, problem.data, problem.start, tol=tol)
        assert not any("infinity" in note for note in result.notes)


class Shares(Probit):
    """Proportions that rise by next to nothing, with an objective that would still rise beyond one."""

    def e_step(self, params, data):
        return emkit.EStep(params, float(params[0]), 1.0)

    def m_step(self, params, statistics):
        step = (0.9 - params[0]) * 1e-6
        return params + np.array([step, -step])

    def space(self, params):
        return space.Simplex()


def test_proportions_have_nowhere_to_run_to():
    result = emkit.fit(Shares(), None, np.array([0.5, 0.5]), accelerate=None, tol=1.0, max_iter=50)
    assert result.rate >= 1 - 1e-4
    assert not any("infinity" in note for note in result.notes)

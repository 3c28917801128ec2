"""An estimate that creeps towards a bound is named, however the fit ended."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
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


def test_a_fit_of_one_e_step_has_nothing_to_tell():
    assert emkit.fit(Shrinking(0.5), None, np.array([1.0]), max_iter=1).notes == ()

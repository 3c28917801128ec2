"""Roots of decreasing functions: where Newton's method alone would leave or cycle."""

import numpy as np

from emkit.families.roots import decreasing_roots


def solve(function, start, lower=-50.0, upper=50.0):
    evaluations = []

    def counted(points):
        evaluations.append(points)
        return function(points)

    ends = (np.full(len(start), end) for end in (lower, upper))
    return decreasing_roots(counted, np.asarray(start, dtype=float), *ends), len(evaluations)


def test_smooth_functions_are_solved_to_the_last_digits_in_few_steps():
    targets = np.array([-3.0, 0.1, 4.0])
    roots, n_evaluations = solve(lambda t: (np.exp(targets) - np.exp(t), -np.exp(t)), [0.0, 0.0, 3.0])
    assert np.allclose(roots, targets, rtol=1e-14, atol=1e-14)
    assert n_evaluations < 30


def test_a_function_on_which_newton_diverges_is_solved_by_halving():
    """Newton's steps on an arctangent grow from any start beyond 1.39."""
    roots, _ = solve(lambda t: (-np.arctan(t - 7), -1 / (1 + (t - 7) ** 2)), [40.0, -30.0])
    assert np.allclose(roots, 7.0, rtol=1e-14)


def test_a_function_without_a_root_inside_has_an_end_as_its_answer():
    roots, _ = solve(lambda t: (np.array([60.0, 3.0, -60.0]) - t, -np.ones(3)), np.zeros(3))
    assert roots.tolist() == [50.0, 3.0, -50.0]


def test_a_wrong_slope_costs_steps_and_no_digits():
    roots, _ = solve(lambda t: (2.0 - t, np.zeros_like(t)), [0.0])
    assert np.allclose(roots, 2.0, rtol=1e-14)

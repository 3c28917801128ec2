"""The slowest rate of EM is read off its points: exactly on a linear map, and never off rounding."""

from __future__ import annotations

import numpy as np
import pytest
from toys import DEATHS, PoissonVector

import emkit
from emkit.convergence.spectrum import slowest_rate

RATES = np.array([0.995, 0.7, 0.3])
AXES = np.array([[1.0, 0.3, 0.0], [0.2, 1.0, -0.4], [0.0, 0.5, 1.0]])
JACOBIAN = AXES @ np.diag(RATES) @ np.linalg.inv(AXES)


def step(x):
    return 1 + JACOBIAN @ (x - 1)


def anywhere(n, size=1.0):
    """Return points around the optimum at ones, and their images."""
    points = list(1 + size * np.random.default_rng(0).normal(size=(n, 3)))
    return points, [step(x) for x in points]


@pytest.mark.parametrize("size", [1.0, 1e-4, 1e-6])
def test_as_many_differences_as_entries_tell_the_slowest_rate_exactly(size):
    assert slowest_rate(*anywhere(4, size)) == pytest.approx(0.995, abs=1e-6)


def test_the_points_of_plain_em_tell_it_as_well():
    points = [np.array([3.0, -1.0, 0.5])]
    for _ in range(60):
        points.append(step(points[-1]))
    # After 60 steps the second mode is (0.7 / 0.995) ** 60 = 7e-10 of what it was, against the first.
    assert slowest_rate(points[-3:-1], points[-2:]) == pytest.approx(0.995, abs=2e-8)


def test_fewer_differences_tell_a_rate_between_the_smallest_and_the_largest():
    assert 0.3 < slowest_rate(*anywhere(2)) <= 0.996


def test_the_order_of_sizes_does_not_matter():
    """Accelerated steps shorten quickly: each difference is a thousand times shorter than the one before."""
    directions = np.random.default_rng(1).normal(size=(4, 3))
    points = [1 + 10.0 ** (-3 * k) * direction for k, direction in enumerate(directions)]
    assert slowest_rate(points, [step(x) for x in points]) == pytest.approx(0.995, abs=1e-5)


def test_differences_of_rounding_size_tell_nothing():
    points, images = anywhere(4, 1e-15)
    assert np.isnan(slowest_rate(points, images))


def test_rounding_beside_clear_differences_is_left_out():
    points, images = anywhere(4)
    noise = 1e-14 * np.random.default_rng(2).normal(size=(2, 3))
    last = points[-1]
    assert slowest_rate(
        [*points, last + noise[0], last + noise[1]], [*images, step(last), step(last)]
    ) == pytest.approx(0.995, abs=1e-6)


def test_one_short_difference_hides_no_direction():
    points, images = anywhere(4)
    last = points[-1] + 1e-9 * np.array([1.0, -1.0, 2.0])
    assert slowest_rate([*points, last], [*images, step(last)]) == pytest.approx(0.995, abs=1e-5)


def test_directions_that_repeat_each_other_are_taken_once():
    x = np.array([2.0, 1.0, 0.0])
    line = AXES[:, 1]
    points = [x, x + line, x + 3 * line, x - 2 * line]
    assert slowest_rate(points, [step(p) for p in points]) == pytest.approx(0.7, abs=1e-6)


def test_a_mode_in_which_em_moves_away_has_a_rate_above_one():
    points = [np.array([0.1, 0.2]), np.array([0.3, -0.1]), np.array([-0.2, 0.1])]
    growing = np.array([0.5, 1.2])
    assert slowest_rate(points, [growing * x for x in points]) == pytest.approx(1.2, rel=1e-9)


def test_a_rotation_has_its_modulus_as_its_rate():
    turn = 0.9 * np.array([[np.cos(0.1), -np.sin(0.1)], [np.sin(0.1), np.cos(0.1)]])
    points = [np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.array([0.5, -0.5])]
    assert slowest_rate(points, [turn @ x for x in points]) == pytest.approx(0.9, rel=1e-9)


@pytest.mark.parametrize("points", [[], [np.ones(2)], [np.zeros(0)] * 3, [np.ones(2)] * 3])
def test_too_few_points_tell_nothing(points):
    assert np.isnan(slowest_rate(points, points))


def test_the_rate_of_the_london_times_deaths_is_known_long_before_em_shows_it():
    """From (0.3, 1, 2.5) plain EM takes 2586 steps to 1e-8; six of its points are enough for its rate 0.99566622."""
    result = emkit.fit(PoissonVector(), DEATHS, np.array([0.3, 1.0, 2.5]), accelerate="quasi_newton")
    assert result.n_e_steps < 60
    assert result.rate == pytest.approx(0.99566622, abs=2e-4)

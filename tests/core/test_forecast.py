"""How long a fit still takes."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from toys import DEATHS, PoissonMixture

import emkit
from emkit.forecast import MEMORY, Forecast, describe_seconds, remaining_e_steps


def geometric(rate, n, first=1.0):
    """Return E-steps 1..n and the gaps of EM at that rate."""
    steps = np.arange(1, n + 1)
    return steps, first * rate ** (2.0 * (steps - 1))


@pytest.mark.parametrize("rate", [0.1, 0.9, 0.999])
def test_a_geometric_gap_reaches_the_tolerance_when_the_formula_says(rate):
    steps, gaps = geometric(rate, 6, first=5.0)
    tolerance = gaps[-1] * 1e-4
    expected = math.log(tolerance / gaps[-1]) / math.log(rate**2)
    assert remaining_e_steps(steps, gaps, tolerance) == pytest.approx(expected, rel=1e-9)


def test_acceleration_is_followed_at_its_own_pace():
    # Three E-steps for a tenth of the gap, at points an unequal number of E-steps apart.
    steps = np.array([4.0, 5, 7, 10, 11, 13])
    assert remaining_e_steps(steps, 10 ** (-steps / 3), 1e-9) == pytest.approx(27 - 13, rel=1e-9)


def test_points_without_a_gap_are_passed_over():
    steps, gaps = geometric(0.5, 8)
    gaps[[0, 3]] = np.inf, 0.0
    assert remaining_e_steps(steps, gaps, gaps[-1] / 16) == pytest.approx(2, rel=1e-9)


@pytest.mark.parametrize("n", [0, 1, 4])
def test_few_points_tell_nothing(n):
    assert math.isnan(remaining_e_steps(*geometric(0.5, n), 1e-9))


@pytest.mark.parametrize("gaps", [np.ones(6), np.arange(1.0, 7), np.array([9, 1, 9, 0.8, 8, 0.7]), np.full(6, np.inf)])
def test_gaps_that_do_not_clearly_shrink_tell_nothing(gaps):
    assert math.isnan(remaining_e_steps(range(6), gaps, 1e-9))


def test_a_tolerance_of_nothing_is_never_reached():
    assert math.isnan(remaining_e_steps(*geometric(0.5, 8), 0.0))


def test_beyond_the_tolerance_nothing_is_left():
    assert remaining_e_steps(*geometric(0.5, 8), 0.1) == 0.0


def test_plain_em_ends_when_forecast():
    result = emkit.fit(PoissonMixture(), DEATHS, rng=1, accelerate=None)
    history, last = result.history, result.n_e_steps
    for n in (last // 4, last // 2, 3 * last // 4):
        seen = slice(n - MEMORY, n)
        left = remaining_e_steps(history.n_e_steps[seen], history.gaps[seen], 1e-6)
        # The rate still grows a little in the first half; four checks must agree at the end.
        assert n + left == pytest.approx(last, rel=0.05)


def points(rate, n, seconds_each):
    for n_e_steps, gap in zip(*geometric(rate, n), strict=True):
        elapsed = 100.0 + seconds_each * n_e_steps
        yield emkit.Iterate(None, -1.0, -1.0, n_e_steps=int(n_e_steps), gap=float(gap), elapsed=elapsed)


def test_seconds_are_e_steps_times_the_time_of_one():
    forecast = Forecast(tolerance=1e-6)
    left = []
    for point in points(0.9, 30, 0.5):
        forecast.add(point)
        left.append(forecast.seconds_left())
    end = 1 + math.log(1e-6) / math.log(0.81)
    assert all(math.isnan(each) for each in left[:4])
    assert left[4:] == pytest.approx([0.5 * (end - n) for n in range(5, 31)], rel=1e-6)


def test_a_jump_of_the_forecast_is_smoothed():
    forecast, abrupt = Forecast(tolerance=1e-6), Forecast(tolerance=1e-6)
    *first, last = points(0.99, 12, 1.0)
    for point in first:
        forecast.add(point)
        abrupt.add(point)
        before = forecast.seconds_left()
    late = emkit.Iterate(None, -1.0, -1.0, n_e_steps=12, gap=last.gap, elapsed=last.elapsed + 11.0)
    for each in (forecast, abrupt):
        each.add(late)
    # A last step that took twelve seconds instead of one doubles the mean.
    now, sudden = forecast.seconds_left(), abrupt.seconds_left()
    assert sudden == pytest.approx(2 * (before - 1), rel=1e-6)
    assert now + 12 == pytest.approx(before + 0.3 * (sudden + 12 - before), rel=1e-6)


def test_what_one_climb_has_shown_says_nothing_about_the_next():
    forecast = Forecast(tolerance=1e-6)
    for point in itertools.chain(points(0.9, 30, 0.5), points(0.9, 4, 0.5)):
        forecast.add(point)
    assert math.isnan(forecast.seconds_left())


def test_without_a_tolerance_or_a_point_nothing_is_known():
    assert math.isnan(Forecast(tolerance=1e-6).seconds_left())
    forecast = Forecast(tolerance=None)
    for point in points(0.9, 30, 0.5):
        forecast.add(point)
    assert math.isnan(forecast.seconds_left())


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (math.nan, "unknown"),
        (0.0, "under 1 s"),
        (0.99, "under 1 s"),
        (12.4, "12 s"),
        (119.0, "119 s"),
        (120.0, "2 min"),
        (7199.0, "120 min"),
        (7200.0, "2 h"),
        (172_800.0, "2 d"),
    ],
)
def test_times_are_told_roughly(seconds, text):
    assert describe_seconds(seconds) == text

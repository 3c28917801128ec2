"""When to stop is judged by the gain that is left, on consecutive checks, and never by a fall."""

from __future__ import annotations

from itertools import pairwise

import attrs
import numpy as np
import pytest

from emkit.convergence import (
    GainTolerance,
    Standstill,
    Step,
    StepTolerance,
    Tolerance,
    as_tolerance,
    is_fall,
    rounding_floor,
)
from emkit.convergence.monitor import CHECKS, CLEAR, FALL_RTOL, MIN_STEPS, PATIENCE, ROUNDING

FLOOR = 1e-13


def step(length, gain, *, largest=None, objective=-10.0, floor=FLOOR):
    largest = length if largest is None else largest
    return Step(length=length, scaled=length, largest=largest, objective=objective, floor=floor, gain=gain)


def geometric(rate, first_step=1.0, gain_scale=1.0):
    """Yield the steps of a linear EM map: lengths shrink by the rate, gains by its square.

    The objective below its optimum after k steps is gain_scale * rate**(2 k).
    """
    k = 0
    while True:
        gain = None if k == 0 else gain_scale * (rate ** (2 * (k - 1)) - rate ** (2 * k))
        yield step(first_step * rate**k, gain), gain_scale * rate ** (2 * k)
        k += 1


def run(monitor, steps):
    """Return what the monitor answered to every step."""
    return [monitor.update(one) for one in steps]


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9, 0.999])
def test_the_gap_of_a_geometric_climb_is_exact_at_every_step(rate):
    monitor = GainTolerance(1e-12).begin()
    for (one, left), _ in zip(geometric(rate), range(15), strict=False):
        monitor.update(one)
        if one.gain is not None and one.gain > FLOOR:
            assert monitor.rate == pytest.approx(rate, rel=1e-12)
            assert monitor.gap == pytest.approx(left, rel=1e-7)


def test_a_geometric_climb_stops_when_enough_checks_in_a_row_are_within_the_tolerance():
    monitor = GainTolerance(nats=1e-6, step=1.0).begin()
    within = 0
    for (one, left), _ in zip(geometric(0.9), range(200), strict=False):
        within += left <= 1e-6
        assert monitor.update(one) is (within == CHECKS)
        assert monitor.wants_plain is (within > 0)
        if within == CHECKS:
            break
    assert within == CHECKS


def test_a_small_last_gain_is_no_small_gap():
    # Each step gains a millionth, and a thousand times that is left.
    monitor = GainTolerance(nats=1e-6, step=1.0).begin()
    rate = 0.9995
    answers = run(monitor, [step(1e-5 * rate**k, 1e-6 * rate ** (2 * k)) for k in range(50)])
    assert not any(answers)
    assert monitor.gap == pytest.approx(1e-6 * rate**100 / (1 - rate**2), rel=1e-2)


def test_one_check_alone_does_not_stop():
    monitor = GainTolerance(1e-6).begin()
    small, large = 1e-9, 1.0
    gains = [small, large] * 20
    steps = [step(1e-6 * (0.5 + 0.1 * (k % 2)), gain) for k, gain in enumerate(gains)]
    assert not any(run(monitor, steps))


def test_a_gap_within_the_tolerance_is_not_enough_while_the_step_is_large():
    steps = [one for (one, _), _ in zip(geometric(0.5, first_step=1e9, gain_scale=1e-20), range(20), strict=False)]
    assert not any(run(GainTolerance(1e-6, step=1e-4).begin(), steps))


def test_the_step_is_judged_by_the_field_that_moves_most():
    monitor = GainTolerance(1e-6, step=1e-4).begin()
    assert not any(run(monitor, [step(1e-9 * 0.5**k, 1e-9 * 0.25**k, largest=1.0) for k in range(20)]))


def test_the_largest_of_the_last_rates_counts():
    monitor = GainTolerance(1e-9).begin()
    run(monitor, [step(1.0, None), step(0.9, 1.0), step(0.09, 0.5), step(0.009, 0.1)])
    assert monitor.rate == pytest.approx(0.9)
    assert monitor.gap == pytest.approx(0.1 * 0.81 / 0.19)


def test_a_climb_that_does_not_slow_down_has_no_finite_gap():
    monitor = GainTolerance(1e9, step=1e9).begin()
    assert not any(run(monitor, [step(1.0, 1e-3) for _ in range(20)]))
    assert monitor.gap == np.inf


def test_before_any_gain_nothing_is_known():
    monitor = GainTolerance(1e9, step=1e9).begin()
    assert not any(run(monitor, [step(1e-30, None) for _ in range(50)]))
    assert np.isnan(monitor.rate)
    assert monitor.gap == np.inf


@pytest.mark.parametrize("gain", [-1.0, -1e-3, -1e-6])
def test_a_fall_is_never_convergence(gain):
    monitor = GainTolerance(1e-6).begin()
    assert not any(run(monitor, [step(1e-12, None), *(step(1e-12, gain) for _ in range(50))]))
    assert monitor.gap == np.inf


def test_a_fall_takes_back_what_the_checks_before_it_found():
    monitor = GainTolerance(1e-6).begin()
    good = [step(1e-9 * 0.5**k, 1e-12 * 0.25**k) for k in range(2 * CHECKS)]
    steps = [*good[:CHECKS], step(1e-10, -1.0), *good[CHECKS : 2 * CHECKS - 1]]
    assert not any(run(monitor, steps))


def test_a_missing_gain_between_two_checks_does_not_part_them():
    monitor = GainTolerance(1e-6).begin()
    steps = [step(1e-9, None)]
    for k in range(CHECKS):
        steps += [step(1e-10 * 0.1**k, 1e-13), step(5e-11 * 0.1**k, None)]
    answers = run(monitor, steps[:-1])
    assert answers == [False] * (len(answers) - 1) + [True]


@pytest.mark.parametrize("gain", [0.0, FLOOR / 2, -FLOOR / 2])
def test_steps_of_rounding_size_are_convergence_whatever_their_ratio(gain):
    monitor = GainTolerance(0.0).begin()
    answers = run(monitor, [step(1e-13, None), *(step(1e-13, gain) for _ in range(CHECKS))])
    assert answers == [False] * CHECKS + [True]


def test_gains_that_drown_in_rounding_are_told_by_the_steps():
    """The gain of a step is quadratic in its length: the last clear one tells those below the floor."""
    rate, monitor = 0.99, GainTolerance(1e-300).begin()
    for (one, left), _ in zip(geometric(rate), range(4000), strict=False):
        drowned = one.gain is not None and one.gain <= CLEAR * FLOOR
        monitor.update(step(one.length, FLOOR * np.sin(one.length * 1e9) if drowned else one.gain))
        if one.gain is not None and one.gain > 1e-25:
            assert monitor.gap == pytest.approx(left, rel=1e-3)


def test_slow_climbs_do_not_stop_where_their_gains_drown():
    """A hundred billion observations: gains are below rounding while a thousand nats are left."""
    monitor = GainTolerance(1e-6, step=1e9).begin()
    for (one, left), _ in zip(geometric(0.999, gain_scale=1e5), range(20_000), strict=False):
        if monitor.update(step(one.length, one.gain, floor=1e-3)):
            assert left < 2e-6
            return
    pytest.fail("never stopped")


def test_a_start_next_to_a_saddle_is_not_taken_for_an_optimum():
    """The steps shrink for a while, and the objective hardly rises; but the points show a mode that grows."""
    monitor = GainTolerance(1e-6).begin()
    fast, slow = 1e-3, 1e-7
    points = [np.array([fast * 0.3**k, slow * 1.05**k]) for k in range(MIN_STEPS + 11)]
    for k, (x, image) in enumerate(pairwise(points)):
        length = float(np.linalg.norm(image - x))
        told = attrs.evolve(step(length, None if k == 0 else length**2), x=x, image=image)
        assert not monitor.update(told)


def test_a_tolerance_below_the_floor_is_met_by_the_steps():
    monitor = GainTolerance(1e-300).begin()
    steps = [step(1e-6 * 0.1**k, 5 * FLOOR * 0.01 ** (k - 1)) for k in range(20)]
    steps[0] = step(1e-6, None)
    assert any(run(monitor, steps))


def test_params_that_move_while_the_objective_shows_rounding_stall():
    monitor = GainTolerance(1e-6).begin()
    run(monitor, [step(1.0, None)])
    for count in range(1, PATIENCE + 1):
        assert not monitor.is_stalled
        assert not monitor.update(step(1.0, 0.0))
        assert monitor.is_stalled == (count == PATIENCE)


def test_one_real_gain_starts_the_patience_anew():
    monitor = GainTolerance(1e-6).begin()
    run(monitor, [step(1.0, 0.0) for _ in range(PATIENCE)])
    run(monitor, [step(1.0, 1.0), *(step(1.0, 0.0) for _ in range(PATIENCE - 1))])
    assert not monitor.is_stalled


def test_step_tolerance_looks_at_the_length_in_natural_units_alone():
    monitor = StepTolerance(1e-8).begin()
    for length, stops in ((1.0, False), (1.01e-8, False), (1e-8, True)):
        one = Step(length=length, scaled=99.0, largest=99.0, objective=-1.0, floor=FLOOR, gain=None)
        assert monitor.update(one) is stops


def test_standstill_waits_for_a_step_of_the_last_places():
    eps = float(np.finfo(float).eps)
    monitor = Standstill().begin()
    assert run(monitor, [step(1e-10, 1.0), step(5 * eps, 1.0), step(4 * eps, 1.0)]) == [False, False, True]


def test_standstill_gives_up_when_steps_no_longer_shorten_and_the_objective_shows_rounding():
    monitor = Standstill(patience=5).begin()
    run(monitor, [step(1e-12, None)])
    answers = run(monitor, [step(2e-12, 0.0) for _ in range(6)])
    assert answers == [False] * 4 + [True] * 2


def test_standstill_is_no_rest_while_the_params_run_away():
    monitor = Standstill(patience=5).begin()
    assert not any(run(monitor, [step(1.0, None), *(step(1.0, 0.0) for _ in range(10))]))
    assert monitor.is_stalled


def test_standstill_does_not_give_up_while_the_objective_rises():
    monitor = Standstill(patience=5).begin()
    assert not any(run(monitor, [step(1e-3, 1.0) for _ in range(100)]))


def test_tolerance_zero_is_a_standstill_and_a_number_is_a_gain():
    assert as_tolerance(0) == Standstill()
    assert as_tolerance(1e-3) == GainTolerance(1e-3)
    assert as_tolerance(np.float64(1e-3)) == GainTolerance(1e-3)


def test_a_rule_is_taken_as_it_is():
    rule = StepTolerance(1e-3)
    assert as_tolerance(rule) is rule


def test_every_rule_begins_with_a_memory_of_its_own():
    for rule in (GainTolerance(), StepTolerance(), Standstill()):
        assert isinstance(rule, Tolerance)
        assert rule.begin() is not rule.begin()


@pytest.mark.parametrize("tol", [-1e-6, np.nan, np.inf, -np.inf, "small", None, [1e-6]])
def test_what_is_no_tolerance_is_refused_with_its_value(tol):
    with pytest.raises(ValueError, match="tol must be a number of nats") as caught:
        as_tolerance(tol)
    assert repr(tol) in str(caught.value)


def test_rounding_grows_with_the_objective_and_with_the_number_of_observations():
    assert rounding_floor(-100.0, None) == ROUNDING * 101
    assert rounding_floor(100.0, 1000.0) == ROUNDING * 1100


def test_a_fall_is_more_than_rounding():
    assert is_fall(-10.0, -10.1, FLOOR)
    assert not is_fall(-10.0, -10.0, FLOOR)
    assert not is_fall(-10.0, -9.0, FLOOR)
    assert not is_fall(-10.0, -10.0 - 5 * FALL_RTOL, FLOOR)
    assert is_fall(-10.0, -10.0 - 20 * FALL_RTOL, FLOOR)
    # Of 1e12 observations the terms of the sum alone round to this.
    assert not is_fall(-10.0, -10.0 - 1e-3, rounding_floor(-10.0, 1e12))

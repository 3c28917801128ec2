"""Starts that run side by side: the bits of starts in turn, one voice for the callback, one word to stop."""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import ProcessPoolExecutor

import attrs
import numpy as np
import pytest
from toys import DEATHS, Hills, PoissonMixture
from workers import MANY, DyingStarts, StartsHere

import emkit
from emkit import ShortRuns, Status
from emkit.errors import FitFailedError
from emkit.restarts import Shared, start

PLANS = [{}, {"short_runs": ShortRuns(5, 2)}, {"escapes": 1}, {"short_runs": ShortRuns(5, 3), "escapes": 1}]


@pytest.fixture(scope="module")
def processes():
    with ProcessPoolExecutor(2) as pool:
        yield pool


def fit(engine, model=None, data=DEATHS, **settings):
    settings = {"n_starts": 6, "rng": 1} | settings
    return emkit.fit(model or PoissonMixture(), data, engine=engine, **settings)


def assert_same_bits(one, other):
    assert one.starts == other.starts
    assert np.array_equal(one.objectives, other.objectives)
    assert np.array_equal(one.history.n_e_steps, other.history.n_e_steps)
    assert np.array_equal(one.params.rates, other.params.rates)
    assert one.notes == other.notes


@pytest.mark.parametrize("plan", PLANS, ids=str)
@pytest.mark.parametrize("engine", [2, 3, "processes"])
@pytest.mark.parametrize("data", [DEATHS, MANY], ids=["3 leaves", "16 leaves"])
def test_side_by_side_gives_the_bits_of_in_turn(engine, plan, data, processes):
    spread = fit(processes if engine == "processes" else engine, data=data, max_iter=60, **plan)
    assert_same_bits(fit(None, data=data, max_iter=60, **plan), spread)


class Meeting(PoissonMixture):
    """Every start waits until another one begins."""

    barrier = threading.Barrier(2)

    def initialize(self, data, rng):
        self.barrier.wait(timeout=20)
        return super().initialize(data, rng)


def test_starts_do_run_at_the_same_time():
    assert all(start.status is Status.CONVERGED for start in fit(2, Meeting()).starts)


def test_one_start_alone_has_its_e_steps_spread():
    names = set()

    class Watching(PoissonMixture):
        def e_step(self, params, data):
            names.add(threading.current_thread().name)
            return super().e_step(params, data)

    fit(2, Watching(), MANY, n_starts=1, max_iter=20)
    assert threading.main_thread().name not in names


@pytest.mark.parametrize(("n_starts", "in_turn"), [(2, True), (4, False)])
def test_what_keeps_more_workers_busy_is_what_is_spread(n_starts, in_turn):
    names = set()

    class Watching(PoissonMixture):
        def initialize(self, data, rng):
            names.add(threading.current_thread() is threading.main_thread())
            return super().initialize(data, rng)

    fit(4, Watching(), MANY, n_starts=n_starts, max_iter=5)
    assert names == {in_turn}


def test_the_callback_is_never_called_twice_at_once():
    inside, seen = [], {}

    def callback(point):
        inside.append(point)
        time.sleep(0.0005)
        assert inside.pop() is point
        assert not inside
        seen.setdefault(point.start, []).append(point.n_iter)

    result = fit(3, callback=callback, max_iter=30)
    assert sorted(seen) == list(range(6))
    assert all(steps == list(range(len(steps))) for steps in seen.values())
    assert len(result.starts) == 6


@attrs.frozen
class Slow(Hills):
    """Hills that take a hundred steps and a millisecond for each."""

    def initialize(self, data, rng):
        return {"hill": int(rng.integers(len(self.heights))), "x": np.array([1.0])}

    def e_step(self, params, data):
        time.sleep(0.001)
        return super().e_step(params, data)

    def m_step(self, params, statistics):
        return {"hill": params["hill"], "x": 0.999 * statistics["x"]}


def test_a_callback_that_stops_one_start_stops_all():
    stopped = []

    def stop(point):
        assert not stopped
        if point.n_iter == 20:
            stopped.append(point)
            raise StopIteration

    result = fit(3, Slow((-1.0,)), None, callback=stop, accelerate=None)
    assert {start.status for start in result.starts} == {Status.STOPPED_BY_CALLBACK}
    assert len(result.starts) == 3
    assert result.status is Status.STOPPED_BY_CALLBACK


def test_an_error_of_the_callback_ends_the_fit_and_is_passed_on_as_it_is():
    raised = ZeroDivisionError("mine")

    def callback(point):
        if point.n_iter == 20:
            raise raised

    with pytest.raises(ZeroDivisionError) as caught:
        fit(3, Slow((-1.0,)), None, callback=callback, accelerate=None)
    assert caught.value is raised
    assert not any(thread.name.startswith("emkit") for thread in threading.enumerate())


@pytest.fixture
def ctrl_c():
    """Let SIGINT raise KeyboardInterrupt, even where these tests run in the background and it is ignored."""
    if os.name != "posix":
        pytest.skip("signals to a thread are of Unix")
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, previous)


def press_ctrl_c():
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)


@attrs.frozen
class Pressing(Slow):
    """Ctrl-C is pressed once when a start is on its way."""

    pressed: list = attrs.field(factory=list)

    def e_step(self, params, data):
        if params["x"][0] < 0.95 and not self.pressed:
            self.pressed.append(True)
            press_ctrl_c()
        return super().e_step(params, data)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_ends_running_starts_at_their_next_point_and_keeps_what_they_found():
    result = fit(2, Pressing((-1.0,)), None, accelerate=None)
    assert [start.status for start in result.starts] == [Status.INTERRUPTED] * 2
    assert result.status is Status.INTERRUPTED
    assert -1.91 < result.objective < -1.0
    assert all(40 < start.n_e_steps < 400 for start in result.starts)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_is_passed_on_if_the_caller_wants_it():
    with pytest.raises(KeyboardInterrupt):
        fit(2, Pressing((-1.0,)), None, accelerate=None, on_interrupt="raise")
    assert not any(thread.name.startswith("emkit") for thread in threading.enumerate())


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_before_any_start_has_a_point_is_passed_on():
    class Early(Slow):
        def initialize(self, data, rng):
            press_ctrl_c()
            time.sleep(0.1)
            raise ValueError

    with pytest.raises(KeyboardInterrupt):
        fit(2, Early((-1.0,)), None)


def test_a_start_that_raises_is_no_others_business(processes):
    with pytest.raises(FitFailedError, match=r"All 6 starts of \w+ failed.*this is a worker"):
        fit(processes, StartsHere())
    assert fit(2, StartsHere()).converged


def test_in_turn_a_callback_is_heard_with_an_executor_of_processes(processes):
    seen = []
    result = fit(processes, StartsHere(), callback=seen.append)
    assert_same_bits(result, fit(None))
    assert len(seen) > result.n_iter


def test_starts_whose_worker_dies_run_here():
    with ProcessPoolExecutor(2) as pool:
        assert_same_bits(fit(pool, DyingStarts()), fit(None))


def test_no_start_begins_once_time_is_up():
    result = fit(2, Slow((-1.0,)), None, accelerate=None, max_time=0.1, n_starts=50)
    assert 1 <= len(result.starts) < 20
    assert {start.status for start in result.starts} == {Status.MAX_TIME}


def test_time_is_counted_by_the_clock_of_the_caller_even_on_another_machine(monkeypatch):
    shared = Shared(None, _settings(deadline=1000.0), is_alone=False, host="another machine", epoch=500.0)
    monkeypatch.setattr(start.time, "time", lambda: 5_000.0)
    monkeypatch.setattr(start.time, "monotonic", lambda: 4_000.0)
    # By the wall clock the deadline is 1000 + 500; here 4000 on the monotonic clock is 5000 on the wall.
    assert shared.local_settings().deadline == 500.0
    here = attrs.evolve(shared, host=start.platform.node())
    assert here.local_settings().deadline == 1000.0


def _settings(deadline):
    return emkit.point.Settings(
        tolerance=emkit.GainTolerance(),
        accelerator=None,
        max_iter=10,
        deadline=deadline,
        check_fall=True,
        return_on_interrupt=True,
        began=0.0,
    )

"""Short runs: every start runs a little, the best few go on from where they stood."""

from __future__ import annotations

import types

import attrs
import numpy as np
import pytest
from toys import DEATHS, Hills, PoissonMixture

import emkit
from emkit import ShortRuns, Status
from emkit.errors import DegenerateError

SIX = {"n_starts": 6, "rng": 4}


def fit(short_runs, **settings):
    return emkit.fit(PoissonMixture(), DEATHS, short_runs=short_runs, **SIX, **settings)


def test_all_run_a_little_and_the_best_go_on():
    result = fit(ShortRuns(n_e_steps=5, keep=2))
    after_five = [start.objective for start in fit(None, max_iter=5).starts]
    best = set(np.argsort(after_five)[-2:])
    for start in result.starts:
        if start.index in best:
            assert start.status is Status.CONVERGED
            assert start.n_e_steps > 6
        else:
            assert start.status is Status.SHORT_RUN
            assert start.message == "Ended after its short run: other starts were better."
            assert (start.n_e_steps, start.objective) == (5, after_five[start.index])
    assert result.converged


def test_a_start_that_goes_on_has_one_history_with_one_e_step_more():
    settings = {"accelerate": None, "tol": 1e-9}
    result = fit(ShortRuns(n_e_steps=7, keep=1), **settings)
    index = next(start.index for start in result.starts if start.status is Status.CONVERGED)
    paths = {}
    fit(None, **settings, callback=lambda point: paths.setdefault(point.start, []).append(point.objective))
    assert result.objectives.tolist() == paths[index][: len(result.objectives)]
    assert abs(len(result.objectives) - len(paths[index])) <= 10
    counts = result.history.n_e_steps
    assert counts[:6].tolist() == [1, 2, 3, 4, 5, 6]
    assert counts[6:].tolist() == list(range(8, 8 + len(counts) - 6))
    assert result.n_e_steps == counts[-1]
    assert (np.diff(result.history.seconds) >= 0).all()
    assert np.isfinite(result.history.step_lengths).all()


@pytest.mark.parametrize("accelerate", ["squarem", None])
def test_the_callback_sees_every_point_once_and_counts_go_on(accelerate):
    seen = {}
    result = fit(
        ShortRuns(n_e_steps=9, keep=1),
        accelerate=accelerate,
        callback=lambda point: seen.setdefault(point.start, []).append(point),
    )
    index = next(start.index for start in result.starts if start.status is Status.CONVERGED)
    assert [point.objective for point in seen[index]] == result.objectives.tolist()
    assert [point.n_iter for point in seen[index]] == list(range(result.n_iter + 1))
    counts = [point.n_e_steps for point in seen[index]]
    assert (np.diff(counts) > 0).all()
    assert counts[-1] == result.n_e_steps


def test_the_result_is_as_good_as_without_short_runs_for_less_work():
    full, short = fit(None), fit(ShortRuns(10, 2))
    assert short.objective == pytest.approx(full.objective, abs=1e-6)
    assert sum(start.n_e_steps for start in short.starts) < sum(start.n_e_steps for start in full.starts)


def test_one_e_step_compares_the_starting_params_themselves():
    starting = [start.objective for start in fit(None, max_iter=1).starts]
    result = fit(ShortRuns(n_e_steps=1, keep=1))
    assert result.objectives[0] == max(starting)
    assert [start.index for start in result.starts if start.status is Status.CONVERGED] == [np.argmax(starting)]


@pytest.mark.parametrize("short_runs", [ShortRuns(5, 6), ShortRuns(5, 100), ShortRuns(100_000, 1)])
def test_where_all_go_on_or_no_run_is_short_nothing_changes(short_runs):
    plain, short = fit(None), fit(short_runs)
    assert plain.starts == short.starts
    assert np.array_equal(plain.objectives, short.objectives)


def test_max_iter_bounds_both_legs_together():
    result = fit(ShortRuns(5, 2), max_iter=12)
    assert sorted(start.n_e_steps for start in result.starts) == [5, 5, 5, 5, 12, 12]
    assert result.status is Status.MAX_ITER


def test_a_start_that_ends_within_its_short_run_has_ended():
    # The hills' EM halves the distance with every step, so acceleration arrives at once.
    result = emkit.fit(Hills((-3.0, -1.0, -2.0)), None, n_starts=3, short_runs=ShortRuns(500, 1))
    assert {start.status for start in result.starts} == {Status.CONVERGED}
    assert result.params["hill"] == 1


@attrs.frozen
class Breaks(Hills):
    """The hills of these numbers are hollow near the top."""

    hollow: tuple = ()

    def m_step(self, params, statistics):
        if params["hill"] in self.hollow and params["x"][0] < 0.1:
            reason = "hollow"
            raise DegenerateError(reason)
        return super().m_step(params, statistics)


def test_if_what_went_on_comes_to_grief_the_next_best_goes_on():
    model = Breaks((-1.0, -2.0, -3.0, -4.0), hollow=(0, 1))
    result = emkit.fit(model, None, n_starts=4, short_runs=ShortRuns(2, 1), accelerate=None)
    expected = [Status.DEGENERATE, Status.DEGENERATE, Status.CONVERGED, Status.SHORT_RUN]
    assert [start.status for start in result.starts] == expected
    assert result.params["hill"] == 2
    assert result.converged


def test_a_failed_start_does_not_go_on():
    result = emkit.fit(Hills(("no room", -2.0, "no light")), None, n_starts=3, short_runs=ShortRuns(2, 2))
    assert [start.status for start in result.starts] == [None, Status.CONVERGED, None]
    assert [start.message for start in result.starts][::2] == ["ValueError: no room", "ValueError: no light"]


def test_when_time_ends_before_the_best_could_go_on_it_says_so(monkeypatch):
    clock = types.SimpleNamespace(now=0.0)
    fake = types.SimpleNamespace(monotonic=lambda: clock.now, time=lambda: clock.now)
    for room in ("climb.evaluation", "driver", "restarts.start"):
        monkeypatch.setattr(f"emkit.{room}.time", fake)

    @attrs.frozen
    class Takes(Hills):
        def e_step(self, params, data):
            clock.now += 1.0
            return super().e_step(params, data)

    model = Takes((-3.0, -1.0, -2.0))
    result = emkit.fit(model, None, n_starts=3, short_runs=ShortRuns(2, 1), max_time=5.5)
    assert [start.status for start in result.starts] == [Status.SHORT_RUN, Status.MAX_TIME, Status.SHORT_RUN]
    assert result.params["hill"] == 1
    assert result.status is Status.MAX_TIME


def test_a_callback_that_stops_a_short_run_stops_all_and_the_best_says_so():
    def stop(point):
        if point.start == 2:
            raise StopIteration

    result = emkit.fit(Hills((-3.0, -1.0, -2.0, -4.0)), None, n_starts=4, short_runs=ShortRuns(2, 1), callback=stop)
    stopped = Status.STOPPED_BY_CALLBACK
    assert [start.status for start in result.starts] == [Status.SHORT_RUN, stopped, stopped]
    assert result.params["hill"] == 1


def test_an_interrupt_of_the_second_leg_keeps_the_first():
    class Interrupted(Hills):
        n_calls = 0

        def e_step(self, params, data):
            type(self).n_calls += 1
            if self.n_calls == 7:
                raise KeyboardInterrupt
            return super().e_step(params, data)

    result = emkit.fit(Interrupted((-3.0, -1.0, -2.0)), None, n_starts=3, short_runs=ShortRuns(2, 1))
    assert [start.status for start in result.starts] == [Status.SHORT_RUN, Status.INTERRUPTED, Status.SHORT_RUN]
    assert result.n_e_steps == 2


@pytest.mark.parametrize("name", ["n_e_steps", "keep"])
def test_a_short_run_takes_at_least_one_step_and_keeps_at_least_one_start(name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1"):
        ShortRuns(**{name: 0})


def test_a_number_is_no_short_run():
    with pytest.raises(TypeError, match=r"short_runs must be emkit.ShortRuns\(n_e_steps, keep\) or None; it is 5"):
        fit(5)


def test_a_short_run_takes_a_whole_number_of_steps():
    with pytest.raises(ValueError, match=r"n_e_steps must be at least 1, and whole; it is 2\.5"):
        ShortRuns(n_e_steps=2.5)

"""Several starts: independent, isolated from each other's failures, all reported, the best one kept."""

from __future__ import annotations

import types

import attrs
import numpy as np
import pytest
from toys import DEATHS, Hills, Parabola, PoissonMixture, PoissonMixtureParams

import emkit
from emkit import Status
from emkit.errors import DegenerateError, FitFailedError
from emkit.restarts import Outcome, best_of, streams
from emkit.result import Start


def draws(rng, n):
    return [generator.random() for generator in streams(rng, n)]


@pytest.mark.parametrize("source", [0, 12345, np.random.SeedSequence(3), np.random.SeedSequence(3, spawn_key=(7,))])
def test_the_stream_of_a_start_does_not_depend_on_how_many_there_are(source):
    assert draws(source, 3) == draws(source, 10)[:3]


def test_the_stream_of_a_generators_start_does_not_depend_on_how_many_there_are():
    assert draws(np.random.default_rng(5), 3) == draws(np.random.default_rng(5), 10)[:3]


@pytest.mark.parametrize("source", [0, None, np.random.SeedSequence(3), np.random.default_rng(5)])
def test_no_two_starts_share_a_stream(source):
    assert len(set(draws(source, 50))) == 50


def test_streams_are_those_of_the_documented_seed_sequence():
    expected = np.random.default_rng(np.random.SeedSequence(42, spawn_key=(3,))).random()
    assert draws(42, 5)[3] == expected


def test_spawned_seed_sequences_give_other_streams_than_their_parent():
    parent = np.random.SeedSequence(3)
    assert not set(draws(parent, 5)) & set(draws(parent.spawn(1)[0], 5))


def test_without_a_seed_two_fits_differ():
    assert draws(None, 1) != draws(None, 1)


@pytest.mark.parametrize("rng", [7, np.random.SeedSequence(7)])
def test_the_same_seed_gives_the_same_result(rng):
    one, two = (emkit.fit(PoissonMixture(), DEATHS, rng=rng, n_starts=3) for _ in range(2))
    assert one.starts == two.starts
    assert np.array_equal(one.log_likelihoods, two.log_likelihoods)
    assert np.array_equal(one.params.rates, two.params.rates)


def test_a_generator_is_taken_and_moves_on():
    generator = np.random.default_rng(7)
    one, two = (emkit.fit(PoissonMixture(), DEATHS, rng=generator, max_iter=5) for _ in range(2))
    again = emkit.fit(PoissonMixture(), DEATHS, rng=np.random.default_rng(7), max_iter=5)
    assert one.log_likelihood != two.log_likelihood
    assert one.log_likelihood == again.log_likelihood


def test_the_best_start_is_the_result_and_every_start_is_reported():
    result = emkit.fit(Hills((-3.0, -1.0, -2.0)), None, n_starts=3)
    assert result.params["hill"] == 1
    assert result.objective == pytest.approx(-1.0, abs=1e-5)
    assert [start.index for start in result.starts] == [0, 1, 2]
    assert [round(start.objective, 4) for start in result.starts] == [-3.0, -1.0, -2.0]
    assert {start.status for start in result.starts} == {Status.CONVERGED}
    assert all(start.n_e_steps > 1 for start in result.starts)
    assert result.n_e_steps == result.starts[1].n_e_steps


def test_a_start_that_raises_is_recorded_and_the_others_go_on():
    result = emkit.fit(Hills(("no room", -1.0, "no light")), None, n_starts=3)
    assert result.params["hill"] == 1
    first, _, last = result.starts
    assert (first.status, first.message, first.objective) == (None, "ValueError: no room", -np.inf)
    assert last.message == "ValueError: no light"


def test_starts_that_fail_for_one_reason_are_told_once_with_their_number():
    with pytest.raises(FitFailedError) as caught:
        emkit.fit(Hills(("no room",) * 4), None, n_starts=4)
    assert str(caught.value) == "All 4 starts of Hills failed. ValueError: no room"
    with pytest.raises(FitFailedError) as caught:
        emkit.fit(Hills(("no room", "no light", "no room", "no light", "no light", "no air")), None, n_starts=6)
    assert str(caught.value) == (
        "All 6 starts of Hills failed. 3 starts (first 1): ValueError: no light; 2 starts (first 0): ValueError: no "
        "room; start 5: ValueError: no air"
    )


def test_of_many_reasons_the_most_frequent_are_told():
    with pytest.raises(FitFailedError, match=r"; and 3 more reasons$"):
        emkit.fit(Hills(tuple(f"reason {i}" for i in range(8))), None, n_starts=8)


def test_if_every_start_raises_the_error_tells_all_the_reasons():
    with pytest.raises(FitFailedError, match="All 3 starts of Hills failed") as caught:
        emkit.fit(Hills(("no room", "no light", "no time")), None, n_starts=3)
    for r, reason in enumerate(("no room", "no light", "no time")):
        assert f"start {r}: ValueError: {reason}" in str(caught.value)
    assert isinstance(caught.value.__cause__, ValueError)


def test_a_single_start_raises_its_own_error():
    with pytest.raises(ValueError, match=r"^no room$"):
        emkit.fit(Hills(("no room",)), None)


def test_a_start_that_is_not_finite_ranks_after_all_others():
    result = emkit.fit(Hills((np.nan, -50.0, np.inf)), None, n_starts=3)
    assert result.params["hill"] == 1
    assert [start.status for start in result.starts] == [Status.NONFINITE, Status.CONVERGED, Status.NONFINITE]


def test_a_degenerate_start_ranks_after_all_others_whatever_its_height():
    reason = "hill 0 is hollow"

    @attrs.frozen
    class Breaks(Hills):
        def m_step(self, params, statistics):
            if params["hill"] == 0 and params["x"][0] < 0.1:
                raise DegenerateError(reason)
            return super().m_step(params, statistics)

    result = emkit.fit(Breaks((100.0, -50.0)), None, n_starts=2, accelerate=None)
    assert result.params["hill"] == 1
    assert result.starts[0].status is Status.DEGENERATE
    assert result.starts[0].objective > 99
    assert "hollow" in result.starts[0].message


def test_a_start_that_rests_on_a_floor_ranks_after_those_that_do_not():
    result = emkit.fit(Hills((100.0, -50.0), floor=0.5), None, n_starts=2, tol=0)
    assert [start.rests_on_floor for start in result.starts] == [True, False]
    assert result.params["hill"] == 1


def test_if_all_starts_rest_on_a_floor_the_highest_is_kept_and_noted():
    result = emkit.fit(Hills((100.0,), floor=0.5), None, tol=0)
    assert result.starts[0].rests_on_floor
    assert any("rests on its floor" in note for note in result.notes)


def test_the_first_start_is_the_one_given():
    model = Hills((-5.0, -3.0, -4.0))
    given = {"hill": 2, "x": np.array([0.5])}
    result = emkit.fit(model, None, given, n_starts=3, rng=1)
    assert len(model.calls) == 2
    assert [round(start.objective) for start in result.starts] == [-4, -5, -3]
    assert result.params["hill"] == 1


def test_a_given_start_does_not_shift_the_streams_of_the_others():
    alone, beside = Hills((-5.0, -3.0, -4.0)), Hills((-5.0, -3.0, -4.0))
    emkit.fit(alone, None, n_starts=3, rng=1)
    emkit.fit(beside, None, {"hill": 2, "x": np.array([0.5])}, n_starts=3, rng=1)
    assert beside.calls == alone.calls[1:]


def test_an_interrupt_ends_the_starts_and_keeps_those_that_ended():
    model = Hills((-3.0, KeyboardInterrupt(), -1.0))
    result = emkit.fit(model, None, n_starts=3)
    assert result.params["hill"] == 0
    assert [start.status for start in result.starts] == [Status.CONVERGED, Status.INTERRUPTED]


def test_an_interrupt_of_the_first_start_is_passed_on():
    with pytest.raises(KeyboardInterrupt):
        emkit.fit(Hills((KeyboardInterrupt(), -1.0)), None, n_starts=2)


def test_an_interrupt_of_a_later_start_is_passed_on_if_the_caller_wants_it():
    with pytest.raises(KeyboardInterrupt):
        emkit.fit(Hills((-3.0, KeyboardInterrupt())), None, n_starts=2, on_interrupt="raise")


def test_a_callback_that_stops_ends_all_starts():
    def stop(point):
        if point.start == 1 and point.n_iter == 2:
            raise StopIteration

    result = emkit.fit(Hills((-3.0, -1.0, -2.0)), None, n_starts=3, callback=stop)
    assert [start.status for start in result.starts] == [Status.CONVERGED, Status.STOPPED_BY_CALLBACK]


def test_the_callback_knows_which_start_it_sees():
    seen = []
    emkit.fit(Hills((-3.0, -1.0)), None, n_starts=2, callback=lambda point: seen.append(point.start))
    assert seen == sorted(seen)
    assert set(seen) == {0, 1}


def test_no_start_begins_after_max_time(monkeypatch):
    clock = types.SimpleNamespace(now=0.0)
    fake = types.SimpleNamespace(monotonic=lambda: clock.now, time=lambda: clock.now)
    for room in ("climb.evaluation", "driver", "restarts.start"):
        monkeypatch.setattr(f"emkit.{room}.time", fake)

    @attrs.frozen
    class Takes(Hills):
        def e_step(self, params, data):
            clock.now += 1.0
            return super().e_step(params, data)

    result = emkit.fit(Takes((-3.0, -1.0, -2.0, -4.0)), None, n_starts=4, max_time=25.5)
    assert 1 < len(result.starts) < 4
    assert result.starts[-1].status is Status.MAX_TIME
    assert clock.now == pytest.approx(26.0)


def outcome(index, status, objective, *, ending="a point", on_floor=False):
    return Outcome(Start(index, status, objective, 1, "", on_floor), ending)


def test_outcomes_rank_from_sound_through_floored_and_degenerate_to_failed():
    ranking = [
        outcome(0, Status.CONVERGED, -2.0),
        outcome(1, Status.MAX_ITER, -3.0),
        outcome(2, Status.CONVERGED, 10.0, on_floor=True),
        outcome(3, Status.DEGENERATE, 50.0),
        outcome(4, Status.NONFINITE, np.nan),
        outcome(5, None, -np.inf, ending=None),
    ]
    for shift in range(len(ranking)):
        rotated = ranking[shift:] + ranking[:shift]
        assert [o.start.index for o in sorted(rotated, key=Outcome.rank)] == [0, 1, 2, 3, 4, 5]
    assert best_of(ranking[3:][::-1]).start.index == 3
    assert best_of(ranking[4:][::-1]).start.index == 4


def test_every_start_gets_its_own_stream_in_order():
    model = Hills((-3.0, -1.0, -2.0))
    emkit.fit(model, None, n_starts=3, rng=0)
    assert model.calls == draws(0, 3)


def test_many_starts_find_what_one_may_miss():
    # Two components in three: the objective reached is that of the best of ten separate fits.
    settings = {"max_iter": 200, "tol": 1e-4}
    result = emkit.fit(PoissonMixture(3), DEATHS, n_starts=10, rng=2, **settings)
    assert result.objective == max(start.objective for start in result.starts)
    assert isinstance(result.params, PoissonMixtureParams)


def test_one_start_is_the_default():
    assert len(emkit.fit(Parabola(0.5), None, np.ones(1)).starts) == 1


@attrs.frozen
class Together(PoissonMixture):
    """Spreads its starts over the range of the rates; ``asked`` notes how many were wanted."""

    asked: list = attrs.field(factory=list, eq=False)
    n_given: int = 100

    def starts(self, data, rng, n):
        self.asked.append(n)
        for upper in np.linspace(2.0, 5.0, min(n, self.n_given)):
            yield PoissonMixtureParams([0.5, 0.5], [rng.uniform(0.5, 1.0), upper])


def test_a_model_that_offers_starts_is_asked_once_for_all_of_them():
    model = Together()
    first = {}
    emkit.fit(model, DEATHS, n_starts=4, rng=3, callback=lambda point: first.setdefault(point.start, point.params))
    assert model.asked == [4]
    assert [params.rates[1] for params in first.values()] == [2.0, 3.0, 4.0, 5.0]
    assert len({params.rates[0] for params in first.values()}) == 4


def test_params_that_are_given_come_before_the_starts_of_the_model():
    model = Together()
    first = {}
    given = PoissonMixtureParams([0.5, 0.5], [1.0, 9.0])
    settings = {"n_starts": 3, "callback": lambda point: first.setdefault(point.start, point.params)}
    emkit.fit(model, DEATHS, given, **settings)
    assert model.asked == [2]
    assert [params.rates[1] for params in first.values()] == [9.0, 2.0, 5.0]


def test_a_single_start_that_is_given_asks_for_no_others():
    model = Together()
    emkit.fit(model, DEATHS, PoissonMixtureParams([0.5, 0.5], [1.0, 9.0]), max_iter=3)
    assert model.asked == []


def test_a_model_may_offer_fewer_starts_than_asked_for_but_not_none():
    assert len(emkit.fit(Together(n_given=2), DEATHS, n_starts=5, rng=0, max_iter=3).starts) == 2
    with pytest.raises(ValueError, match=r"Together\.starts gave no params; 5 were asked for"):
        emkit.fit(Together(n_given=0), DEATHS, n_starts=5)


def test_an_interrupt_before_any_start_has_a_point_is_passed_on_whatever_else_failed():
    with pytest.raises(KeyboardInterrupt):
        emkit.fit(Hills(("no room", KeyboardInterrupt(), -1.0)), None, n_starts=3)


@pytest.mark.parametrize("given", [None, {"weights": 1.0}])
def test_starts_are_an_iterable_of_params(given):
    class Odd(PoissonMixture):
        def starts(self, data, rng, n):
            return given

    with pytest.raises(TypeError, match=r"Odd\.starts must give an iterable of params"):
        emkit.fit(Odd(), DEATHS, n_starts=2)


def test_a_callback_cannot_put_other_params_into_the_result():
    class Mean:
        def e_step(self, params, data):
            return float(data.mean()), -float((data - params["mean"]) @ (data - params["mean"]))

        def m_step(self, params, statistics):
            return {"mean": statistics}

    def write(point):
        point.params["mean"] = 50.0

    assert emkit.fit(Mean(), np.array([1.0, 3.0]), {"mean": 0.0}, callback=write).params == {"mean": 2.0}

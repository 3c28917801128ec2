"""What ``fit`` and ``iterate`` take, what they refuse, and what they climb."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import types
from typing import Any, NamedTuple

import attrs
import numpy as np
import pytest
from toys import (
    DEATHS,
    LINKAGE_DATA,
    LINKAGE_OPTIMUM,
    MURRAY_DATA,
    MURRAY_MAXIMUM,
    MissingNormal,
    NormalParams,
    Parabola,
    PoissonMixture,
    PoissonMixtureParams,
    Watched,
)

import emkit
from emkit import Status, StepTolerance
from emkit.errors import InvalidParamsError, LikelihoodDecreasedError, MissingCapabilityError

START = np.array([1.0])


@attrs.frozen
class Inner:
    theta: Any


@attrs.frozen
class Nested:
    inner: Any
    name: str = "kept"


@dataclasses.dataclass(frozen=True)
class Record:
    theta: float
    name: str = "kept"


class Named(NamedTuple):
    theta: float
    name: str = "kept"


class FreeLinkage:
    """Genetic linkage (Dempster, Laird and Rubin 1977) on params of any form, and only the two steps."""

    def __init__(self, wrap, unwrap):
        self.wrap, self.unwrap = wrap, unwrap

    def e_step(self, params, data):
        y1, y2, y3, y4 = data
        t = np.asarray(self.unwrap(params)).item()
        kernel = y1 * np.log(2 + t) + (y2 + y3) * np.log(1 - t) + y4 * np.log(t)
        return (y1 * t / (2 + t) + y4, y2 + y3), kernel

    def m_step(self, params, statistics):
        ones, zeros = statistics
        return self.wrap(float(ones / (ones + zeros)))


FORMS = {
    "number": (float, lambda p: p),
    "numpy number": (np.float64, lambda p: p),
    "array": (lambda t: np.array([t]), lambda p: p[0]),
    "array without axes": (np.array, lambda p: p),
    "dict": (lambda t: {"theta": t, "name": "kept"}, lambda p: p["theta"]),
    "list": (lambda t: [t], lambda p: p[0]),
    "tuple": (lambda t: (t, "kept"), lambda p: p[0]),
    "named tuple": (Named, lambda p: p.theta),
    "dataclass": (Record, lambda p: p.theta),
    "nested attrs": (lambda t: Nested(Inner(np.array([[t]]))), lambda p: p.inner.theta),
    "attrs in dict in list": (lambda t: [{"a": Inner(t)}], lambda p: p[0]["a"].theta),
}


@pytest.mark.parametrize("accelerate", [None, "squarem"])
@pytest.mark.parametrize("form", FORMS)
def test_params_may_have_any_form(form, accelerate):
    wrap, unwrap = FORMS[form]
    settings = {"accelerate": accelerate, "tol": StepTolerance(1e-12)}
    result = emkit.fit(FreeLinkage(wrap, unwrap), LINKAGE_DATA, wrap(0.1), **settings)
    assert result.converged
    assert type(result.params) is type(wrap(0.1))
    assert np.asarray(unwrap(result.params)).item() == pytest.approx(LINKAGE_OPTIMUM, abs=1e-11)
    assert result.n_parameters == 1


@pytest.mark.parametrize(
    "form",
    [
        lambda e: (e.statistics, e.log_likelihood),
        lambda e: types.SimpleNamespace(statistics=e.statistics, log_likelihood=e.log_likelihood),
        lambda e: attrs.evolve(e, log_likelihood=np.array(e.log_likelihood)),
        lambda e: attrs.evolve(e, log_likelihood=np.float32(e.log_likelihood)),
    ],
    ids=["a pair", "an object", "an array without axes", "a short float"],
)
def test_an_e_step_may_answer_in_several_forms(form):
    model = Watched(Parabola(0.5), on_e_step=lambda n, params, answer: form(answer))
    assert emkit.fit(model, None, START, accelerate=None).converged


def test_an_object_with_a_count_gives_the_number_of_observations():
    def form(n, params, answer):
        return types.SimpleNamespace(statistics=params, log_likelihood=answer.log_likelihood, n_observations=7.0)

    assert emkit.fit(Watched(Parabola(0.5), on_e_step=form), None, START).n_observations == 7.0


@pytest.mark.parametrize("nonsense", [None, 3.0, "text", (1.0,), (1.0, 2.0, 3.0), {"statistics": 1.0}])
def test_an_e_step_that_answers_nonsense_is_told_what_to_return(nonsense):
    model = Watched(Parabola(), on_e_step=lambda n, params, answer: nonsense)
    with pytest.raises(TypeError, match=r"e_step must return emkit\.EStep\(statistics, log_likelihood\)") as caught:
        emkit.fit(model, None, START)
    assert type(nonsense).__name__ in str(caught.value)


def test_an_m_step_that_changes_the_shape_of_a_field_is_named():
    model = Watched(PoissonMixture(), on_m_step=lambda n, params, answer: attrs.evolve(answer, rates=[1.0] * 3))
    start = PoissonMixtureParams([0.5, 0.5], [1.0, 3.0])
    with pytest.raises(ValueError, match=r"rates had shape \(2,\) at the start, and now \(3,\)"):
        emkit.fit(model, DEATHS, start)


# What is refused


def test_the_class_of_a_model_is_no_model():
    with pytest.raises(TypeError, match=r"the class Parabola was given: write Parabola\(\.\.\.\)"):
        emkit.fit(Parabola, None, START)


@pytest.mark.parametrize("missing", ["e_step", "m_step"])
def test_what_lacks_a_step_is_no_model(missing):
    steps = {"e_step": lambda params, data: None, "m_step": lambda params, statistics: None}
    del steps[missing]
    with pytest.raises(TypeError, match=f"A model needs a method {missing}"):
        emkit.fit(types.SimpleNamespace(**steps), None, START)
    with pytest.raises(TypeError, match=f"A model needs a method {missing}"):
        next(emkit.iterate(types.SimpleNamespace(**steps), None, START))


def test_without_initialize_starting_params_must_be_given():
    with pytest.raises(MissingCapabilityError, match=r"Parabola has no `initialize\(data, rng\)`"):
        emkit.fit(Parabola(), None)


def test_several_starts_need_initialize_even_if_the_first_is_given():
    with pytest.raises(MissingCapabilityError, match=r"define initialize\(data, rng\)"):
        emkit.fit(Parabola(), None, START, n_starts=3)


@pytest.mark.parametrize("n_starts", [1, 3])
def test_given_params_outside_their_space_are_refused_by_field_and_index(n_starts):
    start = PoissonMixtureParams([0.5, 0.5], [1.0, -3.0])
    with pytest.raises(InvalidParamsError, match=r"^rates\[1\] must be at least 0, but is -3"):
        emkit.fit(PoissonMixture(), DEATHS, start, n_starts=n_starts, rng=0)


def test_a_missing_value_in_given_params_is_refused():
    with pytest.raises(InvalidParamsError, match=r"^params\[0\] must be a finite number, but is nan"):
        emkit.fit(Parabola(), None, np.array([np.nan]))


def test_what_initialize_gives_is_checked_too():
    class Careless(PoissonMixture):
        def initialize(self, data, rng):
            return PoissonMixtureParams([0.5, 0.4], [1.0, 3.0])

    with pytest.raises(InvalidParamsError, match=r"^weights must"):
        emkit.fit(Careless(), DEATHS)


@pytest.mark.parametrize("value", [0, -1, 2.5, 10.0, "5", None, np.inf, np.nan])
@pytest.mark.parametrize("name", ["max_iter", "n_starts"])
def test_a_number_of_something_must_be_whole_and_positive(name, value):
    with pytest.raises(ValueError, match=f"{name} must be a whole number of at least 1"):
        emkit.fit(PoissonMixture(), DEATHS, **{name: value})


def test_whole_numbers_of_numpy_are_whole_numbers():
    assert emkit.fit(Parabola(0.5), None, START, max_iter=np.int64(3)).n_e_steps == 3


@pytest.mark.parametrize("name", ["on_decrease", "on_interrupt"])
def test_an_unknown_choice_is_answered_with_the_known_ones(name):
    with pytest.raises(ValueError, match=rf"{name} must be one of \('r.*'shrug'"):
        emkit.fit(Parabola(), None, START, **{name: "shrug"})


@pytest.mark.parametrize(
    ("settings", "accepted"),
    [
        ({"accelerate": "fast"}, ["None", "'anderson'", "'auto'", "'quasi_newton'", "'squarem'"]),
        ({"accelerate": ["squarem"]}, ["'squarem'", "it is ['squarem']"]),
        ({"accelerate": emkit.Squarem}, ["It is a class: write Squarem()"]),
        ({"polish": "bfgs"}, ["None", "emkit.Polish", "'lbfgs'", "'newton'"]),
        ({"tol": "tight"}, ["nats", "emkit.GainTolerance(", "emkit.StepTolerance(", "emkit.Standstill("]),
        ({"tol": True}, ["nats", "it is True"]),
        ({"on_decrease": "stop"}, ["'raise'", "'warn'", "'ignore'"]),
        ({"on_interrupt": "stop"}, ["'return'", "'raise'"]),
        ({"short_runs": "yes"}, ["emkit.ShortRuns(n_e_steps, keep)", "None"]),
        ({"engine": "threads"}, ["None", "a number of threads", "concurrent.futures.Executor", "map(function, items)"]),
    ],
    ids=str,
)
def test_a_wrong_setting_is_told_what_is_accepted(settings, accepted):
    with pytest.raises((TypeError, ValueError)) as caught:
        emkit.fit(Parabola(), None, START, **settings)
    assert [text for text in accepted if text not in str(caught.value)] == []


def test_wrong_names_inside_settings_are_told_what_is_accepted():
    with pytest.raises(ValueError, match=r"method of a Polish must be one of \['lbfgs', 'newton'\]; it is 'bfgs'"):
        emkit.Polish("bfgs")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"an Accelerator, such as emkit.acceleration.Anderson\(\); it is 'squarem'"):
        emkit.acceleration.Automatic(accelerator="squarem")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="n_workers must be at least 1, and whole; it is 'all'"):
        emkit.ThreadEngine("all")  # type: ignore[arg-type]


def test_unknown_tolerances_and_accelerators_are_refused():
    with pytest.raises(ValueError, match="tol must be"):
        emkit.fit(Parabola(), None, START, tol=-1)
    with pytest.raises(ValueError, match="accelerate must be"):
        emkit.fit(Parabola(), None, START, accelerate="quick")


# What is climbed


class PoissonRate(emkit.LatentModel):
    """One Poisson rate with a Gamma(shape, rate) prior: the posterior mode is closed."""

    def __init__(self, shape=3.0, rate=2.0, *, tells=True):
        self.shape, self.rate = shape, rate
        if not tells:
            self.log_prior = lambda params: 0.0

    def e_step(self, params, data):
        return emkit.EStep((data.sum(), len(data)), float(np.sum(data * np.log(params) - params)), float(len(data)))

    def m_step(self, params, statistics):
        total, n = statistics
        # Half way to the maximum, so that there is something to climb.
        return np.array((params + (total + self.shape - 1) / (n + self.rate)) / 2)

    def log_prior(self, params):
        return float((self.shape - 1) * np.log(params) - self.rate * params)


COUNTS = np.array([0.0, 2.0, 1.0, 5.0])


@pytest.mark.parametrize("accelerate", [None, "squarem"])
def test_with_a_prior_the_posterior_mode_is_found_and_both_values_are_reported(accelerate):
    model = PoissonRate()
    result = emkit.fit(model, COUNTS, np.array(1.0), tol=0, accelerate=accelerate)
    mode = (8 + 2) / (4 + 2)
    assert result.params == pytest.approx(mode, rel=1e-12)
    assert result.log_likelihood == pytest.approx(8 * np.log(mode) - 4 * mode, rel=1e-12)
    assert result.objective == result.log_likelihood + model.log_prior(result.params)
    assert (np.diff(result.objectives) >= -1e-13).all()
    assert result.objectives[-1] == result.objective
    assert result.log_likelihoods[-1] == result.log_likelihood


def test_the_log_likelihood_itself_may_fall_while_the_objective_climbs():
    result = emkit.fit(PoissonRate(), COUNTS, np.array(2.0), accelerate=None)
    assert result.converged
    assert result.log_likelihoods[-1] < result.log_likelihoods.max()


@pytest.mark.parametrize("accelerate", [None, "squarem"])
def test_a_prior_in_the_m_step_that_log_prior_does_not_tell_trips_the_check(accelerate):
    with pytest.raises(LikelihoodDecreasedError, match=r"^PoissonRate: .* a prior or a weight is missing"):
        emkit.fit(PoissonRate(tells=False), COUNTS, np.array(2.0), accelerate=accelerate)


def test_weights_that_the_log_likelihood_ignores_trip_the_check():
    class Ignores(PoissonMixture):
        leaf_rows = None

        def e_step(self, params, data):
            y, n = data
            unweighted = super().e_step(params, (y, np.ones_like(n)))
            return attrs.evolve(super().e_step(params, data), log_likelihood=unweighted.log_likelihood)

    with pytest.raises(LikelihoodDecreasedError):
        emkit.fit(Ignores(), DEATHS, PoissonMixtureParams([0.4, 0.6], [3.0, 5.0]), accelerate=None)


def test_missing_entries_of_a_normal_are_filled_at_the_published_maximum():
    start = NormalParams([0.0, 0.0], [[2.5, 0.3], [0.3, 2.5]])
    result = emkit.fit(MissingNormal(), MURRAY_DATA, start)
    assert result.log_likelihood == pytest.approx(MURRAY_MAXIMUM, abs=1e-6)
    assert result.params.covariance == pytest.approx(np.array([[8, 4], [4, 8]]) / 3, abs=2e-3)


def test_the_start_is_not_modified():
    start = {"x": np.array([1.0, 2.0])}

    class InDict(Parabola):
        def e_step(self, params, data):
            return super().e_step(params["x"], data)

        def m_step(self, params, statistics):
            return {"x": super().m_step(params["x"], statistics)}

    emkit.fit(InDict(0.9), None, start)
    assert start["x"].tolist() == [1.0, 2.0]


def test_the_result_counts_every_call_of_the_e_step():
    model = Watched(Parabola([0.99, 0.9]))
    result = emkit.fit(model, None, np.ones(2))
    assert result.n_e_steps == len(model.evaluated)
    assert result.starts[0].n_e_steps == result.n_e_steps


def test_an_engine_of_the_callers_runs_the_e_steps():
    class Counting(emkit.SerialEngine):
        calls = 0

        def map(self, function, items):
            type(self).calls += 1
            return super().map(function, items)

    result = emkit.fit(PoissonMixture(), DEATHS, rng=0, engine=Counting())
    assert Counting.calls == result.n_e_steps


def test_the_callback_sees_where_the_fit_stands():
    points = []
    result = emkit.fit(Parabola(0.9), None, START, accelerate=None, callback=points.append)
    assert [point.n_iter for point in points] == list(range(result.n_iter + 1))
    assert [point.n_e_steps for point in points] == list(range(1, result.n_e_steps + 1))
    assert [point.objective for point in points] == result.objectives.tolist()
    assert points[0].params.tolist() == [1.0]
    assert points[-1].rate == pytest.approx(0.9)
    assert all(a.elapsed <= b.elapsed for a, b in itertools.pairwise(points))


@pytest.mark.parametrize("has_tqdm", [True, False])
def test_progress_is_shown_on_stderr_alone(capsys, monkeypatch, has_tqdm):
    if not has_tqdm:
        monkeypatch.setitem(__import__("sys").modules, "tqdm.auto", None)
    emkit.fit(PoissonMixture(), DEATHS, rng=0, n_starts=2, progress=True)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "objective -" in shown.err


@pytest.mark.parametrize("error", [None, ZeroDivisionError()])
def test_the_display_is_closed_however_the_fit_ends(monkeypatch, error):
    class Display:
        is_closed = False

        def update(self, point):
            pass

        def close(self):
            self.is_closed = True

    def hook(number, params, answer):
        if error is not None and number == 3:
            raise error
        return answer

    display = Display()
    monkeypatch.setattr("emkit.driver.reporter", lambda *_: display)
    ends = pytest.raises(ZeroDivisionError) if error else contextlib.nullcontext()
    with ends:
        emkit.fit(Watched(Parabola(0.9), on_e_step=hook), None, START, progress=True, accelerate=None)
    assert display.is_closed


def test_without_progress_nothing_is_printed(capsys):
    emkit.fit(PoissonMixture(), DEATHS, rng=0)
    assert capsys.readouterr() == ("", "")


# The bare loop


def test_iterate_yields_the_given_params_first_and_then_plain_em():
    points = list(itertools.islice(emkit.iterate(Parabola(0.5), None, START), 5))
    assert [float(point.params[0]) for point in points] == [1.0, 0.5, 0.25, 0.125, 0.0625]
    assert [point.log_likelihood for point in points] == [-1.0, -0.25, -(0.25**2), -(0.125**2), -(0.0625**2)]
    assert [point.n_iter for point in points] == list(range(5))


def test_iterate_walks_the_same_way_as_fit_without_acceleration():
    start = PoissonMixtureParams([0.4, 0.6], [1.0, 4.0])
    result = emkit.fit(PoissonMixture(), DEATHS, start, accelerate=None, max_iter=30)
    points = list(itertools.islice(emkit.iterate(PoissonMixture(), DEATHS, start), 30))
    assert result.log_likelihoods.tolist() == [point.log_likelihood for point in points]


def test_iterate_adds_the_prior_to_the_objective():
    first = next(emkit.iterate(PoissonRate(), COUNTS, np.array(2.0)))
    assert first.objective == first.log_likelihood + PoissonRate().log_prior(np.array(2.0))


def test_iterate_checks_nothing_and_ends_never():
    class Falls(Parabola):
        def m_step(self, params, statistics):
            return statistics + 1.0

    points = list(itertools.islice(emkit.iterate(Falls(), None, START), 4))
    assert [point.log_likelihood for point in points] == [-1.0, -4.0, -9.0, -16.0]


def test_a_result_of_three_e_steps_has_not_converged():
    result = emkit.fit(PoissonMixture(), DEATHS, rng=0, max_iter=3)
    assert (result.converged, result.status) == (False, Status.MAX_ITER)

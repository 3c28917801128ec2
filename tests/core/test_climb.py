"""One start ends for the right reason, with good params, and never goes where it may not."""

from __future__ import annotations

import types
import warnings
from typing import Any

import attrs
import numpy as np
import pytest
from toys import (
    DEATHS,
    LINKAGE_DATA,
    SQUAREM_DEMO_START,
    TURNBULL_DATA,
    Linkage,
    LinkageParams,
    Parabola,
    PoissonMixture,
    PoissonMixtureParams,
    PoissonVector,
    Turnbull,
    Watched,
)

import emkit
from emkit import Status, space
from emkit.acceleration import Acceleration, Accelerator
from emkit.convergence.monitor import CHECKS, FALL_RTOL
from emkit.errors import DegenerateError, InvalidParamsError, LikelihoodDecreasedError, LikelihoodDecreasedWarning
from emkit.space.assignment import check_params

SLOW_START = PoissonMixtureParams([0.4, 0.6], [1.0, 4.0])
FLAT_START = np.full(14, 1 / 14)


class Uncut(PoissonMixture):
    leaf_rows = None


def raising(error, at):
    """Return a hook that raises at one call."""

    def hook(number, params, answer):
        if number == at:
            raise error
        return answer

    return hook


def watched(error, at, step="e_step"):
    return Watched(Uncut(), **{f"on_{step}": raising(error, at)})


@attrs.frozen
class Proposes(Accelerator):
    """Proposes ``proposal(x, image)`` at every point, with or without a stabilising step."""

    proposal: Any
    stabilises: bool = False

    def begin(self, scale, fields):
        return Proposing(self)


class Proposing(Acceleration):
    def __init__(self, settings):
        self._settings = settings

    @property
    def stabilises(self):
        return self._settings.stabilises

    def propose(self, x, image):
        return self._settings.proposal(x, image)

    def judged(self, *, accepted):
        pass

    def skipped(self, x, image):
        pass


def assert_sound(result, data=DEATHS):
    """The params are finite and a fresh E-step gives exactly what the result says of them."""
    model = result.model.model if isinstance(result.model, Watched) else result.model
    check_params(model, result.params)
    assert result.log_likelihood == model.e_step(result.params, data).log_likelihood
    assert len(result.log_likelihoods) == len(result.objectives) == result.n_iter + 1
    assert (np.diff(result.objectives) >= -FALL_RTOL * (1 + abs(result.objective))).all()
    assert result.objective == result.objectives[-1]


# Endings


def test_a_fit_that_converges_says_so():
    result = emkit.fit(Uncut(), DEATHS, SLOW_START)
    assert result.status is Status.CONVERGED
    assert result.converged
    assert result.message == "Converged. At most 1e-06 nats remain to be gained."
    assert_sound(result)


def test_converged_is_true_for_no_other_ending():
    result = emkit.fit(Uncut(), DEATHS, SLOW_START, max_iter=3)
    for status in Status:
        assert attrs.evolve(result, status=status).converged is (status is Status.CONVERGED)


@pytest.mark.parametrize("accelerate", [None, "squarem"])
@pytest.mark.parametrize("max_iter", range(1, 41))
def test_max_iter_bounds_the_e_steps_and_is_no_convergence(max_iter, accelerate):
    model = Watched(Uncut())
    result = emkit.fit(model, DEATHS, SLOW_START, max_iter=max_iter, accelerate=accelerate, tol=0)
    assert result.status is Status.MAX_ITER
    assert not result.converged
    assert result.n_e_steps == len(model.evaluated) == max_iter
    assert_sound(result)


def test_max_time_ends_the_fit_after_the_running_e_step(monkeypatch):
    clock = types.SimpleNamespace(now=0.0)
    monkeypatch.setattr("emkit.climb.evaluation.time", types.SimpleNamespace(monotonic=lambda: clock.now))
    monkeypatch.setattr("emkit.driver.time", types.SimpleNamespace(monotonic=lambda: clock.now))

    def tick(number, params, answer):
        clock.now += 1.0
        return answer

    model = Watched(Parabola(0.99), on_e_step=tick)
    result = emkit.fit(model, None, np.array([1.0]), max_time=4.5, accelerate=None)
    assert result.status is Status.MAX_TIME
    assert result.n_e_steps == 5
    assert result.elapsed == 5.0


def test_the_first_e_step_is_taken_even_without_time():
    result = emkit.fit(Uncut(), DEATHS, SLOW_START, max_time=0)
    assert (result.status, result.n_e_steps, result.n_iter) == (Status.MAX_TIME, 1, 0)
    assert_sound(result)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_an_objective_that_is_not_finite_at_the_start_ends_the_fit_there(value):
    model = Watched(Parabola(), on_e_step=lambda n, params, answer: attrs.evolve(answer, log_likelihood=value))
    result = emkit.fit(model, None, np.array([1.0, 2.0]))
    assert result.status is Status.NONFINITE
    assert str(value) in result.message
    assert result.params.tolist() == [1.0, 2.0]
    assert result.n_iter == 0


@pytest.mark.parametrize("accelerate", [None, "squarem"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("at", [2, 5, 9])
def test_an_objective_that_stops_being_finite_leaves_the_last_good_params(value, at, accelerate):
    def hook(number, params, answer):
        return attrs.evolve(answer, log_likelihood=value) if number >= at else answer

    model = Watched(Parabola([0.9, 0.95]), on_e_step=hook)
    result = emkit.fit(model, None, np.array([1.0, 2.0]), accelerate=accelerate)
    assert result.status is Status.NONFINITE
    assert f"{value}" in result.message
    assert_sound(result, None)


@pytest.mark.parametrize("at", [1, 4])
def test_an_m_step_that_gives_nan_leaves_the_last_good_params_and_names_the_field(at):
    def hook(number, params, answer):
        return attrs.evolve(answer, rates=[1.0, np.nan]) if number == at else answer

    result = emkit.fit(Watched(Uncut(), on_m_step=hook), DEATHS, SLOW_START, accelerate=None)
    assert result.status is Status.NONFINITE
    assert "rates" in result.message
    assert result.n_iter == at - 1
    assert_sound(result)


@pytest.mark.parametrize("error", [DegenerateError("component 1 is empty"), np.linalg.LinAlgError("singular")])
@pytest.mark.parametrize(("step", "at"), [("e_step", 4), ("m_step", 1), ("m_step", 3)])
def test_a_model_that_cannot_go_on_ends_the_fit_with_its_last_good_params(error, step, at):
    model = Watched(Parabola([0.9, 0.95]), **{f"on_{step}": raising(error, at)})
    result = emkit.fit(model, None, np.array([1.0, 2.0]), accelerate=None)
    assert result.status is Status.DEGENERATE
    assert f"{step[0].upper()}-step: {error}" in result.message
    assert result.n_iter == at - (2 if step == "e_step" else 1)
    assert_sound(result, None)


@pytest.mark.parametrize("error", [DegenerateError("empty"), np.linalg.LinAlgError("singular")])
def test_a_model_that_cannot_take_its_first_e_step_raises(error):
    with pytest.raises(DegenerateError, match=f"E-step: {error}"):
        emkit.fit(Watched(Parabola(), on_e_step=raising(error, 1)), None, np.array([1.0]))


def falling(at):
    """Return a model whose M-step goes away from the maximum once."""
    return Watched(Parabola(0.9), on_m_step=lambda n, params, answer: 2 * params if n == at else answer)


@pytest.mark.parametrize("at", [1, 2, 7])
def test_a_fall_raises_an_error_that_carries_the_best_result(at):
    with pytest.raises(LikelihoodDecreasedError, match="Usual causes") as caught:
        emkit.fit(falling(at), None, np.array([1.0]), accelerate=None)
    result = caught.value.result
    assert result.status is Status.DECREASED
    assert result.params == pytest.approx([0.9 ** (at - 1)], rel=1e-12)
    assert result.n_iter == at - 1
    assert f"At step {at} " in result.message
    assert_sound(result, None)


def test_a_fall_warns_at_the_line_that_called_fit_and_returns_the_best_result():
    with pytest.warns(LikelihoodDecreasedWarning, match="Usual causes") as caught:
        result = emkit.fit(falling(3), None, np.array([1.0]), accelerate=None, on_decrease="warn")
    assert caught[0].filename == __file__
    assert result.status is Status.DECREASED
    assert result.params == pytest.approx([0.81])


@pytest.mark.parametrize("accelerate", [None, "squarem"])
def test_a_fall_that_is_ignored_is_climbed_again(accelerate):
    result = emkit.fit(falling(3), None, np.array([1.0]), accelerate=accelerate, on_decrease="ignore")
    assert result.converged
    assert abs(result.params[0]) < 1e-2
    if accelerate is None:
        assert np.diff(result.objectives).min() < -1


def test_a_model_that_may_fall_by_design_is_excused():
    model = falling(3)
    model.monotone = False
    assert emkit.fit(model, None, np.array([1.0]), accelerate=None).converged


def test_a_drift_downwards_by_tiny_steps_is_not_called_convergence():
    class Drifts(Parabola):
        def m_step(self, params, statistics):
            return statistics + 1e-6

    result = emkit.fit(Drifts(), None, np.array([1.0]), on_decrease="ignore", max_iter=200)
    assert result.status is Status.MAX_ITER


def test_a_fall_within_rounding_is_none():
    def jitter(number, params, answer):
        return attrs.evolve(answer, log_likelihood=answer.log_likelihood - 1e5 - 1e-7 * (number % 2))

    model = Watched(Parabola(0.99), on_e_step=jitter)
    result = emkit.fit(model, None, np.array([1e-4]), accelerate=None, max_iter=20)
    assert result.status is Status.MAX_ITER
    assert np.diff(result.objectives).min() < -1e-8


@pytest.mark.parametrize("at", [0, 1, 4])
def test_the_callback_stops_the_fit_with_its_own_words(at):
    words = "enough is enough"

    def stop(point):
        if point.n_iter == at:
            raise StopIteration(words)

    result = emkit.fit(Uncut(), DEATHS, SLOW_START, callback=stop)
    assert result.status is Status.STOPPED_BY_CALLBACK
    assert result.message.endswith(words)
    assert result.n_iter == at
    assert_sound(result)


def test_another_error_in_the_callback_is_the_callers():
    def fail(point):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        emkit.fit(Uncut(), DEATHS, SLOW_START, callback=fail)


@pytest.mark.parametrize("accelerate", [None, "squarem"])
@pytest.mark.parametrize("at", range(2, 26))
def test_an_interrupt_at_any_e_step_returns_the_best_point_so_far(at, accelerate):
    model = Watched(Uncut(), on_e_step=raising(KeyboardInterrupt(), at))
    seen = []
    result = emkit.fit(model, DEATHS, SLOW_START, accelerate=accelerate, callback=seen.append)
    assert result.status is Status.INTERRUPTED
    assert result.message == Status.INTERRUPTED.value
    assert result.log_likelihood == max(point.log_likelihood for point in seen)
    assert result.n_e_steps == at
    assert_sound(result)


@pytest.mark.parametrize("at", [1, 2, 5])
def test_an_interrupt_in_an_m_step_returns_the_best_point_so_far(at):
    result = emkit.fit(watched(KeyboardInterrupt(), at, "m_step"), DEATHS, SLOW_START)
    assert result.status is Status.INTERRUPTED
    assert_sound(result)


def test_an_interrupt_before_there_is_any_point_is_passed_on():
    with pytest.raises(KeyboardInterrupt):
        emkit.fit(watched(KeyboardInterrupt(), 1), DEATHS, SLOW_START)


@pytest.mark.parametrize("at", [1, 2, 12])
def test_an_interrupt_is_passed_on_if_the_caller_wants_it(at):
    with pytest.raises(KeyboardInterrupt):
        emkit.fit(watched(KeyboardInterrupt(), at), DEATHS, SLOW_START, on_interrupt="raise")


@pytest.mark.parametrize("accelerate", [None, "squarem"])
def test_params_that_wander_on_a_flat_ridge_stall(accelerate):
    class Ridge(Parabola):
        def e_step(self, params, data):
            return emkit.EStep(params, -5.0, 10.0)

        def m_step(self, params, statistics):
            return statistics + 1.0

    result = emkit.fit(Ridge(), None, np.array([1.0]), accelerate=accelerate)
    assert result.status is Status.STALLED
    assert result.log_likelihood == -5.0
    assert result.n_e_steps < 1000


# Proposals


def test_a_proposal_that_falls_is_rejected_and_the_plain_step_taken():
    uphill = Proposes(lambda x, image: x + 1.0)
    plain = emkit.fit(Parabola(0.5), None, np.array([1.0]), accelerate=None)
    result = emkit.fit(Parabola(0.5), None, np.array([1.0]), accelerate=uphill)
    assert np.array_equal(result.log_likelihoods, plain.log_likelihoods)
    # The last steps are plain anyway: they confirm the convergence that the first check has found.
    assert result.n_rejected == plain.n_iter - (CHECKS - 1)
    assert result.n_e_steps == plain.n_e_steps + result.n_rejected


def test_a_proposal_that_rises_is_taken_at_once():
    result = emkit.fit(
        Parabola(0.999), None, np.array([1.0]), accelerate=Proposes(lambda x, image: x / 1e6), max_iter=2
    )
    assert result.params.tolist() == [1e-6]
    assert (result.n_iter, result.n_rejected) == (1, 0)


def test_a_stabilised_proposal_is_judged_after_one_em_step():
    half = Proposes(lambda x, image: x / 2, stabilises=True)
    result = emkit.fit(Parabola(0.9), None, np.array([1.0]), accelerate=half, max_iter=3)
    assert result.params.tolist() == [0.45]
    assert result.n_e_steps == 3


@pytest.mark.parametrize("stabilises", [False, True])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_proposal_whose_objective_is_not_finite_is_rejected(value, stabilises):
    def hook(number, params, answer):
        return attrs.evolve(answer, log_likelihood=value) if params[0] < 0 else answer

    model = Watched(Parabola(0.5), on_e_step=hook)
    result = emkit.fit(model, None, np.array([1.0]), accelerate=Proposes(lambda x, image: -x / 2, stabilises))
    assert result.converged
    assert result.n_rejected > 5
    assert result.params[0] > 0


@pytest.mark.parametrize(("step", "stabilises"), [("e_step", False), ("e_step", True), ("m_step", True)])
@pytest.mark.parametrize(
    "error", [ValueError("no"), ZeroDivisionError(), DegenerateError("no"), np.linalg.LinAlgError("no")]
)
def test_an_exception_at_a_proposal_is_a_rejection(error, step, stabilises):
    def hook(number, params, answer):
        if params[0] < 0:
            raise error
        return answer

    model = Watched(Parabola(0.5), **{f"on_{step}": hook})
    result = emkit.fit(model, None, np.array([1.0]), accelerate=Proposes(lambda x, image: -x / 2, stabilises))
    assert result.converged
    assert result.n_rejected > 5
    assert_sound(result, None)


@pytest.mark.parametrize("step", ["e_step", "m_step"])
@pytest.mark.parametrize("at", [1, 2, 5])
def test_another_exception_at_a_plain_step_is_passed_on(step, at):
    with pytest.raises(ZeroDivisionError):
        emkit.fit(watched(ZeroDivisionError(), at, step), DEATHS, SLOW_START, accelerate=None)


def test_an_interrupt_at_a_proposal_is_no_rejection():
    def hook(number, params, answer):
        if params[0] < 0:
            raise KeyboardInterrupt
        return answer

    model = Watched(Parabola(0.5), on_e_step=hook)
    result = emkit.fit(model, None, np.array([1.0]), accelerate=Proposes(lambda x, image: -x))
    assert result.status is Status.INTERRUPTED
    assert result.n_rejected == 0


def test_warnings_at_a_proposal_are_not_shown():
    class Logs(Parabola):
        def e_step(self, params, data):
            return emkit.EStep(params, float(np.sum(np.log(params) - params)), 1.0)

    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        result = emkit.fit(Logs(0.5, 1.0), None, np.array([3.0]), accelerate=Proposes(lambda x, image: -x))
    assert result.converged
    assert result.n_rejected > 0
    assert shown == []


def test_infeasible_points_are_never_evaluated():
    for model, data, start in (
        (PoissonMixture(), DEATHS, SLOW_START),
        (PoissonVector(), DEATHS, SQUAREM_DEMO_START),
        (Turnbull(), TURNBULL_DATA, FLAT_START),
        (Linkage(), LINKAGE_DATA, LinkageParams(0.05)),
    ):
        instrumented = Watched(model)
        result = emkit.fit(instrumented, data, start, tol=1e-9, max_iter=3000)
        assert len(instrumented.evaluated) > result.n_iter
        for params in instrumented.evaluated:
            check_params(model, params)
            if isinstance(params, np.ndarray):
                assert (params >= 0).all()


@attrs.frozen(eq=False)
class Unbending(space.Positive):
    """Positive numbers that are shortened as a whole only."""

    def pull_inside(self, proposal, reference):
        return proposal


@pytest.mark.parametrize(
    ("space_of_params", "evaluated"),
    [
        # From -1, halfway to the image .9 is -.05, and halfway again .425.
        (Unbending(), [0.425]),
        # A tenth of the image's own distance from the bound.
        (space.Positive(), [0.09]),
    ],
    ids=["halved", "pulled"],
)
def test_an_infeasible_proposal_is_made_feasible_before_it_is_evaluated(space_of_params, evaluated):
    class Bounded(Parabola):
        def space(self, params):
            return space_of_params

    model = Watched(Bounded(0.9))
    emkit.fit(model, None, np.array([1.0]), accelerate=Proposes(lambda x, image: np.array([-1.0])), max_iter=2)
    assert model.evaluated[1] == pytest.approx(evaluated)


def test_a_proposal_that_no_halving_makes_feasible_is_dropped_without_an_e_step():
    class Nowhere(Parabola):
        def space(self, params):
            return space.Positive()

    result = emkit.fit(
        Nowhere(0.5), None, np.array([1.0]), accelerate=Proposes(lambda x, image: np.array([np.nan])), max_iter=5
    )
    assert (result.n_e_steps, result.n_iter, result.n_rejected) == (5, 4, 5)


def test_a_space_that_is_not_affine_is_judged_after_one_em_step_by_every_accelerator():
    class Curved(space.Real):
        is_affine = False

    class Model(Parabola):
        def space(self, params):
            return Curved()

    half = Proposes(lambda x, image: x / 2)
    assert emkit.fit(Model(0.9), None, np.array([1.0]), accelerate=half, max_iter=3).params.tolist() == [0.45]


# History


@pytest.mark.parametrize("accelerate", [None, "squarem"])
@pytest.mark.parametrize(
    ("model", "data", "start"),
    [
        (PoissonMixture(), DEATHS, SLOW_START),
        (PoissonVector(), DEATHS, SQUAREM_DEMO_START),
        (Turnbull(), TURNBULL_DATA, FLAT_START),
        (Linkage(), LINKAGE_DATA, LinkageParams(0.05)),
    ],
    ids=["poisson", "poisson, nothing declared", "turnbull", "linkage"],
)
def test_the_history_belongs_to_the_accepted_params_and_never_falls(model, data, start, accelerate):
    points = []
    result = emkit.fit(model, data, start, accelerate=accelerate, callback=points.append, max_iter=2000)
    accepted = {point.n_iter: point for point in points}
    assert sorted(accepted) == list(range(result.n_iter + 1))
    workload = emkit.engines.Workload.of(model, data)
    for k, log_likelihood in enumerate(result.log_likelihoods):
        assert log_likelihood == workload.e_step(accepted[k].params).log_likelihood
    slack = 64 * np.finfo(float).eps * (abs(result.objective) + 2000)
    assert (np.diff(result.log_likelihoods) >= -slack).all()
    assert [point.n_e_steps for point in points] == sorted(point.n_e_steps for point in points)


class OffTheCurve(Parabola):
    """Plain EM runs along a curve; from a point off the curve, where only a proposal leads, its M-step falls."""

    def m_step(self, params, statistics):
        slow, fast = statistics
        is_off = fast > 1.5 * slow ** (np.log(0.5) / np.log(0.95))
        return 1.5 * statistics if is_off else statistics * [0.95, 0.5]


def test_a_fall_right_after_an_accelerated_step_goes_back_to_the_plain_iterate():
    points = []
    leap = Proposes(lambda x, image: image * [0.5, 1.0] if x[0] > 0.8 else None)
    result = emkit.fit(OffTheCurve(), None, np.ones(2), accelerate=leap, callback=points.append)
    plain = emkit.fit(OffTheCurve(), None, np.ones(2), accelerate=None)
    assert result.converged
    assert np.array_equal(result.log_likelihoods, plain.log_likelihoods)
    assert result.n_rejected == 5  # from 1, .95, .95**2, .95**3, .95**4
    taken_back = [point for point in points if point.log_likelihood not in plain.log_likelihoods]
    assert len(taken_back) == 5
    accepted = {point.n_iter: point.log_likelihood for point in points}
    assert list(accepted.values()) == result.log_likelihoods.tolist()


def test_a_fall_of_the_plain_step_behind_an_accelerated_one_raises():
    class Falls(Parabola):
        def m_step(self, params, statistics):
            return statistics + 1.0

    accelerate = Proposes(lambda x, image: x / 2 if x[0] == 1.0 else None)
    with pytest.raises(LikelihoodDecreasedError) as caught:
        emkit.fit(Falls(), None, np.array([1.0]), accelerate=accelerate)
    assert caught.value.result.params.tolist() == [1.0]
    assert_sound(caught.value.result, None)


def test_a_fall_between_two_plain_steps_raises_even_if_there_was_an_accelerated_one_before():
    class FallsLater(Parabola):
        def m_step(self, params, statistics):
            return statistics + 1.0 if statistics[0] < 0.2 else 0.5 * statistics

    leap = Proposes(lambda x, image: x * 0.6 if x[0] == 1.0 else None)
    with pytest.raises(LikelihoodDecreasedError) as caught:
        emkit.fit(FallsLater(), None, np.array([1.0]), accelerate=leap)
    assert caught.value.result.params == pytest.approx([0.15])


def test_the_rate_of_a_linear_map_is_found():
    result = emkit.fit(Parabola(0.9), None, np.array([1.0]), accelerate=None)
    assert result.rate == pytest.approx(0.9, rel=1e-9)
    assert result.gap == pytest.approx(-result.objective, rel=1e-6)


@pytest.mark.parametrize("rate", [0.5, 0.9, 0.99, 0.999])
@pytest.mark.parametrize("accelerate", [None, "squarem"])
def test_at_convergence_no_more_is_left_than_the_tolerance(rate, accelerate):
    model = Parabola([rate, rate / 2], target=np.array([3.0, -1.0]))
    result = emkit.fit(model, None, np.array([1.0, 1.0]), accelerate=accelerate, tol=1e-6)
    assert result.converged
    assert -result.objective <= 1e-6


# A point that acceleration reached, and from which the model cannot go on


@attrs.frozen
class Holed(Parabola):
    """A parabola that cannot be computed with left of 0.5, where only an accelerated step from 1 leads so soon."""

    trouble: Any = None

    def m_step(self, params, statistics):
        if 0.2 < statistics[0] < 0.5:
            return self.trouble(super().m_step(params, statistics))
        return super().m_step(params, statistics)


def _raise(error):
    def trouble(answer):
        raise error

    return trouble


@pytest.mark.parametrize(
    "trouble",
    [
        _raise(DegenerateError("a hole")),
        _raise(np.linalg.LinAlgError("a hole")),
        _raise(ValueError("a hole")),
        lambda answer: answer * np.nan,
        lambda answer: answer - 50.0,
    ],
    ids=["degenerate", "singular", "refuses", "nan", "falls"],
)
def test_an_accelerated_point_from_which_the_model_cannot_go_on_is_left_again(trouble):
    """Judged by its objective alone the proposal is fine; the plain step from before it is taken instead."""
    once = Proposes(lambda x, image: np.array([0.4]) if x[0] == 1.0 else None)
    seen = []
    result = emkit.fit(
        Holed(0.9, trouble=trouble),
        None,
        np.array([1.0]),
        accelerate=once,
        callback=lambda point: seen.append(point.params[0]),
        max_iter=4,
    )
    assert seen[:3] == [1.0, 0.4, 0.9]
    assert result.status is Status.MAX_ITER
    assert result.n_rejected == 1
    assert (np.diff(result.objectives) > 0).all()


def test_a_mistake_in_the_models_code_is_never_taken_for_a_refusal_of_a_point():
    """A NameError at a proposal is raised, wherever it happens."""
    n_e_steps = emkit.fit(Uncut(), DEATHS, SLOW_START).n_e_steps
    for at in range(1, n_e_steps + 1):
        with pytest.raises(NameError):
            emkit.fit(watched(NameError("typo"), at), DEATHS, SLOW_START)


def test_an_exception_of_the_callback_is_passed_on_even_right_after_acceleration():
    for at in range(1, 20):
        calls = []

        def callback(point, calls=calls, at=at):
            calls.append(point)
            if len(calls) == at:
                msg = "from the callback"
                raise ValueError(msg)

        with pytest.raises(ValueError, match="from the callback"):
            emkit.fit(Uncut(), DEATHS, SLOW_START, callback=callback, n_starts=2, rng=0)


# What is handed to and taken from the model


def test_the_callers_start_is_neither_changed_nor_shared():
    class InPlace(Parabola):
        def m_step(self, params, statistics):
            params[:] = 0.5 * statistics
            return params

    start = np.array([1.0])
    with pytest.raises(ValueError, match="read-only"):
        emkit.fit(InPlace(0.5), None, start)
    assert start[0] == 1.0
    start[0] = 2.0


def test_a_callback_cannot_change_the_params_of_the_fit():
    def meddle(point):
        point.params[:] = 0.0

    with pytest.raises(ValueError, match="read-only"):
        emkit.fit(PoissonVector(), DEATHS, SQUAREM_DEMO_START, callback=meddle)


def test_nan_in_a_constant_of_the_fit_is_noticed():
    class LosesItsConstant(Parabola):
        def space(self, params):
            return {"x": space.Real(), "constant": space.Fixed()}

        def e_step(self, params, data):
            return super().e_step(params["x"], data)

        def m_step(self, params, statistics):
            return {"x": super().m_step(None, statistics), "constant": np.nan}

    result = emkit.fit(LosesItsConstant(0.5), None, {"x": np.array([1.0]), "constant": 3.0})
    assert result.status is Status.NONFINITE
    assert "constant" in result.message
    assert result.params["constant"] == 3.0


def test_params_outside_their_space_are_noted():
    class LeavesItsSpace(Parabola):
        def space(self, params):
            return space.Positive()

    result = emkit.fit(LeavesItsSpace(0.5, target=-1.0), None, np.array([1.0]), accelerate=None)
    assert any("left their space" in note and "at least 0" in note for note in result.notes)


def test_an_m_step_that_forgets_its_return_is_told_so():
    class Forgets(Parabola):
        def m_step(self, params, statistics):
            pass

    with pytest.raises(TypeError, match="m_step returned None; it must return the new params"):
        emkit.fit(Forgets(0.5), None, np.array([1.0]))


@pytest.mark.parametrize("answer", [None, "-5", True, 1j, np.array([1.0, 2.0])])
def test_a_log_likelihood_that_is_no_number_is_refused_with_its_value(answer):
    class Says(Parabola):
        def e_step(self, params, data):
            return params, answer

    with pytest.raises(TypeError, match=r"Says[.]e_step must give a real number"):
        emkit.fit(Says(0.5), None, np.array([1.0]))


def test_params_without_any_number_are_refused():
    with pytest.raises(emkit.errors.InvalidParamsError, match="at least one number"):
        emkit.fit(Parabola(0.5), None, {"name": "nothing"})


def test_integer_starting_values_are_estimated_like_any_others():
    """A start of [1, 3] says nothing about whether the estimates are whole numbers."""
    whole = emkit.fit(PoissonVector(), DEATHS, np.array([0.5, 1.0, 3.0]))

    class Rates(PoissonVector):
        def e_step(self, params, data):
            return super().e_step(np.array([0.5, *params]), data)

        def m_step(self, params, statistics):
            return super().m_step(params, statistics)[1:]

    one = emkit.fit(Rates(), DEATHS, np.array([1, 3]), tol=0)
    two = emkit.fit(Rates(), DEATHS, np.array([1.0, 3.0]), tol=0)
    assert one.log_likelihood == pytest.approx(two.log_likelihood, abs=1e-9)
    assert one.n_parameters == two.n_parameters == 2
    assert whole.log_likelihood > one.log_likelihood


def test_a_fall_within_the_rounding_a_model_admits_is_none():
    @attrs.frozen
    class Rough(Parabola):
        admits: float = 0.0

        def e_step(self, params, data):
            exact = super().e_step(params, data)
            noise = 1e-5 * np.sin(1e6 * float(params[0]))
            return attrs.evolve(exact, log_likelihood=exact.log_likelihood + noise, rounding=self.admits)

    silent, honest = Rough(0.99), Rough(0.99, admits=2e-5)
    with pytest.raises(LikelihoodDecreasedError):
        emkit.fit(silent, None, np.array([1.0]), accelerate=None, tol=0)
    assert emkit.fit(honest, None, np.array([1.0]), accelerate=None, tol=0).converged


@pytest.mark.parametrize("scale", [1e5, 1e8])
@pytest.mark.parametrize("accelerate", [None, "squarem"])
def test_very_many_observations_do_not_stop_a_fit_early(scale, accelerate):
    """Gains drown in rounding a thousand nats before the optimum; the rule stays a hundredth of a standard error."""
    errors = np.array([0.194684299, 0.350029711, 0.250478270]) / np.sqrt(scale)
    optimum = np.array([0.64011460301505, 2.66340435663249, 1.25609510122437])
    data = (DEATHS[0], DEATHS[1] * scale)
    result = emkit.fit(PoissonVector(), data, SQUAREM_DEMO_START, accelerate=accelerate)
    assert result.converged
    assert (np.abs(result.params - optimum) / errors < 0.01).all()


def test_an_m_step_that_leaves_the_space_at_once_is_refused_with_its_name():
    class Unnormalised(PoissonMixture):
        def m_step(self, params, statistics):
            return PoissonMixtureParams(statistics["counts"], statistics["sums"] / statistics["counts"])

    with pytest.raises(InvalidParamsError, match=r"Unnormalised.m_step returned params outside their space: weights"):
        emkit.fit(Unnormalised(), DEATHS, PoissonMixtureParams([0.5, 0.5], [1.0, 3.0]))


def test_an_m_step_that_writes_into_its_params_is_told_not_to():
    class Writing(PoissonMixture):
        def m_step(self, params, statistics):
            params.rates[:] = statistics["sums"] / statistics["counts"]
            return params

    with pytest.raises(ValueError, match="read-only") as caught:
        emkit.fit(Writing(), DEATHS, PoissonMixtureParams([0.5, 0.5], [1.0, 3.0]))
    assert "m_step must return new arrays" in caught.value.__notes__[0]


def test_a_count_of_observations_that_is_no_number_is_refused():
    class Counts(PoissonVector):
        def e_step(self, params, data):
            return emkit.EStep(*super().e_step(params, data), "100")

    with pytest.raises(TypeError, match="n_observations"):
        emkit.fit(Counts(), DEATHS, np.array([0.5, 1.0, 3.0]))

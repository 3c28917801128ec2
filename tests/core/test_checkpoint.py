"""A resumed fit equals one that nobody disturbed, to the last bit, wherever it was killed."""

from __future__ import annotations

import collections
import dataclasses
import threading

import attrs
import numpy as np
import pytest
from crashes import assert_survives, differences
from problems.scored import ScoredPoissonMixture
from toys import (
    DEATHS,
    LINKAGE_DATA,
    MURRAY_DATA,
    SQUAREM_DEMO_START,
    Linkage,
    LinkageParams,
    MissingNormal,
    NormalParams,
    Parabola,
    PoissonMixture,
    PoissonMixtureParams,
    PoissonVector,
)

import emkit
from emkit import ShortRuns, Status, StepTolerance
from emkit.acceleration import Acceleration, Accelerator, Automatic
from emkit.convergence import Monitor, Tolerance
from emkit.errors import DegenerateError

ACCELERATORS = (None, "squarem", "anderson", "quasi_newton", "auto")
SLOW_START = PoissonMixtureParams([0.4, 0.6], [1.0, 4.0])
#: How many E-steps lie between two kills, so that each test kills some tens of times.
SPACING = {None: 150, "squarem": 7}


# --- Accelerators and stopping rules


@pytest.mark.parametrize("accelerate", ACCELERATORS)
def test_with_every_accelerator(tmp_path, accelerate):
    every = SPACING.get(accelerate, 3)
    result = assert_survives(tmp_path, PoissonVector(), DEATHS, SQUAREM_DEMO_START, accelerate=accelerate, every=every)
    assert result.converged


@pytest.mark.parametrize("accelerate", ["squarem", "anderson", "quasi_newton", "auto"])
@pytest.mark.parametrize("tol", [0, StepTolerance(1e-9), 1e-3], ids=str)
def test_with_every_stopping_rule(tmp_path, tol, accelerate):
    settings = {"accelerate": accelerate, "tol": tol, "every": 5}
    assert_survives(tmp_path, PoissonVector(), DEATHS, SQUAREM_DEMO_START, **settings)


class PlainMemory(Acceleration):
    """An ordinary class that writes to its array, its list and its dict."""

    def __init__(self, scale):
        self.factor = 1.5
        self.momentum = np.zeros(len(scale))
        self.judgements = []
        self.counts = {"proposals": 0}

    def propose(self, x, image):
        self.momentum *= 0.5
        self.momentum += image - x
        self.counts["proposals"] += 1
        return image + 0.3 * self.factor * self.momentum * min(self.counts["proposals"], 3)

    def judged(self, *, accepted):
        self.judgements.append(float(accepted))
        self.factor *= 1.3 if np.mean(self.judgements) > 0.5 else 0.7

    def skipped(self, x, image):
        self.momentum[:] = 0


class SlottedMemory(PlainMemory):
    __slots__ = ("bonus",)

    def __init__(self, scale):
        super().__init__(scale)
        self.bonus = 0.1

    def propose(self, x, image):
        self.bonus *= 1.01
        return super().propose(x, image) + self.bonus * (image - x)


@attrs.define
class AttrsMemory(Acceleration):
    factor: float = 1.5

    def propose(self, x, image):
        return image + self.factor * (image - x)

    def judged(self, *, accepted):
        self.factor *= 1.3 if accepted else 0.5

    def skipped(self, x, image):
        pass


class StatelessMemory(Acceleration):
    def propose(self, x, image):
        return x + 1.7 * (image - x)

    def judged(self, *, accepted):
        pass

    def skipped(self, x, image):
        pass


class LockedMemory(PlainMemory):
    def __init__(self, scale):
        super().__init__(scale)
        self.lock = threading.Lock()


class Own(Accelerator):
    """An accelerator of a user, who has no idea of checkpoints."""

    def __init__(self, begins):
        self.begins = begins

    def begin(self, scale, fields):
        return self.begins(scale)


@pytest.mark.parametrize("begins", [PlainMemory, SlottedMemory, lambda _: AttrsMemory(), lambda _: StatelessMemory()])
def test_with_an_accelerator_of_ones_own(tmp_path, begins):
    assert_survives(tmp_path, PoissonVector(), DEATHS, SQUAREM_DEMO_START, accelerate=Own(begins), every=40)


def test_with_an_accelerator_of_ones_own_inside_another(tmp_path):
    within = Automatic(accelerator=Own(PlainMemory))
    assert_survives(tmp_path, PoissonVector(), DEATHS, SQUAREM_DEMO_START, accelerate=within, every=40)


def test_a_memory_that_cannot_be_kept_begins_anew(tmp_path):
    settings = {"accelerate": Own(LockedMemory), "checkpoint": tmp_path}
    cut = emkit.fit(PoissonVector(), DEATHS, SQUAREM_DEMO_START, max_iter=20, **settings)
    assert cut.status is Status.MAX_ITER
    result = emkit.fit(PoissonVector(), DEATHS, SQUAREM_DEMO_START, **settings)
    assert result.converged
    assert result.log_likelihoods[:5].tolist() == cut.log_likelihoods[:5].tolist()
    assert result.log_likelihood == pytest.approx(-1989.94586, abs=1e-5)


class Patient(Monitor):
    def __init__(self):
        super().__init__()
        self.steps = []

    def _decide(self, step):
        self.steps.append(step.scaled)
        return len(self.steps) > 30


class Patience(Tolerance):
    def begin(self):
        return Patient()


@pytest.mark.parametrize("accelerate", [None, "auto"])
def test_with_a_stopping_rule_of_ones_own(tmp_path, accelerate):
    settings = {"accelerate": accelerate, "tol": Patience(), "every": 3}
    result = assert_survives(tmp_path, PoissonVector(), DEATHS, SQUAREM_DEMO_START, **settings)
    assert len(result.history) == 31


@pytest.mark.parametrize("method", ["lbfgs", "newton"])
@pytest.mark.parametrize("accelerate", [None, "auto"])
def test_with_a_polish(tmp_path, accelerate, method):
    settings = {"accelerate": accelerate, "polish": method, "every": 2}
    result = assert_survives(tmp_path, ScoredPoissonMixture(), DEATHS, SLOW_START, **settings)
    assert result.n_e_steps < 200


# --- Params


@dataclasses.dataclass(frozen=True)
class RecordParams:
    weights: np.ndarray
    rates: np.ndarray
    name: str = "winter"


TupleParams = collections.namedtuple("TupleParams", "weights rates")


class Mapped(PoissonMixture):
    """The toy mixture with other params; ``make`` builds them, all undeclared."""

    def __init__(self, make):
        super().__init__(3)
        object.__setattr__(self, "make", make)

    def e_step(self, params, data):
        weights, rates = params.values() if isinstance(params, dict) else (params.weights, params.rates)
        return super().e_step(PoissonMixtureParams(weights, rates), data)

    def m_step(self, params, statistics):
        following = super().m_step(params, statistics)
        return self.make(following.weights, following.rates)


@pytest.mark.parametrize(
    "make", [RecordParams, TupleParams, lambda weights, rates: {"weights": weights, "rates": rates}]
)
def test_with_params_of_every_kind(tmp_path, make):
    start = make(np.array([0.2, 0.3, 0.5]), np.array([1.0, 2, 4]))
    assert_survives(tmp_path, Mapped(make), DEATHS, start, every=20)


def test_with_params_that_are_one_number(tmp_path):
    assert_survives(tmp_path, Linkage(), LINKAGE_DATA, LinkageParams(0.2), accelerate="anderson")


def test_with_params_that_do_not_lie_in_c_order(tmp_path):
    """Linear algebra gives other last bits for a matrix that lies by columns."""
    rng = np.random.default_rng(0)
    target, direction = rng.normal(size=(7, 4)), rng.normal(size=4)

    class ByColumns:
        def e_step(self, params, data):
            along = params @ direction
            return (params, along), -float(((params - target) ** 2).sum() + 1e-3 * along @ along)

        def m_step(self, params, statistics):
            mean, along = statistics
            return np.asfortranarray(0.1 * target + 0.9 * mean - 1e-4 * np.outer(along, direction))

    settings = {"accelerate": None, "max_iter": 40, "every": 3}
    assert_survives(tmp_path, ByColumns(), None, np.zeros((7, 4)), **settings)


def test_with_units_that_are_taken_anew_on_the_way(tmp_path):
    far = np.array([1e-9, 1e-9, 1e-9])
    model = Parabola(np.array([0.5, 0.9, 0.97]), target=np.array([1.0, 100.0, 1e4]))
    for accelerate in ("anderson", "squarem"):
        (tmp_path / accelerate).mkdir()
        assert_survives(tmp_path / accelerate, model, None, far, accelerate=accelerate)


# --- Endings


class OffTheCurve(Parabola):
    """Plain EM runs along a curve; from a point off the curve, where only a proposal leads, its M-step falls."""

    def m_step(self, params, statistics):
        slow, fast = statistics
        is_off = fast > 1.5 * slow ** (np.log(0.5) / np.log(0.95))
        return 1.5 * statistics if is_off else statistics * [0.95, 0.5]


class Leap(StatelessMemory):
    def propose(self, x, image):
        return image * [0.5, 1.0] if x[0] > 0.8 else None


def test_with_an_accelerated_step_that_is_taken_back_later(tmp_path):
    leaps = Own(lambda _: Leap())
    result = assert_survives(tmp_path, OffTheCurve(), None, np.ones(2), accelerate=leaps)
    assert result.n_rejected == 5


class Troubled(Parabola):
    """Below one half its M-step answers with ``trouble``."""

    trouble = staticmethod(lambda answer: answer)

    def m_step(self, params, statistics):
        answer = super().m_step(params, statistics)
        return self.trouble(answer) if statistics[0] < 0.5 else answer


def _gives_up(answer):
    reason = "a hole"
    raise DegenerateError(reason)


@pytest.mark.parametrize(
    ("trouble", "status"),
    [
        (lambda answer: answer - 1, Status.DECREASED),
        (lambda answer: answer * np.nan, Status.NONFINITE),
        (_gives_up, Status.DEGENERATE),
    ],
)
@pytest.mark.parametrize("accelerate", [None, "auto"])
def test_with_an_unhappy_end(tmp_path, trouble, status, accelerate):
    model = type("InTrouble", (Troubled,), {"trouble": staticmethod(trouble)})(0.9)
    result = assert_survives(tmp_path, model, None, np.array([1.0]), accelerate=accelerate)
    assert result.status is status


def test_with_a_climb_that_stalls(tmp_path):
    class Ridge(Parabola):
        def e_step(self, params, data):
            return emkit.EStep(params, 0.0, 10.0)

        def m_step(self, params, statistics):
            return statistics + 0.1

    result = assert_survives(tmp_path, Ridge(), None, np.ones(2), every=9)
    assert result.status is Status.STALLED


def test_with_a_callback_that_stops_the_fit(tmp_path):
    def stop(point):
        if point.n_iter == 7:
            raise StopIteration

    result = assert_survives(tmp_path, PoissonVector(), DEATHS, SQUAREM_DEMO_START, callback=stop)
    assert result.status is Status.STOPPED_BY_CALLBACK


@pytest.mark.parametrize("polish", [None, "lbfgs"])
@pytest.mark.parametrize("accelerate", ["squarem", "auto"])
def test_raising_max_iter_again_and_again_is_one_long_fit(tmp_path, accelerate, polish):
    settings = {"accelerate": accelerate, "polish": polish}
    undisturbed = emkit.fit(ScoredPoissonMixture(), DEATHS, SLOW_START, **settings)
    for max_iter in (1, 2, 3, *range(4, undisturbed.n_e_steps, 3), 10_000):
        result = emkit.fit(
            ScoredPoissonMixture(), DEATHS, SLOW_START, max_iter=max_iter, checkpoint=tmp_path, **settings
        )
        assert result.n_e_steps <= max_iter
    assert differences(undisturbed, result) == []


# --- Several starts


@pytest.mark.parametrize("short_runs", [None, ShortRuns(5, 2)])
@pytest.mark.parametrize("accelerate", ["squarem", "auto"])
def test_with_several_starts(tmp_path, accelerate, short_runs):
    settings = {"n_starts": 4, "short_runs": short_runs, "accelerate": accelerate, "every": 31}
    assert_survives(tmp_path, PoissonMixture(3), DEATHS, **settings)


def test_with_an_escape(tmp_path):
    start = NormalParams(np.zeros(2), np.diag([2.0, 3.0]))
    settings = {"escapes": 2, "accelerate": "anderson", "every": 4}
    result = assert_survives(tmp_path, MissingNormal(), MURRAY_DATA, start, **settings)
    assert any("Left a saddle" in note for note in result.notes)

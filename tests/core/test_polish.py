"""The polish is fast, takes nothing that is not higher, and no score, however wrong, makes a fit wrong."""

from __future__ import annotations

import types
from itertools import pairwise
from typing import Any

import attrs
import numpy as np
import pytest
from problems.scored import (
    APPLE_COVARIANCE,
    APPLE_CROP,
    APPLE_MEAN,
    APPLE_OPTIMUM,
    BLOOD_COUNTS,
    AlleleParams,
    BloodGroups,
    IncompleteNormal,
    NormalParams,
    ScoredLinkage,
    ScoredPoissonMixture,
)
from toys import (
    DEATHS,
    LINKAGE_DATA,
    LINKAGE_OPTIMUM,
    MURRAY_DATA,
    SQUAREM_DEMO_START,
    TURNBULL_DATA,
    TURNBULL_OPTIMUM,
    LinkageParams,
    Parabola,
    PoissonMixture,
    PoissonMixtureParams,
    PoissonVector,
    Turnbull,
    Watched,
)

import emkit
from emkit import Polish, Status, space
from emkit.errors import DegenerateError, MissingCapabilityError
from emkit.polish.ascent import PATIENCE
from emkit.polish.directions import Lbfgs
from emkit.polish.view import Place
from emkit.space.assignment import check_params

SLOW_START = PoissonMixtureParams([0.4, 0.6], [1.0, 4.0])
#: Maximum of the two-component mixture of the deaths, and its params (proportion, rate, rate), by Newton's method.
DEATHS_OPTIMUM = -1989.9458598829644
DEATHS_PARAMS = [0.64011460301505, 2.66340435663249, 1.25609510122437]
MURRAY_MAXIMUM, MURRAY_SADDLE = -29.97428641046501, -30.033342386268
BOTH = pytest.mark.parametrize("method", ["lbfgs", "newton"])


class Uncut(ScoredPoissonMixture):
    leaf_rows = None


@attrs.frozen
class ScoredParabola(Parabola):
    def complete_score(self, params, statistics):
        return -2 * np.asarray(self.curvatures) * (params - self.target)


class ScoredVector(PoissonVector):
    """The Poisson mixture as a bare vector of which nothing is declared."""

    def complete_score(self, params, statistics):
        first, first_sum, second_sum, total = statistics
        p, one, two = params
        return np.array(
            [first / p - (total - first) / (1 - p), first_sum / one - first, second_sum / two - (total - first)]
        )


class BareTurnbull(Turnbull):
    """Nothing is declared."""

    def complete_score(self, params, statistics):
        return statistics / params


class ScoredTurnbull(BareTurnbull):
    def space(self, params):
        return space.Simplex()


@attrs.frozen
class ScoredPrior(ScoredPoissonMixture):
    """With weights ~ Dirichlet(3) and rates ~ Gamma(4, 2)."""

    leaf_rows = None

    def m_step(self, params, statistics):
        counts = statistics["counts"] + 2
        return PoissonMixtureParams(counts / counts.sum(), (statistics["sums"] + 3) / (statistics["counts"] + 2))

    def log_prior(self, params):
        return float(2 * np.log(params.weights).sum() + (3 * np.log(params.rates) - 2 * params.rates).sum())


def murray_start(correlation):
    return NormalParams(np.zeros(2), 2.5 * np.array([[1, correlation], [correlation, 1]]))


def jump(result):
    """Return the E-steps of the polish: every plain step takes one."""
    return int(np.diff(result.history.n_e_steps).max())


# Fast and exact


@BOTH
@pytest.mark.parametrize("accelerate", [None, "auto", "squarem"])
@pytest.mark.parametrize("tol", [1e-6, 1e-10])
def test_a_slow_fit_ends_at_its_optimum_after_few_e_steps(method, accelerate, tol):
    """Plain EM takes 1358 E-steps at the default tolerance, and 2418 at 1e-10."""
    result = emkit.fit(Uncut(), DEATHS, SLOW_START, accelerate=accelerate, polish=method, tol=tol)
    assert result.converged
    assert result.n_e_steps <= 60
    assert result.objective == pytest.approx(DEATHS_OPTIMUM, abs=1e-9)
    found = [result.params.weights[1], result.params.rates[1], result.params.rates[0]]
    # The objective is known to 5e-11 nats, which are 1e-5 standard errors.
    assert found == pytest.approx(DEATHS_PARAMS, abs=5e-6)


@BOTH
def test_fields_that_declare_nothing_are_polished(method):
    result = emkit.fit(ScoredVector(), DEATHS, SQUAREM_DEMO_START, accelerate=None, polish=method)
    assert result.converged
    assert result.n_e_steps <= 60
    assert result.objective == pytest.approx(DEATHS_OPTIMUM, abs=1e-9)


@BOTH
def test_a_score_from_contributions_serves_as_well(method):
    @attrs.frozen
    class Contributions(PoissonMixture):
        score_contributions = ScoredPoissonMixture.score_contributions

    result = emkit.fit(Contributions(), DEATHS, SLOW_START, accelerate=None, polish=method)
    assert result.n_e_steps <= 40
    assert result.objective == pytest.approx(DEATHS_OPTIMUM, abs=1e-9)


@BOTH
def test_closed_forms_are_reached(method):
    linkage = emkit.fit(ScoredLinkage(), LINKAGE_DATA, LinkageParams(0.05), polish=method)
    assert linkage.params.theta == pytest.approx(LINKAGE_OPTIMUM, abs=1e-9)
    start = NormalParams([10.0, 60.0], [[50.0, 0.0], [0.0, 80.0]])
    apples = emkit.fit(IncompleteNormal(), APPLE_CROP, start, accelerate=None, polish=method)
    assert apples.objective == pytest.approx(APPLE_OPTIMUM, abs=2e-9)
    assert apples.params.mean == pytest.approx(APPLE_MEAN, abs=1e-5)
    assert apples.params.covariance == pytest.approx(APPLE_COVARIANCE, abs=1e-4)


@BOTH
def test_a_fit_that_is_fast_anyway_ends_where_it_did(method):
    plain = emkit.fit(BloodGroups(), BLOOD_COUNTS, AlleleParams([0.3, 0.2, 0.5]), tol=0)
    polished = emkit.fit(BloodGroups(), BLOOD_COUNTS, AlleleParams([0.3, 0.2, 0.5]), polish=method)
    assert polished.params.frequencies == pytest.approx(plain.params.frequencies, abs=1e-8)


@BOTH
def test_a_posterior_mode_is_polished_with_its_prior(method):
    plain = emkit.fit(ScoredPrior(), DEATHS, SLOW_START, accelerate=None, tol=0)
    polished = emkit.fit(ScoredPrior(), DEATHS, SLOW_START, accelerate=None, polish=method)
    assert polished.n_e_steps < 50 < plain.n_e_steps
    assert polished.objective == pytest.approx(plain.objective, abs=1e-9)
    assert polished.params.rates == pytest.approx(plain.params.rates, abs=1e-5)
    assert polished.notes == ()


def test_lbfgs_does_not_depend_on_units():
    start = NormalParams([10.0, 60.0], [[50.0, 0.0], [0.0, 80.0]])
    unit = np.array([1.0, 1024.0])
    scaled = NormalParams(start.mean * unit, start.covariance * np.outer(unit, unit))
    counts = [
        emkit.fit(IncompleteNormal(), data, params, accelerate=None, polish="lbfgs").n_e_steps
        for data, params in ((APPLE_CROP, start), (APPLE_CROP * unit, scaled))
    ]
    assert counts[0] == counts[1]


# The directions


def test_the_direction_of_lbfgs_is_that_of_the_dense_update_with_em_as_the_first_inverse():
    """B <- (1 - s y'/sy) B (1 - y s'/sy) + s s'/sy, Nocedal and Wright (2006), equation (6.17)."""
    rng = np.random.default_rng(0)
    root, more = rng.normal(size=(2, 4, 4))
    information = root @ root.T + np.eye(4)
    first = np.linalg.inv(information + more @ more.T)
    rule, dense = Lbfgs(memory=5), first
    places = [Place(None, None, x, -first @ information @ x, -information @ x) for x in rng.normal(size=(4, 4))]
    assert rule.direction(places[0]) == pytest.approx(places[0].step)
    for before, after in pairwise(places):
        rule.moved(before, after)
        s, y = after.x - before.x, before.score - after.score
        left = np.eye(4) - np.outer(s, y) / (s @ y)
        dense = left @ dense @ left.T + np.outer(s, s) / (s @ y)
        assert rule.direction(after) == pytest.approx(dense @ after.score)
    assert rule.forget()
    assert rule.direction(places[0]) == pytest.approx(places[0].step)
    assert not rule.forget()


def test_newton_reaches_the_top_of_a_parabola_in_one_step():
    model = ScoredParabola([0.99, 0.9, 0.999], target=np.array([1.0, 2.0, 3.0]), curvatures=np.array([1.0, 5.0, 30.0]))
    result = emkit.fit(model, None, np.zeros(3), accelerate=None, polish=Polish("newton", hand_over=100.0))
    # Two or four E-steps for each slope, one for the step, and one that finds nothing left.
    assert 3 * 2 + 1 <= jump(result) <= 3 * 4 + 2
    assert result.objective == pytest.approx(0.0, abs=1e-12)
    assert result.n_iter < 15


# Saddles and bounds


@BOTH
@pytest.mark.parametrize("correlation", [0.001, 0.01, -0.01, 0.3])
def test_a_start_next_to_murrays_saddle_ends_at_the_maximum_on_its_side(method, correlation):
    result = emkit.fit(IncompleteNormal(), MURRAY_DATA, murray_start(correlation), accelerate=None, polish=method)
    assert result.objective == pytest.approx(MURRAY_MAXIMUM, abs=1e-9)
    assert np.sign(result.params.covariance[0, 1]) == np.sign(correlation)
    # Plain EM: 52 from 0.3, 145 from 0.001.
    assert result.n_e_steps <= 60


@BOTH
def test_a_polish_does_not_leave_the_line_on_which_em_goes_to_the_saddle(method):
    start = NormalParams(np.zeros(2), np.diag([1.0, 3.0]))
    result = emkit.fit(IncompleteNormal(), MURRAY_DATA, start, polish=method)
    assert result.objective == pytest.approx(MURRAY_SADDLE, abs=1e-9)
    assert result.verify(MURRAY_DATA).kind == "saddle"


@BOTH
def test_entries_that_start_on_a_bound_stay_there(method):
    start = np.full(14, 1 / 13)
    start[4] = 0.0
    model = Watched(ScoredTurnbull())
    with np.errstate(divide="ignore", invalid="ignore"):
        result = emkit.fit(model, TURNBULL_DATA, start, accelerate=None, polish=method)
    assert result.converged
    assert jump(result) > 1
    assert result.params[4] == 0.0
    assert result.objective == pytest.approx(TURNBULL_OPTIMUM, abs=1e-5)
    assert all(params[4] == 0 for params in model.evaluated)


@pytest.mark.parametrize("accelerate", [None, "auto"])
def test_an_optimum_on_many_bounds_is_no_trap(accelerate):
    start = np.full(14, 1 / 14)
    plain = emkit.fit(ScoredTurnbull(), TURNBULL_DATA, start, accelerate=accelerate)
    result = emkit.fit(ScoredTurnbull(), TURNBULL_DATA, start, accelerate=accelerate, polish="lbfgs")
    assert result.objective == pytest.approx(TURNBULL_OPTIMUM, abs=1e-5)
    assert result.n_e_steps < plain.n_e_steps


def test_a_polish_that_is_slower_than_em_is_left():
    """Fields that declare nothing are not pulled inside their bounds, so here every step is cut short."""
    result = emkit.fit(BareTurnbull(), TURNBULL_DATA, np.full(14, 1 / 14), accelerate=None, polish="lbfgs")
    assert result.objective == pytest.approx(TURNBULL_OPTIMUM, abs=1e-5)
    assert jump(result) <= 5 * PATIENCE


# Nothing infeasible, nothing lower, nothing uncounted


@BOTH
@pytest.mark.parametrize("accelerate", [None, "auto"])
@pytest.mark.parametrize(
    ("model", "data", "start"),
    [
        (Uncut(), DEATHS, SLOW_START),
        (ScoredVector(), DEATHS, SQUAREM_DEMO_START),
        (ScoredTurnbull(), TURNBULL_DATA, np.full(14, 1 / 14)),
        (BareTurnbull(), TURNBULL_DATA, np.full(14, 1 / 14)),
        (ScoredLinkage(), LINKAGE_DATA, LinkageParams(0.05)),
        (IncompleteNormal(), MURRAY_DATA, murray_start(0.9)),
        (ScoredPrior(), DEATHS, SLOW_START),
    ],
    ids=[
        "poisson",
        "poisson, nothing declared",
        "turnbull",
        "turnbull, nothing declared",
        "linkage",
        "normal",
        "prior",
    ],
)
def test_every_point_is_feasible_and_counted_and_the_history_rises(model, data, start, accelerate, method):
    instrumented, points = Watched(model), []
    result = emkit.fit(
        instrumented, data, start, accelerate=accelerate, polish=method, callback=points.append, tol=1e-9
    )
    assert result.converged
    # The count of free parameters afterwards takes an E-step for a field that declares nothing.
    assert result.n_e_steps == len(instrumented.evaluated) - (type(model) in (ScoredVector, BareTurnbull))
    assert instrumented.n_m_steps <= len(instrumented.evaluated)
    for params in instrumented.evaluated:
        check_params(model, params)
        if isinstance(params, np.ndarray):
            assert (params >= 0).all()
    assert result.history.n_e_steps[-1] == result.n_e_steps
    accepted = {point.n_iter: point for point in points}
    assert sorted(accepted) == list(range(result.n_iter + 1))
    workload = emkit.engines.Workload.of(model, data)
    for k, log_likelihood in enumerate(result.log_likelihoods):
        assert log_likelihood == workload.e_step(accepted[k].params).log_likelihood
    slack = 64 * np.finfo(float).eps * (abs(result.objective) + 2000)
    assert (np.diff(result.objectives) >= -slack).all()


@BOTH
@pytest.mark.parametrize("max_iter", range(1, 36))
def test_max_iter_bounds_the_e_steps_of_a_polish_and_what_it_gained_is_kept(max_iter, method):
    model, points = Watched(Uncut()), []
    result = emkit.fit(
        model, DEATHS, SLOW_START, accelerate=None, polish=method, max_iter=max_iter, tol=0, callback=points.append
    )
    assert result.status is Status.MAX_ITER
    assert result.n_e_steps == len(model.evaluated) == max_iter
    assert result.objective == result.objectives[-1]
    assert result.log_likelihood == Uncut().e_step(result.params, DEATHS).log_likelihood
    assert points[-1].objective == result.objective
    if method == "lbfgs":
        highest = max(Uncut().e_step(params, DEATHS).log_likelihood for params in model.evaluated)
        assert result.objective == pytest.approx(highest, abs=1e-10)


def test_max_time_ends_a_polish_after_the_running_e_step(monkeypatch):
    clock = types.SimpleNamespace(now=0.0)
    for module in ("climb.evaluation", "driver"):
        monkeypatch.setattr(f"emkit.{module}.time", types.SimpleNamespace(monotonic=lambda: clock.now))

    def tick(number, params, answer):
        clock.now += 1.0
        return answer

    result = emkit.fit(
        Watched(Uncut(), on_e_step=tick), DEATHS, SLOW_START, accelerate=None, polish="lbfgs", max_time=17.5
    )
    assert result.status is Status.MAX_TIME
    assert result.n_e_steps == 18
    assert result.n_iter == 11


@BOTH
@pytest.mark.parametrize("allowed", [1, 7, 9])
def test_a_polish_takes_no_more_e_steps_than_it_may(method, allowed):
    polish = Polish(method, max_e_steps=allowed)
    result = emkit.fit(Uncut(), DEATHS, SLOW_START, accelerate=None, polish=polish, max_iter=40)
    assert jump(result) <= allowed


@BOTH
@pytest.mark.parametrize("cut", [5, 12, 14, 20, 25])
def test_a_fit_that_was_cut_is_polished_when_it_is_resumed(method, cut, tmp_path):
    settings = {"accelerate": None, "polish": method, "checkpoint": tmp_path}
    first = emkit.fit(Uncut(), DEATHS, SLOW_START, max_iter=cut, **settings)
    result = emkit.fit(Uncut(), DEATHS, SLOW_START, **settings)
    assert first.status is Status.MAX_ITER
    assert result.converged
    assert result.n_e_steps <= 80
    assert result.objective == pytest.approx(DEATHS_OPTIMUM, abs=1e-9)


def test_an_information_that_takes_too_many_e_steps_is_left_unfinished():
    """The first difference step is far too long for such a curvature: 4 E-steps a slope instead of 2."""
    model = ScoredParabola(0.9, target=np.ones(3), curvatures=1e8)
    polish = Polish("newton", hand_over=1e12, max_e_steps=7)
    result = emkit.fit(model, None, np.zeros(3), accelerate=None, polish=polish)
    assert result.converged
    # The polish gained nothing, and a plain step comes after it.
    assert jump(result) == 7 + 1


def test_em_hands_over_when_a_step_has_gained_little():
    steps = emkit.fit(Uncut(), DEATHS, SLOW_START, accelerate=None, max_iter=50).objectives
    for hand_over in (1.0, 0.1, 0.01, 0.001):
        result = emkit.fit(Uncut(), DEATHS, SLOW_START, accelerate=None, polish=Polish(hand_over=hand_over))
        when = int(np.diff(result.history.n_e_steps).argmax())
        assert when == max(5, int(np.flatnonzero(np.diff(steps) <= hand_over)[0]) + 1)


def test_a_polish_that_never_begins_changes_nothing():
    plain, never = (
        emkit.fit(Uncut(), DEATHS, SLOW_START, polish=polish) for polish in (None, Polish(hand_over=1e-300))
    )
    assert np.array_equal(plain.objectives, never.objectives)


def test_several_starts_in_threads_are_polished_as_in_turn():
    one, two = (
        emkit.fit(Uncut(), DEATHS, n_starts=4, rng=0, polish="lbfgs", engine=engine, tol=1e-9) for engine in (None, 2)
    )
    assert [start.objective for start in one.starts] == [start.objective for start in two.starts]
    assert [start.n_e_steps for start in one.starts] == [start.n_e_steps for start in two.starts]


# Scores that are wrong


@attrs.frozen
class Wrong(ScoredPoissonMixture):
    """A Poisson mixture whose score has gone through ``change(weights, rates)``."""

    leaf_rows = None
    change: Any = None

    def complete_score(self, params, statistics):
        right = super().complete_score(params, statistics)
        return types.SimpleNamespace() if self.change is None else self.change(right)


def _times(factor):
    def change(right):
        return PoissonMixtureParams(factor * right.weights, factor * right.rates)

    return change


def _raise(error):
    def change(right):
        raise error

    return change


def _noise(right):
    rng = np.random.default_rng(int(1e6 * abs(right.rates[0])) % 2**32)
    return PoissonMixtureParams(rng.normal(size=2) * 100, rng.normal(size=2) * 100)


@BOTH
@pytest.mark.parametrize("accelerate", [None, "auto"])
@pytest.mark.parametrize(
    "change",
    [
        *(_times(factor) for factor in (-1.0, 0.0, 1e-6, 0.5, 2.0, 1e3, 1e9, np.nan, np.inf)),
        lambda right: PoissonMixtureParams(right.weights, 0 * right.rates),
        lambda right: PoissonMixtureParams(right.weights, -right.rates),
        lambda right: PoissonMixtureParams(right.weights[:1], right.rates),
        _noise,
        None,
        _raise(np.linalg.LinAlgError("singular")),
        _raise(ZeroDivisionError()),
        _raise(DegenerateError("no")),
    ],
)
def test_a_wrong_score_never_makes_a_fit_wrong(change, accelerate, method):
    result = emkit.fit(Wrong(change=change), DEATHS, SLOW_START, accelerate=accelerate, polish=method)
    assert result.converged
    assert result.objective == pytest.approx(DEATHS_OPTIMUM, abs=2e-6)
    assert (np.diff(result.objectives) >= -1e-9).all()
    assert result.n_e_steps < 1358 + 210


def test_lbfgs_does_not_mind_a_constant_factor_in_the_score():
    result = emkit.fit(Wrong(change=_times(0.5)), DEATHS, SLOW_START, accelerate=None, polish="lbfgs")
    assert result.n_e_steps <= 40


def test_a_score_that_points_against_em_is_told():
    result = emkit.fit(Wrong(change=_times(-1.0)), DEATHS, SLOW_START, accelerate=None, polish="lbfgs")
    assert "falls along the EM step" in result.notes[0]
    assert "complete_score" in result.notes[0]


@pytest.mark.parametrize(
    ("change", "said"),
    [(_times(np.nan), "not finite"), (None, "must give weights the shape"), (_raise(ZeroDivisionError("o")), "o")],
)
def test_a_score_that_cannot_be_computed_is_told(change, said):
    result = emkit.fit(Wrong(change=change), DEATHS, SLOW_START, accelerate=None, polish="lbfgs")
    assert result.notes[0].startswith("There was no polish: Wrong gave no score")
    assert said in result.notes[0]


# Trouble on the way


@pytest.mark.parametrize(
    "error", [DegenerateError("d"), np.linalg.LinAlgError("s"), ValueError("v"), ZeroDivisionError("z"), None]
)
@pytest.mark.parametrize("step", ["e_step", "m_step"])
@pytest.mark.parametrize("first", [12, 15])
def test_a_point_that_the_model_refuses_is_left_and_em_goes_on(error, step, first):
    """From the first polished point, or from the fourth, on, eight points in a row are refused."""

    def hook(number, params, answer):
        if not first <= number < first + 8:
            return answer
        if error is not None:
            raise error
        nan = PoissonMixtureParams([np.nan, np.nan], [np.nan, np.nan])
        return nan if step == "m_step" else emkit.EStep(answer.statistics, float("nan"), 1.0)

    model = Watched(Uncut(), **{f"on_{step}": hook})
    result = emkit.fit(model, DEATHS, SLOW_START, accelerate=None, polish="lbfgs")
    assert result.converged
    assert result.objective == pytest.approx(DEATHS_OPTIMUM, abs=2e-6)


def test_a_polished_point_from_which_em_falls_is_left_again():
    @attrs.frozen
    class Pit(ScoredParabola):
        def m_step(self, params, statistics):
            image = super().m_step(params, statistics)
            return image + 50.0 if abs(statistics[0]) < 1e-9 else image

    result = emkit.fit(Pit(0.9), None, np.array([1.0]), accelerate=None, polish=Polish("newton", hand_over=1.0))
    assert result.converged
    assert result.n_rejected == 1
    assert result.objectives[6] == pytest.approx(-(0.9**12))


def test_an_interrupt_returns_the_best_point_of_the_polish():
    def hook(number, params, answer):
        if number == 18:
            raise KeyboardInterrupt
        return answer

    result = emkit.fit(Watched(Uncut(), on_e_step=hook), DEATHS, SLOW_START, accelerate=None, polish="lbfgs")
    assert result.status is Status.INTERRUPTED
    assert result.n_iter == 11
    assert result.objective == result.objectives[-1] > result.objectives[-2] + 0.01


def test_a_mistake_in_the_models_code_is_raised():
    def hook(number, params, answer):
        if number == 18:
            raise NameError
        return answer

    with pytest.raises(NameError):
        emkit.fit(Watched(Uncut(), on_e_step=hook), DEATHS, SLOW_START, accelerate=None, polish="lbfgs")


# What may be asked for


@pytest.mark.parametrize("polish", ["lbfgs", "newton", Polish()])
def test_a_model_without_a_score_is_told_before_any_e_step(polish):
    model = Watched(PoissonMixture())
    with pytest.raises(MissingCapabilityError, match=r"define complete_score\(params, statistics\)"):
        emkit.fit(model, DEATHS, SLOW_START, polish=polish)
    assert model.evaluated == []


@pytest.mark.parametrize("polish", ["bfgs", 3, True])
def test_an_unknown_polish_is_refused(polish):
    with pytest.raises(ValueError, match=r"polish must be None, an emkit.Polish, or one of \['lbfgs', 'newton'\]"):
        emkit.fit(Uncut(), DEATHS, SLOW_START, polish=polish)


@pytest.mark.parametrize("settings", [{"hand_over": 0.0}, {"max_e_steps": 0}, {"memory": -1}, {"hand_over": np.nan}])
def test_settings_are_positive(settings):
    with pytest.raises(ValueError, match=f"{next(iter(settings))} of a Polish must be positive"):
        Polish(**settings)


def test_newton_says_how_many_e_steps_it_needs():
    result = emkit.fit(Uncut(), DEATHS, SLOW_START, accelerate=None, polish=Polish("newton", max_e_steps=6))
    assert result.notes[0].startswith("There was no polish: Newton's method needs 7 E-steps and max_e_steps is 6.")
    assert result.objective == pytest.approx(DEATHS_OPTIMUM, abs=2e-6)


def test_a_curved_space_is_not_polished_and_that_is_told():
    class Curved(space.Real):
        is_affine = False

    class Model(ScoredParabola):
        def space(self, params):
            return Curved()

    result = emkit.fit(Model(0.9), None, np.array([1.0]), accelerate=None, polish="lbfgs")
    assert result.notes == ("There was no polish: params would leave the space, which is curved.",)

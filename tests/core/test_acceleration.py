"""Proposals reach far beyond a plain step, do not depend on units, and never judge themselves."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
from toys import DEATHS, SQUAREM_DEMO_START, Parabola, PoissonVector

import emkit
from emkit.acceleration import (
    Acceleration,
    Accelerator,
    Anderson,
    Automatic,
    QuasiNewton,
    Squarem,
    as_accelerator,
)

WHOLE = (slice(0, 2),)


def linear(rates, fixed_point):
    """Return an affine map with these rates."""
    return lambda x: fixed_point + rates * (x - fixed_point)


def proposal_from(memory, step, x):
    """Return the proposal after two steps of a map from x, and the image that is the plain alternative."""
    first = step(x)
    assert memory.propose(x, first) is None
    return memory.propose(first, step(first)), step(first)


def test_one_slow_mode_is_jumped_to_its_end():
    target = np.array([3.0, -1.0])
    step = linear(0.99, target)
    memory = Squarem(step_max=1e9).begin(np.ones(2), WHOLE)
    proposal, _ = proposal_from(memory, step, np.array([0.0, 0.0]))
    assert np.allclose(proposal, target, atol=1e-9)


def test_every_mode_of_a_linear_map_shrinks_by_the_square_of_its_extrapolation():
    target, rates, start = np.array([3.0, -1.0]), np.array([0.99, 0.97]), np.zeros(2)
    memory = Squarem(step_max=1e9).begin(np.ones(2), WHOLE)
    proposal, plain = proposal_from(memory, linear(rates, target), start)
    distances = (1 - rates) * (start - target)
    a = np.linalg.norm(distances) / np.linalg.norm((1 - rates) * distances)
    assert np.allclose(proposal - target, (1 - a * (1 - rates)) ** 2 * (start - target), rtol=1e-8)
    assert np.linalg.norm(proposal - target) < np.linalg.norm(plain - target) / 3


def test_the_proposal_is_the_published_formula():
    x0, x1, x2 = np.array([0.0, 1.0]), np.array([1.0, 1.5]), np.array([1.6, 1.7])
    memory = Squarem(step_max=1e9).begin(np.ones(2), WHOLE)
    memory.propose(x0, x1)
    r, v = x1 - x0, x2 - 2 * x1 + x0
    a = np.linalg.norm(r) / np.linalg.norm(v)
    assert np.allclose(memory.propose(x1, x2), x0 + 2 * a * r + a**2 * v, rtol=1e-14)


def test_the_smallest_ratio_over_the_fields_is_taken():
    step = linear(np.array([0.9, 0.5]), np.zeros(2))
    start = np.array([1e6, 1.0])
    memory = Squarem(step_max=1e9).begin(np.ones(2), (slice(0, 1), slice(1, 2)))
    proposal, _ = proposal_from(memory, step, start)
    # Alone, a field with rate r has |r|/|v| = 1 / (1 - r): 10 and 2; with a = 2 the second field ends in its target.
    assert proposal == pytest.approx([1e6 * (1 - 0.1 * 2) ** 2, 0.0], abs=1e-6)


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_proposals_do_not_depend_on_units(unit):
    rates, units = np.array([0.9, 0.6]), np.array([1.0, unit])

    def proposal(units):
        memory = Squarem(step_max=1e9).begin(units, WHOLE)
        return proposal_from(memory, linear(rates, units * 3.0), units * np.array([1.0, 2.0]))[0]

    assert np.allclose(proposal(units), units * proposal(np.ones(2)), rtol=1e-10)


def test_a_field_without_curvature_does_not_limit_the_step():
    memory = Squarem(step_max=1e9).begin(np.ones(2), (slice(0, 1), slice(1, 2)))
    proposal, _ = proposal_from(memory, linear(np.array([0.9, 1.0]), np.zeros(2)), np.ones(2))
    assert proposal == pytest.approx([0.0, 1.0], abs=1e-12)


def test_a_map_at_rest_proposes_nothing():
    memory = Squarem(step_max=1e9).begin(np.ones(2), WHOLE)
    assert proposal_from(memory, lambda x: x, np.ones(2))[0] is None


def steps_taken(memory, judgements):
    """Return the step lengths of successive cycles on a map so slow that the bound always holds."""
    taken = []
    for accepted in judgements:
        proposal, _ = proposal_from(memory, linear(1 - 1e-6, np.zeros(2)), np.ones(2))
        if proposal is None:
            taken.append(1.0)
        else:
            # Here x0 = 1, r = -1e-6 and v is negligible: the proposal is 1 + 2 a r.
            taken.append(round((1 - proposal[0]) / 2e-6))
            memory.judged(accepted=accepted)
    return taken


def test_the_bound_grows_when_a_step_at_it_is_accepted():
    memory = Squarem(step_max=1.0, factor=4.0).begin(np.ones(2), WHOLE)
    assert steps_taken(memory, [True] * 5) == [1, 4, 16, 64, 256]


def test_the_bound_shrinks_when_a_step_is_rejected_and_never_below_the_plain_step():
    memory = Squarem(step_max=16.0, factor=4.0).begin(np.ones(2), WHOLE)
    assert steps_taken(memory, [False] * 5) == [16, 4, 1, 4, 1]
    memory = Squarem(step_max=2.0, factor=4.0).begin(np.ones(2), WHOLE)
    assert steps_taken(memory, [False] * 3) == [2, 1, 4]


def test_a_step_within_the_bound_leaves_it_alone():
    memory = Squarem(step_max=50.0).begin(np.ones(2), WHOLE)
    proposal_from(memory, linear(0.9, np.zeros(2)), np.ones(2))
    memory.judged(accepted=True)
    assert steps_taken(memory, [True]) == [50]


def test_a_judgement_begins_a_new_cycle():
    memory = Squarem().begin(np.ones(2), WHOLE)
    memory.propose(np.ones(2), np.zeros(2))
    memory.judged(accepted=False)
    assert memory.propose(np.full(2, 5.0), np.full(2, 4.0)) is None


def test_runs_do_not_share_a_memory():
    settings = Squarem(step_max=16.0)
    steps_taken(settings.begin(np.ones(2), WHOLE), [False] * 2)
    assert steps_taken(settings.begin(np.ones(2), WHOLE), [True]) == [16]


# Anderson

#: A map with three distinct rates along oblique axes.
AXES = np.array([[1.0, 0.3, 0.0], [0.2, 1.0, -0.4], [0.0, 0.5, 1.0]])
JACOBIAN = AXES @ np.diag([0.9, 0.5, 0.2]) @ np.linalg.inv(AXES)
TARGET = np.array([3.0, -1.0, 2.0])


def oblique(x):
    return TARGET + JACOBIAN @ (x - TARGET)


def visit(memory, step, x, n):
    """Return the points of n accelerated steps of a map, every proposal accepted."""
    points = [x]
    for _ in range(n):
        proposal = memory.propose(points[-1], step(points[-1]))
        if proposal is not None:
            memory.judged(accepted=True)
        points.append(step(points[-1]) if proposal is None else proposal)
    return points


def test_anderson_solves_a_linear_map_in_one_step_more_than_it_has_entries():
    memory = Anderson(memory=3, longest=1e9).begin(np.ones(3), (slice(0, 3),))
    points = visit(memory, oblique, np.zeros(3), 4)
    assert np.abs(points[3] - TARGET).max() > 1e-3
    np.testing.assert_allclose(points[4], TARGET, atol=1e-12)


def test_an_anderson_mixture_is_the_published_formula():
    scale = np.array([1.0, 10.0, 0.1])
    memory = Anderson(longest=1e9).begin(scale, (slice(0, 3),))
    points = visit(memory, oblique, np.zeros(3), 3)
    images = [oblique(x) for x in points]
    x_differences = np.diff(points[:3], axis=0).T
    residuals = [image - x for x, image in zip(points, images, strict=True)]
    f_differences = np.diff(residuals[:3], axis=0).T
    weights = np.linalg.lstsq(f_differences / scale[:, None], residuals[2] / scale, rcond=None)[0]
    np.testing.assert_allclose(points[3], images[2] - (x_differences + f_differences) @ weights, rtol=1e-10)


@pytest.mark.parametrize("longest", [1.5, 4.0])
def test_of_an_anderson_mixture_that_is_too_long_only_a_share_is_added_to_the_plain_step(longest):
    scale = np.array([1.0, 100.0])
    step = linear(0.99, np.array([1.0, 300.0]))
    x = np.array([0.5, 0.0])
    memory = Anderson(longest=longest).begin(scale, WHOLE)
    assert memory.propose(x, step(x)) is None
    x = step(x)
    # The mixture is the fixed point, a hundred plain steps away.
    expected = step(x) + (np.array([1.0, 300.0]) - step(x)) * longest / 100
    np.testing.assert_allclose(memory.propose(x, step(x)), expected, rtol=1e-9)


def lengths_of_anderson(judgements, **settings):
    """Return how many plain steps long successive proposals are, on a map so slow that the bound always holds."""
    memory, lengths = Anderson(**settings).begin(np.ones(1), (slice(0, 1),)), []
    step, x = linear(1 - 1e-6, np.zeros(1)), np.ones(1)
    memory.propose(x, step(x))
    for accepted in judgements:
        x = step(x)
        proposal = memory.propose(x, step(x))
        lengths.append(round(float((proposal - x)[0] / (step(x) - x)[0]), 3))
        memory.judged(accepted=accepted)
    return lengths


def test_the_bound_of_anderson_grows_and_shrinks_but_never_to_the_plain_step():
    # One plain step, and of the mixture beyond it what the bound leaves.
    assert lengths_of_anderson([True, True, False, True]) == [5, 17, 65, 33]
    assert lengths_of_anderson([False] * 4, patience=9) == [5, 3, 2.5, 2.5]


def test_anderson_does_not_go_back_to_a_saddle():
    """Along the second entry EM moves away, ever faster; the nearest point with a vanishing residual is the saddle."""
    step = linear(np.array([0.5, 1.2]), np.zeros(2))
    memory = Anderson(longest=4.0).begin(np.ones(2), WHOLE)
    x = np.array([0.3, 0.01])
    while abs(x[1]) < 0.1:
        memory.skipped(x, step(x))
        x = step(x)
    proposal = memory.propose(x, step(x))
    np.testing.assert_allclose(proposal, x + 4 * (step(x) - x), rtol=1e-12)
    trusting = Anderson(backwards=-2.0, longest=1e9).begin(np.ones(2), WHOLE)
    for start in (np.array([0.3, 0.05]), np.array([0.2, 0.08])):
        trusting.skipped(start, step(start))
    np.testing.assert_allclose(trusting.propose(x, step(x)), 0, atol=1e-12)


def test_anderson_forgets_all_after_two_rejections_in_a_row():
    memory = Anderson(longest=1e9).begin(np.ones(3), (slice(0, 3),))
    points = visit(memory, oblique, np.zeros(3), 2)
    x = points[-1]
    for _ in range(2):
        memory.propose(x, oblique(x))
        memory.judged(accepted=False)
        last, x = x, oblique(x)
    # From here on it knows what a memory knows that has seen the last two points alone.
    fresh = Anderson(longest=1e9).begin(np.ones(3), (slice(0, 3),))
    fresh.skipped(last, oblique(last))
    memory.longest = fresh.longest
    np.testing.assert_array_equal(memory.propose(x, oblique(x)), fresh.propose(x, oblique(x)))


def test_one_rejection_alone_makes_anderson_forget_nothing():
    memory = Anderson(memory=3, longest=1e9).begin(np.ones(3), (slice(0, 3),))
    points = visit(memory, oblique, np.zeros(3), 3)
    memory.propose(points[-1], oblique(points[-1]))
    memory.judged(accepted=False)
    memory.longest = 1e9
    x = oblique(points[-1])
    np.testing.assert_allclose(memory.propose(x, oblique(x)), TARGET, atol=1e-10)


@pytest.mark.parametrize("settings", [Anderson(), QuasiNewton(), Squarem(step_max=1e9), Automatic(rate=0.1)])
@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e308])
def test_squares_that_overflow_are_forgotten_and_no_error(settings, bad):
    """The driver sees to it that points are finite, but squares of them need not be."""
    memory = settings.begin(np.ones(2), WHOLE)
    with np.errstate(all="ignore"):
        for sign in (1, -1, 1, -1):
            if memory.propose(sign * np.array([bad, 1.0]), np.array([bad, 2.0])) is not None:
                memory.judged(accepted=False)
    x, step = np.array([5.0, 1.0]), linear(np.array([0.9, 0.8]), np.zeros(2))
    with np.errstate(all="ignore"):
        points = visit(memory, step, x, 20)
    assert np.abs(points[-1]).max() < 0.5


@pytest.mark.parametrize("settings", [Anderson(), QuasiNewton()])
def test_secants_that_repeat_each_other_are_dropped(settings):
    """A map that moves along one line of three, however many secants there are."""
    line = np.array([1.0, 2.0, -1.0])
    memory = settings.begin(np.ones(3), (slice(0, 3),))
    points = visit(memory, lambda x: TARGET + 0.95 * (x - TARGET), TARGET + line, 14)
    np.testing.assert_allclose(points[-1], TARGET, atol=1e-9)


def test_anderson_drops_the_oldest_of_two_differences_that_are_nearly_parallel():
    residuals = np.array([[3.0, 1.0], [2.0, 1.0], [1.0, 1.0 - 1e-10]])
    points = np.array([[0.0, 0.0], [1.0, 2.0], [2.0, 1.0]])
    proposals = []
    for begin in (0, 1):
        memory = Anderson(longest=1e99, backwards=-2.0).begin(np.ones(2), WHOLE)
        for x, f in zip(points[begin:2], residuals[begin:2], strict=True):
            memory.skipped(x, x + f)
        proposals.append(memory.propose(points[2], points[2] + residuals[2]))
    np.testing.assert_array_equal(*proposals)


# Quasi-Newton


def test_a_quasi_newton_step_is_the_published_formula():
    """F(x) - V (U'U - U'V)^-1 U' (x - F(x)) for the last two secants, norms in units of the scale."""
    scale = np.array([1.0, 10.0, 0.1])
    memory = QuasiNewton().begin(scale, (slice(0, 3),))
    # First pair: 0, F(0), F(F(0)); its proposal is rejected and the second pair begins elsewhere.
    starts = np.zeros(3), np.array([0.3, 2.0, -0.7])
    secants = []
    for start in starts:
        first, second = oblique(start), oblique(oblique(start))
        assert memory.propose(start, first) is None
        proposal = memory.propose(first, second)
        memory.judged(accepted=False)
        secants.append(((first - start) / scale, (second - first) / scale))
    u, v = (np.array(columns).T for columns in zip(*secants, strict=True))
    x, image = starts[1] / scale, oblique(starts[1]) / scale
    expected = image - v @ np.linalg.inv(u.T @ u - u.T @ v) @ u.T @ (x - image)
    np.testing.assert_allclose(proposal, scale * expected, rtol=1e-9)


def test_quasi_newton_solves_a_linear_map_when_it_has_as_many_secants_as_there_are_entries():
    memory = QuasiNewton().begin(np.ones(3), (slice(0, 3),))
    points = visit(memory, oblique, np.zeros(3), 6)
    assert np.abs(points[4] - TARGET).max() > 1e-3
    np.testing.assert_allclose(points[6], TARGET, atol=1e-8)


def test_quasi_newton_forgets_its_secants_after_two_rejections_in_a_row():
    memory = QuasiNewton().begin(np.ones(3), (slice(0, 3),))
    x = np.zeros(3)
    for _ in range(2):
        proposal_from(memory, oblique, x)
        memory.judged(accepted=False)
        x = oblique(oblique(x))
    fresh = QuasiNewton().begin(np.ones(3), (slice(0, 3),))
    np.testing.assert_array_equal(proposal_from(memory, oblique, x)[0], proposal_from(fresh, oblique, x)[0])


# The automatic choice


def asked(settings, rate, n):
    """Return at which of n points, one EM step apart, there is a proposal."""
    memory = settings.begin(np.ones(2), WHOLE)
    step, x, found = linear(rate, np.zeros(2)), np.array([1.0, 2.0]), []
    for k in range(n):
        if memory.propose(x, step(x)) is not None:
            found.append(k)
            memory.judged(accepted=False)
        x = step(x)
    return found


def test_auto_leaves_fast_em_alone():
    assert asked(Automatic(), 0.3, 20) == []


def test_auto_takes_over_at_the_second_slow_step():
    # The first step has nothing to be compared with.
    assert asked(Automatic(accelerator=Anderson(patience=99)), 0.9, 6) == [2, 3, 4, 5]


def test_one_slow_step_between_fast_ones_is_no_reason_to_accelerate():
    memory = Automatic().begin(np.ones(1), (slice(0, 1),))
    x = np.ones(1)
    for length in (1.0, 0.3, 0.25, 0.07, 0.02, 0.015, 0.001):
        assert memory.propose(x, x + length) is None
        x = x + length


def test_auto_knows_what_was_seen_before_it_took_over():
    automatic = Automatic(accelerator=Anderson(longest=1e9)).begin(np.ones(3), (slice(0, 3),))
    anderson = Anderson(longest=1e9).begin(np.ones(3), (slice(0, 3),))
    x = np.zeros(3)
    while (proposal := automatic.propose(x, oblique(x))) is None:
        anderson.skipped(x, oblique(x))
        x = oblique(x)
    np.testing.assert_array_equal(proposal, anderson.propose(x, oblique(x)))


def test_auto_stabilises_as_the_accelerator_that_takes_over():
    assert Automatic(accelerator=Squarem()).begin(np.ones(1), (slice(0, 1),)).stabilises
    assert not Automatic().begin(np.ones(1), (slice(0, 1),)).stabilises


def test_auto_with_squarem_inside_reaches_the_optimum_as_squarem_does():
    fits = [
        emkit.fit(PoissonVector(), DEATHS, SQUAREM_DEMO_START, accelerate=accelerate)
        for accelerate in (Automatic(accelerator=Squarem()), "squarem")
    ]
    assert fits[0].log_likelihood == pytest.approx(fits[1].log_likelihood, abs=2e-6)
    assert fits[0].n_e_steps < 150


# In a fit


@attrs.frozen
class Overrelaxed(Accelerator):
    """Goes ``factor`` times as far as EM."""

    factor: float

    def begin(self, scale, fields):
        return Overrelaxing(self.factor)


@attrs.define(eq=False)
class Overrelaxing(Acceleration):
    factor: float
    judgements: list = attrs.field(factory=list)

    def propose(self, x, image):
        return x + self.factor * (image - x)

    def judged(self, *, accepted):
        self.judgements.append(accepted)

    def skipped(self, x, image):
        pass


def test_an_accelerator_of_ones_own_is_taken_and_judged():
    """A linear map with rate 0.9 has rate 1 - 1.8 * 0.1 when every step is 1.8 times as long."""
    plain, longer = (
        emkit.fit(Parabola(0.9), None, np.array([1.0]), accelerate=accelerate)
        for accelerate in (None, Overrelaxed(1.8))
    )
    assert longer.converged
    assert longer.n_e_steps == pytest.approx(plain.n_e_steps * np.log(0.9) / np.log(0.82), rel=0.15)


def test_an_accelerator_that_goes_too_far_costs_e_steps_and_no_more():
    result = emkit.fit(Parabola(0.5), None, np.array([1.0]), accelerate=Overrelaxed(50.0))
    assert result.converged
    assert result.n_rejected > 5
    assert (np.diff(result.objectives) >= 0).all()


@pytest.mark.parametrize("accelerate", [None, "squarem", "anderson", "quasi_newton", "auto"])
def test_a_start_next_to_zero_sets_no_units_for_ever(accelerate):
    """In units of the start a step would have to be 1e-13 long, which takes plain EM 260 steps."""
    result = emkit.fit(Parabola(0.9, 1.0), None, np.array([1e-9]), accelerate=accelerate)
    assert result.converged
    assert result.n_e_steps <= 80
    assert -result.log_likelihood <= 1e-6


@pytest.mark.parametrize("accelerate", ["squarem", "anderson", "quasi_newton", "auto"])
def test_the_units_of_a_field_do_not_change_the_number_of_e_steps(accelerate):
    @attrs.frozen(eq=False)
    class Params:
        first: np.ndarray
        second: np.ndarray

    @attrs.frozen
    class InUnits(emkit.LatentModel):
        unit: float

        def _model(self):
            return Parabola(np.array([0.99, 0.9, 0.95]), np.array([1.0, 2.0, 3.0]), np.array([1.0, 5.0, 0.2]))

        def e_step(self, params, data):
            return self._model().e_step(np.append(params.first, params.second / self.unit), data)

        def m_step(self, params, statistics):
            following = self._model().m_step(None, statistics)
            return Params(following[:2], following[2:] * self.unit)

    counts = set()
    for unit in (1.0, 2.0**60, 2.0**-60):
        start = Params(np.array([5.0, 5.0]), np.array([1.0]) * unit)
        counts.add(emkit.fit(InUnits(unit), None, start, accelerate=accelerate).n_e_steps)
    assert len(counts) == 1


# Names


def test_a_name_none_and_an_object_choose_the_accelerator():
    own = Squarem(step_max=7.0)
    assert as_accelerator("squarem") == Squarem()
    assert as_accelerator("anderson") == Anderson()
    assert as_accelerator("quasi_newton") == QuasiNewton()
    assert as_accelerator("auto") == Automatic()
    assert as_accelerator(own) is own
    assert as_accelerator(None) is None
    assert isinstance(own, Accelerator)


@pytest.mark.parametrize("unknown", ["quick", "", "SQUAREM", True, 3])
def test_an_unknown_accelerator_is_answered_with_the_known_ones(unknown):
    with pytest.raises(ValueError, match="'anderson', 'auto', 'quasi_newton', 'squarem'") as caught:
        as_accelerator(unknown)
    assert repr(unknown) in str(caught.value)

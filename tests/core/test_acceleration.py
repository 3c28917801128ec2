"""Proposals reach far beyond a plain step, do not depend on units, and never judge themselves."""

from __future__ import annotations

import numpy as np
import pytest

from emkit.acceleration import Accelerator, Squarem, as_accelerator

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


def test_a_name_none_and_an_object_choose_the_accelerator():
    own = Squarem(step_max=7.0)
    assert as_accelerator("squarem") == Squarem()
    assert as_accelerator(own) is own
    assert as_accelerator(None) is None
    assert isinstance(own, Accelerator)


@pytest.mark.parametrize("unknown", ["quick", "", "SQUAREM", True, 3])
def test_an_unknown_accelerator_is_answered_with_the_known_ones(unknown):
    with pytest.raises(ValueError, match="squarem") as caught:
        as_accelerator(unknown)
    assert repr(unknown) in str(caught.value)

"""The interval in which tails lie, and what is said at its ends."""

import numpy as np
import pytest
from emkit_mvn.student.params import Tail


@pytest.mark.parametrize(
    ("proposal", "reference", "allowed", "inside"),
    [
        (0.5, 1.0, True, 0.5),
        (-0.5, 1.0, False, 0.1),
        (0.0, 1.0, False, 0.1),
        (3.0, 1.0, False, 1.9),
        (0.0, 0.0, True, 0),
    ],
)
def test_accelerated_tails_stay_in_their_interval(proposal, reference, allowed, inside):
    space = Tail(2.0)
    assert space.allows(np.array(proposal), np.array(reference)) is allowed
    assert space.pull_inside(np.array(proposal), np.array(reference)) == pytest.approx(inside)


@pytest.mark.parametrize(("tail", "words"), [(0.0, "no heavier"), (1e-7, "no heavier"), (1.0, None), (2.0, "df = 0.5")])
def test_notes_name_the_end_that_a_tail_has_reached(tail, words):
    note = Tail(2.0).describe_bound(np.array(tail), "tail")
    assert (note is None) if words is None else (words in note)

"""What a leap has moved and EM then leaves alone goes back to where EM has last put it."""

from __future__ import annotations

import attrs
import numpy as np
import pytest

from emkit import space
from emkit.climb.strays import recalled
from emkit.space.coordinates import Coordinates


@attrs.frozen(eq=False)
class Params:
    """Shares of two groups in rows, a mean and a spread with a floor for each."""

    shares: np.ndarray = space.simplex()
    means: np.ndarray = space.real()
    spreads: np.ndarray = space.positive(lower=0.5)


class Model:
    """Coordinates need a model, and no method of it."""


BEFORE = Params(np.array([[0.4, 0.6], [0.3, 0.7]]), np.array([1.0, 2.0]), np.array([1.0, 3.0]))
HERE = Params(np.array([[0.5, 0.5], [0.1, 0.9]]), np.array([1.5, -6.0]), np.array([0.5, 0.9]))
CHART = Coordinates.of(Model(), BEFORE)


def recall(here, image):
    """Return the params that a point goes back to, given its EM image and that of the point before the leap."""
    back = recalled(CHART, CHART.flatten(here), CHART.flatten(image), CHART.flatten(BEFORE))
    return None if back is None else CHART.unflatten(back)


def test_entries_that_em_leaves_alone_go_back_and_the_others_stay():
    moving = attrs.evolve(
        HERE, shares=np.array([[0.5, 0.5], [0.2, 0.8]]), means=np.array([1.4, -6.0]), spreads=np.array([0.6, 0.9])
    )
    found = recall(HERE, moving)
    np.testing.assert_array_equal(found.means, [1.5, 2.0])
    np.testing.assert_array_equal(found.spreads, [0.5, 3.0])
    np.testing.assert_array_equal(found.shares, [[0.4, 0.6], [0.1, 0.9]])


def test_a_point_that_em_moves_throughout_has_no_strays():
    assert recall(HERE, Params(HERE.shares[:, ::-1].copy() * 0.9, HERE.means + 1, HERE.spreads * 2)) is None


def test_what_lies_on_a_bound_may_have_arrived_there():
    found = recall(HERE, HERE)
    assert found.spreads[0] == 0.5


@pytest.mark.parametrize("part", [[0.5, 0.4], [0.6, 0.5]])
def test_a_part_of_a_row_does_not_go_back_without_the_rest(part):
    """EM leaves one share of the first row as it is by chance: the row would no longer sum to one."""
    image = attrs.evolve(HERE, shares=np.array([part, [0.2, 0.8]]), means=HERE.means + 1, spreads=HERE.spreads * 2)
    assert recall(HERE, image) is None


def test_moves_of_no_consequence_are_left():
    near = attrs.evolve(BEFORE, means=BEFORE.means * (1 + 1e-9))
    assert recall(near, near) is None

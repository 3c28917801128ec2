"""The space of numbers between zero and a safeguard."""

import numpy as np
import pytest

from emkit.errors import InvalidParamsError
from emkit.families.capped import Capped


def test_numbers_beyond_the_cap_are_refused_by_index():
    Capped(5.0).check(np.array([0.0, 5.0]), "shapes")
    with pytest.raises(InvalidParamsError, match=r"shapes\[1, 0\] must be at most 2, but is 3"):
        Capped(np.array([2.0, 9.0])).check(np.array([[1.0, 3.0], [3.0, 3.0]]), "shapes")
    with pytest.raises(InvalidParamsError, match=r"shapes\[0\] must be at least 0"):
        Capped(2.0).check(np.array([-1.0]), "shapes")


def test_a_proposal_must_stay_below_and_is_pulled_back_inside():
    space, reference = Capped(10.0), np.array([4.0, 8.0, 10.0])
    assert space.allows(np.array([5.0, 9.0, 10.0]), reference)
    assert not space.allows(np.array([5.0, 10.0, 10.0]), reference)
    assert not space.allows(np.array([-5.0, 9.0, 10.0]), reference)
    pulled = space.pull_inside(np.array([-1.0, 12.0, 12.0]), reference)
    assert pulled[0] == pytest.approx(0.4)
    assert pulled[1:].tolist() == [9.0, 10.0]
    assert space.allows(pulled, reference)


def test_room_is_the_distance_to_either_end():
    assert Capped(10.0).room(np.array([4.0, 4.0, 4.0]), np.array([-1.0, 1.0, 0.0])).tolist() == [4.0, 6.0, np.inf]


def test_a_number_on_its_cap_is_a_degenerate_estimate_and_zero_is_not():
    space = Capped(np.array([10.0, 20.0]))
    assert space.on_floor(np.array([10.0, 10.0]))
    assert not space.on_floor(np.array([0.0, 10.0]))
    assert space.on_bound(np.array([0.0, 20.0])).tolist() == [True, True]
    assert space.describe_bound(np.array([3.0, 20.0]), "k") == "k[1] rests on its cap: the data do not determine it."
    assert "lies on the bound" in space.describe_bound(np.array([0.0, 3.0]), "k")
    assert space.describe_bound(np.array([1.0, 3.0]), "k") is None


def test_a_number_may_be_kept_from_zero_as_well():
    space = Capped(10.0, 0.5)
    with pytest.raises(InvalidParamsError, match=r"df\[0\] must be at least 0.5, but is 0.4"):
        space.check(np.array([0.4]), "df")
    assert space.describe_bound(np.array([0.5, 3.0]), "df") == "df[0] rests on its floor: the data do not determine it."
    assert space.on_floor(np.array([0.5]))
    assert space.on_bound(np.array([0.5, 0.6])).tolist() == [True, False]
    assert space.room(np.array([2.0]), np.array([-1.0])).tolist() == [1.5]
    assert not space.allows(np.array([0.4]), np.array([1.0]))
    assert space.allows(space.pull_inside(np.array([0.4]), np.array([1.0])), np.array([1.0]))

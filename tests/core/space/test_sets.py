"""Sets know their members, their inequalities, their dimension and their edge."""

from __future__ import annotations

import numpy as np
import pytest

from emkit.errors import InvalidParamsError
from emkit.space import Covariance, Fixed, Integer, Ordered, Positive, Real, Simplex, Undeclared, UnitInterval
from emkit.space.assignment import check_params

BAND = np.array([[True, True, False], [False, True, True], [False, False, True]])
CORRELATED = np.array([[2.0, 0.6], [0.6, 1.0]])

MEMBERS = {
    "real": (Real(), [[-1.0, 0.0], [1e300, 5.0]]),
    "undeclared": (Undeclared(), [-1.0, 7.0]),
    "positive": (Positive(), [0.0, 3.0]),
    "positive above a floor": (Positive(0.5), [0.5, 3.0]),
    "positive, floors by entry": (Positive([0.5, 2.0]), [0.5, 2.0]),
    "unit interval": (UnitInterval(), [0.0, 0.3, 1.0]),
    "simplex": (Simplex(), [0.2, 0.8, 0.0]),
    "stochastic rows": (Simplex(), [[0.5, 0.5], [1.0, 0.0]]),
    "banded rows": (Simplex(BAND), [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 1.0]]),
    "covariance": (Covariance(), [CORRELATED, np.eye(2)]),
    "covariance on its floor": (Covariance(0.5), np.diag([0.5, 3.0])),
    "covariance with units": (Covariance(0.5, np.array([1e-3, 1e3])), np.diag([0.6e-6, 0.6e6])),
    "ordered": (Ordered(), [[-1.0, 0.0, 4.0], [1.0, 2.0, 3.0]]),
    "fixed": (Fixed(), [1.0, -2.0]),
    "integer": (Integer(), [3, -4.0]),
}

STRANGERS = {
    "an infinite real": (Real(), [[0.0, 1.0], [2.0, np.inf]], "x[1, 1]", "a finite number", "inf"),
    "a missing real": (Real(), [0.0, np.nan], "x[1]", "a finite number", "nan"),
    "a missing undeclared": (Undeclared(), [np.nan], "x[0]", "a finite number", "nan"),
    "a missing constant": (Fixed(), np.nan, "x ", "a finite number", "nan"),
    "a negative rate": (Positive(), [1.0, -2.0], "x[1]", "at least 0", "-2.0"),
    "an infinite rate": (Positive(), [1.0, np.inf], "x[1]", "a finite number", "inf"),
    "a variance under its floor": (Positive([0.5, 2.0]), [0.6, 1.0], "x[1]", "at least 2", "1.0"),
    "a probability above one": (UnitInterval(), [[0.2], [1.5]], "x[1, 0]", "in [0, 1]", "1.5"),
    "a missing probability": (UnitInterval(), np.nan, "x ", "in [0, 1]", "nan"),
    "a negative proportion": (Simplex(), [1.5, -0.5], "x[1]", "at least 0", "-0.5"),
    "a missing proportion": (Simplex(), [np.nan, 1.0], "x[0]", "at least 0", "nan"),
    "an infinite proportion": (Simplex(), [np.inf, 1.0], "x", "1", "inf"),
    "a row that sums to 0.9": (Simplex(), [[0.5, 0.5], [0.5, 0.4]], "x[1]", "1", "0.9"),
    "mass outside the support": (Simplex(BAND), [[0.5, 0.3, 0.2]] + 2 * [[0, 0, 1]], "x[0, 2]", "0 (", "0.2"),
    "a matrix that is not square": (Covariance(), np.ones((2, 3)), "x ", "square", "(2, 3)"),
    "a vector for a matrix": (Covariance(), np.ones(3), "x ", "square", "(3,)"),
    "an asymmetric matrix": (Covariance(), [np.eye(2), [[1, 0.2], [0.1, 1]]], "x[1]", "symmetric", "0.1"),
    "an indefinite matrix": (Covariance(), [[1.0, 2.0], [2.0, 1.0]], "x ", "positive definite", "-1"),
    "a singular matrix": (Covariance(), np.zeros((2, 2)), "x ", "positive definite", "0"),
    "a matrix under its floor": (Covariance(0.5), [np.eye(2), np.diag([1, 0.4])], "x[1]", "0.5", "0.4"),
    "numbers out of order": (Ordered(), [[1.0, 2.0, 2.0]], "x[0, 1]", "less than the next", "2.0"),
    "a half": (Integer(), [1.0, 2.5], "x[1]", "a whole number", "2.5"),
    "infinitely many": (Integer(), [1.0, np.inf], "x[1]", "a whole number", "inf"),
}


def interior(name):
    """Return a set and a member that is inside, not on the edge, wherever it may be."""
    space, value = {
        "real": (Real(), [1.0, -2.0]),
        "positive": (Positive(), [1.0, 2.0]),
        "floored": (Positive(0.5), [1.0, 2.0]),
        "unit interval": (UnitInterval(), [0.2, 0.9]),
        "simplex": (Simplex(), [0.2, 0.5, 0.3]),
        "rows": (Simplex(), [[0.2, 0.8], [0.6, 0.4]]),
        "banded rows": (Simplex(BAND), [[0.4, 0.6, 0.0], [0.0, 0.3, 0.7], [0.0, 0.0, 1.0]]),
        "covariances": (Covariance(0.01), [CORRELATED, np.eye(2)]),
        "ordered": (Ordered(), [-1.0, 0.5, 3.0]),
    }[name]
    return space, np.array(value, dtype=float)


INTERIOR = ["real", "positive", "floored", "unit interval", "simplex", "rows", "banded rows", "covariances", "ordered"]
N_FREE = {
    "real": 2,
    "positive": 2,
    "floored": 2,
    "unit interval": 2,
    "simplex": 2,
    "rows": 2,
    "banded rows": 2,
    "covariances": 6,
    "ordered": 3,
}


@pytest.mark.parametrize("case", MEMBERS)
def test_members_pass_the_check(case):
    space, value = MEMBERS[case]
    space.check(value, "x")


@pytest.mark.parametrize("case", STRANGERS)
def test_strangers_are_refused_by_field_index_expectation_and_value(case):
    space, value, place, expected, found = STRANGERS[case]
    with pytest.raises(InvalidParamsError) as caught:
        space.check(value, "x")
    message = str(caught.value)
    assert message.startswith(place)
    before, _, after = message.partition(", but")
    assert expected in before
    assert found in after


@pytest.mark.parametrize("name", INTERIOR)
def test_the_tangent_has_the_dimension_of_the_set(name):
    space, value = interior(name)
    tangent = space.tangent(value)
    assert tangent.shape == (N_FREE[name], value.size)
    assert np.linalg.matrix_rank(tangent) == N_FREE[name]


@pytest.mark.parametrize("name", INTERIOR)
def test_points_displaced_along_the_tangent_stay_in_the_set(name):
    space, value = interior(name)
    for direction in space.tangent(value):
        for sign in (-0.05, 0.05):
            moved = value + sign * direction.reshape(value.shape)
            assert not np.array_equal(moved, value)
            space.check(moved, "x")


@pytest.mark.parametrize("space", [Fixed(), Integer()])
def test_constants_and_whole_numbers_have_no_free_direction(space):
    assert space.tangent(np.ones((2, 3))).shape == (0, 6)
    assert not space.is_accelerated


def test_structural_zeros_stay_zero_along_every_direction():
    space, value = interior("banded rows")
    assert not space.tangent(value)[:, ~BAND.ravel()].any()


def test_a_zero_inside_the_support_is_still_a_parameter():
    assert len(Simplex().tangent(np.array([0.0, 0.4, 0.6]))) == 2


@pytest.mark.parametrize("name", INTERIOR)
def test_a_point_inside_is_allowed_and_lies_on_no_bound(name):
    space, value = interior(name)
    assert space.allows(value, value)
    on_bound = space.on_bound(value)
    assert on_bound.shape == value.shape
    assert not on_bound.any()
    assert not space.on_floor(value)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", INTERIOR)
def test_what_is_not_finite_is_never_allowed(name, bad):
    space, value = interior(name)
    proposal = value.copy()
    proposal[(0,) * value.ndim] = bad
    assert not space.allows(proposal, value)


@pytest.mark.parametrize(
    ("space", "inside", "edge"),
    [
        (Positive(), [1.0, 2.0], [1.0, 0.0]),
        (Positive(0.5), [1.0, 2.0], [1.0, 0.5]),
        (UnitInterval(), [0.5, 0.5], [0.0, 0.5]),
        (UnitInterval(), [0.5, 0.5], [0.5, 1.0]),
        (Simplex(), [0.5, 0.5], [1.0, 0.0]),
    ],
)
def test_an_entry_may_stay_on_an_edge_but_not_move_there(space, inside, edge):
    inside, edge = np.array(inside), np.array(edge)
    assert not space.allows(edge, inside)
    assert space.allows(edge, edge)
    assert space.allows(inside, edge)


@pytest.mark.parametrize(
    ("space", "outside"),
    [
        (Positive(), [1.0, -0.1]),
        (Positive(0.5), [1.0, 0.4]),
        (UnitInterval(), [0.5, 1.1]),
        (UnitInterval(), [-0.1, 0.5]),
        (Simplex(), [1.1, -0.1]),
        (Ordered(), [1.0, 0.5]),
        (Ordered(), [1.0, 1.0]),
    ],
)
def test_a_point_outside_is_never_allowed(space, outside):
    outside = np.array(outside)
    assert not space.allows(outside, outside)


def test_a_covariance_below_its_floor_is_not_allowed_in_any_units():
    for unit in (np.ones(2), np.array([1e-6, 1e6])):
        space, scale = Covariance(0.5, unit), np.outer(unit, unit)
        inside = scale * np.array([[1.0, 0.4], [0.4, 1.0]])
        below = scale * np.array([[1.0, 0.6], [0.6, 1.0]])
        assert space.allows(inside, inside)
        assert not space.allows(below, inside)


def test_one_indefinite_matrix_among_several_is_not_allowed():
    value = np.array([np.eye(2), [[1.0, 2.0], [2.0, 1.0]]])
    assert not Covariance().allows(value, value)


@pytest.mark.parametrize(
    ("space", "value", "flags"),
    [
        (Positive(), [0.0, 1.0], [True, False]),
        (Positive([0.5, 2.0]), [0.5, 2.5], [True, False]),
        (UnitInterval(), [0.0, 0.5, 1.0], [True, False, True]),
        (Simplex(), [0.0, 1.0], [True, False]),
        (Simplex(BAND), [[1.0, 0.0, 0.0], [0, 0.5, 0.5], [0, 0, 1]], [[0, 1, 0], [0, 0, 0], [0, 0, 0]]),
        (Covariance(0.5), [np.diag([0.5, 3.0]), np.eye(2)], [np.ones((2, 2)), np.zeros((2, 2))]),
        (Real(), [0.0], [False]),
    ],
)
def test_entries_on_a_bound_are_found(space, value, flags):
    found = space.on_bound(np.array(value, dtype=float))
    assert np.array_equal(found, np.array(flags, dtype=bool))


@pytest.mark.parametrize(
    ("space", "value", "rests"),
    [
        (Positive(0.5), [0.5, 1.0], True),
        (Positive(0.5), [0.6, 1.0], False),
        (Positive(), [0.0, 1.0], False),
        (Covariance(0.5), np.diag([0.5, 1.0]), True),
        (Covariance(0.5), np.eye(2), False),
        (Simplex(), [0.0, 1.0], False),
        (UnitInterval(), [1.0], False),
    ],
)
def test_a_floor_is_a_safeguard_and_a_natural_bound_is_not(space, value, rests):
    assert space.on_floor(np.array(value, dtype=float)) is rests


def test_the_note_on_a_bound_names_the_first_entry_and_counts_the_rest():
    note = Simplex().describe_bound(np.array([[1.0, 0.0, 0.0], [0.2, 0.3, 0.5]]), "transmat")
    assert note.startswith("transmat[0, 1] and 1 more")
    assert "bound" in note


def test_the_note_on_a_scalar_has_no_index():
    assert UnitInterval().describe_bound(np.array(1.0), "theta").startswith("theta lies on")


def test_the_note_on_a_floor_says_that_the_data_do_not_determine_it():
    for space, value in ((Positive(0.5), [0.7, 0.5]), (Covariance(0.5), [np.eye(2), np.diag([0.5, 1])])):
        note = space.describe_bound(np.array(value, dtype=float), "variance")
        assert note.startswith("variance[1] rests on its")
        assert "the data do not determine it" in note


@pytest.mark.parametrize("name", INTERIOR)
def test_nothing_is_said_of_a_point_inside(name):
    space, value = interior(name)
    assert space.describe_bound(value, "x") is None


@pytest.mark.parametrize("name", ["real", "positive", "covariances"])
def test_the_typical_size_follows_the_units(name):
    space, value = interior(name)
    plain = type(space)()
    assert np.allclose(plain.typical(1e6 * value), 1e6 * plain.typical(value), rtol=1e-12)


def test_a_declared_scale_is_the_typical_size():
    scale = np.array([2.0, 3.0])
    assert np.array_equal(Real(scale).typical(np.array([100.0, 0.0])), scale)
    assert np.array_equal(Positive(0.0, scale).typical(np.array([100.0, 0.0])), scale)
    assert np.array_equal(Covariance(0.0, scale).typical(np.eye(2)), [[4.0, 6.0], [6.0, 9.0]])


def test_the_typical_size_of_a_covariance_is_a_product_of_standard_deviations():
    assert np.allclose(Covariance().typical(np.diag([4.0, 9.0])), [[4.0, 6.0], [6.0, 9.0]])


# Pulling proposals inside


@pytest.mark.parametrize(
    ("space", "proposal", "reference", "inside"),
    [
        # A tenth of the reference's own distance from the bound, where the proposal is on it or beyond.
        (Positive(), [-3.0, 0.0, 5.0], [2.0, 1.0, 4.0], [0.2, 0.1, 5.0]),
        (Positive(0.5), [0.4, 0.6], [1.5, 1.0], [0.6, 0.6]),
        (Positive([0.5, 2.0]), [0.0, 1.0], [1.5, 4.0], [0.6, 2.2]),
        (UnitInterval(), [-0.2, 1.4, 0.3], [0.5, 0.9, 0.2], [0.05, 0.99, 0.3]),
        # What was moved is taken from the others in proportion.
        (Simplex(), [-0.2, 0.9, 0.3], [0.1, 0.6, 0.3], [0.01, 0.99 * 0.75, 0.99 * 0.25]),
        (Simplex(), [[0.4, 0.6], [1.5, -0.5]], [[0.5, 0.5], [0.8, 0.2]], [[0.4, 0.6], [0.98, 0.02]]),
        # An entry that rests at the bound stays there.
        (Positive(), [0.0, -1.0], [0.0, 1.0], [0.0, 0.1]),
        (Simplex(), [0.0, 1.2, -0.2], [0.0, 0.7, 0.3], [0.0, 0.97, 0.03]),
    ],
)
def test_what_lies_beyond_a_bound_comes_to_a_tenth_of_its_distance(space, proposal, reference, inside):
    pulled = space.pull_inside(np.array(proposal), np.array(reference))
    np.testing.assert_allclose(pulled, inside, rtol=1e-14)
    assert space.allows(pulled, np.array(reference))


@pytest.mark.parametrize("name", MEMBERS)
def test_a_member_is_not_moved(name):
    space, member = MEMBERS[name]
    value = np.asarray(member, dtype=float)
    np.testing.assert_array_equal(space.pull_inside(value, value), value)


def test_a_row_of_proportions_keeps_its_sum_whatever_was_proposed():
    rng = np.random.default_rng(0)
    for _ in range(200):
        reference = rng.dirichlet(np.ones(6), size=3)
        proposal = reference + rng.normal(0, 1, (3, 6))
        proposal += (1 - proposal.sum(axis=1, keepdims=True)) / 6
        pulled = Simplex().pull_inside(proposal, reference)
        np.testing.assert_allclose(pulled.sum(axis=1), 1, rtol=1e-14)
        assert Simplex().allows(pulled, reference)


@pytest.mark.parametrize(
    ("space", "proposal"),
    [
        (Positive(), [np.nan, 1.0]),
        (Positive(), [np.inf, -np.inf]),
        (UnitInterval(), [np.nan, 0.5]),
        (Simplex(), [np.nan, 1.0]),
        (Simplex(), [np.inf, -np.inf]),
    ],
)
def test_what_is_no_number_is_not_made_one(space, proposal):
    assert not space.allows(space.pull_inside(np.array(proposal), np.array([0.5, 0.5])), np.array([0.5, 0.5]))


@pytest.mark.parametrize("space", [Real(), Undeclared(), Ordered(), Covariance()])
def test_a_set_whose_equations_do_not_permit_it_leaves_a_proposal_alone(space):
    proposal = np.array([[1.0, 3.0], [3.0, 1.0]])
    np.testing.assert_array_equal(space.pull_inside(proposal, np.eye(2)), proposal)


@pytest.mark.parametrize(
    ("space", "value", "direction", "room"),
    [
        (Positive(), [2.0, 3.0, 0.0], [-1, 1, -1], [2, np.inf, 0]),
        (Positive(0.5), [2.0], [-1], [1.5]),
        (UnitInterval(), [0.2, 0.2, 0.2], [-1, 1, 0], [0.2, 0.8, np.inf]),
        (Simplex(), [[0.3, 0.7]], [[-1, 1]], [[0.3, np.inf]]),
        (Real(), [1.0], [-1], [np.inf]),
        (Undeclared(), [1.0], [-1], [np.inf]),
        (Covariance(), CORRELATED, -np.ones((2, 2)), np.full((2, 2), np.inf)),
        (Ordered(), [1.0, 2.0], [1, -1], [np.inf, np.inf]),
    ],
)
def test_the_room_of_an_entry_is_its_distance_to_the_bound_ahead(space, value, direction, room):
    np.testing.assert_allclose(space.room(np.array(value), np.array(direction)), room, rtol=1e-14)


@pytest.mark.parametrize("dtype", ["U8", "S8"])
def test_strings_that_look_like_numbers_are_refused(dtype):
    params = {"weights": np.array([0.5, 0.5]), "means": np.array(["1.5", "2"]).astype(dtype)}
    with pytest.raises(TypeError, match=r"means holds strings that look like numbers, .*array.astype\(float\)"):
        check_params(object(), params)


@pytest.mark.parametrize("labels", [["setosa", "virginica"], ["1990", "2000"], ["nan", "inf"], []])
def test_strings_that_may_be_labels_are_left_alone(labels):
    check_params(object(), {"weights": np.array([0.5, 0.5]), "names": np.array(labels, dtype=str)})


@pytest.mark.parametrize("dtype", [object, complex])
def test_numbers_that_em_would_pass_over_are_refused(dtype):
    params = {"weights": np.array([0.5, 0.5]), "means": np.array([1.0, 2.0]).astype(dtype)}
    with pytest.raises(InvalidParamsError, match=r"means must hold real numbers.*Convert it to float64"):
        check_params(object(), params)


def test_a_matrix_next_to_its_floor_is_raised_to_it_along_its_own_directions():
    unit = np.array([1.0, 10.0])
    space = Covariance(0.1, unit)
    vectors = np.array([[0.6, -0.8], [0.8, 0.6]])

    def matrix(smallest):
        return vectors @ np.diag([2.0, smallest]) @ vectors.T * np.outer(unit, unit)

    below, near, well_inside = matrix(-0.3), matrix(0.2), matrix(1.9)
    np.testing.assert_allclose(space.pull_inside(below, near), matrix(0.1))
    assert space.allows(space.pull_inside(below, near), near)
    unsafe = Covariance(0.001, unit)
    np.testing.assert_array_equal(unsafe.pull_inside(below, well_inside), below)
    both = np.stack([below, near])
    np.testing.assert_allclose(space.pull_inside(both, np.stack([near, near])), [matrix(0.1), near])


def test_a_matrix_below_its_floor_by_more_than_rounding_is_not_allowed():
    space = Covariance(1e-6)
    assert space.allows(np.diag([1.0, 1e-6]), np.eye(2))
    assert not space.allows(np.diag([1.0, 1e-6 * (1 - 1e-7)]), np.eye(2))


TIES = np.array([[0, 1, -1], [1, 0, -1], [-1, -1, 2]])


def test_ties_count_and_direct_what_is_free():
    space = Covariance(ties=TIES)
    value = np.array([[2.0, 0.5, 0.0], [0.5, 2.0, 0.0], [0.0, 0.0, 1.0]])
    space.check(value, "x")
    assert space.n_free(value) == 3
    directions = space.tangent(value).reshape(-1, 3, 3)
    np.testing.assert_array_equal(directions, [label == TIES for label in range(3)])


@pytest.mark.parametrize(
    ("index", "wanted"), [((0, 1), "equal in the entries"), ((0, 0), "equal"), ((0, 2), "zero in the entries")]
)
def test_what_breaks_a_tie_is_named(index, wanted):
    value = np.array([[2.0, 0.5, 0.0], [0.5, 2.0, 0.0], [0.0, 0.0, 1.0]])
    value[index] += 0.1
    value[index[::-1]] = value[index]
    if index == (0, 1):
        ties = np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
        value = np.full((3, 3), 0.5) + np.diag([1.5] * 3)
        value[0, 1] = value[1, 0] = 0.6
    else:
        ties = TIES
    with pytest.raises(InvalidParamsError, match=wanted):
        Covariance(ties=ties).check(value, "x")


def test_symmetry_alone_frees_the_upper_triangle_of_every_matrix():
    directions = Covariance().tangent(np.stack([np.eye(2)] * 2)).reshape(-1, 2, 2, 2)
    assert len(directions) == 6
    np.testing.assert_array_equal(directions[1], [[[0, 1], [1, 0]], np.zeros((2, 2))])
    np.testing.assert_array_equal(directions[5], [np.zeros((2, 2)), [[0, 0], [0, 1]]])


KNOWN = np.array([[np.nan, 0.2, np.nan], [np.nan, np.nan, np.nan], [0.0, 0.0, 1.0]])


def test_fixed_proportions_are_no_parameters():
    rows = np.array([[0.5, 0.2, 0.3], [0.1, 0.2, 0.7], [0.0, 0.0, 1.0]])
    simplex = Simplex(known=KNOWN)
    simplex.check(rows, "transmat")
    directions = simplex.tangent(rows)
    assert simplex.n_free(rows) == len(directions) == 1 + 2 + 0
    assert not directions[:, ~np.isnan(KNOWN).ravel()].any()
    np.testing.assert_allclose(directions.reshape(-1, 3, 3).sum(axis=2), 0)
    assert not simplex.on_bound(rows).any()


def test_a_fixed_proportion_of_another_value_is_refused():
    with pytest.raises(InvalidParamsError, match=r"transmat\[0, 1\] must be 0.2, as it is fixed"):
        Simplex(known=KNOWN).check(np.array([[0.4, 0.3, 0.3], [0.1, 0.2, 0.7], [0.0, 0.0, 1.0]]), "transmat")


def test_a_proposal_is_pulled_inside_around_fixed_proportions():
    reference = np.array([[0.5, 0.2, 0.3], [0.1, 0.2, 0.7], [0.0, 0.0, 1.0]])
    proposal = np.array([[0.9, 0.2, -0.1], [0.1, 0.2, 0.7], [0.0, 0.0, 1.0]])
    pulled = Simplex(known=KNOWN).pull_inside(proposal, reference)
    np.testing.assert_allclose(pulled, [[0.77, 0.2, 0.03], [0.1, 0.2, 0.7], [0.0, 0.0, 1.0]])


def test_numbers_that_are_not_free_are_no_parameters():
    value = np.array([[0.0, 2.0, -1.0], [4.0, 0.0, 1.0]])
    real = Real(free=value != 0)
    assert real.n_free(value) == 4
    np.testing.assert_array_equal(real.tangent(value) @ value.ravel(), [2.0, -1.0, 4.0, 1.0])

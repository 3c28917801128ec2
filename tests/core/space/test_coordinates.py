"""Params become vectors and come back; what is not declared is guarded by what was seen of it."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import attrs
import numpy as np
import pytest

from emkit import space, tree
from emkit.errors import InvalidParamsError
from emkit.space import (
    Coordinates,
    Covariance,
    Fixed,
    Integer,
    Positive,
    Real,
    Simplex,
    Undeclared,
    UnitInterval,
    spaces_of,
)
from emkit.space.assignment import (
    boundary_notes,
    check_params,
    free_directions,
    infer_spaces,
    n_free,
    rests_on_floor,
)
from emkit.space.coordinates import Guard
from emkit.space.fields import SPACE


@attrs.frozen(eq=False)
class Mixture:
    weights: Any = space.simplex()
    means: Any = space.real()
    variances: Any = space.positive()
    center: Any = space.fixed()
    degree: int = 3


@attrs.frozen(eq=False)
class Outer:
    inner: Any
    pieces: Any = ()
    shares: Any = attrs.field(default=None, metadata={SPACE: Simplex()})


@dataclasses.dataclass(frozen=True)
class Record:
    rate: float = dataclasses.field(metadata={SPACE: Positive()})
    shift: float = 0.0


class Named(NamedTuple):
    first: Any
    second: Any


class Silent:
    """A model that says nothing about its params."""


@attrs.frozen
class Says:
    """A model with a word on its params."""

    word: Any

    def space(self, params):
        return self.word


def mixture():
    return Mixture([0.3, 0.7], [[1.0, -2.0], [3.0, 4.0]], [0.5, 2.0], [9.0])


ROUND_TRIPS = {
    "attrs": mixture(),
    "dataclass": Record(2.0, -1.0),
    "named tuple": Named(np.array([1.0]), 2.0),
    "dict": {"b": np.array([[1.0, 2.0]]), "a": 3.0, "name": "kept", "n": 5},
    "array": np.array([0.1, 0.2, 0.7]),
    "list": [np.array(1.0), 2.0],
    "nested": Outer(mixture(), (Record(1.0), {"x": np.arange(3.0)}), np.array([0.5, 0.5])),
    "nothing to estimate": {"n": 3, "name": "x"},
}


def same(left, right):
    pairs = zip(tree.leaves(left), tree.leaves(right), strict=True)
    return all(p == q and np.array_equal(x, y) and np.shape(x) == np.shape(y) for (p, x), (q, y) in pairs)


@pytest.mark.parametrize("name", ROUND_TRIPS)
def test_params_survive_the_vector(name):
    params = ROUND_TRIPS[name]
    coordinates = Coordinates.of(Silent(), params)
    back = coordinates.unflatten(coordinates.flatten(params))
    assert type(back) is type(params)
    assert same(back, params)


@pytest.mark.parametrize("name", ROUND_TRIPS)
def test_any_vector_survives_the_params(name):
    coordinates = Coordinates.of(Silent(), ROUND_TRIPS[name])
    vector = np.random.default_rng(0).normal(size=coordinates.scale.size)
    assert np.array_equal(coordinates.flatten(coordinates.unflatten(vector)), vector)


def test_constants_and_whole_numbers_are_no_part_of_the_vector():
    coordinates = Coordinates.of(Silent(), mixture())
    assert [entry.name for entry in coordinates.entries] == ["weights", "means", "variances"]
    assert np.array_equal(coordinates.flatten(mixture()), [0.3, 0.7, 1.0, -2.0, 3.0, 4.0, 0.5, 2.0])


def test_what_is_no_part_of_the_vector_is_taken_from_the_params_given():
    coordinates = Coordinates.of(Silent(), mixture())
    other = attrs.evolve(mixture(), center=[5.0], degree=8)
    back = coordinates.unflatten(np.zeros(8), like=other)
    assert (back.center[0], back.degree) == (5.0, 8)
    assert not back.means.any()


def test_params_do_not_share_memory_with_the_vector():
    coordinates = Coordinates.of(Silent(), np.zeros(3))
    vector = np.zeros(3)
    params = coordinates.unflatten(vector)
    vector[0] = 7.0
    assert params[0] == 0.0


def test_numbers_come_back_as_numbers():
    back = Coordinates.of(Silent(), Record(2.0)).unflatten(np.array([3.0, 4.0]))
    assert back == Record(3.0, 4.0)
    assert type(back.rate) is float


def test_an_entry_that_changes_its_shape_is_named():
    coordinates = Coordinates.of(Silent(), {"means": np.zeros(3)})
    with pytest.raises(ValueError, match=r"means had shape \(3,\) at the start, and now \(2,\)"):
        coordinates.flatten({"means": np.zeros(2)})


@pytest.mark.parametrize("unit", [1e-8, 1e8])
def test_norms_do_not_depend_on_units(unit):
    def change_in(unit):
        start = mixture()
        start = attrs.evolve(start, means=start.means * unit, variances=start.variances * unit**2)
        later = attrs.evolve(start, means=start.means * 1.01, variances=start.variances * 0.98)
        coordinates = Coordinates.of(Silent(), start)
        difference = coordinates.flatten(later) - coordinates.flatten(start)
        return coordinates.norms(difference / coordinates.scale)

    assert np.allclose(change_in(unit), change_in(1.0), rtol=1e-12, atol=0)


def test_the_norm_is_the_root_mean_square_in_units_of_the_scale():
    model = Says({"a": Real(np.array(2.0)), "b": Real(np.array(10.0))})
    coordinates = Coordinates.of(model, {"a": 0.0, "b": 0.0})
    difference = np.array([2.0, 20.0])
    assert coordinates.norm(difference) == pytest.approx(np.sqrt((1 + 4) / 2), rel=1e-15)
    assert coordinates.norms(difference / coordinates.scale)[1] == 2.0


def test_a_field_that_starts_at_zero_is_scaled_by_its_next_value():
    coordinates = Coordinates.of(Silent(), {"slope": np.zeros(2)}, {"slope": np.array([3.0, 4.0])})
    assert np.allclose(coordinates.scale, np.sqrt(12.5))


def test_a_field_that_stays_at_zero_has_scale_one():
    coordinates = Coordinates.of(Silent(), {"slope": np.zeros(2)}, {"slope": np.zeros(2)})
    assert np.array_equal(coordinates.scale, [1.0, 1.0])


def test_undeclared_fields_are_undeclared_whatever_their_type():
    """A start such as (1, 3) says nothing: only what an EM step answers does."""
    found = spaces_of(Silent(), {"x": 1.5, "n": 2, "counts": np.array([1, 2])})
    assert [type(s) for s in found.values()] == [Undeclared] * 3


def test_a_name_that_is_no_field_is_refused():
    with pytest.raises(ValueError, match="'mean', but the params only have weights, means"):
        spaces_of(Says({"mean": Fixed()}), mixture())


def test_what_an_m_step_answers_in_whole_numbers_is_not_extrapolated():
    start = {"n": 3, "x": 1}
    coordinates = Coordinates.of(Silent(), start, {"n": 4, "x": 1.5})
    assert [entry.name for entry in coordinates.entries] == ["x"]
    assert coordinates.unflatten(np.array([2.5]), like={"n": 4, "x": 0.0}) == {"n": 4, "x": 2.5}


def test_a_declaration_holds_for_everything_inside_its_field():
    shares = {"a": np.array([0.5, 0.5]), "b": [np.array([1.0, 0.0])]}
    found = spaces_of(Silent(), Outer(1.0, shares=shares))
    assert isinstance(found[("shares", "a")], Simplex)
    assert isinstance(found[("shares", "b", 0)], Simplex)


def test_dataclass_fields_may_declare_a_space():
    found = spaces_of(Silent(), Record(1.0))
    assert isinstance(found[("rate",)], Positive)
    assert isinstance(found[("shift",)], Undeclared)


def test_the_model_refines_a_field_and_the_other_declarations_stay():
    found = spaces_of(Says({"variances": Positive(0.1), "means": Fixed()}), mixture())
    assert found[("variances",)].lower == 0.1
    assert isinstance(found[("means",)], Fixed)
    assert isinstance(found[("weights",)], Simplex)


def test_a_dotted_name_refines_a_nested_field_and_beats_the_field_around_it():
    params = Outer(mixture(), (Record(1.0), Record(2.0)))
    word = {"inner.means": Fixed(), "inner": Real(), "pieces[1]": Fixed(), "pieces[1].shift": UnitInterval()}
    found = spaces_of(Says(word), params)
    assert isinstance(found[("inner", "means")], Fixed)
    assert isinstance(found[("inner", "weights")], Real)
    assert isinstance(found[("pieces", 0, "rate")], Positive)
    assert isinstance(found[("pieces", 1, "rate")], Fixed)
    assert isinstance(found[("pieces", 1, "shift")], UnitInterval)


def test_one_space_is_the_space_of_a_bare_array():
    found = spaces_of(Says(Simplex()), np.array([0.5, 0.5]))
    assert isinstance(found[()], Simplex)


def test_the_check_names_the_nested_field_and_the_index():
    inner = attrs.evolve(mixture(), variances=[1.0, -1.0])
    with pytest.raises(InvalidParamsError, match=r"^inner\.variances\[1\] must be at least 0, but is -1"):
        check_params(Silent(), Outer(inner))


def test_the_check_names_a_bare_array_params():
    with pytest.raises(InvalidParamsError, match=r"^params\[1\]"):
        check_params(Silent(), np.array([0.0, np.nan]))


def test_free_directions_leave_out_constants_and_flag_those_on_a_bound():
    params = Mixture([0.0, 0.4, 0.6], [1.0], [2.0], [9.0])
    directions, on_bound = free_directions({**spaces_of(Silent(), params), ("degree",): Integer()}, params)
    assert directions.tolist() == [
        [1, 0, -1, 0, 0, 0, 0],
        [0, 1, -1, 0, 0, 0, 0],
        [0, 0, 0, 1, 0, 0, 0],
        [0, 0, 0, 0, 1, 0, 0],
    ]
    assert on_bound.tolist() == [True, False, False, False]


def test_params_without_estimates_have_no_free_direction():
    directions, on_bound = free_directions({("n",): Integer()}, {"n": 3})
    assert directions.shape == (0, 1)
    assert on_bound.shape == (0,)


def test_notes_name_every_field_on_its_edge():
    params = Mixture([0.0, 1.0], [1.0], [0.5], [9.0])
    notes = boundary_notes(spaces_of(Says({"variances": Positive(0.5)}), params), params)
    assert [note.split()[0] for note in notes] == ["weights[0]", "variances[0]"]


def test_params_rest_on_a_floor_only_where_the_model_set_one():
    params = Mixture([0.5, 0.5], [1.0], [0.5], [9.0])
    assert rests_on_floor(spaces_of(Says({"variances": Positive(0.5)}), params), params)
    assert not rests_on_floor(spaces_of(Silent(), params), params)


def guard(*seen, model=None):
    """Return a guard that has seen these params, and the coordinates to ask it with."""
    coordinates = Coordinates.of(model or Silent(), seen[0])
    watching = Guard(coordinates)
    for params in seen:
        watching.observe(coordinates.flatten(params))
    last = coordinates.flatten(seen[-1])
    return lambda params: watching.allows(coordinates.flatten(params), last)


INFERENCES = {
    "entries of at least 0 stay so": ([[0.5, 2.0], [1.0, 3.0]], [1.0, 9.0], [-0.1, 9.0]),
    "a positive entry does not become 0": ([[0.5, 2.0]], [0.01, 2.0], [0.0, 2.0]),
    "an entry that is 0 may stay 0": ([[0.0, 2.0]], [0.0, 3.0], [-0.1, 3.0]),
    "entries of at most 1 stay so": ([[-5.0, 0.5]], [-9.0, 0.9], [-9.0, 1.1]),
    "probabilities stay in [0, 1]": ([[0.2, 0.8]], [0.9, 0.1], [1.1, 0.2]),
    "matrices stay positive definite": ([np.eye(2)], [[1, 0.9], [0.9, 1]], [[1, 0.9], [0.9, 0.8]]),
    "matrices stay symmetric": ([5 * np.eye(2)], [[5, 1], [1, 5]], [[5, 1], [2, 5]]),
    "several matrices stay definite": ([[np.eye(2)] * 2], [np.eye(2)] * 2, [np.eye(2), [[1, 1], [1, 1]]]),
}


@pytest.mark.parametrize("case", INFERENCES)
def test_what_held_at_every_em_iterate_must_hold_for_a_proposal(case):
    seen, feasible, infeasible = INFERENCES[case]
    allows = guard(*({"x": np.array(value, dtype=float)} for value in seen))
    assert allows({"x": np.array(feasible, dtype=float)})
    assert not allows({"x": np.array(infeasible, dtype=float)})


def test_one_em_iterate_that_breaks_a_pattern_ends_it():
    allows = guard(np.array([0.5, 0.5]), np.array([-1.0, 3.0]))
    assert allows(np.array([-50.0, 99.0]))


def test_a_pattern_is_inferred_for_each_field_alone():
    allows = guard({"rate": np.array([2.0]), "shift": np.array([-3.0])})
    assert allows({"rate": np.array([3.0]), "shift": np.array([-9.0])})
    assert not allows({"rate": np.array([-3.0]), "shift": np.array([-9.0])})


def test_a_declared_field_is_not_second_guessed():
    allows = guard(np.array([0.2, 0.8]), model=Says(Real()))
    assert allows(np.array([-3.0, 4.0]))


def test_a_declared_field_answers_for_itself():
    allows = guard(Mixture([0.5, 0.5], [0.0], [1.0], [0.0]))
    assert not allows(Mixture([1.5, -0.5], [0.0], [1.0], [0.0]))
    assert not allows(Mixture([0.5, 0.5], [0.0], [-1.0], [0.0]))
    assert allows(Mixture([0.4, 0.6], [-7.0], [3.0], [0.0]))


def test_a_covariance_declared_by_the_model_is_held_to_its_floor():
    allows = guard(2 * np.eye(2), model=Says(Covariance(0.5)))
    assert allows(np.diag([0.6, 2.0]))
    assert not allows(np.diag([0.4, 2.0]))


def test_what_is_not_finite_is_never_allowed():
    allows = guard(np.array([-1.0, 5.0]))
    assert not allows(np.array([np.nan, 5.0]))
    assert not allows(np.array([np.inf, 5.0]))


def _infer(params, em_step):
    return infer_spaces(spaces_of(Silent(), params), params, em_step)


def test_a_field_that_an_em_step_hands_through_is_a_constant():
    found = _infer({"rate": 2.0, "shape": 3.0}, lambda params: {"rate": 1.0, "shape": params["shape"]})
    assert isinstance(found[("shape",)], Fixed)
    assert isinstance(found[("rate",)], Real)


def test_a_field_that_an_em_step_normalises_is_a_set_of_proportions():
    found = _infer(np.array([0.4, 0.6]), lambda params: params / params.sum())
    assert isinstance(found[()], Simplex)


def test_two_probabilities_that_happen_to_sum_to_one_are_no_proportions():
    found = _infer(np.array([0.4, 0.6]), lambda params: 0.9 * params + 0.1 * np.array([0.4, 0.6]))
    assert isinstance(found[()], Real)


def test_a_field_that_an_em_step_makes_symmetric_is_a_covariance():
    found = _infer(np.array([[2.0, 0.5], [0.5, 1.0]]), lambda params: (params + params.T) / 2)
    assert isinstance(found[()], Covariance)


def test_a_model_that_refuses_the_push_tells_nothing_of_its_field():
    def refuses(params):
        raise ValueError

    assert isinstance(_infer(np.array([0.5, 0.5]), refuses)[()], Real)


def test_declared_fields_cost_no_em_step():
    def forbidden(params):
        pytest.fail("an EM step was taken")

    params = {"a": 1.0}
    assert infer_spaces({("a",): Positive()}, params, forbidden)[("a",)].lower == 0


@pytest.mark.parametrize(
    ("space", "value"),
    [
        (Real(), np.ones((2, 3))),
        (Simplex(), np.array([[0.2, 0.8, 0.0], [0.1, 0.1, 0.8]])),
        (Simplex(np.array([True, True, False])), np.array([0.2, 0.8, 0.0])),
        (Covariance(), np.stack([np.eye(3)] * 4)),
        (Fixed(), np.ones(3)),
        (Integer(), np.ones(3)),
    ],
)
def test_free_parameters_are_counted_without_building_their_directions(space, value):
    assert space.n_free(value) == len(space.tangent(value))
    assert n_free({("a",): space}, {"a": value}) == space.n_free(value)

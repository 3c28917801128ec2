"""Trees of arrays are walked, added and rebuilt whatever containers they consist of."""

from __future__ import annotations

import collections
import dataclasses
import types
from typing import Any, NamedTuple

import attrs
import numpy as np
import pytest

from emkit import tree


@attrs.frozen(eq=False)
class Frozen:
    values: Any
    label: str = "kept"
    half: Any = attrs.field(init=False)

    def __attrs_post_init__(self):
        object.__setattr__(self, "half", np.asarray(self.values) / 2)


@attrs.frozen
class Private:
    _hidden: float
    other: float = attrs.field(alias="renamed")


@dataclasses.dataclass(frozen=True)
class Record:
    values: Any
    label: str = "kept"
    double: Any = dataclasses.field(init=False)

    def __post_init__(self):
        object.__setattr__(self, "double", 2 * np.asarray(self.values))


@attrs.frozen
class Holder:
    inside: Any


class Pair(NamedTuple):
    first: Any
    second: Any


CONTAINERS = {
    "attrs": Frozen,
    "dataclass": Record,
    "named tuple": lambda value: Pair(value, value),
    "tuple": lambda value: (value, value),
    "list": lambda value: [value, value],
    "dict": lambda value: {"b": value, "a": value},
    "ordered dict": lambda value: collections.OrderedDict(b=value, a=value),
    "counter": lambda value: collections.Counter(b=value, a=value),
    "mapping proxy": lambda value: types.MappingProxyType({"b": value}),
    "default dict": lambda value: collections.defaultdict(float, {"b": value}),
    "array": lambda value: value,
    "nested": lambda value: Holder({"deep": [Pair(value, (value,)), Record(value)]}),
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_adding_two_trees_adds_every_leaf_and_keeps_the_class(name):
    make = CONTAINERS[name]
    total = tree.add(make(np.array([1.0, 2.0])), make(np.array([10.0, 20.0])))
    assert type(total) is type(make(np.zeros(2)))
    leaves = [leaf for _, leaf in tree.leaves(total)]
    assert len(leaves) == len(list(tree.leaves(make(np.zeros(2)))))
    assert all(np.array_equal(leaf, [11.0, 22.0]) for leaf in leaves)


@pytest.mark.parametrize(
    "number", [3, 3.0, np.float64(3), np.int64(3), np.array(3.0), np.array([3.0]), np.array([3 + 4j])]
)
def test_numbers_and_numeric_arrays_are_leaves(number):
    assert tree.is_leaf(number)


@pytest.mark.parametrize(
    "thing", [True, np.True_, None, "text", b"bytes", object(), np.array(["a"]), np.array([True]), np.array([None])]
)
def test_booleans_texts_and_objects_are_static(thing):
    assert not tree.is_leaf(thing)
    assert tree.children(thing) == []
    assert list(tree.leaves({"a": thing})) == []


def test_static_parts_are_kept_by_an_addition():
    mask = np.array([True, False])
    left = {"name": "x", "on": True, "mask": mask, "none": None, "n": 1.0}
    total = tree.add(left, dict(left, n=2.0))
    assert total == {"name": "x", "on": True, "mask": mask, "none": None, "n": 3.0}


def test_a_class_is_not_taken_for_its_instances():
    assert tree.children(Frozen) == []
    assert tree.children(Record) == []


def test_frozen_classes_are_rebuilt_through_their_constructors():
    for total in (tree.add(Frozen(1.0), Frozen(2.0)), tree.add(Record(1.0), Record(2.0))):
        derived = total.half * 2 if isinstance(total, Frozen) else total.double / 2
        assert total.values == derived == 3.0
        assert total.label == "kept"


def test_private_and_renamed_fields_are_rebuilt_under_the_names_the_constructor_takes():
    total = tree.add(Private(1.0, renamed=2.0), Private(10.0, renamed=20.0))
    assert total == Private(11.0, renamed=22.0)


def test_leaves_come_with_their_paths_in_the_order_of_declaration():
    node = {"z": Frozen(1.0), "a": [2.0, Pair(3.0, "static")]}
    assert list(tree.leaves(node)) == [
        (("z", "values"), 1.0),
        (("a", 0), 2.0),
        (("a", 1, "first"), 3.0),
    ]


def test_replacing_leaves_touches_the_named_ones_only():
    node = {"a": [1.0, 2.0], "b": Frozen(3.0)}
    changed = tree.replace_leaves(node, {("a", 1): 20.0, ("b", "values"): 30.0})
    assert changed["a"] == [1.0, 20.0]
    assert (changed["b"].values, changed["b"].half) == (30.0, 15.0)
    assert node["a"] == [1.0, 2.0]
    assert node["b"].values == 3.0


def test_a_bare_leaf_is_replaced_by_the_empty_path():
    assert tree.replace_leaves(1.0, {(): 2.0}) == 2.0


def test_mapping_a_function_takes_one_leaf_of_each_tree():
    result = tree.map_leaves(lambda a, b, c: a + 10 * b + 100 * c, {"x": 1}, {"x": 2}, {"x": 3})
    assert result == {"x": 321}


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ({"a": 1.0}, {"b": 1.0}),
        ({"a": 1.0}, {"a": 1.0, "b": 1.0}),
        ([1.0, 2.0], [1.0]),
        ([], [1.0]),
        (None, 1.0),
        (1.0, None),
        (np.zeros(2), (0.0, 0.0)),
        ((0.0, 0.0), np.zeros(2)),
        ({"a": [1.0]}, {"a": 1.0}),
    ],
)
def test_trees_with_different_parts_are_not_added(left, right):
    with pytest.raises(ValueError, match="different parts"):
        tree.add(left, right)


@pytest.mark.parametrize(("left", "right"), [((3,), (1,)), ((2, 3), (3,)), ((), (3,)), ((2,), (3,))])
def test_leaves_of_different_shapes_are_not_added(left, right):
    with pytest.raises(ValueError, match=r"counts.*shape") as caught:
        tree.add({"counts": np.zeros(left)}, {"counts": np.zeros(right)})
    assert str(left) in str(caught.value)
    assert str(right) in str(caught.value)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (("weights",), "weights"),
        (("a", "b"), "a.b"),
        (("pieces", 0, "mean"), "pieces[0].mean"),
        ((), "params"),
    ],
)
def test_a_path_is_written_as_people_write_it(path, name):
    assert tree.path_name(path) == name

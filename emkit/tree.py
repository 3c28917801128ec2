"""How params and statistics are walked: any nesting of attrs classes, dataclasses, tuples, dicts and arrays.

A *leaf* is a float, an int or a numeric array. Everything else that is not a container (strings and arrays of them,
which are labels, booleans, ``None``, objects) is *static*: it stays as it is and never takes part in arithmetic.
"""

from __future__ import annotations

import dataclasses
import functools
import operator
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias, TypeVar

import attrs
import numpy as np

Tree = TypeVar("Tree")
Path: TypeAlias = tuple[str | int, ...]


def is_leaf(node: object) -> bool:
    """Return whether ``node`` is a number or a numeric array."""
    if isinstance(node, np.ndarray):
        return node.dtype.kind in "fiuc"
    return isinstance(node, int | float | np.number) and not isinstance(node, bool)


def children(node: object) -> list[tuple[str | int, Any]]:
    """Return the named parts of a container in a fixed order; an empty list for anything else."""
    fields = fields_of(node)
    if fields:
        return [(name, getattr(node, name)) for name in fields]
    if isinstance(node, tuple) and hasattr(node, "_fields"):
        names: tuple[str, ...] = node._fields  # pyright: ignore[reportAttributeAccessIssue] - a named tuple
        return list(zip(names, node, strict=True))
    if isinstance(node, tuple | list):
        return list(enumerate(node))
    return list(node.items()) if isinstance(node, Mapping) else []


def fields_of(node: object) -> dict[str, Mapping[Any, Any]]:
    """Return the metadata of every field that the constructor of an attrs class or dataclass takes; else nothing."""
    cls: Any = type(node)
    return _fields_of_class(cls)


# Trees are walked several times in every fit, and to ask a class for its fields takes longer than to walk.
@functools.lru_cache(maxsize=1024)
def _fields_of_class(cls: type[Any]) -> dict[str, Mapping[Any, Any]]:
    if attrs.has(cls):
        return {field.name: field.metadata for field in attrs.fields(cls) if field.init}
    if dataclasses.is_dataclass(cls):
        fields: Any = dataclasses.fields(cls)
        return {field.name: field.metadata for field in fields if field.init}
    return {}


def rebuild(node: Any, parts: list[Any]) -> Any:
    """Return a container like ``node`` with other parts, made through its own constructor."""
    if isinstance(node, Mapping) and not fields_of(node):
        # A Counter counts pairs, and a defaultdict takes none: both take a dict.
        items = dict(zip(node.keys(), parts, strict=True))
        if isinstance(node, defaultdict):
            return defaultdict(node.default_factory, items)
        return type(node)(items)  # type: ignore[call-arg]
    if isinstance(node, tuple) and hasattr(node, "_fields"):
        return type(node)(*parts)
    if isinstance(node, tuple | list):
        return type(node)(parts)
    if attrs.has(type(node)):
        names = [field.alias or field.name for field in attrs.fields(type(node)) if field.init]
        return type(node)(**dict(zip(names, parts, strict=True)))
    return type(node)(**dict(zip(fields_of(node), parts, strict=True)))


def leaves(node: object, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield ``(path, leaf)`` for every leaf of a tree, in a fixed order."""
    found: list[tuple[Path, Any]] = []
    _collect(node, path, found)
    return iter(found)


def _collect(node: object, path: Path, found: list[tuple[Path, Any]]) -> None:
    if is_leaf(node):
        found.append((path, node))
        return
    for name, child in children(node):
        _collect(child, (*path, name), found)


def getter(node: object, path: Path) -> Callable[[Any], Any]:
    """Return a function that fetches the leaf at ``path`` from trees built like ``node``, without walking them."""
    steps: list[Callable[[Any], Any]] = []
    for name in path:
        is_indexed = isinstance(node, Mapping) or isinstance(name, int)
        steps.append(operator.itemgetter(name) if is_indexed else operator.attrgetter(str(name)))
        node = steps[-1](node)
    if len(steps) == 1:
        return steps[0]

    def get(tree: Any) -> Any:
        for step in steps:
            tree = step(tree)
        return tree

    return get


def map_leaves(function: Callable[..., Any], first: Tree, *others: Any) -> Tree:
    """Return ``first`` with every leaf replaced by ``function(leaf, leaf of others[0], ...)``."""
    for other in others:
        if _names_of_parts(other) != _names_of_parts(first):
            msg = f"Two trees have different parts: {_names_of_parts(first)} and {_names_of_parts(other)}."
            raise ValueError(msg)
    if is_leaf(first):
        return function(first, *others)  # type: ignore[no-any-return]
    parts = children(first)
    if not parts:
        return first
    columns = [children(other) for other in others]
    mapped = [map_leaves(function, child, *(column[i][1] for column in columns)) for i, (_, child) in enumerate(parts)]
    return rebuild(first, mapped)  # type: ignore[no-any-return]


def _names_of_parts(node: object) -> list[str | int] | str:
    return "a number or an array" if is_leaf(node) else [name for name, _ in children(node)]


def add(left: Tree, right: Tree) -> Tree:
    """Return the sum of two trees, leaf by leaf: how the statistics of two parts of the data are merged.

    Nothing is broadcast: statistics whose shape depends on the part of the data do not add.
    """

    def plus(one: Any, other: Any) -> Any:
        if np.shape(one) != np.shape(other):
            path = next(path for path, leaf in leaves(left) if leaf is one)
            name = path_name(path) if path else "a bare array"
            msg = f"Two trees cannot be added: {name} is of shape {np.shape(one)} and of shape {np.shape(other)}."
            raise ValueError(msg)
        return np.add(one, other)

    return map_leaves(plus, left, right)


def owned(node: Tree) -> Tree:
    """Return a tree like ``node`` whose arrays nobody else can write to."""
    return map_leaves(lambda leaf: _read_only(leaf.copy()) if isinstance(leaf, np.ndarray) else leaf, node)


def lock(node: Tree) -> Tree:
    """Forbid writing to the arrays of ``node``, and return it."""
    for _, leaf in leaves(node):
        if isinstance(leaf, np.ndarray):
            _read_only(leaf)
    return node


def _read_only(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    array.setflags(write=False)
    return array


def replace_leaves(node: Tree, values: Mapping[Path, Any], path: Path = ()) -> Tree:
    """Return ``node`` with the leaves named in ``values`` replaced; the others are kept."""
    if is_leaf(node):
        return values.get(path, node)  # type: ignore[no-any-return]
    parts = children(node)
    if not parts:
        return node
    return rebuild(node, [replace_leaves(child, values, (*path, name)) for name, child in parts])  # type: ignore[no-any-return]


@functools.lru_cache(maxsize=1024)
def path_name(path: Path) -> str:
    """Return a path as people write it: ``params.covariances``, ``params[0]``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return f"params{text}" if text.startswith("[") else text.removeprefix(".") or "params"

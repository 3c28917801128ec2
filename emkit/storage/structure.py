"""How a tree is told in JSON, and rebuilt from it through the constructors of known classes.

``None``, booleans, integers and texts stand for themselves; the rest are lists that start with a tag::

    ["float", "0.5"]    ["array", name]    ["array", name, axes]    ["scalar", name]
    ["list", items]    ["tuple", items]    ["dict", {key: node}]    ["class", name, {field: node}]
    ["enum", name, member]

Items are a list of nodes, or the name of an array if all of them are floats. Axes are there if an array lies otherwise
than in C order: the file has its transpose with those axes. Results of linear algebra depend on that in the last bit.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
import sys
from collections.abc import Iterable
from typing import Any, NoReturn

import attrs
import numpy as np

from emkit import tree as trees
from emkit.storage.layout import DTYPE_NAMES, Array, fail

# Results nest five or six deep, and Python's own limit on recursion lies far above this one.
MAX_DEPTH = 64
# A model holds a family, which holds a structure of covariances: so deep do we look for classes of parts.
PARTS_WITHIN_PARTS = 2


def known_types(cls: type) -> set[type]:
    """Return ``cls`` and every storable class that its module, or a package around that module, can see.

    So a model's class makes its params, statistics and configuration known: it had to import them, or the abstract
    class they implement. Storable are attrs classes, dataclasses, named tuples and enums. Nothing is imported.
    """
    parts = cls.__module__.split(".")
    names = [".".join(parts[:end]) for end in range(1, len(parts) + 1)]
    modules = [sys.modules[name] for name in names if name in sys.modules]
    seen = [value for module in modules for value in list(vars(module).values())]
    visible = {value for value in seen if isinstance(value, type)}
    # Parts of the model implement abstract classes it sees; what implements the same as itself is another model.
    abstract = {value for value in visible if inspect.isabstract(value) and value not in cls.__mro__}
    concrete = {sub for value in abstract for sub in _subclasses(value)}
    # What a family or a chain that may be part of the model keeps its own params in stands beside it.
    for _ in range(PARTS_WITHIN_PARTS):
        modules = [sys.modules[name] for name in {part.__module__ for part in concrete} if name in sys.modules]
        beside = {value for module in modules for value in list(vars(module).values()) if isinstance(value, type)}
        inner = {value for value in beside if inspect.isabstract(value) and value not in cls.__mro__}
        concrete |= beside | {sub for value in inner for sub in _subclasses(value)}
    named = {value.__name__ for value in {cls} | visible}
    # A class that somebody else derived from an abstract one here does not come before those seen here.
    return (
        {cls}
        | {value for value in visible if _is_storable(value)}
        | {value for value in concrete if _is_storable(value) and value.__name__ not in named}
    )


def _subclasses(cls: type) -> set[type]:
    direct: set[type] = set(cls.__subclasses__())
    return direct | {sub for child in direct for sub in _subclasses(child)}


def _is_storable(cls: type) -> bool:
    return issubclass(cls, enum.Enum) or _is_record(cls)


def _is_record(cls: type) -> bool:
    named_tuple = issubclass(cls, tuple) and hasattr(cls, "_fields")
    return named_tuple or attrs.has(cls) or dataclasses.is_dataclass(cls)


def _arguments(cls: Any) -> dict[str, str]:
    """Return the name of the constructor's argument for every field of a record."""
    if attrs.has(cls):
        return {field.name: field.alias or field.name for field in attrs.fields(cls) if field.init}
    if dataclasses.is_dataclass(cls):
        return {field.name: field.name for field in dataclasses.fields(cls) if field.init}
    return {name: name for name in cls._fields}


@attrs.define
class Writer:
    """Collects the arrays of a tree while telling its structure."""

    arrays: dict[str, Array] = attrs.field(factory=dict)
    classes: dict[str, type] = attrs.field(factory=dict)

    def node(self, value: Any, path: trees.Path = ()) -> Any:
        """Return the JSON of a tree, or raise TypeError naming the part that cannot be stored."""
        if len(path) > MAX_DEPTH:
            msg = f"A tree may be {MAX_DEPTH} levels deep, and this one goes deeper: does it contain itself?"
            raise ValueError(msg)
        kind = type(value)
        if value is None or kind in (bool, int, str):
            return value
        if kind is float:
            # repr gives the shortest digits that read back as the same float; JSON itself has no NaN.
            return ["float", repr(value)]
        if issubclass(kind, enum.Enum) and value.name in kind.__members__:
            return ["enum", self._class_name(kind), value.name]
        if isinstance(value, np.generic):
            return ["scalar", self._array(np.asarray(value), path)]
        if kind in (np.ndarray, np.memmap):
            axes = _axes(value)
            return ["array", self._array(value.transpose(axes), path), *([axes] if axes != sorted(axes) else [])]
        if kind in (list, tuple):
            return [kind.__name__, self._items(value, path)]
        if kind is dict and all(type(key) is str for key in value):
            return ["dict", {key: self.node(item, (*path, key)) for key, item in value.items()}]
        if _is_record(kind):
            fields = {str(name): self.node(item, (*path, name)) for name, item in trees.children(value)}
            return ["class", self._class_name(kind), fields]
        what = "a dict with keys that are not strings" if kind is dict else f"of type {kind.__name__}"
        _refuse(path, what, "attrs classes, dataclasses, named tuples, dicts, tuples, lists, enums, arrays, texts")

    def _items(self, items: list[Any] | tuple[Any, ...], path: trees.Path) -> Any:
        # A history of thousands of floats belongs with the arrays, not in the header.
        if items and all(type(item) is float for item in items):
            return self._array(np.array(items), path)
        return [self.node(item, (*path, index)) for index, item in enumerate(items)]

    def _array(self, value: Array, path: trees.Path) -> str:
        dtype = value.dtype.newbyteorder("<")
        if dtype not in DTYPE_NAMES:
            _refuse(
                path,
                f"of dtype {value.dtype}",
                "floats of 2, 4 or 8 bytes, integers, booleans; tuples of texts",
            )
        name = stem = trees.path_name(path) if path else "array"
        number = 1
        while name in self.arrays or name == "__metadata__":
            number += 1
            name = f"{stem} ({number})"
        self.arrays[name] = np.asarray(value, dtype=dtype)
        return name

    def _class_name(self, cls: type) -> str:
        if self.classes.setdefault(cls.__name__, cls) is not cls:
            msg = f"Two classes named {cls.__name__} cannot lie in one file, which knows classes by name only."
            raise ValueError(msg)
        return cls.__name__


def _refuse(path: trees.Path, found: str, expected: str) -> NoReturn:
    where = trees.path_name(path) if path else "The tree"
    msg = f"{where} is {found}, which cannot be stored. What can: {expected}."
    raise TypeError(msg)


@attrs.frozen
class Reader:
    """Rebuilds a tree; every array is handed out once, so a small file cannot ask for much memory."""

    arrays: dict[str, Array]
    classes: dict[str, list[Any]]

    @classmethod
    def of(cls, arrays: dict[str, Array], known: Iterable[type]) -> Reader:
        """Return a reader of these arrays that may call the constructors of `known`."""
        classes: dict[str, list[Any]] = {}
        for known_class in set(known):
            classes.setdefault(known_class.__name__, []).append(known_class)
        return cls(dict(arrays), classes)

    def tree(self, structure: Any) -> Any:
        """Return the tree that a structure tells, or raise FormatError."""
        tree = self._build(structure, 0)
        if self.arrays:
            fail(f"its tree does not use the array {min(self.arrays)!r}")
        return tree

    def _build(self, node: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            fail(f"its tree is more than {MAX_DEPTH} levels deep")
        match node:
            case None | bool() | int() | str():
                return node
            case ["float", str(text)]:
                return _float(text)
            case ["array", str(name)]:
                return self._take(name)
            case ["array", str(name), list(axes)]:
                return self._transposed(name, axes)
            case ["scalar", str(name)]:
                return self._scalar(name)
            case ["list", items]:
                return self._items(items, depth)
            case ["tuple", items]:
                return tuple(self._items(items, depth))
            case ["dict", dict(items)]:
                return {key: self._build(item, depth + 1) for key, item in items.items()}
            case ["class", str(name), dict(fields)]:
                return self._record(name, fields, depth)
            case ["enum", str(name), str(member)]:
                return self._member(name, member)
        fail(f"{str(node)[:80]!r} tells no part of a tree")

    def _items(self, items: Any, depth: int) -> list[Any]:
        if isinstance(items, list):
            return [self._build(item, depth + 1) for item in items]
        array = self._take(items)
        if array.dtype != np.float64 or array.ndim != 1:
            fail(f"the floats {items!r} are {array.dtype} of shape {array.shape}")
        floats: list[Any] = array.tolist()
        return floats

    def _take(self, name: Any) -> Array:
        if not isinstance(name, str) or name not in self.arrays:
            fail(f"its tree names the array {name!r}, which is not there or was used before")
        return self.arrays.pop(name)

    def _transposed(self, name: str, axes: list[Any]) -> Array:
        array = self._take(name)
        if not all(type(axis) is int for axis in axes) or sorted(axes) != list(range(array.ndim)):
            fail(f"{str(axes)[:80]} are not the axes of {name!r}, whose shape is {array.shape}")
        return array.transpose(np.argsort(axes))

    def _scalar(self, name: str) -> Any:
        array = self._take(name)
        if array.ndim:
            fail(f"the scalar {name!r} has shape {array.shape}")
        return array[()]

    def _class(self, name: str) -> Any:
        found = self.classes.get(name, [])
        if len(found) == 1:
            return found[0]
        if found:
            places = " and ".join(sorted(cls.__module__ for cls in found))
            fail(f"it names the class {name}, and classes of that name from {places} were given: give one")
        names = ", ".join(sorted(self.classes)) or "none"
        fail(f"it names the class {name}, which is not among the known ones ({names}): pass it in `known`")

    def _record(self, name: str, fields: dict[str, Any], depth: int) -> Any:
        cls = self._class(name)
        if not _is_record(cls):
            fail(f"the class {name} has no fields")
        arguments = _arguments(cls)
        if strange := sorted(set(fields) - set(arguments)):
            fail(f"the class {name} has no field {strange[0]!r}")
        values = {arguments[field]: self._build(node, depth + 1) for field, node in fields.items()}
        try:
            return cls(**values)
        except Exception as error:
            fail(f"the class {name} refuses its fields ({type(error).__name__}: {error})", error)

    def _member(self, name: str, member: str) -> Any:
        cls = self._class(name)
        if not issubclass(cls, enum.Enum) or member not in cls.__members__:
            fail(f"{name} has no member {member!r}")
        return cls[member]


def _axes(array: Array) -> list[int]:
    """Return the axes of an array in the order in which they lie in memory."""
    if array.flags.c_contiguous:
        return list(range(array.ndim))
    return sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis]))


def _float(text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        fail(f"{text[:40]!r} is no float", error)
    if repr(value) != text:
        fail(f"{text[:40]!r} is not how a float is written")
    return value

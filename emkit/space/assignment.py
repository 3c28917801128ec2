"""Which space each field of some params lives in, and what follows from all of them together."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from emkit import tree
from emkit.errors import InvalidParamsError
from emkit.space.base import Array, Space
from emkit.space.fields import SPACE
from emkit.space.matrices import Covariance
from emkit.space.proportions import SUM_TOLERANCE, Simplex
from emkit.space.scalars import Fixed, Integer, Real, Undeclared

#: A space for every leaf of the params.
Spaces: TypeAlias = dict[tree.Path, Space]
#: How far an undeclared field is pushed, relative to its size, to see what an EM step makes of it.
NUDGE = 1e-6


def _declared(node: Any, path: tree.Path, inherited: Space | None, found: Spaces) -> None:
    if tree.is_leaf(node):
        found[path] = inherited or Undeclared()
        return
    metadata = tree.fields_of(node)
    for name, child in tree.children(node):
        space = metadata[str(name)].get(SPACE, inherited) if metadata else inherited
        _declared(child, (*path, name), space, found)


def spaces_of(model: object, params: object) -> Spaces:
    """Return the space of every leaf of ``params``: the model's own word, else the declaration, else Undeclared.

    ``model.space(params)`` returns a mapping from field names (or dotted names of nested fields) to spaces, or one
    space if the params are a bare array.
    """
    found: Spaces = {}
    _declared(params, (), None, found)
    refine: Callable[[Any], Any] | None = getattr(model, "space", None)
    if refine is None:
        return found
    refined = refine(params)
    if isinstance(refined, Space):
        return dict.fromkeys(found, refined)
    unknown = set(refined) - {name for path in found for name in _names(path)}
    if unknown:
        msg = (
            f"{type(model).__name__}.space names {', '.join(map(repr, sorted(unknown)))}, but the params only have "
            f"{', '.join(tree.path_name(path) for path in found)}."
        )
        raise ValueError(msg)
    return {path: _refinement(refined, path) or space for path, space in found.items()}


@functools.lru_cache(maxsize=1024)
def _names(path: tree.Path) -> tuple[str, ...]:
    """Return the names a leaf goes by, its own first, then those of the fields it lies in."""
    return tuple(tree.path_name(path[:length]) for length in range(len(path), 0, -1))


def _refinement(refined: Mapping[str, Space], path: tree.Path) -> Space | None:
    return next((refined[name] for name in _names(path) if name in refined), None)


def infer_spaces(spaces: Spaces, params: Any, em_step: Callable[[Any], Any]) -> Spaces:
    """Return the spaces with every undeclared field given the set that an EM step keeps it in.

    The field is pushed a little, out of any equation it may obey, and one EM step is taken. What the step hands
    through as it is, is a constant; rows that sum to one before and after are proportions; matrices that are symmetric
    before and after are covariances; all else is real. One EM step for each undeclared field, none where all is said.
    """
    values = dict(tree.leaves(params))
    return {
        path: _infer(path, values[path], params, em_step) if isinstance(space, Undeclared) else space
        for path, space in spaces.items()
    }


def _infer(path: tree.Path, leaf: Any, params: Any, em_step: Callable[[Any], Any]) -> Space:
    if np.asarray(leaf).dtype.kind in "iu":
        return Integer()
    value = np.asarray(leaf, dtype=np.float64)
    # Towards smaller values, each entry by another factor: a common one would keep ratios, which some models only use.
    factors = 1 - NUDGE * np.linspace(0.5, 1.0, value.size).reshape(value.shape)
    nudged = value * factors if value.any() else value + NUDGE
    try:
        pushed = em_step(tree.replace_leaves(params, {path: nudged if value.ndim else float(nudged)}))
        after = np.asarray(dict(tree.leaves(pushed))[path], dtype=np.float64)
    except Exception:
        # A model may refuse a point that EM would not have visited; then nothing is known of the field.
        return Real()
    if np.array_equal(after, nudged):
        return Fixed()
    if _are_proportions(value) and _are_proportions(after):
        return Simplex()
    if _are_symmetric(value) and _are_symmetric(after):
        return Covariance()
    return Real()


def _are_proportions(value: Array) -> bool:
    if value.ndim == 0 or value.shape[-1] < 2 or not (value >= 0).all():
        return False
    return bool((np.abs(value.sum(axis=-1) - 1) <= SUM_TOLERANCE).all())


def _are_symmetric(value: Array) -> bool:
    is_square = value.ndim > 1 and value.shape[-1] == value.shape[-2] > 1
    return is_square and np.allclose(value, np.swapaxes(value, -1, -2), rtol=1e-10, atol=0)


def _each(spaces: Spaces, params: Any) -> list[tuple[str, Space, Array]]:
    values = dict(tree.leaves(params))
    return [(tree.path_name(path), space, np.asarray(values[path], np.float64)) for path, space in spaces.items()]


def check_params(model: object, params: object) -> None:
    """Raise InvalidParamsError, naming field and index, unless every field lies in its space."""
    _check_kinds(params, ())
    fields = _each(spaces_of(model, params), params)
    if not fields:
        msg = f"Params must hold at least one number or array of numbers; {type(params).__name__} holds none."
        raise InvalidParamsError(msg)
    for name, space, value in fields:
        space.check(value, name)


def _check_kinds(node: object, path: tree.Path) -> None:
    """Raise an error for arrays of numbers that EM would pass over, or cut the imaginary part off."""
    if isinstance(node, np.ndarray) and node.dtype.kind == "f":
        return
    if isinstance(node, complex) or (isinstance(node, np.ndarray) and node.dtype.kind in "cO"):
        kind = node.dtype.name if isinstance(node, np.ndarray) else "complex"
        msg = f"{tree.path_name(path)} must hold real numbers, but its type is {kind}. Convert it to float64."
        raise InvalidParamsError(msg)
    if isinstance(node, np.ndarray) and node.dtype.kind in "US" and _are_decimals(node):
        msg = (
            f"{tree.path_name(path)} holds strings that look like numbers, such as {node.ravel()[0]!s}. EM leaves "
            "strings alone, as labels: convert them by array.astype(float)."
        )
        raise TypeError(msg)
    for name, child in tree.children(node):
        _check_kinds(child, (*path, name))


def _are_decimals(texts: NDArray[Any]) -> bool:
    """Return whether all of some strings are numbers, and not all whole ones, which may be labels such as years."""
    try:
        values = texts.astype(np.float64)
    except ValueError:
        return False
    return bool(np.isfinite(values).any()) and not all(text.strip().isdigit() for text in texts.ravel().tolist())


def outside(model: object, params: object) -> str:
    """Return what is wrong with params that an M-step has left outside their space; empty where nothing is."""
    try:
        check_params(model, params)
    except InvalidParamsError as error:
        return f"The params have left their space: {str(error).partition('. Give')[0]}."
    return ""


def boundary_notes(spaces: Spaces, params: object) -> tuple[str, ...]:
    """Return a sentence for every field that lies on the edge of its space."""
    notes = [space.describe_bound(value, name) for name, space, value in _each(spaces, params)]
    return tuple(note for note in notes if note)


def rests_on_floor(spaces: Spaces, params: object) -> bool:
    """Return whether a safeguard of some space is active at ``params``."""
    return any(space.on_floor(value) for _, space, value in _each(spaces, params))


def n_free(spaces: Spaces, params: object) -> int:
    """Return the number of free parameters, those on a bound included."""
    return sum(space.n_free(value) for _, space, value in _each(spaces, params))


def free_directions(spaces: Spaces, params: Any) -> tuple[Array, NDArray[np.bool_]]:
    """Return the tangent of the params' space and which of its directions touch an entry on a bound.

    Returns
    -------
    directions : (n_free, n_leaf_entries)
        Over the entries of every leaf in the order of :func:`emkit.tree.leaves`, fixed ones included as zeros.
    on_bound : (n_free,)
    """
    blocks, flags = [], []
    for _, space, value in _each(spaces, params):
        block = space.tangent(value)
        blocks.append(block)
        # A simplex direction moves mass to or from the row's largest entry, which is never on the bound.
        flags.append((np.abs(block) @ space.on_bound(value).ravel()) > 0)
    directions = np.zeros((sum(len(block) for block in blocks), sum(block.shape[1] for block in blocks)))
    row = column = 0
    for block in blocks:
        directions[row : row + len(block), column : column + block.shape[1]] = block
        row, column = row + len(block), column + block.shape[1]
    return directions, np.concatenate(flags) if flags else np.zeros(0, dtype=bool)

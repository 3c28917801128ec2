"""Components are interchangeable: putting those of one set of params in the order of another.

Which axes run over components is the model's to say (``label_axes``), or inferred: components are what the only
one-dimensional simplex of the params weighs, and every estimated field whose first axis is as long runs over them (a
square matrix of proportions, such as a transition matrix, by both its axes). That guess counts only if exchanging
components leaves the objective as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from emkit import tree
from emkit.errors import EmkitError
from emkit.information.entries import flat, shaped_like
from emkit.information.surface import Surface
from emkit.model import offers
from emkit.space import Fixed, Simplex
from emkit.space.assignment import Spaces

Array = NDArray[np.float64]
#: For each leaf that runs over components, the axes that do.
LabelAxes: TypeAlias = dict[tree.Path, tuple[int, ...]]

#: What exchanging components may change the objective by, relative to its size.
ROUNDING = 1e-10
#: Replicates that differ by less than this share of a typical size agree.
NO_SPREAD = 1e-8
#: How often units of distance are taken again.
MAX_PASSES = 10


def label_axes(surface: Surface) -> LabelAxes:
    """Return the axes that run over interchangeable components; empty where there are none."""
    model, params = surface.model, surface.params
    if offers(model, "label_axes"):
        return _declared(model.label_axes(params), params)
    axes = _guess(params, surface.spaces)
    if len(axes) < 2:
        return {}
    size = n_labels(params, axes)
    exchanged = permuted(params, np.roll(np.arange(size), 1), axes)
    swapped = permuted(params, np.r_[1, 0, 2:size], axes)
    slack = ROUNDING * (1 + abs(surface.center))
    is_same = [_is_as_likely(surface, point, slack) for point in (exchanged, swapped)]
    return axes if all(is_same) else {}


def _is_as_likely(surface: Surface, params: Any, slack: float) -> bool:
    try:
        return abs(surface.objective_at(params) - surface.center) <= slack
    except (EmkitError, ArithmeticError, np.linalg.LinAlgError):
        # What was taken for an axis of components is none: a matrix that all share, turned over.
        return False


def _declared(axes: Mapping[str, int | tuple[int, ...]], params: Any) -> LabelAxes:
    paths = {tree.path_name(path): path for path, _ in tree.leaves(params)}
    unknown = set(axes) - set(paths)
    if unknown:
        msg = f"label_axes names {', '.join(sorted(unknown))}, but the params only have {', '.join(paths)}."
        raise ValueError(msg)
    return {paths[name]: (which,) if isinstance(which, int) else tuple(which) for name, which in axes.items()}


def _guess(params: Any, spaces: Spaces) -> LabelAxes:
    values = {path: np.asarray(leaf) for path, leaf in tree.leaves(params) if not isinstance(spaces[path], Fixed)}
    weights = [path for path, value in values.items() if isinstance(spaces[path], Simplex) and value.ndim == 1]
    if len(weights) != 1 or len(values[weights[0]]) < 2:
        return {}
    size = len(values[weights[0]])
    axes: LabelAxes = {}
    for path, value in values.items():
        if value.ndim and len(value) == size:
            both = isinstance(spaces[path], Simplex) and value.shape == (size, size)
            axes[path] = (0, 1) if both else (0,)
    return axes


def n_labels(params: Any, axes: LabelAxes) -> int:
    """Return the number of components."""
    path, which = next(iter(axes.items()))
    return int(np.shape(dict(tree.leaves(params))[path])[which[0]])


def permuted(params: Any, order: NDArray[np.intp], axes: LabelAxes) -> Any:
    """Return params whose component i is component ``order[i]`` of the given ones."""
    values = dict(tree.leaves(params))
    new = {}
    for path, which in axes.items():
        value = values[path]
        for axis in which:
            value = np.take(value, order, axis=axis)
        new[path] = value
    return tree.replace_leaves(params, new)


def align_all(replicates: Array, reference: Any, axes: LabelAxes, spaces: Spaces) -> Array:
    """Return replicates, one row of entries each, with their components in the order nearest to a reference.

    A unit of distance is the spread of the replicates themselves (median absolute deviation, of all components
    together): what the data determine well decides. Exchanged components widen it, so it is taken again after each
    pass, until none moves.
    """
    if not axes:
        return replicates
    for _ in range(MAX_PASSES):
        center = np.median(replicates, axis=0)
        spread = shaped_like(reference, np.median(np.abs(replicates - center), axis=0))
        units = _units(spread, reference, axes, spaces)
        rows = [aligned(shaped_like(reference, row), reference, axes, units) for row in replicates]
        moved = np.array([flat(row) for row in rows])
        if np.array_equal(moved, replicates):
            break
        replicates = moved
    return replicates


def _units(spread: Any, reference: Any, axes: LabelAxes, spaces: Spaces) -> dict[tree.Path, Array]:
    """Return a unit for every entry, the same for all components; infinite where the replicates all but agree.

    An estimate on a bound, such as where a single sequence starts, has no spread, and would decide alone. If nothing
    has any, typical sizes are the units.
    """
    units, fallback = {}, {}
    values, spreads = dict(tree.leaves(reference)), dict(tree.leaves(spread))
    for path, which in axes.items():
        value = np.asarray(values[path], dtype=np.float64)
        square = np.asarray(spreads[path], dtype=np.float64) ** 2
        pooled = np.broadcast_to(np.sqrt(square.mean(axis=which, keepdims=True)), value.shape)
        typical = np.broadcast_to(spaces[path].typical(value), value.shape)
        fallback[path] = np.where(typical > 0, typical, 1.0)
        units[path] = np.where(pooled > NO_SPREAD * fallback[path], pooled, np.inf)
    return units if any(np.isfinite(unit).any() for unit in units.values()) else fallback


def aligned(params: Any, reference: Any, axes: LabelAxes, units: Mapping[tree.Path, Array]) -> Any:
    """Return params with their components in the order that brings them nearest to a reference.

    The distance of two components is the sum of squares of their differences in the given units; fields that run over
    components by one axis decide (all fields, by their first such axis, if there is none).
    """
    size = n_labels(params, axes)
    ours, theirs = dict(tree.leaves(params)), dict(tree.leaves(reference))
    deciding = [path for path, which in axes.items() if len(which) == 1] or list(axes)
    cost = np.zeros((size, size))
    for path in deciding:
        mine, target = (
            np.moveaxis(np.asarray(value, np.float64) / units[path], axes[path][0], 0).reshape(size, -1)
            for value in (ours[path], theirs[path])
        )
        cost += ((target[:, None, :] - mine[None, :, :]) ** 2).sum(axis=2)
    order = linear_sum_assignment(cost)[1]
    return params if np.array_equal(order, np.arange(size)) else permuted(params, order, axes)

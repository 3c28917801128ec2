"""An order of states that does not depend on where a fit started."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emkit import EMResult, Status
from emkit.errors import MissingCapabilityError
from emkit.families import Family
from emkit.space import Fixed, spaces_of

Array = NDArray[np.float64]
#: By how much rounding may change a log-prior when its terms are added up in another order, relative to its size.
ROUNDING = 1e-9
Integers = NDArray[np.intp]


def state_order(emission: Family[Any], params: Any, n_states: int) -> Integers:
    """Return the states in the order of the means of their emissions, by the first column first.

    Families without means go by the entries of their params.
    """
    try:
        keys = emission.mean(params)
    except MissingCapabilityError:
        spaces = spaces_of(emission, params).items()
        fields = [np.asarray(part_at(params, path)) for path, space in spaces if not isinstance(space, Fixed)]
        keys = np.column_stack([f.reshape(n_states, -1) for f in fields if f.shape[:1] == (n_states,)])
    return np.lexsort(keys.T[::-1])


def in_order(result: EMResult[Any]) -> EMResult[Any]:
    """Return a fit with its states in the order of their emissions, if these may change places.

    They may not where something of them is fixed, or has a prior of its own. A fit that the model could not go on with
    stays as it is, too: its message may name a state.
    """
    model, emission = result.model, result.params.emission
    if result.status is Status.DEGENERATE or not model.label_axes(result.params):
        return result
    if holds_some(model.emission, emission, model.n_states):
        return result
    ordered = result.reordered(state_order(model.emission, emission, model.n_states))
    before, after = model.log_prior(result.params), model.log_prior(ordered.params)
    return ordered if abs(after - before) <= ROUNDING * (1 + abs(before)) else result


def holds_some(family: Family[Any], params: Any, n_states: int) -> bool:
    """Return whether something that could be estimated is fixed, at values that differ between states."""
    declared, refined = spaces_of(None, params), spaces_of(family, params)
    held = [
        path for path, space in refined.items() if isinstance(space, Fixed) and not isinstance(declared[path], Fixed)
    ]
    values = (np.asarray(part_at(params, path)) for path in held)
    return any(value.shape[:1] == (n_states,) and (value != value[0]).any() for value in values)


def part_at(params: Any, path: tuple[str | int, ...]) -> Any:
    """Return the part of params at a path of names and places."""
    return functools.reduce(_part, path, params)


def _part(whole: Any, name: str | int) -> Any:
    return whole[name] if isinstance(name, int) else getattr(whole, name)

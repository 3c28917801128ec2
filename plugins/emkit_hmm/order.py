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

    A fit that the model could not go on with stays as it is: its message may name a state.
    """
    model = result.model
    if result.status is Status.DEGENERATE or not model.label_axes(result.params):
        return result
    return result.reordered(state_order(model.emission, result.params.emission, model.n_states))


def part_at(params: Any, path: tuple[str | int, ...]) -> Any:
    """Return the part of params at a path of names and places."""
    return functools.reduce(_part, path, params)


def _part(whole: Any, name: str | int) -> Any:
    return whole[name] if isinstance(name, int) else getattr(whole, name)

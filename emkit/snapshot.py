"""The state of a climb at one accepted point: enough to go on from there as if nothing had happened."""

from __future__ import annotations

import copy
import functools
from typing import Any, TypeAlias

import attrs

from emkit.acceleration import Acceleration, Accelerator
from emkit.acceleration.secants import Secants
from emkit.convergence import Monitor, Tolerance
from emkit.point import Point
from emkit.space.base import Array
from emkit.trail import Excerpt

#: What a memory holds, by the names of its attributes; settings are left out, for the caller gives them again.
State: TypeAlias = dict[str, Any]


@attrs.frozen(eq=False)
class Snapshot:
    """A climb at rest at an accepted point.

    Taken at every point, so everything that never changes is shared with the climb. Statistics are not kept in files:
    an E-step at the params gives them again, bit for bit.

    Attributes
    ----------
    point : Point
        Where the climb stands.
    x : (n_entries,), optional
        Its params as the accelerator sees them, where they are known before the params are taken apart.
    image : params or None
        Its EM image, where that is known already.
    anchor : tuple or None
        The point before the last accelerated step, and its image.
    gain : float or None
        What the plain step to this point has gained.
    monitor, acceleration : dict or None
        The memories of the stopping rule and of the accelerator; None if they cannot be kept, and then begin anew.
    basis : tuple
        The params and their image from which coordinates and units were read.
    held : list of tuples of str
        What held so far of each undeclared field.
    next_look : int
        Number of accepted points at which the units are looked at again.
    trail : Excerpt
        One row for each accepted point.
    """

    point: Point
    x: Array | None
    image: Any
    anchor: tuple[Point, Any] | None
    gain: float | None
    monitor: State | None
    acceleration: State | None
    basis: tuple[Any, Any]
    held: list[tuple[str, ...]]
    next_look: int
    has_polished: bool
    polish_note: str
    trail: Excerpt
    n_e_steps: int
    n_rejected: int


def state_of(memory: Any) -> State | None:
    """Return what a memory holds now; it does not change with the memory. None if that cannot be told."""
    kind: Any = type(memory)
    if not _is_ours(kind):
        return _state_of_a_strangers(memory)
    state: State = {}
    for name in _names(kind):
        value = getattr(memory, name)
        if isinstance(value, list):
            state[name] = value.copy()
        elif isinstance(value, _MEMORIES):
            inner = state_of(value)
            if inner is None:
                return None
            state[name] = inner
        elif not isinstance(value, _SETTINGS):
            # Arrays in our memories are replaced, never written to.
            state[name] = value
    return state


def restore(memory: Any, state: State) -> None:
    """Give a memory that has just begun what another one held.

    Raises
    ------
    TypeError
        If it is not the state of such a memory.
    """
    kind: Any = type(memory)
    is_ours = _is_ours(kind)
    for name, value in state.items():
        part = getattr(memory, name, None)
        if name.startswith("__") or isinstance(part, _SETTINGS) or (is_ours and name not in _names(kind)):
            msg = f"{kind.__name__} has no {name!r} to restore."
            raise TypeError(msg)
        if isinstance(part, _MEMORIES):
            restore(part, value)
        else:
            mine = value.copy() if is_ours and isinstance(value, list) else copy.deepcopy(value)
            object.__setattr__(memory, name, mine)


_MEMORIES = (Acceleration, Monitor, Secants)
_SETTINGS = (Accelerator, Tolerance)


def _state_of_a_strangers(memory: Any) -> State | None:
    """Return a deep copy, for nothing is known of how the memory changes."""
    slots = [name for kind in type(memory).__mro__ for name in getattr(kind, "__slots__", ()) if name[:2] != "__"]
    names = dict.fromkeys([*slots, *getattr(memory, "__dict__", ())])
    values = {name: getattr(memory, name) for name in names if hasattr(memory, name)}
    try:
        return copy.deepcopy({name: value for name, value in values.items() if not isinstance(value, _SETTINGS)})
    except Exception:
        # Whatever a stranger's object answers to being copied.
        return None


@functools.cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in attrs.fields(kind)) if attrs.has(kind) else ()


@functools.cache
def _is_ours(kind: Any) -> bool:
    return bool(kind.__module__.partition(".")[0] == "emkit")

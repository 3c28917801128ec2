"""Params as one vector of all their entries, in the order of :func:`emkit.tree.leaves`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from emkit import tree
from emkit.space.assignment import Spaces

Array = NDArray[np.float64]


def shifted(params: Any, shift: Array, spaces: Spaces) -> Any | None:
    """Return params whose entries are shifted, or None where that leaves their space."""
    values: dict[tree.Path, Any] = {}
    offset = 0
    for path, leaf in tree.leaves(params):
        value = np.asarray(leaf, dtype=np.float64)
        part = value + shift[offset : offset + value.size].reshape(value.shape)
        offset += value.size
        if not np.array_equal(part, value):
            if not spaces[path].allows(part, value):
                return None
            values[path] = part if value.ndim else float(part)
    return tree.replace_leaves(params, values)


def flat(params: Any) -> Array:
    """Return all entries of params as one vector."""
    parts = [np.ravel(np.asarray(leaf, dtype=np.float64)) for _, leaf in tree.leaves(params)]
    return np.concatenate(parts) if parts else np.zeros(0)


def shaped_like(params: Any, entries: Array) -> Any:
    """Return a vector of all entries in the shape of the params; leading axes of ``entries`` come first."""
    values: dict[tree.Path, Any] = {}
    offset = 0
    for path, leaf in tree.leaves(params):
        size, shape = np.size(leaf), (*entries.shape[:-1], *np.shape(leaf))
        part = entries[..., offset : offset + size].reshape(shape)
        values[path] = part if shape else float(part)
        offset += size
    return tree.replace_leaves(params, values)

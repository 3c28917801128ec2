"""How rows are divided among the states at the start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit import tree
from emkit.arrays import as_array, one_of
from emkit.families import STARTS
from emkit_hmm.content import content

Array = NDArray[np.float64]

EXAMPLE = '{"means": [[0.0], [5.0]]}'


def _kind(value: Any) -> str:
    return one_of(value, "start", STARTS)


def _fields(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        msg = f"The fields of a start must be a dict of their names and values, such as {EXAMPLE}; found {value!r}."
        raise TypeError(msg)
    return value


@attrs.frozen
class StartingPoint:
    """Where a fit starts.

    Attributes
    ----------
    kind : {"kmeans", "k-means++", "random", "random_from_data"}
        How rows are divided among the states, by the distances of their features.
    chain, emission : dict
        Fields of the params that start at values of the user's instead; those of parts have dotted names.
    """

    kind: str = attrs.field(default="kmeans", converter=_kind)
    chain: Mapping[str, Any] = attrs.field(factory=dict, converter=_fields, eq=content)
    emission: Mapping[str, Any] = attrs.field(factory=dict, converter=_fields, eq=content)


def as_start(value: Any) -> StartingPoint:
    """Return a start, or the one of that kind."""
    return value if isinstance(value, StartingPoint) else StartingPoint(value)


def with_fields(params: Any, fields: Mapping[str, Any], place: str = "the params") -> Any:
    """Return params with some fields replaced; fields of parts have dotted names, such as "parts.means".

    Raises
    ------
    ValueError
        If there is no such field, or its shape is another one; ``place`` is where the message says they are.
    """
    paths = {tree.path_name(path): path for path, _ in tree.leaves(params)}
    leaves = dict(tree.leaves(params))
    values: dict[tree.Path, Array] = {}
    for name, value in fields.items():
        if name not in paths:
            msg = f"The start gives {name!r}, but {place} only have {', '.join(map(repr, paths))}."
            raise ValueError(msg)
        given, shape = as_array(value, f"The start of {name}"), np.shape(leaves[paths[name]])
        if given.shape != shape:
            msg = f"The start of {name} must have shape {shape}, as {place} have it here; found {given.shape}."
            raise ValueError(msg)
        values[paths[name]] = given
    return tree.replace_leaves(params, values)

"""How rows are divided among the states at the start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit.arrays import one_of
from emkit.families import STARTS
from emkit_hmm.content import content

Array = NDArray[np.float64]


def _kind(value: Any) -> str:
    return one_of(value, "start", STARTS)


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
    chain: Mapping[str, Any] = attrs.field(factory=dict, eq=content)
    emission: Mapping[str, Any] = attrs.field(factory=dict, eq=content)


def as_start(value: Any) -> StartingPoint:
    """Return a start, or the one of that kind."""
    return value if isinstance(value, StartingPoint) else StartingPoint(value)


def with_fields(params: Any, fields: Mapping[str, Any]) -> Any:
    """Return params with some fields replaced; fields of parts have dotted names, such as "parts.means"."""
    for name, value in fields.items():
        part, dot, rest = name.partition(".")
        params = attrs.evolve(params, **{part: with_fields(getattr(params, part), {rest: value}) if dot else value})
    return params

"""How rows are divided among the states at the start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit.arrays import one_of
from emkit.families import STARTS

Array = NDArray[np.float64]


def starting_responsibilities(
    features: Array, n_components: int, kind: str, rng: np.random.Generator, weights: Array | None = None
) -> Array:
    """Return a partition of rows by their features, (n_samples, n_components).

    Columns are put on one scale first; cells that miss stand at the middle. Rows whose weight is zero have no part in
    it, so that they cannot take a state for themselves.
    """
    features = np.asarray(features, dtype=np.float64)
    if weights is not None and not (weights > 0).all():
        shares = np.zeros((len(features), n_components))
        shares[weights > 0] = starting_responsibilities(features[weights > 0], n_components, kind, rng)
        return shares
    seen = ~np.isnan(features)
    counts = np.maximum(seen.sum(axis=0), 1)
    with np.errstate(over="ignore", invalid="ignore"):
        centred = np.nan_to_num(features - (np.where(seen, features, 0.0) / counts).sum(axis=0))
    # Divided by the largest first: squares of very large or small units leave the range of floats.
    reach = np.abs(np.where(seen, centred, 0.0)).max(axis=0, initial=0.0)
    unit = np.where(seen, centred, 0.0) / np.where(reach > 0, reach, 1.0)
    spread = np.sqrt((unit * unit).sum(axis=0) / counts)
    return STARTS[kind](unit / np.where(spread > 0, spread, 1.0), n_components, rng)


def _kind(value: Any) -> str:
    return one_of(value, "start", STARTS)


@attrs.frozen(eq=False)
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
    chain: Mapping[str, Any] = attrs.field(factory=dict)
    emission: Mapping[str, Any] = attrs.field(factory=dict)


def as_start(value: Any) -> StartingPoint:
    """Return a start, or the one of that kind."""
    return value if isinstance(value, StartingPoint) else StartingPoint(value)


def with_fields(params: Any, fields: Mapping[str, Any]) -> Any:
    """Return params with some fields replaced; fields of parts have dotted names, such as "parts.means"."""
    for name, value in fields.items():
        part, dot, rest = name.partition(".")
        params = attrs.evolve(params, **{part: with_fields(getattr(params, part), {rest: value}) if dot else value})
    return params

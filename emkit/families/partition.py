"""A first division of rows among components, by numbers that describe them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emkit.families.starts import STARTS

Array = NDArray[np.float64]


def partition_by_features(
    features: Array, n_components: int, kind: str, rng: np.random.Generator, weights: Array | None = None
) -> Array:
    """Return a partition of rows by their features, (n_samples, n_components).

    Columns are put on one scale first; cells that miss stand at the middle. Rows whose weight is zero have no part in
    it, so that they cannot take a state for themselves.
    """
    features = np.asarray(features, dtype=np.float64)
    if weights is not None and not (weights > 0).all():
        shares, counted = np.zeros((len(features), n_components)), weights > 0
        shares[counted] = partition_by_features(features[counted], n_components, kind, rng, weights[counted])
        return shares
    seen = ~np.isnan(features)
    counts = np.maximum(seen.sum(axis=0), 1)
    with np.errstate(over="ignore", invalid="ignore"):
        centred = np.nan_to_num(features - (np.where(seen, features, 0.0) / counts).sum(axis=0))
    # Divided by the largest first: squares of very large or small units leave the range of floats.
    reach = np.abs(np.where(seen, centred, 0.0)).max(axis=0, initial=0.0)
    unit = np.where(seen, centred, 0.0) / np.where(reach > 0, reach, 1.0)
    spread = np.sqrt((unit * unit).sum(axis=0) / counts)
    return STARTS[kind](unit / np.where(spread > 0, spread, 1.0), n_components, rng, weights)

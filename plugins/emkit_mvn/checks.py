"""What a model of rows with gaps asks of its data, and what it says when they do not have it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emkit.arrays import as_sample_weight
from emkit_mvn.kernels.rows import IncompleteRows
from emkit_mvn.structures import CovarianceStructure, Known

Array = NDArray[np.float64]


def prepared_by(prepare: Callable[..., IncompleteRows], data: Any) -> IncompleteRows:
    """Return a matrix, or a pair of a matrix and weights, in prepared form; what is prepared stays as it is.

    Raises
    ------
    ValueError
        If it is a tuple, but no pair.
    """
    if isinstance(data, IncompleteRows):
        return data
    if not isinstance(data, tuple):
        return prepare(data)
    if len(data) != 2:
        msg = f"Data must be a matrix or a pair (matrix, weights); found a tuple of length {len(data)}."
        raise ValueError(msg)
    return prepare(*data)


def check_columns_are_seen(rows: IncompleteRows) -> None:
    """Raise ValueError where the data say nothing about some column, or weights count no row."""
    as_sample_weight(rows.weights, len(rows.x))
    unseen = np.flatnonzero(np.diag(rows.pair_weights) == 0).tolist()
    if not unseen:
        return
    if len(unseen) == rows.x.shape[1]:
        which, what = "No column has a", "there is nothing to fit to"
    elif len(unseen) == 1:
        which, what = f"Column {unseen[0]} has no", "leave it out"
    else:
        which, what = f"Columns {', '.join(map(str, unseen))} have no", "leave them out"
    msg = f"{which} seen cell in rows of positive weight: {what}."
    raise ValueError(msg)


def check_width(rows: IncompleteRows, n_features: int) -> None:
    """Raise ValueError if rows have not as many columns as the params."""
    if rows.x.shape[1] != n_features:
        msg = (
            f"The data have n_features={rows.x.shape[1]}, but the params have {n_features}: give the columns that the "
            "params were fitted to."
        )
        raise ValueError(msg)


def check_settings(mean: Array | None, structure: CovarianceStructure, n_features: int) -> None:
    """Raise ValueError where a mean or a covariance that is given is one of other columns."""
    if mean is not None and mean.shape != (n_features,):
        msg = f"mean must have shape ({n_features},) for data of n_features={n_features}; it has {mean.shape}."
        raise ValueError(msg)
    if isinstance(structure, Known):
        structure.check_size(n_features)

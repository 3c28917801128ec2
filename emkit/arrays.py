"""Arrays in: converters for params, validation of what users call data."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def read_only(value: Any) -> Array:
    """Return a read-only float64 copy: the converter of params fields."""
    array = np.array(value, dtype=np.float64)
    array.setflags(write=False)
    return array


def as_matrix(x: Any, **kwargs: Any) -> Array:
    """Return rows."""
    return np.asarray(x, dtype=np.float64)


def as_sample_weight(weight: Any, n_samples: int) -> Array | None:
    """Return weights."""
    return None if weight is None else np.asarray(weight, dtype=np.float64)

"""What a setting holds, as something that can be compared and hashed: models that hold arrays are equal by content."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np


def content(value: Any) -> Hashable:
    """Return a key that two settings share if they hold the same numbers: for ``attrs.field(eq=content)``.

    A number, a list and an array of the same numbers have the same content; NaN is equal to NaN there.

    Examples
    --------
    >>> content([0.5, np.nan]) == content(np.array([0.5, np.nan]))
    True
    >>> content({"means": [0]}) == content({"means": [1]})
    False
    """
    if value is None:
        return None
    if isinstance(value, Mapping):
        return frozenset((name, content(part)) for name, part in value.items())
    numbers = np.asarray(value, dtype=np.float64)
    # There are several bit patterns of NaN, and two of zero.
    plain = np.where(np.isnan(numbers), np.nan, numbers + 0.0)
    return plain.shape, plain.tobytes()

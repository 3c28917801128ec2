"""Degrees of freedom as users give them."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

#: From so many degrees of freedom on a t distribution is the normal, as far as floats can tell.
LARGEST_DF = 1e15
#: With fewer ``distance / df`` would leave the range of floats, for rows that may be far away.
SMALLEST_DF = 1e-20


def degrees_of_freedom(value: Any) -> float | None:
    """Return a positive number, infinity where a t distribution with so many is a normal, or None."""
    if value is None:
        return None
    if not _is_df(value):
        msg = (
            f"df must be a number of at least {SMALLEST_DF:g} (infinity is the normal), or None to estimate it; it is "
            f"{value!r}."
        )
        raise ValueError(msg)
    return float(value) if value < LARGEST_DF else math.inf


def smallest_degrees_of_freedom(value: Any) -> float:
    """Return a positive number, to be the smallest estimate."""
    if not _is_df(value) or value >= LARGEST_DF:
        msg = f"smallest_df must be a finite number of at least {SMALLEST_DF:g}; it is {value!r}."
        raise ValueError(msg)
    return float(value)


def _is_df(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and float(value) >= SMALLEST_DF

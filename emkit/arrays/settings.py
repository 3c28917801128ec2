"""Checks of what users set; every message begins with the name they typed."""

from __future__ import annotations

from collections.abc import Collection
from numbers import Integral, Real
from typing import Any


def whole_number(value: Any, name: str) -> int:
    """Return a whole number of at least 1."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        msg = f"{name} must be a whole number of at least 1, such as 2; it is {value!r}."
        raise ValueError(msg)
    return int(value)


def share(value: Any, name: str) -> float:
    """Return a number of at least 0 and below 1."""
    if not isinstance(value, Real) or isinstance(value, bool) or not 0 <= float(value) < 1:
        msg = (
            f"{name} must be a number of at least 0 and below 1 (a share of the variance of the data); it is {value!r}."
        )
        raise ValueError(msg)
    return float(value)


def one_of(value: Any, name: str, choices: Collection[str]) -> str:
    """Return one of the names there are."""
    if not isinstance(value, str) or value not in choices:
        msg = f"{name} must be one of {', '.join(map(repr, choices))}; it is {value!r}."
        raise ValueError(msg)
    return value

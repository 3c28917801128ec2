"""Field declarations for params classes: one function per set, each an ``attrs.field`` with converter and space."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit.arrays import read_only
from emkit.space.base import Space
from emkit.space.matrices import Covariance
from emkit.space.proportions import Simplex
from emkit.space.scalars import Fixed, Integer, Ordered, Positive, Real, UnitInterval

#: Key under which a field's metadata carry its space. ``dataclasses.field(metadata={SPACE: ...})`` works as well.
SPACE = "emkit.space"


def declare(space: Space, **kwargs: Any) -> Any:
    """Return an attrs field that converts to a read-only float64 array and lives in ``space``."""
    kwargs.setdefault("converter", read_only)
    return attrs.field(metadata={SPACE: space}, **kwargs)


def real(**kwargs: Any) -> Any:
    """Return a field of real numbers."""
    return declare(Real(), **kwargs)


def positive(lower: float = 0.0, **kwargs: Any) -> Any:
    """Return a field of numbers of at least ``lower``."""
    return declare(Positive(lower), **kwargs)


def unit_interval(**kwargs: Any) -> Any:
    """Return a field of numbers between 0 and 1."""
    return declare(UnitInterval(), **kwargs)


def simplex(support: NDArray[np.bool_] | None = None, **kwargs: Any) -> Any:
    """Return a field of proportions that sum to one over the last axis; also the rows of a transition matrix."""
    return declare(Simplex(support), **kwargs)


def covariance(floor: float = 0.0, **kwargs: Any) -> Any:
    """Return a field of symmetric positive definite matrices."""
    return declare(Covariance(floor), **kwargs)


def ordered(**kwargs: Any) -> Any:
    """Return a field of numbers that increase along the last axis."""
    return declare(Ordered(), **kwargs)


def integer(**kwargs: Any) -> Any:
    """Return a field of whole numbers."""
    return declare(Integer(), **kwargs)


def fixed(**kwargs: Any) -> Any:
    """Return a field that is set once, by ``initialize`` or by the user, and kept by every M-step."""
    return declare(Fixed(), **kwargs)

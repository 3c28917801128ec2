"""How gaps are told apart from values: what marks them on the way in, and columns of zeros and ones on the way out."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Indices = NDArray[np.intp]


@attrs.frozen(eq=False)
class GapIndicator:
    """Columns that say which cells were missing, for those columns of the data that had gaps in ``fit``.

    Attributes
    ----------
    features_ : (n_indicators,)
        Positions of these columns; the name is that of scikit-learn's ``MissingIndicator``.
    """

    features_: Indices

    @classmethod
    def of(cls, missing: Booleans) -> GapIndicator:
        """Return the indicator for the data of ``fit`` from which of their cells are missing."""
        return cls(np.flatnonzero(missing.any(axis=0)))

    def columns(self, missing: Booleans) -> Array:
        """Return one where a cell is missing, zero elsewhere, shape (n_samples, n_indicators)."""
        return missing[:, self.features_].astype(np.float64)

    def names(self, names: NDArray[np.object_]) -> NDArray[np.object_]:
        """Return the names of these columns, from those of all columns of the data."""
        return np.array([f"missingindicator_{name}" for name in names[self.features_]], dtype=object)


def gap_marker(missing_values: Any) -> float | None:
    """Return the number that stands for a gap; None where NaN, None or pandas.NA do.

    Raises
    ------
    ValueError
        If it is something else.
    """
    # pandas.NA is known by the name of its class, so that pandas need not be imported.
    if missing_values is None or type(missing_values).__name__ == "NAType":
        return None
    if isinstance(missing_values, Real) and not isinstance(missing_values, bool | np.bool_):
        try:
            number = float(missing_values)
        except OverflowError:
            number = math.inf
        if math.isnan(number):
            return None
        if math.isfinite(number):
            return number
    msg = f"missing_values must be NaN, None, pandas.NA or a finite number such as -999; it is {missing_values!r}."
    raise ValueError(msg)


def without_marked(x: Array, marker: float) -> Array:
    """Return a copy of the data with NaN where the marker stands."""
    # -999.9 in a column of single precision is another number than -999.9 in double.
    with np.errstate(over="ignore"):
        single = float(np.float32(marker))
    return np.where((x == marker) | (x == single), np.nan, x)

"""Which columns go through an imputer, and which it adds."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit_mvn.imputer.indicator import GapIndicator

Array = NDArray[np.float64]
Indices = NDArray[np.intp]
Names = NDArray[np.object_]


@attrs.frozen(eq=False)
class Layout:
    """Which columns come in, which of them are modelled, and which come out.

    Attributes
    ----------
    n_features : int
        Number of columns of the data.
    seen : (n_seen,)
        Positions of those with a seen cell in ``fit``, which are modelled.
    keeps_empty : bool
        Whether the others come out, their gaps filled with 0.
    indicator : GapIndicator or None
        Columns to append.
    """

    n_features: int
    seen: Indices
    keeps_empty: bool
    indicator: GapIndicator | None

    def values(self, table: NDArray[Any]) -> NDArray[Any]:
        """Return the columns, of data or names, that come out, indicators aside."""
        return table if self.keeps_empty else table[..., self.seen]

    def output(self, x: Array, completed: Array) -> Array:
        """Return what comes out for data (n_samples, n_features) of which the modelled columns are completed."""
        missing = np.isnan(x)
        whole = np.where(missing, 0.0, x)
        whole[:, self.seen] = completed
        values: Array = self.values(whole)
        return values if self.indicator is None else np.hstack([values, self.indicator.columns(missing)])

    def original(self, output: Array, indicator: GapIndicator, gap: float) -> Array:
        """Return the data that came in, with a mark in their gaps."""
        n_values = output.shape[1] - len(indicator.features_)
        x = np.full((len(output), self.n_features), gap)
        x[:, slice(None) if self.keeps_empty else self.seen] = output[:, :n_values]
        missing = np.zeros(x.shape, dtype=bool)
        missing[:, indicator.features_] = output[:, n_values:] != 0
        return np.where(missing, gap, x)

    def names(self, names: Names) -> Names:
        """Return the names of the columns that come out."""
        values = self.values(names)
        return values if self.indicator is None else np.concatenate([values, self.indicator.names(names)])

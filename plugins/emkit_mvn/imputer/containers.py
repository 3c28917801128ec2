"""Completed tables in the container that the table with gaps came in."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emkit.arrays import column_names

Array = NDArray[np.float64]


def completed_like(table: Any, values: Array, has_gaps: NDArray[np.bool_]) -> Any:
    """Return completed values as a data frame like ``table``, or as they are if it is none.

    Parameters
    ----------
    table
        Pandas and polars frames keep index, names and order, and the types of columns that have no gap.
    values : (n_samples, n_features)
    has_gaps : (n_features,)
        Columns that are replaced.
    """
    columns = np.flatnonzero(has_gaps).tolist()
    if (pandas := sys.modules.get("pandas")) and isinstance(table, pandas.DataFrame):
        frame = table.copy()
        for j in columns:
            frame.isetitem(j, values[:, j])
        return frame
    if (polars := sys.modules.get("polars")) and isinstance(table, polars.DataFrame):
        return table.with_columns([polars.Series(table.columns[j], values[:, j]) for j in columns])
    return values


def snapshot(table: Any, values: Array) -> Any:
    """Return the table as it is now, whatever its owner does to it later; an array of its values if it is no frame."""
    pandas = sys.modules.get("pandas")
    if pandas and isinstance(table, pandas.DataFrame):
        return table.copy()
    return values if column_names(table) is None else table

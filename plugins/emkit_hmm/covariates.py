"""Covariates of the transitions, checked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from emkit.arrays import as_matrix

Array = NDArray[np.float64]
Integers = NDArray[np.intp]


def covariates_of(given: Any, lengths: Integers) -> Array | None:
    """Return covariates (n_samples, n_covariates) of sequences of given lengths, None where there are none.

    Those of the first row of a sequence act on nothing, since row t acts on the step from t - 1 to t: they may be NaN,
    and are then zero.

    Raises
    ------
    ValueError
        If there is not one row for each of the data, or another row has a NaN.
    """
    if given is None:
        return None
    covariates = as_matrix(given, name="covariates", allow_nan=True)
    n_samples = int(lengths.sum())
    if len(covariates) != n_samples:
        msg = f"covariates need one row for each of the {n_samples} rows of the data; found {len(covariates)}."
        raise ValueError(msg)
    missing = np.isnan(covariates)
    if not missing.any():
        return covariates
    firsts = np.cumsum(lengths) - lengths
    wrong = missing.copy()
    wrong[firsts] = False
    for row, column in np.argwhere(wrong)[:1]:
        msg = (
            f"covariates are NaN in row {row}, column {column}: only in the first row of a sequence, where no step "
            "leads to, may they miss. Fill them, or leave the rows out and begin another sequence there."
        )
        raise ValueError(msg)
    return np.where(missing, 0.0, covariates)

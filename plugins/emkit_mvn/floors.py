"""Covariances above their floor, and what is said of those that have none to hold them up."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emkit.errors import DegenerateError
from emkit.families import raise_eigenvalues

Array = NDArray[np.float64]

#: With gaps an E-step inverts the covariance, and below this eigenvalue the step is no better than its rounding
#: (measured: the likelihood of collinear columns begins to fall between 1e-12 and 1e-11).
SMALLEST_WITH_GAPS = 2e-11
#: Without gaps eigenvalues below so many units in the last place, for each column, are rounding.
ROUNDING_ULPS = 8


def above_floor(standard: Array, floor: float, coverage: Array) -> Array:
    """Return a covariance with its eigenvalues raised to a floor.

    Parameters
    ----------
    standard : (n_features, n_features)
        In units of the deviations of the columns.
    floor : float
    coverage : (n_features, n_features)
        Share of the rows in which both columns are seen.

    Raises
    ------
    DegenerateError
        If the floor is so low, or zero, that the covariance is singular to working precision: of such data the
        likelihood has no maximum.
    """
    raised = raise_eigenvalues(standard, floor)
    if floor >= SMALLEST_WITH_GAPS:
        return raised
    eigenvalues = np.linalg.eigvalsh(raised)
    smallest = float(eigenvalues[0])
    # Sums of weights without gaps differ by rounding.
    has_gaps = (coverage < 1 - 1e-12).any()
    least = SMALLEST_WITH_GAPS if has_gaps else ROUNDING_ULPS * len(raised) * np.spacing(max(eigenvalues[-1], 1.0))
    if smallest > least:
        return raised
    msg = (
        f"The covariance is singular to working precision (smallest eigenvalue {smallest:.1g}), and floor={floor:g} is "
        "too low to bound the likelihood: columns follow from others, are constant, or have too few rows. Give a "
        "larger floor, such as 1e-8, or a prior such as prior='ridge', or leave out such columns."
    )
    raise DegenerateError(msg)

"""Which covariances the data tell nothing of, since no row sees both columns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emkit_mvn.structures import CovarianceStructure, Known

Array = NDArray[np.float64]

#: How many pairs of columns a note names.
MOST_PAIRS = 5


def notes_on_coverage(coverage: Array, structure: CovarianceStructure) -> list[str]:
    """Return a sentence on the pairs of columns whose covariance is free but that no row sees together.

    Parameters
    ----------
    coverage : (n_features, n_features)
        Share of the rows in which both columns are seen.
    structure : CovarianceStructure
        A covariance that is tied to one that the data tell is told as well, and so are zeros.
    """
    apart = np.argwhere(np.triu(_untold(coverage, structure), 1))
    if len(apart) == 0:
        return []
    named = ", ".join(f"{i} and {j}" for i, j in apart[:MOST_PAIRS])
    more = f" (and {len(apart) - MOST_PAIRS} more pairs)" if len(apart) > MOST_PAIRS else ""
    return [
        f"No row sees columns {named}{more} together: what the fit says of their partial correlation is where it "
        "started, or the prior."
    ]


def _untold(coverage: Array, structure: CovarianceStructure) -> NDArray[np.bool_]:
    if isinstance(structure, Known):
        return np.zeros(coverage.shape, dtype=np.bool_)
    ties = structure.ties(len(coverage))
    if ties is None:
        return np.asarray(coverage == 0, dtype=np.bool_)
    told = np.bincount(np.maximum(ties, 0).ravel(), (coverage * (ties >= 0)).ravel()) > 0
    return np.asarray((ties >= 0) & ~told[np.maximum(ties, 0)], dtype=np.bool_)

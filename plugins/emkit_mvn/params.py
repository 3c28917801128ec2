"""What EM learns about a multivariate normal, and what its E-step hands to its M-step."""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit import space

Array = NDArray[np.float64]


@attrs.frozen(eq=False)
class NormalParams:
    """Params of a multivariate normal.

    Attributes
    ----------
    mean : (n_features,)
    covariance : (n_features, n_features)
    scale : (n_features,)
        Standard deviations of the seen cells of each column: what the floor under the eigenvalues is relative to. A
        constant of the fit, so that the floor stays where it is.
    coverage : (n_features, n_features)
        Share of the rows in which both columns are seen. A constant of the fit.
    """

    mean: Array = space.real()
    covariance: Array = space.covariance()
    scale: Array = space.fixed()
    coverage: Array = space.fixed()


@attrs.frozen(eq=False)
class NormalStatistics:
    """Expected moments of the residuals about the mean of the E-step, ``r = (E[x | seen] - mean) / scale``.

    About that mean, and not about zero, they lose no digits to data far from zero.

    Attributes
    ----------
    count : float
        Total weight of the rows.
    origin : (n_features,)
        ``count * mean``, so that it adds as well.
    first : (n_features,)
        Sum of ``r``.
    second : (n_features, n_features)
        Sum of ``r r' + Cov[x | seen] / (scale scale')``.
    """

    count: float
    origin: Array
    first: Array
    second: Array

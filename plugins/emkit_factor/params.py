"""What EM learns about factors, what its E-step hands to its M-step, and what is known of the factors themselves."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit import space

Array = NDArray[np.float64]


def _location(params: Any) -> Array:
    mean: Array = params.mean
    return mean


def _scale(params: Any) -> Array:
    # Negative variances are for the space to refuse, by their own name.
    return np.asarray(np.sqrt(np.maximum((params.loadings**2).sum(axis=1) + params.noise_variances, 0.0)))


@attrs.frozen(eq=False)
class FactorAnalysisParams:
    """Params of ``x_n = mean + loadings @ z_n + e_n``.

    Attributes
    ----------
    mean : (n_features,)
        ``E[x_n]``.
    loadings : (n_features, n_factors)
        ``Cov[x_n, z_n]``.
    noise_variances : (n_features,), or (1,) where one is for all columns
        ``Var[e_n]``.
    location, scale : (n_features,), optional
        Mean and standard deviation of the data: what the kernels standardise by and the noise floor is relative to.
        Constants of a fit. Without them those of the params themselves.
    """

    mean: Array = space.real()
    loadings: Array = space.real()
    # The floor is the model's to know: its `space` refines this.
    noise_variances: Array = space.positive()
    location: Array = space.fixed(default=attrs.Factory(_location, takes_self=True))
    scale: Array = space.fixed(default=attrs.Factory(_scale, takes_self=True))


@attrs.frozen(eq=False)
class FactorStatistics:
    """Expected moments of cells and factors, in standard units ``u = (x - location) / scale``; they add over rows.

    All but the last three are sums over the rows in which the column is observed. Products of two factors are packed:
    ``z[i] * z[j]`` for ``i <= j``, row by row.

    Attributes
    ----------
    counts : (n_features,)
        Observed cells.
    sums, squares : (n_features,)
        Of ``u`` and ``u**2``.
    factor_sums : (n_features, n_factors)
        Of ``E[z]``.
    cross : (n_features, n_factors)
        Of ``u * E[z]``.
    factor_products : (n_features, n_factors * (n_factors + 1) / 2)
        Of ``E[z z']``.
    n_rows : float
        Rows in which anything is observed.
    row_sums, row_products : (n_factors,), (n_factors * (n_factors + 1) / 2,)
        Of ``E[z]`` and ``E[z z']``, over these rows.
    """

    counts: Array
    sums: Array
    squares: Array
    factor_sums: Array
    cross: Array
    factor_products: Array
    n_rows: float
    row_sums: Array
    row_products: Array


@attrs.frozen(eq=False)
class FactorPosterior:
    """The normal distribution of the factors of every row, given its observed cells.

    Attributes
    ----------
    means : (n_samples, n_factors)
    covariances : (n_samples, n_factors, n_factors)
    """

    means: Array
    covariances: Array

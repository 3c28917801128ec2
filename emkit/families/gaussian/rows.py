"""Log-densities and moments of whole rows: a single column goes a faster way than several."""

from __future__ import annotations

import attrs
import numpy as np

from emkit.families.gaussian.blocks import FARTHEST
from emkit.families.gaussian.column import column_log_density, column_moments
from emkit.families.gaussian.densities import Gaussians
from emkit.families.gaussian.expansions import Array, Booleans
from emkit.families.gaussian.moments import GaussianMoments
from emkit.families.gaussian.positive_definite import inverse_sd


def log_density_of_rows(gaussians: Gaussians, x: Array) -> Array:
    """Return ``log N(x[n]; means[k], covariances[k])``, shape (n_samples, n_components)."""
    if x.shape[1] != 1:
        return gaussians.log_density(x)
    column, means, variances, far = _standardised_column(gaussians, x)
    with np.errstate(all="ignore"):
        density = column_log_density(column, means, variances, float(np.log(gaussians.scale[0])))
    if far is not None:
        density[far] = -np.inf
    return density


def moments_of_rows(gaussians: Gaussians, x: Array, responsibilities: Array) -> GaussianMoments:
    """Return the moments of the rows about the means; see :meth:`Gaussians.moments`."""
    if x.shape[1] != 1:
        return gaussians.moments(x, responsibilities)
    column, means, variances, far = _standardised_column(gaussians, x)
    shares = responsibilities if far is None else np.where(far[:, None], 0.0, responsibilities)
    with np.errstate(all="ignore"):
        moments = column_moments(column, shares, means, variances)
    shape = gaussians.covariances.shape
    is_shared = gaussians.structure.is_matrix and len(shape) == 2
    second = moments.second.sum().reshape(shape) if is_shared else moments.second.reshape(shape)
    return attrs.evolve(moments, second=second)


def _standardised_column(gaussians: Gaussians, x: Array) -> tuple[Array, Array, Array, Booleans | None]:
    """Return a single column, means and variances standardised, and which rows are too far for their squares.

    Raises
    ------
    DegenerateError
        If a variance is not positive.
    """
    location, scale = gaussians.location[0], gaussians.scale[0]
    with np.errstate(over="ignore"):
        column = (x[:, 0] - location) / scale
    far: Booleans | None = None
    if column.size and not (column.max() <= FARTHEST and column.min() >= -FARTHEST):
        far = np.asarray(np.abs(column) > FARTHEST)
        column[far] = 0.0
    means = (gaussians.means[:, 0] - location) / scale
    # Of every structure one number for each component, or one for all.
    variances = gaussians.covariances.ravel() / scale / scale
    inverse_sd(variances)
    return column, means, np.broadcast_to(variances, means.shape), far

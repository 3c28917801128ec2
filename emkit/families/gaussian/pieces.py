"""What families with means and matrices share: their space, a neutral start, draws, a check of columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from emkit.arrays import share
from emkit.families.base import Labels
from emkit.families.gaussian.covariance import CovarianceStructure
from emkit.families.gaussian.densities import Gaussians
from emkit.families.gaussian.expansions import Array
from emkit.space import Covariance, Positive, Space


def as_floor(value: Any) -> float:
    """Return a smallest eigenvalue, relative to the variances of all rows, or say what is wrong with it."""
    return share(value, "floor")


def space_of_covariances(structure: CovarianceStructure, floor: float, shape: tuple[int, ...], scale: Array) -> Space:
    """Return the covariances of a structure whose eigenvalues are at least ``floor``, in units of ``scale ** 2``."""
    if structure.is_matrix:
        return Covariance(floor, scale)
    # One variance for all features, or one each; a spherical structure has one scale for all of them.
    unit = scale**2 if len(shape) == 2 else scale[:1] ** 2
    return Positive(floor * unit, unit)


def neutral_gaussians(structure: CovarianceStructure, n_components: int, location: Array, scale: Array) -> Gaussians:
    """Return components that all sit at ``location`` with standard deviations ``scale``: where moments are taken."""
    shape = structure.shape(n_components, len(location))
    unit = np.broadcast_to(np.eye(len(location)) if structure.is_matrix else np.ones(shape), shape)
    means = np.repeat(location[None], n_components, axis=0)
    return Gaussians(means, structure.rescale(unit, scale), structure, location, scale)


def draw_deviations(gaussians: Gaussians, components: Labels, rng: np.random.Generator) -> Array:
    """Return one draw from ``Normal(0, covariances[k])`` for each of ``components``, (n_samples, n_features)."""
    structure, scale = gaussians.structure, gaussians.scale
    out = rng.standard_normal((len(components), len(scale)))
    standard = structure.rescale(gaussians.covariances, 1.0 / scale)
    for k, root in enumerate(np.linalg.cholesky(structure.to_full(standard, *gaussians.means.shape))):
        members = components == k
        out[members] = out[members] @ root.T * scale
    return out


def check_columns(x: Array, n_features: int) -> None:
    """Raise ValueError unless rows have as many columns as the params know of."""
    if x.shape[1] != n_features:
        msg = (
            f"The rows have {x.shape[1]} columns, but the means of the params have {n_features}: give the columns that "
            "the params were fitted to."
        )
        raise ValueError(msg)

"""Covariances that people set by hand, in any of hmmlearn's shapes."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from emkit.arrays import as_array
from emkit.families import CovarianceStructure, GaussianParams, GaussianPrior, as_structure

Array = NDArray[np.float64]

#: What each kind of covariance looks like, for messages.
SHAPES = {
    "spherical": "(n_components,)",
    "diag": "(n_components, n_features)",
    "full": "(n_components, n_features, n_features)",
    "tied": "(n_features, n_features)",
}


def stored_covariances(covars: Any, structure: str | CovarianceStructure) -> Array:
    """Return covariances in the shape of their structure.

    Parameters
    ----------
    covars : array-like
        In that shape; or matrices (n_components, n_features, n_features) that the structure allows, such as
        ``covars_`` of another fit; or, if spherical, variances (n_components, n_features).

    Raises
    ------
    ValueError
        If the shape is another one, or they are no covariances.
    """
    values, name = as_array(covars, "covars_"), as_structure(structure).name
    if name not in SHAPES:
        return values
    is_square = values.ndim >= 2 and values.shape[-1] == values.shape[-2]
    if values.ndim == 3 and is_square and name != "full":
        values = _reduced(values, name)
    elif name == "spherical" and values.ndim == 2:
        values = _same(values, values[:, :1], "the variances of a state must be equal")[:, 0]
    if values.ndim != SHAPES[name].count("n_") or (name in {"full", "tied"} and not is_square):
        msg = f"covars_ must have the shape {SHAPES[name]} of covariance_type={name!r}; it has shape {values.shape}."
        raise ValueError(msg)
    _check_positive(values, is_matrix=name in {"full", "tied"})
    return values


def _reduced(matrices: Array, name: str) -> Array:
    """Return matrices (n_components, n_features, n_features) in the shape of a structure with fewer numbers."""
    if name == "tied":
        return np.asarray(_same(matrices, matrices[:1], "the matrices of all states must be equal")[0])
    variances = np.einsum("kii->ki", matrices)
    off = matrices - variances[:, :, None] * np.eye(matrices.shape[1])
    _same(off, np.zeros((1, 1, 1)), "the matrices must be diagonal")
    if name == "spherical":
        variances = _same(variances, variances[:, :1], "the variances of a state must be equal")[:, 0]
    return np.asarray(variances)


def _same(values: Array, expected: Array, what: str) -> Array:
    if not np.allclose(values, expected, rtol=1e-8, atol=0.0):
        msg = f"For this covariance_type {what}: those of covars_ are not."
        raise ValueError(msg)
    return values


def _check_positive(values: Array, *, is_matrix: bool) -> None:
    smallest = np.linalg.eigvalsh(values).min(axis=-1) if is_matrix else values
    if is_matrix and not np.allclose(values, np.swapaxes(values, -1, -2)):
        msg = "covars_ must be symmetric matrices."
        raise ValueError(msg)
    for index in np.argwhere(np.atleast_1d(smallest) <= 0)[:1].tolist():
        what = "a matrix with positive eigenvalues" if is_matrix else "positive"
        msg = f"covars_{index} must be {what}; the smallest is {np.atleast_1d(smallest)[tuple(index)]:g}."
        raise ValueError(msg)


class PriorSettings(Protocol):
    """The parameters of a face that make a prior of Gaussians; None is none."""

    means_prior: Any
    means_weight: Any
    covars_prior: Any
    covars_weight: Any


def gaussian_prior(face: PriorSettings) -> GaussianPrior | None:
    """Return the prior that a face asks for, None where it asks for none."""
    mean, *strengths = (
        0.0 if value is None else value
        for value in (face.means_prior, face.means_weight, face.covars_prior, face.covars_weight)
    )
    return GaussianPrior(mean, *strengths) if any(np.any(strength) for strength in strengths) else None


def gaussian_params(
    means: Array, covariances: Array, structure: str | CovarianceStructure, fitted: GaussianParams | None
) -> GaussianParams:
    """Return the params that attributes make: those of the fit, unless somebody has set others since.

    Of others the units are those of the smallest variances, so that no floor is in their way.
    """
    if fitted is not None and np.array_equal(means, fitted.means) and np.array_equal(covariances, fitted.covariances):
        return fitted
    kind = as_structure(structure)
    variances = np.einsum("kii->ki", kind.to_full(covariances, *means.shape))
    scale = kind.scale_of(np.sqrt(variances.min(axis=0)))
    return GaussianParams(means, covariances, means.mean(axis=0), scale)

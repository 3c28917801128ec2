"""Second moments and covariances of one structure, whatever its shape: products, determinants, traces."""

from __future__ import annotations

import numpy as np

from emkit.families.gaussian.covariance import CovarianceStructure, Diagonal, Spherical
from emkit.families.gaussian.expansions import Array
from emkit.families.gaussian.moments import GaussianMoments


def products(structure: CovarianceStructure, left: Array, right: Array) -> Array:
    """Return ``(left[k] right[k]' + right[k] left[k]') / 2`` as second moments are kept.

    That is whole, or its diagonal, the sum of its diagonal (spherical), its sum over components (tied).

    Parameters
    ----------
    structure : CovarianceStructure
    left, right : (n_components, n_features)
    """
    if isinstance(structure, Diagonal):
        return np.asarray(left * right)
    if isinstance(structure, Spherical):
        return np.asarray((left * right).sum(axis=1))
    outer = left[:, :, None] * right[:, None, :]
    symmetric = (outer + outer.transpose(0, 2, 1)) / 2.0
    return symmetric if len(structure.shape(*left.shape)) == 3 else np.asarray(symmetric.sum(axis=0))


def log_determinants(structure: CovarianceStructure, covariances: Array, n_features: int) -> Array:
    """Return ``log det`` of every covariance; one number if all components share it."""
    if structure.is_matrix:
        return np.asarray(np.linalg.slogdet(covariances)[1])
    logarithm: Array = np.log(covariances)
    return logarithm * n_features if logarithm.ndim == 1 else np.asarray(logarithm.sum(axis=1))


def trace_products(structure: CovarianceStructure, covariances: Array, second: Array) -> float:
    """Return ``trace(inverse(covariance) @ second)``, summed over components."""
    if structure.is_matrix:
        return float(np.trace(np.linalg.solve(covariances, second), axis1=-2, axis2=-1).sum())
    return float((second / covariances).sum())


def gradients(structure: CovarianceStructure, covariances: Array, moments: GaussianMoments) -> tuple[Array, Array]:
    """Return the gradients of the expected complete log-likelihood where the moments were taken, standardised.

    means[k]       = inverse(covariances[k]) @ first[k]
    covariances[k] = inverse(covariances[k]) @ (second[k] - counts[k] covariances[k]) @ inverse(covariances[k]) / 2
    """
    n_features = moments.first.shape[1]
    if structure.is_matrix:
        precisions = np.linalg.inv(covariances)
        counts = moments.counts[:, None, None] if covariances.ndim == 3 else moments.counts.sum()
        excess = moments.second - counts * covariances
        means = np.einsum("...ij,...j->...i", precisions, moments.first)
        return means, precisions @ excess @ precisions / 2
    variances = covariances.reshape(len(covariances), -1)
    counts = moments.counts if covariances.ndim == 1 else moments.counts[:, None]
    each = n_features if covariances.ndim == 1 else 1
    excess = moments.second - each * counts * covariances
    return moments.first / variances, excess / (2 * covariances**2)

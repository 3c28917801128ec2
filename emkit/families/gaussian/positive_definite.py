"""Symmetric positive definite matrices and variances: their inverse factors, and a floor under them."""

from __future__ import annotations

import numpy as np
from scipy.linalg import lapack

from emkit.errors import DegenerateError
from emkit.families.gaussian.expansions import Array


def precision_cholesky(covariance: Array, what: str) -> Array:
    """Return the upper triangular ``C`` with ``C C' = inverse(covariance)``."""
    # LAPACK directly: for the small matrices of a mixture the checks of the wrappers cost more than the work.
    upper, failure = lapack.dpotrf(covariance.T)
    if failure or not np.isfinite(upper).all():
        msg = f"{what} is not positive definite and finite: {np.array2string(covariance, threshold=20)}."
        raise DegenerateError(msg)
    inverse, _ = lapack.dtrtri(upper)
    return np.asarray(inverse)


def inverse_sd(variances: Array) -> Array:
    """Return ``1 / sqrt(variances)`` of variances whose first axis is the component."""
    valid = (variances > 0) & np.isfinite(variances)
    if not valid.all():
        index = np.argwhere(~valid)[0]
        where = "".join(f", feature {i}" for i in index[1:])
        found = variances[tuple(index)]
        msg = f"The variance of component {index[0]}{where} is not positive and finite: {found}."
        raise DegenerateError(msg)
    inverse: Array = 1.0 / np.sqrt(variances)
    return inverse


def raise_eigenvalues(matrix: Array, floor: float) -> Array:
    """Return the symmetric matrix with its eigenvalues below ``floor`` raised to it."""
    # Rounding leaves S symmetric only up to the last bits; params must be symmetric exactly.
    matrix = (matrix + matrix.T) / 2.0
    if not np.isfinite(matrix).all():
        msg = "The second moments are not finite: some row lies too far from the rest to be represented."
        raise DegenerateError(msg)
    # S - floor I has a Cholesky factor if every eigenvalue lies above the floor: a tenth of their own cost.
    _, failure = lapack.dpotrf((matrix - floor * np.eye(len(matrix))).T)
    if failure == 0:
        return matrix
    eigenvalues, vectors = np.linalg.eigh(matrix)
    raised = (vectors * np.maximum(eigenvalues, floor)) @ vectors.T
    symmetric: Array = (raised + raised.T) / 2.0
    return symmetric

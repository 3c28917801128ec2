"""Many small positive definite matrices inverted at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emkit.errors import DegenerateError

Array = NDArray[np.float64]

#: Up to this size, and from this number of matrices on, elimination over all of them at once beats one LAPACK call
#: for each (measured: twice as fast at size 8, five times at size 2). The smallest matrices are not worth the call.
ELIMINATION_SIZE = 14
ELIMINATION_COUNT = 8
SMALL = 3


def inverses(matrices: Array) -> tuple[Array, Array]:
    """Return the inverses of positive definite matrices, and the logarithms of their determinants.

    Parameters
    ----------
    matrices : (size, size, n_matrices)
        The batch runs along the last axis, where memory is contiguous. They are overwritten.

    Returns
    -------
    inverses : (size, size, n_matrices)
    log_determinants : (n_matrices,)

    Raises
    ------
    DegenerateError
        If one of them is not positive definite.
    """
    size, _, count = matrices.shape
    if size <= SMALL or (size <= ELIMINATION_SIZE and count >= ELIMINATION_COUNT):
        return _by_elimination(matrices)
    return _by_factors(matrices)


def roots(matrices: Array) -> Array:
    """Return square roots ``R`` with ``R R' = matrix`` of positive semidefinite matrices (n_matrices, size, size).

    Where one is singular to working precision, as where columns are collinear, its negative eigenvalues count as zero.
    """
    try:
        return np.asarray(np.linalg.cholesky(matrices), dtype=np.float64)
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh((matrices + matrices.swapaxes(1, 2)) / 2)
        return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0))[:, None], dtype=np.float64)


def _by_elimination(a: Array) -> tuple[Array, Array]:
    """Gauss-Jordan elimination in place; a positive definite matrix needs no exchange of rows."""
    size, _, count = a.shape
    pivots = np.empty((size, count))
    for k in range(size):
        pivots[k] = a[k, k]
        if not (pivots[k] > 0).all():
            raise _not_definite()
        scale = 1.0 / pivots[k]
        column = a[:, k].copy()
        row = a[k] * scale
        a -= column[:, None] * row
        a[k] = row
        column *= -scale
        a[:, k] = column
        a[k, k] = scale
    return a, np.log(pivots).sum(axis=0)


def _by_factors(matrices: Array) -> tuple[Array, Array]:
    batch = np.ascontiguousarray(np.moveaxis(matrices, -1, 0))
    try:
        factors = np.linalg.cholesky(batch)
        inverse = np.asarray(np.linalg.inv(batch), dtype=np.float64)
    except np.linalg.LinAlgError:
        raise _not_definite() from None
    log_determinants = 2 * np.log(np.einsum("nii->ni", factors)).sum(axis=1)
    return np.moveaxis(inverse, 0, -1), log_determinants


def _not_definite() -> DegenerateError:
    msg = "A block of the covariance is not positive definite to working precision: give a larger floor, or a prior."
    return DegenerateError(msg)

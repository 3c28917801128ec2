"""Squared distances of rows from t distributions, also where a scatter rests on its floor.

Few rows in many columns drive some eigenvalues of a scatter to the floor and others far up. Entries of such a matrix
are rounded to a share of the largest eigenvalue, so those at the floor are off by as much; the log-likelihood, which is
not flat there, would move by more than an EM step gains. What differs from the floor by rounding alone *is* the floor:
such scatters are taken apart into eigenvectors, and the smallest eigenvalues put back where the M-step had raised them.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg import lapack

from emkit.families.base import Array
from emkit.families.gaussian.blocks import Plan
from emkit.families.gaussian.covariance import CovarianceStructure
from emkit.families.gaussian.densities import Gaussians
from emkit.families.gaussian.forms import log_determinants
from emkit.families.gaussian.rows import log_density_of_rows

#: Squared distances beyond this are cut off: their weight is zero to all digits.
FARTHEST_SQUARED = 1e290
#: Rounding of an eigenvalue in units in the last place of the largest one, for each column.
EIGENVALUE_ULPS = 4


def peaks_and_distances(gaussians: Gaussians, x: Array, floor: float) -> tuple[Array, Array]:
    """Return the Gaussian log-density at the means, of each or of all, and squared distances (n_samples, K)."""
    if x.shape[1] == 1:
        structure = gaussians.structure
        log_dets = log_determinants(structure, structure.rescale(gaussians.covariances, 1.0 / gaussians.scale), 1)
        peaks = -0.5 * (log_dets + 2.0 * np.log(gaussians.scale).sum() + math.log(2.0 * math.pi))
        distances = 2.0 * (peaks - log_density_of_rows(gaussians, x))
        return peaks, np.clip(distances, 0.0, FARTHEST_SQUARED)
    with np.errstate(all="ignore"):
        peaks, distances = _of_several_columns(gaussians, x, floor)
    return peaks, np.clip(distances, 0.0, FARTHEST_SQUARED)


def _of_several_columns(gaussians: Gaussians, x: Array, floor: float) -> tuple[Array, Array]:
    structure, scale = gaussians.structure, gaussians.scale
    plan = Plan.of(gaussians.means, gaussians.covariances, structure, location=gaussians.location, scale=scale)
    factors = held_factors(
        structure, structure.rescale(gaussians.covariances, 1.0 / scale), len(gaussians.means), floor
    )
    peaks = np.broadcast_to(plan.constants, (len(gaussians.means),)).copy()
    distances = np.empty((len(x), len(peaks)))
    for rows, phi, far in plan.blocks(x):
        # Differences of the same constants that the densities hold: distances next to nothing keep their digits.
        distances[rows] = 2.0 * (peaks[:, None] - plan.log_joint(phi, far)).T
        for k, (_, factor) in factors.items():
            whitened = factor.T @ plan.centred(phi, k)
            near = np.einsum("dn,dn->n", whitened, whitened)
            distances[rows, k] = near if far is None else np.where(far, np.inf, near)
    jacobian = np.log(scale).sum() + 0.5 * scale.size * math.log(2.0 * math.pi)
    for k, (log_determinant, _) in factors.items():
        peaks[k] = -0.5 * log_determinant - jacobian
    return peaks, distances


def held_factors(
    structure: CovarianceStructure, standard: Array, n_components: int, floor: float
) -> dict[int, tuple[float, Array]]:
    """Return log-determinant and factor ``C``, with ``C C' = inverse``, of matrices that rest on the floor.

    Parameters
    ----------
    structure : CovarianceStructure
    standard : shaped as covariances of the structure
        In units of the scale.
    n_components : int
    floor : float

    Returns
    -------
    factors : dict
        By component; of a tied structure all components are there, or none. Variances are exact at their floor.
    """
    if not structure.is_matrix or floor <= 0:
        return {}
    if standard.ndim == 2:
        return dict.fromkeys(range(n_components), _factor(standard, floor)) if _is_held(standard, floor) else {}
    return {k: _factor(matrix, floor) for k, matrix in enumerate(standard) if _is_held(matrix, floor)}


def _slack(matrix: Array, floor: float) -> float:
    """Return the largest number that is the floor but for rounding; no eigenvalue is above the trace."""
    size = len(matrix)
    return floor + EIGENVALUE_ULPS * size * float(np.finfo(np.float64).eps) * float(np.trace(matrix))


def _is_held(matrix: Array, floor: float) -> bool:
    # A tenth of the cost of eigenvalues, as in `raise_eigenvalues`.
    _, failure = lapack.dpotrf((matrix - _slack(matrix, floor) * np.eye(len(matrix))).T)
    return bool(failure)


def _factor(matrix: Array, floor: float) -> tuple[float, Array]:
    eigenvalues, vectors = np.linalg.eigh(matrix)
    eigenvalues = np.where(eigenvalues <= _slack(matrix, floor), floor, eigenvalues)
    return float(np.log(eigenvalues).sum()), vectors / np.sqrt(eigenvalues)

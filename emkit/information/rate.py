"""The Jacobian of the plain EM map, whose largest eigenvalue is the rate of EM, and the complete-data information.

By direct central differences at the params, not along the path of EM: the rule of Meng and Rubin (1991), which waits
until successive ratios agree, is fooled by slow EM as every rule of differences is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import linalg as sparse

from emkit.information.curvature import central_difference, changes_along
from emkit.information.entries import shifted
from emkit.information.score import complete_score, prior_slopes
from emkit.information.surface import Surface
from emkit.model import require

Array = NDArray[np.float64]

#: Length of a difference step in the EM map, in units of a standard error, and relative to the size of the entry.
STEP = 1e-4
RELATIVE_STEP = 1e-6
#: Above so many free directions only the largest eigenvalue is sought.
MANY = 30
#: Relative accuracy of that eigenvalue, and how often Arnoldi's iteration may start again.
RATE_TOLERANCE = 1e-6
MAX_RESTARTS = 30


def em_jacobian(surface: Surface, units: Array) -> Array:
    """Return ``rates[i, j] = d EM_j / d params_i`` along the free directions, by 2 E-steps for each.

    ``units`` are standard errors of each direction alone, zero where unknown.
    """
    sizes = surface.typical(surface.directions)
    lengths = np.where(units > 0, STEP * units, RELATIVE_STEP * sizes)
    rows = [change_of_image(surface, d, float(h)) for d, h in zip(surface.directions, lengths, strict=True)]
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(rows))


def change_of_image(surface: Surface, displacement: Array, length: float) -> Array:
    """Return the derivative of the EM map along a displacement of the entries, in free coordinates."""
    change = central_difference(surface.image, displacement, length)
    if change is None:
        msg = "No step from the params stays in their space: the EM map cannot be differentiated."
        raise ValueError(msg)
    return change


def largest_rate(surface: Surface, units: Array) -> float:
    """Return the eigenvalue of the EM map's Jacobian that is largest in size; NaN if it cannot be found.

    Up to :data:`MANY` directions the whole Jacobian is taken; above, Arnoldi's iteration asks for 2 E-steps at a time.
    """
    n = len(surface.directions)
    if n == 0:
        return 0.0
    if n <= MANY:
        values = np.linalg.eigvals(em_jacobian(surface, units))
        return float(values[np.argmax(np.abs(values))].real)
    sizes = surface.typical(surface.directions)
    scale = np.where(units > 0, units, sizes * 1e-2)

    def product(vector: Array) -> Array:
        length = STEP / float(np.linalg.norm(vector))
        return change_of_image(surface, (scale * vector) @ surface.directions, length) / scale

    operator = sparse.LinearOperator((n, n), matvec=lambda v: product(np.ravel(v)), dtype=np.float64)
    start = np.random.default_rng(0).standard_normal(n)
    if np.linalg.norm(product(start)) <= RATE_TOLERANCE * np.linalg.norm(start):
        # Nothing is latent, and Arnoldi's iteration cannot start from zero.
        return 0.0
    try:
        values = sparse.eigs(
            operator, k=1, which="LM", v0=start, tol=RATE_TOLERANCE, maxiter=MAX_RESTARTS, return_eigenvectors=False
        )
    except sparse.ArpackError:
        return float("nan")
    return float(values[0].real)


def complete_information(surface: Surface) -> Array:
    """Return minus the derivative of ``complete_score(params', statistics) + d log_prior`` in params', no E-step."""
    require(surface.model, "complete_score")
    directions = surface.directions
    statistics = surface.center_step.statistics
    touched = directions.any(axis=0)

    def slopes(shift: Array) -> Array | None:
        params = shifted(surface.params, shift, surface.spaces)
        if params is None:
            return None
        gradient = complete_score(surface.model, params, statistics)
        along = directions @ np.where(touched, gradient, 0.0)
        return along + prior_slopes(surface.model, params, surface.spaces, directions)

    matrix = -changes_along(surface, slopes)
    return np.asarray((matrix + matrix.T) / 2)

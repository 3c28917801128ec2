"""How fast EM converges, read off the points it has visited."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Directions that differ by less than this from the span of the others tell nothing.
DISTINCT = 1e-6
#: A difference of two points this many times its rounding is a direction.
CLEAR_DIFFERENCE = 1e6
#: A direction must stand out from the rounding of the shortest difference by this factor.
NOISE = 1e2


def slowest_rate(points: Sequence[Array], images: Sequence[Array]) -> float:
    """Return the largest modulus of an eigenvalue of the EM map's Jacobian J that its last points show, or NaN.

    With differences of points as columns of X (scaled to length one) and those of their images as Y, ``Y = J X`` near
    an optimum, and the eigenvalues of ``X^+ Y`` are Ritz values of J on the span of X. Plain steps enlarge the slow
    modes of EM in X, and accelerated ones the differences, so a few points are enough for the slowest.

    Parameters
    ----------
    points, images : sequences of (n_entries,)
        x and F(x), oldest first, in units of each entry's scale; not necessarily one EM step apart.
    """
    if len(points) < 2 or points[0].size == 0:
        return float("nan")
    inputs, outputs = np.diff(np.stack(points), axis=0), np.diff(np.stack(images), axis=0)
    lengths = np.sqrt(np.einsum("ij,ij->i", inputs, inputs))
    rounding = float(np.finfo(np.float64).eps) * float(np.linalg.norm(points[-1]))
    clear = (lengths > CLEAR_DIFFERENCE * rounding) & np.isfinite(lengths)
    if not clear.any():
        return float("nan")
    inputs, outputs = inputs[clear] / lengths[clear, None], outputs[clear] / lengths[clear, None]
    left, size, right = np.linalg.svd(inputs, full_matrices=False)
    distinct = size > max(DISTINCT, NOISE * rounding / float(lengths[clear].min())) * size[0]
    projected = (left.T[distinct] @ outputs @ right[distinct].T) / size[distinct, None]
    return float(np.abs(np.linalg.eigvals(projected)).max())

"""Steps between the t distributions and the normal, their limit, which EM itself would take for ever."""

from __future__ import annotations

import math

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit.families import raise_eigenvalues
from emkit_mvn.student.moments import CANDIDATES
from emkit_mvn.student.params import StudentParams, TailStatistics

Array = NDArray[np.float64]

#: Only tails lighter than this (twenty degrees of freedom) may give way to none. From a start whose scatter is far off
#: even a normal may be likelier than the params, and on the way there EM could find a better maximum.
LIGHT = 0.05
#: A fit leaves the normal for a heavier tail if that is likelier by so many nats.
LEAST_GAIN = 1e-7
#: A matrix whose eigenvalues the floor has not raised differs from what it was by no more than that.
SAME_RTOL = 1e-12


def to_normal(params: StudentParams, found: TailStatistics, floor: float) -> StudentParams | None:
    """Return the normal of the same location, if it is likelier than light tails and heavier ones are not.

    With ``k = sum(d) / sum(o)``, the multiple of the scatter under which distances have the mean that they have under
    a normal (one where the floor keeps the scatter from shrinking), and the kernel ``-(sum(d) / k + sum(o) log(k)) /
    2`` of that normal, both conditions are on sums that the statistics hold; the second is that

        sum((d / k)**2 - 2 o d / k + o (o - 2)) <= 0,

    four times the derivative of the log-likelihood with respect to the tail there.
    """
    if not 0 < params.tail < LIGHT or found.distance <= 0:
        return None
    k = found.distance / found.seen
    if k < 1 and _is_held(params.scatter * (k / np.outer(params.scale, params.scale)), floor):
        # What the floor holds up cannot shrink; the normal of the same scatter may be likelier even so.
        k = 1.0
    gain = -(found.distance / k + found.seen * math.log(k)) / 2 - found.kernel
    slope = (found.squares / k - 2 * found.products) / k + found.offset
    if gain < 0 or slope > 0:
        return None
    return attrs.evolve(params, scatter=params.scatter * k, tail=0.0)


def _is_held(standard: Array, floor: float) -> bool:
    """Return whether the floor would raise an eigenvalue of a matrix."""
    return not np.allclose(raise_eigenvalues(standard, floor), standard, rtol=SAME_RTOL, atol=0)


def from_normal(params: StudentParams, found: TailStatistics, heaviest: float) -> StudentParams | None:
    """Return the likeliest of a few heavier tails, if one is likelier than the normal where the params stand."""
    best = int(np.argmax(found.kernels))
    gain = float(found.kernels[best]) - found.kernel
    if params.tail > 0 or gain <= LEAST_GAIN or CANDIDATES[best] >= heaviest:
        return None
    return attrs.evolve(params, tail=CANDIDATES[best])

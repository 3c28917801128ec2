"""Which loadings there are, and which of all equivalent ones are shown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit.errors import InvalidParamsError
from emkit.space import Real, Space

Array = NDArray[np.float64]


@attrs.frozen(eq=False)
class FreeEntries(Space):
    """Any finite numbers at the entries that are free, zeros elsewhere.

    Attributes
    ----------
    free : boolean array
    scale : array
        Size of a change that matters, broadcastable.
    """

    free: NDArray[np.bool_]
    scale: Array

    def check(self, value: Any, name: str) -> None:
        """Raise unless every entry is finite, and zero where it is not free."""
        Real().check(value, name)
        for index in np.argwhere((np.asarray(value) != 0) & ~self.free)[:1]:
            place = ", ".join(map(str, index))
            msg = (
                f"{name}[{place}] must be 0 (it is not free), but is {np.asarray(value)[tuple(index)]}. Give starting "
                "params inside that set."
            )
            raise InvalidParamsError(msg)

    def tangent(self, value: Array) -> Array:
        """Return one direction for every free entry."""
        return np.eye(value.size)[self.free.ravel()]

    def n_free(self, value: Array) -> int:
        """Return the number of free entries."""
        return int(np.count_nonzero(self.free))

    def typical(self, value: Array) -> Array:
        """Return the declared scale."""
        return self.scale


def groups_of(free: NDArray[np.bool_] | None, n_factors: int) -> list[list[int]]:
    """Return the factors that may be rotated among themselves: those whose loadings are free in the same places."""
    if free is None:
        return [list(range(n_factors))]
    found: dict[bytes, list[int]] = {}
    for factor in range(n_factors):
        found.setdefault(free[:, factor].tobytes(), []).append(factor)
    return list(found.values())


def n_rotations(groups: Iterable[list[int]]) -> int:
    """Return how many free parameters rotations of the factors within their groups take away."""
    return sum(len(group) * (len(group) - 1) // 2 for group in groups)


def principal(loadings: Array, deviations: Array, scale: Array, groups: Iterable[list[int]]) -> Array:
    """Return the loadings rotated to principal axes.

    Within each group of factors ``loadings.T @ diag(1 / noise_variances) @ loadings`` becomes diagonal, largest first,
    and of each factor the loading that is largest beside its noise becomes positive.

    Parameters
    ----------
    deviations, scale : (n_features,)
        Standard deviations of the noise, or one for all columns, and of the data.
    """
    rotated = loadings.copy()
    # Divided by the units of the data first: the squares of both would leave the range of floats sooner.
    standard = loadings / scale[:, None] / (deviations / scale)[:, None]
    for group in groups:
        # A triangular matrix with the same axes, as large as the group.
        axes = np.linalg.svd(np.linalg.qr(standard[:, group], mode="r"))[2]
        turned = standard[:, group] @ axes.T
        largest = np.take_along_axis(turned, np.abs(turned).argmax(axis=0)[None], axis=0)[0]
        rotated[:, group] = loadings[:, group] @ axes.T * np.where(largest < 0, -1.0, 1.0)
    return rotated

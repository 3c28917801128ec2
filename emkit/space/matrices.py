"""Covariance matrices."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit.space.base import BOUND_RTOL, Array, Space, as_floats, first_true, outside
from emkit.space.scalars import Real

#: Rounding of the eigenvalues of a matrix, relative to its largest entry.
EIGENVALUE_RTOL = 1e-14
#: A smallest eigenvalue of up to this many floors is next to the floor.
NEAR_FLOOR = 100.0


@attrs.frozen(eq=False)
class Covariance(Space):
    """Symmetric positive definite matrices, over the last two axes.

    The set is ``{S : eigenvalues of D^-1 S D^-1 >= floor}`` with ``D = diag(unit)``: the floor is relative to the
    unit of each column, so that it means the same in metres and in miles.

    Attributes
    ----------
    floor : float
    unit : (size,), optional
        One for each column.
    ties : (size, size) of int, optional
        A symmetric table: entries with the same number are equal, those with a negative one are zero.
    """

    floor: float = 0.0
    unit: Array | None = None
    ties: NDArray[np.int_] | None = None

    def _unit(self, value: Array) -> Array:
        return np.ones(value.shape[-1]) if self.unit is None else self.unit

    def _standardised(self, value: Array) -> Array:
        unit = self._unit(value)
        return value / np.outer(unit, unit)

    def check(self, value: Any, name: str) -> None:
        """Raise unless every matrix is symmetric with eigenvalues at least ``floor``."""
        Real().check(value, name)
        array = as_floats(value)
        if array.ndim < 2 or array.shape[-1] != array.shape[-2]:
            raise outside(name, (), "square over its last two axes", f"of shape {array.shape}")
        standard = self._standardised(array)
        asymmetry = np.abs(standard - np.swapaxes(standard, -1, -2)).max(axis=(-1, -2))
        size = np.abs(standard).max(axis=(-1, -2))
        for index in first_true(asymmetry > 1e-8 * size):
            raise outside(name, index, "symmetric", f"not, by {asymmetry[index]:.3g}")
        self._check_ties(standard, size, name)
        smallest = np.linalg.eigvalsh(standard)[..., 0]
        # Rounding of an eigenvalue is relative to the largest one.
        slack = self.floor * BOUND_RTOL + EIGENVALUE_RTOL * size
        wrong = (smallest <= 0) | (smallest < self.floor - slack)
        for index in first_true(wrong):
            expected = f"positive definite with eigenvalues of at least {self.floor:g} (relative to its units)"
            raise outside(name, index, expected, f"a matrix with eigenvalue {smallest[index]:.3g}")

    def _check_ties(self, standard: Array, size: Array, name: str) -> None:
        if self.ties is None:
            return
        for label in np.unique(self.ties):
            entries = standard[..., self.ties == label]
            expected = 0.0 if label < 0 else entries[..., :1]
            off = np.abs(entries - expected).max(axis=-1) > 1e-8 * size
            for index in first_true(off):
                where = np.argwhere(self.ties == label)[:3].tolist()
                wanted = f"{'zero' if label < 0 else 'equal'} in the entries {where}"
                raise outside(name, index, wanted, "not")

    def allows(self, proposal: Array, reference: Array) -> bool:
        """Return whether every matrix stays positive definite and above the floor."""
        if not np.isfinite(proposal).all():
            return False
        standard = self._standardised(proposal)
        # No further below the floor than rounding: a step to below it is one that the next EM step takes back.
        size = np.einsum("...ii->...i", standard).max(axis=-1)[..., None, None]
        inside = standard - (self.floor - EIGENVALUE_RTOL * size) * np.eye(proposal.shape[-1])
        try:
            np.linalg.cholesky(inside)
        except np.linalg.LinAlgError:
            return False
        return True

    def pull_inside(self, proposal: Array, reference: Array) -> Array:
        """Return the matrices with eigenvalues below the floor raised to it, where the reference is next to it.

        Elsewhere a proposal below the floor is a step too long, and a shorter one is better than a flat matrix. Where
        ties stand against it nothing is changed.
        """
        if self.ties is not None or self.floor == 0 or not np.isfinite(proposal).all():
            return proposal
        near = np.linalg.eigvalsh(self._standardised(reference))[..., 0] <= NEAR_FLOOR * self.floor
        if not near.any():
            return proposal
        values, vectors = np.linalg.eigh(self._standardised(proposal))
        raised = (vectors * np.maximum(values, self.floor)[..., None, :]) @ np.swapaxes(vectors, -1, -2)
        unit = self._unit(proposal)
        symmetric: Array = (raised + np.swapaxes(raised, -1, -2)) / 2 * np.outer(unit, unit)
        return np.where((near & (values[..., 0] < self.floor))[..., None, None], symmetric, proposal)

    def tangent(self, value: Array) -> Array:
        """Return one symmetric direction for every entry of the upper triangle of every matrix, or for every tie."""
        size = value.shape[-1]
        ties = _upper_triangle(size) if self.ties is None else self.ties
        patterns = [(ties == label).astype(np.float64) for label in np.unique(ties[ties >= 0])]
        n_matrices = value.size // size**2
        directions = np.zeros((n_matrices, len(patterns), n_matrices, size, size))
        for m in range(n_matrices):
            directions[m, :, m] = patterns
        return directions.reshape(-1, value.size)

    def n_free(self, value: Array) -> int:
        """Return the number of entries on and above the diagonals, or of ties."""
        size = value.shape[-1]
        each = size * (size + 1) // 2 if self.ties is None else np.unique(self.ties[self.ties >= 0]).size
        return int(value.size // size**2 * each)

    def on_bound(self, value: Array) -> NDArray[np.bool_]:
        """Return the whole matrix as True where its smallest eigenvalue is the floor."""
        smallest = np.linalg.eigvalsh(self._standardised(value))[..., 0]
        at_floor = smallest <= self.floor * (1 + 1e3 * BOUND_RTOL)
        return np.asarray(np.broadcast_to(at_floor[..., None, None], value.shape))

    def on_floor(self, value: Array) -> bool:
        """Return whether the floor holds up any matrix."""
        return bool(self.on_bound(value).any())

    def describe_bound(self, value: Array, name: str) -> str | None:
        """Return a sentence naming the matrices that rest on the floor."""
        flags = self.on_bound(value)[..., 0, 0]
        if not flags.any():
            return None
        which = name if flags.ndim == 0 else f"{name}[{', '.join(str(i) for i in np.flatnonzero(flags))}]"
        return f"{which} rests on its eigenvalue floor ({self.floor:g}, relative): the data do not determine it."

    def typical(self, value: Array) -> Array:
        """Return the product of typical standard deviations for every entry."""
        if self.unit is not None:
            return np.outer(self.unit, self.unit)
        variances = np.einsum("...ii->...i", value).reshape(-1, value.shape[-1]).mean(axis=0)
        deviations = np.sqrt(np.abs(variances))
        return np.outer(deviations, deviations)


def _upper_triangle(size: int) -> NDArray[np.int_]:
    """Return ties of a matrix that is symmetric and nothing else, numbered along the rows of its upper triangle."""
    ties = np.zeros((size, size), dtype=np.int_)
    above = np.triu_indices(size)
    ties[above] = np.arange(above[0].size)
    ties.T[above] = ties[above]
    return ties

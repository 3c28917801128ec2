"""Rows of which some cells are missing, grouped by which: their densities and expected moments under K Gaussians."""

from __future__ import annotations

from typing import Any, Self

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit.families.gaussian.covariance import CovarianceStructure, Spherical
from emkit.families.gaussian.densities import Gaussians
from emkit.families.gaussian.expansions import Array, Booleans
from emkit.families.gaussian.moments import GaussianMoments


@attrs.frozen(eq=False)
class IncompleteRows:
    """Rows with gaps, in groups of the same gaps.

    Attributes
    ----------
    x : (n_samples, n_features)
        NaN where a cell is missing.
    patterns : list of (n_features,) of bool
        Which cells of a group are seen.
    groups : list of (n_rows,) of int
        The rows of each group, in increasing order.
    """

    x: Array
    patterns: list[Booleans]
    groups: list[NDArray[np.intp]]

    @classmethod
    def of(cls, x: Array) -> Self:
        """Return the rows grouped."""
        if not len(x):
            return cls(x, [], [])
        seen = ~np.isnan(x)
        # Sorted by their cells packed into bytes, which compare much faster than rows of booleans.
        packed = np.packbits(seen, axis=1)
        keys = np.ascontiguousarray(packed).view([("", np.uint8)] * packed.shape[1]).ravel()
        _, firsts, inverse = np.unique(keys, return_index=True, return_inverse=True)
        order = np.argsort(inverse, kind="stable")
        edges = np.cumsum(np.bincount(inverse))[:-1]
        return cls(x, [seen[first] for first in firsts], np.split(order, edges))

    def __len__(self) -> int:
        return len(self.x)

    def take(self, rows: NDArray[Any]) -> IncompleteRows:
        """Return some rows, by a boolean or integer index."""
        return IncompleteRows.of(self.x[rows])

    def filled(self) -> Array:
        """Return the rows with the mean of its column in every gap, zero in a column without a seen cell."""
        seen = ~np.isnan(self.x)
        values = np.where(seen, self.x, 0.0)
        means = values.sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
        return np.where(seen, values, means)


def incomplete_log_density(gaussians: Gaussians, rows: IncompleteRows) -> Array:
    """Return the log-density of the seen cells of every row, (n_samples, n_components); zero for a row without any."""
    out = np.zeros((len(rows), len(gaussians.means)))
    for seen, group in zip(rows.patterns, rows.groups, strict=True):
        if seen.any():
            out[group] = marginal(gaussians, seen).log_density(rows.x[np.ix_(group, seen)])
    return out


def incomplete_moments(gaussians: Gaussians, rows: IncompleteRows, responsibilities: Array) -> GaussianMoments:
    """Return the expected moments given the seen cells: the exact E-step of rows with gaps.

    With ``o`` the seen and ``m`` the missing cells of a row, and everything about the mean of component k,

        E[z_m | z_o]         = B z_o,   B = V_mo inverse(V_oo)
        E[z_m z_m' | z_o]    = B z_o z_o' B' + V_mm - B V_om

    so that of each group only the moments of its seen cells are summed over rows.
    """
    n_components, n_features = gaussians.means.shape
    first = np.zeros((n_components, n_features))
    second = np.zeros(gaussians.structure.shape(n_components, n_features))
    counts = np.zeros(n_components)
    standard = gaussians.structure.rescale(gaussians.covariances, 1.0 / gaussians.scale)
    for seen, group in zip(rows.patterns, rows.groups, strict=True):
        shares = responsibilities[group]
        if seen.any():
            moments = marginal(gaussians, seen).moments(rows.x[np.ix_(group, seen)], shares)
        else:
            moments = _of_empty_rows(gaussians.structure, shares)
        expected = _expected(gaussians.structure, standard, seen, moments)
        counts += expected.counts
        first += expected.first
        second += expected.second
    return GaussianMoments(counts, first, second)


def marginal(gaussians: Gaussians, seen: Booleans) -> Gaussians:
    """Return the Gaussians of some of the columns."""
    if seen.all():
        return gaussians
    structure, covariances = gaussians.structure, gaussians.covariances
    if structure.is_matrix:
        covariances = covariances[..., seen, :][..., :, seen]
    elif not isinstance(structure, Spherical):
        covariances = covariances[:, seen]
    return Gaussians(gaussians.means[:, seen], covariances, structure, gaussians.location[seen], gaussians.scale[seen])


def _of_empty_rows(structure: CovarianceStructure, shares: Array) -> GaussianMoments:
    """Return the moments of rows without a seen cell: counts alone."""
    counts = shares.sum(axis=0)
    return GaussianMoments(counts, np.zeros((len(counts), 0)), np.zeros(structure.shape(len(counts), 0)))


def _expected(
    structure: CovarianceStructure, covariances: Array, seen: Booleans, moments: GaussianMoments
) -> GaussianMoments:
    """Return the expected moments of all cells of one group, from those of its seen cells."""
    counts = moments.counts
    if structure.is_matrix:
        maps, residual = _regression(covariances, seen)
        first = np.einsum("...ij,...j->...i", maps, moments.first)
        weights = counts[:, None, None] if covariances.ndim == 3 else counts.sum()
        second = maps @ moments.second @ np.swapaxes(maps, -1, -2) + weights * residual
        return GaussianMoments(counts, first, second)
    first = np.zeros((len(counts), len(seen)))
    first[:, seen] = moments.first
    if isinstance(structure, Spherical):
        return GaussianMoments(counts, first, moments.second + (~seen).sum() * counts * covariances)
    second = counts[:, None] * covariances
    second[:, seen] = moments.second
    return GaussianMoments(counts, first, second)


def _regression(covariances: Array, seen: Booleans) -> tuple[Array, Array]:
    """Return the map from seen cells to all, (..., n_features, n_seen), and the covariance that remains."""
    n_features = len(seen)
    rows = covariances[..., seen, :]
    maps = np.zeros((*covariances.shape[:-2], n_features, int(seen.sum())))
    maps[..., seen, :] = np.eye(maps.shape[-1])
    residual = np.zeros_like(covariances)
    if not seen.all():
        slopes = np.swapaxes(np.linalg.solve(rows[..., :, seen], rows[..., :, ~seen]), -1, -2)
        maps[..., ~seen, :] = slopes
        left = covariances[..., ~seen, :][..., :, ~seen] - slopes @ rows[..., :, ~seen]
        missing = np.flatnonzero(~seen)
        residual[..., missing[:, None], missing] = (left + np.swapaxes(left, -1, -2)) / 2.0
    return maps, residual

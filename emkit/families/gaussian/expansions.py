"""How the quadratic form of a Gaussian is written as one matrix product over a block of data.

Rows arrive standardised and transposed, as ``z`` of shape (n_features, n_rows), so that every reduction over
features or components runs along contiguous memory. With ``phi = [1, z, products of z]`` a log density is
linear in ``phi``,

    log_density[k] = coefficients[k] @ phi,

and the weighted moments about the origin are ``responsibilities @ phi.T``. What the products are depends on
the covariance structure alone: the upper triangle of ``z z'``, the squares, the squared norm, or the one
quadratic form that components with a common covariance share.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import EllipsisType
from typing import TypeAlias, final

import attrs
import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
Booleans: TypeAlias = NDArray[np.bool_]


@attrs.frozen(eq=False)
class QuadraticForm:
    """The quadratic forms ``(z - mean)' P_k (z - mean)`` of all components, expanded about the origin.

    Attributes
    ----------
    linear : ndarray of shape (n_components, n_features)
        ``P_k mean_k``.
    products : ndarray of shape (n_components, n_products)
        ``P_k`` as coefficients of the products: ``z' P_k z = products[k] @ expansion of z``.
    log_determinants : ndarray of shape (n_components,)
        ``log det P_k / 2``.
    magnitudes : ndarray of shape (n_components,)
        ``sum_ij |P_k|_ij a_i a_j`` with ``a = |mean_k| + standard deviations``: the size of the terms that
        cancel in the expanded form, for a typical row of the component.
    """

    linear: Array
    products: Array
    log_determinants: Array
    magnitudes: Array


class Expansion(ABC):
    """The products of one covariance structure and the moments they give."""

    @abstractmethod
    def n_products(self, n_features: int) -> int:
        """Return the number of products."""

    @abstractmethod
    def fill(self, z: Array, cholesky: Array, out: Array) -> None:
        """Write the products of ``z`` (n_features, n_rows) into ``out`` (n_products, n_rows)."""

    @abstractmethod
    def form(self, means: Array, covariances: Array, cholesky: Array) -> QuadraticForm:
        """Return the coefficients of the quadratic forms; ``cholesky`` are the factors of the precisions."""

    @abstractmethod
    def squared_distances(self, centred: Array, cholesky: Array, k: int) -> Array:
        """Return ``centred' P_k centred`` (n_rows,) of rows (n_features, n_rows) centred at mean ``k``."""

    @abstractmethod
    def spread(self, centred: Array, weights: Array) -> Array:
        """Return the weighted second moment of centred rows, in the shape of one component's covariance."""

    @abstractmethod
    def centre(self, sums: Array, pooled: Array, means: Array) -> Array:
        """Return the second moments about ``means``.

        ``sums`` holds those of ``[1, z - mean, products of z]`` for each component, ``pooled`` what
        `pooled_products` adds up to.
        """

    def pooled_products(self, z: Array, responsibilities: Array) -> Array | float:
        """Return the second moments (n_features, n_features) that the products do not hold."""
        return 0.0

    def slot(self, k: int) -> int | EllipsisType:
        """Return the index at which the second moments hold component ``k``."""
        return k


@final
class TriangleExpansion(Expansion):
    """Products ``z_i z_j`` for ``i <= j``: one covariance matrix per component.

    The triangle halves the arithmetic of both matrix products against the full outer product.
    """

    def n_products(self, n_features: int) -> int:
        """Return the number of entries of a triangle."""
        return n_features * (n_features + 1) // 2

    def fill(self, z: Array, cholesky: Array, out: Array) -> None:
        """Write the products feature by feature."""
        start = 0
        for i in range(len(z)):
            stop = start + len(z) - i
            np.multiply(z[i:], z[i], out=out[start:stop])
            start = stop

    def form(self, means: Array, covariances: Array, cholesky: Array) -> QuadraticForm:
        """Return the coefficients; off the diagonal a product stands for two entries."""
        n_components, n_features = means.shape
        precisions = cholesky @ cholesky.transpose(0, 2, 1)
        products = np.empty((n_components, self.n_products(n_features)))
        start = 0
        for i in range(n_features):
            stop = start + n_features - i
            np.multiply(precisions[:, i, i:], 2.0, out=products[:, start:stop])
            products[:, start] = precisions[:, i, i]
            start = stop
        spread = np.abs(means) + np.sqrt(np.diagonal(covariances, axis1=1, axis2=2))
        return QuadraticForm(
            (precisions @ means[:, :, None])[:, :, 0],
            products,
            np.log(np.diagonal(cholesky, axis1=1, axis2=2)).sum(axis=1),
            ((np.abs(precisions) @ spread[:, :, None])[:, :, 0] * spread).sum(axis=1),
        )

    def squared_distances(self, centred: Array, cholesky: Array, k: int) -> Array:
        """Return the squared norms of the whitened rows."""
        return _column_norms(cholesky[k].T @ centred)

    def spread(self, centred: Array, weights: Array) -> Array:
        """Return ``sum_n weights[n] z z'``."""
        return _weighted_outer(centred, weights)

    def centre(self, sums: Array, pooled: Array, means: Array) -> Array:
        """Return both triangles, moved to the means."""
        n_components, n_features = means.shape
        raw = np.empty((n_components, n_features, n_features))
        start = 1 + n_features
        for i in range(n_features):
            stop = start + n_features - i
            raw[:, i, i:] = sums[:, start:stop]
            raw[:, i:, i] = sums[:, start:stop]
            start = stop
        return raw - _shift_outer(sums, means)


@final
class SquaresExpansion(Expansion):
    """Products ``z_i ** 2``: one diagonal covariance matrix per component."""

    def n_products(self, n_features: int) -> int:
        """Return one per feature."""
        return n_features

    def fill(self, z: Array, cholesky: Array, out: Array) -> None:
        """Write the squares."""
        np.multiply(z, z, out=out)

    def form(self, means: Array, covariances: Array, cholesky: Array) -> QuadraticForm:
        """Return the coefficients."""
        precisions = cholesky * cholesky
        spread = np.abs(means) * cholesky + 1.0
        return QuadraticForm(
            precisions * means, precisions, np.log(cholesky).sum(axis=1), (spread * spread).sum(axis=1)
        )

    def squared_distances(self, centred: Array, cholesky: Array, k: int) -> Array:
        """Return the squared norms of the whitened rows."""
        return _column_norms(centred * cholesky[k][:, None])

    def spread(self, centred: Array, weights: Array) -> Array:
        """Return the weighted sums of squares."""
        return (centred * centred) @ weights

    def centre(self, sums: Array, pooled: Array, means: Array) -> Array:
        """Return the sums of squares, moved to the means."""
        return sums[:, 1 + means.shape[1] :] - _shift_squares(sums, means)


@final
class NormExpansion(Expansion):
    """The one product ``z' z``: one variance per component."""

    def n_products(self, n_features: int) -> int:
        """Return one."""
        return 1

    def fill(self, z: Array, cholesky: Array, out: Array) -> None:
        """Write the squared norms."""
        np.einsum("ij,ij->j", z, z, out=out[0])

    def form(self, means: Array, covariances: Array, cholesky: Array) -> QuadraticForm:
        """Return the coefficients."""
        precisions = (cholesky * cholesky)[:, None]
        spread = np.abs(means) * cholesky[:, None] + 1.0
        return QuadraticForm(
            precisions * means, precisions, means.shape[1] * np.log(cholesky), (spread * spread).sum(axis=1)
        )

    def squared_distances(self, centred: Array, cholesky: Array, k: int) -> Array:
        """Return the squared norms of the whitened rows."""
        return _column_norms(centred * cholesky[k])

    def spread(self, centred: Array, weights: Array) -> Array:
        """Return the weighted sum of squared norms."""
        return np.asarray(_column_norms(centred) @ weights)

    def centre(self, sums: Array, pooled: Array, means: Array) -> Array:
        """Return the sums of squared norms, moved to the means."""
        second: Array = sums[:, -1] - _shift_squares(sums, means).sum(axis=1)
        return second


@final
class SharedExpansion(Expansion):
    """The one product ``z' P z`` of a covariance that all components share.

    It costs one product per row instead of one per row and component. The second moments do not depend on the
    responsibilities, only on their sum over components, so they are pooled.
    """

    def n_products(self, n_features: int) -> int:
        """Return one."""
        return 1

    def fill(self, z: Array, cholesky: Array, out: Array) -> None:
        """Write the shared quadratic form, through the whitened rows."""
        whitened = cholesky.T @ z
        np.einsum("ij,ij->j", whitened, whitened, out=out[0])

    def form(self, means: Array, covariances: Array, cholesky: Array) -> QuadraticForm:
        """Return the coefficients."""
        n_components = len(means)
        precision = cholesky @ cholesky.T
        spread = np.abs(means) + np.sqrt(np.diagonal(covariances))
        return QuadraticForm(
            means @ precision,
            np.ones((n_components, 1)),
            np.full(n_components, np.log(np.diagonal(cholesky)).sum()),
            ((spread @ np.abs(precision)) * spread).sum(axis=1),
        )

    def squared_distances(self, centred: Array, cholesky: Array, k: int) -> Array:
        """Return the squared norms of the whitened rows."""
        return _column_norms(cholesky.T @ centred)

    def spread(self, centred: Array, weights: Array) -> Array:
        """Return ``sum_n weights[n] z z'``."""
        return _weighted_outer(centred, weights)

    def pooled_products(self, z: Array, responsibilities: Array) -> Array | float:
        """Return ``sum_n weights[n] z z'``, the weights summed over components."""
        return _weighted_outer(z, responsibilities.sum(axis=0))

    def centre(self, sums: Array, pooled: Array, means: Array) -> Array:
        """Return the pooled moments, moved to the means."""
        first = sums[:, 1:-1]
        cross = first.T @ means
        second: Array = pooled - (cross + cross.T + (means * sums[:, :1]).T @ means)
        return (second + second.T) / 2.0

    def slot(self, k: int) -> int | EllipsisType:
        """Return the index of everything: components share one matrix."""
        return ...


def _column_norms(z: Array) -> Array:
    """Return the squared norm of every column."""
    norms: Array = np.einsum("ij,ij->j", z, z)
    return norms


def _weighted_outer(z: Array, weights: Array) -> Array:
    """Return ``sum_n weights[n] z[:, n] z[:, n]'``, exactly symmetric."""
    outer: Array = (z * weights) @ z.T
    return (outer + outer.T) / 2.0


def _shift_outer(sums: Array, means: Array) -> Array:
    """Return ``sum_n r_nk (z z' - (z - mean)(z - mean)')`` from counts and centred first moments."""
    first = sums[:, 1 : 1 + means.shape[1]]
    cross = first[:, :, None] * means[:, None, :]
    shift: Array = cross + cross.transpose(0, 2, 1)
    shift += sums[:, 0, None, None] * (means[:, :, None] * means[:, None, :])
    return shift


def _shift_squares(sums: Array, means: Array) -> Array:
    """Return the diagonal of what `_shift_outer` gives."""
    first = sums[:, 1 : 1 + means.shape[1]]
    shift: Array = 2.0 * first * means + sums[:, :1] * (means * means)
    return shift

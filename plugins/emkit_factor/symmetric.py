"""Symmetric matrices of factors, and their entries on and above the diagonal in a row."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def packed(matrices: Array) -> Array:
    """Return the entries (..., i, j) with ``i <= j`` of symmetric matrices, along one axis."""
    i, j = np.triu_indices(matrices.shape[-1])
    return matrices[..., i, j]


def unpacked(entries: Array, size: int) -> Array:
    """Return the symmetric matrices of packed entries."""
    i, j = np.triu_indices(size)
    matrices = np.empty((*entries.shape[:-1], size, size))
    matrices[..., i, j] = entries
    matrices[..., j, i] = entries
    return matrices


def packed_products(vectors: Array) -> Array:
    """Return ``v v'`` of every vector (..., size), packed."""
    i, j = np.triu_indices(vectors.shape[-1])
    product: Array = vectors[..., i] * vectors[..., j]
    return product


def symmetric(matrices: NDArray[Any]) -> Array:
    """Return matrices with the rounding that makes them unsymmetric averaged away."""
    return np.asarray((matrices + np.swapaxes(matrices, -1, -2)) / 2, dtype=np.float64)

"""Where a fit starts: at the principal axes of the data, or at random."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emkit_factor.noise import VANISHED, Noise
from emkit_factor.rows import PartialRows

Array = NDArray[np.float64]

#: Of more rows than this a random subset stands for the data: a start needs no more.
MAX_START_ROWS = 20_000
#: Axes beyond those wanted, and rounds, of the search for the principal ones.
MORE_AXES = 10
ROUNDS = 12
#: Smallest share of the variance of a column that a start leaves to its noise.
LEAST_NOISE = 0.05
#: Smallest eigenvalue of a factor at the start, in units of the variance of one column: zero loadings stay zero.
LEAST_EIGENVALUE = 1e-3


def standardised(data: PartialRows, location: Array, scale: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return rows in standard units, zero where missing and times the root of their share, and the column's variances.

    Their inner products are covariances, somewhat too small where cells are missing.
    """
    order = np.sort(data.order)
    if len(order) > MAX_START_ROWS:
        order = np.sort(rng.choice(order, MAX_START_ROWS, replace=False))
    standard = (data.x[order] - location) / scale
    weights = data.weights_of(order, len(order))
    observed = ~np.isnan(standard)
    standard[~observed] = 0.0
    variances = weights @ standard**2 / np.maximum(weights @ observed, 1e-300)
    standard *= np.sqrt(weights / weights.sum())[:, None]
    return standard, variances


def principal_axes(standard: Array, n_axes: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return the largest eigenvalues (n_axes,) of ``standard.T @ standard`` and their vectors (n_features, n_axes).

    Found by iterating a subspace (Halko, Martinsson and Tropp 2011, SIAM Review 53:217): exact where it is as large as
    the smaller side of the data. No matrix is larger than the data.
    """
    n_features = standard.shape[1]
    size = min(n_axes + MORE_AXES, n_features)
    basis = np.linalg.qr(rng.standard_normal((n_features, size)))[0]
    for _ in range(ROUNDS):
        basis = np.linalg.qr(standard.T @ (standard @ basis))[0]
    projected = standard @ basis
    eigenvalues, axes = np.linalg.eigh(projected.T @ projected)
    return np.maximum(eigenvalues[::-1][:n_axes], 0.0), basis @ axes[:, ::-1][:, :n_axes]


def at_principal_axes(
    standard: Array, variances: Array, n_factors: int, noise: Noise, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Return loadings and noise variances, in standard units.

    With eigenvalues l, eigenvectors V and t the mean of the eigenvalues left out, the loadings are
    ``V * sqrt(l - t)``: for isotropic noise and complete data the maximum itself (Tipping and Bishop 1999, Journal of
    the Royal Statistical Society B 61:611, eq. 7-8).
    """
    n_features = len(variances)
    eigenvalues, axes = principal_axes(standard, n_factors, rng)
    total = (standard**2).sum()
    rest = max(total - eigenvalues.sum(), 0.0) / max(n_features - n_factors, 1)
    loadings = axes * np.sqrt(np.maximum(eigenvalues - rest, LEAST_EIGENVALUE))
    if noise.n_variances(n_features) == 1:
        return loadings, np.array([rest])
    return loadings, np.maximum(variances - (loadings**2).sum(axis=1), LEAST_NOISE)


def at_random(n_features: int, n_factors: int, noise: Noise, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return random loadings that explain a random share of all variance, and noise variances; in standard units."""
    explained = rng.uniform(0.2, 0.8)
    loadings = rng.standard_normal((n_features, n_factors)) * np.sqrt(explained / n_factors)
    return loadings, np.full(noise.n_variances(n_features), 1 - explained)


def above_floor(noise: Array, floor: float) -> Array:
    """Return noise variances, in standard units, from which a fit can start."""
    lowest = floor if floor > VANISHED else LEAST_NOISE
    return np.where(noise > VANISHED, np.maximum(noise, floor), lowest)

"""Pictures of a mixture over its data."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Points beyond this many are thinned out: more only make the picture slow and black.
MAX_POINTS = 5_000


def plot_mixture(weights: Array, means: Array, covariances: Array, x: Array, ax: Any) -> Any:
    """Draw a mixture on matplotlib axes: one column as densities over a histogram, more as ellipses over points."""
    if x.shape[1] == 1:
        return _plot_densities(weights, means[:, 0], np.sqrt(covariances[:, 0, 0]), x[:, 0], ax)
    step = max(1, len(x) // MAX_POINTS)
    ax.scatter(x[::step, 0], x[::step, 1], s=8, color="0.6", linewidths=0)
    for k, (mean, covariance) in enumerate(zip(means, covariances, strict=True)):
        for n_deviations in (1, 2):
            edge = mean[:2, None] + n_deviations * _ellipse(covariance[:2, :2])
            ax.plot(*edge, color=f"C{k}", linewidth=1.5 if n_deviations == 1 else 0.8)
        ax.plot(*mean[:2], "+", color=f"C{k}", markersize=9, label=f"{k}: weight {weights[k]:.3f}")
    ax.set_xlabel("column 0")
    ax.set_ylabel("column 1")
    ax.legend(fontsize=8)
    return ax


def _ellipse(covariance: Array) -> Array:
    """Return the points (2, 100) one standard deviation from zero."""
    angle = np.linspace(0, 2 * np.pi, 100)
    return np.asarray(np.linalg.cholesky(covariance) @ np.stack([np.cos(angle), np.sin(angle)]), dtype=np.float64)


def _plot_densities(weights: Array, means: Array, deviations: Array, x: Array, ax: Any) -> Any:
    ax.hist(x, bins="auto", density=True, color="0.85")
    grid = np.linspace(x.min(), x.max(), 400)
    standard = (grid - means[:, None]) / deviations[:, None]
    densities = weights[:, None] * np.exp(-(standard**2) / 2) / (np.sqrt(2 * np.pi) * deviations[:, None])
    for k, density in enumerate(densities):
        ax.plot(grid, density, color=f"C{k}", label=f"{k}: weight {weights[k]:.3f}")
    ax.plot(grid, densities.sum(axis=0), color="black", linewidth=1, label="mixture")
    ax.set_xlabel("column 0")
    ax.set_ylabel("density")
    ax.legend(fontsize=8)
    return ax

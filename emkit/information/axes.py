"""Differences of an exact score along the axes of the information, where entries of the params show too little."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emkit.information.curvature import LONGEST_SLOPE_STEP, SLOPE_STEP, central_difference, slope_changes
from emkit.information.silence import hear
from emkit.information.surface import Surface

Array = NDArray[np.float64]

#: The smallest eigenvalue of the information, on the scale of a unit diagonal, in units of the error that it shows
#: itself, below which it cannot be told from zero.
SINGULAR_NOISE = 10.0
#: How often directions are turned to the axes of the information, and the smallest eigenvalue that is scaled to one.
MAX_TURNS = 3
SMALLEST = 1e-14
#: A second step along an axis, in units of the first.
OTHER_STEP = 3.0


def well_conditioned(surface: Surface) -> tuple[Array, Array]:
    """Return gradient and raw information by the score, along directions that let a small eigenvalue be seen.

    Entries of covariances that are nearly singular have an information whose eigenvalues spread over more digits than
    differences have. Along its axes, in units of their standard errors, all of them are about one. The surface is
    turned to those directions, unless they tell no more: directions that the data do not determine stay flat. Silent
    ones are left out before: turned, they would be a part of all.
    """
    gradient, raw = slope_changes(surface)
    heard = hear(surface, gradient, raw)
    gradient, raw = gradient[heard], raw[np.ix_(heard, heard)]
    usual, axes = surface.directions, _axes(raw)
    turned = raw
    for _ in range(MAX_TURNS):
        if axes is None:
            break
        surface.turn(axes @ surface.directions)
        turned_gradient, turned = slope_changes(surface)
        standard, _ = with_unit_diagonal((turned + turned.T) / 2)
        if np.linalg.eigvalsh(standard)[0] > SINGULAR_NOISE * max(asymmetry(turned), _unsteadiness(surface, turned)):
            return turned_gradient, turned
        axes = _axes(turned)
    surface.turn(usual)
    return gradient, raw


def _unsteadiness(surface: Surface, raw: Array) -> float:
    """Return by how much steps of another length change the curvature along any direction, relative to it.

    Along a flat direction all is rounding or truncation, which depend on the step; in its own units it would look like
    curvature.
    """
    worst = 0.0
    for index, (direction, curvature) in enumerate(zip(surface.directions, np.diag(raw), strict=True)):
        size = float(surface.typical(direction[None])[0])
        if curvature == 0:
            return float("inf")
        length = min(OTHER_STEP * SLOPE_STEP / np.sqrt(abs(curvature)), LONGEST_SLOPE_STEP * size)
        change = central_difference(surface.slopes, direction, float(length))
        if change is None or not np.isfinite(change).all():
            return float("inf")
        worst = max(worst, abs(float(change[index] / curvature) + 1))
    return worst


def _axes(raw: Array) -> Array | None:
    """Return the axes of an information in units of their standard errors (n_free, n_free), None if it needs none."""
    if not len(raw) or not np.isfinite(raw).all():
        return None
    standard, scale = with_unit_diagonal((raw + raw.T) / 2)
    values, vectors = np.linalg.eigh(standard)
    error = asymmetry(raw)
    if np.abs(values).min() > SINGULAR_NOISE * error:
        return None
    axes: Array = (vectors / np.sqrt(np.maximum(np.abs(values), max(error, SMALLEST)))).T / scale
    return axes


def with_unit_diagonal(information: Array) -> tuple[Array, Array]:
    """Return information scaled to a unit diagonal (zero where there is none), and the scale."""
    scale = np.sqrt(np.abs(np.diag(information)))
    scale = np.where(scale > 0, scale, 1.0)
    return information / np.outer(scale, scale), scale


def asymmetry(raw: Array) -> float:
    """Return the largest difference between entries (i, j) and (j, i) on the scale of a unit diagonal."""
    if not raw.size:
        return 0.0
    scale = np.sqrt(np.abs(np.diag(raw)))
    scale = np.where(scale > 0, scale, 1.0)
    return float(np.abs((raw - raw.T) / np.outer(scale, scale)).max())

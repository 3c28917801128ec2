"""The delta method: standard errors of what is computed from the params."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit.errors import ConvergenceWarning
from emkit.information.curvature import gradient_and_hessian
from emkit.information.surface import Surface
from emkit.information.variance import free_covariance

Array = NDArray[np.float64]

#: Length of a difference step in standard errors; one Richardson step makes its error of the fourth power.
STEP = 1e-2
MAX_SHORTENINGS = 40
#: How many standard errors the params may be from their optimum.
MAX_SCORE_NORM = 0.05


@attrs.frozen(eq=False)
class Delta:
    """A function of the params, with its covariance.

    Attributes
    ----------
    value : array
        ``function(params)``.
    covariance : (value.size, value.size)
        ``J V J'`` with J the derivatives of the function and V the covariance of the params.
    standard_errors : array
        In the shape of the value.
    jacobian : (value.size, n_free)
        Along the free directions that touch no bound.
    """

    value: Array
    covariance: Array
    standard_errors: Array
    jacobian: Array

    def __str__(self) -> str:
        pairs = zip(self.value.ravel(), self.standard_errors.ravel(), strict=True)
        return "\n".join(f"{value:.6g} +/- {error:.2g}" for value, error in pairs)


def delta(function: Callable[[Any], Any], model: Any, params: Any, data: Any, method: str = "auto") -> Delta:
    """Return a function of the params with its standard errors, by the delta method.

    Parameters
    ----------
    function : callable
        ``function(params)`` gives a number or an array, smooth near the estimate.
    method
        As in :func:`covariance`.

    Warns
    -----
    ConvergenceWarning
        If the params are more than :data:`MAX_SCORE_NORM` standard errors from their optimum: the covariance then
        depends on the coordinates in which it is taken.
    """
    surface = Surface(model, params, data)
    variance, information = free_covariance(surface, method)
    gradient = information.gradient if information is not None else _gradient(surface)
    distance = float(np.sqrt(np.abs(gradient @ variance @ gradient)))
    if distance > MAX_SCORE_NORM:
        warnings.warn(
            f"The params are about {distance:.2g} standard errors from their optimum, so standard errors depend on "
            "the coordinates in which they are taken. Fit to a smaller tol first.",
            ConvergenceWarning,
            stacklevel=2,
        )
    value = np.asarray(function(params), dtype=np.float64)
    units = np.sqrt(np.diag(variance))
    columns = [_derivative(function, surface, d, float(u)) for d, u in zip(surface.directions, units, strict=True)]
    jacobian = np.array(columns, dtype=np.float64).reshape(len(columns), value.size).T
    full = jacobian @ variance @ jacobian.T
    return Delta(value, full, np.sqrt(np.diag(full)).reshape(value.shape), jacobian)


def _gradient(surface: Surface) -> Array:
    if not surface.has_score:
        return gradient_and_hessian(surface)[0]
    slopes = surface.slopes(np.zeros(surface.directions.shape[1]))
    assert slopes is not None
    return slopes


def _derivative(function: Callable[[Any], Any], surface: Surface, direction: Array, unit: float) -> Array:
    length = STEP * unit
    for _ in range(MAX_SHORTENINGS):
        points = [surface.at(part * length * direction) for part in (1.0, -1.0, 0.5, -0.5)]
        if None not in points:
            above, below, near_above, near_below = (np.ravel(np.asarray(function(p), np.float64)) for p in points)
            wide, narrow = (above - below) / (2 * length), (near_above - near_below) / length
            return np.asarray((4 * narrow - wide) / 3)
        length /= 4
    msg = "No step from the params stays in their space: the function cannot be differentiated."
    raise ValueError(msg)

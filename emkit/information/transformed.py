"""The delta method: standard errors of what is computed from the params."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit.information.entries import flat, shaped_like
from emkit.information.silence import warn_of_silence
from emkit.information.surface import NEAR, Surface
from emkit.information.variance import free_covariance, warn_off_optimum

Array = NDArray[np.float64]

#: Length of a difference step in standard errors; one Richardson step makes its error of the fourth power.
STEP = 1e-2
MAX_SHORTENINGS = 40
#: Change of a value, relative to it, that is none.
ROUNDING = 1e-14


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
        In the shape of the value; NaN where the function depends on an entry that lies on a bound, or of which
        the data say nothing.
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
        If the params are more than 0.05 standard errors from their optimum: the covariance then depends on the
        coordinates in which it is taken.

    Raises
    ------
    TypeError
        If the function gives no real numbers.
    ValueError
        If it is not finite, not smooth, or changes its shape near the estimate.
    """
    surface = Surface(model, params, data)
    variance, information = free_covariance(surface, method)
    warn_off_optimum(surface, variance, information)
    warn_of_silence(surface)
    value = _value(function, params)
    if not np.isfinite(value).all():
        msg = f"The function must be finite at the estimate, to be differentiated there; it is {value}."
        raise ValueError(msg)
    units = np.sqrt(np.diag(variance))
    columns = [
        _derivative(function, surface, d, float(u), value.shape) for d, u in zip(surface.directions, units, strict=True)
    ]
    jacobian = np.array(columns, dtype=np.float64).reshape(len(columns), value.size).T
    full = jacobian @ variance @ jacobian.T
    unknown = _depends_on_unknown(function, surface, value)
    full[unknown] = full[:, unknown] = np.nan
    return Delta(value, full, np.sqrt(np.diag(full)).reshape(value.shape), jacobian)


def _depends_on_unknown(function: Callable[[Any], Any], surface: Surface, value: Array) -> NDArray[np.bool_]:
    """Return which values change with an entry whose error nobody knows, on a bound or silent, (value.size,).

    Of a bound only that entry is moved, inwards; what makes up for it, such as the largest share, has an error of its
    own.
    """
    unknown = np.zeros(value.size, dtype=bool)
    entries, on_bound = flat(surface.params), surface.entries_on_bound()
    kinds = ((surface.bound_directions, on_bound), (surface.silent_directions, surface.silent_entries()))
    for directions, moving in kinds:
        for direction, size in zip(directions, surface.typical(directions), strict=True):
            for sign in surface.open_sides(direction, float(size)):
                moved = np.where(moving, entries + sign * NEAR * size * direction, entries)
                beside = _value(function, shaped_like(surface.params, moved))
                if beside.shape == value.shape and np.isfinite(beside).all():
                    unknown |= (np.abs(beside - value) > ROUNDING * np.abs(value)).ravel()
    return unknown


def _value(function: Callable[[Any], Any], params: Any) -> Array:
    """Return what the function gives as an array of real numbers."""
    answer = function(params)
    try:
        value = np.asarray(answer)
    except ValueError:
        value = np.array(None)
    if value.dtype.kind not in "fiub":
        msg = f"The function must give a real number or an array of them; it gave {answer!r}."
        raise TypeError(msg)
    return value.astype(np.float64)


def _derivative(
    function: Callable[[Any], Any], surface: Surface, direction: Array, unit: float, shape: tuple[int, ...]
) -> Array:
    length = STEP * unit
    for _ in range(MAX_SHORTENINGS):
        points = [surface.at(part * length * direction) for part in (1.0, -1.0, 0.5, -0.5)]
        if None not in points:
            if np.array_equal(flat(points[2]), flat(points[3])):
                break
            values = [_value(function, point) for point in points]
            _require_shape(values, shape)
            above, below, near_above, near_below = map(np.ravel, values)
            if np.isfinite(values).all():
                wide, narrow = (above - below) / (2 * length), (near_above - near_below) / length
                return np.asarray((4 * narrow - wide) / 3)
        length /= 4
    msg = (
        "No step from the params stays in their space and keeps the function finite: it cannot be differentiated at "
        "the estimate. Give a function that is smooth there."
    )
    raise ValueError(msg)


def _require_shape(values: list[Array], shape: tuple[int, ...]) -> None:
    for value in values:
        if value.shape != shape:
            msg = f"The function must keep its shape, {shape} at the estimate; beside it the shape is {value.shape}."
            raise ValueError(msg)

"""Checks of what users give that the core does not know; every message says what was expected and what was found."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from emkit.arrays import as_sample_weight, share, whole_number
from emkit.errors import DegenerateError
from emkit_factor.noise import VANISHED, InverseGamma, Noise
from emkit_factor.params import FactorAnalysisParams
from emkit_factor.rows import PartialRows, require_seen


def number_of_factors(value: Any) -> int:
    """Return a whole number of at least 1."""
    return whole_number(value, "n_factors")


def floor_share(value: Any) -> float:
    """Return a number of at least 0 and below 1."""
    return share(value, "floor")


def expansion(value: Any) -> bool:
    """Return True or False."""
    if not isinstance(value, bool | np.bool_):
        msg = f"is_expanded must be True or False; it is {value!r}."
        raise ValueError(msg)
    return bool(value)


def prior_or_none(value: Any, name: str = "prior") -> InverseGamma | None:
    """Return a prior of noise variances, or None."""
    if value is None or isinstance(value, InverseGamma):
        return value
    msg = f"{name} must be an InverseGamma or None; it is {value!r}."
    raise TypeError(msg)


def free_entries(value: Any) -> NDArray[np.bool_] | None:
    """Return a read-only boolean matrix without an empty column, or None."""
    if value is None:
        return None
    try:
        free = np.array(value)
    except ValueError:
        # Ragged.
        free = np.zeros(0)
    if free.ndim != 2 or free.dtype.kind not in "biu" or not np.isin(free, (0, 1)).all():
        msg = f"free_loadings must be a matrix of True and False (n_features, n_factors), or None; it is {value!r}."
        raise ValueError(msg)
    free = free.astype(bool)
    if not free.any(axis=0).all():
        factor = int(np.argmin(free.any(axis=0)))
        msg = f"free_loadings leaves factor {factor} without any loading: give its column a True, or leave it out."
        raise ValueError(msg)
    free.setflags(write=False)
    return free


def check_data(rows: PartialRows, n_factors: int, free: NDArray[np.bool_] | None) -> None:
    """Raise ValueError unless all the data together can tell something about every param."""
    require_seen(rows.x, as_sample_weight(rows.weights, len(rows.x)))
    n_features = rows.x.shape[1]
    if len(rows.order) < 2:
        msg = (
            f"Found {len(rows.order)} sample(s) of positive weight with an observed cell, while a minimum of 2 is "
            "required: one row has no variance."
        )
        raise ValueError(msg)
    check_number(n_factors, n_features, "n_factors")
    if free is not None:
        check_shape("free_loadings", free, (n_features, n_factors))


def check_number(n_factors: int, n_features: int, name: str) -> None:
    """Raise ValueError if there are more factors than columns."""
    if n_factors > n_features:
        msg = (
            f"{name}={n_factors} must be at most n_features={n_features}: more factors than columns cannot be told "
            "apart."
        )
        raise ValueError(msg)


def check_noise(variances: NDArray[np.float64], floor: float) -> None:
    """Raise DegenerateError if a noise variance, in standard units, vanishes because no floor holds it up."""
    vanished = np.flatnonzero(variances < VANISHED)
    if vanished.size:
        which = f"of column {vanished[0]}" if len(variances) > 1 else "that all columns share"
        msg = (
            f"The noise variance {which} vanishes, and with floor={floor:g} the likelihood has no maximum: give a "
            "larger floor, such as 1e-6, or a prior."
        )
        raise DegenerateError(msg)


def check_params(params: FactorAnalysisParams, n_factors: int, noise: Noise) -> None:
    """Raise TypeError or ValueError unless params are those of such a model."""
    if not isinstance(params, FactorAnalysisParams):
        msg = f"Params must be FactorAnalysisParams; found {type(params).__name__}."
        raise TypeError(msg)
    n_features = params.mean.size
    shapes = {
        "mean": (n_features,),
        "loadings": (n_features, n_factors),
        "noise_variances": (noise.n_variances(n_features),),
        "location": (n_features,),
        "scale": (n_features,),
    }
    for name, shape in shapes.items():
        check_shape(name, getattr(params, name), shape)
    if (params.scale <= 0).any() and (params.noise_variances >= 0).all():
        column = int(np.argmax(params.scale <= 0))
        msg = f"scale[{column}] is {params.scale[column]:g}: give each column noise, loadings or a scale above 0."
        raise ValueError(msg)


def check_shape(name: str, array: NDArray[Any], shape: tuple[int, ...]) -> None:
    """Raise ValueError unless an array has the shape that model and data call for."""
    if array.shape != shape:
        msg = f"{name} must have shape {shape}, as model and data call for; found shape {array.shape}."
        raise ValueError(msg)

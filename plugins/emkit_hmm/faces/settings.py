"""hmmlearn's letters, and attributes that people set by hand."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from numbers import Real
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from emkit.arrays import as_array
from emkit.errors import EmkitWarning
from emkit_hmm.chains.pattern import Pattern

Array = NDArray[np.float64]
#: The lengths of the axes of an array, or their names.
Axes: TypeAlias = tuple[int | str, ...]

#: Attributes whose rows are probabilities.
PROBABILITIES = frozenset({"startprob_", "transmat_", "emissionprob_", "weights_"})
#: By how much a sum of probabilities may miss 1: hmmlearn's measure; and up to where it counts as being 1.
ROUNDED, EXACT = 1e-5, 1e-10


def check_letters(value: Any, name: str, letters: Mapping[str, str]) -> str:
    """Return a string of letters, each of which stands for an attribute."""
    if not isinstance(value, str) or set(value) - set(letters):
        known = ", ".join(f"{letter!r} ({attribute})" for letter, attribute in letters.items())
        msg = f"{name} must consist of the letters {known}; it is {value!r}."
        raise ValueError(msg)
    return value


def as_probabilities(values: Any, name: str) -> Array:
    """Return rows of probabilities; rows whose sum is off by rounding, as in single precision, are divided by it."""
    array = as_array(values, name)
    for index in np.argwhere(~(array >= 0))[:1].tolist():
        msg = f"{name}{index} must be a probability; it is {array[tuple(index)]:g}."
        raise ValueError(msg)
    sums = np.atleast_1d(array).sum(axis=-1, keepdims=True)
    for index in np.argwhere(np.abs(sums[..., 0] - 1) > ROUNDED)[:1].tolist():
        msg = f"{name}{index or ''} must hold probabilities that sum to 1; they sum to {sums[(*index, 0)]:.8g}."
        raise ValueError(msg)
    return np.where(np.abs(sums - 1) > EXACT, array / sums, array)


def warn_of_unused(face: Any, letters: Mapping[str, str], left_by_fit: Mapping[str, Array]) -> None:
    """Warn of attributes that somebody has set, and that a fit pays no heed to."""
    for letter, name in letters.items():
        is_set = letter in face.init_params and hasattr(face, name)
        if is_set and not np.array_equal(getattr(face, name), left_by_fit.get(name, ())):
            text = (
                f"{type(face).__name__}: {name} was set by hand, but the fit does not start there, since "
                f"init_params={face.init_params!r} contains {letter!r}. Leave that letter out."
            )
            warnings.warn(text, EmkitWarning, stacklevel=4)


def check_shape(values: Any, name: str, axes: Axes) -> Array:
    """Return values as an array of some shape.

    Parameters
    ----------
    axes
        How long each axis is; one of any length has a name instead. The first is that of the states, if it is a number.
    """
    array = as_array(values, name)
    if not _fits(array.shape, axes):
        states = f", for n_components={axes[0]} states" if isinstance(axes[0], int) else ""
        msg = f"{name} must have shape {_listed(axes)}{states}; it has shape {array.shape}."
        raise ValueError(msg)
    return array


def _fits(shape: tuple[int, ...], axes: Axes) -> bool:
    return len(shape) == len(axes) and all(
        isinstance(expected, str) or expected == found for expected, found in zip(axes, shape, strict=True)
    )


def _listed(axes: Axes) -> str:
    return f"({', '.join(map(str, axes))}{',' if len(axes) == 1 else ''})"


def check_prior(value: Any, name: str, axes: Axes) -> Any:
    """Return a concentration, for all probabilities alike or, with these axes, one by one."""
    expected = f"{name} must be a number or have shape {_listed(axes)}"
    try:
        array = as_array(value, name)
    except (TypeError, ValueError) as error:
        msg = f"{expected}; {error}"
        raise ValueError(msg) from error
    if array.ndim and not _fits(array.shape, axes):
        msg = f"{expected}; it has shape {array.shape}."
        raise ValueError(msg)
    for index in np.argwhere(array < 1)[:1].tolist():
        msg = f"{name}{index or ''} must be at least 1, which is no prior; it is {array[tuple(index)]:g}."
        raise ValueError(msg)
    return value


def check_strength(value: Any, name: str) -> float:
    """Return what a prior adds to all states alike, a number of at least 0."""
    if not isinstance(value, Real) or isinstance(value, bool) or not 0 <= float(value) < np.inf:
        msg = f"{name} must be a number of at least 0, the same for all states; it is {value!r}."
        raise ValueError(msg)
    return float(value)


def with_zeros_kept(probabilities: Array | None) -> Array | None:
    """Return which probabilities are fixed (NaN elsewhere) if a start has zeros: EM could never leave them."""
    if probabilities is None or (probabilities > 0).all():
        return None
    return np.where(probabilities > 0, np.nan, 0.0) if _rows_stay_free(probabilities) else _with_certain(probabilities)


def pattern_of(now: Array, fitted: Pattern | None, *, is_fixed: bool) -> Pattern:
    """Return what is fixed among probabilities as they are now.

    Parameters
    ----------
    now : array
    fitted : Pattern or None
        That of the fit, if there was one with as many states: what it fixed, and what is still as it was, stays fixed.
    is_fixed : bool
        Whether all of them are, whatever they are.
    """
    concentration = 1.0 if fitted is None else fitted.concentration
    if is_fixed:
        return Pattern(now, concentration)
    if fitted is None or fitted.known is None:
        return Pattern(concentration=concentration)
    return Pattern(np.where(fitted.known == now, now, np.nan), concentration)


def _rows_stay_free(probabilities: Array) -> bool:
    return bool(((probabilities > 0).sum(axis=-1) > 1).all())


def _with_certain(probabilities: Array) -> Array:
    """Return the same where a row has one entry alone, which is then one."""
    alone = (probabilities > 0).sum(axis=-1, keepdims=True) == 1
    return np.where(probabilities > 0, np.where(alone, 1.0, np.nan), 0.0)

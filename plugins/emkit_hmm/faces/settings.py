"""hmmlearn's letters, and attributes that people set by hand."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emkit.arrays import as_array
from emkit.errors import EmkitWarning
from emkit_hmm.chains.pattern import Pattern

Array = NDArray[np.float64]

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


def given_attributes(face: object, names: Mapping[str, str]) -> dict[str, Array]:
    """Return the attributes where a fit starts, by name: those that were set by hand, or fitted before.

    As in hmmlearn, what is not there is initialised from the data after all.

    Parameters
    ----------
    names : mapping from letters to attributes
        Those that ``init_params`` leaves out.
    """
    return {
        name: as_probabilities(getattr(face, name), name)
        if name in PROBABILITIES
        else as_array(getattr(face, name), name)
        for name in names.values()
        if hasattr(face, name)
    }


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


def check_shape(values: Any, name: str, shape: tuple[int, ...]) -> Array:
    """Return values of a shape that follows from the number of states."""
    array = as_array(values, name)
    if array.shape != shape:
        msg = f"{name} must have shape {shape}, for n_components={shape[0]} states; it has shape {array.shape}."
        raise ValueError(msg)
    return array


def check_prior(value: Any, name: str, shape: tuple[int, ...]) -> Any:
    """Return what a prior adds, for all probabilities alike or one by one."""
    try:
        np.broadcast_to(as_array(value, name), shape)
    except ValueError as error:
        found = f"it has shape {np.shape(value)}" if "broadcast" in str(error) else str(error)
        msg = f"{name} must be a number or have shape {shape}; {found}."
        raise ValueError(msg) from error
    return value


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

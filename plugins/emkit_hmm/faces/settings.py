"""hmmlearn's letters, and attributes that people set by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emkit.arrays import as_array

Array = NDArray[np.float64]


def check_letters(value: Any, name: str, letters: Mapping[str, str]) -> str:
    """Return a string of letters, each of which stands for an attribute."""
    if not isinstance(value, str) or set(value) - set(letters):
        known = ", ".join(f"{letter!r} ({attribute})" for letter, attribute in letters.items())
        msg = f"{name} must consist of the letters {known}; it is {value!r}."
        raise ValueError(msg)
    return value


def given_attributes(face: object, names: Mapping[str, str]) -> dict[str, Array]:
    """Return the attributes that are not to be initialised, by name: they must have been set, or fitted before.

    Parameters
    ----------
    names : mapping from letters to attributes
    """
    found = {}
    for letter, name in names.items():
        if not hasattr(face, name):
            msg = (
                f"init_params leaves out {letter!r}, so {name} must be set before fit, as in model.{name} = ...; or "
                f"add {letter!r} to init_params."
            )
            raise ValueError(msg)
        found[name] = as_array(getattr(face, name), name)
    return found


def with_zeros_kept(probabilities: Array | None) -> Array | None:
    """Return which probabilities are fixed (NaN elsewhere) if a start has zeros: EM could never leave them."""
    if probabilities is None or (probabilities > 0).all():
        return None
    return np.where(probabilities > 0, np.nan, 0.0) if _rows_stay_free(probabilities) else _with_certain(probabilities)


def _rows_stay_free(probabilities: Array) -> bool:
    return bool(((probabilities > 0).sum(axis=-1) > 1).all())


def _with_certain(probabilities: Array) -> Array:
    """Return the same where a row has one entry alone, which is then one."""
    alone = (probabilities > 0).sum(axis=-1, keepdims=True) == 1
    return np.where(probabilities > 0, np.where(alone, 1.0, np.nan), 0.0)

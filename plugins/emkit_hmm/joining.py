"""Parts of several sequences put one after the other; what does not fit is told with the number of its sequence."""

from __future__ import annotations

from collections.abc import Sequence as Series
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emkit.arrays import as_matrix, feature_names
from emkit_hmm.labels import unmasked

Array = NDArray[np.float64]
Integers = NDArray[np.intp]


def joined_rows(sequences: Series[Any]) -> tuple[Array, Integers, NDArray[np.object_] | None]:
    """Return the rows of all sequences (n_samples, n_features), their lengths, and what their columns are called."""
    is_plain = all(map(_is_plain, sequences))
    names = None if is_plain else common_names(sequences)
    matrices = sequences if is_plain else _matrices(sequences)
    lengths = np.array([len(matrix) for matrix in matrices], dtype=np.intp)
    for index in np.flatnonzero(lengths == 0)[:1]:
        msg = f"Sequence {index} is empty: leave it out."
        raise ValueError(msg)
    widths = sorted({matrix.shape[1] for matrix in matrices})
    if len(widths) > 1:
        msg = f"All sequences need the same columns; found n_features={widths}."
        raise ValueError(msg)
    x = np.concatenate(matrices)
    if np.isinf(x).any():
        _matrices(sequences)  # It says which sequence it is.
    return x, lengths, names


def _matrices(sequences: Series[Any]) -> list[Array]:
    return [as_matrix(x, allow_nan=True, name=f"Sequence {i}", min_samples=0) for i, x in enumerate(sequences)]


def _is_plain(x: Any) -> bool:
    """Return whether a sequence needs no conversion: checks of ten thousand, one by one, would take as long as EM."""
    return type(x) is np.ndarray and x.dtype == np.float64 and x.ndim == 2


def common_names(sequences: Series[Any]) -> NDArray[np.object_] | None:
    """Return the names of the columns of data frames, None if none has any; those without go by their places.

    Raises
    ------
    ValueError
        If two sequences call their columns differently, or have them in another order.
    """
    named = [(i, names) for i, x in enumerate(sequences) if (names := feature_names(x)) is not None]
    for i, names in named:
        first, expected = named[0]
        if list(names) != list(expected):
            msg = (
                f"All sequences need the same columns in the same order: sequence {first} has {list(expected)}, "
                f"sequence {i} has {list(names)}."
            )
            raise ValueError(msg)
    return named[0][1] if named else None


def joined_weights(weights: Series[Any]) -> Array | None:
    """Return the weights of sequences, None if all are one."""
    for index, weight in enumerate(weights):
        # Most are floats, and to ask an abstract class takes longer than all else here.
        if type(weight) is not float and (not isinstance(weight, Real) or isinstance(weight, bool)):
            msg = f"The weight of sequence {index} must be a number, such as 2.0; it is {weight!r}."
            raise ValueError(msg)
    return np.array(weights, dtype=np.float64) if any(weight != 1.0 for weight in weights) else None


def joined_states(parts: Series[Any], lengths: Integers) -> NDArray[Any] | None:
    """Return the known states of all sequences, or the log-priors of all, None if there are none."""
    arrays = [None if part is None else unmasked(part) for part in parts]
    return _joined(arrays, "states", lengths, " (-1 is an unknown state)")


def joined_covariates(parts: Series[Any], lengths: Integers) -> NDArray[Any] | None:
    """Return the covariates of all sequences, None if there are none."""
    arrays = [
        None if part is None else as_matrix(part, allow_nan=True, name=f"The covariates of sequence {index}")
        for index, part in enumerate(parts)
    ]
    return _joined(arrays, "covariates", lengths, "")


def _joined(parts: Series[NDArray[Any] | None], name: str, lengths: Integers, hint: str) -> NDArray[Any] | None:
    given = [part for part in parts if part is not None]
    if not given:
        return None
    columns = given[0].shape[1:]
    for index, (part, length) in enumerate(zip(parts, lengths.tolist(), strict=True)):
        if part is None:
            msg = f"Sequence {index} has no {name}, others have: give them for all{hint}."
            raise ValueError(msg)
        if part.shape == (length, *columns):
            continue
        if part.shape[:1] != (length,):
            msg = f"{name} of sequence {index} need one row for each of its {length} rows; found shape {part.shape}."
            raise ValueError(msg)
        msg = (
            f"{name} of sequence {index} have shape {part.shape}, those of sequence 0 {given[0].shape}: give all "
            "sequences the same kind, and as many columns."
        )
        raise ValueError(msg)
    return np.concatenate(given)

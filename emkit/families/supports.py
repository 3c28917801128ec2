"""What the families of plain columns share: checks of the support, rows as terms, logarithms of zero."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit.arrays import as_matrix
from emkit.families.base import Array

#: Stands for ``log 0`` in matrix products, where ``0 * -inf`` would be NaN.
LOG_ZERO = -1e250
#: From here on not every whole number is a float.
LARGEST_COUNT = 2.0**53
COUNTS = "whole numbers from 0 to 2**53"


@attrs.frozen(eq=False)
class Terms:
    """Rows of an exponential family: its log-density is linear in ``terms``.

    Attributes
    ----------
    values : (n_samples, n_features)
        The data; NaN has become a value of the support.
    terms : (n_samples, n_terms)
        Sufficient statistics of every row, its log base measure if it has one, and a one at the end.
    """

    values: Array
    terms: Array

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: Any) -> Terms:
        """Return some of the rows, chosen by a boolean or integer index."""
        return Terms(self.values[rows], self.terms[rows])

    @classmethod
    def of(cls, values: Array, *blocks: Array) -> Terms:
        """Return rows with these blocks of columns as terms, and a column of ones."""
        return cls(values, np.column_stack([*blocks, np.ones(len(values))]))


def checked(x: Any, family: str, expected: str, is_allowed: Any, filler: float) -> Array:
    """Return data as a matrix without NaN, or raise a ValueError that names the first entry outside the support.

    Parameters
    ----------
    x : (n_samples, n_features)
    family : str
        Who asks, for the message.
    expected : str
        What entries must be, for the message.
    is_allowed : callable
        Takes the matrix, returns which entries are in the support.
    filler : float
        A value of the support, put in place of NaN.
    """
    matrix = as_matrix(x, allow_nan=True)
    missing = np.isnan(matrix)
    if missing.any():
        matrix = np.where(missing, filler, matrix)
    refuse(~is_allowed(matrix), matrix, family, expected)
    return matrix


def refuse(wrong: NDArray[np.bool_], matrix: Array, family: str, expected: str) -> None:
    """Raise a ValueError that names the first wrong entry, if there is any."""
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        others = int(wrong.sum()) - 1
        msg = (
            f"Row {row}, column {column} is {matrix[row, column]:g}"
            f"{f', and {others} more entries are of that kind' if others else ''}; {family} expects {expected}. "
            "Recode or drop such rows, or choose another family."
        )
        raise ValueError(msg)


def are_counts(matrix: Array) -> NDArray[np.bool_]:
    """Return which entries are whole numbers that are counted exactly."""
    allowed: NDArray[np.bool_] = (matrix >= 0) & (matrix <= LARGEST_COUNT) & (matrix == np.floor(matrix))
    return allowed


def finite_log(values: Array) -> Array:
    """Return the logarithm, with :data:`LOG_ZERO` in place of minus infinity."""
    positive = values > 0
    return np.where(positive, np.log(np.where(positive, values, 1.0)), LOG_ZERO)


def with_infinities(log_density: Array) -> Array:
    """Return log-densities with minus infinity wherever a :data:`LOG_ZERO` took part."""
    return np.where(log_density < LOG_ZERO / 2, -np.inf, log_density)

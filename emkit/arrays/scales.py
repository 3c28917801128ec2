"""By what columns of data are standardised."""

from __future__ import annotations

import numpy as np

from emkit.arrays.numbers import Array

#: A column whose values differ by no more than this many units in the last place is constant.
CONSTANT_ULPS = 4
#: A constant column has its own size as scale if that is between this and its inverse, else one.
SMALLEST_CONSTANT = 1e-100
#: Largest standard deviation of a column; its square, times a few hundred, is the largest float.
LARGEST_SCALE = 1e152


def column_scales(deviation: Array, size: Array) -> Array:
    """Return the standard deviations of columns as scales; a constant column gets its size instead, or one.

    Parameters
    ----------
    deviation, size : (n_features,)
        Standard deviation and largest absolute value of each column.

    Raises
    ------
    ValueError
        If the square of a scale, a variance, would leave the range of floats.
    """
    is_constant = deviation <= CONSTANT_ULPS * np.spacing(size)
    usual = (size >= SMALLEST_CONSTANT) & (size <= 1 / SMALLEST_CONSTANT)
    scale = np.where(is_constant, np.where(usual, size, 1.0), deviation)
    outside = np.flatnonzero((scale > LARGEST_SCALE) | (scale < 1 / LARGEST_SCALE))
    if outside.size:
        column = outside[0]
        msg = (
            f"Column {column} has a standard deviation of {deviation[column]:.3g}; variances of that size leave the "
            f"range of floats. Give it in other units, with a standard deviation between 1e-150 and 1e150."
        )
        raise ValueError(msg)
    return scale

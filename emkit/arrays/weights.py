"""How often each sample counts."""

from __future__ import annotations

from typing import overload

import numpy as np
from numpy.typing import ArrayLike

from emkit.arrays.numbers import Array, to_floats

#: Largest total of weights, and the inverse of the smallest: their products with log-densities stay floats.
LARGEST_TOTAL = 1e300


@overload
def as_sample_weight(weight: None, n_samples: int, *, check_total: bool = True) -> None: ...
@overload
def as_sample_weight(weight: ArrayLike, n_samples: int, *, check_total: bool = True) -> Array: ...
def as_sample_weight(weight: ArrayLike | None, n_samples: int, *, check_total: bool = True) -> Array | None:
    """Return one float64 weight per sample, or None for None.

    Parameters
    ----------
    weight : (n_samples,), float or None
        How often each sample counts. A number stands for that weight on every sample.
    n_samples : int
        Number of samples.
    check_total : bool
        Whether the weights must add up to an ordinary positive number. Those of a part of the data need not: all of
        them may be zero.

    Returns
    -------
    weights : (n_samples,) or None

    Raises
    ------
    ValueError
        If the shape is wrong, a weight is negative, NaN or infinite, or the total is zero or leaves the range of
        floats; the message names the first.
    """
    if weight is None:
        return None
    weights = to_floats(weight, "sample_weight")
    if weights.ndim == 0:
        weights = np.full(n_samples, float(weights))
    if weights.shape != (n_samples,):
        msg = (
            f"sample_weight has shape {weights.shape}, expected ({n_samples},): one weight for each row of X, or "
            "one number for all of them."
        )
        raise ValueError(msg)
    wrong = ~(np.isfinite(weights) & (weights >= 0))
    if wrong.any():
        index = int(np.argmax(wrong))
        msg = f"sample_weight[{index}] is {weights[index]}; a weight must be finite and not negative."
        raise ValueError(msg)
    if check_total:
        _check_total(weights)
    return weights


def _check_total(weights: Array) -> None:
    if not weights.any():
        msg = "All entries of sample_weight are zero: give at least one sample a positive weight."
        raise ValueError(msg)
    with np.errstate(over="ignore"):
        total = weights.sum()
    if not 1 / LARGEST_TOTAL <= total <= LARGEST_TOTAL:
        msg = (
            f"sample_weight adds up to {total:g}; a total between {1 / LARGEST_TOTAL:g} and {LARGEST_TOTAL:g} is "
            "expected: divide the weights by the largest of them."
        )
        raise ValueError(msg)

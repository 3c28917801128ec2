"""Monotone patterns: the maximum of the likelihood in closed form."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from emkit_mvn.kernels.blocks import Block
from emkit_mvn.kernels.patterns import Booleans, Indices

Array = NDArray[np.float64]


def monotone_order(observed: Booleans) -> Indices | None:
    """Return an order of the columns in which every pattern sees the first few of them, or None if there is none.

    Parameters
    ----------
    observed : (n_patterns, n_features)
    """
    order = np.argsort(-np.count_nonzero(observed, axis=0), kind="stable")
    in_order = observed[:, order]
    is_monotone = not (in_order[:, 1:] & ~in_order[:, :-1]).any()
    return order if is_monotone else None


def monotone_maximum(blocks: Sequence[Block], order: Indices) -> tuple[Array, Array]:
    """Return the mean and the covariance of highest likelihood, in the units of the blocks.

    The likelihood factors into regressions of every column on those before it, each over the rows that see it
    (Anderson 1957, JASA 52:200; Little and Rubin 2019, section 7.4):

        mean[j]          = b0 + b mean[before],
        covariance[j, :] = b covariance[before, :],
        covariance[j, j] = b covariance[before, before] b' + mean square of the residuals.
    """
    size = len(order)
    mean, covariance = np.zeros(size), np.zeros((size, size))
    rows, multipliers, observed = _stacked(blocks)
    for position, column in enumerate(order):
        before = order[:position]
        seen = observed[:, column]
        design = np.column_stack([multipliers[seen], rows[seen][:, before]])
        coefficients, *_ = np.linalg.lstsq(design, rows[seen, column], rcond=None)
        residuals = rows[seen, column] - design @ coefficients
        intercept, slopes = coefficients[0], coefficients[1:]
        mean[column] = intercept + slopes @ mean[before]
        covariance[column, before] = covariance[before, column] = covariance[np.ix_(before, before)] @ slopes
        remainder = residuals @ residuals / (multipliers[seen] @ multipliers[seen])
        covariance[column, column] = slopes @ covariance[before, column] + remainder
    return mean, covariance


def _stacked(blocks: Sequence[Block]) -> tuple[Array, Array, Booleans]:
    return (
        np.concatenate([block.rows for block in blocks]),
        np.concatenate([block.multipliers for block in blocks]),
        np.concatenate([block.observed[block.pattern] for block in blocks]),
    )

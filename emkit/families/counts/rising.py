"""Sums of ``log(1 + dispersion * j)`` over ``j < count``: what a negative binomial likelihood is made of.

The log-density of a count y with mean m and dispersion a (variance ``m + a m**2``) is

    sum_{j<y} log(1 + a j) + y log(m) - (y + 1/a) log(1 + a m) - log(y!)

so all that n counts say about ``a``, beside their mean, is how many of them exceed each j. That is a statistic of as
many numbers as the largest count. To bound it, the terms are gathered at *knots*: every j up to :data:`EXACT`, and
from there on numbers that grow by a fifth. A term between two knots l < j < r is shared among them by

    log(1 + a j) >= w log(1 + a l) + (1 - w) log(1 + a r) + constant,   w = (r-j)/(r-l) * (1 + b l)/(1 + b j)

which holds for all ``a``, since j is a mean of l and r and the logarithm is concave, with equality at ``a = b``: sums
of these shares at the current dispersions give an M-step that cannot lower the likelihood, and that is exact for
counts up to :data:`EXACT`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emkit.families.base import Array

#: Up to this count the statistics are exact.
EXACT = 64
_FAR = np.round(EXACT * 2 ** (np.arange(200) / 4))
KNOTS: Array = np.concatenate([np.arange(EXACT, dtype=np.float64), _FAR])
NODES, NODE_WEIGHTS = np.polynomial.legendre.leggauss(10)


def knot_weights(values: Array, counts: Array, dispersions: Array) -> Array:
    """Return how much of ``sum_y counts[y] sum_{j<y} log(1 + a j)`` falls to every knot, (n_components, n_knots).

    Parameters
    ----------
    values : (n_values,)
        Distinct counts, in increasing order.
    counts : (n_components, n_values)
        How often each component shows them.
    dispersions : (n_components,)
        Where the bound touches.
    """
    n_components = len(counts)
    interval = np.clip(np.searchsorted(KNOTS, values, side="right") - 1, 0, len(KNOTS) - 2)
    inside = np.zeros((n_components, len(KNOTS)))
    np.add.at(inside.T, interval, counts.T)
    beyond = inside[:, ::-1].cumsum(axis=1)[:, ::-1] - inside
    # Where every j is a knot of its own, its term belongs to it alone.
    weights = np.where(np.arange(len(KNOTS)) < EXACT, beyond, 0.0)
    last = int(interval.max(initial=0))
    wide = np.arange(EXACT, last)
    if len(wide):
        _share(weights, wide, KNOTS[wide + 1], beyond[:, wide], dispersions)
    partial = np.flatnonzero((interval >= EXACT) & (values > KNOTS[interval]))
    if len(partial):
        _share(weights, interval[partial], values[partial], counts[:, partial], dispersions)
    return weights


def _share(weights: Array, interval: NDArray[np.intp], ends: Array, counts: Array, dispersions: Array) -> None:
    """Add to ``weights`` the terms j from a knot up to ``ends``, shared among it and the next knot."""
    left = _left_shares(KNOTS[interval], KNOTS[interval + 1], ends, dispersions[:, None])
    np.add.at(weights.T, interval, (counts * left).T)
    np.add.at(weights.T, interval + 1, (counts * (ends - KNOTS[interval] - left)).T)


def _left_shares(left: Array, right: Array, ends: Array, dispersions: Array) -> Array:
    """Return the sum of the w of the module's formula over ``left <= j < ends``: an integral and its corrections.

    The midpoint form of the Euler-Maclaurin formula; where it is used every j is at least 64, and the first term left
    out is below 1e-9 of the sum.
    """
    half = (ends - left) / 2
    centre = left - 0.5 + half
    factor = (1 + dispersions * left) / (right - left)

    def derivative(x: Array) -> Array:
        return -(1 + dispersions * right) / (1 + dispersions * x) ** 2

    total = np.zeros(np.broadcast_shapes(half.shape, dispersions.shape))
    for node, weight in zip(NODES, NODE_WEIGHTS, strict=True):
        x = centre + node * half
        total += weight * half * (right - x) / (1 + dispersions * x)
    total -= (derivative(centre + half) - derivative(centre - half)) / 24
    return np.clip(factor * total, 0.0, ends - left)

"""Leaps of the degrees of freedom, where EM would crawl: from about ten on, up to as good as normal.

The EM step for light tails is ever shorter the lighter they are: the way to a normal has no end. But with means and
shapes of the scatters held, the weighted log-likelihood is a function of ``df`` and of a factor ``c`` of the scatter,

    counts * (ratio(df) - p / 2 log(c)) - (df + p) / 2 * sum_n r_n log(1 + d_n t),    t = 1 / (df * c),

and the fourth derivative of the logarithm is negative, so that its Taylor polynomial of third order at the current
``t`` is never below it, and next to equal where tails are light. With the sums of three derivatives a step far off is
judged before it is taken, and one that seems to climb does.
"""

from __future__ import annotations

import attrs
import numpy as np
from scipy import special

from emkit.families.base import Array
from emkit.families.gaussian.expansions import Booleans
from emkit.families.roots import decreasing_roots
from emkit.families.student.tails import HIGHEST_DF, log_gamma_ratio, log_minus_digamma

#: Heavier tails than this are left to EM, which is fast there and sees more than the tail.
LIGHT_DF = 10.0
#: What ``t`` is tried at, in multiples of the current one. Whatever is nearer is left to EM, which moves means too.
MULTIPLES = np.array([0.1, 0.25, 0.5, 0.8, 0.9, 1.1, 1.25, 2.0, 4.0])
#: A leap must gain more than this, in nats for each row: less may be rounding.
LEAST_GAIN = 1e-10


@attrs.frozen(eq=False)
class TailSums:
    """What rows say of the tails of every component: of ``log(1 + d t)`` at ``t = 1 / df``.

    Attributes
    ----------
    logs : (n_components,)
        ``sum_n r_nk log(1 + d_nk / df)``.
    powers : (n_components, 3)
        ``sum_n r_nk y_nk**j`` with ``y = d / (df + d)`` for j from 1 to 3; zero if the tails of all are heavy.
    """

    logs: Array
    powers: Array

    @classmethod
    def of(cls, df: Array, distances: Array, responsibilities: Array) -> TailSums:
        """Return the sums over rows."""
        powers = np.zeros((len(df), 3))
        with np.errstate(under="ignore"):
            logs = np.einsum("nk,nk->k", responsibilities, np.log1p(distances / df))
            # Of heavy tails nothing more is asked.
            if (df >= LIGHT_DF).any():
                shares = distances / (df + distances)
                squares = shares * shares
                powers[:, 0] = np.einsum("nk,nk->k", responsibilities, shares)
                powers[:, 1] = np.einsum("nk,nk->k", responsibilities, squares)
                powers[:, 2] = np.einsum("nk,nk->k", responsibilities, squares * shares)
        return cls(logs, powers)

    def logs_at(self, multiples: Array) -> Array:
        """Return a bound above ``logs``, next to equal, where ``t`` is a multiple (n_components,) of what it is."""
        change = multiples - 1.0
        terms = np.stack([change, -(change**2) / 2, change**3 / 3], axis=1)
        bounds: Array = self.logs + (self.powers * terms).sum(axis=1)
        return bounds

    def multiples_of_slope(self, target: Array) -> Array:
        """Return multiples whose product with the derivative of the bound is about ``target``, where both are small."""
        multiples = np.zeros_like(target)
        for _ in range(3):
            slopes = self.powers[:, 0] - (multiples - 1) * self.powers[:, 1]
            slopes += (multiples - 1) ** 2 * self.powers[:, 2]
            multiples = target / np.where(slopes > 0, slopes, 1.0)
        return np.where(multiples > 0, multiples, 1.0)


@attrs.frozen(eq=False)
class Leaps:
    """Where the tails of each component had better be.

    Attributes
    ----------
    gains : (n_components,)
        In nats, at unchanged responsibilities; minus infinity where there is nothing to gain.
    df, factors : (n_components,)
        The new degrees of freedom, and what scatters are multiplied by.
    """

    gains: Array
    df: Array
    factors: Array

    def or_other(self, other: Leaps) -> Leaps:
        """Return the better of two for each component."""
        better = other.gains > self.gains
        pairs = ((getattr(other, name), getattr(self, name)) for name in ("gains", "df", "factors"))
        return Leaps(*(np.where(better, new, old) for new, old in pairs))


def best_leaps(df: Array, counts: Array, sums: TailSums, n_features: int, shrinkable: Booleans) -> Leaps:
    """Return the best leap of each component that gains anything.

    Parameters
    ----------
    df, counts : (n_components,)
        Counts are positive.
    sums : TailSums
    n_features : int
    shrinkable : (n_components,) of bool
        Whether scatters may be multiplied; elsewhere the factor is one.
    """
    half = n_features / 2

    def value(new: Array, factors: Array, logs: Array) -> Array:
        return counts * (log_gamma_ratio(new / 2, half) - half * np.log(factors)) - (new / 2 + half) * logs

    def leap(multiples: Array, new: Array) -> Leaps:
        multiples = np.where(shrinkable, multiples, df / new)
        factors = np.where(shrinkable, df / (multiples * new), 1.0)
        gains = value(new, factors, sums.logs_at(multiples)) - before
        return Leaps(np.where((df >= LIGHT_DF) & (gains > 0), gains, -np.inf), new, factors)

    before = value(df, np.ones_like(df), sums.logs) + LEAST_GAIN * counts
    top = np.full(df.shape, HIGHEST_DF)
    best = leap(sums.multiples_of_slope(counts * n_features / (HIGHEST_DF + n_features)), top)
    for multiple in MULTIPLES:
        free = _best_df(sums.logs_at(np.full(df.shape, multiple)) / counts, half)
        best = best.or_other(
            leap(np.full(df.shape, multiple), np.where(shrinkable, free, np.minimum(df / multiple, top)))
        )
    return best


def _best_df(mean_logs: Array, half: float) -> Array:
    """Return the ``df`` with ``digamma(df / 2 + half) - digamma(df / 2) = mean_logs``."""
    target = np.log(np.maximum(mean_logs, 1e-300))

    def excess(logarithm: Array) -> tuple[Array, Array]:
        a = np.exp(logarithm)
        rise = np.log1p(half / a) + log_minus_digamma(a) - log_minus_digamma(a + half)
        return np.log(rise) - target, a * (special.polygamma(1, a + half) - special.polygamma(1, a)) / rise

    lower, upper = np.full(target.shape, np.log(LIGHT_DF / 8)), np.full(target.shape, np.log(HIGHEST_DF / 2))
    return np.asarray(2.0 * np.exp(decreasing_roots(excess, np.log(half) - target, lower, upper)))

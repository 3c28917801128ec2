"""How heavy the tails of a t distribution are: the density as a function of ``tail = 1 / df``.

The normal is the end ``tail = 0`` of the family, so everything here is computed without cancellation near it.
"""

from __future__ import annotations

from typing import TypeVar

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, polygamma, psi

Array = NDArray[np.float64]
#: Of each row, or summed over rows.
Sums = TypeVar("Sums", float, Array)

#: From here on asymptotic series have the precision of floats.
LARGE = 50.0
#: Tails this light are those of a normal as far as floats can tell.
LIGHTEST = 1e-8
#: A root is found once steps of its logarithm are of this size; Newton's method takes about five.
ROOT_STEP = 1e-14
MAX_NEWTON = 50


@attrs.frozen
class TailDensity:
    """The density of ``n_seen`` cells as a function of their squared Mahalanobis distance ``d``.

    What has a ``count`` is linear in what it is given, so that sums over rows may stand for rows: ``count`` is
    then the number of rows, or the sum of their weights.

    Attributes
    ----------
    tail : float
    n_seen : int
    """

    tail: float
    n_seen: int

    def growth(self, distances: Array) -> Array:
        """Return ``log(1 + d / df)``."""
        return np.log1p(self.tail * distances)

    def weights(self, distances: Array) -> Array:
        """Return the expected latent weight of every row, ``u = (df + n_seen) / (df + d)``; one for the normal."""
        return (1 + self.tail * self.n_seen) / (1 + self.tail * distances)

    def excess(self, distances: Array) -> Array:
        """Return ``u - 1``, exact also where it is tiny."""
        return self.tail * (self.n_seen - distances) / (1 + self.tail * distances)

    def kernel(self, count: float, growth: Sums, distances: Sums) -> Sums:
        """Return the log-density but for the determinant and the powers of ``2 pi``.

        With ``o = n_seen`` that is

            lgamma((df + o) / 2) - lgamma(df / 2) - o / 2 log(df / 2) - (df + o) / 2 log(1 + d / df)

        and for the normal ``-d / 2``.
        """
        if self.tail == 0:
            return -distances / 2
        # log1p(t d) / t is d to the last bit where t d is tiny.
        ratio = _log_gamma_ratio(0.5 / self.tail, self.n_seen / 2)
        return count * ratio - (1 / self.tail + self.n_seen) / 2 * growth

    def log_weights(self, count: float, growth: Sums) -> Sums:
        """Return the expected logarithm of the latent weight, ``digamma((df + n_seen) / 2) - log((df + d) / 2)``."""
        if self.tail == 0:
            return 0 * growth
        return count * (float(np.log1p(self.tail * self.n_seen)) - self._curve(self.n_seen)) - growth

    def scores(self, count: float, growth: Sums, excess: Sums, distances: Sums, squares: Sums) -> Sums:
        """Return the derivative of :meth:`kernel` with respect to the tail; ``squares`` are those of the distances."""
        if self.tail < LIGHTEST:
            return (squares - 2 * self.n_seen * distances + count * self.n_seen * (self.n_seen - 2)) / 4
        slope = count * self._curve(0) + self.log_weights(count, growth) - excess
        return -slope / (2 * self.tail**2)

    def _curve(self, n_seen: int) -> float:
        return float(log_minus_digamma((1 / self.tail + n_seen) / 2))


def log_minus_digamma(x: float) -> float:
    """Return ``log(x) - digamma(x)`` of a positive number: it falls from infinity to zero."""
    if x < LARGE:
        return float(np.log(x) - psi(x))
    square = (1 / x) ** 2
    return 0.5 / x + square * (1 / 12 - square * (1 / 120 - square / 252))


def df_from_curve(value: float) -> float:
    """Return the ``df`` with ``log(df / 2) - digamma(df / 2) = value``, for a positive value."""
    x = 0.5 / value
    for _ in range(MAX_NEWTON):
        curve = log_minus_digamma(x)
        # The curve in logarithms, nearly a line of slope -1.
        slope = (1 - x * float(polygamma(1, x))) / curve
        step = float(np.log(value / curve)) / slope
        x *= float(np.exp(step))
        if abs(step) < ROOT_STEP:
            break
    return 2 * x


def _log_gamma_ratio(a: float, b: float) -> float:
    """Return ``lgamma(a + b) - lgamma(a) - b log(a)``."""
    if a < LARGE:
        return float(gammaln(a + b) - gammaln(a) - b * np.log(a))
    # Stirling's series of both, with their common terms gone.
    grown = float(np.log1p(b / a))
    return (a + b - 0.5) * grown - b + _stirling(a + b) - _stirling(a)


def _stirling(x: float) -> float:
    square = (1 / x) ** 2
    return (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square / 1680))) / x

"""The mean of a wandering path, how well it is known, and whether the path still drifts."""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: When so many batches are full, they are merged two by two: a path of any length costs the same memory.
MAX_BATCHES = 48
#: Batches below which nothing is said about the mean.
MIN_BATCHES = MAX_BATCHES // 2
#: A standard error of the data is at least so many times a step at rest; see :meth:`Averages.least_standard_error`.
STEP_TO_ERROR = 1.7
#: Spread of batch means, relative to that of a random walk, below which a path counts as held by something. A random
#: walk itself is hardly ever below it, nor is one whose steps are half noise that leads nowhere.
HELD = 0.05
#: Largest correlation of neighbouring batches that is corrected for.
MAX_CORRELATION = 0.95


@attrs.frozen(eq=False)
class Batch:
    """Neighbouring points of a path.

    Attributes
    ----------
    weight : float
        Number of draws.
    mean : (n_entries,)
        Of the params, each point weighted by its draws.
    step : (n_entries,)
        Mean square of the steps to these points, times the draws of each: what a step on one draw would be.
    """

    weight: float
    mean: Array
    step: Array


class Averages:
    """The later half of a path in batches of equal length, whose scatter tells the error of their mean."""

    def __init__(self) -> None:
        self._batches: list[Batch] = []
        self._length = 1
        self._open: list[Batch] = []

    def add(self, x: Array, step: Array, n_draws: int) -> bool:
        """Take note of the next point and the step to it, and return whether it completes a batch."""
        self._open.append(Batch(n_draws, x, step**2 * n_draws))
        if len(self._open) < self._length:
            return False
        self._batches.append(_merged(self._open))
        self._open = []
        if len(self._batches) == MAX_BATCHES:
            self._batches = [_merged(self._batches[i : i + 2]) for i in range(0, MAX_BATCHES, 2)]
            self._length *= 2
        return True

    @property
    def is_telling(self) -> bool:
        """Whether there are batches enough for an error."""
        return len(self._batches) >= MIN_BATCHES

    @property
    def weight(self) -> float:
        """Number of draws in the later half."""
        return sum(batch.weight for batch in self._tail())

    def mean(self) -> Array | None:
        """Return the mean of the later half of the path; None before there is any."""
        tail = self._tail() or self._open
        return _merged(tail).mean if tail else None

    def standard_error(self) -> Array:
        """Return the Monte-Carlo standard error of the mean, entry by entry, by batch means.

        With B batch means b_i of weight w_i, m their mean, and r the correlation of neighbours,

            sum(w_i * (b_i - m)**2) / ((B - 1) * sum(w_i)) * (1 + r) / (1 - r)

        is its square. The last factor is that of an autoregression of order one; r is corrected for its bias in short
        series (Kendall 1954, Biometrika 41:403).
        """
        weights, deviations = self._deviations()
        n = len(weights)
        square = weights @ deviations**2 / ((n - 1) * weights.sum())
        power = (deviations**2).sum(axis=0)
        lagged = (deviations[1:] * deviations[:-1]).sum(axis=0)
        r = np.divide(lagged, power, out=np.zeros_like(power), where=power > 0)
        r = np.clip(r + (1 + 3 * r) / n, 0.0, MAX_CORRELATION)
        error: Array = np.sqrt(square * (1 + r) / (1 - r))
        return error

    def drift(self) -> Array:
        """Return how far the mean of the last quarter of the path is from that of the quarter before."""
        tail = self._tail()
        middle = len(tail) // 2
        change: Array = np.abs(_merged(tail[middle:]).mean - _merged(tail[:middle]).mean)
        return change

    def least_standard_error(self) -> Array:
        """Return a lower bound on the standard error that the data leave, entry by entry.

        Let F be the share of information that is missing (the matrix whose largest eigenvalue is the rate of EM), and
        measure params in the square root of the complete information. Then the data determine them with covariance
        ``inverse(I - F)``, M-steps on one draw at the same params scatter with covariance F, and the steps of a path at
        rest with ``2 * F / (I + F)``. For every F

            inverse(I - F) >= 2.91 * 2 * F / (I + F),    2.91 = min over f in (0, 1) of (1 + f) / (2 * f * (1 - f))

        so that no standard error is smaller than 1.7 times the root mean square of the steps. By that yardstick a
        Monte-Carlo error counts as small, whatever the units and however long the path.
        """
        error: Array = STEP_TO_ERROR * np.sqrt(_merged(self._tail()).step)
        return error

    def relaxation(self) -> float:
        """Return how many full steps the slowest entry takes to forget where it was, ``1 / (1 - r)`` at rate r.

        The mean of N points scatters ``1 / (1 - r)`` times as much as that of N independent steps.
        """
        steps = np.sqrt(_merged(self._tail()).step / self.weight)
        errors = self.standard_error()
        return float(np.divide(errors, steps, out=np.zeros_like(errors), where=steps > 0).max(initial=1.0))

    def looks_free(self, negligible: Array) -> NDArray[np.bool_]:
        """Return where the path may be one that nothing holds: a random walk, or a drift.

        A walk whose steps have mean square s spreads its B batch means of length L by

            sum((b_i - m)**2) / (B - 1)  ~  (B + 1) / 6 * L * s

        A path that EM pulls back with rate r spreads them by the fraction ``6 * B / (B * L * (1 - r))**2`` of that. To
        be below :data:`HELD` it has to last some forty times the relaxation time ``1 / (1 - r)``.
        """
        weights, deviations = self._deviations()
        n = len(weights)
        spread = (deviations**2).sum(axis=0) / (n - 1)
        steps = np.array([batch.step / batch.weight for batch in self._tail()]) * self._length
        walk = (n + 1) / 6 * self._length * steps.mean(axis=0)
        return np.asarray(spread > np.maximum(HELD * walk, negligible**2))

    def _tail(self) -> list[Batch]:
        return self._batches[len(self._batches) // 2 :]

    def _deviations(self) -> tuple[Array, Array]:
        weights = np.array([batch.weight for batch in self._tail()])
        means = np.array([batch.mean for batch in self._tail()])
        return weights, means - weights @ means / weights.sum()


def _merged(batches: list[Batch]) -> Batch:
    total = sum(batch.weight for batch in batches)
    mean: Array = sum(batch.weight / total * batch.mean for batch in batches)  # type: ignore[assignment]
    # Steps are one for each point, however many draws it took: all batches have as many points.
    step: Array = sum(batch.step for batch in batches) / len(batches)  # type: ignore[assignment]
    return Batch(total, mean, step)

"""A mixture of two coins: each set of tosses is made with one of them, and nobody saw which.

Example of C. B. Do and S. Batzoglou, "What is the expectation maximization algorithm?", Nature Biotechnology
26 (2008) 897-899. The model has the methods that emkit looks for and imports nothing of it.
"""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["CoinParams", "CoinStatistics", "Expectation", "TwoCoins"]

Array = NDArray[np.float64]


class CoinParams(NamedTuple):
    """What is learnt.

    Attributes
    ----------
    heads_probability : ndarray of shape (2,)
        Probability of heads of each coin.
    weight : float
        Probability that a set is made with the first coin.
    """

    heads_probability: Array
    weight: float = 0.5


class CoinStatistics(NamedTuple):
    """Expected totals of each coin, all of shape (2,); they add over the sets."""

    heads: Array
    tosses: Array
    sets: Array


class Expectation(NamedTuple):
    """What the E-step gives."""

    statistics: CoinStatistics
    log_likelihood: float


@dataclass(frozen=True)
class TwoCoins:
    """Two coins of unknown bias.

    Data are arrays of shape (n_sets, 2): heads and tosses of each set.

    Attributes
    ----------
    estimate_weight : bool
        Whether the weight of the first coin is learnt too; otherwise it stays what the starting params say.
    tosses_per_set : int
        How long the sets are that :meth:`sample` draws.
    """

    estimate_weight: bool = False
    tosses_per_set: int = 10

    def e_step(self, params: CoinParams, data: Any) -> Expectation:
        """Return the expected totals of each coin and the log-likelihood in nats."""
        heads, tosses = np.asarray(data, dtype=float).T
        log_joint = _log_joint(params, heads, tosses)
        highest = log_joint.max(axis=1, keepdims=True)
        # A set that neither coin can make has no posterior: it counts half for each, at likelihood zero.
        joint = np.exp(log_joint - np.where(np.isfinite(highest), highest, 0.0))
        total = joint.sum(axis=1, keepdims=True)
        responsibilities = np.divide(joint, total, out=np.full_like(joint, 0.5), where=total > 0)
        statistics = CoinStatistics(
            heads=heads @ responsibilities,
            tosses=tosses @ responsibilities,
            sets=responsibilities.sum(axis=0),
        )
        return Expectation(statistics, float(np.sum(highest[:, 0] + _log(total[:, 0]))))

    def m_step(self, params: CoinParams, statistics: CoinStatistics) -> CoinParams:
        """Return the share of heads of each coin; a coin that was never tossed keeps its last one."""
        heads, tosses, sets = statistics
        shares = np.array(params.heads_probability, dtype=float)
        np.divide(heads, tosses, out=shares, where=tosses > 0)
        weight = float(sets[0] / sets.sum()) if self.estimate_weight and sets.sum() > 0 else params.weight
        return CoinParams(np.clip(shares, 0.0, 1.0), weight)

    def log_likelihood(self, params: CoinParams, data: Any) -> float:
        """Return the log-likelihood in nats, summed over the sets, with the binomial coefficients."""
        return self.e_step(params, data).log_likelihood

    def initialize(self, data: Any, rng: np.random.Generator) -> CoinParams:
        """Return two coins drawn around the share of heads in all the data."""
        heads, tosses = np.asarray(data, dtype=float).sum(axis=0)
        # Beta with the strength of four tosses: wide enough to tell the coins apart, never at 0 or 1.
        share = (heads + 1) / (tosses + 2)
        return CoinParams(rng.beta(4 * share, 4 * (1 - share), size=2), 0.5)

    def sample(self, params: CoinParams, n: int, rng: np.random.Generator) -> Array:
        """Return `n` sets of ``tosses_per_set`` tosses."""
        coins = np.where(rng.random(n) < params.weight, 0, 1)
        heads = rng.binomial(self.tosses_per_set, np.asarray(params.heads_probability)[coins])
        return np.column_stack([heads, np.full(n, self.tosses_per_set)]).astype(float)

    def n_parameters(self, params: CoinParams) -> int:
        """Return how many numbers are learnt."""
        return 3 if self.estimate_weight else 2


def _log_joint(params: CoinParams, heads: Array, tosses: Array) -> Array:
    """Return log P(heads of set i, coin k), shape (n_sets, 2)."""
    probability = np.asarray(params.heads_probability, dtype=float)
    tails = tosses - heads
    log_weights = _log(np.array([params.weight, 1.0 - params.weight]))
    log_ways = _log_factorial(tosses) - _log_factorial(heads) - _log_factorial(tails)
    log_tosses = _times_log(heads, probability) + _times_log(tails, 1.0 - probability)
    return log_weights + log_ways[:, np.newaxis] + log_tosses


def _log(values: Array) -> Array:
    """Return the logarithm, -inf at zero without a warning."""
    return np.log(values, out=np.full_like(values, -np.inf), where=values > 0)


def _times_log(counts: Array, probability: Array) -> Array:
    """Return counts[i] * log(probability[k]), where what never happens costs nothing: 0 * log(0) = 0."""
    column = counts[:, np.newaxis]
    return np.where(column > 0, np.where(column > 0, column, 1.0) * _log(probability), 0.0)


def _log_factorial(counts: Array) -> Array:
    return np.array([math.lgamma(count + 1) for count in counts])

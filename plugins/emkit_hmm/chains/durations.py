"""How long a state lasts: laws of durations 1, 2, ..., one for each state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

import attrs
import numpy as np
from scipy import optimize, special

from emkit import space
from emkit_hmm.chains.base import Array, Integers

DurationParams = TypeVar("DurationParams")

#: Range of the logarithm of the size of a negative binomial, within which its M-step looks.
LOG_SIZES = (-7.0, 16.0)
#: How long a state lasts at the start, on average.
START_MEAN = 5.0


class Durations(ABC, Generic[DurationParams]):
    """A family of laws of durations. Probabilities beyond the longest duration are lost, so keep them small."""

    @abstractmethod
    def initialize(self, n_states: int, longest: int) -> DurationParams:
        """Return params to start from, the same for all states."""

    @abstractmethod
    def log_pmf(self, params: DurationParams, longest: int) -> Array:
        """Return ``log P(duration = d | state k)`` for d = 1, ..., longest; (n_states, longest)."""

    @abstractmethod
    def m_step(self, params: DurationParams, counts: Array) -> DurationParams:
        """Return the maximiser of ``sum_kd counts[k, d - 1] * log P(d | k)``; a state without counts keeps its own."""

    @abstractmethod
    def permuted(self, params: DurationParams, order: Integers) -> DurationParams:
        """Return params with state ``order[k]`` as the new state k."""


@attrs.frozen(eq=False)
class PoissonDurationParams:
    """Params of durations that are one plus a Poisson number.

    Attributes
    ----------
    rates : (n_states,)
        Mean duration less one.
    """

    rates: Array = space.positive()


@attrs.frozen
class PoissonDurations(Durations[PoissonDurationParams]):
    """``duration - 1 ~ Poisson(rates[k])``."""

    def initialize(self, n_states: int, longest: int) -> PoissonDurationParams:
        """Return the same rate for all states."""
        return PoissonDurationParams(np.full(n_states, min(START_MEAN, (longest + 1) / 2) - 1))

    def log_pmf(self, params: PoissonDurationParams, longest: int) -> Array:
        """Return Poisson probabilities."""
        further, rates = np.arange(longest), params.rates[:, None]
        return np.asarray(special.xlogy(further, rates) - rates - special.gammaln(further + 1))

    def m_step(self, params: PoissonDurationParams, counts: Array) -> PoissonDurationParams:
        """Return mean durations less one."""
        return PoissonDurationParams(_mean_further(counts, params.rates))

    def permuted(self, params: PoissonDurationParams, order: Integers) -> PoissonDurationParams:
        """Return params of states in another order."""
        return PoissonDurationParams(params.rates[order])


@attrs.frozen(eq=False)
class NegativeBinomialDurationParams:
    """Params of durations that are one plus a negative binomial number.

    Attributes
    ----------
    means : (n_states,)
        Mean duration less one.
    sizes : (n_states,)
        The variance is ``means + means**2 / sizes``; size 1 is the geometric law of a plain Markov chain.
    """

    means: Array = space.positive()
    sizes: Array = space.positive()


@attrs.frozen
class NegativeBinomialDurations(Durations[NegativeBinomialDurationParams]):
    """``duration - 1 ~ NegativeBinomial(means[k], sizes[k])``."""

    def initialize(self, n_states: int, longest: int) -> NegativeBinomialDurationParams:
        """Return the same law for all states."""
        mean = min(START_MEAN, (longest + 1) / 2) - 1
        return NegativeBinomialDurationParams(np.full(n_states, mean), np.full(n_states, 2.0))

    def log_pmf(self, params: NegativeBinomialDurationParams, longest: int) -> Array:
        """Return negative binomial probabilities."""
        return _negative_binomial(np.arange(longest), params.means[:, None], params.sizes[:, None])

    def m_step(self, params: NegativeBinomialDurationParams, counts: Array) -> NegativeBinomialDurationParams:
        """Return mean durations less one, and the best size for each."""
        means = _mean_further(counts, params.means)
        sizes = np.array(params.sizes)
        further = np.arange(counts.shape[1])
        for k in np.flatnonzero(counts.sum(axis=1) > 0):

            def fall(log_size: float, k: int = int(k)) -> float:
                return -float(counts[k] @ _negative_binomial(further, means[k], np.exp(log_size)))

            found = optimize.minimize_scalar(fall, bounds=LOG_SIZES, method="bounded", options={"xatol": 1e-9})
            if found.fun <= fall(float(np.log(sizes[k]))):
                sizes[k] = np.exp(found.x)
        return NegativeBinomialDurationParams(means, sizes)

    def permuted(self, params: NegativeBinomialDurationParams, order: Integers) -> NegativeBinomialDurationParams:
        """Return params of states in another order."""
        return NegativeBinomialDurationParams(params.means[order], params.sizes[order])


@attrs.frozen(eq=False)
class FreeDurationParams:
    """Params of durations with a probability each.

    Attributes
    ----------
    probabilities : (n_states, longest)
        Of the durations 1, ..., longest.
    """

    probabilities: Array = space.simplex()


@attrs.frozen
class FreeDurations(Durations[FreeDurationParams]):
    """A probability of its own for every duration (non-parametric)."""

    def initialize(self, n_states: int, longest: int) -> FreeDurationParams:
        """Return durations that are all alike."""
        return FreeDurationParams(np.full((n_states, longest), 1 / longest))

    def log_pmf(self, params: FreeDurationParams, longest: int) -> Array:
        """Return the logarithms."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(params.probabilities))

    def m_step(self, params: FreeDurationParams, counts: Array) -> FreeDurationParams:
        """Return shares of counts."""
        total = counts.sum(axis=1, keepdims=True)
        return FreeDurationParams(np.where(total > 0, counts / np.where(total > 0, total, 1.0), params.probabilities))

    def permuted(self, params: FreeDurationParams, order: Integers) -> FreeDurationParams:
        """Return params of states in another order."""
        return FreeDurationParams(params.probabilities[order])


def _mean_further(counts: Array, previous: Array) -> Array:
    """Return the mean of durations less one, (n_states,)."""
    total = counts.sum(axis=1)
    return np.where(total > 0, counts @ np.arange(counts.shape[1]) / np.where(total > 0, total, 1.0), previous)


def _negative_binomial(number: Any, mean: Any, size: Any) -> Array:
    """Return the log-probability of a number of given mean and size."""
    return np.asarray(
        special.gammaln(number + size)
        - special.gammaln(size)
        - special.gammaln(number + 1)
        - size * np.log1p(mean / size)
        + special.xlogy(number, mean / (size + mean))
    )

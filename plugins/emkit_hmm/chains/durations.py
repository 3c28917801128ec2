"""How long a state lasts: laws of durations 1, 2, ..., longest, one for each state."""

from __future__ import annotations

import attrs
import numpy as np
from scipy import special

from emkit import space
from emkit.families import NegativeBinomial, NegativeBinomialParams
from emkit_hmm.chains.base import Array, Integers
from emkit_hmm.chains.cut import CutDurations, Durations
from emkit_hmm.chains.markov import ratio

#: How long a state lasts at the start, on average.
START_MEAN = 5.0
#: A rate that counts as zero.
SMALLEST = 1e-300


@attrs.frozen(eq=False)
class PoissonDurationParams:
    """Params of durations that are one plus a Poisson number.

    Attributes
    ----------
    rates : (n_states,)
        Mean duration less one, if nothing is cut off.
    """

    rates: Array = space.positive()


@attrs.frozen
class PoissonDurations(CutDurations[PoissonDurationParams]):
    """``duration - 1 ~ Poisson(rates[k])``, cut at the longest duration."""

    def initialize(self, n_states: int, longest: int) -> PoissonDurationParams:
        """Return the same rate for all states."""
        return PoissonDurationParams(np.full(n_states, min(START_MEAN, (longest + 1) / 2) - 1))

    def log_law(self, params: PoissonDurationParams, n: int) -> Array:
        """Return Poisson probabilities."""
        further, rates = np.arange(n), params.rates[:, None]
        return np.asarray(special.xlogy(further, rates) - rates - special.gammaln(further + 1))

    def fit(self, params: PoissonDurationParams, counts: Array) -> PoissonDurationParams:
        """Return mean durations less one."""
        return PoissonDurationParams(_mean_further(counts, params.rates))

    def slopes(self, params: PoissonDurationParams, counts: Array) -> PoissonDurationParams:
        """Return ``sums / rates - counts``."""
        sums = counts @ np.arange(counts.shape[1])
        return PoissonDurationParams(sums / np.maximum(params.rates, SMALLEST) - counts.sum(axis=1))

    def permuted(self, params: PoissonDurationParams, order: Integers) -> PoissonDurationParams:
        """Return params of states in another order."""
        return PoissonDurationParams(params.rates[order])


@attrs.frozen(eq=False)
class NegativeBinomialDurationParams:
    """Params of durations that are one plus a negative binomial number.

    Attributes
    ----------
    means : (n_states,)
        Mean duration less one, if nothing is cut off.
    dispersions : (n_states,)
        The variance is ``means + dispersions * means**2``: 1 is the geometric law of a plain Markov chain, 0 that of
        :class:`PoissonDurations`.
    """

    means: Array = space.positive()
    dispersions: Array = space.positive()


@attrs.frozen
class NegativeBinomialDurations(CutDurations[NegativeBinomialDurationParams]):
    """``duration - 1 ~ NegativeBinomial(means[k], dispersions[k])``, cut at the longest duration."""

    def initialize(self, n_states: int, longest: int) -> NegativeBinomialDurationParams:
        """Return the same law for all states."""
        mean = min(START_MEAN, (longest + 1) / 2) - 1
        return NegativeBinomialDurationParams(np.full(n_states, mean), np.full(n_states, 0.5))

    def log_law(self, params: NegativeBinomialDurationParams, n: int) -> Array:
        """Return negative binomial probabilities."""
        family = NegativeBinomial()
        return family.log_density(_as_family(params), family.prepare(_further(n))).T

    def fit(self, params: NegativeBinomialDurationParams, counts: Array) -> NegativeBinomialDurationParams:
        """Return mean durations less one, and the best dispersion for each."""
        family = NegativeBinomial()
        best = family.fit(family.prepare(_further(counts.shape[1])), counts.T, _as_family(params))
        return NegativeBinomialDurationParams(best.means[:, 0], best.dispersions[:, 0])

    def slopes(self, params: NegativeBinomialDurationParams, counts: Array) -> NegativeBinomialDurationParams:
        """Return the derivatives with respect to means and dispersions."""
        family, given = NegativeBinomial(), _as_family(params)
        sums = family.statistics(given, family.prepare(_further(counts.shape[1])), counts.T)
        slopes = family.complete_score(given, sums)
        return NegativeBinomialDurationParams(slopes.means[:, 0], slopes.dispersions[:, 0])

    def permuted(self, params: NegativeBinomialDurationParams, order: Integers) -> NegativeBinomialDurationParams:
        """Return params of states in another order."""
        return NegativeBinomialDurationParams(params.means[order], params.dispersions[order])


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

    def complete_score(self, params: FreeDurationParams, counts: Array) -> FreeDurationParams:
        """Return ``counts / probabilities``."""
        return FreeDurationParams(ratio(counts, params.probabilities))

    def permuted(self, params: FreeDurationParams, order: Integers) -> FreeDurationParams:
        """Return params of states in another order."""
        return FreeDurationParams(params.probabilities[order])


def _mean_further(counts: Array, previous: Array) -> Array:
    """Return the mean of durations less one, (n_states,)."""
    total = counts.sum(axis=1)
    return np.where(total > 0, counts @ np.arange(counts.shape[1]) / np.where(total > 0, total, 1.0), previous)


def _further(longest: int) -> Array:
    """Return the durations less one as a column of counts, (longest, 1)."""
    return np.arange(longest, dtype=np.float64)[:, None]


def _as_family(params: NegativeBinomialDurationParams) -> NegativeBinomialParams:
    """Return the params as those of a family of counts in one column."""
    return NegativeBinomialParams(params.means[:, None], params.dispersions[:, None])

"""What a law of durations 1, 2, ..., longest must tell, and laws that are cut there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

import attrs
import numpy as np
from scipy import optimize, special

from emkit_hmm.chains.base import Array, Integers

DurationParams = TypeVar("DurationParams")
#: Share of a law beyond the longest duration that an M-step may overlook.
OVERLOOKED = 1e-13
#: One M-step takes so many steps of ascent at most, down to slopes (nats, by relative changes, of one segment) this
#: small; and means do not fall below this share of what they were.
MAX_STEPS = 100
SMALL_SLOPE = 1e-10
SMALLEST_MEAN = 1e-6


class Durations(ABC, Generic[DurationParams]):
    """A family of laws of durations 1, ..., longest."""

    @abstractmethod
    def initialize(self, n_states: int, longest: int) -> DurationParams:
        """Return params to start from, the same for all states."""

    @abstractmethod
    def log_pmf(self, params: DurationParams, longest: int) -> Array:
        """Return ``log P(duration = d | state k)`` for d = 1, ..., longest; (n_states, longest)."""

    @abstractmethod
    def m_step(self, params: DurationParams, counts: Array) -> DurationParams:
        """Return params that raise ``sum_kd counts[k, d - 1] * log P(d | k)``; a state without counts keeps its own."""

    @abstractmethod
    def complete_score(self, params: DurationParams, counts: Array) -> DurationParams:
        """Return the gradient of ``sum_kd counts[k, d - 1] * log P(d | k)``, in the shape of the params."""

    @abstractmethod
    def permuted(self, params: DurationParams, order: Integers) -> DurationParams:
        """Return params with state ``order[k]`` as the new state k."""

    def cut_off(self, params: DurationParams, longest: int) -> Array:
        """Return the share of each state's law that lies beyond the longest duration, (n_states,)."""
        return np.zeros(len(self.log_pmf(params, longest)))


class CutDurations(Durations[DurationParams]):
    """Laws without an end, cut at the longest duration: ``P(d) = law(d) / sum of law(1), ..., law(longest)``.

    Their params hold non-negative numbers, one for each state in each field, the mean first. The M-step takes the best
    uncut law where next to nothing is cut off, and climbs from the better of that and the previous one elsewhere.
    """

    @abstractmethod
    def log_law(self, params: DurationParams, n: int) -> Array:
        """Return the logarithms of the uncut law at 1, ..., n; (n_states, n)."""

    @abstractmethod
    def fit(self, params: DurationParams, counts: Array) -> DurationParams:
        """Return the uncut law of highest likelihood given counts (n_states, n) of durations 1, ..., n."""

    @abstractmethod
    def slopes(self, params: DurationParams, counts: Array) -> DurationParams:
        """Return the gradient of ``sum_kd counts[k, d - 1] * log law(d | k)``."""

    def log_pmf(self, params: DurationParams, longest: int) -> Array:
        """Return logarithms of the cut law."""
        law = self.log_law(params, longest)
        cut: Array = law - special.logsumexp(law, axis=1, keepdims=True)
        return cut

    def cut_off(self, params: DurationParams, longest: int) -> Array:
        """Return the share of each state's law that lies beyond the longest duration."""
        lost: Array = np.maximum(1 - np.exp(self.log_law(params, longest)).sum(axis=1), 0.0)
        return lost

    def m_step(self, params: DurationParams, counts: Array) -> DurationParams:
        """Return the best cut law for each state, or one that is better than the previous."""
        uncut = self.fit(params, counts)
        lost = np.maximum(self.cut_off(params, counts.shape[1]), self.cut_off(uncut, counts.shape[1]))
        found = _table(uncut)
        for k in np.flatnonzero((lost > OVERLOOKED) & (found[0] > 0)):
            candidates = [_table(law)[:, k] for law in (params, uncut)]
            heights = [self._climb(type(params), start, counts[k], 0)[1] for start in candidates]
            found[:, k], _ = self._climb(type(params), candidates[int(np.argmax(heights))], counts[k], MAX_STEPS)
        return type(params)(*found)

    def complete_score(self, params: DurationParams, counts: Array) -> DurationParams:
        """Return the slopes at the counts less those at what the cut law expects of as many."""
        expected = np.exp(self.log_pmf(params, counts.shape[1])) * counts.sum(axis=1, keepdims=True)
        return self.slopes(params, counts - expected)

    def _climb(self, kind: type[DurationParams], start: Array, counts: Array, max_steps: int) -> tuple[Array, float]:
        """Return params (n_fields,) of the law of one state after some steps of ascent, and its height."""
        units = np.where(start > 0, start, 1.0)

        def fall(values: Any) -> tuple[float, Array]:
            law = kind(*(values * units)[:, None])
            slopes = _table(self.complete_score(law, counts[None]))[:, 0]
            return -float(counts @ self.log_pmf(law, len(counts))[0]), -slopes * units

        height = -fall(start / units)[0]
        if max_steps == 0:
            return start, height
        bounds: Any = [(SMALLEST_MEAN, None)] + [(0.0, None)] * (len(start) - 1)
        settings: Any = {"ftol": 0.0, "gtol": SMALL_SLOPE * (1 + counts.sum()), "maxiter": max_steps}
        reached = optimize.minimize(fall, start / units, jac=True, method="L-BFGS-B", bounds=bounds, options=settings)
        return (reached.x * units, -float(reached.fun)) if -reached.fun > height else (start, height)


def _table(params: Any) -> Array:
    """Return params as a table, (n_fields, n_states)."""
    return np.array([getattr(params, field.name) for field in attrs.fields(type(params))], dtype=np.float64)

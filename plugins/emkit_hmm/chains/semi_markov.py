"""States that last for a number of steps with a law of its own (a hidden semi-Markov model)."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs
import numpy as np

from emkit import space
from emkit.arrays import whole_number
from emkit.errors import MissingCapabilityError
from emkit.space import Simplex, Space
from emkit_hmm.chains.base import Array, Chain, Expansion, Integers, PathPosterior
from emkit_hmm.chains.durations import Durations, PoissonDurations
from emkit_hmm.chains.markov import random_rows
from emkit_hmm.chains.pattern import Pattern
from emkit_hmm.kernels.semi_markov import segment_posterior
from emkit_hmm.prepared import PreparedSequences

#: Probability of a longer duration than the longest that a note speaks of.
LOST = 1e-6


def _longest(value: Any) -> int:
    return whole_number(value, "longest")


@attrs.frozen(eq=False)
class SemiMarkovParams:
    """Params of a semi-Markov chain.

    Attributes
    ----------
    startprob : (n_states,)
    transmat : (n_states, n_states)
        From one segment to the next; zero on the diagonal.
    durations
        What the law of durations has.
    """

    startprob: Array = space.simplex()
    transmat: Array = space.simplex()
    durations: Any = None


@attrs.frozen(eq=False)
class SemiMarkovStatistics:
    """Expected counts; they add over sequences.

    Attributes
    ----------
    first : (n_states,)
    transition_counts : (n_states, n_states)
        Between segments.
    duration_counts : (n_states, longest)
        Segments of each length; of the last one, which the end of a sequence may cut, over what it may have become.
    """

    first: Array
    transition_counts: Array
    duration_counts: Array


@attrs.frozen
class SemiMarkov(Chain[SemiMarkovParams]):
    """A chain of segments: a state, how long it lasts, then another state.

    The first segment begins with the sequence; the last one may be cut by its end.

    Attributes
    ----------
    durations : Durations
        The law of how long a state lasts: :class:`PoissonDurations`, :class:`NegativeBinomialDurations` or
        :class:`FreeDurations`.
    longest : int
        No segment is longer; time and memory of an E-step grow with it.
    start, transitions : Pattern
        What is fixed; the diagonal of the transitions is zero by nature.
    """

    durations: Durations[Any] = attrs.field(factory=PoissonDurations)
    longest: int = attrs.field(default=50, converter=_longest)
    start: Pattern = attrs.field(factory=Pattern)
    transitions: Pattern = attrs.field(factory=Pattern)

    has_score: ClassVar[bool] = False

    @property
    def is_exchangeable(self) -> bool:
        """Whether nothing is fixed, and the priors are the same for all states."""
        return self.start.is_exchangeable and self.transitions.is_exchangeable

    def initialize(self, n_states: int, data: PreparedSequences, rng: np.random.Generator) -> SemiMarkovParams:
        """Return the same durations for all states, and transitions near to equal."""
        if n_states < 2:
            msg = "A semi-Markov chain needs n_states of at least 2: with one state no segment ever ends."
            raise ValueError(msg)
        transmat = self._moves(n_states).fill(random_rows(n_states, rng))
        durations = self.durations.initialize(n_states, self.longest)
        return SemiMarkovParams(self.start.fill(np.ones(n_states)), transmat, durations)

    def posterior(self, params: SemiMarkovParams, log_emission: Array, data: PreparedSequences) -> PathPosterior:
        """Return smoothed states and expected counts."""
        log_pmf = self.durations.log_pmf(params.durations, self.longest)
        found = segment_posterior(data.layout, params.startprob, params.transmat, log_pmf, log_emission, data.weights)
        statistics = SemiMarkovStatistics(found.first, found.transition_counts, found.duration_counts)
        return PathPosterior(found.log_likelihoods, found.smoothed, statistics)

    def m_step(self, params: SemiMarkovParams, statistics: SemiMarkovStatistics) -> SemiMarkovParams:
        """Return shares of counts, and the best law of durations."""
        return SemiMarkovParams(
            self.start.m_step(params.startprob, statistics.first),
            self._moves(len(params.startprob)).m_step(params.transmat, statistics.transition_counts),
            self.durations.m_step(params.durations, statistics.duration_counts),
        )

    def expanded(self, params: SemiMarkovParams, data: PreparedSequences | None = None) -> Expansion:
        """Return a Markov chain over (state, steps that remain): it counts down, then jumps."""
        n_states, longest = len(params.startprob), self.longest
        pmf = np.exp(self.durations.log_pmf(params.durations, longest))
        begin = (params.startprob[:, None] * pmf).ravel()
        transmat = np.zeros((n_states * longest, n_states * longest))
        for state in range(n_states):
            place = state * longest
            transmat[place] = (params.transmat[state][:, None] * pmf).ravel()
            later = np.arange(1, longest)
            transmat[place + later, place + later - 1] = 1.0
        return Expansion(begin, transmat, np.repeat(np.arange(n_states), longest))

    def permuted(self, params: SemiMarkovParams, order: Integers) -> SemiMarkovParams:
        """Return params with state ``order[k]`` as the new state k."""
        return SemiMarkovParams(
            params.startprob[order],
            params.transmat[np.ix_(order, order)],
            self.durations.permuted(params.durations, order),
        )

    def space(self, params: SemiMarkovParams) -> dict[str, Space]:
        """Return probabilities without the fixed ones, none on the diagonal of the transitions."""
        return {"startprob": self.start.space(), "transmat": Simplex(known=self._moves(len(params.startprob)).known)}

    def log_prior(self, params: SemiMarkovParams) -> float:
        """Return the log-density of the Dirichlet priors."""
        moves = self._moves(len(params.startprob))
        return self.start.log_prior(params.startprob) + moves.log_prior(params.transmat)

    def complete_score(self, params: SemiMarkovParams, statistics: SemiMarkovStatistics) -> SemiMarkovParams:
        """Raise: laws of durations do not tell their slopes."""
        msg = "SemiMarkov has no complete_score; standard errors come from differences of the likelihood."
        raise MissingCapabilityError(msg)

    def notes(self, params: SemiMarkovParams) -> list[str]:
        """Return a sentence where a state may last longer than the longest duration."""
        lost = 1 - np.exp(self.durations.log_pmf(params.durations, self.longest)).sum(axis=1)
        return [
            f"State {k} lasts longer than longest={self.longest} steps with probability {lost[k]:.2g}: allow more."
            for k in np.flatnonzero(lost > LOST)
        ]

    def _moves(self, n_states: int) -> Pattern:
        """Return the pattern of transitions with a zero diagonal."""
        known = np.full((n_states, n_states), np.nan) if self.transitions.known is None else self.transitions.known
        known = np.where(np.eye(n_states, dtype=bool), 0.0, known)
        alone = (np.isnan(known).sum(axis=1) == 1)[:, None] & np.isnan(known)
        rest = 1 - np.nansum(known, axis=1, keepdims=True)
        return Pattern(np.where(alone, rest, known), self.transitions.concentration)

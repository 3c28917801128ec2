"""States that last for a number of steps with a law of its own (a hidden semi-Markov model)."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np

from emkit import space
from emkit.arrays import whole_number
from emkit.space import Simplex, Space
from emkit_hmm.chains.base import Array, Chain, Expansion, Integers, PathPosterior
from emkit_hmm.chains.cut import Durations
from emkit_hmm.chains.durations import PoissonDurations
from emkit_hmm.chains.markov import notes_on_unvisited, random_rows, ratio
from emkit_hmm.chains.pattern import Pattern, as_pattern
from emkit_hmm.kernels.semi_markov import segment_posterior
from emkit_hmm.prepared import PreparedSequences

#: Share of a law beyond the longest duration that a note speaks of.
LOST = 1e-6


def _longest(value: Any) -> int:
    return whole_number(value, "longest")


def _is_law(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, Durations):
        msg = (
            "durations must be PoissonDurations(), NegativeBinomialDurations(), FreeDurations() or another law of how "
            f"long a state lasts; found {value!r}."
        )
        raise TypeError(msg)


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
        No segment is longer; the time of an E-step grows with it. Laws without an end are cut there.
    start, transitions : Pattern
        What is fixed; the diagonal of the transitions is zero by nature. A diagonal entry fixed at one is a state that
        is never left: its segments follow each other to the end, and their durations mean nothing.
    """

    durations: Durations[Any] = attrs.field(factory=PoissonDurations, validator=_is_law)
    longest: int = attrs.field(default=50, converter=_longest)
    start: Pattern = attrs.field(factory=Pattern, converter=as_pattern)
    transitions: Pattern = attrs.field(factory=Pattern, converter=as_pattern)

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

    def posterior(
        self, params: SemiMarkovParams, log_emission: Array, data: PreparedSequences, temperature: float = 1.0
    ) -> PathPosterior:
        """Return smoothed states and expected counts."""
        power = 1 / temperature
        log_pmf = self.durations.log_pmf(params.durations, self.longest) * power
        start, transmat = params.startprob**power, params.transmat**power
        found = segment_posterior(data.layout, start, transmat, log_pmf, log_emission * power, data.weights)
        statistics = SemiMarkovStatistics(found.first, found.transition_counts, found.duration_counts)
        return PathPosterior(found.log_likelihoods, found.smoothed, statistics)

    def m_step(self, params: SemiMarkovParams, statistics: SemiMarkovStatistics) -> SemiMarkovParams:
        """Return shares of counts, and the best law of durations."""
        return SemiMarkovParams(
            self.start.m_step(params.startprob, statistics.first),
            self._moves(len(params.startprob)).m_step(params.transmat, statistics.transition_counts),
            self.durations.m_step(params.durations, statistics.duration_counts),
        )

    def expanded(self, params: SemiMarkovParams, covariates: Array | None = None) -> Expansion:
        """Return a Markov chain over (state, steps that its segment has lasted): it grows older, or ends.

        Its paths are the ways to cut a sequence into segments, the last of which may go on.
        """
        n_states, longest = len(params.startprob), self.longest
        pmf = np.exp(self.durations.log_pmf(params.durations, longest))
        at_least = np.cumsum(pmf[:, ::-1], axis=1)[:, ::-1]
        # A segment of an age that cannot be ends at once, as one of the greatest age does.
        is_possible = at_least[:, 1:] > 0
        goes_on = np.divide(at_least[:, 1:], at_least[:, :-1], out=np.zeros(is_possible.shape), where=is_possible)
        ends = np.column_stack([1 - goes_on, np.ones(n_states)])
        first = np.arange(n_states) * longest
        startprob = np.zeros(n_states * longest)
        startprob[first] = params.startprob
        transmat = np.zeros((n_states * longest, n_states * longest))
        transmat[:, first] = (ends[:, :, None] * params.transmat[:, None, :]).reshape(-1, n_states)
        older = (first[:, None] + np.arange(longest - 1)).ravel()
        transmat[older, older + 1] = goes_on.ravel()
        return Expansion(startprob, transmat, np.repeat(np.arange(n_states), longest))

    def permuted(self, params: SemiMarkovParams, order: Integers) -> SemiMarkovParams:
        """Return params with state ``order[k]`` as the new state k."""
        return SemiMarkovParams(
            params.startprob[order],
            params.transmat[np.ix_(order, order)],
            self.durations.permuted(params.durations, order),
        )

    def label_axes(self, params: SemiMarkovParams) -> dict[str, int | tuple[int, ...]]:
        """Return the axes of every field along which the states lie."""
        axes: dict[str, int | tuple[int, ...]] = {"startprob": 0, "transmat": (0, 1)}
        return axes | {f"durations.{field.name}": 0 for field in attrs.fields(type(params.durations))}

    def space(self, params: SemiMarkovParams) -> dict[str, Space]:
        """Return probabilities without the fixed ones, none on the diagonal of the transitions."""
        return {"startprob": self.start.space(), "transmat": Simplex(known=self._moves(len(params.startprob)).known)}

    def log_prior(self, params: SemiMarkovParams) -> float:
        """Return the log-density of the Dirichlet priors."""
        moves = self._moves(len(params.startprob))
        return self.start.log_prior(params.startprob) + moves.log_prior(params.transmat)

    def complete_score(self, params: SemiMarkovParams, statistics: SemiMarkovStatistics) -> SemiMarkovParams:
        """Return the gradient of the expected log-likelihood of the segments."""
        return SemiMarkovParams(
            ratio(statistics.first, params.startprob),
            ratio(statistics.transition_counts, params.transmat),
            self.durations.complete_score(params.durations, statistics.duration_counts),
        )

    def notes(self, params: SemiMarkovParams) -> list[str]:
        """Return a sentence for each state that no path visits, and where the longest duration cuts a law off."""
        lost = self.durations.cut_off(params.durations, self.longest)
        return notes_on_unvisited(params.startprob, params.transmat) + [
            f"longest={self.longest} leaves out {lost[k]:.2g} of the law of durations of state {k}: allow more."
            for k in np.flatnonzero(lost > LOST)
        ]

    def _moves(self, n_states: int) -> Pattern:
        """Return the pattern of transitions with a zero diagonal, but for states that are never left."""
        self.transitions.free((n_states, n_states))
        known = np.full((n_states, n_states), np.nan) if self.transitions.known is None else self.transitions.known
        staying = np.diag(known)
        for state in np.flatnonzero(~np.isnan(staying) & (staying != 0) & (staying != 1)):
            msg = (
                f"Transitions of a semi-Markov chain lead from one segment to the next, so that row {state} cannot fix "
                f"{staying[state]:g} on the diagonal: how long a state lasts is the law of durations. Give 0 or NaN "
                "there, or 1 in a row of zeros for a state that is never left."
            )
            raise ValueError(msg)
        known = np.where(np.eye(n_states, dtype=bool), np.where(staying == 1, 1.0, 0.0), known)
        alone = (np.isnan(known).sum(axis=1) == 1)[:, None] & np.isnan(known)
        rest = 1 - np.nansum(known, axis=1, keepdims=True)
        return Pattern(np.where(alone, rest, known), self.transitions.concentration)

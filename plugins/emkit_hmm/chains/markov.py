"""The plain hidden Markov chain: any start, any transitions, as far as they are not fixed."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np

from emkit import space
from emkit.space import Space
from emkit_hmm.chains.base import Array, Chain, Expansion, Integers, PathPosterior
from emkit_hmm.chains.pattern import Pattern, as_pattern
from emkit_hmm.kernels.layout import Layout
from emkit_hmm.kernels.smoothing import forward_backward
from emkit_hmm.prepared import PreparedSequences

#: Concentration of the random rows a chain starts from: near to equal, since the emissions tell states apart.
START_CONCENTRATION = 5.0
#: A transition of a smaller probability is one that EM takes to zero.
PROBABILITY_ATOL = 1e-9


@attrs.frozen(eq=False)
class MarkovParams:
    """Params of a Markov chain.

    Attributes
    ----------
    startprob : (n_states,)
        ``P(z_0 = k)``.
    transmat : (n_states, n_states)
        ``transmat[i, j] = P(z_t = j | z_{t-1} = i)``.
    """

    startprob: Array = space.simplex()
    transmat: Array = space.simplex()


@attrs.frozen(eq=False)
class MarkovStatistics:
    """Expected counts; they add over sequences.

    Attributes
    ----------
    first : (n_states,)
        How many sequences start in each state.
    transition_counts : (n_states, n_states)
    """

    first: Array
    transition_counts: Array


@attrs.frozen
class Markov(Chain[MarkovParams]):
    """A Markov chain with a start of its own.

    Attributes
    ----------
    start : Pattern, or array of fixed probabilities with NaN where they are estimated
        Which probabilities of the start are fixed, and their prior.
    transitions : Pattern
        The same for the rows of the transition matrix.
    """

    start: Pattern = attrs.field(factory=Pattern, converter=as_pattern)
    transitions: Pattern = attrs.field(factory=Pattern, converter=as_pattern)

    @property
    def is_exchangeable(self) -> bool:
        """Whether nothing is fixed, and the priors are the same for all states."""
        return self.start.is_exchangeable and self.transitions.is_exchangeable

    def initialize(self, n_states: int, data: PreparedSequences, rng: np.random.Generator) -> MarkovParams:
        """Return probabilities near to equal, with the fixed ones among them."""
        startprob = self.start.fill(np.ones(n_states))
        return MarkovParams(startprob, self.transitions.fill(random_rows(n_states, rng)))

    def posterior(
        self, params: MarkovParams, log_emission: Array, data: PreparedSequences, temperature: float = 1.0
    ) -> PathPosterior:
        """Return smoothed states and expected counts."""
        start, transmat, log_emission = cooled(
            temperature, data.layout, params.startprob, params.transmat, log_emission
        )
        found = forward_backward(data.layout, start, transmat, log_emission, data.weights, overwrite=True)
        statistics = MarkovStatistics(found.first, found.transition_counts)
        return PathPosterior(found.log_likelihoods, found.smoothed, statistics)

    def m_step(self, params: MarkovParams, statistics: MarkovStatistics) -> MarkovParams:
        """Return shares of the expected counts."""
        return MarkovParams(
            self.start.m_step(params.startprob, statistics.first),
            self.transitions.m_step(params.transmat, statistics.transition_counts),
        )

    def expanded(self, params: MarkovParams, covariates: Array | None = None) -> Expansion:
        """Return the chain itself."""
        return Expansion(params.startprob, params.transmat, np.arange(len(params.startprob)))

    def permuted(self, params: MarkovParams, order: Integers) -> MarkovParams:
        """Return params with state ``order[k]`` as the new state k."""
        return MarkovParams(params.startprob[order], params.transmat[np.ix_(order, order)])

    def label_axes(self, params: MarkovParams) -> dict[str, int | tuple[int, ...]]:
        """Return the axes of every field along which the states lie."""
        return {"startprob": 0, "transmat": (0, 1)}

    def space(self, params: MarkovParams) -> dict[str, Space]:
        """Return probabilities without the fixed ones."""
        return {"startprob": self.start.space(), "transmat": self.transitions.space()}

    def log_prior(self, params: MarkovParams) -> float:
        """Return the log-density of the Dirichlet priors."""
        return self.start.log_prior(params.startprob) + self.transitions.log_prior(params.transmat)

    def notes(self, params: MarkovParams) -> list[str]:
        """Return a sentence for each state that no path visits."""
        return notes_on_unvisited(params.startprob, params.transmat)

    def complete_score(self, params: MarkovParams, statistics: MarkovStatistics) -> MarkovParams:
        """Return ``counts / probabilities``."""
        return MarkovParams(
            ratio(statistics.first, params.startprob), ratio(statistics.transition_counts, params.transmat)
        )


def cooled(
    temperature: float, layout: Layout, startprob: Array, transmat: Array, log_emission: Array
) -> tuple[Array, Array, Array]:
    """Return probabilities and densities to the power of ``1 / temperature``.

    Kernels want rows of probabilities. What the powers of a row sum to is a factor of all paths that leave its state,
    and is moved to the density of the row of data they leave; that of the start to the first row.
    """
    if temperature == 1.0:
        return startprob, transmat, log_emission
    power = 1 / temperature
    startprob, transmat, log_emission = startprob**power, transmat**power, log_emission * power
    total, totals = startprob.sum(), transmat.sum(axis=-1)
    log_emission[layout.starts] += np.log(total)
    left = np.ones(layout.n_rows, dtype=bool)
    left[layout.last_rows] = False
    log_emission[left] += np.log(totals if totals.ndim == 1 else totals[np.flatnonzero(left) + 1])
    return startprob / total, transmat / totals[..., None], log_emission


def notes_on_unvisited(startprob: Array, transmat: Array) -> list[str]:
    """Return a sentence for each state that cannot be reached: neither as the first one, nor from one that can."""
    reached = startprob > PROBABILITY_ATOL
    for _ in range(len(reached)):
        reached = reached | (reached @ (transmat > PROBABILITY_ATOL))
    return [
        f"State {k} is never visited: no row is left to it, so its emissions mean nothing."
        for k in np.flatnonzero(~reached)
    ]


def random_rows(n_states: int, rng: np.random.Generator) -> Array:
    """Return rows of random probabilities, none of them small, (n_states, n_states)."""
    return np.asarray(rng.dirichlet(np.full(n_states, START_CONCENTRATION), size=n_states) + 0.05 / n_states)


def ratio(counts: Array, probabilities: Any) -> Array:
    """Return counts over probabilities, zero where there are no counts."""
    return np.asarray(np.divide(counts, probabilities, out=np.zeros_like(counts), where=counts > 0))

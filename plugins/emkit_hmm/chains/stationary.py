"""A Markov chain that starts as it goes on: from the stationary distribution of its transitions."""

from __future__ import annotations

import attrs
import numpy as np

from emkit import space
from emkit.space import Space
from emkit_hmm.chains.base import Array, Chain, Expansion, Integers, PathPosterior
from emkit_hmm.chains.markov import MarkovStatistics, cooled, notes_on_unvisited, random_rows, ratio
from emkit_hmm.chains.pattern import Pattern, as_pattern
from emkit_hmm.kernels.smoothing import forward_backward
from emkit_hmm.prepared import PreparedSequences

#: Most steps of the search for better transitions in one M-step, which need not end, only rise; how often a step is
#: halved; and the gain, relative to the height, below which the search ends.
MAX_STEPS = 10
MAX_HALVINGS = 20
SMALL_GAIN = 1e-13
#: One step takes no more than this share of a count from a transition.
SMALLEST_SHARE = 0.1
#: A probability that counts as zero.
SMALLEST = 1e-300


@attrs.frozen(eq=False)
class StationaryParams:
    """Params of a stationary Markov chain.

    Attributes
    ----------
    transmat : (n_states, n_states)
    """

    transmat: Array = space.simplex()


@attrs.frozen
class Stationary(Chain[StationaryParams]):
    """A Markov chain whose start is the stationary distribution of its transitions.

    The start tells something about the transitions, so shares of counts do not maximise the expected log-likelihood

        sum_k first[k] * log startprob(transmat)[k] + sum_ij transition_counts[i, j] * log transmat[i, j]

    The M-step climbs it instead, from the better of the last transitions and the shares of counts: a generalised EM,
    whose likelihood never falls.

    Attributes
    ----------
    transitions : Pattern
    """

    transitions: Pattern = attrs.field(factory=Pattern, converter=as_pattern)

    @property
    def is_exchangeable(self) -> bool:
        """Whether nothing is fixed, and the prior is the same for all states."""
        return self.transitions.is_exchangeable

    def initialize(self, n_states: int, data: PreparedSequences, rng: np.random.Generator) -> StationaryParams:
        """Return probabilities near to equal, with the fixed ones among them."""
        return StationaryParams(self.transitions.fill(random_rows(n_states, rng)))

    def posterior(
        self, params: StationaryParams, log_emission: Array, data: PreparedSequences, temperature: float = 1.0
    ) -> PathPosterior:
        """Return smoothed states and expected counts."""
        start = stationary_distribution(params.transmat)
        start, transmat, log_emission = cooled(temperature, data.layout, start, params.transmat, log_emission)
        found = forward_backward(data.layout, start, transmat, log_emission, data.weights, overwrite=True)
        statistics = MarkovStatistics(found.first, found.transition_counts)
        return PathPosterior(found.log_likelihoods, found.smoothed, statistics)

    def m_step(self, params: StationaryParams, statistics: MarkovStatistics) -> StationaryParams:
        """Return transitions of higher expected log-likelihood, counting what the start says of them."""
        shares = self.transitions.m_step(params.transmat, statistics.transition_counts)
        candidates = [params.transmat, shares]
        heights = [self._height(rows, statistics) for rows in candidates]
        best = int(np.argmax(heights))
        climbed = self._climbed(candidates[best], statistics)
        return StationaryParams(climbed if self._height(climbed, statistics) > heights[best] else candidates[best])

    def _height(self, transmat: Array, statistics: MarkovStatistics) -> float:
        start = stationary_distribution(transmat)
        with np.errstate(divide="ignore"):
            height = _dot_log(statistics.first, start) + _dot_log(statistics.transition_counts, transmat)
        return height + self.transitions.log_prior(transmat)

    def _climbed(self, transmat: Array, statistics: MarkovStatistics) -> Array:
        """Return better transitions by a few steps of a fixed-point iteration, none of which lowers the height.

        At the maximum every row is proportional to ``transition_counts + transmat * slopes``, with the slopes of what
        the start adds. There are far more transitions than starts, so the second term is small and few steps do.
        """
        free = self.transitions.free(transmat.shape)
        counts = statistics.transition_counts + self.transitions.added(transmat.shape)
        height = self._height(transmat, statistics)
        for _ in range(MAX_STEPS):
            slopes = _start_slopes(transmat, stationary_distribution(transmat), statistics.first)
            # Slopes count against one another within a row: what all entries share changes nothing.
            pulled = transmat * (slopes - (slopes * transmat).sum(axis=1, keepdims=True))
            aim = self.transitions.fill(np.where(free, np.maximum(counts + pulled, SMALLEST_SHARE * counts), 0.0))
            aim = np.where(counts.sum(axis=1, keepdims=True) > 0, aim, transmat)
            for _ in range(MAX_HALVINGS):
                reached = self._height(aim, statistics)
                if reached > height:
                    break
                aim = (transmat + aim) / 2
            else:
                return transmat
            gain, transmat, height = reached - height, aim, reached
            if gain <= SMALL_GAIN * (1 + abs(height)):
                break
        return transmat

    def expanded(self, params: StationaryParams, covariates: Array | None = None) -> Expansion:
        """Return the chain with its stationary start."""
        start = stationary_distribution(params.transmat)
        return Expansion(start, params.transmat, np.arange(len(start)))

    def permuted(self, params: StationaryParams, order: Integers) -> StationaryParams:
        """Return params with state ``order[k]`` as the new state k."""
        return StationaryParams(params.transmat[np.ix_(order, order)])

    def label_axes(self, params: StationaryParams) -> dict[str, int | tuple[int, ...]]:
        """Return the axes of every field along which the states lie."""
        return {"transmat": (0, 1)}

    def space(self, params: StationaryParams) -> dict[str, Space]:
        """Return probabilities without the fixed ones."""
        return {"transmat": self.transitions.space()}

    def log_prior(self, params: StationaryParams) -> float:
        """Return the log-density of the Dirichlet prior."""
        return self.transitions.log_prior(params.transmat)

    def notes(self, params: StationaryParams) -> list[str]:
        """Return a sentence for each state in which the chain is not in the long run."""
        return notes_on_unvisited(stationary_distribution(params.transmat), params.transmat)

    def complete_score(self, params: StationaryParams, statistics: MarkovStatistics) -> StationaryParams:
        """Return the gradient of the expected log-likelihood of the paths, that of the start included."""
        start = stationary_distribution(params.transmat)
        slopes = ratio(statistics.transition_counts, params.transmat)
        return StationaryParams(slopes + _start_slopes(params.transmat, start, statistics.first))


def stationary_distribution(transmat: Array) -> Array:
    """Return the distribution that transitions leave as it is: ``start @ transmat == start``, (n_states,).

    Of a chain with several closed classes it is the limit from an equal start.
    """
    start = _by_elimination(transmat)
    return _by_least_squares(transmat) if start is None else start


def _by_elimination(transmat: Array) -> Array | None:
    """Return it without a single subtraction, so that rare transitions keep their digits; None if states are cut off.

    One state after the other is taken out, and the time spent in it given to those that lead there (Grassmann, Taksar
    and Heyman 1985, Operations Research 33:1107).
    """
    left = np.array(transmat, dtype=np.float64)
    # What overflows is seen at the end.
    with np.errstate(over="ignore", invalid="ignore"):
        start = _eliminated(left)
    return None if start is None or not np.isfinite(start).all() else np.asarray(start / start.sum())


def _eliminated(left: Array) -> Array | None:
    for state in range(len(left) - 1, 0, -1):
        leaving = left[state, :state].sum()
        if not leaving > 0:
            return None
        left[:state, state] /= leaving
        left[:state, :state] += np.outer(left[:state, state], left[state, :state])
    start = np.ones(len(left))
    for state in range(1, len(left)):
        start[state] = start[:state] @ left[:state, state]
    return start


def _by_least_squares(transmat: Array) -> Array:
    n_states = len(transmat)
    system = np.eye(n_states) - transmat.T
    equations = np.vstack([system, np.ones(n_states)])
    start, _, rank, _ = np.linalg.lstsq(equations, np.r_[np.zeros(n_states), 1.0], rcond=1e-13)
    if rank < n_states:
        start = _limit(transmat)
    start = np.maximum(start, 0.0)
    return np.asarray(start / start.sum())


def _limit(transmat: Array) -> Array:
    """Return the mean distribution over a long time from an equal start."""
    power = (transmat + np.eye(len(transmat))) / 2
    for _ in range(60):
        power = power @ power
        power /= power.sum(axis=1, keepdims=True)
    return np.asarray(power.mean(axis=0))


def _start_slopes(transmat: Array, start: Array, first: Array) -> Array:
    """Return the derivative of ``sum_k first[k] * log start[k]`` along every transition, ignoring that rows sum to one.

    With ``Z = inverse(I - transmat + 1 start)`` a change D of the transitions moves the start by ``start @ D @ Z``
    (Meyer 1975, SIAM Review 17:443). Zero for several closed classes, where the start has no derivative.
    """
    n_states = len(start)
    try:
        fundamental = np.linalg.inv(np.eye(n_states) - transmat + np.outer(np.ones(n_states), start))
    except np.linalg.LinAlgError:
        return np.zeros((n_states, n_states))
    pull = fundamental @ ratio(first, np.maximum(start, SMALLEST))
    return np.asarray(np.outer(start, pull))


def _dot_log(counts: Array, probabilities: Array) -> float:
    counted = counts > 0
    return float(np.sum(counts[counted] * np.log(probabilities[counted])))

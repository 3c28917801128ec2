"""Transitions that depend on covariates: a multinomial logit for every state that is left."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit import space
from emkit.space import Real, Space
from emkit_hmm.chains.base import Array, Chain, Expansion, Integers, PathPosterior, sample_path
from emkit_hmm.chains.markov import cooled, ratio
from emkit_hmm.chains.multinomial import Departures, log_probabilities
from emkit_hmm.chains.pattern import Pattern, as_pattern
from emkit_hmm.chains.separation import notes_on_repetition, notes_on_separation, spread_of
from emkit_hmm.kernels.varying import forward_backward_varying
from emkit_hmm.prepared import PreparedSequences


def _no_spread() -> Array:
    return np.zeros((0, 0))


@attrs.frozen(eq=False)
class LogitParams:
    """Params of transitions that depend on covariates.

    Attributes
    ----------
    startprob : (n_states,)
    coefficients : (n_states, n_states, 1 + n_covariates)
        Of the log-odds of going from i to j against staying in i: intercept first, then one for each covariate.
        Those of staying are zero.
    spread : (n_covariates, n_covariates)
        Root R of the covariance ``R' R`` of the covariates of all steps, a constant of a fit: what notes judge
        coefficients by. Empty where it is not known; nothing else depends on it.
    """

    startprob: Array = space.simplex()
    coefficients: Array = space.real()
    spread: Array = space.fixed(factory=_no_spread)


@attrs.frozen(eq=False)
class LogitStatistics:
    """Expected starts and the expected transitions at every row; they do not add over data.

    Attributes
    ----------
    first : (n_states,)
    transitions : (n_samples, n_states, n_states)
    design : (n_samples, 1 + n_covariates)
    """

    first: Array
    transitions: Array
    design: Array


def _allowed(value: Any) -> NDArray[np.bool_] | None:
    if value is None:
        return None
    given = np.asarray(value)
    if not (given.dtype.kind in "biuf" and np.isin(given, [0, 1]).all()):
        msg = f"allowed must hold True for transitions that there are and False for others; found {value!r}."
        raise ValueError(msg)
    allowed = given.astype(np.bool_)
    allowed.setflags(write=False)
    return allowed


def _ridge(value: Any) -> float:
    try:
        ridge = float(value)
    except (TypeError, ValueError):
        ridge = np.nan
    if not 0 <= ridge < np.inf:
        msg = f"ridge, a precision, must be a finite number of at least 0 (0 is no prior); found {value!r}."
        raise ValueError(msg)
    return ridge


@attrs.frozen
class Logit(Chain[LogitParams]):
    """Transition probabilities that follow covariates of the row they lead to.

        P(z_t = j | z_{t-1} = i) = exp(coefficients[i, j] @ [1, covariates[t]]) / sum over j of the same

    Attributes
    ----------
    allowed : boolean array (n_states, n_states), optional
        Which transitions there are; staying must be one of them.
    ridge : float
        Precision of a normal prior with mean zero of the coefficients of covariates (not of intercepts), in units of
        the covariates; keeps them finite where covariates part the transitions.
    start : Pattern
    """

    allowed: Any = attrs.field(default=None, converter=_allowed, eq=attrs.cmp_using(eq=np.array_equal), hash=False)
    ridge: float = attrs.field(default=0.0, converter=_ridge)
    start: Pattern = attrs.field(factory=Pattern, converter=as_pattern)

    is_additive: ClassVar[bool] = False
    needs_covariates: ClassVar[bool] = True

    @property
    def is_exchangeable(self) -> bool:
        """Whether all states may follow each other."""
        return self.allowed is None and self.start.is_exchangeable

    def initialize(self, n_states: int, data: PreparedSequences, rng: np.random.Generator) -> LogitParams:
        """Return coefficients near zero, so that all states follow each other alike."""
        design = design_of(data.covariates)
        coefficients = np.zeros((n_states, n_states, design.shape[1]))
        coefficients[..., 0] = 0.1 * rng.standard_normal((n_states, n_states))
        coefficients[~self._free(n_states)] = 0.0
        steps = np.delete(design[:, 1:], data.firsts, axis=0)
        return LogitParams(self.start.fill(np.ones(n_states)), coefficients, spread_of(steps))

    def posterior(
        self, params: LogitParams, log_emission: Array, data: PreparedSequences, temperature: float = 1.0
    ) -> PathPosterior:
        """Return smoothed states and the expected transitions at every row."""
        transmat = self._transmat(params, data.covariates)
        start, transmat, log_emission = cooled(temperature, data.layout, params.startprob, transmat, log_emission)
        found = forward_backward_varying(data.layout, start, transmat, log_emission, data.weights)
        weights = data.row_weights()
        transitions = found.transitions if weights is None else found.transitions * weights[:, None, None]
        statistics = LogitStatistics(found.first, transitions, design_of(data.covariates))
        return PathPosterior(found.log_likelihoods, found.smoothed, statistics)

    def m_step(self, params: LogitParams, statistics: LogitStatistics) -> LogitParams:
        """Return coefficients after Newton steps that only ever raise the expected log-likelihood."""
        coefficients = np.array(params.coefficients)
        free, reachable = self._free(len(coefficients)), self._reachable(len(coefficients))
        for state in np.flatnonzero(free.any(axis=1)):
            counts = statistics.transitions[:, state]
            used = counts.sum(axis=1) > 0
            departures = Departures(counts[used], statistics.design[used], reachable[state], free[state], self.ridge)
            coefficients[state] = departures.climbed(coefficients[state])
        startprob = self.start.m_step(params.startprob, statistics.first)
        return LogitParams(startprob, coefficients, params.spread)

    def expanded(self, params: LogitParams, covariates: Array | None = None) -> Expansion:
        """Return the chain with a transition matrix for every row of the covariates."""
        return Expansion(params.startprob, self._transmat(params, covariates), np.arange(len(params.startprob)))

    def sample(
        self, params: LogitParams, n_steps: int, rng: np.random.Generator, covariates: Array | None = None
    ) -> Integers:
        """Return the states of one path along covariates (n_steps, n_covariates)."""
        return sample_path(params.startprob, self._transmat(params, covariates), n_steps, rng)

    def permuted(self, params: LogitParams, order: Integers) -> LogitParams:
        """Return params with state ``order[k]`` as the new state k."""
        return LogitParams(params.startprob[order], params.coefficients[np.ix_(order, order)], params.spread)

    def label_axes(self, params: LogitParams) -> dict[str, int | tuple[int, ...]]:
        """Return the axes of every field along which the states lie."""
        return {"startprob": 0, "coefficients": (0, 1)}

    def space(self, params: LogitParams) -> dict[str, Space]:
        """Return real coefficients, without those that are zero."""
        free = np.broadcast_to(self._free(len(params.startprob))[..., None], params.coefficients.shape)
        return {"startprob": self.start.space(), "coefficients": Real(free=free)}

    def log_prior(self, params: LogitParams) -> float:
        """Return the log-density of the prior of the coefficients."""
        return self.start.log_prior(params.startprob) - 0.5 * self.ridge * float(
            np.sum(params.coefficients[..., 1:] ** 2)
        )

    def complete_score(self, params: LogitParams, statistics: LogitStatistics) -> LogitParams:
        """Return the gradient of the expected log-likelihood of the paths."""
        log_odds = np.einsum("tq,ijq->tij", statistics.design, params.coefficients)
        log_odds = np.where(self._reachable(len(params.startprob)), log_odds, -np.inf)
        expected = np.exp(log_probabilities(log_odds)) * statistics.transitions.sum(axis=2, keepdims=True)
        slopes = np.einsum("tij,tq->ijq", statistics.transitions - expected, statistics.design)
        return LogitParams(ratio(statistics.first, params.startprob), slopes, np.zeros_like(params.spread))

    def notes(self, params: LogitParams) -> list[str]:
        """Return sentences about covariates that leave coefficients open, unless a ridge holds these."""
        if self.ridge > 0 or not params.spread.size:
            return []
        n_transitions = int(np.count_nonzero(self._free(len(params.startprob))))
        separation = notes_on_separation(params.coefficients, params.spread)
        return [*separation, *notes_on_repetition(params.spread, n_transitions)]

    def _transmat(self, params: LogitParams, covariates: Array | None) -> Array:
        design, n_coefficients = design_of(covariates), params.coefficients.shape[2]
        if design.shape[1] != n_coefficients:
            msg = f"covariates have {design.shape[1] - 1} columns, but the transitions depend on {n_coefficients - 1}."
            raise ValueError(msg)
        log_odds = np.einsum("tq,ijq->tij", design, params.coefficients)
        return np.exp(log_probabilities(np.where(self._reachable(len(params.startprob)), log_odds, -np.inf)))

    def _reachable(self, n_states: int) -> NDArray[np.bool_]:
        allowed = np.ones((n_states, n_states), dtype=bool) if self.allowed is None else self.allowed
        if allowed.shape != (n_states, n_states) or not np.diag(allowed).all():
            msg = f"allowed must have shape ({n_states}, {n_states}), and every state must be allowed to stay."
            raise ValueError(msg)
        return np.asarray(allowed)

    def _free(self, n_states: int) -> NDArray[np.bool_]:
        return np.asarray(self._reachable(n_states) & ~np.eye(n_states, dtype=bool))


def design_of(covariates: Array | None) -> Array:
    """Return covariates with a column of ones before them, (n_samples, 1 + n_covariates)."""
    if covariates is None:
        msg = "Transitions by Logit() need covariates: give emkit_hmm.Sequences(x, lengths, covariates=...)."
        raise ValueError(msg)
    return np.column_stack([np.ones(len(covariates)), covariates])

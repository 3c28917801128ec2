"""What a law of hidden paths must tell."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Generic, TypeVar

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit.space import Space
from emkit_hmm.prepared import PreparedSequences

Array = NDArray[np.float64]
Integers = NDArray[np.intp]
ChainParams = TypeVar("ChainParams")


@attrs.frozen(eq=False)
class Expansion:
    """A Markov chain whose positions belong to states: the states themselves, but for explicit durations.

    Attributes
    ----------
    startprob : (n_positions,)
    transmat : (n_positions, n_positions) or (n_samples, n_positions, n_positions)
        In the second form matrix t holds the probabilities of the step to row t of the covariates from the one before.
    state_of : (n_positions,)
        The state each position belongs to.
    """

    startprob: Array
    transmat: Array
    state_of: Integers


@attrs.frozen(eq=False)
class PathPosterior:
    """What the data say about the paths.

    Attributes
    ----------
    log_likelihoods : (n_sequences,)
    smoothed : (n_samples, n_states)
        ``P(state at t | the whole sequence)``.
    statistics
        What :meth:`Chain.m_step` needs, weighted by the sequences' weights.
    """

    log_likelihoods: Array
    smoothed: Array
    statistics: Any


class Chain(ABC, Generic[ChainParams]):
    """The law of the hidden path: how a sequence starts and how it goes on."""

    #: Whether statistics add over sequences.
    is_additive: ClassVar[bool] = True
    #: Whether transitions depend on covariates.
    needs_covariates: ClassVar[bool] = False
    #: Whether :meth:`complete_score` is there.
    has_score: ClassVar[bool] = True

    @property
    def is_exchangeable(self) -> bool:
        """Whether states may change places: nothing of any of them is fixed."""
        return True

    @abstractmethod
    def initialize(self, n_states: int, data: PreparedSequences, rng: np.random.Generator) -> ChainParams:
        """Return params to start from."""

    @abstractmethod
    def posterior(
        self, params: ChainParams, log_emission: Array, data: PreparedSequences, temperature: float = 1.0
    ) -> PathPosterior:
        """Return what log-densities (n_samples, n_states) of the emissions say about the paths.

        At another temperature of paths that are as probable as ``p(path, data) ** (1 / temperature)``, whose sum over
        paths takes the place of the likelihood. ``log_emission`` is spent: its memory may have been written over.
        """

    @abstractmethod
    def m_step(self, params: ChainParams, statistics: Any) -> ChainParams:
        """Return params that maximise expected log-likelihood of the paths plus log-prior, or at least raise it."""

    @abstractmethod
    def expanded(self, params: ChainParams, covariates: Array | None = None) -> Expansion:
        """Return the chain as start and transition probabilities, along ``covariates`` where it depends on any."""

    @abstractmethod
    def permuted(self, params: ChainParams, order: Integers) -> ChainParams:
        """Return params with state ``order[k]`` as the new state k."""

    @abstractmethod
    def label_axes(self, params: ChainParams) -> dict[str, int | tuple[int, ...]]:
        """Return the axes of every field along which the states lie."""

    def space(self, params: ChainParams) -> dict[str, Space]:
        """Return the spaces that declarations cannot know."""
        return {}

    def log_prior(self, params: ChainParams) -> float:
        """Return the log-density of the prior, up to a constant."""
        return 0.0

    @abstractmethod
    def complete_score(self, params: ChainParams, statistics: Any) -> ChainParams:
        """Return the gradient of the expected log-likelihood of the paths, in the shape of the params."""

    def notes(self, params: ChainParams) -> list[str]:
        """Return sentences about estimates that a reader should not trust."""
        return []

    def sample(
        self, params: ChainParams, n_steps: int, rng: np.random.Generator, covariates: Array | None = None
    ) -> Integers:
        """Return the states of one path, (n_steps,); ``covariates`` where transitions depend on any."""
        expansion = self.expanded(params)
        positions = sample_path(expansion.startprob, expansion.transmat, n_steps, rng)
        return expansion.state_of[positions]


def sample_path(startprob: Array, transmat: Array, n_steps: int, rng: np.random.Generator) -> Integers:
    """Return one path of a Markov chain, (n_steps,); ``transmat`` may differ from step to step."""
    uniforms = rng.random(n_steps)
    path = np.empty(n_steps, dtype=np.intp)
    cumulative = np.cumsum(transmat, axis=-1)
    cumulative /= cumulative[..., -1:]
    row = np.cumsum(startprob) / startprob.sum()
    for step in range(n_steps):
        path[step] = np.searchsorted(row, uniforms[step], side="right")
        if step + 1 < n_steps:
            row = cumulative[path[step]] if transmat.ndim == 2 else cumulative[step + 1, path[step]]
    return path

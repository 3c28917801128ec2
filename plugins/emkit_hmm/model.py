"""A hidden Markov model: a path ``z_t`` of states that nobody sees, and ``x_t | z_t = k`` from a family."""

from __future__ import annotations

import warnings
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit import EStep, LatentModel
from emkit.arrays import whole_number
from emkit.errors import DegenerateError, EmkitWarning
from emkit.families import Family, Gaussian, partition_by_features
from emkit.space import Fixed, Space, spaces_of
from emkit_hmm import agreement
from emkit_hmm.chains.base import Chain, PathPosterior
from emkit_hmm.chains.markov import Markov
from emkit_hmm.known import known_states, with_known_states
from emkit_hmm.order import holds_some, part_at, state_order
from emkit_hmm.params import HiddenMarkovParams, HiddenMarkovStatistics
from emkit_hmm.prepared import HiddenMarkovData, PreparedSequences, prepared, redrawn
from emkit_hmm.reachable import fit_off_bounds, require_possible
from emkit_hmm.sequences import Sequences, gathered, resampled
from emkit_hmm.starts import StartingPoint, as_start, with_fields
from emkit_hmm.ties import Ties, as_ties

Array = NDArray[np.float64]
Integers = NDArray[np.intp]

#: How many sequences make a leaf. Walks go through the sequences of a leaf side by side, and 1024 would take half as
#: long again.
LEAF_SEQUENCES = 4096
ALL_SEQUENCES = 2**62


def _n_states(value: Any) -> int:
    return whole_number(value, "n_states")


def _shares_memory(density: Array, rows: Any) -> bool:
    """Return whether densities lie in the rows themselves, as where these are densities already."""
    return isinstance(rows, np.ndarray) and np.may_share_memory(density, rows)


def _usual_start(model: HiddenMarkovModel) -> StartingPoint:
    # Rows near to each other need not lie on the same line.
    return StartingPoint("kmeans" if model.emission.has_sampler else "random")


@attrs.frozen
class HiddenMarkovModel(LatentModel[HiddenMarkovData, HiddenMarkovParams, HiddenMarkovStatistics]):
    """A hidden Markov model over any family of emissions, fitted by maximum likelihood.

    Attributes
    ----------
    n_states : int
    emission : Family
        What is observed in each state; see :mod:`emkit.families`.
    chain : Chain
        The law of the path: :class:`Markov` (any start, any transitions), :class:`Stationary`, :class:`Logit`
        (transitions depend on covariates) or :class:`SemiMarkov` (explicit durations).
    ties : sequence of int, optional
        The number of the distribution that each state emits from; states with the same number share it.
    start : StartingPoint or {"kmeans", "k-means++", "random", "random_from_data"}
        How rows are divided among the states at the start, and what starts at given values. By default "kmeans", for
        regressions "random".
    is_emission_fixed : bool
        Whether only the chain is estimated.
    """

    n_states: int = attrs.field(default=1, converter=_n_states)
    emission: Family[Any] = attrs.field(factory=Gaussian, converter=agreement.as_family)
    chain: Chain[Any] = attrs.field(factory=Markov, converter=agreement.as_chain, kw_only=True)
    ties: Ties = attrs.field(factory=Ties, converter=as_ties, kw_only=True)
    start: StartingPoint = attrs.field(
        default=attrs.Factory(_usual_start, takes_self=True), converter=as_start, kw_only=True
    )
    is_emission_fixed: bool = attrs.field(default=False, converter=agreement.as_flag, kw_only=True)

    def __attrs_post_init__(self) -> None:
        self.ties.n_components(self.n_states)
        agreement.require_patterns(self.chain, self.n_states)

    @property
    def leaf_sequences(self) -> int | None:  # type: ignore[override] # pyright: ignore[reportIncompatibleVariableOverride]
        """How many sequences of a list make a leaf: all of them where emissions or transitions have no sums."""
        return LEAF_SEQUENCES if self.emission.is_additive and self.chain.is_additive else ALL_SEQUENCES

    @property
    def n_components(self) -> int:
        """How many distributions the states emit from."""
        return self.ties.n_components(self.n_states)

    def prepare(self, leaf: HiddenMarkovData) -> PreparedSequences:
        """Return validated sequences, cut into the columns that the recursions run through."""
        sequences = prepared(leaf, self.emission, self.n_states)
        if sequences is not leaf and sequences.covariates is not None and not self.chain.needs_covariates:
            text = (
                f"Covariates are given, but transitions by {type(self.chain).__name__}() depend on none, so these are "
                "not used. Give chain=Logit() for transitions that do."
            )
            warnings.warn(text, EmkitWarning, stacklevel=2)
        return sequences

    def e_step(
        self, params: HiddenMarkovParams, data: HiddenMarkovData, temperature: float = 1.0
    ) -> EStep[HiddenMarkovStatistics]:
        """Return expected counts of the path, statistics of the emissions, and the log-likelihood.

        At another temperature they are those of deterministic annealing; see :func:`emkit.anneal`.
        """
        sequences = self.prepare(data)
        found = self.paths(params, sequences, temperature)
        emission = self.emission.statistics(
            params.emission, sequences.rows, self._responsibilities(found.smoothed, sequences)
        )
        return EStep(
            HiddenMarkovStatistics(found.statistics, emission),
            sequences.total(found.log_likelihoods * temperature),
            sequences.n_observations,
        )

    def m_step(self, params: HiddenMarkovParams, statistics: HiddenMarkovStatistics) -> HiddenMarkovParams:
        """Return shares of expected counts, and the emissions' own maximum."""
        chain = self.chain.m_step(params.chain, statistics.chain)
        if self.is_emission_fixed:
            return HiddenMarkovParams(chain, params.emission)
        return HiddenMarkovParams(chain, self.emission.m_step(params.emission, statistics.emission))

    def initialize(self, data: HiddenMarkovData, rng: np.random.Generator) -> HiddenMarkovParams:
        """Return emissions fitted to a partition of the rows, and transitions near to equal."""
        sequences = self.prepare(data)
        if not sequences.n_observations > 0:
            msg = "Nothing was observed: every row is missing, or all weights are zero."
            raise DegenerateError(msg)
        weights = self._seen_weights(sequences)
        features = self.emission.features(sequences.rows)
        shares = partition_by_features(features, self.n_components, self.start.kind, rng, weights)
        if sequences.log_labels is not None:
            seen = slice(None) if sequences.seen is None else sequences.seen
            known, is_known = known_states(sequences.log_labels[seen])
            shares = with_known_states(shares, self.ties.gather(known, self.n_components), is_known)
        chain = self.chain.initialize(self.n_states, sequences, rng)
        emission = fit_off_bounds(self.emission, sequences.rows, shares, weights)
        params = HiddenMarkovParams(
            with_fields(chain, self.start.chain, "params of the chain"),
            with_fields(emission, self.start.emission, "params of the emissions"),
        )
        if sequences.log_labels is not None or not self.chain.is_exchangeable or self.start.emission:
            require_possible(self.log_likelihoods(params, sequences), sequences.weights)
        return params

    def log_emission(self, params: HiddenMarkovParams, data: HiddenMarkovData) -> Array:
        """Return ``log p(x_t | z_t = k)`` plus what is known of the states, (n_samples, n_states); 0 where missing.

        The array is nobody else's: chains write over it.
        """
        agreement.require_params(self.n_states, self.chain, self.emission, params)
        sequences = self.prepare(data)
        density = self.emission.log_density(params.emission, sequences.rows)
        agreement.require_densities(self.emission, params.emission, density, self.n_components)
        density = self.ties.spread(density)
        if not density.flags.writeable or _shares_memory(density, sequences.rows):
            density = density.copy()
        if sequences.seen is not None:
            everywhere = np.zeros((len(sequences.x), self.n_states))
            everywhere[sequences.seen] = density
            density = everywhere
        return density if sequences.log_labels is None else density + sequences.log_labels

    def paths(self, params: HiddenMarkovParams, data: HiddenMarkovData, temperature: float = 1.0) -> PathPosterior:
        """Return what the data say about the paths: log-likelihoods, smoothed states, expected counts."""
        sequences = self.prepare(data)
        log_emission = self.log_emission(params, sequences)
        return self.chain.posterior(params.chain, log_emission, sequences, temperature)

    def posterior(self, params: HiddenMarkovParams, data: HiddenMarkovData) -> Array:
        """Return ``P(z_t = k | the whole sequence)``, shape (n_samples, n_states)."""
        return self.paths(params, data).smoothed

    def log_likelihoods(self, params: HiddenMarkovParams, data: HiddenMarkovData) -> Array:
        """Return the log-likelihood of every sequence, (n_sequences,)."""
        return self.paths(params, data).log_likelihoods

    @property
    def lacks(self) -> tuple[str, ...]:
        """Which capabilities are missing: those that the chain or the family of the emissions does not have."""
        has_score = self.emission.offers("complete_score") and self.chain.has_score
        has_sampler = self.emission.has_sampler and not self.chain.needs_covariates
        return (() if has_score else ("complete_score",)) + (() if has_sampler else ("sample",))

    def complete_score(self, params: HiddenMarkovParams, statistics: HiddenMarkovStatistics) -> HiddenMarkovParams:
        """Return the gradient of the expected complete-data log-likelihood."""
        return HiddenMarkovParams(
            self.chain.complete_score(params.chain, statistics.chain),
            self.emission.complete_score(params.emission, statistics.emission),
        )

    def label_axes(self, params: HiddenMarkovParams) -> dict[str, int | tuple[int, ...]]:
        """Return the axes of every field along which exchangeable states lie; none where something is fixed or tied."""
        if not self._may_change_places(params):
            return {}
        chain = {f"chain.{name}": axes for name, axes in self.chain.label_axes(params.chain).items()}
        own = self.emission.component_fields(params.emission, self.n_states)
        return chain | {f"emission.{name}": 0 for name in own}

    def space(self, params: HiddenMarkovParams) -> dict[str, Space]:
        """Return the spaces of chain and emissions; InvalidParamsError if the params are those of another model."""
        agreement.require_params(self.n_states, self.chain, self.emission, params)
        agreement.require_components(self.emission, params.emission, self.n_components)
        chain = {f"chain.{name}": space for name, space in self.chain.space(params.chain).items()}
        if self.is_emission_fixed:
            return chain | {"emission": Fixed()}
        return chain | {f"emission.{name}": space for name, space in self.emission.space(params.emission).items()}

    def log_prior(self, params: HiddenMarkovParams) -> float:
        """Return the log-density of the priors of chain and emissions."""
        return self.chain.log_prior(params.chain) + self.emission.log_prior(params.emission)

    def sample(self, params: HiddenMarkovParams, n: int, rng: np.random.Generator) -> Array:
        """Return one sequence of ``n`` rows."""
        return self.sample_with_states(params, n, rng)[0]

    def sample_with_states(
        self, params: HiddenMarkovParams, n: int, rng: np.random.Generator
    ) -> tuple[Array, Integers]:
        """Return one sequence of ``n`` rows, and its states."""
        agreement.require_params(self.n_states, self.chain, self.emission, params)
        states = self.chain.sample(params.chain, whole_number(n, "n"), rng)
        return self.emission.sample(params.emission, self.ties.components(states), rng), states

    def check(self, params: HiddenMarkovParams) -> None:
        """Raise InvalidParamsError, naming field and index, unless the params lie in their spaces."""
        for path, space in spaces_of(self, params).items():
            space.check(part_at(params, path), ".".join(map(str, path)))

    def n_free(self, params: HiddenMarkovParams) -> int:
        """Return the number of free parameters."""
        spaces = spaces_of(self, params).items()
        return sum(space.n_free(np.asarray(part_at(params, path))) for path, space in spaces)

    def simulate(self, params: HiddenMarkovParams, data: HiddenMarkovData, rng: np.random.Generator) -> Sequences:
        """Return data from the params with lengths, gaps, weights, covariates and known states as in ``data``."""

        def draw(x: Array, covariates: Array | None) -> tuple[Array, Integers]:
            path = self.chain.sample(params.chain, len(x), rng, covariates)
            return self.emission.simulate(params.emission, self.ties.components(path), x, rng), path

        return redrawn(data, self.prepare(data), draw)

    def resample(self, data: HiddenMarkovData, rng: np.random.Generator) -> Sequences:
        """Return sequences drawn with replacement; there must be several."""
        return resampled(gathered(data), rng)

    def canonical(self, params: HiddenMarkovParams) -> HiddenMarkovParams:
        """Return the params with states in the order of their emissions: by means, the first column first.

        Families without means go by the entries of their params. Where transitions or emissions are fixed or tied,
        states have names of their own and nothing changes.
        """
        if not self._may_change_places(params):
            return params
        return self.permuted(params, state_order(self.emission, params.emission, self.n_states))

    def _may_change_places(self, params: HiddenMarkovParams) -> bool:
        """Return whether states have no names of their own: nothing of any of them is tied or fixed."""
        is_fixed = self.is_emission_fixed or holds_some(self.emission, params.emission, self.n_states)
        return self.ties.labels is None and not is_fixed and self.chain.is_exchangeable

    def permuted(self, params: HiddenMarkovParams, order: Integers) -> HiddenMarkovParams:
        """Return the params with state ``order[k]`` as the new state k."""
        return HiddenMarkovParams(
            self.chain.permuted(params.chain, order), self.emission.permuted(params.emission, order)
        )

    def notes(self, params: HiddenMarkovParams) -> list[str]:
        """Return what chain and emissions have to say."""
        return [*self.chain.notes(params.chain), *self.emission.notes(params.emission)]

    def _responsibilities(self, smoothed: Array, sequences: PreparedSequences) -> Array:
        """Return by how much every seen row counts for each distribution, (n_seen, n_components)."""
        shares = smoothed if sequences.seen is None else smoothed[sequences.seen]
        weights = self._seen_weights(sequences)
        if weights is not None:
            shares = shares * weights[:, None]
        return self.ties.gather(shares, self.n_components)

    def _seen_weights(self, sequences: PreparedSequences) -> Array | None:
        weights = sequences.row_weights()
        return weights if weights is None or sequences.seen is None else weights[sequences.seen]

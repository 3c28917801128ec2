"""Mixtures as a family: each component (state) has a mixture of its own of distributions of another family."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit import space, tree
from emkit.arrays import whole_number
from emkit.families.base import Array, Family, Labels
from emkit.families.gaussian.family import Gaussian
from emkit.families.priors import DirichletPrior, optional_prior
from emkit.families.responsibilities import occupied, row_weights, shared_at_start
from emkit.families.starts import kmeans_responsibilities
from emkit.space import Fixed, Simplex, Space, spaces_of

#: The rows of a component are first divided by k-means with this seed: a fit is a function of the rows alone.
SEED = 0


@attrs.frozen(eq=False)
class MixtureParams:
    """Params of K mixtures of M distributions each.

    Attributes
    ----------
    weights : (n_components, n_mix)
        ``P(distribution m | component k)``.
    parts
        Params of the inner family with an axis of components before all others: of Gaussians ``parts.means`` is
        (n_components, n_mix, n_features).
    """

    weights: Array = space.simplex()
    parts: Any = None


@attrs.frozen(eq=False)
class MixtureStatistics:
    """Sums over rows.

    Attributes
    ----------
    counts : (n_components, n_mix)
    parts : tuple
        Statistics of the inner family, one for each component.
    """

    counts: Array
    parts: tuple[Any, ...]


def _is_family(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, Family):
        msg = f"{attribute.name} must be a Family, such as Gaussian(); found {value!r}."
        raise TypeError(msg)


def _n_mix(value: Any) -> int:
    return whole_number(value, "n_mix")


@attrs.frozen
class Mixture(Family[MixtureParams]):
    """Each component has a mixture of ``n_mix`` distributions of another family.

    ``log_density[n, k] = log(sum_m weights[k, m] * exp(family.log_density(parts[k])[n, m]))``. What a family ties, such
    as the covariance of ``Gaussian("tied")``, is tied within the mixture of one component.

    Attributes
    ----------
    family : Family
        Of the distributions that are mixed; its prior, if any, holds for each component alike.
    n_mix : int
    prior : DirichletPrior, optional
        Of the weights.
    are_weights_fixed : bool
        Whether the weights keep their start.
    """

    family: Family[Any] = attrs.field(factory=Gaussian, validator=_is_family)
    n_mix: int = attrs.field(default=2, converter=_n_mix)
    prior: DirichletPrior | None = attrs.field(default=None, validator=optional_prior(DirichletPrior))
    are_weights_fixed: bool = attrs.field(default=False, kw_only=True)

    @property
    def accepts_nan(self) -> bool:  # type: ignore[override] # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether the inner family does."""
        return self.family.accepts_nan

    @property
    def is_additive(self) -> bool:  # type: ignore[override] # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether the inner family is."""
        return self.family.is_additive

    @property
    def looks_back(self) -> bool:  # type: ignore[override] # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether the inner family does."""
        return self.family.looks_back

    @property
    def has_sampler(self) -> bool:  # type: ignore[override] # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether the inner family has one."""
        return self.family.has_sampler

    def prepare(self, x: Any, lengths: NDArray[np.intp] | None = None) -> Any:
        """Return the rows as the inner family wants them."""
        return self.family.prepare(x, lengths)

    def log_density(self, params: MixtureParams, x: Any) -> Array:
        """Return the log-density of each mixture."""
        return np.stack([_log_sum(joint) for joint in self._joints(params, x)], axis=1)

    def statistics(self, params: MixtureParams, x: Any, responsibilities: Array) -> MixtureStatistics:
        """Return sums under the responsibilities of every distribution within its mixture."""
        counts, parts = np.empty(params.weights.shape), []
        for k, (joint, part) in enumerate(zip(self._joints(params, x), _parts(params), strict=True)):
            shares = _shares(joint, params.weights[k]) * responsibilities[:, k, None]
            counts[k] = shares.sum(axis=0)
            parts.append(self.family.statistics(part, x, shares))
        return MixtureStatistics(counts, tuple(parts))

    def m_step(self, params: MixtureParams, statistics: MixtureStatistics) -> MixtureParams:
        """Return counts (and those of the prior) as weights, and the M-step of the inner family."""
        added = 0.0 if self.prior is None else self.prior.counts(params.weights.shape)
        totals = statistics.counts + added
        filled = occupied(statistics.counts.sum(axis=1))[:, None]
        divisor = np.where(filled, totals.sum(axis=1, keepdims=True), 1.0)
        weights = np.where(filled, totals / divisor, params.weights)
        weights = params.weights if self.are_weights_fixed else weights
        pairs = zip(_parts(params), statistics.parts, strict=True)
        return MixtureParams(weights, _stack([self.family.m_step(part, sums) for part, sums in pairs]))

    def fit(self, x: Any, responsibilities: Array, params: MixtureParams | None = None) -> MixtureParams:
        """Return the params after one EM step; at the start, of a division of each component's rows by k-means."""
        x = self.prepare(x)
        if params is None:
            return self._start(x, shared_at_start(responsibilities))
        return self.m_step(params, self.statistics(params, x, responsibilities))

    def sample(self, params: MixtureParams, components: Labels, rng: np.random.Generator) -> Array:
        """Return one row for each of ``components``."""
        return self._drawn(params, components, rng, lambda part, chosen, _: self.family.sample(part, chosen, rng))

    def simulate(self, params: MixtureParams, components: Labels, x: Array, rng: np.random.Generator) -> Array:
        """Return one row for each of ``components``, like those of ``x``."""
        return self._drawn(
            params, components, rng, lambda part, chosen, rows: self.family.simulate(part, chosen, x[rows], rng)
        )

    def _drawn(
        self,
        params: MixtureParams,
        components: Labels,
        rng: np.random.Generator,
        draw: Callable[[Any, Labels, Labels], Array],
    ) -> Array:
        """Return rows that ``draw(inner params, distributions, places)`` gives for the members of each component."""
        below = np.cumsum(params.weights, axis=1)[components]
        chosen = (rng.random(len(components))[:, None] * below[:, -1:] >= below[:, :-1]).sum(axis=1)
        rows: Array | None = None
        for k, part in enumerate(_parts(params)):
            members = np.flatnonzero(components == k)
            if not members.size:
                continue
            drawn = draw(part, chosen[members], members)
            rows = np.empty((len(components), drawn.shape[1])) if rows is None else rows
            rows[members] = drawn
        return np.empty((0, 0)) if rows is None else rows

    def space(self, params: MixtureParams) -> dict[str, Space]:
        """Return the spaces of the inner family, under the names of its fields after ``parts``."""
        # Every component has the same constants, and a space holds for any number of leading axes.
        inner = spaces_of(self.family, next(iter(_parts(params))))
        named = {tree.path_name(("parts", *path)): space for path, space in inner.items()}
        return {"weights": Fixed() if self.are_weights_fixed else Simplex(), **named}

    def log_prior(self, params: MixtureParams) -> float:
        """Return the log-density of the priors of weights and of all parts."""
        of_weights = 0.0 if self.prior is None else self.prior.log_density(params.weights)
        return of_weights + sum(self.family.log_prior(part) for part in _parts(params))

    def complete_score(self, params: MixtureParams, statistics: MixtureStatistics) -> MixtureParams:
        """Return the gradient; ``statistics`` must be taken at ``params``."""
        weights = np.divide(
            statistics.counts, params.weights, out=np.zeros_like(statistics.counts), where=params.weights > 0
        )
        pairs = zip(_parts(params), statistics.parts, strict=True)
        return MixtureParams(weights, _stack([self.family.complete_score(part, sums) for part, sums in pairs]))

    def features(self, x: Any) -> Array:
        """Return those of the inner family."""
        return self.family.features(x)

    def mean(self, params: MixtureParams) -> Array:
        """Return the weighted means of the parts."""
        means = np.array([self.family.mean(part) for part in _parts(params)])
        return np.asarray((params.weights[:, :, None] * means).sum(axis=1))

    def cumulative(self, params: MixtureParams, x: Any) -> tuple[Array, Array]:
        """Return the weighted distribution functions of the parts."""
        return _weighted(params.weights, [self.family.cumulative(part, x) for part in _parts(params)])

    def survival(self, params: MixtureParams, x: Any) -> tuple[Array, Array]:
        """Return the weighted survival functions of the parts."""
        return _weighted(params.weights, [self.family.survival(part, x) for part in _parts(params)])

    def notes(self, params: MixtureParams, statistics: MixtureStatistics | None = None) -> Sequence[str]:
        """Return the notes of all parts, each with its component."""
        sums = [None] * len(params.weights) if statistics is None else list(statistics.parts)
        notes = [self.family.notes(part, each) for part, each in zip(_parts(params), sums, strict=True)]
        return [f"Mixture of component {k}: {note}" for k, of_part in enumerate(notes) for note in of_part]

    def _joints(self, params: MixtureParams, x: Any) -> list[Array]:
        """Return ``log weights[k, m] + log_density[n, m]`` for every component, (n_samples, n_mix) each."""
        with np.errstate(divide="ignore"):
            log_weights = np.log(params.weights)
        densities = (self.family.log_density(part, x) for part in _parts(params))
        return [density + logs for density, logs in zip(densities, log_weights, strict=True)]

    def _start(self, x: Any, responsibilities: Array) -> MixtureParams:
        """Return the inner fit to each component's rows, divided by k-means; all begin from a fit to all rows."""
        everything = row_weights(responsibilities)
        # The constants of a whole fit, such as floors, must be those of all rows in every component.
        family = _without_fixed(self.family)
        begin = family.fitted(x, np.repeat(everything[:, None], self.n_mix, axis=1))
        features = _standardised(np.asarray(self.family.features(x)), everything)
        weights, parts = [], []
        for shares in responsibilities.T:
            rule = kmeans_responsibilities(features, self.n_mix, np.random.default_rng(SEED), shares)
            divided = rule * shares[:, None]
            parts.append(family.fitted(x, divided, begin))
            weights.append(divided.sum(axis=0))
        counts = np.array(weights)
        # A distribution without rows would keep a weight of zero for ever: all start with some.
        counts += counts.sum(axis=1, keepdims=True) / (10.0 * self.n_mix)
        return MixtureParams(counts / counts.sum(axis=1, keepdims=True), _stack(parts))


def _without_fixed(family: Any) -> Any:
    """Return the family with everything free: what keeps its start must come from one first."""
    return attrs.evolve(family, fixed=()) if getattr(family, "fixed", ()) else family


def _parts(params: MixtureParams) -> list[Any]:
    """Return the inner params of each component."""
    return [tree.map_leaves(lambda leaf, k=k: leaf[k], params.parts) for k in range(len(params.weights))]


def _stack(parts: list[Any]) -> Any:
    """Return inner params, one for each component, as one."""
    return tree.map_leaves(lambda *leaves: np.stack(leaves), *parts)


def _weighted(weights: Array, pairs: list[tuple[Array, Array]]) -> tuple[Array, Array]:
    """Return both members of the pairs of all components, their parts (n_samples, n_mix) weighted and added up."""
    first, second = (
        np.stack([side @ own for side, own in zip(sides, weights, strict=True)], axis=1)
        for sides in zip(*pairs, strict=True)
    )
    return first, second


def _log_sum(joint: Array) -> Array:
    """Return ``log(sum_m exp(joint[:, m]))``, (n_samples,)."""
    top = joint.max(axis=1)
    finite = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore", under="ignore"):
        total: Array = finite + np.log(np.exp(joint - finite[:, None]).sum(axis=1))
    return total


def _shares(joint: Array, weights: Array) -> Array:
    """Return ``exp(joint)`` with rows that sum to one; where all densities are zero, the weights."""
    top = joint.max(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", under="ignore"):
        shares = np.where(np.isfinite(top), np.exp(joint - top), weights)
    normalised: Array = shares / shares.sum(axis=1, keepdims=True)
    return normalised


def _standardised(features: Array, weights: Array) -> Array:
    """Return columns of mean zero and variance one, under weights; constant ones become zero."""
    shares = weights / weights.sum()
    with np.errstate(over="ignore", invalid="ignore"):
        centred = features - shares @ features
        reach = np.abs(centred).max(axis=0, initial=0.0)
        unit = centred / np.where(reach > 0, reach, 1.0)
        deviation = np.sqrt(shares @ unit**2)
    return np.asarray(np.nan_to_num(unit / np.where(deviation > 0, deviation, 1.0)))

"""A mixture of any family: ``z_n ~ Categorical(weights)``, ``x_n | z_n = k`` from the family's k-th distribution."""

from __future__ import annotations

from typing import Any, TypeAlias

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit import EStep, LatentModel
from emkit.arrays import as_matrix, as_sample_weight, one_of, whole_number
from emkit.errors import DegenerateError
from emkit.families import STARTS, Family, Gaussian, partition_by_features
from emkit.space import Space
from emkit_mixture.params import MixtureParams, MixtureStatistics

Array = NDArray[np.float64]

#: Rows in a leaf.
LEAF_ROWS = 65_536
#: A component with a smaller weight has no rows left.
EMPTY = 1e-12


def _n_components(value: Any) -> int:
    return whole_number(value, "n_components")


def _start(value: Any) -> str:
    return one_of(value, "start", STARTS)


@attrs.frozen(eq=False)
class PreparedRows:
    """Rows checked.

    Attributes
    ----------
    rows
        Those of which something was seen, as the family prepared them.
    n_rows : int
    seen : (n_seen,) or None
        Their places, None if they are all.
    weights : (n_rows,) or None
    """

    rows: Any
    n_rows: int
    seen: NDArray[np.intp] | None
    weights: Array | None

    def seen_weights(self) -> Array | None:
        """Return the weights of the rows that are seen."""
        return self.weights if self.weights is None or self.seen is None else self.weights[self.seen]


#: A matrix, a pair of matrix and weights, or the prepared form.
MixtureData: TypeAlias = Array | tuple[Array, Array] | PreparedRows


@attrs.frozen
class MixtureModel(LatentModel[MixtureData, MixtureParams, MixtureStatistics]):
    """A finite mixture of any family of :mod:`emkit.families`, fitted by maximum likelihood.

    A row with a missing cell counts with what the family makes of its seen cells, and not at all where the family knows
    no gaps. :class:`GaussianMixtureModel` is faster for Gaussians.

    Attributes
    ----------
    n_components : int
    family : Family
    start : {"kmeans", "k-means++", "random", "random_from_data"}
        How rows are divided among the components at the start.

    Examples
    --------
    >>> import numpy as np
    >>> import emkit
    >>> from emkit.families import Poisson
    >>> from emkit_mixture import MixtureModel
    >>> deaths = emkit.datasets.london_times_deaths().values
    >>> result = emkit.fit(MixtureModel(2, Poisson()), (deaths[:, :1], deaths[:, 1]), tol=1e-10, rng=0)
    >>> np.sort(result.params.components.rates[:, 0]).round(4)
    array([1.2561, 2.6634])
    """

    n_components: int = attrs.field(default=1, converter=_n_components)
    family: Family[Any] = attrs.field(factory=Gaussian)
    start: str = attrs.field(default="kmeans", converter=_start, kw_only=True)

    @property
    def leaf_rows(self) -> int | None:  # type: ignore[override] # pyright: ignore[reportIncompatibleVariableOverride]
        """How many rows make a leaf; None where the family has no sums."""
        return LEAF_ROWS if self.family.is_additive else None

    @property
    def lacks(self) -> tuple[str, ...]:
        """Which capabilities are missing: those that the family does not have."""
        score = () if self.family.offers("complete_score") else ("complete_score",)
        return score if self.family.has_sampler else (*score, "sample")

    def prepare(self, leaf: MixtureData) -> PreparedRows:
        """Return validated rows and weights."""
        if isinstance(leaf, PreparedRows):
            return leaf
        values, weights = leaf if isinstance(leaf, tuple) else (leaf, None)
        x = as_matrix(values, allow_nan=True)
        gaps = np.isnan(x).any(axis=1)
        seen = np.flatnonzero(~gaps) if gaps.any() and not self.family.accepts_nan else None
        if seen is not None and not seen.size:
            msg = "Nothing was observed: every row has a gap."
            raise ValueError(msg)
        rows = self.family.prepare(x if seen is None else x[seen])
        return PreparedRows(rows, len(x), seen, as_sample_weight(weights, len(x), check_total=False))

    def e_step(self, params: MixtureParams, data: MixtureData) -> EStep[MixtureStatistics]:
        """Return statistics under ``responsibilities[n, k] = P(z_n = k | x_n)``, and the log-likelihood."""
        rows = self.prepare(data)
        shares, log_density = _shared(self._log_joint(params, rows), params.weights)
        weights = rows.seen_weights()
        if weights is None:
            total, n_observations = float(log_density.sum()), float(len(log_density))
        else:
            shares = shares * weights[:, None]
            counted = weights > 0
            total, n_observations = float(log_density[counted] @ weights[counted]), float(weights.sum())
        components = self.family.statistics(params.components, rows.rows, shares)
        return EStep(MixtureStatistics(shares.sum(axis=0), components), total, n_observations)

    def m_step(self, params: MixtureParams, statistics: MixtureStatistics) -> MixtureParams:
        """Return counts as weights, and the family's own M-step."""
        total = statistics.counts.sum()
        if not total > 0:
            msg = "No row of positive weight is within reach of any component: check data, weights and starting params."
            raise DegenerateError(msg)
        components = self.family.m_step(params.components, statistics.components)
        return MixtureParams(statistics.counts / total, components)

    def initialize(self, data: MixtureData, rng: np.random.Generator) -> MixtureParams:
        """Return the family's fit to a partition of the rows."""
        rows = self.prepare(data)
        features = np.asarray(self.family.features(rows.rows), dtype=np.float64)
        weights = rows.seen_weights()
        if not len(features) or (weights is not None and not weights.any()):
            msg = "Nothing was observed: all weights are zero."
            raise DegenerateError(msg)
        shares = partition_by_features(features, self.n_components, self.start, rng, weights)
        if weights is not None:
            shares = shares * weights[:, None]
        counts = shares.sum(axis=0) + shares.sum() / (10 * self.n_components)
        return MixtureParams(counts / counts.sum(), self.family.fitted(rows.rows, shares))

    def log_density(self, params: MixtureParams, x: Array) -> Array:
        """Return ``log p(x_n)``, shape (n_samples,); zero for rows of which nothing was seen."""
        rows = self.prepare(x)
        return _everywhere(_shared(self._log_joint(params, rows), params.weights)[1], rows, 0.0)

    def posterior(self, params: MixtureParams, data: MixtureData) -> Array:
        """Return ``P(z_n = k | x_n)``, shape (n_samples, n_components); the weights where nothing was seen."""
        rows = self.prepare(data)
        return _everywhere(_shared(self._log_joint(params, rows), params.weights)[0], rows, params.weights)

    def sample(self, params: MixtureParams, n: int, rng: np.random.Generator) -> Array:
        """Return ``n`` rows."""
        return self.family.sample(params.components, self._components(params, whole_number(n, "n"), rng), rng)

    def simulate(self, params: MixtureParams, data: MixtureData, rng: np.random.Generator) -> MixtureData:
        """Return rows with the gaps, weights and covariates of ``data``."""
        values, weights = data if isinstance(data, tuple) else (data, None)
        if isinstance(values, PreparedRows):
            msg = "Give the data as they were before they were prepared."
            raise TypeError(msg)
        x = as_matrix(values, allow_nan=True)
        drawn = np.array(self.family.simulate(params.components, self._components(params, len(x), rng), x, rng))
        drawn[np.isnan(x)] = np.nan
        return drawn if weights is None else (drawn, weights)

    def complete_score(self, params: MixtureParams, statistics: MixtureStatistics) -> MixtureParams:
        """Return the gradient of the expected complete-data log-likelihood."""
        weights = np.divide(
            statistics.counts, params.weights, out=np.zeros(self.n_components), where=params.weights > 0
        )
        return MixtureParams(weights, self.family.complete_score(params.components, statistics.components))

    def label_axes(self, params: MixtureParams) -> dict[str, int | tuple[int, ...]]:
        """Return the axis of every field along which the components lie."""
        own = self.family.component_fields(params.components, self.n_components)
        axes: dict[str, int | tuple[int, ...]] = {f"components.{name}": 0 for name in own}
        return axes | {"weights": 0}

    def space(self, params: MixtureParams) -> dict[str, Space]:
        """Return the spaces of the family."""
        return {f"components.{name}": each for name, each in self.family.space(params.components).items()}

    def log_prior(self, params: MixtureParams) -> float:
        """Return the log-density of the family's prior."""
        return self.family.log_prior(params.components)

    def notes(self, params: MixtureParams) -> list[str]:
        """Return what the family has to say, and a sentence for each component that has no rows left."""
        empty = [
            f"Component {k} is empty (weight {params.weights[k]:.3g})." for k in np.flatnonzero(params.weights < 1e-12)
        ]
        return [*empty, *self.family.notes(params.components)]

    def _log_joint(self, params: MixtureParams, rows: PreparedRows) -> Array:
        with np.errstate(divide="ignore"):
            return self.family.log_density(params.components, rows.rows) + np.log(params.weights)

    def _components(self, params: MixtureParams, n: int, rng: np.random.Generator) -> NDArray[np.intp]:
        return rng.choice(self.n_components, size=n, p=params.weights / params.weights.sum())


def _shared(joint: Array, weights: Array) -> tuple[Array, Array]:
    """Return responsibilities and log-densities of rows; where all densities are zero, weights and minus infinity."""
    top = joint.max(axis=1, keepdims=True)
    reached = np.isfinite(top)
    shares = np.where(reached, np.exp(joint - np.where(reached, top, 0.0)), weights)
    total = shares.sum(axis=1, keepdims=True)
    return shares / total, np.where(reached, top + np.log(total), -np.inf)[:, 0]


def _everywhere(values: Array, rows: PreparedRows, elsewhere: Any) -> Array:
    """Return values of seen rows at their places, and another where nothing was seen."""
    if rows.seen is None:
        return values
    full = np.empty((rows.n_rows, *values.shape[1:]))
    full[:] = elsewhere
    full[rows.seen] = values
    return full

"""Waiting times: exponential distributions."""

from __future__ import annotations

from typing import Any, final

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit import space
from emkit.arrays import share
from emkit.families.additive import LinearFamily, Sums
from emkit.families.base import Array, Labels
from emkit.families.priors import GammaPrior, optional_prior
from emkit.families.responsibilities import occupied, row_weights
from emkit.families.supports import Terms, checked


def as_floor(value: Any) -> float:
    """Return a floor, a share of the spread of all rows."""
    return share(value, "floor")


@attrs.frozen(eq=False)
class ExponentialParams:
    """Means of K exponential distributions.

    Attributes
    ----------
    means : (n_components, n_features)
        In the units of the data; ``rates`` are their inverses.
    scales : (n_features,)
        Means of all rows, in which the floor is counted.
    """

    means: Array = space.positive()
    scales: Array = space.fixed()

    @property
    def rates(self) -> Array:
        """Inverses of the means."""
        return 1 / self.means


@final
@attrs.frozen
class Exponential(LinearFamily[ExponentialParams]):
    """Independent exponential columns: ``log_density = sum_j -log(means_j) - x_j / means_j``.

    Attributes
    ----------
    floor : float
        Smallest mean, as a share of that of all rows: zeros alone have no finite likelihood.
    prior : GammaPrior, optional
        Of the rates; means are then ``(sums + rate) / (counts + shape - 1)``.
    """

    floor: float = attrs.field(default=1e-6, converter=as_floor)
    prior: GammaPrior | None = attrs.field(default=None, validator=optional_prior(GammaPrior))

    def prepare(self, x: Any, lengths: NDArray[np.intp] | None = None) -> Terms:
        """Return the data checked."""
        if isinstance(x, Terms):
            return x
        values = checked(x, "Exponential", "numbers of at least 0", lambda matrix: matrix >= 0, 1.0)
        return Terms.of(values, values)

    def coefficients(self, params: ExponentialParams) -> Array:
        """Return those of the data and of one."""
        return np.column_stack([-1 / params.means, -np.log(params.means).sum(axis=1)])

    def blank(self, x: Terms, responsibilities: Array) -> ExponentialParams:
        """Return the means of all rows."""
        means = np.average(x.values, axis=0, weights=row_weights(responsibilities))
        scales = np.where(means > 0, means, 1.0)
        return ExponentialParams(np.tile(scales, (responsibilities.shape[1], 1)), scales)

    def m_step(self, params: ExponentialParams, statistics: Sums) -> ExponentialParams:
        """Return means, or posterior modes, not below the floor."""
        counts, sums = statistics.counts[:, None], statistics.totals[:, :-1]
        filled = occupied(statistics.counts)[:, None]
        if self.prior is not None:
            counts, sums = counts + self.prior.shape - 1, sums + self.prior.rate
        means = np.maximum(sums / np.where(filled, counts, 1.0), self.floor * params.scales)
        return attrs.evolve(params, means=np.where(filled, means, params.means))

    def space(self, params: ExponentialParams) -> dict[str, space.Space]:
        """Return the floor of the means."""
        return {"means": space.Positive(self.floor * params.scales)}

    def log_prior(self, params: ExponentialParams) -> float:
        """Return the log-density of the prior of the rates."""
        return 0.0 if self.prior is None else self.prior.log_density(params.rates)

    def complete_score(self, params: ExponentialParams, statistics: Sums) -> ExponentialParams:
        """Return ``(sums / means - counts) / means``."""
        score = (statistics.totals[:, :-1] / params.means - statistics.counts[:, None]) / params.means
        return ExponentialParams(score, np.zeros_like(params.scales))

    def features(self, x: Terms) -> Array:
        """Return cube roots, which are nearly normal."""
        return np.cbrt(x.values)

    def mean(self, params: ExponentialParams) -> Array:
        """Return the means."""
        return params.means

    def cumulative(self, params: ExponentialParams, x: Terms) -> tuple[Array, Array]:
        """Return ``1 - exp(-x / mean)``, twice."""
        below = -np.expm1(-x.values[:, :1] / params.means[:, 0])
        return below, below

    def sample(self, params: ExponentialParams, components: Labels, rng: np.random.Generator) -> Array:
        """Return one row for each of ``components``."""
        return rng.exponential(params.means[components])

"""A multivariate normal of which cells are missing at random: ``x_n ~ Normal(mean, covariance)``, gaps latent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, TypeAlias

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit import EStep, LatentModel
from emkit.arrays import as_array, share
from emkit.errors import DegenerateError
from emkit.space import Covariance, Fixed, Real, Space
from emkit_mvn.checks import check_columns_are_seen, check_settings, check_width, prepared_by
from emkit_mvn.coverage import notes_on_coverage
from emkit_mvn.floors import above_floor
from emkit_mvn.kernels.conditional import Completion, Conditional
from emkit_mvn.kernels.moments import Normal, complete_gradient, expectations, rounding
from emkit_mvn.kernels.rows import IncompleteRows, incomplete_rows
from emkit_mvn.params import NormalParams, NormalStatistics
from emkit_mvn.priors import Prior, PriorTerms, as_prior
from emkit_mvn.starts import START_FLOOR, available_case_params, monotone_params, random_params
from emkit_mvn.structures import CovarianceStructure, Known, Unrestricted, as_structure

Array = NDArray[np.float64]

#: A matrix with NaN in its gaps, a pair of such a matrix and weights, or the prepared form.
NormalData: TypeAlias = Array | tuple[Array, Array] | IncompleteRows


def _floor(value: Any) -> float:
    return share(value, "floor")


def _optional_mean(value: Any) -> Array | None:
    return None if value is None else as_array(value, "mean")


@attrs.frozen(eq=False)
class MultivariateNormal(LatentModel[NormalData, NormalParams, NormalStatistics]):
    """A multivariate normal, fitted to tables with gaps by maximum likelihood or to the posterior mode.

    The likelihood is that of the seen cells; gaps are taken to be missing at random (Rubin 1976). Rows count with
    their weights, rows without a seen cell not at all.

    Attributes
    ----------
    covariance : CovarianceStructure or {"full", "diag", "spherical", "exchangeable"}
        Which covariance matrices are allowed.
    prior : Prior, {"ridge", "jeffreys"} or None
        What is known of mean and covariance before the data.
    mean : (n_features,), optional
        A mean that is known and not estimated.
    floor : float
        Smallest eigenvalue of the covariance, relative to the variances of the columns. Part of the parameter space,
        and constant: the fit is the exact maximum under it, whatever the units. Without one, 0, a table that does not
        determine its covariance has no maximum, which ends the fit.
    """

    covariance: CovarianceStructure = attrs.field(factory=Unrestricted, converter=as_structure)
    prior: Prior | None = attrs.field(default=None, converter=as_prior)
    mean: Array | None = attrs.field(default=None, converter=_optional_mean)
    floor: float = attrs.field(default=1e-8, converter=_floor)

    leaf_rows: ClassVar[int | None] = 65_536

    def e_step(self, params: NormalParams, data: NormalData) -> EStep[NormalStatistics]:
        """Return expected residual moments, and the log-likelihood of the seen cells."""
        rows = self._rows(data, params)
        units = rows.units
        with np.errstate(over="ignore"):
            covariance = params.covariance / np.outer(units.scale, units.scale)
        normal = Normal.of((params.mean - units.location) / units.scale, covariance)
        found = expectations(rows.blocks, normal)
        ratio = units.scale / params.scale
        statistics = NormalStatistics(
            rows.total_weight,
            rows.total_weight * params.mean,
            found.first * ratio,
            found.second * np.outer(ratio, ratio),
        )
        constant = np.diag(rows.pair_weights) @ (np.log(2 * np.pi) + 2 * np.log(units.scale))
        log_likelihood = -(constant + found.log_determinant + found.distance) / 2
        distance = np.abs(params.mean / units.scale)
        return EStep(statistics, log_likelihood, rows.total_weight, rounding(normal, distance, rows.total_weight))

    def m_step(self, params: NormalParams, statistics: NormalStatistics) -> NormalParams:
        """Return the mean and the covariance of highest posterior density above the floor.

        With ``m`` the mean of the completed rows, ``S`` their scatter about the new mean, and a prior of ``count`` and
        ``strength`` rows with ``scatter`` and ``centre``,

            mean       = (n m + strength centre) / (n + strength)
            covariance = (S + strength (mean - centre)(mean - centre)' + scatter) / (n + count)

        projected on the structure, with eigenvalues raised to the floor.
        """
        if not statistics.count > 0:
            msg = "No row of positive weight has a seen cell: check data and weights."
            raise DegenerateError(msg)
        scale, prior = params.scale, self._prior(params)
        total, origin = statistics.count, statistics.origin / statistics.count
        step, centre = statistics.first / total, (prior.centre - origin) / scale
        shift = (total * step + prior.strength * centre) / (total + prior.strength)
        mean = origin + scale * shift
        if self.mean is not None:
            mean, shift = self.mean, (self.mean - origin) / scale
        if isinstance(self.covariance, Known):
            return attrs.evolve(params, mean=mean)
        scatter = statistics.second - total * (np.outer(shift, step) + np.outer(step, shift) - np.outer(shift, shift))
        off_centre = shift - centre
        scatter = scatter + prior.strength * np.outer(off_centre, off_centre) + prior.scatter / np.outer(scale, scale)
        nearest = self.covariance.nearest(scatter / (total + prior.count))
        covariance = above_floor(nearest, self.floor, params.coverage) * np.outer(scale, scale)
        return attrs.evolve(params, mean=mean, covariance=covariance)

    def log_prior(self, params: NormalParams) -> float:
        """Return the log-density of the prior up to a constant; zero without one."""
        if self.prior is None:
            return 0.0
        prior = self._prior(params)
        scale = params.scale
        standard = attrs.evolve(prior, scatter=prior.scatter / np.outer(scale, scale), centre=prior.centre / scale)
        log_density = standard.log_density(params.mean / scale, params.covariance / np.outer(scale, scale))
        return log_density - prior.count * float(np.log(scale).sum())

    def initialize(self, data: NormalData, rng: np.random.Generator) -> NormalParams:
        """Return where to start: the maximum itself where patterns are monotone, else what pairs of columns say."""
        rows = self.prepare(data)
        check_columns_are_seen(rows)
        check_settings(self.mean, self.covariance, rows.x.shape[1])
        params = None
        if isinstance(self.covariance, Unrestricted) and self.prior is None and self.mean is None:
            params = monotone_params(rows, self.floor)
        params = params or available_case_params(rows, self.covariance, self.floor)
        if self.mean is not None:
            params = attrs.evolve(params, mean=self.mean)
        if isinstance(self.covariance, Known):
            params = attrs.evolve(params, covariance=self.covariance.covariance)
        return params

    def starts(self, data: NormalData, rng: np.random.Generator, n: int) -> Iterator[NormalParams]:
        """Yield the usual start, then others with random correlations: with gaps there may be several maxima."""
        first = self.initialize(data, rng)
        yield first
        for _ in range(n - 1):
            others = random_params(first, rng)
            yield attrs.evolve(others, covariance=self._allowed(others))

    def space(self, params: NormalParams) -> dict[str, Space]:
        """Return spaces with the floor and the ties of the structure, and scales that follow the data's own."""
        if not isinstance(params, NormalParams):
            msg = f"Params must be NormalParams; found {type(params).__name__}."
            raise TypeError(msg)
        size = params.scale.size
        if params.mean.shape != (size,) or params.covariance.shape != (size, size):
            msg = (
                f"mean must have shape ({size},) and covariance ({size}, {size}); they have {params.mean.shape} and "
                f"{params.covariance.shape}."
            )
            raise ValueError(msg)
        if not (params.scale > 0).all():
            msg = f"scale must be positive; scale[{int(np.argmin(params.scale > 0))}] is {params.scale.min()}."
            raise ValueError(msg)
        ties = self.covariance.ties(size)
        is_known = isinstance(self.covariance, Known)
        return {
            "mean": Real(params.scale) if self.mean is None else Fixed(),
            "covariance": Fixed() if is_known else Covariance(self.floor, params.scale, ties),
        }

    def prepare(self, leaf: NormalData) -> IncompleteRows:
        """Return rows in groups of like patterns; patterns of many rows are replaced by their moments."""
        return prepared_by(incomplete_rows, leaf)

    def posterior(self, params: NormalParams, data: NormalData) -> Completion:
        """Return conditional means and variances of the gaps."""
        x = self._table(data, params)
        conditional = Conditional.of(params.mean, params.covariance)
        return Completion(conditional.fill(x), conditional.variances(x))

    def log_density(self, params: NormalParams, data: NormalData) -> Array:
        """Return the log-density of the seen cells of each row, in nats, shape (n_samples,)."""
        return Conditional.of(params.mean, params.covariance).log_density(self._table(data, params))

    def sample(self, params: NormalParams, n: int, rng: np.random.Generator) -> Array:
        """Return ``n`` rows without gaps."""
        return rng.multivariate_normal(params.mean, params.covariance, size=n, method="cholesky")

    def simulate(self, params: NormalParams, data: NormalData, rng: np.random.Generator) -> Any:
        """Return as many rows with the same gaps and weights."""
        x = self._table(data, params)
        rows = np.where(np.isnan(x), np.nan, self.sample(params, len(x), rng))
        weights = self._weights(data)
        return rows if weights is None else (rows, weights)

    def complete_score(self, params: NormalParams, statistics: NormalStatistics) -> NormalParams:
        """Return the gradient of the expected complete-data log-likelihood."""
        scale, total = params.scale, statistics.count
        # The statistics are about the mean of their E-step, and the gradient is wanted at any.
        shift = (params.mean - statistics.origin / total) / scale
        first = statistics.first - total * shift
        across = np.outer(shift, statistics.first)
        second = statistics.second - across - across.T + total * np.outer(shift, shift)
        unit = np.outer(scale, scale)
        for_mean, for_covariance = complete_gradient(params.covariance / unit, first, second, total)
        zeros = {"scale": np.zeros_like(scale), "coverage": np.zeros_like(params.coverage)}
        return attrs.evolve(params, mean=for_mean / scale, covariance=for_covariance / unit, **zeros)

    def score_contributions(self, params: NormalParams, data: NormalData) -> NormalParams:
        """Return the gradient of every row's log-density, rows first, times the row's weight."""
        x, weights = self._table(data, params), self._weights(data)
        means, covariances = Conditional.of(params.mean, params.covariance).score_contributions(x)
        if weights is not None:
            means, covariances = means * weights[:, None], covariances * weights[:, None, None]
        zeros = {name: np.zeros((len(x), *getattr(params, name).shape)) for name in ("scale", "coverage")}
        return attrs.evolve(params, mean=means, covariance=covariances, **zeros)

    def notes(self, params: NormalParams) -> list[str]:
        """Return a sentence on pairs of columns that no row sees together: the data do not tell their covariance."""
        return notes_on_coverage(params.coverage, self.covariance)

    def _allowed(self, params: NormalParams) -> Array:
        """Return the covariance nearest to that of params in the structure, above the floor."""
        if isinstance(self.covariance, Known):
            return self.covariance.covariance
        unit = np.outer(params.scale, params.scale)
        nearest = self.covariance.nearest(params.covariance / unit)
        return above_floor(nearest, max(self.floor, START_FLOOR), params.coverage) * unit

    def _prior(self, params: NormalParams) -> PriorTerms:
        size = params.scale.size
        if self.prior is None:
            return PriorTerms(0.0, np.zeros((size, size)), 0.0, np.zeros(size))
        return self.prior.terms(size, params.scale)

    def _rows(self, data: NormalData, params: NormalParams) -> IncompleteRows:
        rows = self.prepare(data)
        check_width(rows, params.mean.size)
        return rows

    def _table(self, data: NormalData, params: NormalParams) -> Array:
        return self._rows(data, params).x

    def _weights(self, data: NormalData) -> Array | None:
        return self.prepare(data).weights

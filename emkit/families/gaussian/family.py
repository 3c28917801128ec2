"""The family of Gaussians: ``x[n] | component k ~ Normal(means[k], covariances[k])``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, TypeAlias

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy import special

from emkit.arrays import as_matrix, one_of
from emkit.families.base import Family, Labels
from emkit.families.gaussian.covariance import CovarianceStructure, Full, Tied, as_structure
from emkit.families.gaussian.densities import Gaussians, gaussian_m_step
from emkit.families.gaussian.expansions import Array
from emkit.families.gaussian.forms import gradients
from emkit.families.gaussian.incomplete import IncompleteRows, incomplete_log_density, incomplete_moments
from emkit.families.gaussian.moments import GaussianMoments
from emkit.families.gaussian.params import GaussianParams
from emkit.families.gaussian.pieces import (
    as_floor,
    check_columns,
    draw_deviations,
    neutral_gaussians,
    space_of_covariances,
)
from emkit.families.gaussian.prior import GaussianPrior, check_prior
from emkit.families.gaussian.rows import log_density_of_rows, moments_of_rows
from emkit.families.gaussian.units import location_and_scale
from emkit.space import Fixed, Real, Space

#: A matrix without gaps, or rows grouped by their gaps.
Rows: TypeAlias = Array | IncompleteRows


def _fixed(value: Any) -> tuple[str, ...]:
    return tuple(one_of(name, "fixed", ("means", "covariances")) for name in value)


@attrs.frozen
class Gaussian(Family[GaussianParams]):
    """Gaussians, one for each component.

    Single cells may be missing (NaN): such a row has the density of its seen cells, and the M-step uses what is
    expected of the others given them (the exact EM algorithm).

    Attributes
    ----------
    covariance : CovarianceStructure or {"full", "tied", "diag", "spherical"}
    floor : float
        Smallest eigenvalue of a covariance, relative to the variances of all rows at the start.
    prior : GaussianPrior, optional
        None, the default, is maximum likelihood.
    fixed : tuple of {"means", "covariances"}
        What keeps its start. Covariances are then those about the means that stay.
    """

    covariance: CovarianceStructure = attrs.field(factory=Full, converter=as_structure)
    floor: float = attrs.field(default=1e-6, converter=as_floor)
    prior: GaussianPrior | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.instance_of(GaussianPrior))
    )
    fixed: tuple[str, ...] = attrs.field(default=(), converter=_fixed, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if "means" in self.fixed and self.prior is not None and np.any(self.prior.means_weight):
            msg = "Means that are fixed can have no prior: leave means_weight at 0."
            raise ValueError(msg)

    accepts_nan: ClassVar[bool] = True
    is_additive: ClassVar[bool] = True

    def prepare(self, x: Any, lengths: NDArray[np.intp] | None = None) -> Rows:
        """Return the rows as a matrix, or grouped by the cells that miss if any do."""
        if isinstance(x, IncompleteRows):
            return x
        matrix = as_matrix(x, allow_nan=True)
        return IncompleteRows.of(matrix) if np.isnan(matrix).any() else matrix

    def log_density(self, params: GaussianParams, x: Rows) -> Array:
        """Return the log-density of the seen cells of every row."""
        gaussians = self._gaussians(params, x)
        if isinstance(x, IncompleteRows):
            return incomplete_log_density(gaussians, x)
        return log_density_of_rows(gaussians, x)

    def statistics(self, params: GaussianParams, x: Rows, responsibilities: Array) -> GaussianMoments:
        """Return the (expected) moments about the means of ``params``."""
        gaussians = self._gaussians(params, x)
        if isinstance(x, IncompleteRows):
            return incomplete_moments(gaussians, x, responsibilities)
        return moments_of_rows(gaussians, x, responsibilities)

    def m_step(self, params: GaussianParams, statistics: GaussianMoments) -> GaussianParams:
        """Return the means and covariances of highest likelihood (or posterior density) above the floor."""
        gaussians = self._gaussians(params)
        if "means" in self.fixed:
            # Moments are about the current means: without a shift the covariances are those about them.
            statistics = attrs.evolve(statistics, first=np.zeros_like(statistics.first))
        if self.prior is None:
            means, covariances = gaussian_m_step(statistics, gaussians, self.floor)
        else:
            means, covariances = self.prior.m_step(statistics, gaussians, self.floor)
        return attrs.evolve(
            params,
            means=params.means if "means" in self.fixed else means,
            covariances=params.covariances if "covariances" in self.fixed else covariances,
        )

    def fit(self, x: Rows, responsibilities: Array, params: GaussianParams | None = None) -> GaussianParams:
        """Return the maximiser; with gaps, one EM step towards it."""
        if params is None:
            start = self._start(x, responsibilities)
            return attrs.evolve(self, fixed=()).m_step(start, self.statistics(start, x, responsibilities))
        return self.m_step(params, self.statistics(params, x, responsibilities))

    def sample(self, params: GaussianParams, components: Labels, rng: np.random.Generator) -> Array:
        """Return one row for each of ``components``."""
        return params.means[components] + draw_deviations(self._gaussians(params), components, rng)

    def space(self, params: GaussianParams) -> dict[str, Space]:
        """Return spaces with the floor, in units of the data."""
        covariances = space_of_covariances(self.covariance, self.floor, params.covariances.shape, params.scale)
        spaces: dict[str, Space] = {"means": Real(params.scale), "covariances": covariances}
        return spaces | {name: Fixed() for name in self.fixed}

    def log_prior(self, params: GaussianParams) -> float:
        """Return the log-density of the prior, up to a constant."""
        return 0.0 if self.prior is None else self.prior.log_density(self._gaussians(params))

    def complete_score(self, params: GaussianParams, statistics: GaussianMoments) -> GaussianParams:
        """Return the gradient with respect to means and covariances; ``statistics`` must be taken at ``params``."""
        scale = params.scale
        standard = self.covariance.rescale(params.covariances, 1.0 / scale)
        means, covariances = gradients(self.covariance, standard, statistics)
        zeros = np.zeros_like(scale)
        return GaussianParams(means / scale, self.covariance.rescale(covariances, 1.0 / scale), zeros, zeros, zeros)

    def features(self, x: Rows) -> Array:
        """Return the rows, a gap filled by the mean of its column."""
        return x.filled() if isinstance(x, IncompleteRows) else x

    def shared_fields(self, params: GaussianParams) -> tuple[str, ...]:
        """Return the one covariance of a tied structure."""
        return ("covariances",) if isinstance(self.covariance, Tied) else ()

    def notes(self, params: GaussianParams, statistics: Any = None) -> Sequence[str]:
        """Return a sentence on columns without any seen cell."""
        empty = [str(column) for column in np.flatnonzero(params.coverage == 0)]
        if not empty:
            return ()
        where, it = ("Column", "it") if len(empty) == 1 else ("Columns", "them")
        return (
            f"{where} {', '.join(empty)}: no cell is seen there, so the data say nothing of means and variances, which "
            f"are placeholders. Leave {it} out.",
        )

    def mean(self, params: GaussianParams) -> Array:
        """Return the means."""
        return params.means

    def cumulative(self, params: GaussianParams, x: Rows) -> tuple[Array, Array]:
        """Return ``P(X <= x[n] | component k)``, twice: a Gaussian has no steps. Of a single column."""
        below: Array = special.ndtr(self._quantiles(params, x))
        return below, below

    def survival(self, params: GaussianParams, x: Rows) -> tuple[Array, Array]:
        """Return ``P(X > x[n] | component k)``, twice."""
        above: Array = special.ndtr(-self._quantiles(params, x))
        return above, above

    def _quantiles(self, params: GaussianParams, x: Rows) -> Array:
        """Return the rows of a single column, standardised by every component."""
        matrix = _matrix(x)
        if matrix.shape[1] != 1:
            msg = f"A distribution function needs a single column; the rows have {matrix.shape[1]}."
            raise ValueError(msg)
        variances = self.covariance.to_full(params.covariances, *params.means.shape)[:, 0, 0]
        return np.asarray((matrix - params.means[:, 0]) / np.sqrt(variances))

    def _start(self, x: Rows, responsibilities: Array) -> GaussianParams:
        """Return params to begin from: those of all rows together, where some component has none of its own."""
        matrix, total = _matrix(x), responsibilities.sum(axis=1)
        n_components = responsibilities.shape[1]
        if self.prior is not None:
            check_prior(self.prior, self.covariance, n_components, matrix.shape[1])
        location, scale = location_and_scale(matrix, total, self.covariance)
        neutral = neutral_gaussians(self.covariance, n_components, location, scale)
        coverage = _coverage(matrix, total) if isinstance(x, IncompleteRows) else np.ones(matrix.shape[1])
        params = GaussianParams(neutral.means, neutral.covariances, location, scale, coverage)
        if (responsibilities > 0).any(axis=0).all():
            return params
        everything = total if total.any() else np.ones(len(matrix))
        shares = np.repeat(everything[:, None], n_components, axis=1)
        return self.m_step(params, self.statistics(params, x, shares))

    def _gaussians(self, params: GaussianParams, x: Rows | None = None) -> Gaussians:
        """Return the components; ``x``, if given, must have as many columns as their means."""
        if x is not None:
            check_columns(_matrix(x), params.means.shape[1])
        return Gaussians(params.means, params.covariances, self.covariance, params.location, params.scale)


def _coverage(x: Array, weights: Array) -> Array:
    """Return the share of the rows, by their weights, that each column is seen in, (n_features,)."""
    weights = weights / weights.max() if weights.any() else np.ones(len(x))
    return np.asarray((~np.isnan(x) * weights[:, None]).sum(axis=0) / weights.sum()) if len(x) else np.ones(x.shape[1])


def _matrix(x: Rows) -> Array:
    return x.x if isinstance(x, IncompleteRows) else x

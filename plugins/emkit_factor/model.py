"""Factors behind columns: ``z_n ~ Normal(0, I)``, ``x_n = mean + loadings @ z_n + e_n``, ``e_n`` independent noise."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, TypeAlias

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit import EStep, LatentModel
from emkit.arrays import whole_number
from emkit.errors import DegenerateError
from emkit.space import Positive, Real, Space
from emkit_factor.checks import (
    check_data,
    check_noise,
    check_params,
    expansion,
    floor_share,
    free_entries,
    number_of_factors,
    prior_or_none,
)
from emkit_factor.kernels import StandardFactors
from emkit_factor.loadings import FreeEntries, groups_of, n_rotations, principal
from emkit_factor.moments import expected_moments
from emkit_factor.noise import DiagonalNoise, InverseGamma, Noise, as_noise
from emkit_factor.params import FactorAnalysisParams, FactorPosterior, FactorStatistics
from emkit_factor.rows import PartialRows, location_and_scale
from emkit_factor.scores import gradient, gradients
from emkit_factor.starts import above_floor, at_principal_axes, at_random, standardised
from emkit_factor.steps import regressions, to_unit_factors

Array = NDArray[np.float64]

#: A matrix with NaN where a cell is missing, a pair of matrix and weights, or the prepared form.
FactorData: TypeAlias = Array | tuple[Array, Array] | PartialRows


@attrs.frozen
class FactorAnalysisModel(LatentModel[FactorData, FactorAnalysisParams, FactorStatistics]):
    """Factor analysis or probabilistic principal components, with missing cells, fitted by maximum likelihood.

    Cells are taken to be missing at random; a row counts with the cells it has. No matrix is larger than the data or
    the loadings times the factors, so that there may be far more columns than rows.

    Attributes
    ----------
    n_factors : int
    noise : Noise or {"diagonal", "isotropic"}
        A noise variance for each column (factor analysis), or one for all (probabilistic principal components).
    floor : float
        Smallest noise variance, as a share of the variance of the data. Part of the parameter space, and constant: a
        column whose noise would vanish (a Heywood case) rests on it, and the fit is the exact maximum under it.
    prior : InverseGamma, optional
        Of the noise variances; the fit is then the mode of the posterior.
    free_loadings : boolean array (n_features, n_factors), optional
        Which loadings there are; the others are zero (confirmatory factor analysis). Zeros above the diagonal leave
        no rotation, and so give the loadings standard errors.
    is_expanded : bool
        Whether the M-step also estimates mean and covariance of the factors and puts them back to zero and one by way
        of the loadings (PX-EM: Liu, Rubin and Wu 1998, Biometrika 85:755). The same maxima in fewer steps. The map is
        then not that of plain EM, so leave it out for ``standard_errors(method="sem")``.
    """

    n_factors: int = attrs.field(default=1, converter=number_of_factors)
    noise: Noise = attrs.field(factory=DiagonalNoise, converter=as_noise)
    floor: float = attrs.field(default=1e-6, converter=floor_share, kw_only=True)
    prior: InverseGamma | None = attrs.field(default=None, converter=prior_or_none, kw_only=True)
    free_loadings: Any = attrs.field(
        default=None, converter=free_entries, kw_only=True, eq=attrs.cmp_using(eq=np.array_equal), hash=False
    )
    is_expanded: bool = attrs.field(default=True, converter=expansion, kw_only=True)

    leaf_rows: ClassVar[int | None] = 65_536

    def e_step(self, params: FactorAnalysisParams, data: FactorData) -> EStep[FactorStatistics]:
        """Return the expected moments of cells and factors, and the log-likelihood of the observed cells."""
        rows = self._rows(params, data)
        factors = StandardFactors.of(params)
        statistics, log_likelihood = expected_moments(factors, rows)
        return EStep(statistics, log_likelihood, statistics.n_rows, factors.rounding(statistics.counts))

    def m_step(self, params: FactorAnalysisParams, statistics: FactorStatistics) -> FactorAnalysisParams:
        """Return the regression of every column on the factors, and the variances of what it leaves over."""
        if not statistics.n_rows > 0:
            msg = "No row of positive weight has an observed cell: check data and weights."
            raise DegenerateError(msg)
        mean, loadings, squares = regressions(statistics, self.free_loadings)
        variances = self.noise.m_step(squares, statistics.counts, self.prior, self.floor)
        check_noise(variances, self.floor)
        if self.is_expanded:
            shift, root = to_unit_factors(statistics, groups_of(self.free_loadings, self.n_factors))
            mean = mean + loadings @ shift
            loadings = loadings @ root
        location, scale, seen = params.location, params.scale, statistics.counts > 0
        noise_seen = seen if len(variances) > 1 else seen.any(keepdims=True)
        return attrs.evolve(
            params,
            mean=np.where(seen, location + scale * mean, params.mean),
            loadings=np.where(seen[:, None], loadings * scale[:, None], params.loadings),
            noise_variances=np.where(noise_seen, variances * scale[: len(variances)] ** 2, params.noise_variances),
        )

    def initialize(self, data: FactorData, rng: np.random.Generator) -> FactorAnalysisParams:
        """Return loadings along the principal axes of the data, its gaps filled with means."""
        return next(iter(self.starts(data, rng, 1)))

    def starts(self, data: FactorData, rng: np.random.Generator, n: int) -> Iterable[FactorAnalysisParams]:
        """Yield the start at the principal axes first, then random loadings."""
        rows = self.prepare(data)
        check_data(rows, self.n_factors, self.free_loadings)
        location, scale = location_and_scale(rows, self.noise)
        standard, variances = standardised(rows, location, scale, rng)
        for start in range(n):
            if start == 0:
                loadings, noise = at_principal_axes(standard, variances, self.n_factors, self.noise, rng)
            else:
                loadings, noise = at_random(len(variances), self.n_factors, self.noise, rng)
            if self.free_loadings is not None:
                loadings = loadings * self.free_loadings
            started = above_floor(noise, self.floor) * scale[: len(noise)] ** 2
            yield FactorAnalysisParams(location, loadings * scale[:, None], started, location, scale)

    def space(self, params: FactorAnalysisParams) -> dict[str, Space]:
        """Return spaces with the floor, and scales that follow the data's own; params of other shapes are refused."""
        check_params(params, self.n_factors, self.noise)
        scale, units = params.scale, params.scale[: params.noise_variances.size] ** 2
        free = self.free_loadings
        return {
            "mean": Real(scale),
            "loadings": Real(scale[:, None]) if free is None else FreeEntries(free, scale[:, None]),
            "noise_variances": Positive(self.floor * units, units),
        }

    def log_prior(self, params: FactorAnalysisParams) -> float:
        """Return the log-density of the noise variances in units of the data's, up to a constant; zero without one."""
        if self.prior is None:
            return 0.0
        return self.prior.log_density(params.noise_variances / params.scale[: params.noise_variances.size] ** 2)

    def prepare(self, leaf: FactorData) -> PartialRows:
        """Return validated rows and weights, and which rows miss the same cells."""
        if isinstance(leaf, PartialRows):
            return leaf
        if not isinstance(leaf, tuple):
            return PartialRows(leaf)
        if len(leaf) != 2:
            msg = f"Data must be a matrix or a pair (matrix, weights); found a tuple of length {len(leaf)}."
            raise ValueError(msg)
        return PartialRows(*leaf)

    def log_density(self, params: FactorAnalysisParams, x: Array) -> Array:
        """Return the log-density of the observed cells of each row, shape (n_samples,); zero where there are none."""
        rows, factors = self._rows(params, x), StandardFactors.of(params)
        density = np.zeros(len(rows.x))
        for block in factors.blocks(rows):
            density[block.rows] = factors.log_density(block)
        return density

    def posterior(self, params: FactorAnalysisParams, data: FactorData) -> FactorPosterior:
        """Return mean and covariance of the factors of each row, given its observed cells."""
        rows = self._unweighted(params, data)
        means = np.zeros((len(rows.x), self.n_factors))
        covariances = np.zeros((len(rows.x), self.n_factors, self.n_factors))
        covariances[:] = np.eye(self.n_factors)
        for block in StandardFactors.of(params).blocks(rows):
            means[block.rows] = block.means
            covariances[block.rows] = block.covariances[block.pattern]
        return FactorPosterior(means, covariances)

    def impute(self, params: FactorAnalysisParams, x: Array) -> Array:
        """Return the rows with every gap filled by its expectation given the cells observed in its row."""
        return StandardFactors.of(params).fill(self._rows(params, x))

    def sample(self, params: FactorAnalysisParams, n: int, rng: np.random.Generator) -> Array:
        """Return ``n`` complete rows."""
        n_features, n_factors = params.loadings.shape
        factors = rng.standard_normal((whole_number(n, "n"), n_factors))
        noise = rng.standard_normal((len(factors), n_features)) * np.sqrt(params.noise_variances)
        return np.asarray(params.mean + factors @ params.loadings.T + noise)

    def simulate(self, params: FactorAnalysisParams, data: FactorData, rng: np.random.Generator) -> FactorData:
        """Return data that miss the same cells and have the same weights as ``data``."""
        rows = self._rows(params, data)
        x = self.sample(params, len(rows.x), rng)
        x[np.isnan(rows.x)] = np.nan
        return x if rows.weights is None else (x, rows.weights)

    def complete_score(self, params: FactorAnalysisParams, statistics: FactorStatistics) -> FactorAnalysisParams:
        """Return the gradient of the expected complete-data log-likelihood."""
        return gradient(params, statistics)

    def score_contributions(self, params: FactorAnalysisParams, data: FactorData) -> FactorAnalysisParams:
        """Return the gradient of the log-likelihood of each row, times its weight."""
        return gradients(params, self._rows(params, data))

    def n_parameters(self, params: FactorAnalysisParams) -> int:
        """Return the number of free parameters: rotations of the factors, which change nothing, are none."""
        n_features, n_factors = params.loadings.shape
        n_loadings = params.loadings.size if self.free_loadings is None else int(self.free_loadings.sum())
        free = n_loadings + params.noise_variances.size - n_rotations(groups_of(self.free_loadings, n_factors))
        return int(n_features + min(free, n_features * (n_features + 1) // 2))

    def canonical(self, params: FactorAnalysisParams) -> FactorAnalysisParams:
        """Return the params with factors along principal axes: the same distribution, and the same for any start.

        ``loadings.T @ diag(1 / noise_variances) @ loadings`` becomes diagonal, its largest entry first, and the
        loading that stands out most of its noise becomes positive. With ``free_loadings`` only factors whose loadings
        are free in the same places are turned.
        """
        groups = groups_of(self.free_loadings, self.n_factors)
        return attrs.evolve(
            params, loadings=principal(params.loadings, np.sqrt(params.noise_variances), params.scale, groups)
        )

    def notes(self, params: FactorAnalysisParams) -> list[str]:
        """Return a sentence if the factors have more free parameters than a covariance matrix."""
        n_features, n_factors = params.loadings.shape
        excess = n_features * n_factors - n_factors * (n_factors - 1) // 2 + params.noise_variances.size
        if self.free_loadings is not None or excess <= n_features * (n_features + 1) // 2:
            return []
        return [
            f"n_factors={n_factors} is more than the covariances of n_features={n_features} columns determine: the "
            "likelihood has a ridge, and other loadings fit as well."
        ]

    def _rows(self, params: FactorAnalysisParams, data: FactorData) -> PartialRows:
        """Return prepared data, which must have as many columns as the params."""
        rows = self.prepare(data)
        if rows.x.shape[1:] != params.mean.shape:
            msg = (
                f"The data have n_features={rows.x.shape[1]}, but the params have {params.mean.size}: give the columns "
                "that the params were fitted to."
            )
            raise ValueError(msg)
        return rows

    def _unweighted(self, params: FactorAnalysisParams, data: FactorData) -> PartialRows:
        """Return prepared data without weights: what is said of a row does not depend on how often it counts."""
        rows = self._rows(params, data)
        return rows if rows.weights is None else PartialRows(rows.x)

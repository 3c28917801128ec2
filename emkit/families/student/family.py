"""The family of multivariate t distributions: Gaussians whose rows have precisions that vary."""

from __future__ import annotations

import math
from numbers import Real as RealNumber
from typing import Any, ClassVar

import attrs
import numpy as np
from scipy import special

from emkit.families.base import Family, Labels
from emkit.families.capped import AT_CAP, Capped
from emkit.families.gaussian.covariance import CovarianceStructure, Full, Tied, as_structure
from emkit.families.gaussian.densities import Gaussians, gaussian_m_step
from emkit.families.gaussian.expansions import Array, Booleans
from emkit.families.gaussian.forms import gradients, products
from emkit.families.gaussian.moments import GaussianMoments
from emkit.families.gaussian.pieces import (
    as_floor,
    check_columns,
    draw_deviations,
    neutral_gaussians,
    space_of_covariances,
)
from emkit.families.gaussian.rows import moments_of_rows
from emkit.families.gaussian.units import robust_location_and_scale
from emkit.families.student.distances import EIGENVALUE_ULPS, peaks_and_distances
from emkit.families.student.leaps import LIGHT_DF, TailSums, best_leaps
from emkit.families.student.params import StudentTParams, StudentTStatistics
from emkit.families.student.tails import HIGHEST_DF, LOWEST_DF, df_of_gap, log_gamma_ratio, log_minus_digamma
from emkit.space import Fixed, Real, Space

#: Where the estimation of the degrees of freedom begins.
START_DF = 8.0
#: How near, relative to it, an eigenvalue is to its floor to rest on it.
FLOOR_RTOL = 1e-6


def _df(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, RealNumber) or not 0 < float(value) < math.inf:
        msg = f"df must be a positive number, or None to estimate it; found {value!r}."
        raise ValueError(msg)
    return float(value)


@attrs.frozen
class StudentT(Family[StudentTParams]):
    """Multivariate t distributions, one for each component: outliers have little weight.

    Fitted by EM with the latent precision of each row, in its parameter-expanded form, in which means, scatters and
    degrees of freedom are maximised jointly [1]_.

    Attributes
    ----------
    df : float, optional
        Degrees of freedom of all components; None, the default, estimates those of each.
    covariance : CovarianceStructure or {"full", "tied", "diag", "spherical"}
        Of the scatter matrices. The precision of a row is one number: columns with a diagonal scatter are not
        correlated, yet not independent.
    floor : float
        Smallest eigenvalue of a scatter, relative to the robust variances of all rows at the start.

    References
    ----------
    .. [1] C. Liu, D. B. Rubin, Y. N. Wu, Parameter expansion to accelerate EM: the PX-EM algorithm, Biometrika 85
       (1998) 755-770, section 4.1.
    """

    df: float | None = attrs.field(default=None, converter=_df)
    covariance: CovarianceStructure = attrs.field(factory=Full, converter=as_structure)
    floor: float = attrs.field(default=1e-6, converter=as_floor)

    is_additive: ClassVar[bool] = True

    @property
    def _is_tied(self) -> bool:
        return isinstance(self.covariance, Tied)

    def log_density(self, params: StudentTParams, x: Array) -> Array:
        """Return ``log t(x[n]; means[k], scatters[k], df[k])``."""
        density, distances = self._distances(params, x)
        n_features, df = x.shape[1], params.df
        # The Gaussian density at its mean, and the ratio of the two densities there and on the way out.
        constants = density + log_gamma_ratio(df / 2, n_features / 2)
        log_density: Array = constants - (df + n_features) / 2 * np.log1p(distances / df)
        return log_density

    def statistics(self, params: StudentTParams, x: Array, responsibilities: Array) -> StudentTStatistics:
        """Return sums under ``E[u] = (df + n_features) / (df + distance)``."""
        _, distances = self._distances(params, x)
        n_features, df = x.shape[1], params.df
        growth = (distances - n_features) / (df + n_features)
        with np.errstate(under="ignore"):
            moments = moments_of_rows(self._gaussians(params), x, responsibilities / (1.0 + growth))
            counts = responsibilities.sum(axis=0)
        tails = TailSums.of(df, distances, responsibilities)
        # E[log u] = digamma(b) - log((df + distance) / 2) with b = (df + n_features) / 2.
        expected = np.log1p(n_features / df) - log_minus_digamma((df + n_features) / 2)
        return StudentTStatistics(counts, counts * expected - tails.logs, moments, tails)

    def m_step(self, params: StudentTParams, statistics: StudentTStatistics) -> StudentTParams:
        """Return the maximiser over the expanded params, or over the plain ones where a scatter rests on its floor.

        Expanded, the scatter is divided by ``sum r E[u]``; that is a maximum only where no constraint binds, and needs
        a scatter of its own for each component.
        """
        gaussians, moments = self._gaussians(params), statistics.moments
        occupied = moments.occupied()
        if not occupied.any():
            return params
        means, scatters = gaussian_m_step(moments, gaussians, self.floor)
        plain = np.full(len(means), True) if self._is_tied else self._rests_on_floor(scatters, params.scale)
        counts = np.where(occupied, statistics.counts, 1.0)
        weights = np.where(occupied, moments.counts, 1.0) / counts
        if plain.any():
            exact = self._plain_scatters(statistics, gaussians)
            chosen = plain.reshape(-1, *[1] * (scatters.ndim - 1))
            scatters = exact if plain.all() else np.where(chosen, exact, scatters)
        if self.df is not None:
            return attrs.evolve(params, means=means, scatters=scatters)
        gap = np.where(plain, weights - 1.0, np.log(weights)) - statistics.log_weights / counts
        # At the highest the gap is rounding alone; from there only a leap leads back.
        moving = occupied & (params.df < HIGHEST_DF * (1 - AT_CAP))
        df = np.where(moving, df_of_gap(gap, LOWEST_DF, HIGHEST_DF), params.df)
        return self._leapt(params, attrs.evolve(params, means=means, scatters=scatters, df=df), statistics)

    def fit(self, x: Array, responsibilities: Array, params: StudentTParams | None = None) -> StudentTParams:
        """Return the params after one EM step, which climbs."""
        if params is None:
            params = self._start(x, responsibilities)
        return self.m_step(params, self.statistics(params, x, responsibilities))

    def sample(self, params: StudentTParams, components: Labels, rng: np.random.Generator) -> Array:
        """Return one row for each of ``components``."""
        deviations = draw_deviations(self._gaussians(params), components, rng)
        df = params.df[components]
        return params.means[components] + deviations / np.sqrt(rng.chisquare(df) / df)[:, None]

    def space(self, params: StudentTParams) -> dict[str, Space]:
        """Return spaces with the floor, in units of the data, and the cap of the degrees of freedom."""
        scatters = space_of_covariances(self.covariance, self.floor, params.scatters.shape, params.scale)
        df: Space = Capped(HIGHEST_DF, LOWEST_DF) if self.df is None else Fixed()
        return {"means": Real(params.scale), "scatters": scatters, "df": df}

    def complete_score(self, params: StudentTParams, statistics: StudentTStatistics) -> StudentTParams:
        """Return the gradient; ``statistics`` must be taken at ``params``."""
        scale, half = params.scale, params.df / 2
        standard = self.covariance.rescale(params.scatters, 1.0 / scale)
        moments = attrs.evolve(statistics.moments, counts=statistics.counts)
        means, scatters = gradients(self.covariance, standard, moments)
        growth = statistics.counts * (1.0 + log_minus_digamma(half)) + statistics.log_weights
        df = (growth - statistics.moments.counts) / 2 if self.df is None else np.zeros_like(half)
        zeros = np.zeros_like(scale)
        return StudentTParams(means / scale, self.covariance.rescale(scatters, 1.0 / scale), df, zeros, zeros)

    def shared_fields(self, params: StudentTParams) -> tuple[str, ...]:
        """Return the one scatter of a tied structure."""
        return ("scatters",) if self._is_tied else ()

    def mean(self, params: StudentTParams) -> Array:
        """Return the locations; NaN where a component has no mean."""
        return np.where(params.df[:, None] > 1, params.means, np.nan)

    def cumulative(self, params: StudentTParams, x: Array) -> tuple[Array, Array]:
        """Return ``P(X <= x[n] | component k)``, twice: a t distribution has no steps. Of a single column."""
        check_columns(x, 1)
        variances = self.covariance.to_full(params.scatters, *params.means.shape)[:, 0, 0]
        below: Array = special.stdtr(params.df, (x - params.means[:, 0]) / np.sqrt(variances))
        return below, below

    def _distances(self, params: StudentTParams, x: Array) -> tuple[Array, Array]:
        """Return the Gaussian log-density at the means, of each or of all, and squared distances (n_samples, K)."""
        check_columns(x, params.means.shape[1])
        return peaks_and_distances(self._gaussians(params), x, self.floor)

    def _leapt(self, params: StudentTParams, after: StudentTParams, statistics: StudentTStatistics) -> StudentTParams:
        """Return ``after`` an EM step from ``params``, or where components leap in their tails, these leaps."""
        if (params.df < LIGHT_DF).all():
            return after
        occupied = statistics.moments.occupied()
        counts, n_features = np.where(occupied, statistics.counts, 1.0), params.means.shape[1]
        # A leap must not carry a scatter below its floor, and one scatter cannot have the factors of several tails.
        room = self._smallest(params.scatters, params.scale) / (self.floor * (1 + FLOOR_RTOL)) if self.floor else np.inf
        sums = statistics.tails
        leaps = best_leaps(params.df, counts, sums, n_features, np.full(len(counts), not self._is_tied))
        if (leaps.factors * room <= 1).any():
            leaps = best_leaps(params.df, counts, sums, n_features, leaps.factors * room > 1)
        leaping = occupied & (leaps.gains > 0)
        if not leaping.any():
            return after
        means, df = np.where(leaping[:, None], params.means, after.means), np.where(leaping, leaps.df, after.df)
        if self._is_tied:
            # The means and the one scatter of a step belong together, and so do those before it.
            return attrs.evolve(params, df=np.where(leaping, leaps.df, params.df))
        axes = (-1, *[1] * (after.scatters.ndim - 1))
        scatters = np.where(leaping.reshape(axes), params.scatters * leaps.factors.reshape(axes), after.scatters)
        return attrs.evolve(after, means=means, scatters=scatters, df=df)

    def _plain_scatters(self, statistics: StudentTStatistics, gaussians: Gaussians) -> Array:
        """Return the scatters divided by counts, with eigenvalues raised to the floor."""
        structure, moments = self.covariance, statistics.moments
        shifts = moments.shifts()
        about_means = moments.second - products(structure, moments.counts[:, None] * shifts, shifts)
        centred = GaussianMoments(statistics.counts, np.zeros_like(shifts), about_means)
        previous = structure.rescale(gaussians.covariances, 1.0 / gaussians.scale)
        scatters = structure.rescale(structure.m_step(centred, previous, self.floor), gaussians.scale)
        return structure.keep_unoccupied(moments.occupied(), scatters, gaussians.covariances)

    def _rests_on_floor(self, scatters: Array, scale: Array) -> Booleans:
        """Return which components have an eigenvalue at the floor, but for its rounding."""
        standard = np.abs(self.covariance.rescale(scatters, 1.0 / scale)).reshape(len(scatters), -1)
        rounding = EIGENVALUE_ULPS * len(scale) * np.finfo(np.float64).eps * standard.max(axis=1)
        return np.asarray(self._smallest(scatters, scale) <= self.floor * (1 + FLOOR_RTOL) + rounding)

    def _smallest(self, scatters: Array, scale: Array) -> Array:
        """Return the smallest eigenvalue of every scatter, in units of ``scale ** 2``."""
        standard = self.covariance.rescale(scatters, 1.0 / scale)
        if self.covariance.is_matrix:
            return np.asarray(np.linalg.eigvalsh(standard)[..., 0], dtype=np.float64)
        return np.asarray(standard.reshape(len(standard), -1).min(axis=1))

    def _start(self, x: Array, responsibilities: Array) -> StudentTParams:
        """Return params to begin from: those of all rows together, where some component has none of its own."""
        total, n_components = responsibilities.sum(axis=1), responsibilities.shape[1]
        location, scale = robust_location_and_scale(x, total, self.covariance)
        neutral = neutral_gaussians(self.covariance, n_components, location, scale)
        df = np.full(n_components, START_DF if self.df is None else self.df)
        params = StudentTParams(neutral.means, neutral.covariances, df, location, scale)
        if (responsibilities > 0).any(axis=0).all():
            return params
        everything = total if total.any() else np.ones(len(x))
        shares = np.repeat(everything[:, None], n_components, axis=1)
        return self.m_step(params, self.statistics(params, x, shares))

    def _gaussians(self, params: StudentTParams) -> Gaussians:
        return Gaussians(params.means, params.scatters, self.covariance, params.location, params.scale)

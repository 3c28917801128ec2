"""The family of autoregressions: rows that are Gaussian about a linear function of the rows before them."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy import special

from emkit import space
from emkit.arrays import as_matrix, whole_number
from emkit.families.additive import AdditiveFamily
from emkit.families.base import Array, Labels
from emkit.families.gaussian.covariance import CovarianceStructure, Full, Tied, as_structure
from emkit.families.gaussian.densities import Gaussians
from emkit.families.gaussian.pieces import as_floor, draw_deviations, neutral_gaussians, space_of_covariances
from emkit.families.gaussian.units import location_and_scale
from emkit.families.regression.design import lever
from emkit.families.regression.gaussian import DesignRows, LinearGaussians, RegressionSums, Units
from emkit.families.responsibilities import row_weights
from emkit.space import Real, Space


@attrs.frozen(eq=False)
class AutoregressiveParams:
    """Params of K autoregressions.

    Attributes
    ----------
    intercepts : (n_components, n_features)
    coefficients : (n_components, order, n_features, n_features)
        ``coefficients[k, l, i, j]``: of column j, ``l + 1`` rows before, for column i.
    covariances : as the covariance structure shapes them
        Of what is new in a row.
    location, scale : (n_features,)
        Mean and standard deviation of all rows; constants of a fit.
    """

    intercepts: Array = space.real()
    coefficients: Array = space.real()
    covariances: Array = space.real()
    location: Array = space.fixed()
    scale: Array = space.fixed()


def _order(value: Any) -> int:
    return whole_number(value, "order")


@attrs.frozen
class Autoregressive(AdditiveFamily[AutoregressiveParams]):
    """Rows given the ``order`` rows before them in their sequence.

    ``x[t] ~ Normal(intercepts[k] + sum_l coefficients[k, l] @ x[t - 1 - l], covariances[k])``

    The first ``order`` rows of every sequence have no density, nor have rows with a missing cell and the ``order`` rows
    after them: they count as missing, and so the likelihood is that of the other rows given these. Components whose
    recursion explodes are allowed.

    Attributes
    ----------
    order : int
    covariance : CovarianceStructure or {"full", "tied", "diag", "spherical"}
    floor : float
        Smallest eigenvalue of a covariance, relative to the variances of all rows at the start.
    """

    order: int = attrs.field(default=1, converter=_order)
    covariance: CovarianceStructure = attrs.field(factory=Full, converter=as_structure)
    floor: float = attrs.field(default=1e-6, converter=as_floor)

    # Rows with gaps must stay in their place, between those before and after them.
    accepts_nan: ClassVar[bool] = True
    is_additive: ClassVar[bool] = True
    looks_back: ClassVar[bool] = True

    def prepare(self, x: Any, lengths: NDArray[np.intp] | None = None) -> DesignRows:
        """Return rows beside the rows before them; its ``missing`` says which have no density."""
        if isinstance(x, DesignRows):
            return x
        matrix = as_matrix(x, allow_nan=True)
        sizes = np.array([len(matrix)]) if lengths is None else np.asarray(lengths)
        starts = np.repeat(np.cumsum(sizes) - sizes, sizes)
        if len(starts) != len(matrix):
            msg = f"lengths add up to {len(starts)}, but there are {len(matrix)} rows."
            raise ValueError(msg)
        lags = []
        for lag in range(1, self.order + 1):
            before = np.arange(len(matrix)) - lag
            lags.append(np.where((before >= starts)[:, None], matrix[np.maximum(before, 0)], np.nan))
        return DesignRows.of(matrix, np.concatenate(lags, axis=1))

    def log_density(self, params: AutoregressiveParams, x: DesignRows) -> Array:
        """Return ``log p(x[t] | x[t - 1], ..., component k)``; zero for a row that counts as missing."""
        return self._regressions(params, x).log_density(x)

    def statistics(self, params: AutoregressiveParams, x: DesignRows, responsibilities: Array) -> RegressionSums:
        """Return sums about the predictions of ``params``."""
        return self._regressions(params, x).sums(x, responsibilities)

    def m_step(self, params: AutoregressiveParams, statistics: RegressionSums) -> AutoregressiveParams:
        """Return the weighted least squares fit, the same for every structure of the covariances."""
        best = self._regressions(params).m_step(statistics, self.floor, has_intercept=True)
        coefficients = self._by_lag(best.slopes)
        return attrs.evolve(params, intercepts=best.intercepts, coefficients=coefficients, covariances=best.covariances)

    def blank(self, x: DesignRows, responsibilities: Array) -> AutoregressiveParams:
        """Return components without memory, and the units of the rows."""
        n_components, n_features = responsibilities.shape[1], x.responses.shape[1]
        weights = np.where(x.missing, 0.0, row_weights(responsibilities))
        location, scale = location_and_scale(x.responses, weights, self.covariance)
        neutral = neutral_gaussians(self.covariance, n_components, location, scale)
        coefficients = np.zeros((n_components, self.order, n_features, n_features))
        return AutoregressiveParams(neutral.means, coefficients, neutral.covariances, location, scale)

    def sample(self, params: AutoregressiveParams, components: Labels, rng: np.random.Generator) -> Array:
        """Return one sequence for its states; before it all rows are taken to have been at ``location``."""
        gaussians = Gaussians(
            np.zeros_like(params.intercepts), params.covariances, self.covariance, params.location, params.scale
        )
        new = params.intercepts[components] + draw_deviations(gaussians, components, rng)
        rows = np.concatenate([np.repeat(params.location[None], self.order, axis=0), new])
        for t, k in enumerate(components):
            before = rows[t : t + self.order][::-1]
            rows[t + self.order] += np.einsum("lij,lj->i", params.coefficients[k], before)
        return rows[self.order :]

    def shared_fields(self, params: AutoregressiveParams) -> tuple[str, ...]:
        """Return the one covariance of a tied structure."""
        return ("covariances",) if isinstance(self.covariance, Tied) else ()

    def space(self, params: AutoregressiveParams) -> dict[str, Space]:
        """Return spaces with the floor, in units of the data."""
        covariances = space_of_covariances(self.covariance, self.floor, params.covariances.shape, params.scale)
        slopes = np.broadcast_to(params.scale[:, None] / params.scale, params.coefficients.shape)
        intercepts = params.scale * lever(np.tile(params.location, self.order), np.tile(params.scale, self.order))
        return {"intercepts": Real(intercepts), "coefficients": Real(slopes), "covariances": covariances}

    def complete_score(self, params: AutoregressiveParams, statistics: RegressionSums) -> AutoregressiveParams:
        """Return the gradient; ``statistics`` must be taken at ``params``."""
        intercepts, slopes, covariances = self._regressions(params).score(statistics)
        zeros = np.zeros_like(params.scale)
        return AutoregressiveParams(intercepts, self._by_lag(slopes), covariances, zeros, zeros)

    def features(self, x: DesignRows) -> Array:
        """Return the rows themselves."""
        return x.responses

    def cumulative(self, params: AutoregressiveParams, x: DesignRows) -> tuple[Array, Array]:
        """Return ``P(X <= x[t] | x[t - 1], ..., component k)``, twice; NaN for rows that count as missing."""
        if x.responses.shape[1] != 1:
            msg = f"A distribution function needs a single column; the rows have {x.responses.shape[1]}."
            raise ValueError(msg)
        means = self._regressions(params, x).means(x.covariates)[:, :, 0].T
        variances = self.covariance.to_full(params.covariances, *params.intercepts.shape)[:, 0, 0]
        below = np.asarray(special.ndtr((x.responses - means) / np.sqrt(variances)))
        below[x.missing] = np.nan
        return below, below

    def _by_lag(self, slopes: Array) -> Array:
        """Return slopes (n_components, n_features, order * n_features) as coefficients by lag."""
        n_components, n_features, _ = slopes.shape
        return slopes.reshape(n_components, n_features, self.order, n_features).transpose(0, 2, 1, 3)

    def _regressions(self, params: AutoregressiveParams, x: DesignRows | None = None) -> LinearGaussians:
        n_components, _, n_features, _ = params.coefficients.shape
        if x is not None and x.responses.shape[1] != n_features:
            msg = (
                f"The rows have {x.responses.shape[1]} columns, but the params were fitted to {n_features}: give the "
                "same columns."
            )
            raise ValueError(msg)
        slopes = params.coefficients.transpose(0, 2, 1, 3).reshape(n_components, n_features, -1)
        location, scale = np.tile(params.location, self.order), np.tile(params.scale, self.order)
        units = Units(params.location, params.scale, location, scale)
        return LinearGaussians(params.intercepts, slopes, params.covariances, self.covariance, units)

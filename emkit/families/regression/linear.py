"""The family of linear regressions: a response that is Gaussian about a line in given covariates."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy import special

from emkit import space
from emkit.arrays import as_matrix
from emkit.families.additive import AdditiveFamily
from emkit.families.base import Array, Labels
from emkit.families.gaussian.covariance import CovarianceStructure, Spherical, Tied
from emkit.families.gaussian.pieces import as_floor, space_of_covariances
from emkit.families.gaussian.units import location_and_scale
from emkit.families.regression.design import lever, yes_or_no
from emkit.families.regression.gaussian import DesignRows, LinearGaussians, RegressionSums, Units
from emkit.families.regression.generalised import no_sampler
from emkit.families.responsibilities import row_weights
from emkit.space import Real, Space


@attrs.frozen(eq=False)
class LinearRegressionParams:
    """Params of K linear regressions.

    Attributes
    ----------
    coefficients : (n_components, n_coefficients)
        The intercept first, if there is one.
    variances : (n_components,), or (1,) if shared
        Of the residuals.
    response_location, response_scale : (1,)
    location, scale : (n_covariates,)
        By which response and covariates are standardised inside; constants of a fit.
    """

    coefficients: Array = space.real()
    variances: Array = space.positive()
    response_location: Array = space.fixed()
    response_scale: Array = space.fixed()
    location: Array = space.fixed()
    scale: Array = space.fixed()


@attrs.frozen
class LinearRegression(AdditiveFamily[LinearRegressionParams]):
    """Rows (response, covariates...): ``response ~ Normal(intercept + slopes @ covariates, variance)``.

    Where covariates are collinear within a component, its coefficients are those of smallest norm, standardised.

    Attributes
    ----------
    intercept : bool
    shared_variance : bool
        Whether all components have one variance.
    floor : float
        Smallest variance, relative to that of all responses at the start.
    """

    intercept: bool = attrs.field(default=True, validator=yes_or_no)
    shared_variance: bool = attrs.field(default=False, validator=yes_or_no)
    floor: float = attrs.field(default=1e-6, converter=as_floor)

    is_additive: ClassVar[bool] = True
    has_sampler: ClassVar[bool] = False

    def prepare(self, x: Any, lengths: NDArray[np.intp] | None = None) -> DesignRows:
        """Return responses and covariates."""
        if isinstance(x, DesignRows):
            return x
        matrix = as_matrix(x, allow_nan=True)
        return DesignRows.of(matrix[:, :1], matrix[:, 1:])

    def log_density(self, params: LinearRegressionParams, x: DesignRows) -> Array:
        """Return ``log p(response[n] | covariates[n], component k)``."""
        return self._regressions(params, x).log_density(x)

    def statistics(self, params: LinearRegressionParams, x: DesignRows, responsibilities: Array) -> RegressionSums:
        """Return sums about the lines of ``params``."""
        return self._regressions(params, x).sums(x, responsibilities)

    def m_step(self, params: LinearRegressionParams, statistics: RegressionSums) -> LinearRegressionParams:
        """Return the weighted least squares fit."""
        best = self._regressions(params).m_step(statistics, self.floor, self.intercept)
        return self._params(best, params)

    def blank(self, x: DesignRows, responsibilities: Array) -> LinearRegressionParams:
        """Return flat lines, and the units of response and covariates."""
        weights = np.where(x.missing, 0.0, row_weights(responsibilities))
        together = np.column_stack([x.responses, x.covariates])
        location, scale = location_and_scale(together, weights, Tied())
        if not self.intercept:
            # Without a constant the origin is where it is.
            location = np.zeros_like(location)
        n_components, n_coefficients = responsibilities.shape[1], x.covariates.shape[1] + self.intercept
        coefficients = np.zeros((n_components, n_coefficients))
        if self.intercept:
            coefficients[:, 0] = location[0]
        variances = np.full(1 if self.shared_variance else n_components, scale[0] ** 2)
        return LinearRegressionParams(coefficients, variances, location[:1], scale[:1], location[1:], scale[1:])

    def sample(self, params: LinearRegressionParams, components: Labels, rng: np.random.Generator) -> Array:
        """Raise: see :meth:`simulate`."""
        no_sampler(self)

    def simulate(self, params: LinearRegressionParams, components: Labels, x: Array, rng: np.random.Generator) -> Array:
        """Return the rows with responses drawn for their covariates."""
        means = self._regressions(params).means(x[:, 1:])[components, np.arange(len(x)), 0]
        deviations = np.sqrt(np.broadcast_to(params.variances, (len(params.coefficients),)))[components]
        return np.column_stack([means + deviations * rng.standard_normal(len(x)), x[:, 1:]])

    def shared_fields(self, params: LinearRegressionParams) -> tuple[str, ...]:
        """Return the one variance, if there is one for all."""
        return ("variances",) if self.shared_variance else ()

    def space(self, params: LinearRegressionParams) -> dict[str, Space]:
        """Return spaces with the floor, in units of the data."""
        unit = params.response_scale / params.scale
        first = params.response_scale * lever(params.location, params.scale)
        units = np.concatenate([first, unit]) if self.intercept else unit
        # Variances are kept as a list even if there is one.
        variances = space_of_covariances(Spherical(), self.floor, (1,), params.response_scale)
        return {"coefficients": Real(np.broadcast_to(units, params.coefficients.shape)), "variances": variances}

    def complete_score(self, params: LinearRegressionParams, statistics: RegressionSums) -> LinearRegressionParams:
        """Return the gradient; ``statistics`` must be taken at ``params``."""
        intercepts, slopes, variances = self._regressions(params).score(statistics)
        coefficients = np.concatenate([intercepts, slopes[:, 0]], axis=1) if self.intercept else slopes[:, 0]
        nothing = np.zeros(1)
        constants = np.zeros_like(params.scale)
        return LinearRegressionParams(coefficients, variances.ravel(), nothing, nothing, constants, constants)

    def features(self, x: DesignRows) -> Array:
        """Return response and covariates."""
        return np.column_stack([x.responses, x.covariates])

    def cumulative(self, params: LinearRegressionParams, x: DesignRows) -> tuple[Array, Array]:
        """Return ``P(response <= response[n] | covariates[n], component k)``, twice: a Gaussian has no steps."""
        means = self._regressions(params, x).means(x.covariates)[:, :, 0].T
        below: Array = special.ndtr((x.responses - means) / np.sqrt(params.variances))
        return below, below

    def _structure(self) -> CovarianceStructure:
        """Return the structure of one response: a matrix of one entry for all components, or a variance for each."""
        return Tied() if self.shared_variance else Spherical()

    def _regressions(self, params: LinearRegressionParams, x: DesignRows | None = None) -> LinearGaussians:
        if x is not None and x.covariates.shape[1] != len(params.scale):
            msg = (
                f"The rows have {x.covariates.shape[1]} covariates after the response, but the params were fitted to "
                f"{len(params.scale)}: give the same columns."
            )
            raise ValueError(msg)
        first = int(self.intercept)
        coefficients = params.coefficients
        intercepts = coefficients[:, :1] if self.intercept else np.zeros((len(coefficients), 1))
        variances = params.variances.reshape(1, 1) if self.shared_variance else params.variances
        units = Units(params.response_location, params.response_scale, params.location, params.scale)
        return LinearGaussians(intercepts, coefficients[:, None, first:], variances, self._structure(), units)

    def _params(self, best: LinearGaussians, params: LinearRegressionParams) -> LinearRegressionParams:
        slopes = best.slopes[:, 0]
        coefficients = np.concatenate([best.intercepts, slopes], axis=1) if self.intercept else slopes
        return attrs.evolve(params, coefficients=coefficients, variances=best.covariances.ravel())

"""Rows of a regression: a response and covariates, and coefficients of standardised covariates and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np

from emkit import space
from emkit.arrays import as_matrix, column_scales
from emkit.families.base import Array
from emkit.families.responsibilities import row_weights
from emkit.families.supports import refuse

#: Directions of the standardised covariates with less than this share of the largest curvature are not determined.
RANK_RTOL = 1e-11
#: A standardised coefficient beyond this runs away: one standard deviation multiplies odds or rates by a million.
RUNAWAY = 14.0


@attrs.frozen(eq=False)
class CoefficientParams:
    """Coefficients of K regressions with one number each for every covariate.

    Attributes
    ----------
    coefficients : (n_components, n_coefficients)
        The intercept first, if there is one; in one over the units of the covariates.
    location, scale : (n_covariates,)
        By which covariates are standardised inside: constants of the whole fit that change no result beyond rounding.
    """

    coefficients: Array = space.real()
    location: Array = space.fixed()
    scale: Array = space.fixed()


@attrs.frozen(eq=False)
class RegressionRows:
    """Responses and covariates.

    Attributes
    ----------
    response : (n_samples,)
    covariates : (n_samples, n_covariates)
    """

    response: Array
    covariates: Array

    def __len__(self) -> int:
        return len(self.response)

    def take(self, rows: Any) -> RegressionRows:
        """Return some of the rows, chosen by a boolean or integer index."""
        return RegressionRows(self.response[rows], self.covariates[rows])

    @classmethod
    def of(cls, x: Any, family: str, expected: str, is_allowed: Any) -> RegressionRows:
        """Return rows (response, covariates...) without NaN, or raise if a response is outside the support."""
        matrix = as_matrix(x, allow_nan=True)
        matrix = np.where(np.isnan(matrix), 0.0, matrix)
        refuse(~is_allowed(matrix[:, :1]), matrix, family, f"{expected} in its first column, the response")
        return cls(matrix[:, 0].copy(), matrix[:, 1:].copy())

    def features(self) -> Array:
        """Return response and covariates side by side."""
        return np.column_stack([self.response, self.covariates])


def predictors(params: CoefficientParams, covariates: Array) -> Array:
    """Return the linear predictors, (n_samples, n_components).

    Of the distances of covariates to ``location``: far from zero the intercept and the slopes times the covariates are
    both large, and their sum would lose its digits, other ones in every row.
    """
    standard = to_standard(params, params.coefficients)
    n_covariates = covariates.shape[1]
    with np.errstate(over="ignore", invalid="ignore"):
        slopes = params.coefficients[:, params.coefficients.shape[1] - n_covariates :]
        eta: Array = (covariates - params.location) @ slopes.T
        if params.coefficients.shape[1] > n_covariates:
            eta += standard[:, 0]
        else:
            eta += slopes @ params.location
    return eta


def standardised(params: CoefficientParams, covariates: Array) -> Array:
    """Return the design (n_samples, n_coefficients): standardised covariates, after a one if there is an intercept."""
    z = (covariates - params.location) / params.scale
    has_intercept = params.coefficients.shape[1] > covariates.shape[1]
    return np.column_stack([np.ones(len(z)), z]) if has_intercept else z


def to_standard(params: CoefficientParams, coefficients: Array) -> Array:
    """Return the coefficients of the standardised design that give the same predictors."""
    standard = coefficients.copy()
    n_covariates = len(params.scale)
    slopes = coefficients[..., coefficients.shape[-1] - n_covariates :]
    standard[..., coefficients.shape[-1] - n_covariates :] = slopes * params.scale
    if coefficients.shape[-1] > n_covariates:
        standard[..., 0] += slopes @ params.location
    return standard


def from_standard(params: CoefficientParams, standard: Array) -> Array:
    """Return the coefficients in the units of the data."""
    coefficients = standard.copy()
    n_covariates = len(params.scale)
    slopes = standard[..., standard.shape[-1] - n_covariates :] / params.scale
    coefficients[..., standard.shape[-1] - n_covariates :] = slopes
    if standard.shape[-1] > n_covariates:
        coefficients[..., 0] -= slopes @ params.location
    return coefficients


def score_in_units(params: CoefficientParams, score: Array) -> Array:
    """Return the gradient with respect to coefficients, given that with respect to standardised ones."""
    n_covariates = len(params.scale)
    gradient = score.copy()
    gradient[..., score.shape[-1] - n_covariates :] *= params.scale
    if score.shape[-1] > n_covariates:
        gradient[..., 1:] += score[..., :1] * params.location
    return gradient


def blank_params(x: RegressionRows, responsibilities: Array, intercept: bool) -> CoefficientParams:
    """Return coefficients of zero, and by what the covariates are standardised."""
    n_covariates, weights = x.covariates.shape[1], row_weights(responsibilities)
    location, scale = np.zeros(n_covariates), np.ones(n_covariates)
    if n_covariates:
        size = np.abs(x.covariates).max(axis=0)
        unit = np.where(size > 0, size, 1.0)
        if intercept:
            location = np.average(x.covariates / unit, axis=0, weights=weights) * unit
        deviation = np.sqrt(np.average(((x.covariates - location) / unit) ** 2, axis=0, weights=weights)) * unit
        try:
            scale = column_scales(deviation, size)
        except ValueError as error:
            msg = f"Of the covariates, counted from 0: {error}"
            raise ValueError(msg) from error
    return CoefficientParams(np.zeros((responsibilities.shape[1], n_covariates + intercept)), location, scale)


def solve(curvature: Array, score: Array) -> Array:
    """Return the shortest solution of ``curvature @ step = score``, without directions that are not determined."""
    unit = np.sqrt(np.diagonal(curvature))
    unit = np.where(unit > 0, unit, 1.0)
    values, vectors = np.linalg.eigh(curvature / unit / unit[:, None])
    kept = values > RANK_RTOL * values.max(initial=0.0)
    along = vectors.T @ (score / unit)
    return np.asarray(vectors @ np.where(kept, along / np.where(kept, values, 1.0), 0.0) / unit)


def coefficient_space(params: CoefficientParams) -> dict[str, space.Space]:
    """Return as the unit of a slope one for each standard deviation of its covariate, and that of an intercept.

    A small change of a slope moves the intercept, far from the rows, by as much more as zero is far from them.
    """
    unit = np.ones(params.coefficients.shape[1])
    unit[len(unit) - len(params.scale) :] = 1 / params.scale
    if len(unit) > len(params.scale):
        unit[0] = lever(params.location, params.scale)
    return {"coefficients": space.Real(np.broadcast_to(unit, params.coefficients.shape))}


def lever(location: Array, scale: Array) -> float:
    """Return how much less certain an intercept is at zero than in the middle of the covariates."""
    return float(np.hypot(1.0, np.linalg.norm(location / scale)))


def penalties(ridge: float, params: CoefficientParams) -> Array:
    """Return the precision of the prior of every standardised coefficient; none for the intercept."""
    precision = np.full(params.coefficients.shape[1], ridge)
    if len(precision) > len(params.scale):
        precision[0] = 0.0
    return precision


def ridge_log_prior(params: CoefficientParams, ridge: float) -> float:
    """Return ``-ridge / 2`` times the sum of squared standardised slopes."""
    return -float((penalties(ridge, params) * to_standard(params, params.coefficients) ** 2).sum()) / 2


def runaways(params: CoefficientParams, what: str) -> Sequence[str]:
    """Return a sentence if coefficients are so large that they have no finite estimate."""
    components = np.flatnonzero((np.abs(to_standard(params, params.coefficients)) > RUNAWAY).any(axis=1))
    if components.size == 0:
        return ()
    return (f"Coefficients of component {components[0]} run away: {what}. A ridge keeps them finite.",)


def as_ridge(value: Any) -> float:
    """Return a finite number of at least zero."""
    if not isinstance(value, int | float | np.number) or isinstance(value, bool) or not 0 <= float(value) < np.inf:
        msg = f"ridge must be a finite number of at least 0, such as 0.1; it is {value!r}."
        raise ValueError(msg)
    return float(value)


def yes_or_no(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    """Raise unless a setting is True or False."""
    if not isinstance(value, bool | np.bool_):
        msg = f"{attribute.name} must be True or False; it is {value!r}."
        raise ValueError(msg)

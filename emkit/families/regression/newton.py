"""The maximum of concave log-likelihoods in a linear predictor, by Newton's method."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import attrs
import numpy as np
from scipy.special import expit

from emkit.families.base import Array
from emkit.families.regression.design import (
    CoefficientParams,
    RegressionRows,
    from_standard,
    penalties,
    solve,
    standardised,
    to_standard,
)
from emkit.families.responsibilities import occupied

#: Above this predictor its exponential is infinite.
LARGEST_PREDICTOR = 709.0
MAX_NEWTON_STEPS = 200
MAX_HALVINGS = 60
#: Newton's method has arrived when a step promises less than this, in nats per row and of the objective.
ARRIVED = 1e-14

#: Takes predictors and responses; returns log-density, expected response and curvature of every row.
Link: TypeAlias = Callable[[Array, Array], tuple[Array, Array, Array]]


def logistic(eta: Array, y: Array) -> tuple[Array, Array, Array]:
    """Return log-densities, probabilities and variances of zeros and ones."""
    p = expit(eta)
    return -np.logaddexp(0.0, (1 - 2 * y) * eta), p, p * expit(-eta)


def poisson(eta: Array, y: Array) -> tuple[Array, Array, Array]:
    """Return log-densities up to ``log y!``, rates and, again, rates: the variances."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        rates = np.exp(eta)
        return np.where(eta < LARGEST_PREDICTOR, y * eta - rates, -np.inf), rates, rates


def newton(link: Link, data: tuple[Array, Array, Array], start: Array, precision: Array) -> Array:
    """Return the coefficients of highest ``shares @ log_density - precision @ coefficients**2 / 2``.

    Newton's method with steps halved until the objective rises, which it does for a short enough step: it is concave.

    Parameters
    ----------
    data : tuple of (n_samples, n_coefficients), (n_samples,) and (n_samples,) arrays
        Design, responses and shares.
    start, precision : (n_coefficients,)
    """
    design, y, shares = data
    # In units of their sum: weights of 1e-300 have no square, and a row of weight zero no part.
    rows = shares > 0
    total = shares[rows].sum()
    design, y, shares, precision = design[rows], y[rows], shares[rows] / total, precision / total

    def objective(coefficients: Array) -> float:
        return float(shares @ link(design @ coefficients, y)[0] - precision @ coefficients**2 / 2)

    coefficients, value = start, objective(start)
    for _ in range(MAX_NEWTON_STEPS):
        _, expected, curvature = link(design @ coefficients, y)
        score = design.T @ (shares * (y - expected)) - precision * coefficients
        step = solve((design * (shares * curvature)[:, None]).T @ design + np.diag(precision), score)
        if not score @ step > ARRIVED * (1 + abs(value)):
            break
        for halving in range(MAX_HALVINGS):
            candidate = coefficients + step / 2**halving
            after = objective(candidate)
            if after >= value:
                coefficients, value = candidate, after
                break
        else:
            break
    return coefficients


def fit_components(
    link: Link, params: CoefficientParams, x: RegressionRows, responsibilities: Array, ridge: float
) -> CoefficientParams:
    """Return params with the coefficients of every component that has rows at their maximum."""
    design, precision = standardised(params, x.covariates), penalties(ridge, params)
    coefficients = params.coefficients.copy()
    for k in np.flatnonzero(occupied(responsibilities.sum(axis=0))):
        start = to_standard(params, coefficients[k])
        best = newton(link, (design, x.response, responsibilities[:, k]), start, precision)
        if not np.array_equal(best, start):
            coefficients[k] = from_standard(params, best)
    return attrs.evolve(params, coefficients=coefficients)

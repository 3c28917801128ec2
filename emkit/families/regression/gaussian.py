"""Gaussian responses that are linear in given numbers: the kernels of regressions and of autoregressions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit.families.gaussian.covariance import CovarianceStructure
from emkit.families.gaussian.expansions import Array, Booleans
from emkit.families.gaussian.forms import gradients, log_determinants, products
from emkit.families.gaussian.moments import GaussianMoments
from emkit.families.regression.design import solve
from emkit.families.responsibilities import occupied

#: Rows handled at a time.
BLOCK_ROWS = 4096
#: Standardised numbers are cut off here, where their squares would leave the range of floats.
FARTHEST = 1e120


@attrs.frozen(eq=False)
class DesignRows:
    """Responses and what they are regressed on.

    Attributes
    ----------
    responses : (n_samples, n_responses)
    covariates : (n_samples, n_covariates)
    missing : (n_samples,) of bool
        Rows that lack something; their numbers are zeros.
    """

    responses: Array
    covariates: Array
    missing: Booleans

    @classmethod
    def of(cls, responses: Array, covariates: Array) -> DesignRows:
        """Return the rows, those with a NaN marked as missing."""
        missing: Booleans = np.asarray(np.isnan(responses).any(axis=1) | np.isnan(covariates).any(axis=1))
        if missing.any():
            responses = np.where(missing[:, None], 0.0, responses)
            covariates = np.where(missing[:, None], 0.0, covariates)
        return cls(responses, covariates, missing)

    def __len__(self) -> int:
        return len(self.responses)

    def take(self, rows: NDArray[Any]) -> DesignRows:
        """Return some rows, by a boolean or integer index."""
        return DesignRows(self.responses[rows], self.covariates[rows], self.missing[rows])


@attrs.frozen(eq=False)
class RegressionSums:
    """Sums over rows, standardised; ``z`` is the design ``[1, covariates]``, ``e`` the residual at the current params.

    Attributes
    ----------
    counts : (n_components,)
    gram : (n_components, n_terms, n_terms)
        ``sum_n r_nk z z'``.
    cross : (n_components, n_terms, n_responses)
        ``sum_n r_nk z e'``.
    second : as the covariance structure shapes it
        ``sum_n r_nk e e'``.
    """

    counts: Array
    gram: Array
    cross: Array
    second: Array


@attrs.frozen(eq=False)
class Units:
    """Constants of a whole fit: what responses and covariates are centred at and divided by."""

    response_location: Array
    response_scale: Array
    location: Array
    scale: Array


@attrs.frozen(eq=False)
class LinearGaussians:
    """K linear regressions ``response ~ Normal(intercepts[k] + slopes[k] @ covariates, covariances[k])``.

    Attributes
    ----------
    intercepts : (n_components, n_responses)
    slopes : (n_components, n_responses, n_covariates)
    covariances : as the structure shapes them
        All in the units of the data.
    structure : CovarianceStructure
    units : Units
    """

    intercepts: Array
    slopes: Array
    covariances: Array
    structure: CovarianceStructure
    units: Units

    def log_density(self, rows: DesignRows) -> Array:
        """Return the log-density of the responses, (n_samples, n_components); zero for a row that misses."""
        n_responses = rows.responses.shape[1]
        covariances, coefficients = self._standard_covariances(), self._coefficients()
        cholesky = self.structure.precisions_cholesky(covariances)
        jacobian = np.log(self.units.response_scale).sum() + 0.5 * n_responses * math.log(2.0 * math.pi)
        constants = -0.5 * log_determinants(self.structure, covariances, n_responses) - jacobian
        constants = np.broadcast_to(constants, (len(coefficients),))
        out = np.empty((len(coefficients), len(rows)))
        with np.errstate(over="ignore", under="ignore"):
            for block, design, responses in self._blocks(rows):
                for k, coefficient in enumerate(coefficients):
                    residual = responses - coefficient.T @ design
                    distances = self.structure.expansion.squared_distances(residual, cholesky, k)
                    out[k, block] = constants[k] - 0.5 * distances
        out[:, rows.missing] = 0.0
        return out.T

    def sums(self, rows: DesignRows, responsibilities: Array) -> RegressionSums:
        """Return the sums about the current params; rows that miss have no part in them."""
        coefficients = self._coefficients()
        shares = np.where(rows.missing, 0.0, responsibilities.T)
        n_components, n_terms, n_responses = coefficients.shape
        gram = np.zeros((n_components, n_terms, n_terms))
        cross = np.zeros(coefficients.shape)
        second = np.zeros(self.structure.shape(n_components, n_responses))
        expansion = self.structure.expansion
        with np.errstate(over="ignore", under="ignore"):
            for block, design, responses in self._blocks(rows):
                for k, coefficient in enumerate(coefficients):
                    weights = shares[k, block]
                    weighted = design * weights
                    residual = responses - coefficient.T @ design
                    gram[k] += weighted @ design.T
                    cross[k] += weighted @ residual.T
                    second[expansion.slot(k)] += expansion.spread(residual, weights)
        return RegressionSums(shares.sum(axis=1), gram, cross, second)

    def m_step(self, sums: RegressionSums, floor: float, has_intercept: bool) -> LinearGaussians:
        """Return the weighted least squares fit, and the best covariances above the floor.

        Directions that the rows do not determine are left as they are: from zeros, that is the fit of smallest norm.
        """
        filled = occupied(sums.counts)
        steps = np.array(
            [
                _least_squares(gram, cross, has_intercept) if is_filled else np.zeros_like(cross)
                for gram, cross, is_filled in zip(sums.gram, sums.cross, filled, strict=True)
            ]
        )
        # Of a fit by least squares the residual moments fall by step' cross; the general form is safe against rounding.
        second = sums.second + np.asarray(_fall(self.structure, sums, steps))
        moments = GaussianMoments(sums.counts, np.zeros(sums.cross[:, 0].shape), second)
        covariances = self.structure.m_step(moments, self._standard_covariances(), floor)
        covariances = self.structure.rescale(covariances, self.units.response_scale)
        covariances = self.structure.keep_unoccupied(filled, covariances, self.covariances)
        intercepts, slopes = self._in_units(steps)
        return attrs.evolve(
            self, intercepts=self.intercepts + intercepts, slopes=self.slopes + slopes, covariances=covariances
        )

    def score(self, sums: RegressionSums) -> tuple[Array, Array, Array]:
        """Return the gradients with respect to intercepts, slopes and covariances, at the params of the sums."""
        covariances, units = self._standard_covariances(), self.units
        each = []
        for term in range(sums.cross.shape[1]):
            moments = GaussianMoments(sums.counts, sums.cross[:, term], sums.second)
            each.append(gradients(self.structure, covariances, moments))
        by_term = np.stack([first for first, _ in each], axis=2) / units.response_scale[:, None]
        intercepts = by_term[:, :, 0]
        # A slope moves the coefficient of its covariate, in other units, and through the location the constant.
        slopes = by_term[:, :, 1:] * units.scale + by_term[:, :, :1] * units.location
        return intercepts, slopes, self.structure.rescale(each[0][1], 1.0 / units.response_scale)

    def means(self, covariates: Array) -> Array:
        """Return the expected responses, (n_components, n_samples, n_responses)."""
        return self.intercepts[:, None, :] + covariates @ self.slopes.transpose(0, 2, 1)

    def _standard_covariances(self) -> Array:
        return self.structure.rescale(self.covariances, 1.0 / self.units.response_scale)

    def _coefficients(self) -> Array:
        """Return the standardised coefficients (n_components, 1 + n_covariates, n_responses)."""
        units = self.units
        centre = self.intercepts + self.slopes @ units.location - units.response_location
        slopes = self.slopes * units.scale / units.response_scale[:, None]
        return np.concatenate([(centre / units.response_scale)[:, None, :], slopes.transpose(0, 2, 1)], axis=1)

    def _in_units(self, steps: Array) -> tuple[Array, Array]:
        """Return steps of standardised coefficients as those of intercepts and slopes."""
        units = self.units
        slopes = steps[:, 1:].transpose(0, 2, 1) * units.response_scale[:, None] / units.scale
        return steps[:, 0] * units.response_scale - slopes @ units.location, slopes

    def _blocks(self, rows: DesignRows) -> Iterator[tuple[slice, Array, Array]]:
        """Yield rows with the design (n_terms, n_rows) and the responses (n_responses, n_rows), standardised."""
        units = self.units
        for start in range(0, len(rows), BLOCK_ROWS):
            block = slice(start, min(start + BLOCK_ROWS, len(rows)))
            design = np.ones((1 + rows.covariates.shape[1], block.stop - block.start))
            design[1:] = _standardised(rows.covariates[block], units.location, units.scale)
            yield block, design, _standardised(rows.responses[block], units.response_location, units.response_scale)


def _standardised(values: Array, location: Array, scale: Array) -> Array:
    standard = (values.T - location[:, None]) / scale[:, None]
    return np.clip(standard, -FARTHEST, FARTHEST, out=standard)


def _least_squares(gram: Array, cross: Array, has_intercept: bool) -> Array:
    """Return the shortest step that solves ``gram @ step = cross``; zero for an intercept that there is not."""
    first = 0 if has_intercept else 1
    step = np.zeros_like(cross)
    if len(gram) > first:
        step[first:] = np.stack([solve(gram[first:, first:], column) for column in cross[first:].T], axis=1)
    return step


def _fall(structure: CovarianceStructure, sums: RegressionSums, steps: Array) -> Array | float:
    """Return ``step' gram step - step' cross - cross' step``, in the shape of second moments."""
    change: Array | float = 0.0
    excess = sums.gram @ steps - 2.0 * sums.cross
    for term in range(steps.shape[1]):
        change = change + products(structure, steps[:, term], excess[:, term])
    return change

"""Multinomial logits of leaving one state: log-probabilities, their height, and Newton steps that only raise it."""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit_hmm.chains.base import Array
from emkit_hmm.chains.separation import CONSTANT

#: Newton steps of one M-step, and how often one is halved.
MAX_NEWTON_STEPS = 8
MAX_HALVINGS = 30
#: A Newton step that promises less than this share of the height is the last.
SMALL_GAIN = 1e-12


def log_probabilities(log_odds: Array) -> Array:
    """Return logarithms of probabilities over the last axis that are proportional to ``exp(log_odds)``."""
    shifted = log_odds - log_odds.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


@attrs.frozen(eq=False)
class Departures:
    """Expected transitions from one state, and what may be learnt from them.

    Attributes
    ----------
    counts : (n_steps, n_states)
        Expected transitions at each step.
    design : (n_steps, 1 + n_covariates)
    reachable : (n_states,) of bool
    free : (n_states,) of bool
        Of which states the coefficients are estimated.
    ridge : float
        Precision of the prior of the coefficients of covariates.
    """

    counts: Array
    design: Array
    reachable: NDArray[np.bool_]
    free: NDArray[np.bool_]
    ridge: float

    def climbed(self, coefficients: Array) -> Array:
        """Return coefficients (n_states, 1 + n_covariates) after some Newton steps, none of which is downhill."""
        height = self.height(coefficients)
        for _ in range(MAX_NEWTON_STEPS):
            step, promised = self._newton(coefficients)
            if promised <= SMALL_GAIN * (1 + abs(height)):
                # What heights can no longer tell apart, the gradient can: the last step is taken as it is.
                last = coefficients + step
                fall = height - self.height(last)
                return last if fall <= SMALL_GAIN * (1 + abs(height)) else coefficients
            for _ in range(MAX_HALVINGS):
                moved = coefficients + step
                reached = self.height(moved)
                if reached > height:
                    break
                step = step / 2
            else:
                return coefficients
            coefficients, height = moved, reached
        return coefficients

    def height(self, coefficients: Array) -> float:
        """Return the expected log-likelihood plus the log-prior."""
        log_odds = np.where(self.reachable, self.design @ coefficients.T, -np.inf)
        with np.errstate(invalid="ignore"):
            products = np.where(self.counts > 0, self.counts * log_probabilities(log_odds), 0.0)
        return float(products.sum()) - 0.5 * self.ridge * float(np.sum(coefficients[:, 1:] ** 2))

    def _newton(self, coefficients: Array) -> tuple[Array, float]:
        """Return Newton's step, and the gain it promises."""
        counts, (design, centre, unit) = self.counts, self._standardised()
        log_odds = np.where(self.reachable, self.design @ coefficients.T, -np.inf)
        probabilities = np.exp(log_probabilities(log_odds))
        totals = counts.sum(axis=1)
        goals = np.flatnonzero(self.free)
        # Of a slope in standard units.
        penalty = np.zeros(coefficients.shape)
        penalty[:, 1:] = self.ridge / unit**2
        slopes = np.column_stack([np.zeros(len(coefficients)), coefficients[:, 1:] * unit])
        gradient = (counts - totals[:, None] * probabilities)[:, goals].T @ design - (penalty * slopes)[goals]
        width = design.shape[1]
        information = np.zeros((len(goals), width, len(goals), width))
        for a, i in enumerate(goals):
            for b, j in enumerate(goals[: a + 1]):
                weights = totals * probabilities[:, i] * ((i == j) - probabilities[:, j])
                block = (design * weights[:, None]).T @ design
                information[a, :, b] = information[b, :, a] = block
        matrix = information.reshape(len(goals) * width, -1) + np.diag(penalty[goals].ravel())
        solved, *_ = np.linalg.lstsq(matrix, gradient.ravel(), rcond=1e-12)
        step = np.zeros(coefficients.shape)
        step[goals] = solved.reshape(len(goals), width)
        step[:, 1:] /= unit
        step[:, 0] -= step[:, 1:] @ centre
        return step, float(solved @ gradient.ravel()) / 2

    def _standardised(self) -> tuple[Array, Array, Array]:
        """Return the design with covariates of mean zero and deviation one, and the means and deviations they had.

        Newton's step is the same in any units; the equations for it are well conditioned in these only.
        """
        covariates = self.design[:, 1:]
        if not len(covariates):
            return self.design, np.zeros(covariates.shape[1]), np.ones(covariates.shape[1])
        centre = covariates.mean(axis=0)
        centred = covariates - centre
        # Divided by the largest first: squares of what is below 1e-154 are zero.
        largest = np.abs(centred).max(axis=0)
        largest = np.where(largest > CONSTANT * np.abs(centre), largest, 0.0)
        unit = largest * np.sqrt(np.mean((centred / np.where(largest > 0, largest, 1.0)) ** 2, axis=0))
        unit = np.where(unit > 0, unit, 1.0)
        centred = np.where(largest > 0, centred, 0.0)
        return np.column_stack([np.ones(len(centred)), centred / unit]), centre, unit

"""A run of data augmentation: how long it must be, and what comes of it."""

from __future__ import annotations

import math

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from emkit_mvn.inference.rate import WhitenedMap, slowest_direction
from emkit_mvn.kernels.rows import IncompleteRows
from emkit_mvn.model import MultivariateNormal
from emkit_mvn.multiple.augmentation import Augmentation
from emkit_mvn.multiple.posterior import noninformative, posterior_df
from emkit_mvn.params import NormalParams
from emkit_mvn.priors import PriorTerms, Ridge

Array = NDArray[np.float64]

#: Autocorrelation that may be left between the params of two imputations.
CORRELATION = 0.05
#: Limits of the number of steps between two imputations.
SPACING = (10, 1000)


@attrs.frozen(eq=False)
class WorstFunction:
    """The linear function of the params of which the gaps hide the largest share.

    Attributes
    ----------
    rate : float
        That share, which is its autocorrelation from one step to the next.
    mean, covariance : (n_features,), (n_features, n_features)
        Its coefficients.
    origin : NormalParams
        Where it is zero.
    """

    rate: float
    mean: Array
    covariance: Array
    origin: NormalParams

    @classmethod
    def of(cls, model: MultivariateNormal, params: NormalParams, rows: IncompleteRows) -> WorstFunction:
        """Return it for a fit; a standard deviation of its posterior is about one."""
        em_map = WhitenedMap.of(model, params, rows)
        rate, vector = slowest_direction(em_map)
        # Without gaps this is zero but for rounding.
        rate = min(max(rate, 0.0), 1.0)
        d = len(params.mean)
        unit = math.sqrt(1 - rate)
        mean = solve_triangular(em_map.factor.T, vector[:d]) * (unit / em_map.mean_unit)
        half = solve_triangular(em_map.factor.T, vector[d:].reshape(d, d))
        covariance = solve_triangular(em_map.factor.T, half.T).T * (unit / em_map.covariance_unit)
        return cls(rate, mean, covariance, params)

    def __call__(self, mean: Array, covariance: Array) -> float:
        """Return its value."""
        moved = covariance - self.origin.covariance
        return float(self.mean @ (mean - self.origin.mean) + np.sum(self.covariance * moved))


@attrs.frozen(eq=False)
class Chain:
    """What :func:`run_chain` returns.

    Attributes
    ----------
    params : tuple of NormalParams
        After ``burn_in`` steps, and after every ``spacing`` further ones.
    trace : (n_steps,)
        The worst linear function after each step.
    rate : float
    burn_in, spacing : int
    """

    params: tuple[NormalParams, ...]
    trace: Array
    rate: float
    burn_in: int
    spacing: int


def run_chain(
    model: MultivariateNormal,
    params: NormalParams,
    rows: IncompleteRows,
    n: int,
    *,
    burn_in: int | None,
    spacing: int | None,
    rng: np.random.Generator,
) -> Chain:
    """Return ``n`` draws of the params from their posterior, by data augmentation from the params of a fit."""
    prior = _prior(model, params.scale)
    worst = WorstFunction.of(model, params, rows)
    spacing = _steps_for(worst.rate) if spacing is None else spacing
    burn_in = 2 * spacing if burn_in is None else burn_in
    augmentation = Augmentation.of(rows, prior)
    mean, covariance = augmentation.standardised(params.mean, params.covariance)
    kept, trace = [], []
    for k in range(1, burn_in + (n - 1) * spacing + 1):
        mean, covariance = augmentation.step(mean, covariance, rng)
        location, spread = augmentation.in_units_of_data(mean, covariance)
        trace.append(worst(location, spread))
        if k >= burn_in and (k - burn_in) % spacing == 0:
            kept.append(attrs.evolve(params, mean=location, covariance=spread))
    return Chain(tuple(kept), np.array(trace), worst.rate, burn_in, spacing)


def is_too_slow(chain: Chain) -> bool:
    """Return whether the params of successive imputations are more alike than they should be."""
    return chain.rate**chain.spacing > CORRELATION


def _steps_for(rate: float) -> int:
    """Return the number of steps after which ``rate ** steps`` is at most :data:`CORRELATION`, within limits."""
    if rate <= 0 or rate >= 1:
        return SPACING[rate >= 1]
    return int(min(max(math.ceil(math.log(CORRELATION) / math.log(rate)), SPACING[0]), SPACING[1]))


def _prior(model: MultivariateNormal, deviations: Array) -> PriorTerms:
    size = len(deviations)
    return noninformative(size) if model.prior is None else model.prior.terms(size, deviations)


def check_can_augment(model: MultivariateNormal, rows: IncompleteRows) -> None:
    """Raise ValueError where the rows cannot be augmented, or leave a posterior that does not exist."""
    if rows.weights is not None and not np.array_equal(rows.weights, np.rint(rows.weights)):
        index = int(np.argmax(rows.weights != np.rint(rows.weights)))
        msg = (
            f"sample_weight[{index}] is {rows.weights[index]}, but method='augmentation' needs whole weights: each row "
            "counts as so many rows with gaps of their own. Take method='bootstrap'."
        )
        raise ValueError(msg)
    # Whatever the deviations are, the prior is of the same kind.
    check_rows(rows, _prior(model, np.ones(rows.x.shape[1])))


def check_rows(rows: IncompleteRows, prior: PriorTerms) -> None:
    """Raise ValueError where rows and prior together do not determine a covariance."""
    size = rows.x.shape[1]
    seen = np.diag(rows.pair_weights)
    lacking = size - 1 - posterior_df(rows.total_weight, prior)
    if lacking >= 0:
        usual = "prior='ridge'" if lacking < Ridge().df else f"prior=Ridge(df) with df above {lacking:g}"
        msg = (
            f"{rows.total_weight:g} rows do not determine the covariance of {size} columns, so the params have no "
            f"posterior to draw from: give {usual}."
        )
        raise ValueError(msg)
    if not prior.scatter.any() and (seen < size).any():
        column = int(np.argmin(seen))
        msg = (
            f"Column {column} is seen in {seen[column]:g} rows, which do not determine how it depends on "
            f"{size - 1} others: leave it out, or give a prior such as prior='ridge'."
        )
        raise ValueError(msg)

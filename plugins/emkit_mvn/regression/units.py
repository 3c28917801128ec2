"""The same fit in other units, where information matrices are of ordinary size whatever the units of the data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit import EMResult
from emkit_mvn.model import MultivariateNormal
from emkit_mvn.params import NormalParams
from emkit_mvn.priors import Prior, PriorTerms

Array = NDArray[np.float64]


@final
@attrs.frozen(eq=False)
class PriorInUnits(Prior):
    """A prior of columns that are measured in other units than those it was given for.

    Attributes
    ----------
    prior : Prior
        In the units of the data.
    units : (n_features,)
        What one is here, in those.
    """

    prior: Prior
    units: Array

    def terms(self, n_features: int, deviations: Array) -> PriorTerms:
        """Return the terms of the prior, divided by the units."""
        terms = self.prior.terms(n_features, deviations * self.units)
        scatter = terms.scatter / self.units / self.units[:, None]
        return attrs.evolve(terms, scatter=scatter, centre=terms.centre / self.units)


def power_units(params: NormalParams) -> Array:
    """Return a power of two near the deviation of each column, by which dividing rounds nothing."""
    return np.asarray(np.exp2(np.round(np.log2(params.scale))))


def in_units(result: EMResult[NormalParams], units: Array) -> EMResult[NormalParams]:
    """Return a fit of a normal as that of its data divided by ``units`` (n_features,), powers of two.

    Its log-likelihoods and history are still those of the data.
    """
    params, prior = result.params, result.model.prior
    model = MultivariateNormal(prior=None if prior is None else PriorInUnits(prior, units), floor=result.model.floor)
    # One after the other: the product of two units may leave the range of floats.
    covariance = params.covariance / units / units[:, None]
    scaled = NormalParams(params.mean / units, covariance, params.scale / units, params.coverage)
    return attrs.evolve(result, model=model, params=scaled)


def standard_errors(result: EMResult[NormalParams], function: Callable[[NormalParams], Array], data: Any) -> Array:
    """Return the standard errors of a function of mean and covariance by the delta method, in the shape of its value.

    NaN where the covariance rests on its floor: derivatives are along free directions, and the floor leaves none of
    the covariance's.
    """
    params = result.params
    if result.model.space(params)["covariance"].on_bound(params.covariance).any():
        return np.full(function(params).shape, np.nan)
    return result.delta(function, data).standard_errors

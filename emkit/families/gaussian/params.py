"""What is learnt about K Gaussians."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np

from emkit import space
from emkit.families.gaussian.expansions import Array


def _full_coverage(params: Any) -> Array:
    return np.ones(np.shape(params.location))


@attrs.frozen(eq=False)
class GaussianParams:
    """Params of K Gaussians.

    Attributes
    ----------
    means : (n_components, n_features)
    covariances : as the covariance structure shapes them
        (n_components, n_features, n_features) full, (n_features, n_features) tied, (n_components, n_features) diagonal,
        (n_components,) spherical.
    location, scale : (n_features,)
        Mean and standard deviation of all rows: what the kernels standardise by and the floor is relative to.
        Constants of a fit.
    coverage : (n_features,)
        Share of the rows, by their weights, that each column is seen in, at the start; one by default. A constant too.
    """

    means: Array = space.real()
    # Which set they lie in depends on the structure and the floor, which the family knows: its `space` refines this.
    covariances: Array = space.real()
    location: Array = space.fixed()
    scale: Array = space.fixed()
    coverage: Array = space.fixed(default=attrs.Factory(_full_coverage, takes_self=True))

"""What is learnt about K Gaussians."""

from __future__ import annotations

import attrs

from emkit import space
from emkit.families.gaussian.expansions import Array


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
    """

    means: Array = space.real()
    # Which set they lie in depends on the structure and the floor, which the family knows: its `space` refines this.
    covariances: Array = space.real()
    location: Array = space.fixed()
    scale: Array = space.fixed()

"""What EM learns about a mixture, and what its E-step hands to its M-step."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit import space
from emkit.families import GaussianMoments

Array = NDArray[np.float64]

#: The E-step of a Gaussian mixture hands over exactly the moments of its Gaussians.
GaussianMixtureStatistics = GaussianMoments


@attrs.frozen(eq=False)
class GaussianMixtureParams:
    """Params of a Gaussian mixture.

    Attributes
    ----------
    weights : (n_components,)
        ``P(z_n = k)``.
    means : (n_components, n_features)
        ``E[x_n | z_n = k]``.
    covariances : as the model's covariance structure shapes them
        ``Cov[x_n | z_n = k]``: (n_components, n_features, n_features) full, (n_features, n_features) tied,
        (n_components, n_features) diagonal, (n_components,) spherical.
    location, scale : (n_features,)
        Mean and standard deviation of the data: what the kernels standardise by and the covariance floor is relative
        to. Constants of a fit, so that the floor stays where it is.
    """

    weights: Array = space.simplex()
    means: Array = space.real()
    # Which set they lie in depends on the structure and the floor, which the model knows: its `space` refines this.
    covariances: Array = space.real()
    location: Array = space.fixed()
    scale: Array = space.fixed()


@attrs.frozen(eq=False)
class MixtureParams:
    """Params of a mixture.

    Attributes
    ----------
    weights : (n_components,)
        ``P(z_n = k)``.
    components
        What the family has, one distribution for each component.
    """

    weights: Array = space.simplex()
    components: Any = None


@attrs.frozen(eq=False)
class MixtureStatistics:
    """Expected counts, and what the family's M-step needs.

    Attributes
    ----------
    counts : (n_components,)
    components
    """

    counts: Array
    components: Any

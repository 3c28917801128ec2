"""What is learnt about K multivariate t distributions, and what an E-step knows of them."""

from __future__ import annotations

import attrs

from emkit import space
from emkit.families.base import Array
from emkit.families.gaussian.moments import GaussianMoments
from emkit.families.student.leaps import TailSums


@attrs.frozen(eq=False)
class StudentTParams:
    """Params of K multivariate t distributions.

    Attributes
    ----------
    means : (n_components, n_features)
        Locations; there is no mean where ``df <= 1``.
    scatters : shaped as covariances of the structure
        Scale matrices: ``covariance = scatter * df / (df - 2)`` where ``df > 2``.
    df : (n_components,)
        Degrees of freedom.
    location, scale : (n_features,)
        Median and robust standard deviation of all rows; constants of a fit.
    """

    means: Array = space.real()
    scatters: Array = space.real()
    df: Array = space.positive()
    location: Array = space.fixed()
    scale: Array = space.fixed()


@attrs.frozen(eq=False)
class StudentTStatistics:
    """Sums over rows; ``u`` is the latent precision of a row, with ``x | u ~ Normal(mean, scatter / u)``.

    Attributes
    ----------
    counts : (n_components,)
    log_weights : (n_components,)
        ``sum_n r_nk E[log u_nk]``.
    moments : GaussianMoments
        Of the rows under ``r_nk E[u_nk]``.
    tails : TailSums
    """

    counts: Array
    log_weights: Array
    moments: GaussianMoments
    tails: TailSums

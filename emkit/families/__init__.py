"""Building blocks that mixtures and hidden Markov models share.

The E-step of either needs the log density of every row under every component and, once the responsibilities
are known, weighted moments; the M-step turns moments into parameters. `Gaussians` does the former for K
Gaussians: ``log_density`` and ``moments`` separately, for a model that must run a recursion in between, and
``mixture_e_step`` fused in one pass for a mixture. `gaussian_m_step` does the latter. Which covariance
matrices are allowed is told by a small object, `Full`, `Tied`, `Diagonal` or `Spherical`, which also knows
how the quadratic form is expanded so that a block of rows costs one matrix product. `STARTS` holds the
usual ways to begin.
"""

from __future__ import annotations

from emkit.families.base import Family, SharedRows
from emkit.families.gaussian.covariance import (
    CovarianceStructure,
    Diagonal,
    Full,
    Spherical,
    Tied,
    as_structure,
)
from emkit.families.gaussian.densities import Gaussians, gaussian_m_step
from emkit.families.gaussian.moments import GaussianMoments
from emkit.families.gaussian.positive_definite import raise_eigenvalues
from emkit.families.starts import (
    STARTS,
    kmeans_plusplus_responsibilities,
    kmeans_responsibilities,
    random_responsibilities,
    random_row_responsibilities,
)

__all__ = [
    "STARTS",
    "CovarianceStructure",
    "Diagonal",
    "Family",
    "Full",
    "GaussianMoments",
    "Gaussians",
    "SharedRows",
    "Spherical",
    "Tied",
    "as_structure",
    "gaussian_m_step",
    "kmeans_plusplus_responsibilities",
    "kmeans_responsibilities",
    "raise_eigenvalues",
    "random_responsibilities",
    "random_row_responsibilities",
]

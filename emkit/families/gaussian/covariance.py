"""Which covariance matrices a Gaussian model allows, and the best of them given moments."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, final

import attrs
import numpy as np

from emkit.families.gaussian.expansions import (
    Array,
    Booleans,
    Expansion,
    NormExpansion,
    SharedExpansion,
    SquaresExpansion,
    TriangleExpansion,
)
from emkit.families.gaussian.moments import GaussianMoments
from emkit.families.gaussian.positive_definite import inverse_sd, precision_cholesky, raise_eigenvalues


class CovarianceStructure(ABC):
    """The set of covariance matrices a model allows; shapes are those of scikit-learn's ``covariances_``."""

    name: ClassVar[str]
    expansion: ClassVar[Expansion]
    #: Whether covariances are matrices (over the last two axes) rather than variances.
    is_matrix: ClassVar[bool] = False

    @abstractmethod
    def shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        """Return the shape of the covariances."""

    @abstractmethod
    def to_full(self, covariances: Array, n_components: int, n_features: int) -> Array:
        """Return the covariances as matrices (n_components, n_features, n_features)."""

    @abstractmethod
    def precisions_cholesky(self, covariances: Array) -> Array:
        """Return the factors of the precisions as scikit-learn stores them.

        For matrices the upper triangular ``C`` with ``C C' = inverse(covariance)``, for variances
        ``1 / sqrt(variance)``.

        Raises
        ------
        DegenerateError
            If a covariance is not positive definite and finite; the message names the component.
        """

    @abstractmethod
    def rescale(self, covariances: Array, factor: Array) -> Array:
        """Return the covariances after every feature was multiplied by its ``factor`` (n_features,)."""

    def scale_of(self, column_sd: Array) -> Array:
        """Return the scales (n_features,) to standardise by: ``column_sd`` or what the structure allows."""
        return np.array(column_sd, dtype=np.float64)

    @abstractmethod
    def m_step(self, moments: GaussianMoments, previous_covariances: Array, floor: float) -> Array:
        """Return the covariances of highest likelihood with no eigenvalue below ``floor``.

        With ``S = second / counts - shift shift'`` this minimises ``log det V + trace(inverse(V) S)`` over
        the matrices ``V`` of the structure whose eigenvalues are at least ``floor``: ``V`` is ``S`` with its
        eigenvalues (variances) raised to the floor. All in standardised units. A component without rows keeps
        its previous covariance.
        """

    def keep_unoccupied(self, occupied: Booleans, covariances: Array, previous: Array) -> Array:
        """Return ``covariances`` with the entries of components without rows taken from ``previous``."""
        if occupied.all():
            return covariances
        return np.where(occupied.reshape(-1, *[1] * (covariances.ndim - 1)), covariances, previous)


@final
@attrs.frozen
class Full(CovarianceStructure):
    """Each component has a covariance matrix: ``covariances`` (n_components, n_features, n_features)."""

    name: ClassVar[str] = "full"
    expansion: ClassVar[Expansion] = TriangleExpansion()
    is_matrix: ClassVar[bool] = True

    def shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        """Return ``(n_components, n_features, n_features)``."""
        return (n_components, n_features, n_features)

    def to_full(self, covariances: Array, n_components: int, n_features: int) -> Array:
        """Return a copy."""
        return np.array(covariances)

    def precisions_cholesky(self, covariances: Array) -> Array:
        """Return one upper triangular factor per component."""
        factors = np.empty_like(covariances)
        for k, covariance in enumerate(covariances):
            factors[k] = precision_cholesky(covariance, f"The covariance of component {k}")
        return factors

    def rescale(self, covariances: Array, factor: Array) -> Array:
        """Return ``factor_i covariance_ij factor_j``."""
        return covariances * np.multiply.outer(factor, factor)

    def m_step(self, moments: GaussianMoments, previous_covariances: Array, floor: float) -> Array:
        """Return the scatter with its eigenvalues raised to ``floor``."""
        shifts = moments.shifts()
        occupied = moments.occupied()
        counts = np.where(occupied, moments.counts, 1.0)[:, None, None]
        scatter = moments.second / counts - shifts[:, :, None] * shifts[:, None, :]
        covariances = np.array([raise_eigenvalues(matrix, floor) for matrix in scatter])
        return self.keep_unoccupied(occupied, covariances, previous_covariances)


@final
@attrs.frozen
class Diagonal(CovarianceStructure):
    """Features are independent within a component: ``covariances`` (n_components, n_features)."""

    name: ClassVar[str] = "diag"
    expansion: ClassVar[Expansion] = SquaresExpansion()

    def shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        """Return ``(n_components, n_features)``."""
        return (n_components, n_features)

    def to_full(self, covariances: Array, n_components: int, n_features: int) -> Array:
        """Return diagonal matrices."""
        return covariances[:, :, None] * np.eye(n_features)

    def precisions_cholesky(self, covariances: Array) -> Array:
        """Return ``1 / sqrt(variances)``."""
        return inverse_sd(covariances)

    def rescale(self, covariances: Array, factor: Array) -> Array:
        """Return ``variance_i factor_i ** 2``."""
        return covariances * (factor * factor)

    def m_step(self, moments: GaussianMoments, previous_covariances: Array, floor: float) -> Array:
        """Return the variances raised to ``floor``."""
        shifts = moments.shifts()
        occupied = moments.occupied()
        counts = np.where(occupied, moments.counts, 1.0)[:, None]
        variances = np.maximum(moments.second / counts - shifts * shifts, floor)
        return self.keep_unoccupied(occupied, variances, previous_covariances)


@final
@attrs.frozen
class Spherical(CovarianceStructure):
    """One variance per component, the same in every direction: ``covariances`` (n_components,).

    The set is not closed under a rescaling of single features, so the scale is common to all of them.
    """

    name: ClassVar[str] = "spherical"
    expansion: ClassVar[Expansion] = NormExpansion()

    def shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        """Return ``(n_components,)``."""
        return (n_components,)

    def to_full(self, covariances: Array, n_components: int, n_features: int) -> Array:
        """Return multiples of the identity."""
        return covariances[:, None, None] * np.eye(n_features)

    def precisions_cholesky(self, covariances: Array) -> Array:
        """Return ``1 / sqrt(variances)``."""
        return inverse_sd(covariances)

    def rescale(self, covariances: Array, factor: Array) -> Array:
        """Return ``variance factor ** 2``; all factors must be equal."""
        if (factor != factor[0]).any():
            msg = f"Spherical covariances can only be rescaled by one common factor, got {factor}."
            raise ValueError(msg)
        rescaled: Array = covariances * (factor[0] * factor[0])
        return rescaled

    def scale_of(self, column_sd: Array) -> Array:
        """Return the root mean square of the columns' scales, for every column."""
        largest = np.max(column_sd)
        # Divided by the largest first: squares of very large or small units leave the range of floats.
        ratio = np.asarray(column_sd) / largest if largest > 0 else np.zeros(1)
        return np.full(np.shape(column_sd), largest * np.sqrt(np.mean(ratio * ratio)))

    def m_step(self, moments: GaussianMoments, previous_covariances: Array, floor: float) -> Array:
        """Return the variances, averaged over features, raised to ``floor``."""
        shifts = moments.shifts()
        occupied = moments.occupied()
        counts = np.where(occupied, moments.counts, 1.0)
        variances = moments.second / counts - (shifts * shifts).sum(axis=1)
        variances = np.maximum(variances / shifts.shape[1], floor)
        return self.keep_unoccupied(occupied, variances, previous_covariances)


@final
@attrs.frozen
class Tied(CovarianceStructure):
    """All components share one covariance matrix: ``covariances`` (n_features, n_features)."""

    name: ClassVar[str] = "tied"
    expansion: ClassVar[Expansion] = SharedExpansion()
    is_matrix: ClassVar[bool] = True

    def shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        """Return ``(n_features, n_features)``."""
        return (n_features, n_features)

    def to_full(self, covariances: Array, n_components: int, n_features: int) -> Array:
        """Return one copy per component."""
        return np.repeat(covariances[None], n_components, axis=0)

    def precisions_cholesky(self, covariances: Array) -> Array:
        """Return the one upper triangular factor."""
        return precision_cholesky(covariances, "The covariance shared by all components")

    def rescale(self, covariances: Array, factor: Array) -> Array:
        """Return ``factor_i covariance_ij factor_j``."""
        return covariances * np.multiply.outer(factor, factor)

    def m_step(self, moments: GaussianMoments, previous_covariances: Array, floor: float) -> Array:
        """Return the scatter with its eigenvalues raised to ``floor``."""
        total = moments.counts.sum()
        if not total > 0:
            return previous_covariances
        shifts = moments.shifts()
        scatter = moments.second - (shifts * moments.counts[:, None]).T @ shifts
        return raise_eigenvalues(scatter / total, floor)

    def keep_unoccupied(self, occupied: Booleans, covariances: Array, previous: Array) -> Array:
        """Return the new covariance if any component holds rows."""
        return covariances if occupied.any() else previous


_STRUCTURES: dict[str, CovarianceStructure] = {
    structure.name: structure for structure in (Full(), Tied(), Diagonal(), Spherical())
}


def as_structure(structure: str | CovarianceStructure) -> CovarianceStructure:
    """Return the structure of that name; a structure is returned as it is.

    Raises
    ------
    ValueError
        If there is none; the message lists the names.

    Examples
    --------
    >>> as_structure("diag")
    Diagonal()
    """
    if isinstance(structure, CovarianceStructure):
        return structure
    if isinstance(structure, str) and structure in _STRUCTURES:
        return _STRUCTURES[structure]
    msg = (
        f"The covariance structure must be one of {', '.join(map(repr, _STRUCTURES))} "
        f"or a CovarianceStructure, got {structure!r}."
    )
    raise ValueError(msg)

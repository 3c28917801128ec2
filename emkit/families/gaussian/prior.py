"""A conjugate prior of Gaussian means and covariances, and the M-step under it."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np

from emkit.arrays import as_array
from emkit.families.gaussian.covariance import CovarianceStructure, Spherical
from emkit.families.gaussian.densities import Gaussians
from emkit.families.gaussian.expansions import Array
from emkit.families.gaussian.forms import log_determinants, products, trace_products
from emkit.families.gaussian.moments import GaussianMoments


def _tuples(value: Any) -> Any:
    """Return numbers as nested tuples of floats, so that a prior can be compared and hashed."""
    nested = as_array(value, "The value of a prior").tolist()
    return _tuple(nested) if isinstance(nested, list) else nested


def _tuple(nested: Any) -> Any:
    return tuple(_tuple(entry) for entry in nested) if isinstance(nested, list) else nested


def _not_negative(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    smallest = np.min(value)
    if smallest < 0:
        msg = f"{attribute.name} must be at least 0; found {smallest:g}. 0 stands for no prior."
        raise ValueError(msg)


@attrs.frozen
class GaussianPrior:
    """A normal prior on the means and an inverse Wishart (inverse gamma) prior on the covariances.

    With ``d = means[k] - means_prior[k]`` and ``V`` the covariance of component k its log-density is, up to a constant,

        -(nu[k] * log det V + trace(inverse(V) @ (covars_prior[k] + means_weight[k] * d d'))) / 2

    where ``nu = max(covars_weight - n_features, 0)`` if covariances are matrices, and ``max(covars_weight - 1, 0)`` for
    each variance elsewhere. The names and the meaning are those of hmmlearn, except that a single number for
    ``covars_prior`` is that multiple of the identity.

    Attributes
    ----------
    means_prior : number or (n_components, n_features)
        In units of the data.
    means_weight : number or (n_components,)
        How many rows the prior mean is worth.
    covars_prior : number or shaped like the covariances
        In squared units of the data.
    covars_weight : number or (n_components,)
    """

    means_prior: Any = attrs.field(default=0.0, converter=_tuples)
    means_weight: Any = attrs.field(default=0.0, converter=_tuples, validator=_not_negative)
    covars_prior: Any = attrs.field(default=0.0, converter=_tuples)
    covars_weight: Any = attrs.field(default=0.0, converter=_tuples, validator=_not_negative)

    def log_density(self, gaussians: Gaussians) -> float:
        """Return the log-density at some Gaussians, up to a constant."""
        structure, (_, n_features) = gaussians.structure, gaussians.means.shape
        standard = structure.rescale(gaussians.covariances, 1.0 / gaussians.scale)
        log_dets = log_determinants(structure, standard, n_features) + 2.0 * np.log(gaussians.scale).sum()
        spread = self._scatter(gaussians) + self._pull(gaussians, gaussians.means)
        weights = self._degrees(gaussians)
        # One determinant that all components share counts once, with all the weight.
        log_det = float((weights * log_dets).sum() if log_dets.ndim else weights.sum() * log_dets)
        return -(log_det + trace_products(structure, standard, spread)) / 2.0

    def m_step(self, moments: GaussianMoments, gaussians: Gaussians, floor: float) -> tuple[Array, Array]:
        """Return means and covariances of highest posterior density; see :func:`gaussian_m_step`.

        Components without rows keep theirs.
        """
        structure, scale = gaussians.structure, gaussians.scale
        occupied = moments.occupied()
        if not occupied.any():
            return gaussians.means, gaussians.covariances
        weight = self._mean_weights(gaussians)
        towards = (self._prior_means(gaussians) - gaussians.means) / scale
        pulled = (moments.first + weight[:, None] * towards) / np.where(occupied, moments.counts + weight, 1.0)[:, None]
        shifts = np.where(occupied[:, None], pulled, 0.0)
        means = gaussians.means + shifts * scale
        # Of rows about their new mean: sum of (y - s)(y - s)' = second - s first' - first s' + counts s s'.
        scatter = moments.second + products(structure, moments.counts[:, None] * shifts - 2.0 * moments.first, shifts)
        total = scatter + self._scatter(gaussians) + self._pull(gaussians, means)
        posterior = GaussianMoments(moments.counts + self._degrees(gaussians), np.zeros_like(shifts), total)
        previous = structure.rescale(gaussians.covariances, 1.0 / scale)
        covariances = structure.rescale(structure.m_step(posterior, previous, floor), scale)
        return means, structure.keep_unoccupied(occupied, covariances, gaussians.covariances)

    def _mean_weights(self, gaussians: Gaussians) -> Array:
        return np.broadcast_to(self.means_weight, (len(gaussians.means),))

    def _prior_means(self, gaussians: Gaussians) -> Array:
        return np.broadcast_to(self.means_prior, gaussians.means.shape)

    def _pull(self, gaussians: Gaussians, means: Array) -> Array:
        """Return ``means_weight d d'``, standardised, in the shape of second moments."""
        distance = (means - self._prior_means(gaussians)) / gaussians.scale
        return products(gaussians.structure, self._mean_weights(gaussians)[:, None] * distance, distance)

    def _scatter(self, gaussians: Gaussians) -> Array:
        """Return ``covars_prior``, standardised, in the shape of second moments."""
        structure, shape = gaussians.structure, gaussians.covariances.shape
        single = np.asarray(self.covars_prior)
        if structure.is_matrix and single.ndim == 0:
            single = single * np.eye(shape[-1])
        standard = structure.rescale(np.broadcast_to(single, shape), 1.0 / gaussians.scale)
        return standard * gaussians.scale.size if isinstance(structure, Spherical) else standard

    def _degrees(self, gaussians: Gaussians) -> Array:
        """Return ``nu`` (n_components,); where all share one covariance, its ``nu`` in equal parts."""
        structure, (n_components, n_features) = gaussians.structure, gaussians.means.shape
        degrees = np.maximum(np.asarray(self.covars_weight) - (n_features if structure.is_matrix else 1), 0.0)
        is_shared = structure.is_matrix and gaussians.covariances.ndim == 2
        return np.asarray(np.broadcast_to(degrees, (n_components,)) / (n_components if is_shared else 1))


def check_prior(prior: GaussianPrior, structure: CovarianceStructure, n_components: int, n_features: int) -> None:
    """Raise ValueError, naming the field, unless a prior fits so many components and columns."""
    shapes = {
        "means_prior": (n_components, n_features),
        "means_weight": (n_components,),
        "covars_prior": structure.shape(n_components, n_features),
        "covars_weight": (n_components,),
    }
    for name, shape in shapes.items():
        value = np.asarray(getattr(prior, name))
        try:
            np.broadcast_to(value, shape)
        except ValueError as error:
            msg = f"{name} must be a number or of the shape {shape}; found the shape {value.shape}."
            raise ValueError(msg) from error

"""Where a mixture starts: a rule that shares the rows among components, or values given by the user."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit.families import STARTS, CovarianceStructure, Gaussians, gaussian_m_step
from emkit_mixture.params import GaussianMixtureParams

Array = NDArray[np.float64]

#: A column whose standard deviation is below this share of its size is constant up to rounding.
CONSTANT_RTOL = 1e-13
#: Largest standard deviation of a column; its square, times a few hundred, is the largest float.
LARGEST_SCALE = 1e152


def _check_kind(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    if value not in STARTS:
        msg = f"A mixture starts from one of {', '.join(map(repr, STARTS))}; {value!r} was asked for."
        raise ValueError(msg)


@attrs.frozen(eq=False, repr=False)
class StartingValues:
    """A rule for starting values, and values that replace what it gives.

    Attributes
    ----------
    kind : {"kmeans", "k-means++", "random", "random_from_data"}
        How rows are first shared among components, as in scikit-learn.
    weights, means, covariances : array, optional
        Replace the rule's; shapes as in the params.
    """

    kind: str = attrs.field(default="kmeans", validator=_check_kind)
    weights: Any = None
    means: Any = None
    covariances: Any = None

    def __repr__(self) -> str:
        given = [name for name in ("weights", "means", "covariances") if getattr(self, name) is not None]
        return f"StartingValues({', '.join([repr(self.kind), *given])})"

    def is_complete(self) -> bool:
        """Return whether nothing is left to the rule."""
        return not any(value is None for value in (self.weights, self.means, self.covariances))


def as_starting_values(start: str | StartingValues) -> StartingValues:
    """Return the rule of a name, or the object itself."""
    return start if isinstance(start, StartingValues) else StartingValues(start)


def location_and_scale(x: Array, weights: Array | None, structure: CovarianceStructure) -> tuple[Array, Array]:
    """Return the weighted mean and standard deviation of each column.

    Computed on columns divided by their largest magnitude, so that no square leaves the range of floats. A constant
    column gets its own magnitude as scale, or one.
    """
    magnitude = np.maximum(x.max(axis=0), -x.min(axis=0))
    magnitude[magnitude == 0] = 1.0
    # Two passes over views, and no copy of the data: they may be most of the memory there is.
    shares = np.full(len(x), 1 / len(x)) if weights is None else weights / weights.sum()
    mean = np.array([shares @ (column / size) for column, size in zip(x.T, magnitude, strict=True)])
    variance = [
        shares @ (column / size - centre) ** 2 for column, size, centre in zip(x.T, magnitude, mean, strict=True)
    ]
    deviation = np.sqrt(variance)
    deviation[deviation <= CONSTANT_RTOL] = 1.0
    scale = structure.scale_of(deviation * magnitude)
    _check_range(scale)
    return mean * magnitude, scale


def _check_range(scale: Array) -> None:
    """Raise ValueError where the square of a standard deviation, a variance, would leave the range of floats."""
    outside = (scale > LARGEST_SCALE) | (scale < 1 / LARGEST_SCALE)
    for column in np.flatnonzero(outside)[:1]:
        msg = (
            f"Column {column} has a standard deviation of {scale[column]:.3g}; variances of that size leave the range "
            f"of floats. Give it in other units, with a standard deviation between 1e-150 and 1e150."
        )
        raise ValueError(msg)


def neutral_gaussians(structure: CovarianceStructure, n_components: int, location: Array, scale: Array) -> Gaussians:
    """Return components that all sit at ``location`` with standard deviations ``scale``: where moments are taken."""
    shape = structure.shape(n_components, len(location))
    unit = np.broadcast_to(np.eye(len(location)) if structure.is_matrix else np.ones(shape), shape)
    means = np.repeat(location[None], n_components, axis=0)
    return Gaussians(means, structure.rescale(unit, scale), structure, location, scale)


def from_responsibilities(
    x: Array, weights: Array | None, responsibilities: Array, structure: CovarianceStructure, floor: float
) -> GaussianMixtureParams:
    """Return the params of one M-step on given responsibilities (n_samples, n_components).

    A component that gets too few rows to span a covariance starts with that of all the data.
    """
    n_components = responsibilities.shape[1]
    location, scale = location_and_scale(x, weights, structure)
    neutral = neutral_gaussians(structure, n_components, location, scale)
    moments = neutral.moments(x, responsibilities, weights)
    means, covariances = gaussian_m_step(moments, neutral, floor)
    thin = _rests_on_floor(structure, covariances, n_components, scale, floor)
    if thin.any():
        alike = neutral.moments(x, np.full_like(responsibilities, 1 / n_components), weights)
        _, wide = gaussian_m_step(alike, neutral, floor)
        covariances = structure.keep_unoccupied(~thin, covariances, wide)
    return GaussianMixtureParams(moments.counts / moments.counts.sum(), means, covariances, location, scale)


def _rests_on_floor(
    structure: CovarianceStructure, covariances: Array, n_components: int, scale: Array, floor: float
) -> NDArray[np.bool_]:
    standard = structure.to_full(structure.rescale(covariances, 1 / scale), n_components, len(scale))
    thin: NDArray[np.bool_] = np.linalg.eigvalsh(standard)[:, 0] <= max(floor, 1e-12) * 1.01
    return thin

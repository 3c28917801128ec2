"""Where a mixture starts: a rule that shares the rows among components, or values given by the user."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit.arrays import as_array, column_scales, one_of
from emkit.families import STARTS, CovarianceStructure, Gaussians, gaussian_m_step
from emkit_mixture.params import GaussianMixtureParams

Array = NDArray[np.float64]

#: How far starting weights may be from summing to one, and precisions from being symmetric, relative to their size.
STARTING_RTOL = 1e-6
#: Correlation matrices with a smaller eigenvalue are singular up to rounding.
SINGULAR = 1e-14
#: Of more rows than this a random subset stands for the data in a rule for starting values: a start needs no more.
MAX_START_ROWS = 20_000


def _optional_array() -> Any:
    """Return a field for an array or None, which is compared entry by entry."""
    return attrs.field(default=None, eq=attrs.cmp_using(eq=np.array_equal), hash=False)


@attrs.frozen(repr=False)
class StartingValues:
    """A rule for starting values, and values that replace what it gives.

    Attributes
    ----------
    kind : {"kmeans", "k-means++", "random", "random_from_data"}
        How rows are first shared among components, as in scikit-learn.
    weights, means, covariances : array, optional
        Replace the rule's; shapes as in the params.
    names : dict
        What messages call these fields, where the user knows them by other names.
    """

    kind: str = "kmeans"
    weights: Any = _optional_array()
    means: Any = _optional_array()
    covariances: Any = _optional_array()
    names: Mapping[str, str] = attrs.field(factory=dict, eq=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        one_of(self.kind, self.name("kind"), STARTS)
        for name, value in self.given().items():
            object.__setattr__(self, name, as_array(value, self.name(name)))
        if self.weights is not None and ((self.weights < 0).any() or abs(self.weights.sum() - 1) > STARTING_RTOL):
            msg = f"{self.name('weights')} must not be negative and must sum to one; found {self.weights.tolist()}."
            raise ValueError(msg)

    def __repr__(self) -> str:
        return f"StartingValues({', '.join([repr(self.kind), *self.given()])})"

    def name(self, field: str) -> str:
        """Return what the user calls a field."""
        return self.names.get(field, field)

    def given(self) -> dict[str, Array]:
        """Return the values that replace the rule's, by field of the params."""
        values = {name: getattr(self, name) for name in ("weights", "means", "covariances")}
        return {name: value for name, value in values.items() if value is not None}


def as_starting_values(start: str | StartingValues) -> StartingValues:
    """Return the rule of a name, or the object itself."""
    return start if isinstance(start, StartingValues) else StartingValues(start, names={"kind": "start"})


def check_shape(array: Array, shape: tuple[int, ...], name: str) -> None:
    """Raise ValueError unless an array has the shape that the model and the data call for."""
    if array.shape != shape:
        msg = f"{name} must have shape {shape}, as model and data call for; found shape {array.shape}."
        raise ValueError(msg)


def covariances_of(precisions: Array, structure: CovarianceStructure, name: str) -> Array:
    """Return the inverses of precisions: matrices are inverted, variances entry by entry.

    Raises
    ------
    ValueError
        Naming the first precision that is not symmetric, not positive definite or has no inverse among the floats.
    """
    matrices = precisions.reshape(-1, *(precisions.shape[-2:] if structure.is_matrix else (1, 1)))
    inverses = np.empty_like(matrices)
    for index, matrix in enumerate(matrices):
        inverse = _inverse(matrix)
        if isinstance(inverse, str):
            place = f"[{index}]" if len(matrices) > 1 else ""
            msg = f"{name}{place} must be {inverse}; found {matrix.squeeze().tolist()}."
            raise ValueError(msg)
        inverses[index] = inverse
    return inverses.reshape(precisions.shape)


def _inverse(precision: Array) -> Array | str:
    """Return the inverse of a matrix, or what the matrix should have been."""
    if not (np.diagonal(precision) > 0).all():
        return "positive definite"
    # Divided by the units of the columns: no test and no inverse then depends on them.
    unit = np.sqrt(np.diagonal(precision))
    correlation = precision / unit / unit[:, None]
    if not np.allclose(correlation, correlation.T, rtol=0, atol=STARTING_RTOL):
        return "symmetric"
    correlation = (correlation + correlation.T) / 2
    if not np.linalg.eigvalsh(correlation)[0] > SINGULAR:
        return "positive definite"
    with np.errstate(all="ignore"):
        inverse = np.asarray(np.linalg.inv(correlation) / unit / unit[:, None])
    inside = np.isfinite(inverse).all() and (np.diagonal(inverse) > 0).all()
    return (inverse + inverse.T) / 2 if inside else "of a size whose inverse is a float"


def location_and_scale(x: Array, weights: Array | None, structure: CovarianceStructure) -> tuple[Array, Array]:
    """Return the weighted mean and standard deviation of each column; a constant one gets its size as scale, or one.

    Rows of weight zero take no part. The columns are taken one by one: a copy of the data may be more than there is
    memory for.
    """
    seen = None if weights is None or weights.all() else weights > 0
    shares = np.full(len(x), 1 / len(x)) if weights is None else weights / weights.sum()
    if seen is not None:
        shares = shares[seen]
    columns = (column if seen is None else column[seen] for column in x.T)
    location, deviation, size = np.array([_mean_and_deviation(column, shares) for column in columns]).T
    return location, structure.scale_of(column_scales(deviation, size))


def _mean_and_deviation(column: Array, shares: Array) -> tuple[float, float, float]:
    """Return mean, standard deviation and largest absolute value."""
    # From the middle of the range and in units of half of it, no square leaves the range of floats and data far from
    # zero lose nothing. Halved first: the difference of the ends may be too large for a float.
    low, high = column.min() / 2, column.max() / 2
    middle, reach = low + high, high - low
    size = max(abs(low), abs(high)) * 2
    if reach == 0:
        return middle, 0.0, size
    standard = (column - middle) / reach
    mean = shares @ standard
    standard -= mean
    standard *= standard
    return middle + reach * mean, reach * np.sqrt(shares @ standard), size


def some_rows(x: Array, weights: Array | None, rng: np.random.Generator) -> tuple[Array, Array | None]:
    """Return rows and weights for a rule: all of them, or a random subset in the order of the data."""
    members = np.arange(len(x)) if weights is None else np.flatnonzero(weights)
    if len(members) <= MAX_START_ROWS:
        return x, weights
    chosen = np.sort(rng.choice(members, MAX_START_ROWS, replace=False))
    return x[chosen], None if weights is None else weights[chosen]


def neutral_gaussians(structure: CovarianceStructure, n_components: int, location: Array, scale: Array) -> Gaussians:
    """Return components that all sit at ``location`` with standard deviations ``scale``: where moments are taken."""
    shape = structure.shape(n_components, len(location))
    unit = np.broadcast_to(np.eye(len(location)) if structure.is_matrix else np.ones(shape), shape)
    means = np.repeat(location[None], n_components, axis=0)
    return Gaussians(means, structure.rescale(unit, scale), structure, location, scale)


def from_responsibilities(
    x: Array,
    weights: Array | None,
    responsibilities: Array,
    structure: CovarianceStructure,
    *,
    floor: float,
    units: tuple[Array, Array],
) -> GaussianMixtureParams:
    """Return the params of one M-step on given responsibilities (n_samples, n_components).

    A component that gets too few rows to span a covariance starts with that of all the rows. ``units`` are the
    location and scale of the data.
    """
    n_components = responsibilities.shape[1]
    location, scale = units
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

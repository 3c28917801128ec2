"""A mixture of Gaussians: ``z_n ~ Categorical(weights)``, ``x_n | z_n = k ~ Normal(means[k], covariances[k])``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, TypeAlias

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit import EStep, LatentModel
from emkit.arrays import as_matrix, as_sample_weight, share, whole_number
from emkit.errors import DegenerateError
from emkit.families import STARTS, CovarianceStructure, Full, Gaussians, as_structure, gaussian_m_step
from emkit.space import Covariance, Positive, Real, Space
from emkit_mixture.params import GaussianMixtureParams, GaussianMixtureStatistics
from emkit_mixture.plot import plot_mixture
from emkit_mixture.starts import (
    StartingValues,
    as_starting_values,
    check_shape,
    from_responsibilities,
    location_and_scale,
    some_rows,
)

Array = NDArray[np.float64]


def _checked_rows(x: Any) -> Array:
    return as_matrix(x, nan_hint="drop those rows or fill them in first (emkit_mvn.NormalImputer accepts NaN)")


@attrs.frozen(eq=False)
class WeightedRows:
    """Data of a mixture: rows and, optionally, how often each counts; checked when it is made."""

    x: Array = attrs.field(converter=_checked_rows)
    weights: Any = None

    def __attrs_post_init__(self) -> None:
        # Weights must match the rows, which a converter sees only in a form that type checkers do not know. Of a part
        # of the data all of them may be zero; `initialize` sees all of the data and checks their total.
        object.__setattr__(self, "weights", as_sample_weight(self.weights, len(self.x), check_total=False))


def _n_components(value: Any) -> int:
    return whole_number(value, "n_components")


def _floor(value: Any) -> float:
    return share(value, "floor")


#: A matrix, a pair of matrix and weights, or the prepared form.
MixtureData: TypeAlias = Array | tuple[Array, Array] | WeightedRows


@attrs.frozen
class GaussianMixtureModel(LatentModel[MixtureData, GaussianMixtureParams, GaussianMixtureStatistics]):
    """A Gaussian mixture, fitted by maximum likelihood.

    Attributes
    ----------
    n_components : int
    covariance : CovarianceStructure or {"full", "tied", "diag", "spherical"}
        Which covariance matrices are allowed.
    floor : float
        Smallest eigenvalue of a covariance, relative to the variances of the data. Part of the parameter space, and
        constant: the fit is the exact maximum under it, whatever the units.
    start : StartingValues or {"kmeans", "k-means++", "random", "random_from_data"}
        Where to start.
    """

    n_components: int = attrs.field(default=1, converter=_n_components)
    covariance: CovarianceStructure = attrs.field(factory=Full, converter=as_structure)
    floor: float = attrs.field(default=1e-6, converter=_floor)
    start: StartingValues = attrs.field(factory=StartingValues, converter=as_starting_values, repr=False)

    leaf_rows: ClassVar[int | None] = 65_536

    def e_step(
        self, params: GaussianMixtureParams, data: MixtureData, temperature: float = 1.0
    ) -> EStep[GaussianMixtureStatistics]:
        """Return moments under ``responsibilities[n, k] = P(z_n = k | x_n)``, and the log-likelihood.

        At another temperature both are the tempered ones of deterministic annealing; see :func:`emkit.anneal`.
        """
        rows = self.prepare(data)
        gaussians = self._gaussians(params, rows.x)
        moments, log_likelihood = gaussians.mixture_e_step(rows.x, _log(params.weights), rows.weights, temperature)
        n_observations = len(rows.x) if rows.weights is None else float(rows.weights.sum())
        return EStep(moments, log_likelihood, n_observations, gaussians.rounding(moments.counts))

    def m_step(self, params: GaussianMixtureParams, statistics: GaussianMixtureStatistics) -> GaussianMixtureParams:
        """Return counts as weights, and the means and covariances of highest likelihood above the floor."""
        means, covariances = gaussian_m_step(statistics, self._gaussians(params), self.floor)
        total = statistics.counts.sum()
        if not total > 0:
            msg = "No row of positive weight is within reach of any component: check data, weights and starting params."
            raise DegenerateError(msg)
        weights = statistics.counts / total
        return attrs.evolve(params, weights=weights, means=means, covariances=covariances)

    def initialize(self, data: MixtureData, rng: np.random.Generator) -> GaussianMixtureParams:
        """Return one M-step on the responsibilities that the starting rule gives."""
        rows = self.prepare(data)
        if len(rows.x) < self.n_components:
            msg = (
                f"A mixture of n_components={self.n_components} needs at least as many rows, but the data have "
                f"n_samples={len(rows.x)}: fit fewer components."
            )
            raise ValueError(msg)
        units = location, scale = self._units(rows)
        given = self.start.given()
        if "weights" in given:
            # People type 0.333333; the space of proportions is stricter than what was accepted from them.
            given["weights"] = given["weights"] / given["weights"].sum()
        if len(given) == 3:
            params = GaussianMixtureParams(**given, location=location, scale=scale)
        else:
            x, weights = some_rows(rows.x, rows.weights, rng)
            responsibilities = STARTS[self.start.kind]((x - location) / scale, self.n_components, rng, weights)
            params = from_responsibilities(x, weights, responsibilities, self.covariance, floor=self.floor, units=units)
            params = attrs.evolve(params, **given)
        self._check_given(params)
        return params

    def params_of(self, data: MixtureData, responsibilities: Array) -> GaussianMixtureParams:
        """Return the params of one M-step on responsibilities (n_samples, n_components), such as a partition."""
        rows = self.prepare(data)
        return from_responsibilities(
            rows.x, rows.weights, responsibilities, self.covariance, floor=self.floor, units=self._units(rows)
        )

    def space(self, params: GaussianMixtureParams) -> dict[str, Space]:
        """Return spaces with the floor, and scales that follow the data's own; params of other shapes are refused."""
        if not isinstance(params, GaussianMixtureParams):
            msg = f"Params must be GaussianMixtureParams; found {type(params).__name__}."
            raise TypeError(msg)
        for name, shape in self._shapes(params.location.size).items():
            check_shape(getattr(params, name), shape, name)
        variance = params.scale**2
        covariances: Space
        if self.covariance.is_matrix:
            covariances = Covariance(self.floor, params.scale)
        else:
            # One variance for all features, or one each; a spherical structure has one scale for all of them.
            unit = variance if params.covariances.ndim == 2 else variance[:1]
            covariances = Positive(self.floor * unit, unit)
        return {"means": Real(params.scale), "covariances": covariances}

    def prepare(self, leaf: MixtureData) -> WeightedRows:
        """Return validated rows and weights."""
        if isinstance(leaf, WeightedRows):
            return leaf
        if not isinstance(leaf, tuple):
            return WeightedRows(leaf)
        if len(leaf) != 2:
            msg = f"Data must be a matrix or a pair (matrix, weights); found a tuple of length {len(leaf)}."
            raise ValueError(msg)
        return WeightedRows(*leaf)

    def log_density(self, params: GaussianMixtureParams, x: Array) -> Array:
        """Return ``log p(x_n)``, shape (n_samples,)."""
        joint = self._log_joint(params, x)
        top = joint.max(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            density: Array = top + np.log(np.exp(joint - top[:, None]).sum(axis=1))
        return np.where(np.isfinite(top), density, -np.inf)

    def posterior(self, params: GaussianMixtureParams, data: MixtureData) -> Array:
        """Return ``responsibilities[n, k] = P(z_n = k | x_n)``, shape (n_samples, n_components).

        A row so far away that every component has density zero gets the weights.
        """
        joint = self._log_joint(params, self.prepare(data).x)
        lost = ~np.isfinite(joint.max(axis=1))
        joint[lost] = _log(params.weights)
        shares: Array = np.exp(joint - joint.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        return shares

    def sample(self, params: GaussianMixtureParams, n: int, rng: np.random.Generator) -> Array:
        """Return ``n`` rows drawn from the mixture, in random order."""
        x, _ = self.sample_with_components(params, n, rng)
        return x[rng.permutation(n)]

    def sample_with_components(
        self, params: GaussianMixtureParams, n: int, rng: np.random.Generator
    ) -> tuple[Array, NDArray[np.int_]]:
        """Return ``n`` rows and the component of each, grouped by component."""
        counts = rng.multinomial(whole_number(n, "n"), params.weights / params.weights.sum())
        matrices = self.covariance.to_full(params.covariances, *params.means.shape)
        rows = [
            rng.multivariate_normal(mean, matrix, size=count, method="cholesky")
            for mean, matrix, count in zip(params.means, matrices, counts, strict=True)
        ]
        return np.concatenate(rows), np.repeat(np.arange(len(counts)), counts)

    def notes(self, params: GaussianMixtureParams) -> list[str]:
        """Return a sentence for each component that has no rows left."""
        return [
            f"Component {k} is empty (weight {params.weights[k]:.3g}); its mean and covariance are the last it had."
            for k in np.flatnonzero(params.weights < 1e-12)
        ]

    def plot(self, params: GaussianMixtureParams, data: MixtureData, ax: Any, columns: Sequence[str] = ()) -> Any:
        """Draw the components over the data: densities over a histogram, or ellipses over the first two columns."""
        covariances = self.covariance.to_full(params.covariances, *params.means.shape)
        plot_mixture(params.weights, params.means, covariances, self.prepare(data).x, ax)
        axis_labels = (ax.set_xlabel, ax.set_ylabel)[: params.means.shape[1]]
        for set_label, name in zip(axis_labels, columns, strict=False):
            set_label(name)
        return ax

    def _gaussians(self, params: GaussianMixtureParams, x: Array | None = None) -> Gaussians:
        """Return the components; ``x``, if given, must have as many columns as their means."""
        if x is not None and x.shape[1:] != params.means.shape[1:]:
            msg = (
                f"The data have n_features={x.shape[1]}, but the means of the params have {params.means.shape[1]}: "
                "give the columns that the params were fitted to."
            )
            raise ValueError(msg)
        return Gaussians(params.means, params.covariances, self.covariance, params.location, params.scale)

    def _log_joint(self, params: GaussianMixtureParams, x: Array) -> Array:
        return self._gaussians(params, x).log_density(x) + _log(params.weights)

    def _units(self, rows: WeightedRows) -> tuple[Array, Array]:
        """Return location and scale of all the data, whose weights must add up to something."""
        return location_and_scale(rows.x, as_sample_weight(rows.weights, len(rows.x)), self.covariance)

    def _check_given(self, params: GaussianMixtureParams) -> None:
        """Raise ValueError, in the user's own words, where starting values that were given do not fit."""
        names = {field: self.start.name(field) for field in self.start.given()}
        for field, name in names.items():
            check_shape(getattr(params, field), self._shapes(params.location.size)[field], name)
        spaces = self.space(params)
        for field in names.keys() & spaces.keys():
            known_as = field if names[field] == field else f"{field} (from {names[field]})"
            spaces[field].check(getattr(params, field), known_as)

    def _shapes(self, n_features: int) -> dict[str, tuple[int, ...]]:
        """Return the shape of every field of the params."""
        return {
            "weights": (self.n_components,),
            "means": (self.n_components, n_features),
            "covariances": self.covariance.shape(self.n_components, n_features),
            "location": (n_features,),
            "scale": (n_features,),
        }


def _log(weights: Array) -> Array:
    with np.errstate(divide="ignore"):
        logarithm: Array = np.log(weights)
    return logarithm

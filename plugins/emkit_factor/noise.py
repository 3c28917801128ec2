"""What is specific to each column: noise of a variance of its own, or of one variance for all."""

from __future__ import annotations

from abc import ABC, abstractmethod
from numbers import Real
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: What is left of a column whose variance is one is rounding if it is smaller than this.
VANISHED = 1e-13


def _positive(value: Any, name: str) -> float:
    """Return a finite number above 0."""
    if not isinstance(value, Real) or isinstance(value, bool) or not 0 < float(value) < np.inf:
        msg = f"{name} must be a finite number above 0; it is {value!r}."
        raise ValueError(msg)
    return float(value)


def _shape_of_prior(value: Any) -> float:
    return _positive(value, "shape")


def _scale_of_prior(value: Any) -> float:
    return _positive(value, "scale")


@attrs.frozen
class InverseGamma:
    """A prior on noise variances: density proportional to ``v**(-shape - 1) * exp(-scale / v)``.

    ``v`` is a noise variance as a share of the variance of the data, so that the prior means the same in any units.
    With ``scale > 0`` no variance can vanish, which keeps Heywood cases away (Martin and McDonald 1975, Psychometrika
    40:505). The mode is ``scale / (shape + 1)``.

    Attributes
    ----------
    shape, scale : float
    """

    shape: float = attrs.field(default=1.0, converter=_shape_of_prior)
    scale: float = attrs.field(default=0.1, converter=_scale_of_prior)

    def log_density(self, variances: Array) -> float:
        """Return the log-density, summed over variances in units of the data's; up to a constant."""
        return -float(((self.shape + 1) * np.log(variances) + self.scale / variances).sum())


class Noise(ABC):
    """Which noise variances are allowed."""

    @abstractmethod
    def n_variances(self, n_features: int) -> int:
        """Return how many variances there are."""

    @abstractmethod
    def pooled(self, values: Array) -> Array:
        """Return sums over the columns that share a variance: (n_features,) to (n_variances,)."""

    @abstractmethod
    def scale_of(self, deviation: Array) -> Array:
        """Return the units of the columns, given their standard deviations (zero where constant) or their sizes.

        Of columns whose noise is the same the units must be the same, too.
        """

    def m_step(self, squares: Array, counts: Array, prior: InverseGamma | None, floor: float) -> Array:
        """Return the variances that maximise the expected log-posterior, none below the floor.

            (squares + 2 * prior.scale) / (counts + 2 * prior.shape + 2)

        Each is a maximum with one peak, so what the floor cuts off is maximised by the floor itself.

        Parameters
        ----------
        squares, counts : (n_features,)
            Expected squared residuals of each column and how many cells they come from, in standard units.
        """
        total, number = self.pooled(squares), self.pooled(counts)
        if prior is not None:
            total, number = total + 2 * prior.scale, number + 2 * prior.shape + 2
        with np.errstate(divide="ignore", invalid="ignore"):
            variances: Array = np.maximum(total / number, floor)
        return variances


@attrs.frozen
class DiagonalNoise(Noise):
    """A variance for each column: factor analysis."""

    def n_variances(self, n_features: int) -> int:
        """Return the number of columns."""
        return n_features

    def pooled(self, values: Array) -> Array:
        """Return the values themselves."""
        return values

    def scale_of(self, deviation: Array) -> Array:
        """Return the standard deviations."""
        return deviation


@attrs.frozen
class IsotropicNoise(Noise):
    """One variance for all columns: probabilistic principal components."""

    def n_variances(self, n_features: int) -> int:
        """Return one."""
        return 1

    def pooled(self, values: Array) -> Array:
        """Return the sum over all columns, shape (1,)."""
        return np.array([values.sum()])

    def scale_of(self, deviation: Array) -> Array:
        """Return the root mean square of the standard deviations, for every column."""
        largest = deviation.max()
        unit = largest * np.sqrt(np.mean((deviation / largest) ** 2)) if largest > 0 else 0.0
        return np.full(len(deviation), unit)


_NAMES = {"diagonal": DiagonalNoise(), "isotropic": IsotropicNoise()}


def as_noise(noise: str | Noise) -> Noise:
    """Return the noise of a name, or the object itself."""
    if isinstance(noise, Noise):
        return noise
    if not isinstance(noise, str) or noise not in _NAMES:
        msg = f"noise must be one of {', '.join(map(repr, _NAMES))}, or such an object; it is {noise!r}."
        raise ValueError(msg)
    return _NAMES[noise]

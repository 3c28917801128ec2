"""What is known of a mean and a covariance before the data: normal-inverse-Wishart priors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from numbers import Real
from typing import Any, final

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit.arrays import as_array

Array = NDArray[np.float64]
Indices = NDArray[np.intp]


@attrs.frozen(eq=False)
class PriorTerms:
    """A prior in the units of the data, as the M-step adds it to the moments.

    The log-density, up to a constant, is

        -(count log det covariance + trace(inverse(covariance) scatter)
          + strength (mean - centre)' inverse(covariance) (mean - centre)) / 2

    Attributes
    ----------
    count : float
        Rows that the prior adds to the divisor of the scatter.
    scatter : (n_features, n_features)
    strength : float
        Rows that the prior adds to the mean.
    centre : (n_features,)
    """

    count: float
    scatter: Array
    strength: float
    centre: Array

    def log_density(self, mean: Array, covariance: Array) -> float:
        """Return the log-density up to a constant, in nats; all arguments in the units of the prior."""
        factor = np.linalg.cholesky(covariance)
        shift = mean - self.centre
        spread = self.scatter + self.strength * np.outer(shift, shift)
        whitened = np.linalg.solve(factor, np.linalg.solve(factor, spread).T)
        return -float(self.count * 2 * np.log(np.diag(factor)).sum() + np.trace(whitened)) / 2


class Prior(ABC):
    """A prior of mean and covariance."""

    @abstractmethod
    def terms(self, n_features: int, deviations: Array) -> PriorTerms:
        """Return the prior in raw units; ``deviations`` (n_features,) are those of the columns of the data."""

    def of_columns(self, columns: Indices, n_features: int) -> Prior:
        """Return a prior of ``n_features`` columns for some of them: itself, where it does not tell columns apart."""
        return self


def _number(value: Any) -> float:
    if isinstance(value, Real) and not isinstance(value, bool):
        return float(value)
    msg = f"df and strength of a prior are numbers of rows, such as 0.5; found {value!r}."
    raise ValueError(msg)


@final
@attrs.frozen
class Ridge(Prior):
    """Shrinks covariances towards zero and keeps variances: for few rows, or columns that hardly differ.

    The posterior mode is ``(n S + df diag(s**2)) / (n + df + n_features + 1)`` with ``s**2`` the sample variance of
    the seen cells of each column (Schafer 1997, Analysis of Incomplete Multivariate Data, section 5.2.3; the default
    of R's norm2 for a ridge prior).

    Attributes
    ----------
    df : float
        How many rows the prior counts for.
    """

    df: float = attrs.field(default=0.5, converter=_number)

    def __attrs_post_init__(self) -> None:
        _check_not_negative(self.df, "Ridge(df)")

    def terms(self, n_features: int, deviations: Array) -> PriorTerms:
        """Return an inverse Wishart prior with the variances of the data."""
        scatter = self.df * np.diag(deviations**2)
        return PriorTerms(self.df + n_features + 1, scatter, 0.0, np.zeros(n_features))


@final
@attrs.frozen(eq=False)
class InverseWishart(Prior):
    """``covariance ~ InverseWishart(df, scale)`` and, with a ``mean``, ``mean ~ Normal(mean, covariance / strength)``.

    ``InverseWishart(0)`` is Jeffreys' prior.

    Attributes
    ----------
    df : float
    scale : (n_features, n_features), optional
        The scale matrix; zero if not given.
    mean : (n_features,), optional
        Centre of the mean.
    strength : float
        How many rows the prior of the mean counts for.
    """

    df: float = attrs.field(converter=_number)
    scale: Any = None
    mean: Any = None
    strength: float = attrs.field(default=0.0, converter=_number)

    def __attrs_post_init__(self) -> None:
        _check_not_negative(self.df, "InverseWishart(df)")
        _check_not_negative(self.strength, "InverseWishart(strength)")
        if (self.mean is None) != (self.strength == 0):
            msg = "InverseWishart needs a mean and its strength together, or neither of them."
            raise ValueError(msg)
        if self.scale is not None:
            object.__setattr__(self, "scale", _as_scatter(self.scale))
        if self.mean is not None:
            object.__setattr__(self, "mean", as_array(self.mean, "InverseWishart(mean)"))

    def terms(self, n_features: int, deviations: Array) -> PriorTerms:
        """Return the prior as it was given."""
        scale = np.zeros((n_features, n_features)) if self.scale is None else self.scale
        mean = np.zeros(n_features) if self.mean is None else self.mean
        if scale.shape != (n_features, n_features) or mean.shape != (n_features,):
            msg = (
                f"The data have n_features={n_features}, but InverseWishart has a scale of shape {scale.shape} and a "
                f"mean of shape {mean.shape}."
            )
            raise ValueError(msg)
        count = self.df + n_features + 1 + (self.strength > 0)
        return PriorTerms(count, scale, self.strength, mean)

    def of_columns(self, columns: Indices, n_features: int) -> InverseWishart:
        """Return the prior of some of the columns: of ``p`` columns a block of ``q`` has ``p - q`` df fewer.

        That is the distribution of the block. Where the prior has none, being improper, df stops at 0, and without a
        scale, as in Jeffreys' prior, it stays.
        """
        terms = self.terms(n_features, np.ones(n_features))
        mean = None if self.mean is None else terms.centre[columns]
        if self.scale is None:
            return attrs.evolve(self, mean=mean)
        df = max(self.df - (n_features - len(columns)), 0.0)
        return attrs.evolve(self, df=df, scale=terms.scatter[np.ix_(columns, columns)], mean=mean)


def as_prior(value: Any) -> Prior | None:
    """Return a prior as it is, or "ridge" and "jeffreys" as the priors of these names."""
    if value is None or isinstance(value, Prior):
        return value
    named: dict[str, Prior] = {"ridge": Ridge(), "jeffreys": InverseWishart(0.0)}
    if isinstance(value, str) and value in named:
        return named[value]
    msg = f"prior must be None, 'ridge', 'jeffreys', Ridge(...) or InverseWishart(...); it is {value!r}."
    raise ValueError(msg)


def _check_not_negative(value: float, name: str) -> None:
    if not 0 <= value < np.inf:
        msg = f"{name} must be a number of at least 0; it is {value!r}."
        raise ValueError(msg)


def _as_scatter(scale: Any) -> Array:
    matrix = as_array(scale, "InverseWishart(scale)")
    square = matrix.ndim == 2 and matrix.shape[0] == matrix.shape[1]
    if not square or not np.allclose(matrix, matrix.T) or np.linalg.eigvalsh(matrix)[0] < -1e-12 * np.abs(matrix).max():
        msg = f"InverseWishart(scale) must be a symmetric matrix without negative eigenvalues; it is {matrix.tolist()}."
        raise ValueError(msg)
    return matrix

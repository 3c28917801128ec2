"""Which covariance matrices a normal model allows, and the likeliest of them given the scatter."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, final

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit.arrays import as_array, one_of
from emkit.errors import InvalidParamsError
from emkit.space import Covariance

Array = NDArray[np.float64]
Ties = NDArray[np.int_]
Indices = NDArray[np.intp]


class CovarianceStructure(ABC):
    """A set of covariance matrices in which some entries are equal or zero.

    With a scatter ``S`` (per row) the likeliest matrix of the set is ``S`` with the entries of every tie replaced by
    their mean: each set here is closed under inversion, and for such sets the likelihood equations are linear
    (Szatrowski 1980, Annals of Statistics 8:802, theorem 4).

    Attributes
    ----------
    has_common_unit : bool
        Whether ties compare columns, so that all of them must be measured in one unit.
    """

    has_common_unit: ClassVar[bool] = False

    def of_columns(self, columns: Indices, n_features: int) -> CovarianceStructure:
        """Return a structure of ``n_features`` columns for some of them: itself, where it knows no columns by number.

        Raises
        ------
        ValueError
            If it is one of another number of columns.
        """
        return self

    @abstractmethod
    def ties(self, n_features: int) -> Ties | None:
        """Return a number for every entry, (n_features, n_features): equal numbers, equal entries; negative: zero.

        None ties nothing but what symmetry does.
        """

    def nearest(self, scatter: Array) -> Array:
        """Return the likeliest matrix of the set: the mean of the entries of every tie."""
        ties = self.ties(len(scatter))
        if ties is None:
            return scatter
        labels = np.maximum(ties, 0).ravel()
        free = (ties >= 0).ravel()
        counts = np.bincount(labels, free)
        means = np.bincount(labels, scatter.ravel() * free) / np.maximum(counts, 1)
        result: Array = np.where(ties >= 0, means[np.maximum(ties, 0)], 0.0)
        return result


@final
@attrs.frozen
class Unrestricted(CovarianceStructure):
    """Any positive definite matrix."""

    def ties(self, n_features: int) -> Ties | None:
        """Return None."""
        return None


@final
@attrs.frozen
class Diagonal(CovarianceStructure):
    """Columns are independent."""

    def ties(self, n_features: int) -> Ties | None:
        """Return a number for every variance."""
        return np.where(np.eye(n_features, dtype=bool), np.arange(n_features), -1)


@final
@attrs.frozen
class Spherical(CovarianceStructure):
    """Columns are independent and have one variance."""

    has_common_unit: ClassVar[bool] = True

    def ties(self, n_features: int) -> Ties | None:
        """Return one number for all variances."""
        return np.eye(n_features, dtype=np.int_) - 1


@final
@attrs.frozen
class Exchangeable(CovarianceStructure):
    """All variances are equal, and so are all covariances (compound symmetry)."""

    has_common_unit: ClassVar[bool] = True

    def ties(self, n_features: int) -> Ties | None:
        """Return one number for the variances and one for the covariances."""
        return 1 - np.eye(n_features, dtype=np.int_)


def _groups(value: Any) -> tuple[Any, ...]:
    try:
        return tuple(value)
    except TypeError:
        msg = f"groups must name the group of every column, such as (0, 0, 1); it is {value!r}."
        raise TypeError(msg) from None


def _covariance(value: Any) -> Array:
    matrix = as_array(value, "Known(covariance)")
    try:
        if matrix.ndim == 2:
            Covariance().check(matrix, "Known(covariance)")
            return matrix
    except InvalidParamsError:
        pass
    msg = f"Known(covariance) must be a symmetric positive definite matrix; it is {matrix.tolist()}."
    raise ValueError(msg)


@final
@attrs.frozen
class BlockDiagonal(CovarianceStructure):
    """Columns of different groups are independent.

    Attributes
    ----------
    groups : tuple
        The group of every column, such as ``(0, 0, 1)``.
    """

    groups: tuple[Any, ...] = attrs.field(converter=_groups)

    def ties(self, n_features: int) -> Ties:
        """Return a number for every covariance within a group."""
        self._check(n_features)
        groups = np.array([self.groups.index(group) for group in self.groups])
        i, j = np.indices((n_features, n_features))
        return np.where(groups[:, None] == groups, np.minimum(i, j) * n_features + np.maximum(i, j), -1)

    def of_columns(self, columns: Indices, n_features: int) -> BlockDiagonal:
        """Return the groups of these columns."""
        self._check(n_features)
        return BlockDiagonal(tuple(self.groups[j] for j in columns))

    def _check(self, n_features: int) -> None:
        if len(self.groups) != n_features:
            msg = f"groups must name the group of each of the {n_features} columns; it has {len(self.groups)} entries."
            raise ValueError(msg)


@final
@attrs.frozen(eq=False)
class Known(CovarianceStructure):
    """The covariance is given, and only the mean is estimated.

    Attributes
    ----------
    covariance : (n_features, n_features)
    """

    covariance: Array = attrs.field(converter=_covariance)

    def ties(self, n_features: int) -> Ties | None:
        """Return None."""
        return None

    def of_columns(self, columns: Indices, n_features: int) -> Known:
        """Return the covariance of these columns."""
        self.check_size(n_features)
        return Known(self.covariance[np.ix_(columns, columns)])

    def check_size(self, n_features: int) -> None:
        """Raise ValueError if the covariance is one of another number of columns."""
        if len(self.covariance) != n_features:
            shape = (n_features, n_features)
            msg = (
                f"Known(covariance) must have shape {shape} for data of n_features={n_features}; it has "
                f"{self.covariance.shape}."
            )
            raise ValueError(msg)


_BY_NAME: dict[str, type[Unrestricted | Diagonal | Spherical | Exchangeable]] = {
    "full": Unrestricted,
    "diag": Diagonal,
    "spherical": Spherical,
    "exchangeable": Exchangeable,
}


def as_structure(value: Any) -> CovarianceStructure:
    """Return a structure by its name, or as it is."""
    if isinstance(value, CovarianceStructure):
        return value
    return _BY_NAME[one_of(value, "covariance", _BY_NAME)]()

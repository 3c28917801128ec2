"""Which covariance matrices a normal model allows, and the likeliest of them given the scatter."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, final

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit.arrays import one_of, read_only
from emkit.space import Covariance

Array = NDArray[np.float64]
Ties = NDArray[np.int_]


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


@final
@attrs.frozen
class BlockDiagonal(CovarianceStructure):
    """Columns of different groups are independent.

    Attributes
    ----------
    groups : tuple
        The group of every column, such as ``(0, 0, 1)``.
    """

    groups: tuple[Any, ...] = attrs.field(converter=tuple)

    def ties(self, n_features: int) -> Ties | None:
        """Return a number for every covariance within a group."""
        if len(self.groups) != n_features:
            msg = f"groups must name the group of each of the {n_features} columns; it has {len(self.groups)} entries."
            raise ValueError(msg)
        _, groups = np.unique(np.array([str(group) for group in self.groups]), return_inverse=True)
        i, j = np.indices((n_features, n_features))
        return np.where(groups[:, None] == groups, np.minimum(i, j) * n_features + np.maximum(i, j), -1)


@final
@attrs.frozen(eq=False)
class Known(CovarianceStructure):
    """The covariance is given, and only the mean is estimated.

    Attributes
    ----------
    covariance : (n_features, n_features)
    """

    covariance: Array = attrs.field(converter=read_only)

    def __attrs_post_init__(self) -> None:
        Covariance().check(self.covariance, "Known(covariance)")

    def ties(self, n_features: int) -> Ties | None:
        """Return None."""
        return None


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

"""What a family of distributions is: a log-density, a weighted fit and a sampler.

A family describes the observations of *all* components (of a mixture) or states (of a hidden Markov model) at once:
its params hold one distribution for each of them. Three methods make a family; the rest has defaults.

    >>> import attrs, numpy as np
    >>> from emkit import space
    >>> from emkit.families import Family
    >>> @attrs.frozen(eq=False)
    ... class RayleighParams:
    ...     scales: np.ndarray = space.positive()
    >>> @attrs.frozen
    ... class Rayleigh(Family):
    ...     def log_density(self, params, x):
    ...         return np.log(x / params.scales**2) - x**2 / (2 * params.scales**2)
    ...     def fit(self, x, responsibilities, params=None):
    ...         return RayleighParams(np.sqrt((responsibilities.T @ x**2)[:, 0] / (2 * responsibilities.sum(axis=0))))
    ...     def sample(self, params, components, rng):
    ...         return rng.rayleigh(params.scales[components])[:, None]
    >>> x = np.array([[1.0], [2.0], [3.0]])
    >>> Rayleigh().fit(x, np.ones((3, 1)))
    RayleighParams(scales=array([1.52752523]))
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Generic, TypeVar

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit import tree
from emkit.arrays import as_matrix
from emkit.errors import MissingCapabilityError
from emkit.families.responsibilities import occupied, shared_at_start
from emkit.space import Fixed, Space, spaces_of

Array = NDArray[np.float64]
Labels = NDArray[np.intp]
FamilyParams = TypeVar("FamilyParams")


@attrs.frozen(eq=False)
class SharedRows:
    """Rows and how they are shared among the components: the statistics of a family that has no sums.

    They do not add over data, so a model with such a family keeps its data in one piece.

    Attributes
    ----------
    x
        As :meth:`Family.prepare` gave them.
    responsibilities : (n_samples, n_components)
        Times the weights of the rows; zero for rows that miss.
    """

    x: Any
    responsibilities: Array


class Family(ABC, Generic[FamilyParams]):
    """K distributions of one kind, one for each component (state).

    Every method is pure, as those of a model are. ``x`` is what :meth:`prepare` gave, which must have a length; in a
    plain family that is the matrix of the data, (n_samples, n_features), without NaN: rows with gaps are taken out
    before, unless ``accepts_nan``. Responsibilities (n_samples, n_components) are at least zero; they include weights,
    so rows need not sum to one.
    """

    #: Whether single cells may be NaN. Elsewhere a row with a NaN counts as missing altogether.
    accepts_nan: ClassVar[bool] = False
    #: Whether :meth:`sample` gives rows; regressions, whose covariates have no distribution, offer :meth:`simulate`.
    has_sampler: ClassVar[bool] = True
    #: Whether the density of a row depends on rows before it, as in autoregressions.
    looks_back: ClassVar[bool] = False
    #: Whether :meth:`statistics` are sums over rows, so that data may be cut and spread over workers.
    is_additive: ClassVar[bool] = False

    @abstractmethod
    def log_density(self, params: FamilyParams, x: Any) -> Array:
        """Return ``log p(x[n] | component k)`` in nats, shape (n_samples, n_components): a new array at every call."""

    @abstractmethod
    def fit(self, x: Any, responsibilities: Array, params: FamilyParams | None = None) -> FamilyParams:
        """Return the params that maximise ``sum_nk responsibilities[n, k] * log_density[n, k] + log_prior``.

        ``params`` are the previous ones, None at the start. Constants of a whole fit, such as floors in units of the
        data, are taken from all rows at the start and kept. Models call :meth:`fitted`.
        """

    @abstractmethod
    def sample(self, params: FamilyParams, components: Labels, rng: np.random.Generator) -> Array:
        """Return one row for each of ``components`` (n_samples,), in their order; shape (n_samples, n_features).

        Of a hidden Markov model they are the states of one sequence. A regression, whose covariates have no
        distribution, raises MissingCapabilityError here and offers :meth:`simulate`.
        """

    def simulate(self, params: FamilyParams, components: Labels, x: Array, rng: np.random.Generator) -> Array:
        """Return rows drawn for ``components`` that are like the plain rows ``x``: a regression keeps their covariates.

        Both of shape (n_samples, n_features). Elsewhere they are what :meth:`sample` gives.
        """
        return self.sample(params, components, rng)

    def fitted(self, x: Any, responsibilities: Array, params: FamilyParams | None = None) -> FamilyParams:
        """Return :meth:`fit`, with what there is to say of components that have no rows.

        They keep their params, bit for bit; at the start they get those of all rows together. What :meth:`fit` makes of
        such a component does not matter.
        """
        if params is None:
            return self.fit(x, shared_at_start(responsibilities))
        filled = occupied(responsibilities.sum(axis=0))
        if filled.all():
            return self.fit(x, responsibilities, params)
        if not filled.any():
            return params
        with np.errstate(all="ignore"):
            after = dict(tree.leaves(self.fit(x, responsibilities, params)))
        own = self._of_components(params, len(filled))
        kept = {path: np.where(filled.reshape(-1, *[1] * (leaf.ndim - 1)), after[path], leaf) for path, leaf in own}
        return tree.replace_leaves(params, after | kept)

    def prepare(self, x: Any, lengths: NDArray[np.intp] | None = None) -> Any:
        """Return the data checked, and in the form in which the other methods want them.

        Parameters
        ----------
        x : (n_samples, n_features)
            Rows that miss are NaN throughout; what they become does not matter, as long as nothing fails.
        lengths : (n_sequences,), optional
            Of the sequences that follow each other in ``x``, if they are any; rows of a mixture have none.

        Returns
        -------
        prepared
            A matrix, or an object with a length and a method ``take(rows)`` that returns some of its rows. It may have
            an attribute ``missing``, (n_samples,) of bool: rows whose density is not told, such as the first rows of
            an autoregression; their log-density is zero and they have no part in statistics.

        Raises
        ------
        ValueError
            If an entry is outside the support, naming row and column.
        """
        return as_matrix(x, allow_nan=True)

    def statistics(self, params: FamilyParams, x: Any, responsibilities: Array) -> Any:
        """Return what :meth:`m_step` needs; override together with it where sums will do, and set ``is_additive``."""
        return SharedRows(x, responsibilities)

    def m_step(self, params: FamilyParams, statistics: Any) -> FamilyParams:
        """Return the maximiser given statistics, or any point that is not worse than ``params`` (generalised EM)."""
        return self.fitted(statistics.x, statistics.responsibilities, params)

    def space(self, params: FamilyParams) -> dict[str, Space]:
        """Return spaces of fields of the params that their declaration cannot know: floors, supports."""
        return {}

    def log_prior(self, params: FamilyParams) -> float:
        """Return the log-density of the prior, up to a constant; zero for maximum likelihood."""
        return 0.0

    def complete_score(self, params: FamilyParams, statistics: Any) -> FamilyParams:
        """Return the gradient of ``sum_nk responsibilities[n, k] * log_density[n, k]``, in the shape of the params."""
        raise MissingCapabilityError(_missing(self, "complete_score(params, statistics)"))

    def features(self, x: Any) -> Array:
        """Return numbers by whose distances rows are grouped at the start, (n_samples, n_numbers)."""
        return np.asarray(x, dtype=np.float64)

    def mean(self, params: FamilyParams) -> Array:
        """Return ``E[x | component k]``, shape (n_components, n_features)."""
        raise MissingCapabilityError(_missing(self, "mean(params)"))

    def cumulative(self, params: FamilyParams, x: Any) -> tuple[Array, Array]:
        """Return ``P(X < x[n] | component k)`` and ``P(X <= x[n] | component k)``, of families with one column.

        Each of shape (n_samples, n_components); they differ for counts.
        """
        raise MissingCapabilityError(_missing(self, "cumulative(params, x)"))

    def survival(self, params: FamilyParams, x: Any) -> tuple[Array, Array]:
        """Return ``P(X >= x[n] | component k)`` and ``P(X > x[n] | component k)``: what ``cumulative`` leaves of one.

        Families that can tell it from one by more than rounding do.
        """
        below, up_to = self.cumulative(params, x)
        return 1.0 - below, 1.0 - up_to

    def permuted(self, params: FamilyParams, order: Labels) -> FamilyParams:
        """Return params with component ``order[k]`` as the new component k."""
        return tree.replace_leaves(
            params, {path: leaf[order] for path, leaf in self._of_components(params, len(order))}
        )

    def shared_fields(self, params: FamilyParams) -> tuple[str, ...]:
        """Return the fields of the params that all components share, besides constants: a tied covariance, say.

        Those of parts have dotted names. Every other array whose first axis is as long as there are components has them
        along it.
        """
        return ()

    def component_fields(self, params: FamilyParams, n_components: int) -> tuple[str, ...]:
        """Return the names of the fields that have the components along their first axis, dotted if nested."""
        return tuple(tree.path_name(path) for path, _ in self._of_components(params, n_components))

    def _of_components(self, params: FamilyParams, n_components: int) -> list[tuple[tree.Path, Array]]:
        """Return the arrays that have the components along their first axis, with their paths."""
        spaces, shared = spaces_of(self, params), self.shared_fields(params)
        return [
            (path, np.asarray(leaf))
            for path, leaf in tree.leaves(params)
            if np.ndim(leaf)
            and len(leaf) == n_components
            and tree.path_name(path) not in shared
            and not isinstance(spaces[path], Fixed)
        ]

    def offers(self, name: str) -> bool:
        """Return whether the family has an optional method of that name."""
        return getattr(type(self), name) is not getattr(Family, name)

    def notes(self, params: FamilyParams, statistics: Any = None) -> Sequence[str]:
        """Return sentences on estimates that a reader should not trust."""
        return ()


def _missing(family: object, signature: str) -> str:
    return f"{type(family).__name__} has no `{signature}`, which this needs: define it."

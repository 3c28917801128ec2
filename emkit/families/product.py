"""Columns of different kinds: each family has its own, independent given the component."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, final

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit.arrays import as_matrix
from emkit.families.base import Array, Family, Labels
from emkit.families.parts import as_parts
from emkit.space import Space


@attrs.frozen(eq=False)
class ProductParams:
    """The params of every part, in order."""

    parts: tuple[Any, ...]


@attrs.frozen(eq=False)
class ProductRows:
    """Rows as every part wants them.

    Attributes
    ----------
    parts : tuple
        What the families prepared, without the rows that miss there.
    unseen : tuple of (n_samples,) bool
        Which rows these are.
    """

    parts: tuple[Any, ...]
    unseen: tuple[NDArray[np.bool_], ...]

    def __len__(self) -> int:
        return len(self.unseen[0])

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Rows that miss in every part, (n_samples,)."""
        return np.asarray(np.logical_and.reduce(self.unseen))

    def take(self, rows: Any) -> ProductRows:
        """Return some of the rows, chosen by a boolean or integer index."""
        parts = []
        for part, unseen in zip(self.parts, self.unseen, strict=True):
            positions = np.cumsum(~unseen) - 1
            parts.append(_take(part, positions[rows][~unseen[rows]]))
        return ProductRows(tuple(parts), tuple(unseen[rows] for unseen in self.unseen))


def _take(part: Any, rows: NDArray[np.intp]) -> Any:
    return part[rows] if isinstance(part, np.ndarray) else part.take(rows)


@final
@attrs.frozen
class Product(Family[ProductParams]):
    """Independent parts: ``log_density = sum_i log_density of part i``.

    A cell that misses makes only its own part miss, unless that part accepts single missing cells.

    Attributes
    ----------
    parts : sequence of (columns, family)
        Columns are numbers from zero; none may be in two parts, and columns in no part are left out.

    Examples
    --------
    >>> import numpy as np
    >>> from emkit.families import Exponential, Poisson, Product
    >>> family = Product([(0, Poisson()), (1, Exponential())])
    >>> x = family.prepare([[1, 0.5], [3, np.nan], [np.nan, 1.5]])
    >>> params = family.fit(x, np.ones((3, 1)))
    >>> family.mean(params).tolist()
    [[2.0, 1.0]]
    """

    parts: tuple[tuple[tuple[int, ...], Family[Any]], ...] = attrs.field(converter=as_parts)

    accepts_nan: ClassVar[bool] = True

    @property
    def is_additive(self) -> bool:  # type: ignore[override]  # of an instance: it depends on the parts
        """Whether the statistics of all parts are sums over rows."""
        return all(family.is_additive for _, family in self.parts)

    def shared_fields(self, params: ProductParams) -> tuple[str, ...]:
        """Return those of all parts."""
        pairs = enumerate(zip(self._families, params.parts, strict=True))
        return tuple(f"parts[{i}].{name}" for i, (family, own) in pairs for name in family.shared_fields(own))

    @property
    def looks_back(self) -> bool:  # type: ignore[override] # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether any part does."""
        return any(family.looks_back for _, family in self.parts)

    @property
    def has_sampler(self) -> bool:  # type: ignore[override] # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether all parts have one."""
        return all(family.has_sampler for _, family in self.parts)

    @property
    def _families(self) -> tuple[Family[Any], ...]:
        return tuple(family for _, family in self.parts)

    @property
    def _width(self) -> int:
        return 1 + max(column for columns, _ in self.parts for column in columns)

    def prepare(self, x: Any, lengths: NDArray[np.intp] | None = None) -> ProductRows:
        """Return the columns of every part as it wants them, and which rows miss there."""
        if isinstance(x, ProductRows):
            return x
        matrix = as_matrix(x, allow_nan=True)
        if matrix.shape[1] < self._width:
            msg = f"The parts name column {self._width - 1}, but the data have {matrix.shape[1]} columns, from 0 on."
            raise ValueError(msg)
        rows, unseen = [], []
        for columns, family in self.parts:
            own = np.ascontiguousarray(matrix[:, columns])
            gaps = np.isnan(own)
            misses = np.asarray(gaps.all(axis=1) if family.accepts_nan else gaps.any(axis=1))
            try:
                prepared = family.prepare(np.where(misses[:, None], np.nan, own), lengths)
            except ValueError as error:
                names = ", ".join(map(str, columns))
                msg = f"In the part of {type(family).__name__}, whose columns are {names} of the data: {error}"
                raise ValueError(msg) from error
            misses = misses | np.asarray(getattr(prepared, "missing", False))
            rows.append(_take(prepared, np.flatnonzero(~misses)) if misses.any() else prepared)
            unseen.append(misses)
        return ProductRows(tuple(rows), tuple(unseen))

    def log_density(self, params: ProductParams, x: ProductRows) -> Array:
        """Return the sum over the parts that are seen, (n_samples, n_components)."""
        each = zip(self._families, params.parts, x.parts, strict=True)
        densities = [family.log_density(own, part) for family, own, part in each]
        total = np.zeros((len(x), densities[0].shape[1]))
        for density, unseen in zip(densities, x.unseen, strict=True):
            total[slice(None) if not unseen.any() else ~unseen] += density
        return total

    def fit(self, x: ProductRows, responsibilities: Array, params: ProductParams | None = None) -> ProductParams:
        """Return the fit of every part."""
        previous = [None] * len(self.parts) if params is None else params.parts
        fitted = []
        for (columns, family), part, unseen, before in zip(self.parts, x.parts, x.unseen, previous, strict=True):
            if unseen.all():
                if before is None:
                    names = ", ".join(map(str, columns))
                    msg = (
                        f"No row is seen in the part of {type(family).__name__} (column {names}): leave that part out."
                    )
                    raise ValueError(msg)
                fitted.append(before)
                continue
            fitted.append(family.fitted(part, _seen(responsibilities, unseen), before))
        return ProductParams(tuple(fitted))

    def statistics(self, params: ProductParams, x: ProductRows, responsibilities: Array) -> tuple[Any, ...]:
        """Return the statistics of every part, without rows that miss there."""
        each = zip(self._families, params.parts, x.parts, x.unseen, strict=True)
        return tuple(
            family.statistics(own, part, _seen(responsibilities, unseen)) for family, own, part, unseen in each
        )

    def m_step(self, params: ProductParams, statistics: tuple[Any, ...]) -> ProductParams:
        """Return the M-step of every part."""
        each = zip(self._families, params.parts, statistics, strict=True)
        return ProductParams(tuple(family.m_step(own, sums) for family, own, sums in each))

    def space(self, params: ProductParams) -> dict[str, Space]:
        """Return the spaces of all parts, named as in ``parts[0].rates``."""
        return {
            f"parts[{i}].{name}": found
            for i, (family, own) in enumerate(zip(self._families, params.parts, strict=True))
            for name, found in family.space(own).items()
        }

    def log_prior(self, params: ProductParams) -> float:
        """Return the sum over the parts."""
        each = zip(self._families, params.parts, strict=True)
        return float(sum(family.log_prior(own) for family, own in each))

    def complete_score(self, params: ProductParams, statistics: tuple[Any, ...]) -> ProductParams:
        """Return the gradients of all parts, if all offer one."""
        each = zip(self._families, params.parts, statistics, strict=True)
        return ProductParams(tuple(family.complete_score(own, sums) for family, own, sums in each))

    def features(self, x: ProductRows) -> Array:
        """Return the numbers of all parts, each in units of its deviation; those of rows that miss are means."""
        blocks = []
        for family, part, unseen in zip(self._families, x.parts, x.unseen, strict=True):
            numbers = family.features(part)
            block = np.zeros((len(unseen), numbers.shape[1]))
            if len(numbers):
                # A part that accepts gaps may leave some of them.
                seen = np.where(np.isnan(numbers), np.nanmean(numbers, axis=0), numbers)
                deviations = seen.std(axis=0)
                block[~unseen] = (seen - seen.mean(axis=0)) / np.where(deviations > 0, deviations, 1.0)
            blocks.append(block)
        return np.column_stack(blocks)

    def mean(self, params: ProductParams) -> Array:
        """Return the means of all columns, (n_components, n_features); NaN for columns in no part."""
        return self._assemble([f.mean(own) for f, own in zip(self._families, params.parts, strict=True)])

    def sample(self, params: ProductParams, components: Labels, rng: np.random.Generator) -> Array:
        """Return one row for each of ``components``; NaN in columns that are in no part."""
        each = zip(self._families, params.parts, strict=True)
        return self._assemble([family.sample(own, components, rng) for family, own in each])

    def simulate(self, params: ProductParams, components: Labels, x: Array, rng: np.random.Generator) -> Array:
        """Return rows drawn by all parts; columns in no part are as they are in ``x``."""
        drawn = x.copy()
        for (columns, family), own in zip(self.parts, params.parts, strict=True):
            drawn[:, columns] = family.simulate(own, components, x[:, columns], rng)
        return drawn

    def notes(self, params: ProductParams, statistics: Any = None) -> Sequence[str]:
        """Return the sentences of all parts, and whose they are."""
        sums = [None] * len(self.parts) if statistics is None else statistics
        each = zip(self.parts, params.parts, sums, strict=True)
        return tuple(
            f"Part of column {', '.join(map(str, columns))}: {sentence}"
            for (columns, family), own, part in each
            for sentence in family.notes(own, part)
        )

    def _assemble(self, blocks: list[Array]) -> Array:
        whole = np.full((len(blocks[0]), self._width), np.nan)
        for (columns, _), block in zip(self.parts, blocks, strict=True):
            whole[:, columns] = block
        return whole


def _seen(responsibilities: Array, unseen: NDArray[np.bool_]) -> Array:
    """Return the responsibilities of the rows that are seen."""
    return responsibilities[~unseen] if unseen.any() else responsibilities

"""Symbols: categorical distributions."""

from __future__ import annotations

from typing import Any, final

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit import space
from emkit.arrays import whole_number
from emkit.families.additive import AdditiveFamily
from emkit.families.base import Array, Labels
from emkit.families.codes import CodedRows
from emkit.families.priors import DirichletPrior, optional_prior
from emkit.families.responsibilities import occupied, weighted_means
from emkit.families.supports import are_counts, checked, refuse

#: Most symbols that are guessed from the data; more must be meant.
MAX_GUESSED = 100_000


@attrs.frozen(eq=False)
class CategoricalParams:
    """Probabilities of the symbols.

    Attributes
    ----------
    probabilities : (n_components, n_symbols), or (n_components, n_features, n_symbols) of several columns
        Columns with fewer symbols than others end in zeros.
    n_symbols : (n_features,)
    """

    probabilities: Array = space.simplex()
    n_symbols: Array = space.fixed()

    @property
    def cube(self) -> Array:
        """Probabilities as (n_components, n_features, n_symbols)."""
        return self.probabilities.reshape((len(self.probabilities), len(self.n_symbols), -1))


@attrs.frozen(eq=False)
class CategoricalStatistics:
    """Expected numbers.

    Attributes
    ----------
    counts : (n_components,)
        Of rows.
    symbols : (n_components, n_features, n_symbols)
        Of symbols in every column.
    """

    counts: Array
    symbols: Array


def _sizes(value: Any) -> int | tuple[int, ...] | None:
    if value is None:
        return None
    if isinstance(value, list | tuple | np.ndarray):
        return tuple(whole_number(size, f"n_symbols[{j}]") for j, size in enumerate(value))
    return whole_number(value, "n_symbols")


@final
@attrs.frozen
class Categorical(AdditiveFamily[CategoricalParams]):
    """Symbols 0, 1, ..., n_symbols - 1; several columns are independent.

    ``log_density = sum_j log(probabilities_j[x_j])``

    Attributes
    ----------
    n_symbols : int or sequence of int, optional
        Of all columns, or one number for each; default: one more than the largest symbol of the data of the fit.
    prior : DirichletPrior, optional
        Of the probabilities of every column, which are then proportional to ``symbols + concentration - 1``.

    Examples
    --------
    >>> import numpy as np
    >>> family = Categorical(n_symbols=3)
    >>> x = family.prepare([[0], [1], [1], [0]])
    >>> family.fit(x, np.array([[1, 0], [1, 0], [0, 1], [1, 0]])).probabilities.round(3).tolist()
    [[0.667, 0.333, 0.0], [0.0, 1.0, 0.0]]
    """

    n_symbols: int | tuple[int, ...] | None = attrs.field(default=None, converter=_sizes)
    prior: DirichletPrior | None = attrs.field(default=None, validator=optional_prior(DirichletPrior))

    def prepare(self, x: Any, lengths: NDArray[np.intp] | None = None) -> CodedRows:
        """Return the symbols as whole numbers, checked."""
        if isinstance(x, CodedRows):
            return x
        matrix = checked(x, "Categorical", "symbols 0, 1, 2, ...", are_counts, 0.0)
        if self.n_symbols is None:
            expected = f"fewer than {MAX_GUESSED} symbols unless n_symbols says otherwise"
            refuse(matrix >= MAX_GUESSED, matrix, "Categorical", expected)
            largest = matrix.max(axis=0).astype(np.intp)
        else:
            sizes = self._declared(matrix.shape[1])
            refuse(matrix >= sizes, matrix, "Categorical", f"symbols 0 to {', '.join(_ends(sizes))}")
            largest = sizes - 1
        codes = matrix.astype(np.intp)
        values = tuple(np.arange(top + 1.0) for top in largest)
        return CodedRows.coded(values, tuple(np.ascontiguousarray(column) for column in codes.T))

    def _declared(self, n_features: int) -> NDArray[np.intp]:
        sizes = np.atleast_1d(np.asarray(self.n_symbols, dtype=np.intp))
        if sizes.size not in {1, n_features}:
            msg = f"n_symbols names {sizes.size} columns, but the data have {n_features}. Give one number for each."
            raise ValueError(msg)
        return np.broadcast_to(sizes, (n_features,))

    def log_density(self, params: CategoricalParams, x: CodedRows) -> Array:
        """Return ``log p(x[n] | component k)`` in nats, shape (n_samples, n_components)."""
        _check_known(params, x)
        with np.errstate(divide="ignore"):
            logs = np.log(params.cube)
        return x.look_up([logs[:, j] for j in range(x.n_features)])

    def statistics(self, params: CategoricalParams, x: CodedRows, responsibilities: Array) -> CategoricalStatistics:
        """Return expected numbers of symbols."""
        _check_known(params, x)
        symbols: Array = np.zeros(params.cube.shape)
        shown = x.count(responsibilities)
        for j, counts in enumerate(shown):
            width = min(symbols.shape[2], counts.shape[1])
            symbols[:, j, :width] = counts[:, :width]
        return CategoricalStatistics(shown[0].sum(axis=1), symbols)

    def blank(self, x: CodedRows, responsibilities: Array) -> CategoricalParams:
        """Return equal probabilities of all symbols."""
        sizes = np.array([len(values) for values in x.values], dtype=np.float64)
        known = np.arange(sizes.max()) < sizes[:, None]
        equal = np.tile(known / sizes[:, None], (responsibilities.shape[1], 1, 1))
        return CategoricalParams(equal[:, 0] if len(sizes) == 1 else equal, sizes)

    def m_step(self, params: CategoricalParams, statistics: CategoricalStatistics) -> CategoricalParams:
        """Return shares of the symbols, or posterior modes."""
        symbols = statistics.symbols
        if self.prior is not None:
            symbols = symbols + np.where(_known(params), self.prior.counts(symbols.shape), 0.0)
        filled = np.broadcast_to(occupied(statistics.counts)[:, None], symbols.shape[:2])
        totals = np.where(filled, symbols.sum(axis=2), 0.0)
        width = symbols.shape[2]
        shares = weighted_means(totals.ravel(), symbols.reshape(-1, width), params.cube.reshape(-1, width))
        return attrs.evolve(params, probabilities=shares.reshape(params.probabilities.shape))

    def space(self, params: CategoricalParams) -> dict[str, space.Space]:
        """Return which entries are probabilities of symbols that there are."""
        known = _known(params)
        if known.all():
            return {}
        support = np.broadcast_to(known, params.cube.shape).reshape(params.probabilities.shape)
        return {"probabilities": space.Simplex(support)}

    def log_prior(self, params: CategoricalParams) -> float:
        """Return the log-density of the prior of the probabilities."""
        return 0.0 if self.prior is None else self.prior.log_density(params.cube, _known(params))

    def complete_score(self, params: CategoricalParams, statistics: CategoricalStatistics) -> CategoricalParams:
        """Return ``symbols / probabilities``, of which only the directions within the simplex mean anything."""
        safe = np.where(params.cube > 0, params.cube, 1.0)
        score = np.where(params.cube > 0, statistics.symbols / safe, np.where(statistics.symbols > 0, np.inf, 0.0))
        return CategoricalParams(score.reshape(params.probabilities.shape), np.zeros_like(params.n_symbols))

    def features(self, x: CodedRows) -> Array:
        """Return one column of zeros and ones for every symbol; of many symbols, the symbols themselves."""
        if sum(len(values) for values in x.values) > 64:
            return x.matrix()
        return np.column_stack([np.eye(len(values))[codes] for values, codes in zip(x.values, x.codes, strict=True)])

    def sample(self, params: CategoricalParams, components: Labels, rng: np.random.Generator) -> Array:
        """Return one row of symbols for each of ``components``."""
        cumulative = np.cumsum(params.cube, axis=2)
        drawn = rng.random((len(components), len(params.n_symbols))) * cumulative[components, :, -1]
        rows = np.empty_like(drawn)
        for k in range(len(cumulative)):
            for j in range(len(params.n_symbols)):
                mine = components == k
                rows[mine, j] = np.searchsorted(cumulative[k, j], drawn[mine, j], side="right")
        return rows


def _known(params: CategoricalParams) -> NDArray[np.bool_]:
    """Return which entries belong to symbols that there are, (n_features, n_symbols)."""
    return np.arange(params.cube.shape[2]) < params.n_symbols[:, None]


def _ends(sizes: NDArray[np.intp]) -> list[str]:
    return sorted({str(size - 1) for size in sizes}, key=int)


def _check_known(params: CategoricalParams, x: CodedRows) -> None:
    for j, (values, codes, n_symbols) in enumerate(zip(x.values, x.codes, params.n_symbols, strict=True)):
        if len(values) > n_symbols and (codes >= n_symbols).any():
            row = int(np.argmax(codes >= n_symbols))
            msg = (
                f"Row {row}, column {j} is symbol {codes[row]}, but the fit knows symbols 0 to {int(n_symbols) - 1} "
                "only. Give Categorical the number of symbols that there may be, n_symbols=..., before the fit."
            )
            raise ValueError(msg)

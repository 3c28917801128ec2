"""Several completed copies of one table, and what is done with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, overload

import attrs
import numpy as np
from numpy.random import SeedSequence
from numpy.typing import NDArray

from emkit import EMResult
from emkit.arrays import as_matrix, column_names
from emkit.engines import EngineChoice, as_engine, opened
from emkit.estimator import rng_of
from emkit_mvn.imputer.bounded import Box
from emkit_mvn.imputer.containers import completed_like
from emkit_mvn.kernels.conditional import Conditional
from emkit_mvn.multiple.pooling import PooledEstimate, pool_results
from emkit_mvn.params import NormalParams

Array = NDArray[np.float64]

#: What is done with one completed table: it gives an estimate and its variance.
Analysis = Callable[[Any], tuple[Any, Any]]


@attrs.frozen(eq=False, repr=False)
class Imputations(Sequence[Any]):
    """A sequence of completed tables: ``imputations[i]`` is table i, in the container that the data came in.

    Tables are made when they are asked for, always the same, so that many of them take no memory.

    Attributes
    ----------
    params : tuple of NormalParams
        What each table was drawn under: draws from the posterior, or what stands for them.
    method : str
        "augmentation" or "bootstrap".
    result : EMResult
        The fit to the data, from which all starts.
    rate : float
        Of augmentation: the largest fraction of missing information of any linear function of the params. NaN else.
    burn_in, spacing : int
        Steps of augmentation before the first table and between tables; 0 by bootstrap.
    trace : (n_steps,)
        The worst linear function of the params, the one with that fraction, after every step of augmentation: 0 at
        the fit, in units of about a posterior standard deviation. It should look like noise. Empty by bootstrap.
    """

    params: tuple[NormalParams, ...]
    method: str
    result: EMResult[NormalParams]
    rate: float
    burn_in: int
    spacing: int
    trace: Array
    _table: Any = attrs.field(alias="table")
    _x: Array = attrs.field(alias="x")
    _box: Box = attrs.field(alias="box")
    _seeds: tuple[SeedSequence, ...] = attrs.field(alias="seeds")

    def __len__(self) -> int:
        return len(self.params)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        drawn = self._drawn(self._x, self.params[index], self._seeds[index])
        return completed_like(self._table, drawn, _columns_with_gaps(self._x))

    def __repr__(self) -> str:
        n_rows, n_columns = self._x.shape
        n_gaps = int(np.count_nonzero(np.isnan(self._x)))
        steps = f", burn_in={self.burn_in}, spacing={self.spacing}" if self.method == "augmentation" else ""
        return (
            f"Imputations({len(self)} tables of {n_rows} x {n_columns} with {n_gaps} gaps filled, "
            f"method={self.method!r}{steps})"
        )

    def pool(self, function: Analysis, *, df_complete: float = np.inf, engine: EngineChoice = None) -> PooledEstimate:
        """Return one estimate from an analysis of every table, by Rubin's rules.

        Parameters
        ----------
        function : callable
            ``function(table)`` gives a pair (estimate, variance): two numbers, two arrays of one shape, or a vector
            and its covariance matrix.
        df_complete : float
            Degrees of freedom the analysis would have without gaps: see :func:`emkit_mvn.pool`.
        engine : Engine, concurrent.futures.Executor or int, optional
            Where tables are made and analysed; a number is one of threads.
        """
        with opened(as_engine(engine)) as workers:
            results = list(workers.map(_Analysed(self, function), range(len(self))))
        return pool_results(results, df_complete=df_complete)

    def impute(self, X: Any, random_state: Any = None) -> list[Any]:
        """Return other rows completed, one table for each of the params.

        The rows tell nothing about the params, so that it does not matter how many there are.

        Parameters
        ----------
        X : (n_samples, n_features)
            With the columns of the data, in their order.
        random_state : int, Generator, RandomState or None
        """
        x = as_matrix(X, allow_nan=True)
        self._check_columns(X, x)
        rng = np.random.default_rng(rng_of(random_state))
        seeds = SeedSequence(int(rng.integers(2**63))).spawn(len(self))
        has_gaps = _columns_with_gaps(x)
        pairs = zip(self.params, seeds, strict=True)
        return [completed_like(X, self._drawn(x, params, seed), has_gaps) for params, seed in pairs]

    def _drawn(self, x: Array, params: NormalParams, seed: SeedSequence) -> Array:
        conditional = Conditional.of(params.mean, params.covariance)
        return self._box.draw(conditional, x, np.random.default_rng(seed))

    def _check_columns(self, X: Any, x: Array) -> None:
        expected, found = column_names(self._table), column_names(X)
        if expected is not None and found is not None and expected != found:
            msg = f"X must have the columns of the data, {expected}, in their order; it has {found}."
            raise ValueError(msg)
        if x.shape[1] != self._x.shape[1]:
            msg = f"X has {x.shape[1]} features, but the data had {self._x.shape[1]}: give the same columns."
            raise ValueError(msg)


@attrs.frozen(eq=False)
class _Analysed:
    """The analysis of a table by its number; picklable where the function is."""

    imputations: Imputations
    function: Analysis

    def __call__(self, index: int) -> tuple[Any, Any]:
        return self.function(self.imputations[index])


def _columns_with_gaps(x: Array) -> NDArray[np.bool_]:
    return np.asarray(np.isnan(x).any(axis=0), dtype=np.bool_)

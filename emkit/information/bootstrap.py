"""Standard errors by fitting again: to rows drawn with replacement, or to data simulated from the estimate."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from numbers import Integral
from typing import Any, Generic, TypeVar

import attrs
import numpy as np
from numpy.random import Generator, SeedSequence
from numpy.typing import NDArray

from emkit.engines import EngineChoice, as_engine, opened
from emkit.errors import FitFailedError
from emkit.information.entries import flat, shaped_like
from emkit.information.labels import align_all, label_axes
from emkit.information.resampling import check_can_resample, new_data
from emkit.information.surface import Surface
from emkit.information.variance import check_level
from emkit.model import offers

Params = TypeVar("Params")
Array = NDArray[np.float64]


@attrs.frozen(eq=False)
class Bootstrap(Generic[Params]):
    """Estimates from replicates of the data (Efron 1979, Annals of Statistics 7:1).

    Attributes
    ----------
    estimate : Params
        From the data themselves.
    replicates : (n_replicates, n_entries)
        All entries of the params from every replicate that could be fitted, in the order of the replicates.
    kind : str
        "parametric" or "nonparametric".
    failures : tuple of (int, str)
        The other replicates, and what happened to each. Nothing else is left out.
    is_aligned : bool
        Whether components were put in the order of the estimate.
    """

    estimate: Params
    replicates: Array
    kind: str
    failures: tuple[tuple[int, str], ...]
    is_aligned: bool

    @property
    def n_failed(self) -> int:
        """Number of replicates that could not be fitted."""
        return len(self.failures)

    @property
    def params(self) -> Params:
        """The replicates in the shape of the params, replicates first."""
        return self._shaped(self.replicates)

    @property
    def covariance(self) -> Array:
        """Covariance of the replicates, shape (n_entries, n_entries)."""
        return np.atleast_2d(np.cov(self.replicates, rowvar=False))

    @property
    def standard_errors(self) -> Params:
        """Standard deviation of the replicates."""
        return self._shaped(self.replicates.std(axis=0, ddof=1))

    @property
    def bias(self) -> Params:
        """Mean of the replicates less the estimate."""
        return self._shaped(self.replicates.mean(axis=0) - flat(self.estimate))

    def intervals(self, level: float = 0.95) -> tuple[Params, Params]:
        """Return the lower and upper ends of percentile intervals, each in the shape of the params."""
        check_level(level)
        low, high = np.quantile(self.replicates, [(1 - level) / 2, (1 + level) / 2], axis=0)
        return self._shaped(low), self._shaped(high)

    def _shaped(self, entries: Array) -> Params:
        shaped: Params = shaped_like(self.estimate, entries)
        return shaped

    def __str__(self) -> str:
        text = f"{len(self.replicates)} {self.kind} replicates"
        if self.failures:
            text += f"; {self.n_failed} more failed, the first: {self.failures[0][1]}"
        return text


@attrs.frozen(eq=False)
class _Replicate:
    """Makes and fits the data of one replicate; picklable wherever its parts are."""

    refit: Callable[[Any, Any, Any], Any]
    model: Any
    params: Any
    data: Any
    kind: str
    n_observations: float | None

    def __call__(self, seed: SeedSequence) -> Array | str:
        """Return all entries of the new estimate, or what went wrong."""
        rng = np.random.default_rng(seed)
        try:
            data = new_data(self.model, self.params, self.data, self.kind, n_observations=self.n_observations, rng=rng)
            result = self.refit(self.model, data, self.params)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        if not result.converged:
            return str(result.message)
        simulated = getattr(result, "n_observations", None)
        if self.kind == "parametric" and not self._is_of_the_same_size(simulated):
            method = "simulate" if offers(self.model, "simulate") else "sample"
            return (
                f"{type(self.model).__name__}.{method} gave {simulated:g} observations, and {self.n_observations:g} "
                "were asked for."
            )
        return flat(result.params)

    def _is_of_the_same_size(self, n_observations: float | None) -> bool:
        if n_observations is None or self.n_observations is None:
            return True
        # Weights may be summed in another order.
        return abs(n_observations - self.n_observations) <= 1e-9 * abs(self.n_observations)


def bootstrap(
    refit: Callable[[Any, Any, Params], Any],
    model: Any,
    params: Params,
    data: Any,
    n: int = 200,
    *,
    kind: str = "nonparametric",
    rng: int | Generator | SeedSequence | None = None,
    engine: EngineChoice = None,
    align: bool = True,
) -> Bootstrap[Params]:
    """Return the estimates from ``n`` replicates of the data, each fitted from ``params``.

    Parameters
    ----------
    refit : callable
        ``refit(model, data, params)`` gives a result with ``params``, ``converged`` and ``message``:
        :func:`emkit.fit`, or a partial of it with settings. It must be picklable for an engine of processes.
    n : int
        Number of replicates.
    kind : {"nonparametric", "parametric"}
        Draw rows with replacement, or by ``model.resample`` where there is one. Or draw data from the estimate: by
        ``model.simulate(params, data, rng)`` where there is one, which keeps gaps, lengths and covariates of the data;
        else by ``model.sample(params, n_observations, rng)``, whose data are complete and all alike.
    rng
        Replicate r has a stream of its own, whatever the engine and the number of replicates.
    engine : Engine, concurrent.futures.Executor or int, optional
        Where replicates are fitted, each by itself.
    align : bool
        Whether to put interchangeable components in the order of the estimate: see :mod:`emkit.information.labels`.

    Raises
    ------
    MissingCapabilityError
        If the model cannot give new data of that kind.
    FitFailedError
        If fewer than two replicates could be fitted.
    """
    if not isinstance(n, Integral) or n < 2:
        msg = f"n must be a whole number of at least 2; it is {n!r}."
        raise ValueError(msg)
    surface = Surface(model, params, data)
    n_observations = surface.center_step.n_observations
    check_can_resample(model, data, kind, n_observations)
    run = _Replicate(refit, model, params, data, kind, n_observations)
    with opened(as_engine(engine)) as workers:
        estimates, failures = _collect(workers.map(run, _seeds(rng, int(n))))
    axes = label_axes(surface) if align else {}
    return Bootstrap(params, align_all(estimates, params, axes, surface.spaces), kind, failures, bool(axes))


def _collect(answers: Iterable[Array | str]) -> tuple[Array, tuple[tuple[int, str], ...]]:
    """Return the estimates, and the number and the reason of every failure."""
    numbered = list(enumerate(answers))
    estimates = [answer for _, answer in numbered if not isinstance(answer, str)]
    failures = tuple((index, answer) for index, answer in numbered if isinstance(answer, str))
    if len(estimates) < 2:
        msg = f"Only {len(estimates)} of {len(numbered)} replicates could be fitted: {failures[0][1]}"
        raise FitFailedError(msg)
    return np.array(estimates), failures


def _seeds(rng: int | Generator | SeedSequence | None, n: int) -> list[SeedSequence]:
    """Return independent seeds; the r-th does not depend on ``n``. A Generator is asked for one number."""
    if isinstance(rng, Generator):
        rng = int(rng.integers(2**63))
    if rng is not None and not isinstance(rng, SeedSequence | Integral):
        msg = f"rng must be None, an int, a numpy Generator or a SeedSequence; it is {rng!r}."
        raise TypeError(msg)
    root = rng if isinstance(rng, SeedSequence) else SeedSequence(rng if rng is None else int(rng))
    return [SeedSequence(root.entropy, spawn_key=(*root.spawn_key, r)) for r in range(n)]

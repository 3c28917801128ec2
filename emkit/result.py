"""What a fit gives back."""

from __future__ import annotations

import enum
import functools
from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any, ClassVar, Generic, TypeVar

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit import information, notebook, plot, registry, report, storage, tree
from emkit.history import History
from emkit.information import labels
from emkit.model import require
from emkit.optima import Optimum, distinct_optima

Params = TypeVar("Params")
Array = NDArray[np.float64]


class Status(enum.Enum):
    """Why a fit ended; the value is the sentence shown to people."""

    CONVERGED = "Converged."
    MAX_ITER = "Not converged: the number of E-steps reached max_iter. Raise max_iter, or accept the gap."
    MAX_TIME = "Not converged: the time reached max_time."
    STALLED = "Not converged: the objective no longer rises but the params still move; they are not determined."
    DECREASED = "Not converged: the objective fell between two plain EM steps."
    NONFINITE = "Not converged: the objective or the params became infinite or NaN."
    DEGENERATE = "Not converged: the model could not go on."
    STOPPED_BY_CALLBACK = "Stopped by the callback."
    INTERRUPTED = "Interrupted from the keyboard; this is the best point so far."
    SHORT_RUN = "Ended after its short run: other starts were better."


#: Endings at an optimum, on a ridge or on a saddle: plain EM goes nowhere from there.
AT_REST = (Status.CONVERGED, Status.STALLED)


@attrs.frozen(eq=False)
class Iterate(Generic[Params]):
    """One accepted point of a fit: what ``iterate`` yields and a callback receives.

    Attributes
    ----------
    params : Params
    log_likelihood, objective : float
        Both at ``params``; the objective adds the log-prior.
    n_iter, n_e_steps : int
        Accepted steps and E-steps so far.
    rate, gap : float
        Estimated rate of EM and gain that remains, in nats.
    start : int
        Which of several starts.
    elapsed : float
        Seconds since the fit began.
    rounding : float
        By how much rounding may have moved the objective.
    """

    params: Params
    log_likelihood: float
    objective: float
    n_iter: int = 0
    n_e_steps: int = 0
    rate: float = float("nan")
    gap: float = float("inf")
    start: int = 0
    elapsed: float = 0.0
    rounding: float = 0.0


@attrs.frozen
class Start:
    """How one of several starts ended.

    Attributes
    ----------
    index : int
    status : Status or None
        None where an exception ended it.
    objective : float
    n_e_steps : int
    message : str
    rests_on_floor : bool
        Whether a safeguard, such as a covariance floor, holds the estimate up. Such starts rank last.
    """

    index: int
    status: Status | None
    objective: float
    n_e_steps: int
    message: str
    rests_on_floor: bool = False

    @property
    def is_at_rest(self) -> bool:
        """Whether it ended at an optimum, a ridge or a saddle: plain EM goes nowhere from there."""
        return self.status in AT_REST


@attrs.frozen(eq=False, repr=False)
class EMResult(Generic[Params]):
    """The outcome of :func:`emkit.fit`.

    Attributes
    ----------
    model : LatentModel
    params : Params
        The last accepted params: the best, unless the model or the caller lets the objective fall.
    log_likelihood, objective : float
        Both at exactly these params; the objective adds the log-prior.
    status : Status
    message : str
        Why the fit ended, with numbers.
    notes : tuple of str
        What a reader of the estimates should know: an active floor, an estimate on a bound, an empty component.
    n_iter : int
        Accepted steps.
    n_e_steps, n_rejected : int
        Passes over the data, and accelerated proposals that were not accepted.
    history : History
        Objective, step, gap, E-steps and time at every accepted point.
    rate : float
        Estimated rate of plain EM near the optimum.
    gap : float
        Estimated gain that remains, in nats.
    n_observations : float or None
        As the E-steps reported it.
    n_parameters : int
        Number of free parameters, those on a bound included.
    starts : tuple of Start
    elapsed : float
        Seconds.
    """

    model: Any
    params: Params
    log_likelihood: float
    objective: float
    status: Status
    message: str
    notes: tuple[str, ...]
    n_iter: int
    n_e_steps: int
    n_rejected: int
    history: History
    rate: float
    gap: float
    n_observations: float | None
    n_parameters: int
    starts: tuple[Start, ...]
    elapsed: float

    #: What a bootstrap fits with: :func:`emkit.fit`, handed down by the package, since the driver lies above results.
    _fit: ClassVar[Callable[..., EMResult[Any]]]

    @property
    def converged(self) -> bool:
        """Whether the stopping rule was met; false for every other ending."""
        return self.status is Status.CONVERGED

    @property
    def optima(self) -> tuple[Optimum, ...]:
        """The distinct optima that the starts have found, best first."""
        return distinct_optima(self.starts)

    @property
    def log_likelihoods(self) -> Array:
        """Of the accepted params, first to last, shape (n_iter + 1,)."""
        return self.history.log_likelihoods

    @property
    def objectives(self) -> Array:
        """Of the accepted params, first to last, shape (n_iter + 1,)."""
        return self.history.objectives

    @property
    def aic(self) -> float:
        """Akaike's criterion, ``-2 log_likelihood + 2 n_parameters``; smaller is better."""
        return -2 * self.log_likelihood + 2 * self.n_parameters

    @property
    def bic(self) -> float:
        """Schwarz's criterion, ``-2 log_likelihood + n_parameters * log(n_observations)``; smaller is better."""
        if self.n_observations is not None and not self.n_observations > 0:
            msg = f"bic needs at least one observation, and the model's e_step reports {self.n_observations}."
            raise ValueError(msg)
        if self.n_observations is None:
            msg = (
                "bic needs the number of observations, and the model's e_step does not report it: return "
                "emkit.EStep(statistics, log_likelihood, n_observations)."
            )
            raise ValueError(msg)
        return -2 * self.log_likelihood + self.n_parameters * float(np.log(self.n_observations))

    def covariance(self, data: Any, method: str = "auto") -> Array:
        """Return the covariance matrix of all entries of the params.

        ``method`` is "auto", "score", "likelihood", "sem", "sandwich" or "opg": see
        :func:`emkit.information.covariance`.
        """
        return information.covariance(self.model, self.params, data, method)

    def standard_errors(self, data: Any, method: str = "auto") -> Params:
        """Return standard errors in the shape of the params; NaN where an estimate lies on a bound."""
        return information.standard_errors(self.model, self.params, data, method)

    def confidence_intervals(self, data: Any, level: float = 0.95, method: str = "auto") -> tuple[Params, Params]:
        """Return the lower and upper ends of normal-theory intervals, each in the shape of the params."""
        return information.confidence_intervals(self.model, self.params, data, level, method)

    def delta(self, function: Callable[[Params], Any], data: Any, method: str = "auto") -> information.Delta:
        """Return a function of the params with its standard errors, by the delta method."""
        return information.delta(function, self.model, self.params, data, method)

    def bootstrap(
        self,
        data: Any,
        n: int = 200,
        *,
        kind: str = "nonparametric",
        rng: Any = None,
        engine: Any = None,
        align: bool = True,
        **settings: Any,
    ) -> information.Bootstrap[Params]:
        """Return the estimates from ``n`` replicates of the data, each fitted from these params.

        ``kind`` is "nonparametric" (rows drawn again, the default) or "parametric" (data drawn from the params): see
        :func:`emkit.information.bootstrap`. ``settings`` go to :func:`emkit.fit`; ``rng`` and ``engine`` are the
        bootstrap's own.
        """
        refit = functools.partial(type(self)._fit, **settings)
        return information.bootstrap(
            refit, self.model, self.params, data, n, kind=kind, rng=rng, engine=engine, align=align
        )

    def verify(self, data: Any, method: str = "auto") -> information.Verification:
        """Return what derivatives say about these params: a maximum, a saddle, or a point on the way."""
        return information.verify(self.model, self.params, data, method)

    def reordered(self, order: Sequence[int] | NDArray[np.integer]) -> EMResult[Params]:
        """Return the same fit with component ``order[k]`` as the new component k, whom notes call by its new number.

        The model must say which axes run over components (``label_axes``), and that they may change places.
        """
        named = require(self.model, "label_axes")(self.params)
        paths = {tree.path_name(path): path for path, _ in tree.leaves(self.params)}
        axes = {paths[name]: (which,) if isinstance(which, int) else tuple(which) for name, which in named.items()}
        places = np.arange(labels.n_labels(self.params, axes)) if axes else np.arange(0)
        if not np.array_equal(np.sort(order), places):
            msg = (
                f"order must hold the numbers of the {len(places)} components that may change places, each once; "
                f"it is {np.asarray(order).tolist()}."
            )
            raise ValueError(msg)
        params = labels.permuted(self.params, np.asarray(order, dtype=np.intp), axes)
        notes = report.reordered_notes(self, params, np.asarray(order), axes)
        return attrs.evolve(self, params=params, notes=notes)

    def __repr__(self) -> str:
        return (
            f"EMResult({type(self.model).__name__}, {self.status.name}, log_likelihood={self.log_likelihood:.6f}, "
            f"n_iter={self.n_iter}, n_e_steps={self.n_e_steps})"
        )

    def __str__(self) -> str:
        return self.summary()

    def summary(self) -> str:
        """Return a report for people: how the fit went, then the estimates."""
        return report.summary(self)

    def _repr_html_(self) -> str:
        """Return the report for a notebook."""
        return notebook.html_report(self)

    def plot(self, data: Any = None, path: str | PathLike[str] | None = None, columns: Sequence[str] = ()) -> Any:
        """Draw the climb of the objective and, if the model can, the fit over ``data``; save it if a path is given.

        ``columns`` name the columns of the data on the axes. Returns the matplotlib figure.
        """
        if isinstance(data, str | PathLike) and path is None:
            name = str(data)
            msg = f"The first argument is data, and {name!r} looks like a path: write result.plot(path={name!r})."
            raise TypeError(msg)
        return plot.plot_result(self, data, path, columns)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the result to a file that holds numbers and names only, no code. See :func:`emkit.load`."""
        fields = {field.name: getattr(self, field.name) for field in attrs.fields(type(self))}
        fields["model_name"] = registry.model_name(type(self.model))
        storage.write(path, fields)

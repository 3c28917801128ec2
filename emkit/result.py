"""What a fit gives back."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from os import PathLike
from typing import Any, Generic, TypeVar

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit import information, plot, registry, storage, tree
from emkit.history import History
from emkit.space import Fixed, spaces_of

Params = TypeVar("Params")
Array = NDArray[np.float64]


#: A gap below this is not worth its digits.
NEGLIGIBLE_GAP = 1e-12


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

    @property
    def converged(self) -> bool:
        """Whether the stopping rule was met; false for every other ending."""
        return self.status is Status.CONVERGED

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
        if self.n_observations is None:
            msg = (
                "bic needs the number of observations, and the model's e_step does not report it: return "
                "emkit.EStep(statistics, log_likelihood, n_observations)."
            )
            raise ValueError(msg)
        return -2 * self.log_likelihood + self.n_parameters * float(np.log(self.n_observations))

    def covariance(self, data: Any) -> Array:
        """Return the covariance matrix of all entries of the params, from the observed information.

        See :func:`emkit.information.covariance`.
        """
        return information.covariance(self.model, self.params, data)

    def standard_errors(self, data: Any) -> Params:
        """Return standard errors in the shape of the params; NaN where an estimate lies on a bound."""
        return information.standard_errors(self.model, self.params, data)

    def confidence_intervals(self, data: Any, level: float = 0.95) -> tuple[Params, Params]:
        """Return the lower and upper ends of normal-theory intervals, each in the shape of the params."""
        return information.confidence_intervals(self.model, self.params, data, level)

    def verify(self, data: Any) -> information.Verification:
        """Return what derivatives say about these params: a maximum, a saddle, or a point on the way."""
        return information.verify(self.model, self.params, data)

    def __repr__(self) -> str:
        return (
            f"EMResult({type(self.model).__name__}, {self.status.name}, log_likelihood={self.log_likelihood:.6f}, "
            f"n_iter={self.n_iter}, n_e_steps={self.n_e_steps})"
        )

    def __str__(self) -> str:
        return self.summary()

    def summary(self) -> str:
        """Return a report for people: how the fit went, then the estimates."""
        name = getattr(self.model, "objective_name", "log-likelihood")
        rows = [("model", _describe_model(self.model)), (name, f"{self.log_likelihood:.6f}")]
        if self.objective != self.log_likelihood and not np.isnan(self.objective):
            rows.append(("objective", f"{self.objective:.6f} (with log-prior)"))
        rows.append(("parameters", str(self.n_parameters)))
        if self.n_observations is not None:
            rows += [("observations", f"{self.n_observations:g}"), ("BIC", f"{self.bic:.4f}")]
        rows += [("AIC", f"{self.aic:.4f}"), ("status", self.message)]
        rows.append(("work", self._describe_work()))
        if np.isfinite(self.rate):
            rows.append(("EM rate", f"about {self.rate:.4f}, estimated gap {_describe_gap(self.gap)}"))
        if len(self.starts) > 1:
            rows.append(("starts", self._describe_starts()))
        rows += [("note", note) for note in self.notes]
        width = max(len(label) for label, _ in rows)
        lines = [f"{label:<{width}}  {text}" for label, text in rows]
        return "\n".join([*lines, "", *_describe_params(self.model, self.params)])

    def _describe_work(self) -> str:
        steps = f"{self.n_e_steps} E-steps, {self.n_iter} accepted step{'s' if self.n_iter != 1 else ''}"
        if len(self.starts) > 1:
            steps += f" (all starts: {sum(start.n_e_steps for start in self.starts)} E-steps)"
        return f"{steps}, {self.elapsed:.3g} s"

    def _describe_starts(self) -> str:
        reached = [start for start in self.starts if abs(start.objective - self.objective) <= 1e-4]
        failed = [start for start in self.starts if start.status is None]
        text = f"{len(reached)} of {len(self.starts)} reached this objective"
        return f"{text}, {len(failed)} failed" if failed else text

    def plot(self, data: Any = None, path: str | PathLike[str] | None = None, columns: Sequence[str] = ()) -> Any:
        """Draw the climb of the objective and, if the model can, the fit over ``data``; save it if a path is given.

        ``columns`` name the columns of the data on the axes. Returns the matplotlib figure.
        """
        return plot.plot_result(self, data, path, columns)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the result to a file that holds numbers and names only, no code. See :func:`emkit.load`."""
        fields = {field.name: getattr(self, field.name) for field in attrs.fields(type(self))}
        fields["model_name"] = registry.model_name(type(self.model))
        storage.write(path, fields)


def _describe_gap(gap: float) -> str:
    if not np.isfinite(gap):
        return "unknown"
    return f"{gap:.1g} nats" if gap > NEGLIGIBLE_GAP else f"below {NEGLIGIBLE_GAP:g} nats"


def _describe_model(model: Any) -> str:
    text = repr(model)
    # Python's own repr tells an address, which says nothing about the model.
    return f"{type(model).__name__}()" if " object at 0x" in text else text


def _describe_params(model: Any, params: Any) -> list[str]:
    """Return a paragraph for each estimate; constants of the fit are left out."""
    lines = []
    spaces = spaces_of(model, params)
    for path, leaf in tree.leaves(params):
        if isinstance(spaces[path], Fixed):
            continue
        value = np.asarray(leaf)
        # Six decimals are good to read, but leave nothing of rates in small units.
        is_small = value.size > 0 and np.abs(value).max() < 1e-2
        with np.printoptions(precision=6, suppress=not is_small, threshold=60, edgeitems=3, linewidth=100):
            # A number alone ignores the print options; an array of one does not.
            text = str(value) if value.ndim else str(value[None])[1:-1].strip()
        name = tree.path_name(path)
        lines.append(f"{name} = {text}" if "\n" not in text else f"{name} =\n{text}")
    return lines

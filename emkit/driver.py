"""What EM does: ``iterate`` is the bare loop, ``fit`` the same with everything a person wants around it."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from numbers import Integral, Real
from typing import Any, Literal, TypeVar

import numpy as np

from emkit.acceleration import Accelerator, as_accelerator
from emkit.climb import Climb
from emkit.convergence import Tolerance, as_tolerance, rounding_floor
from emkit.engines import Engine, Workload
from emkit.errors import LikelihoodDecreasedError, LikelihoodDecreasedWarning, MissingCapabilityError
from emkit.model import SupportsEM, check_is_model, offers, require
from emkit.point import Settings
from emkit.progress import Reporter, reporter
from emkit.restarts import Outcome, RandomSource, outcome_of, result_of, run_starts, streams
from emkit.result import EMResult, Iterate, Status
from emkit.space.assignment import check_params

Data = TypeVar("Data")
Params = TypeVar("Params")
Callback = Callable[[Iterate[Any]], None]


def iterate(model: SupportsEM[Data, Params], data: Data, params: Params) -> Iterator[Iterate[Params]]:
    """Yield the points of plain EM without end, the given params first.

    Each point carries the log-likelihood at its own params. There is no stopping rule and no check:

        for point in emkit.iterate(model, data, params):
            ...
    """
    check_is_model(model)
    workload = Workload.of(model, data)
    log_prior = getattr(model, "log_prior", None)
    n_iter = 0
    while True:
        e_step = workload.e_step(params)
        log_likelihood = float(e_step.log_likelihood)
        objective = log_likelihood + (float(log_prior(params)) if log_prior else 0.0)
        rounding = max(rounding_floor(objective, e_step.n_observations), e_step.rounding)
        yield Iterate(params, log_likelihood, objective, n_iter, n_iter + 1, rounding=rounding)
        params = model.m_step(params, e_step.statistics)
        n_iter += 1


def fit(
    model: SupportsEM[Data, Params],
    data: Data,
    params: Params | None = None,
    *,
    accelerate: str | Accelerator | None = "squarem",
    tol: float | Tolerance = 1e-6,
    max_iter: int = 10_000,
    max_time: float | None = None,
    n_starts: int = 1,
    rng: RandomSource = None,
    on_decrease: Literal["raise", "warn", "ignore"] = "raise",
    on_interrupt: Literal["return", "raise"] = "return",
    engine: Engine | None = None,
    callback: Callback | None = None,
    progress: bool = False,
) -> EMResult[Params]:
    """Return the params that maximise ``log_likelihood + log_prior`` of the data, found by EM.

    Parameters
    ----------
    model : LatentModel, or any object with ``e_step`` and ``m_step``
    data : tree of arrays
        Whatever the model's E-step takes.
    params : optional
        Starting params. Without them the model's ``initialize`` gives them.
    accelerate : str, Accelerator or None
        ``"squarem"``, or None for plain EM. No accelerated step is taken that lowers the objective.
    tol : float or Tolerance
        Largest gain, in nats, that is left when a fit counts as converged; 0 runs until the params stop moving. An
        error of ``sqrt(2 * tol)`` standard errors remains.
    max_iter : int
        Largest number of E-steps of each start.
    max_time : float, optional
        Seconds for all starts together; a running E-step is finished.
    n_starts : int
        Number of starts; the best ending counts. The first one is ``params`` where they are given.
    rng : int, Generator, SeedSequence or None
        Randomness of ``initialize``; start r has a stream of its own.
    on_decrease : {"raise", "warn", "ignore"}
        What to do when the objective falls between two plain EM steps, which exact EM cannot do: raise, stop there
        with a warning, or go on.
    on_interrupt : {"return", "raise"}
        Whether Ctrl-C returns the best point so far; before there is any, it is passed on.
    engine : Engine, optional
        Where E-steps run.
    callback : callable, optional
        Called as ``callback(intermediate_result)`` at every accepted point; StopIteration ends the fit.
    progress : bool
        Whether to show a bar (tqdm where installed).

    Returns
    -------
    EMResult

    Raises
    ------
    LikelihoodDecreasedError
        If the objective falls and ``on_decrease="raise"``; its ``result`` is the best point before the fall.
    InvalidParamsError
        If starting params lie outside the space they declare.
    DegenerateError
        If the model cannot take the first E-step of a single start.
    MissingCapabilityError
        If ``initialize`` is needed and the model has none.
    FitFailedError
        If an exception ended every one of several starts.
    """
    check_is_model(model)
    _check_settings(max_iter, max_time, n_starts, on_decrease, on_interrupt)
    _check_start(model, params, n_starts)
    began = time.monotonic()
    settings = Settings(
        tolerance=as_tolerance(tol),
        accelerator=as_accelerator(accelerate),
        max_iter=max_iter,
        deadline=began + (float("inf") if max_time is None else max_time),
        check_fall=on_decrease != "ignore" and getattr(model, "monotone", True),
        return_on_interrupt=on_interrupt == "return",
        began=began,
    )
    workload = Workload.of(model, data, engine)
    show = reporter(progress)
    report = _Reports(callback, show)

    def run_one(index: int, generator: np.random.Generator) -> Outcome:
        given = params if index == 0 and params is not None else None
        start = given if given is not None else require(model, "initialize")(data, generator)
        check_params(model, start)
        climb = Climb(workload, settings, index, report)
        climb.run(start)
        return outcome_of(model, climb.ending(), index)

    try:
        outcomes = run_starts(
            run_one,
            streams(rng, n_starts),
            lambda: time.monotonic() > settings.deadline,
            is_fatal=report.raised,
            return_on_interrupt=settings.return_on_interrupt,
        )
    finally:
        show.close()
    result = result_of(model, outcomes, workload, time.monotonic() - began)
    return _heed_decrease(result, on_decrease)


def _check_settings(max_iter: int, max_time: float | None, n_starts: int, on_decrease: str, on_interrupt: str) -> None:
    if max_time is not None and not (isinstance(max_time, Real) and max_time >= 0):
        msg = f"max_time must be a number of seconds of at least 0, or None; it is {max_time!r}."
        raise ValueError(msg)
    for name, number in (("max_iter", max_iter), ("n_starts", n_starts)):
        if not isinstance(number, Integral) or number < 1:
            msg = f"{name} must be a whole number of at least 1; it is {number!r}."
            raise ValueError(msg)
    for name, choice, choices in (
        ("on_decrease", on_decrease, ("raise", "warn", "ignore")),
        ("on_interrupt", on_interrupt, ("return", "raise")),
    ):
        if choice not in choices:
            msg = f"{name} must be one of {choices}; it is {choice!r}."
            raise ValueError(msg)


def _check_start(model: object, params: object | None, n_starts: int) -> None:
    if params is None and not offers(model, "initialize"):
        msg = (
            f"{type(model).__name__} has no `initialize(data, rng)`, so starting params must be given: "
            "emkit.fit(model, data, params)."
        )
        raise MissingCapabilityError(msg)
    if n_starts > 1:
        require(model, "initialize")
    if params is not None:
        check_params(model, params)


class _Reports:
    """Hands accepted points to the display and to the caller's callback."""

    def __init__(self, callback: Callback | None, show: Reporter) -> None:
        self._callback = callback
        self._show = show
        self.error: Exception | None = None

    def __call__(self, point: Iterate[Any]) -> None:
        self._show.update(point)
        if self._callback is None:
            return
        try:
            self._callback(point)
        except StopIteration:
            raise
        except Exception as error:
            self.error = error
            raise

    def raised(self, error: Exception) -> bool:
        """Return whether an exception comes from the callback, not from the model: it is no start's failure."""
        return error is self.error


def _heed_decrease(result: EMResult[Params], on_decrease: str) -> EMResult[Params]:
    if result.status is not Status.DECREASED:
        return result
    if on_decrease == "raise":
        raise LikelihoodDecreasedError(result.message, result)
    warnings.warn(result.message, LikelihoodDecreasedWarning, stacklevel=3)
    return result

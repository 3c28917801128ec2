"""What EM does: ``iterate`` is the bare loop, ``fit`` the same with everything a person wants around it."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Iterator
from numbers import Integral, Real
from typing import Any, Literal, TypeVar

from emkit.acceleration import Accelerator, as_accelerator
from emkit.checkpoint import Checkpoint, Journal
from emkit.convergence import Tolerance, as_tolerance, rounding_floor
from emkit.engines import EngineChoice, Workload, as_engine, opened
from emkit.errors import LikelihoodDecreasedError, LikelihoodDecreasedWarning, MissingCapabilityError
from emkit.logs import log_begin, log_end
from emkit.model import SupportsEM, check_is_model, offers, require
from emkit.point import Settings
from emkit.polish import Polish, as_polish
from emkit.progress import Reporter, Silent, reporter
from emkit.restarts import RandomSource, Shared, ShortRuns, Watch, first_legs, require_same_fit, result_of, run_starts
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
    accelerate: str | Accelerator | None = "auto",
    polish: Literal["lbfgs", "newton"] | Polish | None = None,
    tol: float | Tolerance = 1e-6,
    max_iter: int = 10_000,
    max_time: float | None = None,
    n_starts: int = 1,
    short_runs: ShortRuns | None = None,
    escapes: int = 0,
    rng: RandomSource = None,
    on_decrease: Literal["raise", "warn", "ignore"] = "raise",
    on_interrupt: Literal["return", "raise"] = "return",
    engine: EngineChoice = None,
    callback: Callback | None = None,
    progress: bool = False,
    checkpoint: Checkpoint | str | os.PathLike[str] | None = None,
) -> EMResult[Params]:
    """Return the params that maximise ``log_likelihood + log_prior`` of the data, found by EM.

    Parameters
    ----------
    model : LatentModel, or any object with ``e_step`` and ``m_step``
    data : tree of arrays
        Whatever the model's E-step takes.
    params : optional
        Starting params. Without them the model's ``initialize``, or ``starts``, gives them.
    accelerate : str, Accelerator or None
        ``"auto"`` (plain EM while that is fast, else Anderson mixing), ``"anderson"``, ``"squarem"``,
        ``"quasi_newton"``, or None for plain EM. No accelerated step is taken that lowers the objective.
    polish : {"lbfgs", "newton"}, Polish or None
        For models that give an exact score: steps on it take the place of EM where this has become slow. They are kept
        only if they lead higher. Their E-steps count.
    tol : float or Tolerance
        Largest gain, in nats, that is left when a fit counts as converged; 0 runs until the params stop moving. An
        error of ``sqrt(2 * tol)`` standard errors remains.
    max_iter : int
        Largest number of E-steps of each start, its escapes included.
    max_time : float, optional
        Seconds for all starts together; a running E-step is finished.
    n_starts : int
        Number of starts; the best ending counts. The first one is ``params`` where they are given.
    short_runs : ShortRuns, optional
        Run every start a little, and only the best few to the end.
    escapes : int
        How often each start, once it has come to rest, looks for a higher hill: at the candidates of the model's
        ``escape``, or else a little to either side along the direction in which EM leaves a saddle. Each search costs
        some tens of E-steps; what was left is told in ``result.notes``.
    rng : int, Generator, SeedSequence or None
        Randomness of ``initialize``; start r has a stream of its own.
    on_decrease : {"raise", "warn", "ignore"}
        What to do when the objective falls between two plain EM steps, which exact EM cannot do: raise, stop there
        with a warning, or go on.
    on_interrupt : {"return", "raise"}
        Whether Ctrl-C returns the best point so far; before there is any, it is passed on.
    engine : int, concurrent.futures.Executor or Engine, optional
        Where the work is done: so many threads (-1: one for each core), or an executor, which is not shut down.
        Starts run side by side, or in turn with every E-step spread over the leaves of the data, whichever keeps more
        workers busy. The numbers are the same to the last bit, if BLAS uses one thread throughout.
    callback : callable, optional
        Called as ``callback(intermediate_result)`` at every accepted point; StopIteration ends the fit. Never by two
        starts at once. With an executor of processes, a callback or a bar makes starts run in turn.
    progress : bool
        Whether to show a bar (tqdm where installed).
    checkpoint : path or Checkpoint, optional
        Folder in which every start keeps its state, every 30 seconds or as the Checkpoint says. The same call goes on
        from there: after a crash, or with a larger ``max_iter`` or a smaller ``tol``. Random streams are those of the
        first call. A fit that has ended is returned after one E-step, which tells that model and data are the same.

    Returns
    -------
    EMResult
        Its ``status`` says why the fit ended and its ``notes`` what a reader of the estimates should know; no warning
        is given for either.

    Raises
    ------
    LikelihoodDecreasedError
        If the objective falls and ``on_decrease="raise"``; its ``result`` is the best point before the fall.
    InvalidParamsError
        If starting params lie outside the space they declare.
    DegenerateError
        If the model cannot take the first E-step of a single start.
    MissingCapabilityError
        If ``initialize`` is needed and the model has none, or a polish is wanted and the model gives no score.
    ValueError
        If the checkpoint is of another model, of other data or other starting params; FormatError, which is one, if a
        file of it is damaged.
    OSError
        If the folder of the checkpoint cannot be made or written to.
    FitFailedError
        If an exception ended every one of several starts.
    """
    check_is_model(model)
    _check_limits(max_iter, max_time, n_starts, escapes)
    _check_choices(short_runs, on_decrease, on_interrupt)
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
        polish=as_polish(polish, model),
    )
    journal = None if checkpoint is None else Journal.of(checkpoint, model, params, settings)
    rng = rng if journal is None else journal.seeded(rng)
    log_begin(model, n_starts)
    legs = first_legs(model, data, params, rng, n_starts=n_starts, max_iter=max_iter, escapes=escapes)
    show = reporter(progress, settings.tolerance, n_starts)
    try:
        with opened(as_engine(engine)) as working:
            workload = Workload.of(model, data, working)
            watch = Watch(_teller(callback, show))
            shared = Shared(workload, settings, is_alone=n_starts == 1, watch=watch, journal=journal)
            if journal is not None:
                require_same_fit(journal, workload, settings, params)
            outcomes = run_starts(shared, legs, working, short_runs)
            result = result_of(model, outcomes, workload, time.monotonic() - began)
    finally:
        show.close()
    log_end(result)
    return _heed_decrease(result, on_decrease)


def _check_limits(max_iter: int, max_time: float | None, n_starts: int, escapes: int) -> None:
    if max_time is not None and not (isinstance(max_time, Real) and max_time >= 0):
        msg = f"max_time must be a number of seconds of at least 0, or None; it is {max_time!r}."
        raise ValueError(msg)
    for name, number, least in (("max_iter", max_iter, 1), ("n_starts", n_starts, 1), ("escapes", escapes, 0)):
        if not isinstance(number, Integral) or number < least:
            msg = f"{name} must be a whole number of at least {least}; it is {number!r}."
            raise ValueError(msg)


def _check_choices(short_runs: ShortRuns | None, on_decrease: str, on_interrupt: str) -> None:
    if not isinstance(short_runs, ShortRuns | None):
        msg = f"short_runs must be emkit.ShortRuns(n_e_steps, keep) or None; it is {short_runs!r}."
        raise TypeError(msg)
    for name, choice, choices in (
        ("on_decrease", on_decrease, ("raise", "warn", "ignore")),
        ("on_interrupt", on_interrupt, ("return", "raise")),
    ):
        if choice not in choices:
            msg = f"{name} must be one of {choices}; it is {choice!r}."
            raise ValueError(msg)


def _check_start(model: object, params: object | None, n_starts: int) -> None:
    has_starts = offers(model, "starts")
    if params is None and not has_starts and not offers(model, "initialize"):
        msg = (
            f"{type(model).__name__} has no `initialize(data, rng)`, so starting params must be given: "
            "emkit.fit(model, data, params)."
        )
        raise MissingCapabilityError(msg)
    if n_starts > 1 and not has_starts:
        require(model, "initialize")
    if params is not None and n_starts > 1:
        # What is wrong with a start that is not alone would be kept as its own failure.
        check_params(model, params)


def _teller(callback: Callback | None, show: Reporter) -> Callback | None:
    """Return what hears of every accepted point; None if nobody wants to."""
    if callback is None:
        return None if isinstance(show, Silent) else show.update

    def tell(point: Iterate[Any]) -> None:
        show.update(point)
        callback(point)

    return tell


def _heed_decrease(result: EMResult[Params], on_decrease: str) -> EMResult[Params]:
    if result.status is not Status.DECREASED:
        return result
    message = f"{type(result.model).__name__}: {result.message}"
    if on_decrease == "raise":
        raise LikelihoodDecreasedError(message, result)
    warnings.warn(message, LikelihoodDecreasedWarning, stacklevel=3)
    return result

"""EM with simulated E-steps: the latent variables are drawn instead of averaged over."""

from __future__ import annotations

import time
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, TypeVar

import numpy as np

from emkit.engines import EngineChoice, Workload, as_engine, opened
from emkit.logs import log_begin, log_end
from emkit.model import require
from emkit.restarts import RandomSource, outcome_of, result_of, streams
from emkit.result import EMResult, Iterate
from emkit.space.assignment import check_params
from emkit.variants.chain import Chain, Settings
from emkit.variants.draws import Draws
from emkit.variants.schemes import SAEM, Scheme

Data = TypeVar("Data")
Params = TypeVar("Params")


def fit_stochastic(
    model: Any,
    data: Any,
    params: Params | None = None,
    *,
    scheme: Scheme | None = None,
    tol: float = 0.1,
    max_iter: int = 10_000,
    max_time: float | None = None,
    rng: RandomSource = None,
    engine: EngineChoice = None,
    callback: Callable[[Iterate[Any]], None] | None = None,
) -> EMResult[Params]:
    """Return the params to which EM with simulated E-steps settles.

    For models whose expectations have no closed form but whose latent variables can be drawn. The estimate is a mean
    over iterations; see :class:`~emkit.variants.Scheme` for what an iteration does.

    Parameters
    ----------
    model : object with ``sample_e_step`` and ``m_step``
        ``sample_e_step(params, data, rng)`` draws the latent variables given params and data, and returns an EStep
        with the complete-data statistics; its log-likelihood may be NaN. With an ``e_step`` or a
        ``log_likelihood`` too, the result has the log-likelihood of the estimate.
    data : tree of arrays
    params : optional
        Starting params; without them the model's ``initialize`` gives them.
    scheme : Scheme, optional
        :class:`SAEM`, :class:`StochasticEM` or :class:`MonteCarloEM`.
    tol : float
        Largest Monte-Carlo standard error of an estimate, in units of the standard error that the data leave. 0.1
        makes the whole error half a percent larger.
    max_iter : int
        Largest number of passes over the data: draws, and one E-step at the end.
    max_time : float, optional
        Seconds.
    rng : int, Generator, SeedSequence or None
        Every draw of every leaf of data has a stream of its own, so that the result depends on nothing else.
    engine : Engine, optional
        Where draws are made; as in :func:`emkit.fit`.
    callback : callable, optional
        Called as ``callback(intermediate_result)`` in every iteration; StopIteration ends the fit.

    Returns
    -------
    EMResult
        CONVERGED if, on three consecutive checks, the Monte-Carlo standard error of every entry is at most ``tol``
        standard errors and the path has drifted by no more than two such errors of a difference. ``rate`` is NaN and
        ``gap`` infinite; ``notes`` tells the Monte-Carlo standard errors. The history holds the params of every
        iteration, with NaN where a log-likelihood is not known, and last the estimate.

    Raises
    ------
    MissingCapabilityError
        If the model lacks ``sample_e_step``, or ``initialize`` where no params are given.
    InvalidParamsError
        If starting params lie outside the space they declare.
    """
    require(model, "sample_e_step")
    if not callable(getattr(model, "m_step", None)):
        msg = f"A model needs a method m_step(params, statistics); {model!r} has none."
        raise TypeError(msg)
    _check_settings(tol, max_iter, max_time)
    scheme = SAEM() if scheme is None else scheme
    if not isinstance(scheme, Scheme):
        msg = (
            "scheme must be None or a Scheme: emkit.SAEM(), emkit.StochasticEM() or emkit.MonteCarloEM(); it is "
            f"{scheme!r}."
        )
        raise TypeError(msg)
    starting, drawing = streams(rng, 2)
    start = require(model, "initialize")(data, starting) if params is None else params
    check_params(model, start)
    settings = Settings(scheme, tol, max_iter, max_time, callback)
    log_begin(model, 1)
    with opened(as_engine(engine)) as working:
        workload = Workload.of(model, data, working)
        chain = Chain(workload, settings, Draws.of(workload, drawing), start)
        chain.run()
        result = result_of(model, [outcome_of(model, chain.ending(), 0)], workload, time.monotonic() - chain.began)
    log_end(result)
    return result


def _check_settings(tol: float, max_iter: int, max_time: float | None) -> None:
    if not isinstance(tol, Real) or not 0 < tol < np.inf:
        msg = f"tol must be a positive number of standard errors; it is {tol!r}."
        raise ValueError(msg)
    if not isinstance(max_iter, Integral) or max_iter < 1:
        msg = f"max_iter must be a whole number of at least 1; it is {max_iter!r}."
        raise ValueError(msg)
    if max_time is not None and not (isinstance(max_time, Real) and max_time >= 0):
        msg = f"max_time must be a number of seconds of at least 0, or None; it is {max_time!r}."
        raise ValueError(msg)

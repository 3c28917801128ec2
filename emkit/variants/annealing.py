"""Deterministic annealing: begin where there is one hill, and let the landscape grow rough slowly.

Ueda and Nakano, Deterministic annealing EM algorithm, Neural Networks 11 (1998) 271-282.
"""

from __future__ import annotations

import time
from numbers import Real
from typing import Any, TypeVar

import attrs
import numpy as np

from emkit.driver import fit
from emkit.errors import LikelihoodDecreasedError, MissingCapabilityError
from emkit.model import check_is_model, offers, require
from emkit.restarts import RandomSource, streams
from emkit.result import EMResult, Status
from emkit.space import spaces_of
from emkit.space.assignment import Spaces, infer_spaces
from emkit.variants.pushes import Push
from emkit.variants.tempered import Tempered

Params = TypeVar("Params")

#: Endings of a fit on the way after which the next temperature is tried.
GOES_ON = (Status.CONVERGED, Status.MAX_ITER, Status.STALLED)
#: More temperatures than this are a mistake.
MAX_TEMPERATURES = 10_000


def _at_least_one(instance: object, attribute: Any, value: float) -> None:
    if not (isinstance(value, Real) and np.isfinite(value) and value >= 1):
        msg = f"{attribute.name} must be a finite number of at least 1; it is {value!r}."
        raise ValueError(msg)


def _above_one(instance: object, attribute: Any, value: float) -> None:
    if not (isinstance(value, Real) and np.isfinite(value) and value > 1):
        msg = f"{attribute.name} must be a finite number above 1, by which the temperature falls; it is {value!r}."
        raise ValueError(msg)


def _not_negative(instance: object, attribute: Any, value: float) -> None:
    if not (isinstance(value, Real) and np.isfinite(value) and value >= 0):
        msg = f"{attribute.name} must be a finite number of at least 0; it is {value!r}."
        raise ValueError(msg)


@attrs.frozen
class Annealing:
    """How a temperature falls to 1.

    Parameters
    ----------
    start : float
        The hottest temperature. High enough is where all components coincide.
    factor : float
        By which the temperature is divided each time. Closer to 1 is slower and follows the best hill more surely.
    jitter : float
        Size of the random push after each change of temperature, relative to each field's scale.
    tol : float
        Gain in nats that may be left at a temperature above 1.
    """

    start: float = attrs.field(default=10.0, validator=_at_least_one)
    factor: float = attrs.field(default=1.3, validator=_above_one)
    jitter: float = attrs.field(default=1e-3, validator=_not_negative)
    tol: float = attrs.field(default=1e-3, validator=_not_negative)

    def __attrs_post_init__(self) -> None:
        if self._number() > MAX_TEMPERATURES:
            msg = (
                f"From {self.start:g} to 1 by the factor {self.factor:.12g} are more than {MAX_TEMPERATURES} "
                "temperatures, each of which is a fit: give a larger factor."
            )
            raise ValueError(msg)

    def _number(self) -> float:
        # A last step of next to nothing would be a fit for nothing.
        return max(float(np.ceil(np.log(self.start) / np.log(self.factor) - 1e-9)), 0.0)

    def temperatures(self) -> tuple[float, ...]:
        """Return the temperatures above 1, hottest first: ``start / factor**k``."""
        return tuple(float(self.start / self.factor**k) for k in range(int(self._number())))


def anneal(
    model: Any,
    data: Any,
    params: Params | None = None,
    *,
    schedule: Annealing | None = None,
    rng: RandomSource = None,
    **settings: Any,
) -> EMResult[Params]:
    """Return the fit reached by EM at falling temperatures; the last of them, 1, is the ordinary fit.

    At temperature t the E-step uses the posterior to the power 1/t, made to sum to one. The hotter, the more alike all
    latent values are, and the fewer hills the objective has; each fit starts where the hotter one ended. Where
    components coincide the gradient that would part them is exactly zero, so that EM could stay for ever on what has
    become a saddle: after each change of temperature the params are pushed a little in a random direction.

    Parameters
    ----------
    model : LatentModel
        Its ``e_step`` takes ``temperature``.
    data : tree of arrays
    params : optional
        Starting params; without them the model's ``initialize`` gives them. A high temperature forgets most of them.
    schedule : Annealing, optional
    rng : int, Generator, SeedSequence or None
        Randomness of ``initialize`` and of the pushes.
    **settings
        Of :func:`emkit.fit`, for each temperature: ``max_iter`` bounds the E-steps of each, ``max_time`` the seconds of
        all together, ``tol`` is that of the last. There is one start.

    Returns
    -------
    EMResult
        Of the fit at temperature 1. Its E-steps, and those in its history, include all spent on the way; ``notes``
        tells the temperatures.

    Raises
    ------
    MissingCapabilityError
        If the model's E-step takes no temperature.
    LikelihoodDecreasedError
        If the objective falls at some temperature, as it cannot do while that is fixed.
    """
    check_is_model(model)
    if not offers(model, "temperature"):
        msg = (
            f"{type(model).__name__}.e_step takes no `temperature`, which annealing needs: define e_step(params, data, "
            "temperature=1.0), with the posterior to the power 1/temperature and the tempered log-likelihood."
        )
        raise MissingCapabilityError(msg)
    if "n_starts" in settings:
        msg = "anneal runs one start, so it takes no n_starts: call it once for each rng, and keep the best result."
        raise ValueError(msg)
    if settings.get("checkpoint") is not None:
        msg = (
            "anneal takes no checkpoint, since every temperature is a fit of its own: pass max_time to bound the whole."
        )
        raise ValueError(msg)
    schedule = Annealing() if schedule is None else schedule
    if not isinstance(schedule, Annealing):
        msg = f"schedule must be emkit.variants.Annealing(start, factor) or None; it is {schedule!r}."
        raise TypeError(msg)
    run = _Run(model, data, schedule, settings, rng)
    return run.result(params)


class _Run:
    """The state of one annealed fit: where it is, and what it has spent."""

    def __init__(self, model: Any, data: Any, schedule: Annealing, settings: dict[str, Any], rng: RandomSource) -> None:
        self._model, self._data, self._schedule = model, data, schedule
        self._max_time = settings.get("max_time")
        self._settings = {name: value for name, value in settings.items() if name != "max_time"}
        self._starting, self._pushing = streams(rng, 2)
        self._began = time.monotonic()
        self._n_e_steps = 0

    def result(self, params: Any) -> EMResult[Any]:
        """Return the result at temperature 1, or where there was a reason to end before."""
        start = require(self._model, "initialize")(self._data, self._starting) if params is None else params
        current, push = start, None
        visited: list[float] = []
        for temperature in self._schedule.temperatures():
            stage = self._fit_at(temperature, current)
            visited.append(temperature)
            self._n_e_steps += stage.n_e_steps
            if stage.status not in GOES_ON:
                return self._cut_short(stage, visited)
            push = push or Push(self._model, self._spaces(stage.params), start, stage.params, self._schedule.jitter)
            current = push(stage.params, self._pushing)
        final = fit(self._model, self._data, current, **self._settings, **self._time_left())
        return self._with_the_way(final, visited)

    def _fit_at(self, temperature: float, params: Any) -> EMResult[Any]:
        settings = {**self._settings, "tol": self._schedule.tol, **self._time_left()}
        try:
            return fit(Tempered(self._model, temperature), self._data, params, **settings)
        except LikelihoodDecreasedError as error:
            error.add_note(f"This was at temperature {temperature:.4g}, on the tempered objective.")
            raise

    def _time_left(self) -> dict[str, Any]:
        if not isinstance(self._max_time, Real):
            return {"max_time": self._max_time}
        return {"max_time": max(float(self._max_time) - (time.monotonic() - self._began), 0.0)}

    def _spaces(self, params: Any) -> Spaces:
        """Return the space of every field, also of those that declare none."""

        def em_step(pushed: Any) -> Any:
            self._n_e_steps += 1
            tempered = Tempered(self._model, self._schedule.start)
            return tempered.m_step(pushed, tempered.e_step(pushed, self._data).statistics)

        return infer_spaces(spaces_of(self._model, params), params, em_step)

    def _cut_short(self, stage: EMResult[Any], visited: list[float]) -> EMResult[Any]:
        """Return what a stage ended with, its likelihood being that of the model itself."""
        settings = {**self._settings, "max_iter": 1, "callback": None}
        point = fit(self._model, self._data, stage.params, **settings)
        reason = f"{stage.message} This was at temperature {visited[-1]:.4g}, before the end of the annealing."
        return self._with_the_way(attrs.evolve(point, status=stage.status, message=reason), visited)

    def _with_the_way(self, result: EMResult[Any], visited: list[float]) -> EMResult[Any]:
        """Return a result that counts what was spent on the way to it."""
        elapsed = time.monotonic() - self._began
        history = attrs.evolve(
            result.history,
            n_e_steps=result.history.n_e_steps + self._n_e_steps,
            seconds=result.history.seconds + (elapsed - result.elapsed),
        )
        path = ", ".join(f"{temperature:.4g}" for temperature in (*visited, 1.0))
        note = f"Annealed: {self._n_e_steps} E-steps above temperature 1, on the path {path}."
        return attrs.evolve(
            result,
            history=history,
            n_e_steps=result.n_e_steps + self._n_e_steps,
            notes=(*result.notes, note),
            elapsed=elapsed,
        )

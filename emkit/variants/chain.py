"""The path of the params under simulated E-steps, from the start to a reason to stop."""

from __future__ import annotations

import time
from collections.abc import Callable
from numbers import Integral
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit import tree
from emkit.engines import Workload
from emkit.errors import DegenerateError
from emkit.model import as_number, offers
from emkit.point import Ending, Point, Stop
from emkit.result import Iterate, Status
from emkit.space import Coordinates
from emkit.space.assignment import outside
from emkit.space.coordinates import Entry
from emkit.trail import Trail
from emkit.variants.draws import Draws
from emkit.variants.rest import Rest
from emkit.variants.schemes import Scheme

Array = NDArray[np.float64]


@attrs.frozen(eq=False)
class Settings:
    """What the caller of a fit chose."""

    scheme: Scheme
    tol: float
    max_iter: int
    max_time: float | None
    callback: Callable[[Iterate[Any]], None] | None


class Chain:
    """The path of the params, from the start to a reason to stop."""

    def __init__(self, workload: Workload, settings: Settings, draws: Draws, start: Any) -> None:
        self.began = time.monotonic()
        self._workload, self._model = workload, workload.model
        self._settings, self._draws = settings, draws
        self._params = self._start = tree.owned(start)
        self._coordinates = Coordinates.of(self._model, self._params)
        self._x = self._coordinates.flatten(self._params)
        self._statistics: Any = None
        self._n_observations: float | None = None
        self._rest = Rest(settings.scheme, settings.tol, self._coordinates.scale)
        self._has_exact = callable(getattr(self._model, "e_step", None))
        self._trail = Trail(self.began)
        self._status, self._message = Status.MAX_ITER, ""

    def run(self) -> None:
        """Iterate until there is a reason to stop; afterwards :meth:`ending` tells it."""
        k = 0
        try:
            while True:
                k += 1
                self._iterate(k)
        except Stop as stop:
            self._status, self._message = stop.status, stop.message
        except KeyboardInterrupt:
            self._status, self._message = Status.INTERRUPTED, Status.INTERRUPTED.value

    def _iterate(self, k: int) -> None:
        scheme = self._settings.scheme
        n_draws, weight = scheme.draws_in(k), scheme.weight(0 if self._rest.late is None else self._rest.n_late + 1)
        _check_plan(scheme, n_draws, weight)
        self._require_budget(n_draws)
        try:
            drawn = self._draws.mean(self._params, n_draws)
            self._n_observations = drawn.n_observations
            self._tell(as_number(drawn.log_likelihood, f"{type(self._model).__name__}.sample_e_step"))
            self._statistics = _towards(self._statistics, drawn.statistics, weight)
            following = tree.lock(self._model.m_step(self._params, self._statistics))
            if following is None:
                msg = f"{type(self._model).__name__}.m_step returned None; it must return the new params."
                raise TypeError(msg)
        except (DegenerateError, np.linalg.LinAlgError) as error:
            raise Stop(Status.DEGENERATE, f"Iteration {k}: {error}") from error
        x = self._coordinates.flatten(following)
        if not np.isfinite(x).all():
            raise Stop(Status.NONFINITE, f"The M-step of iteration {k} gave a value that is not finite.")
        step = x - self._x
        self._params, self._x = following, x
        if k <= scheme.burn_in:
            return
        self._rest.add(x, step, n_draws, weight)

    def _require_budget(self, n_draws: int) -> None:
        """Leave, before the passes of an iteration, where they would be too many."""
        settings = self._settings
        if self._draws.n_passes + n_draws + self._has_exact > settings.max_iter:
            raise Stop(Status.MAX_ITER, self._rest.describe())
        is_late = settings.max_time is not None and time.monotonic() - self.began > settings.max_time
        if is_late and self._draws.n_passes:
            raise Stop(Status.MAX_TIME, self._rest.describe())

    def _tell(self, log_likelihood: float) -> None:
        """Record the current params, and report them."""
        point = self._point(self._params, log_likelihood)
        self._trail.add(point, self._draws.n_passes)
        if self._settings.callback is None:
            return
        iterate = Iterate(
            params=point.params,
            log_likelihood=log_likelihood,
            objective=point.objective,
            n_iter=len(self._trail) - 1,
            n_e_steps=self._draws.n_passes,
            elapsed=time.monotonic() - self.began,
        )
        try:
            self._settings.callback(iterate)
        except StopIteration as stop:
            raise Stop(Status.STOPPED_BY_CALLBACK, str(stop)) from None

    def ending(self) -> Ending:
        """Return the estimate, and why the path ended."""
        params = self._estimate()
        log_likelihood, n_exact = self._exact(params)
        if n_exact and self._status is Status.CONVERGED and not np.isfinite(log_likelihood):
            detail = f"The log-likelihood of the estimate is {log_likelihood}. {outside(self._model, params)}"
            self._status, self._message = Status.NONFINITE, f"{Status.NONFINITE.value} {detail}".rstrip()
        point = self._point(params, log_likelihood)
        self._trail.add(point, self._draws.n_passes + n_exact)
        return Ending(
            params=params,
            log_likelihood=log_likelihood,
            objective=point.objective,
            n_observations=self._n_observations,
            status=self._status,
            message=self._message,
            history=self._trail.history(),
            n_e_steps=self._draws.n_passes + n_exact,
            n_rejected=0,
            rate=float("nan"),
            gap=float("inf"),
            notes=self._notes(),
        )

    def _estimate(self) -> Any:
        mean = self._rest.mean()
        if mean is None:
            return self._params
        x = self._x.copy()
        for entry in self._coordinates.entries:
            # A mean of members may lie outside a set that is not affine; there the last member must do.
            if entry.space.is_affine:
                x[entry.place] = mean[entry.place]
        return tree.lock(self._coordinates.unflatten(x, like=self._params))

    def _exact(self, params: Any) -> tuple[float, int]:
        """Return the log-likelihood at ``params``, NaN where the model cannot tell, and the E-steps it took."""
        if self._status is Status.INTERRUPTED:
            return float("nan"), 0
        name = type(self._model).__name__
        try:
            if self._has_exact:
                e_step = self._workload.e_step(params)
                self._n_observations = e_step.n_observations
                return as_number(e_step.log_likelihood, f"{name}.e_step"), 1
        except NotImplementedError:
            pass
        if not offers(self._model, "log_likelihood"):
            return float("nan"), 0
        return as_number(self._model.log_likelihood(params, self._workload.data), f"{name}.log_likelihood"), 0

    def _point(self, params: Any, log_likelihood: float) -> Point:
        prior = float(self._model.log_prior(params)) if offers(self._model, "log_prior") else 0.0
        return Point(params, None, log_likelihood, log_likelihood + prior, self._n_observations)

    def _notes(self) -> tuple[str, ...]:
        if not self._rest.averages.is_telling:
            return ()
        errors = self._rest.error()
        parts = [f"{entry.name} {errors[entry.place].max(initial=0.0):.2g}" for entry in self._coordinates.entries]
        return (f"Monte-Carlo standard error, the largest of each field: {', '.join(parts)}.", *self._absorbed())

    def _absorbed(self) -> list[str]:
        """Return a sentence if the path has ended on a bound: what is never drawn there never comes back."""
        fields = [
            entry.name
            for entry in self._coordinates.entries
            if _n_on_bound(entry, self._x) > _n_on_bound(entry, self._coordinates.flatten(self._start))
        ]
        if not fields:
            return []
        return [
            f"{', '.join(fields)} came to a bound, which draws cannot leave even where the likelihood is higher "
            "inside: see result.verify(data), or take more draws (MonteCarloEM)."
        ]


def _check_plan(scheme: Scheme, n_draws: Any, weight: Any) -> None:
    """Raise ValueError unless a scheme asks for a whole number of draws, which enter with a weight in (0, 1]."""
    name = type(scheme).__name__
    if not isinstance(n_draws, Integral) or n_draws < 1:
        msg = f"{name}.draws_in must give a whole number of at least 1; it gave {n_draws!r}."
        raise ValueError(msg)
    if not 0 < weight <= 1:
        msg = f"{name}.weight must be above 0 and at most 1; it gave {weight!r}."
        raise ValueError(msg)


def _towards(statistics: Any, drawn: Any, weight: float) -> Any:
    """Return ``statistics + weight * (drawn - statistics)``."""
    if statistics is None or weight == 1:
        return drawn
    return tree.map_leaves(lambda old, new: old + weight * (new - old), statistics, drawn)


def _n_on_bound(entry: Entry, x: Array) -> int:
    return int(np.count_nonzero(entry.space.on_bound(x[entry.place].reshape(entry.shape))))

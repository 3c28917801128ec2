"""One start of a fit, or one leg of it, in whatever thread or process."""

from __future__ import annotations

import itertools
import platform
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs
from numpy.random import Generator

from emkit.checkpoint import Journal, Keeper
from emkit.climb import Climb
from emkit.engines import Workload
from emkit.kept import digest
from emkit.model import offers, require
from emkit.point import Ending, Settings
from emkit.restarts.escape import escape_from
from emkit.restarts.keeping import climbed
from emkit.restarts.outcome import Outcome, joined, outcome_of, without_ending
from emkit.restarts.streams import RandomSource, streams
from emkit.restarts.watch import Watch
from emkit.result import Iterate, Status
from emkit.space.assignment import check_params


@attrs.frozen(eq=False)
class Leg:
    """What one start is to do next.

    Attributes
    ----------
    index : int
        Which start.
    params : optional
        Where it starts; None asks the model.
    generator : Generator
        Randomness of ``initialize``.
    max_iter : int
        E-steps of this start, those of earlier legs included.
    escapes : int
        How often to look for a higher hill once converged.
    before : Outcome, optional
        How the leg before this one ended; it goes on from there.
    """

    index: int
    params: Any
    generator: Generator
    max_iter: int
    escapes: int = 0
    before: Outcome | None = None


@attrs.frozen(eq=False)
class Shared:
    """What all starts of a fit have in common.

    Attributes
    ----------
    is_alone : bool
        Whether there is one start only, whose exceptions are the caller's.
    journal : Journal, optional
        Where the starts keep their state.
    """

    workload: Workload
    settings: Settings
    is_alone: bool
    watch: Watch = attrs.field(factory=Watch)
    journal: Journal | None = None
    host: str = attrs.field(factory=platform.node)
    epoch: float = attrs.field(factory=lambda: time.time() - time.monotonic())

    def local_settings(self) -> Settings:
        """Return the settings with times by the clock of this machine, which may not be the caller's."""
        if self.host == platform.node():
            return self.settings
        ahead = self.epoch - (time.time() - time.monotonic())
        return attrs.evolve(self.settings, deadline=self.settings.deadline + ahead, began=self.settings.began + ahead)


def first_legs(
    model: Any, data: Any, given: Any, rng: RandomSource, *, n_starts: int, max_iter: int, escapes: int
) -> list[Leg]:
    """Return a leg for every start: the given params first, then those of the model.

    A model that offers ``starts`` is asked once for all of them; any other is asked by each start, with
    ``initialize``.
    """
    generators = streams(rng, n_starts)
    starts = [] if given is None else [given]
    n_missing = n_starts - len(starts)
    if n_missing and offers(model, "starts"):
        found = require(model, "starts")(data, streams(rng, 1)[0], n_missing)
        if isinstance(found, Mapping) or hasattr(found, "_fields") or not isinstance(found, Iterable):
            msg = (
                f"{type(model).__name__}.starts must give an iterable of params, such as a list; it gave "
                f"{type(found).__name__}."
            )
            raise TypeError(msg)
        starts += itertools.islice(found, n_missing)
        if not starts:
            msg = f"{type(model).__name__}.starts gave no params; {n_missing} were asked for."
            raise ValueError(msg)
    else:
        starts += [None] * n_missing
    return [
        Leg(index, params, generator, max_iter, escapes)
        for index, (params, generator) in enumerate(zip(starts, generators, strict=False))
    ]


def run_start(model: Any, shared: Shared, leg: Leg) -> Outcome | None:
    """Run one leg of one start and return how it ended; None if it was not to begin any more.

    Nothing but the arguments is used, all of which can be pickled if the model, its params and its data can.
    """
    settings, watch = shared.local_settings(), shared.watch
    is_first = leg.index == 0 and leg.before is None
    if watch.reason is not None or (time.monotonic() > settings.deadline and not is_first):
        return None
    with watch.running():
        try:
            ending = _run(model, shared.workload, settings, shared, leg)
            outcome = outcome_of(model, ending, leg.index)
        except KeyboardInterrupt as interrupt:
            if not settings.return_on_interrupt:
                raise
            outcome = without_ending(leg.index, interrupt)
            if leg.before is not None:
                outcome = leg.before.renamed(Status.INTERRUPTED)
        except Exception as error:
            if shared.is_alone or error is watch.error:
                raise
            outcome = without_ending(leg.index, error)
        watch.note(outcome)
        return outcome


def _run(model: Any, workload: Workload, settings: Settings, shared: Shared, leg: Leg) -> Ending:
    ending = _climb(model, workload, settings, shared, leg)
    if leg.escapes:
        ending = escape_from(
            workload,
            settings,
            shared.watch,
            ending,
            index=leg.index,
            times=leg.escapes,
            journal=shared.journal,
        )
    return ending


def _climb(model: Any, workload: Workload, settings: Settings, shared: Shared, leg: Leg) -> Ending:
    before, report = None if leg.before is None else leg.before.ending, shared.watch.report
    if before is None:
        keeper = _keeper(shared, f"start-{leg.index}.leg-0")
        left = attrs.evolve(settings, max_iter=leg.max_iter)
        climb = Climb(workload, left, leg.index, report, keeper)
        return climbed(climb, left, keeper, lambda: _starting_params(model, workload, leg))
    if before.status is not Status.MAX_ITER:
        return before
    keeper = _keeper(shared, f"start-{leg.index}.leg-1")
    left = attrs.evolve(settings, max_iter=leg.max_iter - before.n_e_steps)
    climb = Climb(workload, left, leg.index, _continued(report, before), keeper)
    return joined(before, climbed(climb, left, keeper, lambda: before.params, digest(before.params)))


def _keeper(shared: Shared, name: str) -> Keeper | None:
    return None if shared.journal is None else shared.journal.keeper(name)


def _starting_params(model: Any, workload: Workload, leg: Leg) -> Any:
    start = leg.params if leg.params is not None else require(model, "initialize")(workload.data, leg.generator)
    check_params(model, start)
    return start


def _continued(report: Callable[[Iterate[Any]], None], before: Ending) -> Callable[[Iterate[Any]], None]:
    """Return a report that counts on from an earlier leg, whose last point it does not repeat."""

    def tell(point: Iterate[Any]) -> None:
        if point.n_iter > 0:
            n_iter, n_e_steps = point.n_iter + len(before.history) - 1, point.n_e_steps + before.n_e_steps
            report(attrs.evolve(point, n_iter=n_iter, n_e_steps=n_e_steps))

    return tell

"""Ways off a saddle or a lower hill, once a climb has come to rest there.

Candidates come from the model (``escape``: splits and merges, as of Ueda, Nakano, Ghahramani and Hinton 2000), or else
are the two sides of a saddle (:mod:`emkit.restarts.saddle`). Each gets a short run; those that may end higher go on to
the end, and the first that does is taken.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs
import numpy as np

from emkit import tree
from emkit.checkpoint import Journal, Keeper
from emkit.climb import Climb
from emkit.engines import Workload
from emkit.errors import DegenerateError
from emkit.kept import digest
from emkit.model import offers, require
from emkit.optima import SAME
from emkit.point import REFUSALS, Ending, Settings, Stop
from emkit.restarts.keeping import EscapePage, climbed
from emkit.restarts.outcome import Outcome, joined, lifted, outcome_of
from emkit.restarts.saddle import both_sides
from emkit.restarts.watch import Watch
from emkit.result import AT_REST, Status
from emkit.space.assignment import check_params

#: E-steps after which a candidate must look as if it would end higher.
SHORT_RUN = 20
#: Candidates of one search; a generator without end must not run for ever.
MAX_CANDIDATES = 1000
#: What an exception says of a candidate: that the model does not take it.
REFUSED = (*REFUSALS, DegenerateError, np.linalg.LinAlgError)


def escape_from(
    workload: Workload,
    settings: Settings,
    watch: Watch,
    ending: Ending,
    *,
    index: int,
    times: int,
    journal: Journal | None = None,
) -> Ending:
    """Return the ending after up to ``times`` escapes; E-steps of all candidates are counted in it.

    A higher point is one that rises by more than :data:`emkit.optima.SAME` nats and is not held up by a safeguard that
    did not hold up the last one.
    """
    around = _Around(workload, settings, watch, index, journal)
    page = None if journal is None else EscapePage(journal, index, times, ending)
    found = None if page is None else page.found()
    if found is not None:
        return found
    found, is_over = _escaped(around, ending, times)
    if page is not None and is_over:
        page.keep(found)
    return found


@attrs.frozen(eq=False)
class _Around:
    """What all searches of one start have in common."""

    workload: Workload
    settings: Settings
    watch: Watch
    index: int
    journal: Journal | None

    def keeper(self, origin: str) -> Keeper | None:
        """Return what keeps the climb whose starting params hash to ``origin``."""
        return None if self.journal is None else self.journal.keeper(f"start-{self.index}.escape-{origin[:16]}")


def _escaped(around: _Around, ending: Ending, times: int) -> tuple[Ending, bool]:
    """Return the ending after the escapes, and whether more time or E-steps would change nothing about it."""
    told: tuple[str, ...] = ()
    is_over = True
    for _ in range(times):
        if ending.status not in AT_REST:
            break
        search = _Search(around, ending)
        found = search.run()
        is_over = is_over and not search.was_cut
        told = (*told, *search.notes)
        if found is None:
            ending = attrs.evolve(ending, n_e_steps=ending.n_e_steps + search.n_e_steps)
            break
        kind = "lower hill" if offers(around.workload.model, "escape") else "saddle"
        higher = found.objective - ending.objective
        told = (*told, f"Left a {kind} with objective {ending.objective:.6f} for a point {higher:.6g} nats higher.")
        # The candidate's own E-steps are in its history; those of the others come before it.
        before = attrs.evolve(ending, n_e_steps=ending.n_e_steps + search.n_e_steps - found.n_e_steps)
        ending = lifted(before, found)
    return attrs.evolve(ending, notes=(*told, *ending.notes)), is_over and ending.status in AT_REST


class _Search:
    """One search for a higher point, within the E-steps that are left."""

    def __init__(self, around: _Around, here: Ending) -> None:
        self._around = around
        self._workload = around.workload
        self._model = around.workload.model
        self._settings = around.settings
        self._watch = around.watch
        self._index = around.index
        self._here = here
        self.n_e_steps = 0
        self.notes: tuple[str, ...] = ()
        self.was_cut = False

    def run(self) -> Ending | None:
        """Return the end of a climb that leads higher, or None."""
        try:
            short = [end for end in map(self._short_run, self._bounded(self._candidates())) if end is not None]
            for end in sorted(short, key=lambda end: -end.objective):
                found = self._to_the_end(end)
                if found is not None:
                    return found
        except Stop as stop:
            self._note_cut(stop.status)
        except KeyboardInterrupt:
            if not self._settings.return_on_interrupt:
                raise
            self._watch.stop(Status.INTERRUPTED)
            self._note_cut(Status.INTERRUPTED)
        return None

    def _note(self, sentence: str) -> None:
        self.notes = (*self.notes, sentence)

    def _note_cut(self, status: Status) -> None:
        self.was_cut = True
        self._note(f"The search for a higher point was cut short ({status.name}).")

    def _candidates(self) -> Iterable[Any]:
        params = self._here.params
        if offers(self._model, "escape"):
            return self._of_the_model(params)
        try:
            return both_sides(self._model, params, self._em_step)
        except REFUSED:
            return ()

    def _of_the_model(self, params: Any) -> Iterator[Any]:
        """Yield the candidates of the model's `escape`, which may refuse to give any, or any more."""
        try:
            found = require(self._model, "escape")(params, self._e_step(params))
            if isinstance(found, Mapping) or hasattr(found, "_fields") or not isinstance(found, Iterable):
                msg = (
                    f"{type(self._model).__name__}.escape must give an iterable of params, such as a list; it gave "
                    f"{type(found).__name__}."
                )
                raise TypeError(msg)
            yield from found
        except REFUSED as error:
            self._note(f"`escape` of the model gave up: {type(error).__name__}: {error}")

    def _bounded(self, candidates: Iterable[Any]) -> Iterator[Any]:
        """Yield the first candidates, as long as there is time."""
        for number, candidate in enumerate(candidates):
            if number == MAX_CANDIDATES:
                self._note(f"Only the first {MAX_CANDIDATES} candidates of the search for a higher point were tried.")
                return
            self._require_leave()
            yield candidate

    def _short_run(self, params: Any) -> Ending | None:
        try:
            check_params(self._model, params)
            return self._climb(params, SHORT_RUN)
        except REFUSED as error:
            self._note(f"A candidate of the search for a higher point was refused: {error}")
            return None

    def _to_the_end(self, short: Ending) -> Ending | None:
        """Return the end of the climb that began with a short run, if it is higher than here."""
        # A gap that is not known yet speaks for the candidate: its steps still grow.
        if short.objective + short.gap <= self._here.objective + SAME:
            return None
        end = short
        if short.status is Status.MAX_ITER:
            try:
                end = joined(short, self._climb(short.params, self._settings.max_iter))
            except REFUSED:
                return None
        return end if self._is_higher(end) else None

    def _is_higher(self, end: Ending) -> bool:
        if end.status in (Status.DECREASED, Status.DEGENERATE, Status.NONFINITE):
            return False
        here, there = (outcome_of(self._model, ending, self._index) for ending in (self._here, end))
        return end.objective > self._here.objective + SAME and Outcome.rank(there) < Outcome.rank(here)

    def _climb(self, params: Any, n_e_steps: int) -> Ending:
        self._require_leave()
        settings = attrs.evolve(self._settings, max_iter=min(n_e_steps, self._n_left()))
        origin = digest(params)
        keeper = self._around.keeper(origin)
        climb = Climb(self._workload, settings, self._index, self._watch.check, keeper)
        try:
            ending = climbed(climb, settings, keeper, lambda: params, origin)
        except BaseException:
            self.n_e_steps += climb.n_e_steps
            raise
        self.n_e_steps += ending.n_e_steps
        if ending.status is Status.INTERRUPTED:
            self._watch.stop(Status.INTERRUPTED)
        return ending

    def _n_left(self) -> int:
        return self._settings.max_iter - self._here.n_e_steps - self.n_e_steps

    def _require_leave(self) -> None:
        """Raise Stop if there is no time or no E-step left, or the starts are to stop."""
        self._watch.check()
        if self._n_left() < 1:
            raise Stop(Status.MAX_ITER)
        if time.monotonic() > self._settings.deadline:
            raise Stop(Status.MAX_TIME)

    def _e_step(self, params: Any) -> Any:
        self._require_leave()
        self.n_e_steps += 1
        return self._workload.e_step(params).statistics

    def _em_step(self, params: Any) -> Any:
        return tree.lock(self._model.m_step(params, self._e_step(params)))

"""What starts that run side by side share: the callback, one call at a time, and the wish to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import attrs

from emkit import tree
from emkit.logs import log_start
from emkit.point import Stop
from emkit.restarts.outcome import Outcome
from emkit.result import Iterate, Status


class Watch:
    """Hears of every accepted point and every ending, and tells running starts to stop.

    Attributes
    ----------
    reason : Status or None
        Why the starts are to stop, if they are.
    error : Exception or None
        What the callback raised: no start's failure, but the end of the fit.
    outcomes : dict
        The last ending of each start so far, by its index.
    """

    def __init__(self, tell: Callable[[Iterate[Any]], None] | None = None) -> None:
        self._tell = tell
        self._lock = threading.RLock()
        self._all_ended = threading.Condition(self._lock)
        self._n_running = 0
        self.reason: Status | None = None
        self.error: Exception | None = None
        self.outcomes: dict[int, Outcome] = {}

    def __reduce__(self) -> tuple[type[Watch], tuple[()]]:
        # In another process nobody listens, and nobody asks to stop.
        return (Watch, ())

    @property
    def is_silent(self) -> bool:
        """Whether nobody wants to hear of points."""
        return self._tell is None

    def report(self, point: Iterate[Any]) -> None:
        """Hand on an accepted point; raise Stop, which ends the climb, if the starts are to stop."""
        self.check()
        if self._tell is None:
            return
        with self._lock:
            self.check()
            # Dicts and lists can be written to whatever their arrays say: the listener gets containers of its own.
            params = tree.map_leaves(lambda leaf: leaf, point.params)
            try:
                self._tell(attrs.evolve(point, params=params))
            except StopIteration:
                self.stop(Status.STOPPED_BY_CALLBACK)
                raise
            except Exception as error:
                self.error = error
                raise

    def check(self, _: object = None) -> None:
        """Raise Stop if the starts are to stop."""
        if self.reason is not None:
            raise Stop(self.reason)

    def stop(self, reason: Status) -> None:
        """Ask all starts to stop; the first reason counts."""
        self.reason = self.reason or reason

    def note(self, outcome: Outcome) -> None:
        """Keep an ending; one that somebody wanted is an order to the others."""
        with self._lock:
            is_news = self.outcomes.get(outcome.start.index) is not outcome
            self.outcomes[outcome.start.index] = outcome
        if is_news:
            log_start(outcome.start)
        if outcome.start.status in (Status.INTERRUPTED, Status.STOPPED_BY_CALLBACK):
            self.stop(outcome.start.status)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count a start as running."""
        with self._lock:
            self._n_running += 1
        try:
            yield
        finally:
            with self._lock:
                self._n_running -= 1
                self._all_ended.notify_all()

    def wait(self) -> None:
        """Wait until no start of this process is running."""
        with self._all_ended:
            self._all_ended.wait_for(lambda: self._n_running == 0)

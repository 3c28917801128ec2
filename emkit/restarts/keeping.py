"""Climbs that are kept while they run, and gone on with where an earlier run has left them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from emkit.checkpoint import Journal, Keeper
from emkit.climb import Climb, Evaluation
from emkit.engines import Workload
from emkit.errors import FormatError
from emkit.kept import Kept, digest, ending_from_plain, plain_ending
from emkit.point import Ending, Settings
from emkit.result import Status


def climbed(
    climb: Climb, settings: Settings, keeper: Keeper | None, start: Callable[[], Any], origin: str | None = None
) -> Ending:
    """Return how a climb ends that begins where ``start`` says, or goes on from what was kept of it.

    ``origin`` is what its starting params hash to, where they are known; what was kept of another climb is then
    written over.
    """
    if keeper is None:
        climb.run(start())
        return climb.ending()
    kept = keeper.found()
    if kept is not None and origin in (None, kept.origin):
        settled = kept.settled(keeper.rules, settings.max_iter)
        if settled is not None:
            return settled
    else:
        kept = None
    try:
        _run(climb, keeper, kept, start)
    except BaseException:
        keeper.flush()
        raise
    return _kept_to_the_end(climb.ending(), settings, keeper)


def _run(climb: Climb, keeper: Keeper, kept: Kept | None, start: Callable[[], Any]) -> None:
    if kept is None:
        params = start()
        keeper.origin = digest(params)
        climb.run(params)
    else:
        keeper.origin = kept.origin
        climb.resume(kept.under(keeper.rules))


def _kept_to_the_end(ending: Ending, settings: Settings, keeper: Keeper) -> Ending:
    try:
        keeper.flush(ending)
    except KeyboardInterrupt:
        if not settings.return_on_interrupt:
            raise
        return attrs.evolve(ending, status=Status.INTERRUPTED, message=Status.INTERRUPTED.value)
    return ending


class EscapePage:
    """The file that tells how the search of one start for a higher point has ended, once it has."""

    def __init__(self, journal: Journal, index: int, times: int, before: Ending) -> None:
        self._journal = journal
        self._index = index
        self._key = {"rules": repr(journal.rules), "times": times, "origin": digest(before.params)}
        self._path = journal.checkpoint.folder / f"escaped-{index}.emkit"

    def found(self) -> Ending | None:
        """Return how the same search has ended in an earlier run; None if it has not."""
        if not self._path.exists():
            return None
        key, ending = self._journal.read(self._path, _page)
        return ending if key == self._key else None

    def keep(self, ending: Ending) -> None:
        """Write how the search has ended; the climbs of which it consisted are needed no more."""
        if self._journal.write(self._path, {"key": self._key, "ending": plain_ending(ending)}):
            self._journal.forget(f"start-{self._index}.escape-*")


def _page(kept: Any) -> tuple[Any, Ending]:
    try:
        return kept["key"], ending_from_plain(kept["ending"])
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        msg = f"It does not hold the end of a search ({error})."
        raise FormatError(msg) from error


def require_same_fit(journal: Journal, workload: Workload, settings: Settings, params: Any) -> None:
    """Raise ValueError unless all that was kept is sound and of this model, these data and these starting params.

    One E-step, at params that were kept, tells about model and data. Nothing has been written yet.

    Raises
    ------
    FormatError
        If a file is damaged.
    ValueError
        If the files are of another fit.
    """
    first = None
    for keeper in journal.kept():
        kept = keeper.found()
        first = first or kept
        if kept is not None and params is not None and keeper.name == "start-0.leg-0" and kept.origin != digest(params):
            msg = (
                f"The fit in {journal.checkpoint.folder} began with other params. Give the same ones, or none, to go "
                "on with it, or another folder to begin a new one."
            )
            raise ValueError(msg)
    if first is not None:
        Evaluation(workload, settings).recheck(first.snapshot.point)

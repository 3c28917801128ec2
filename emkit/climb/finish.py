"""The polish of a climb: when it is time for one, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence

from emkit.polish import Ascent, Place, Polish, View

#: Accepted steps before a polish: from a start far off or next to a saddle the first gains say little.
STEPS_BEFORE = 5


class Finish:
    """At most one polish in a climb.

    Attributes
    ----------
    has_run : bool
    note : str
        Why it was of no use, if the model is to blame.
    place : Place or None
        The best it came to, even if it was cut short.
    """

    def __init__(self, polish: Polish | None) -> None:
        self._polish = polish
        self.has_run = False
        self.note = ""
        self.place: Place | None = None

    def is_due(self, rows: Sequence[tuple[float, ...]], *, wants_plain: bool) -> bool:
        """Return whether the last accepted step, by the rows of a trail, has gained little enough to hand over."""
        if self._polish is None or self.has_run or wants_plain or len(rows) <= STEPS_BEFORE:
            return False
        return rows[-1][1] - rows[-2][1] <= self._polish.hand_over

    def run(self, view: View, start: Place | None) -> None:
        """Ascend from a place as far as the E-steps go."""
        assert self._polish is not None
        self.has_run = True
        ascent = Ascent(self._polish, view, start)
        try:
            ascent.run()
        finally:
            self.note, self.place = ascent.note, ascent.place

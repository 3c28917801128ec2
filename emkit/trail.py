"""The record of a climb while it is being made."""

from __future__ import annotations

import time

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit.history import History
from emkit.point import Point


@attrs.frozen(eq=False)
class Excerpt:
    """A trail as it was at some point, while it grows: nothing is copied before somebody asks for the rows.

    Of rows that are there already, only the last may change.
    """

    rows: list[tuple[float, ...]]
    stop: int
    last: tuple[float, ...]

    def array(self) -> NDArray[np.float64]:
        """Return the rows, shape (n_points, 6)."""
        return np.array([*self.rows[: self.stop - 1], self.last])


@attrs.define
class Trail:
    """Rows for a :class:`emkit.history.History`, one for each accepted point."""

    began: float
    rows: list[tuple[float, ...]] = attrs.field(factory=list)

    def __len__(self) -> int:
        """Return the number of accepted points."""
        return len(self.rows)

    def add(self, point: Point, n_e_steps: int) -> None:
        """Take note of an accepted point."""
        seconds = time.monotonic() - self.began
        self.rows.append((point.log_likelihood, point.objective, float("nan"), float("inf"), float(n_e_steps), seconds))

    def excerpt(self) -> Excerpt:
        """Return the rows so far."""
        return Excerpt(self.rows, len(self.rows), self.rows[-1])

    @classmethod
    def again(cls, excerpt: Excerpt) -> Trail:
        """Return a trail that goes on where another one was; its clock has stood still since."""
        rows = [tuple(row) for row in excerpt.array().tolist()]
        return cls(time.monotonic() - rows[-1][-1], rows)

    def measure(self, step_length: float, gap: float) -> None:
        """Add to the last point what the EM step from it has shown."""
        row = self.rows[-1]
        self.rows[-1] = (*row[:2], step_length, gap, *row[4:])

    def pop(self) -> None:
        """Forget the last point: it was left again."""
        self.rows.pop()

    def history(self) -> History:
        """Return all rows as arrays."""
        log_likelihoods, objectives, step_lengths, gaps, n_e_steps, seconds = np.array(self.rows).reshape(-1, 6).T
        return History(log_likelihoods, objectives, step_lengths, gaps, n_e_steps.astype(np.int64), seconds)

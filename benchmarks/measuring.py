"""What every comparison needs: turns, medians, peaks of memory, tables."""

from __future__ import annotations

import statistics
import time
import tracemalloc
from collections.abc import Callable

import attrs


@attrs.define
class Table:
    """A table in Markdown, and whether every ratio wanted was reached."""

    heads: tuple[str, ...]
    rows: list[str] = attrs.field(factory=list)
    reached: bool = True
    foot: str = ""

    def add(self, row: str, reached: bool = True) -> None:
        """Append a row and show it."""
        self.rows.append(row)
        self.reached &= reached
        print(row, flush=True)

    def lines(self) -> list[str]:
        """Return the lines of the table."""
        head = [f"| {' | '.join(self.heads)} |", "|" + "---|" * len(self.heads)]
        return [*head, *self.rows, "", *([self.foot, ""] if self.foot else [])]


def medians_in_turns(functions: list[Callable[[], object]], repeats: int) -> list[float]:
    """Return the median time of each function in seconds; they take turns, because machines are noisy."""
    times: list[list[float]] = [[] for _ in functions]
    for _ in range(repeats):
        for function, own in zip(functions, times, strict=True):
            began = time.perf_counter()
            function()
            own.append(time.perf_counter() - began)
    return [statistics.median(own) for own in times]


def peak_share(function: Callable[[], object], size: int) -> float:
    """Return the peak of what a function allocates, as a share of the data's size."""
    tracemalloc.start()
    function()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / size

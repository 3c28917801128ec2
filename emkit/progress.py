"""What a fit tells while it runs: a tqdm bar where tqdm is installed, else a line on stderr every second."""

from __future__ import annotations

import sys
import time
from abc import ABC, abstractmethod
from typing import Any

from emkit.result import Iterate


class Reporter(ABC):
    """Receives every accepted point of a fit."""

    @abstractmethod
    def update(self, point: Iterate[Any]) -> None:
        """Show one point."""

    @abstractmethod
    def close(self) -> None:
        """Finish the display."""


class Silent(Reporter):
    """Shows nothing."""

    def update(self, point: Iterate[Any]) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Do nothing."""


def _describe(point: Iterate[Any]) -> str:
    return f"objective {point.objective:.6f}, gap {point.gap:.2g}"


class Bar(Reporter):
    """A tqdm bar that counts E-steps."""

    def __init__(self, tqdm: Any) -> None:
        self._bar = tqdm(desc="emkit", unit=" E-steps")

    def update(self, point: Iterate[Any]) -> None:
        """Advance the bar to the E-steps of this point."""
        if point.n_e_steps < self._bar.n:
            self._bar.reset()
        self._bar.set_postfix_str(f"start {point.start}, {_describe(point)}", refresh=False)
        self._bar.update(point.n_e_steps - self._bar.n)

    def close(self) -> None:
        """Close the bar."""
        self._bar.close()


class Lines(Reporter):
    """A line on stderr, at most one a second."""

    def __init__(self) -> None:
        self._next = time.monotonic()

    def update(self, point: Iterate[Any]) -> None:
        """Print a line if the last one is a second old."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + 1.0
            print(f"emkit: start {point.start}, E-step {point.n_e_steps}, {_describe(point)}", file=sys.stderr)

    def close(self) -> None:
        """Do nothing."""


def reporter(progress: bool) -> Reporter:
    """Return the reporter for ``fit(progress=...)``."""
    if not progress:
        return Silent()
    try:
        from tqdm.auto import tqdm  # noqa: PLC0415 - optional
    except ImportError:
        return Lines()
    return Bar(tqdm)

"""What a fit tells while it runs: a tqdm bar where tqdm is installed, else a line on stderr every second."""

from __future__ import annotations

import math
import sys
import time
from abc import ABC, abstractmethod
from typing import Any

from emkit.convergence import GainTolerance, Tolerance
from emkit.forecast import Forecast, describe_seconds
from emkit.logs import log_point, wants_points
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


class Logged(Reporter):
    """Logs every point, then hands it on."""

    def __init__(self, following: Reporter) -> None:
        self._following = following

    def update(self, point: Iterate[Any]) -> None:
        """Log and show one point."""
        log_point(point)
        self._following.update(point)

    def close(self) -> None:
        """Finish the display."""
        self._following.close()


class Screen(ABC):
    """Where progress is shown.

    Attributes
    ----------
    pause : float
        Seconds between two texts, so that showing a fast fit costs nothing.
    """

    pause: float

    @abstractmethod
    def show(self, n_e_steps: int, text: str) -> None:
        """Show the number of E-steps of all starts so far, and a text."""

    @abstractmethod
    def close(self) -> None:
        """Finish."""


class Bar(Screen):
    """A tqdm bar that counts E-steps."""

    pause = 0.1

    def __init__(self, tqdm: Any) -> None:
        self._bar = tqdm(desc="emkit", unit=" E-steps")

    def show(self, n_e_steps: int, text: str) -> None:
        """Advance the bar."""
        self._bar.set_postfix_str(text, refresh=False)
        self._bar.update(n_e_steps - self._bar.n)

    def close(self) -> None:
        """Close the bar, which shows the last text."""
        self._bar.close()


class Lines(Screen):
    """Lines on stderr."""

    pause = 1.0

    def show(self, n_e_steps: int, text: str) -> None:
        """Print a line."""
        print(f"emkit: {n_e_steps} E-steps, {text}", file=sys.stderr)

    def close(self) -> None:
        """Do nothing."""


class Display(Reporter):
    """Shows, now and then, where a fit is and how long it still takes.

    Parameters
    ----------
    screen : Screen
    tolerance : float or None
        The gap at which a start ends; None if it ends by another rule.
    n_starts : int
    """

    def __init__(self, screen: Screen, tolerance: float | None, n_starts: int) -> None:
        self._screen = screen
        self._n_starts = n_starts
        # Starts may run side by side.
        self._forecasts = [Forecast(tolerance) for _ in range(n_starts)]
        self._n_e_steps: dict[int, int] = {}
        self._due = time.monotonic()
        self._last: Iterate[Any] | None = None

    def update(self, point: Iterate[Any]) -> None:
        """Take note of a point, and show it if it is time to."""
        self._n_e_steps[point.start] = point.n_e_steps
        self._forecasts[point.start].add(point)
        self._last = point
        if time.monotonic() >= self._due:
            left = describe_seconds(self._forecasts[point.start].seconds_left())
            self._show(f"{self._describe(point)}, time left {left}")

    def close(self) -> None:
        """Show the last point and finish."""
        if self._last is not None:
            self._show(self._describe(self._last))
        self._screen.close()

    def _show(self, text: str) -> None:
        self._screen.show(sum(self._n_e_steps.values()), text)
        self._due = time.monotonic() + self._screen.pause

    def _describe(self, point: Iterate[Any]) -> str:
        start = f"start {point.start + 1} of {self._n_starts}: " if self._n_starts > 1 else ""
        gap = f"{point.gap:.1e}" if math.isfinite(point.gap) else "unknown"
        return f"{start}objective {point.objective:.6f}, gap {gap}"


def reporter(progress: bool, tolerance: Tolerance | None = None, n_starts: int = 1) -> Reporter:
    """Return the reporter for ``fit(progress=...)``, which also serves the log.

    Parameters
    ----------
    progress : bool
    tolerance : Tolerance, optional
        With a :class:`emkit.GainTolerance` the time that is left can be estimated.
    n_starts : int
    """
    nats = tolerance.nats if isinstance(tolerance, GainTolerance) else None
    shown = Display(_screen(), nats, n_starts) if progress else Silent()
    return Logged(shown) if wants_points() else shown


def _screen() -> Screen:
    try:
        from tqdm.auto import tqdm  # noqa: PLC0415 - optional
    except ImportError:
        return Lines()
    return Bar(tqdm)

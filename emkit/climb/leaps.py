"""The accelerated steps of a climb: what is proposed, where it leads, and whether it is taken."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from emkit.acceleration import Acceleration, Accelerator
from emkit.climb.chart import Chart
from emkit.climb.evaluation import Evaluation
from emkit.point import Point

Array = NDArray[np.float64]


class Leaps:
    """An accelerator at work in one climb; without one, nothing is ever proposed.

    Attributes
    ----------
    memory : Acceleration or None
        Of the accelerator.
    stabilises : bool
        Whether a proposal is judged after one more EM step, so that the point it leads to is another one.
    n_rejected : int
        Proposals that were not accepted, or could not be made feasible.
    """

    def __init__(self, accelerator: Accelerator | None, evaluation: Evaluation) -> None:
        self._accelerator = accelerator
        self._evaluation = evaluation
        self._chart: Chart
        self.memory: Acceleration | None = None
        self.stabilises = False
        self.n_rejected = 0

    def begin(self, chart: Chart) -> None:
        """Begin with an empty memory on a chart."""
        self._chart = chart
        if self._accelerator is not None:
            self.memory = self._accelerator.begin(chart.coordinates.scale, chart.fields)
            self.stabilises = self.memory.stabilises or not chart.is_affine

    def proposal(self, x: Array, image: Array, *, wants_plain: bool) -> Array | None:
        """Return a feasible proposal; None where the plain step is to be taken."""
        if self.memory is None:
            return None
        if wants_plain:
            self.memory.skipped(x, image)
            return None
        proposal = self.memory.propose(x, image)
        if proposal is None:
            return None
        feasible = self._chart.feasible(proposal, image)
        if feasible is None:
            self.judge(accepted=False)
        return feasible

    def end_of(self, proposal: Array, point: Point, like: Any) -> Point | None:
        """Return the point a proposal leads to if it passes the gate, else None; ``like`` gives what is constant."""
        candidate = self._evaluation.attempt(lambda: self._follow(proposal, like))
        passes = candidate is not None and candidate.objective >= point.objective - point.floor
        self.judge(accepted=passes)
        return candidate if passes else None

    def _follow(self, proposal: Array, like: Any) -> Point:
        candidate = self._evaluation.point_at(self._chart.coordinates.unflatten(proposal, like=like))
        if self.stabilises and np.isfinite(candidate.objective):
            candidate = self._evaluation.point_at(self._evaluation.image_of(candidate))
        return candidate

    def judge(self, *, accepted: bool) -> None:
        """Tell the accelerator how its last proposal fared, and count."""
        if self.memory is not None:
            self.memory.judged(accepted=accepted)
        self.n_rejected += not accepted

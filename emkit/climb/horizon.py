"""Estimates that run away without end, because the maximum lies at infinity.

Where a plane parts the outcomes of a regression, or data are less heavy-tailed than any t distribution, the objective
rises for ever, ever less. A stopping rule is met there all the same, since next to nothing remains to be gained. What
tells such a point from a maximum that EM is slow to reach: twice as far out, the objective is still not lower.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from emkit.boundary import named_value
from emkit.climb.chart import Chart
from emkit.climb.evaluation import Evaluation
from emkit.convergence import Monitor
from emkit.point import Point, Stop
from emkit.space import Simplex
from emkit.space.coordinates import Entry

Array = NDArray[np.float64]
#: A rate of EM below which no maximum is looked for at infinity: steps that long would have shown it.
SLOW = 1 - 1e-4
#: Steps shorter than this, relative to the entry, are rounding and have no direction.
LEAST_STEP = 1e-14
#: Entries that take at least this share of the longest step run with it.
TOGETHER = 0.1
#: How many entries a note names.
NAMED = 3


def note_at_infinity(chart: Chart, monitor: Monitor, evaluation: Evaluation, point: Point) -> str:
    """Return a sentence if the objective still rises where the params are twice as far out; one E-step, or none.

    Running are the entries that move outwards fastest with no bound ahead. Their fields are doubled as a whole: the
    step itself also turns a little, and prolonged as far it leads aside.
    """
    if not (monitor.rate >= SLOW and monitor.points):
        return ""
    x, step = monitor.points[-1], monitor.images[-1] - monitor.points[-1]
    entries = chart.coordinates.entries
    outwards = [_is_outwards(entry, x[entry.place], step[entry.place]) for entry in entries]
    is_clear = np.abs(step) > LEAST_STEP * np.abs(x)
    speed = np.where(np.concatenate([*outwards, np.zeros(0, dtype=bool)]) & is_clear, np.abs(step), 0.0)
    if not speed.any():
        return ""
    running = speed >= TOGETHER * speed.max()
    here = x * chart.coordinates.scale
    there = here.copy()
    for entry in entries:
        if running[entry.place].any():
            there[entry.place] *= 2
    if not chart.guard.allows(there, here):
        return ""
    try:
        far = evaluation.attempt(lambda: evaluation.point_at(chart.coordinates.unflatten(there, like=point.params)))
    except Stop:
        return ""
    if far is None or far.objective <= point.objective + point.floor:
        return ""
    return _sentence(entries, np.argsort(-speed)[: np.count_nonzero(running)], here)


def _is_outwards(entry: Entry, x: Array, step: Array) -> NDArray[np.bool_]:
    if isinstance(entry.space, Simplex):
        # Proportions have nowhere to run to.
        return np.zeros(x.shape, dtype=bool)
    room = entry.space.room(x.reshape(entry.shape), np.sign(step).reshape(entry.shape)).ravel()
    return np.isinf(room) & (x * step > 0)


def _sentence(entries: Sequence[Entry], running: NDArray[np.intp], x: Array) -> str:
    named = []
    for index in running[:NAMED].tolist():
        entry = next(entry for entry in entries if index < entry.place.stop)
        named.append(named_value(entry, index - entry.place.start, float(x[index])))
    more = f" and {len(running) - NAMED} more" if len(running) > NAMED else ""
    verb = "runs" if len(running) == 1 else "run"
    return (
        f"{', '.join(named)}{more} {verb} away: twice as far out the objective is higher still, so the maximum lies at "
        "infinity, or very far off. Estimates and standard errors mean nothing there: add a log_prior, or fix what "
        "the data leave open."
    )

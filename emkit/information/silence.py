"""Directions of which the data say nothing at all, such as the params of a component that no row belongs to."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from emkit.errors import DegenerateWarning
from emkit.information.surface import Surface

Array = NDArray[np.float64]

#: A curvature below this, in nats for typical displacements, is doubtful: errors would be ten thousand times as large
#: as the entries. What rounding leaves of none is below this, and so is that of an entry that is zero but for rounding.
DOUBTFUL = 1e-8
#: What a doubtful direction has to do with others is rounding below this share of the largest curvature.
COUPLING = 1e-9
#: A slope below this, in nats for a typical displacement, is none.
NO_SLOPE = 1e-6
#: A doubtful curvature is put to the test by a step that should cost so much, in nats, and within a factor of ten does.
COST, FACTOR = 0.01, 10.0
#: How many fields a warning names.
NAMED = 4


def hear(surface: Surface, gradient: Array, information: Array) -> NDArray[np.bool_]:
    """Leave silent directions out of a surface: those along which nothing changes, alone or together with others.

    A flat direction that is a mixture of others, where only a sum of params matters, say, is not silent: each of its
    entries changes something. Where a curvature is next to none, one E-step tells it from rounding.

    Parameters
    ----------
    surface : Surface
    gradient : (n_free,)
    information : (n_free, n_free)
        Observed, or of the complete data; need not be symmetric.

    Returns
    -------
    is_heard : (n_free,) of bool
        The directions that are left.
    """
    sizes = surface.typical(surface.directions)
    change = np.abs(information) * np.outer(sizes, sizes)
    own = np.diag(change)
    others = np.maximum(change.max(axis=0, initial=0.0), change.max(axis=1, initial=0.0))
    is_doubtful = (own <= DOUBTFUL) & (others <= COUPLING * own.max(initial=0.0))
    is_heard = ~(is_doubtful & (np.abs(gradient) * sizes <= NO_SLOPE))
    for index in np.flatnonzero(~is_heard):
        is_heard[index] = _curves(surface, surface.directions[index], float(information[index, index]))
    if not is_heard.all():
        surface.leave_out(~is_heard)
    return np.asarray(is_heard)


def _curves(surface: Surface, direction: Array, curvature: float) -> bool:
    """Return whether the objective falls along a direction as much as a curvature says."""
    cost = max(COST, 100 * surface.noise)
    with np.errstate(all="ignore"):
        length = np.sqrt(2 * cost / curvature) if curvature > 0 else np.inf
        if not np.isfinite(length * direction).all():
            return False
        falls = [surface.center - surface.objective(side * length * direction) for side in (1.0, -1.0)]
    return any(cost / FACTOR <= fall <= cost * FACTOR for fall in falls)


def describe_silence(surface: Surface) -> str:
    """Return a sentence that names the fields and entries of which the data say nothing, empty if there are none."""
    names = np.array(surface.entry_names(), dtype=object)[surface.silent_entries()].tolist()
    if not names:
        return ""
    firsts: dict[str, list[str]] = {}
    for name in names:
        firsts.setdefault(name.partition("[")[0], []).append(name)
    told = [f"{own[0]} and {len(own) - 1} more" if len(own) > 1 else own[0] for own in list(firsts.values())[:NAMED]]
    more = f", and entries of {len(firsts) - NAMED} more fields" if len(firsts) > NAMED else ""
    return (
        f"The data say nothing of {', '.join(told)}{more}: the likelihood is the same whatever they are, so their "
        "standard errors are NaN. A component or state that no row belongs to is the usual cause: fit fewer."
    )


def warn_of_silence(surface: Surface) -> None:
    """Warn, naming fields and entries, if a surface has silent directions."""
    sentence = describe_silence(surface)
    if sentence:
        warnings.warn(sentence, DegenerateWarning, stacklevel=4)

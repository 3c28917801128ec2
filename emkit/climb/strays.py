"""Entries that an accelerated step has moved and of which the data then say nothing.

The objective is flat in the params of a component on its way to no rows, so that the gate lets a leap take them
anywhere. Once there are no rows EM leaves them alone, wherever they are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emkit.errors import InvalidParamsError
from emkit.space.coordinates import Coordinates

Array = NDArray[np.float64]

#: Smaller moves, in units of the scale of an entry, are of no consequence.
NO_MOVE = 1e-6


def recalled(coordinates: Coordinates[object], x: Array, image: Array, last: Array) -> Array | None:
    """Return the point ``x`` that a leap has reached with its strays where EM has last put them; None without strays.

    Strays are entries that EM leaves exactly as they are, though the leap has moved them; not those on a bound, where
    EM may have arrived for good.

    Parameters
    ----------
    coordinates : Coordinates
    x, image : (n_entries,)
        The point, and its EM image.
    last : (n_entries,)
        The EM image of the point before the leap.
    """
    is_stray = (image == x) & (np.abs(last - x) > NO_MOVE * coordinates.scale)
    if not is_stray.any():
        return None
    back = x.copy()
    for entry in coordinates.entries:
        own, shape = entry.place, entry.shape
        moves = is_stray[own] & ~entry.space.on_bound(x[own].reshape(shape)).ravel()
        candidate = np.where(moves, last[own], x[own])
        try:
            entry.space.check(candidate.reshape(shape), entry.name)
        except InvalidParamsError:
            # A part of what belongs together, such as some of the shares of a row.
            continue
        back[own] = candidate
    return back if (back != x).any() else None

"""Estimates that are still on their way to a bound when a fit ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from emkit import tree
from emkit.space.base import Array
from emkit.space.coordinates import Coordinates, Entry

#: An entry whose steps, continued as they go, lead this share of its distance to a bound is on its way there. Towards a
#: bound that EM reaches like 1/k, the last two steps promise half of the distance, whatever k.
SHARE = 0.3
#: Steps that shrink by less than this from one to the next converge sublinearly, or nearly so.
SUBLINEAR = 0.9
#: How much a ratio may differ from the one before it, relative to its distance from one, in a fit that was cut.
STEADY = 0.1
#: An entry so near to a lower bound, relative to its field's scale, has arrived: its steps are rounding.
NEAR = 1e-8
#: How many entries a note names.
NAMED = 3


def notes_on_the_way(
    coordinates: Coordinates[Any], points: Sequence[Array], images: Sequence[Array], *, is_at_rest: bool
) -> list[str]:
    """Return a sentence for every field of which entries are on their way to a bound of their space.

    With the last two plain steps ``d1`` and ``d2`` of an entry and ``r = d2 / d1``, what is still to come is
    ``d2 r / (1 - r)``.

    Parameters
    ----------
    points, images : sequences of (n_entries,)
        x and F(x) of the last points, in units of each entry's scale.
    is_at_rest : bool
        Whether the fit has ended by itself. If it was cut, the ratio must have been the same for two steps before:
        that of the first steps, which are large, says nothing of where they lead.
    """
    ratio = _ratio(points, images, -1)
    if ratio is None:
        return []
    with np.errstate(divide="ignore", invalid="ignore"):
        is_told = (ratio > 0) & (ratio < 1)
        for last in () if is_at_rest else (-2, -3):
            earlier = _ratio(points, images, last)
            if earlier is None:
                return []
            is_told &= np.abs(ratio - earlier) <= STEADY * (1 - ratio)
        ahead = np.where(is_told, (images[-1] - points[-1]) * ratio / (1 - ratio), 0.0)
    here = {"point": points[-1], "image": images[-1], "ahead": ahead, "ratio": ratio}
    notes = (_note(entry, coordinates, **here) for entry in coordinates.entries)
    return [note for note in notes if note]


def _ratio(points: Sequence[Array], images: Sequence[Array], last: int) -> Array | None:
    """Return a plain step over the one before it, entry by entry; None if either of them was not plain."""
    if len(points) < 1 - last or not np.array_equal(points[last], images[last - 1]):
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((images[last] - points[last]) / (images[last - 1] - points[last - 1]))


def _note(
    entry: Entry, coordinates: Coordinates[Any], *, point: Array, image: Array, ahead: Array, ratio: Array
) -> str | None:
    place, scale = entry.place, coordinates.scale[entry.place]
    value, way = image[place] * scale, ahead[place] * scale
    room = entry.space.room(value.reshape(entry.shape), np.sign(way).reshape(entry.shape)).ravel()
    bound = entry.space.on_bound(value.reshape(entry.shape)).ravel()
    below = entry.space.room(value.reshape(entry.shape), np.full(entry.shape, -1.0)).ravel()
    going = np.flatnonzero((((np.abs(way) >= SHARE * room) & (room > 0)) | (below <= NEAR * scale)) & ~bound)
    if going.size == 0:
        return None
    here = point[place] * scale
    named = ", ".join(named_value(entry, int(index), float(here[index])) for index in going[:NAMED])
    more = f" and {going.size - NAMED} more" if going.size > NAMED else ""
    verb = "is" if going.size == 1 else "are"
    is_slow = np.nan_to_num(ratio[place][going]).max() > SUBLINEAR
    pace = ", ever more slowly (sublinear convergence)" if is_slow else ""
    return f"{named}{more} {verb} on the way to a bound of the space{pace}: the estimate is the bound itself."


def named_value(entry: Entry, index: int, value: float) -> str:
    """Return an entry of a field with its value, as people write it."""
    place = np.unravel_index(index, entry.shape) if entry.shape else ()
    text = f"[{', '.join(str(int(i)) for i in place)}]" if place else ""
    return f"{tree.path_name(entry.path)}{text} = {value:.3g}"

"""The table of distinct optima that several starts have found."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

#: Objectives that differ by less, in nats, are of one optimum.
SAME = 1e-4


@attrs.frozen
class Optimum:
    """One optimum, and the starts that ended there.

    Attributes
    ----------
    objective : float
        The highest of these starts.
    n_found : int
    starts : tuple of int
        Indices of the starts, in ascending order.
    status : Status
        Of the start that came highest.
    rests_on_floor : bool
        Whether a safeguard, such as a covariance floor, holds the estimate up: a spurious optimum.
    """

    objective: float
    n_found: int
    starts: tuple[int, ...]
    status: Any
    rests_on_floor: bool


def distinct_optima(starts: Iterable[Any]) -> tuple[Optimum, ...]:
    """Return what the starts have found, best first; optima that rest on a floor come after all others.

    A start finds an optimum if it comes to rest. Starts that were cut short (by ``max_iter`` or a short run, say) count
    where their objective is that of an optimum, and make none of their own.
    """
    groups: list[list[Any]] = []
    for start in sorted(starts, key=lambda start: (not start.is_at_rest, start.rests_on_floor, -start.objective)):
        for group in groups:
            highest = group[0]
            if start.rests_on_floor == highest.rests_on_floor and abs(start.objective - highest.objective) <= SAME:
                group.append(start)
                break
        else:
            if start.is_at_rest:
                groups.append([start])
    return tuple(
        Optimum(
            objective=group[0].objective,
            n_found=len(group),
            starts=tuple(sorted(start.index for start in group)),
            status=group[0].status,
            rests_on_floor=group[0].rests_on_floor,
        )
        for group in groups
    )

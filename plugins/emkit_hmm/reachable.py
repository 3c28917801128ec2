"""Starts from which EM can reach what the data ask for: no data impossible, no estimate on a bound."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from emkit.families import Family
from emkit.space import spaces_of
from emkit_hmm.order import part_at

Array = NDArray[np.float64]

#: Share of every row that is spread over all components where a start would lie on a bound.
SPREAD = 0.1


def fit_off_bounds(emission: Family[Any], rows: Any, shares: Array, weights: Array | None) -> Any:
    """Return emissions fitted to a division of the rows, to a softer one if an estimate would lie on a bound.

    EM never leaves a bound: a symbol that a component has never shown keeps probability zero. Groups of rows that are
    alike have such symbols always, and the fit would end where it began.

    Parameters
    ----------
    emission : Family
    rows
        As the family prepared them.
    shares : (n_rows, n_components)
    weights : (n_rows,) or None
    """
    counts = np.ones(1) if weights is None else weights[:, None]
    params = emission.fitted(rows, shares * counts)
    if not lies_on_bound(emission, params):
        return params
    return emission.fitted(rows, ((1 - SPREAD) * shares + SPREAD / shares.shape[1]) * counts)


def lies_on_bound(emission: Family[Any], params: Any) -> bool:
    """Return whether any free entry of the params of a family lies on a bound of its space."""
    spaces = spaces_of(emission, params).items()
    return any(space.on_bound(np.asarray(part_at(params, path))).any() for path, space in spaces)


def require_possible(log_likelihoods: Array, weights: Array | None) -> None:
    """Raise ValueError if a sequence that counts has probability zero at a start.

    EM keeps zeros, so it stays impossible. Both arguments have shape (n_sequences,).
    """
    counted = True if weights is None else weights > 0
    impossible = np.flatnonzero((log_likelihoods == -np.inf) & counted)
    if impossible.size:
        more = f" (and {impossible.size - 1} more)" if impossible.size > 1 else ""
        msg = (
            f"Sequence {impossible[0]}{more} is impossible at the start: its known states, or its rows, contradict "
            "transitions, a start or emissions that are fixed at zero."
        )
        raise ValueError(msg)

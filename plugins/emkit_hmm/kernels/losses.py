"""When scaled space may have lost a state that matters.

A state that falls below every float is lost. Where any state can follow any other that is harmless: it comes back
from the others, with more than it had. A chain in which some transitions never happen is looked at more closely:

* The walk back gives every state what it is worth later, in units of what was kept. A state that was lost forwards
  and would have mattered is worth more than floats hold, and the two walks then do not find the same likelihood.
* Densities are floored at e^-700 times the largest of their row, in both walks alike. If paths through such an entry
  have no weight even with the floor, they have none without it.
* Where two states cannot reach each other in either direction, both walks may lose the same path at different ends of
  it. It can matter only if the rest falls as low as that path was when it was lost.
"""

from __future__ import annotations

import numpy as np

from emkit_hmm.kernels.columns import Array, Booleans, Columns
from emkit_hmm.kernels.packing import LOWEST_LOG, taken
from emkit_hmm.kernels.passes import SMALLEST, TINY, Forward
from emkit_hmm.kernels.reach import Reach

#: Largest difference of the likelihoods of the two walks, relative.
CONSISTENT = 1e-9
#: Largest posterior weight of paths through a floored entry that is neglected.
NEGLIGIBLE = 1e-13
#: A sequence whose factors multiply to more than this (log) has lost nothing that could matter.
SAFE_LOG_SCALE = -600.0


@np.errstate(over="ignore", invalid="ignore")
def lost_columns(columns: Columns, reach: Reach, forward: Forward, starts: Array, w: Array) -> Booleans:
    """Say in which columns a number fell too low or the two walks do not agree, shape (n_columns,)."""
    firsts = w[: starts.size].reshape(starts.shape)
    agrees = np.abs((starts * firsts).sum(axis=0) - 1.0) <= CONSISTENT
    lost = ~(agrees & (forward.smallest >= SMALLEST))  # False for NaN, too
    if reach is Reach.APART:
        lost = lost | unsafe_columns(columns, forward)
    return np.asarray(lost)


def unsafe_columns(columns: Columns, forward: Forward) -> Booleans:
    """Say which columns belong to a sequence whose factors multiply to less than is safe."""
    scale = np.bincount(columns.sequences, forward.log_scale)
    return np.asarray(~(scale[columns.sequences] >= SAFE_LOG_SCALE))


@np.errstate(over="ignore", invalid="ignore")
def floored_columns(columns: Columns, log_emission: Array, forward: Forward, w: Array, emission: Array) -> Booleans:
    """Say in which columns paths through entries that were floored have weight, shape (n_columns,)."""
    n_states = log_emission.shape[1]
    found = np.zeros(columns.n_columns, dtype=bool)
    for run in columns.pieces(n_states):
        alpha = run.view(forward.alpha, n_states)
        log_density = np.empty_like(alpha)
        taken(log_emission, columns, run, log_density)
        low = log_density - log_density.max(axis=1, keepdims=True) < LOWEST_LOG
        if low.any():
            posterior = alpha / np.maximum(run.view(emission, n_states), TINY) * run.view(w, n_states)
            found[: run.width] |= (low & ~(posterior <= NEGLIGIBLE)).any(axis=(0, 1))
    return found

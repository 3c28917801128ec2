"""Which states of a chain can follow which."""

from __future__ import annotations

from enum import Enum

import numpy as np

from emkit_hmm.kernels.columns import Array

#: Transitions less probable than this count as never happening.
NEVER = 1e-30


class Reach(Enum):
    """Which states of a chain can follow which."""

    EVERYWHERE = "Any state can follow any other at once."
    ONE_WAY = "Of any two states one can reach the other."
    APART = "Some two states cannot reach each other."

    @classmethod
    def of(cls, transmat: Array) -> Reach:
        """Return what a matrix (n_states, n_states) of transition probabilities allows."""
        if transmat.min() >= NEVER:
            return cls.EVERYWHERE
        reached = (transmat >= NEVER) | np.eye(len(transmat), dtype=bool)
        for _ in range(max(1, len(transmat) - 1).bit_length()):
            reached = reached @ reached
        return cls.ONE_WAY if (reached | reached.T).all() else cls.APART

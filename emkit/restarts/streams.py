"""A random stream for each start."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.random import Generator, SeedSequence

from emkit.seed import require_source

#: What a fit takes as ``rng``.
RandomSource: TypeAlias = int | Generator | SeedSequence | None


def streams(rng: RandomSource, n: int) -> list[Generator]:
    """Return ``n`` independent generators; the r-th does not depend on ``n``.

    A number or None seeds them all; a Generator is asked for children, which changes its state.
    """
    require_source(rng)
    if isinstance(rng, Generator):
        return rng.spawn(n)
    root = rng if isinstance(rng, SeedSequence) else SeedSequence(rng)
    return [np.random.default_rng(SeedSequence(root.entropy, spawn_key=(*root.spawn_key, r))) for r in range(n)]

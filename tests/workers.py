"""Models that processes of a pool can import."""

from __future__ import annotations

import multiprocessing
import os
from typing import Any, ClassVar

import attrs
import numpy as np
from toys import PoissonMixture

import emkit

#: Counted values on 64 rows, so 16 leaves of the toy mixture.
MANY = (np.arange(64.0), np.random.default_rng(1).integers(0, 50, 64).astype(float))


def is_worker() -> bool:
    return multiprocessing.parent_process() is not None


class Dying(PoissonMixture):
    """Kills the process it runs in, unless that is the first one, when it meets a leaf that begins with 20."""

    def e_step(self, params: Any, data: Any) -> emkit.EStep:
        if is_worker() and data[0][0] == 20:
            os._exit(1)
        return super().e_step(params, data)


class DyingStarts(PoissonMixture):
    """Kills the worker process in which a start begins."""

    def initialize(self, data: Any, rng: np.random.Generator) -> Any:
        if is_worker():
            os._exit(1)
        return super().initialize(data, rng)


class StartsHere(PoissonMixture):
    """Has no start to offer in any other process than the first one."""

    def initialize(self, data: Any, rng: np.random.Generator) -> Any:
        if is_worker():
            reason = "this is a worker"
            raise RuntimeError(reason)
        return super().initialize(data, rng)


class Whole(PoissonMixture):
    """Says nothing of rows, so its data are never cut."""

    leaf_rows: ClassVar[int | None] = None


@attrs.frozen
class TLocation(emkit.LatentModel):
    """Location of a t distribution with few degrees of freedom, scale 1 (Arslan, Constable and Kent 1993).

    The log-likelihood is that without constants, ``-(df + 1) / 2 * sum(log(1 + (x - m)**2 / df))``.
    """

    df: float = 0.05

    def e_step(self, params: float, data: Any) -> emkit.EStep:
        squares = (data - params) ** 2
        weights = (self.df + 1) / (self.df + squares)
        log_likelihood = -(self.df + 1) / 2 * np.log1p(squares / self.df).sum()
        return emkit.EStep((weights.sum(), weights @ data), float(log_likelihood), float(len(data)))

    def m_step(self, params: float, statistics: Any) -> float:
        return float(statistics[1] / statistics[0])

    def initialize(self, data: Any, rng: np.random.Generator) -> float:
        return float(rng.uniform(data.min() - 5, data.max() + 5))

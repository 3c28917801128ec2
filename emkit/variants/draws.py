"""Passes over the data that draw the latent variables."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.random import Generator, SeedSequence

from emkit import tree
from emkit.engines import Workload, merge_in_tree
from emkit.engines.leaves import add_e_steps, answers
from emkit.model import EStep, as_e_step


class Draws:
    """Numbered passes; pass i over leaf j has the random stream (i, j) of its own.

    So what is drawn depends neither on the engine nor on the number or order of its workers.
    """

    def __init__(self, workload: Workload, seed: SeedSequence) -> None:
        self._workload = workload
        self._seed = seed
        self.n_passes = 0

    @classmethod
    def of(cls, workload: Workload, rng: Generator) -> Draws:
        """Return draws whose streams descend from ``rng``."""
        return cls(workload, SeedSequence(rng.integers(2**32, size=4, dtype=np.uint64).tolist()))

    def mean(self, params: Any, n_draws: int) -> EStep[Any]:
        """Return the mean of ``n_draws`` passes at ``params``."""
        total = merge_in_tree(self._passes(params, n_draws), add_e_steps)
        if n_draws == 1:
            return total
        n_observations = None if total.n_observations is None else total.n_observations / n_draws
        statistics = tree.map_leaves(lambda leaf: leaf / n_draws, total.statistics)
        return EStep(statistics, total.log_likelihood / n_draws, n_observations)

    def _passes(self, params: Any, n_draws: int) -> Iterator[EStep[Any]]:
        for _ in range(n_draws):
            draw = functools.partial(_draw_of_leaf, self._workload.model, params, self._seed, self.n_passes)
            self.n_passes += 1
            items = list(enumerate(self._workload.leaves))
            yield merge_in_tree(answers(self._workload.engine, draw, items), add_e_steps)


def _draw_of_leaf(model: Any, params: Any, seed: SeedSequence, number: int, item: tuple[int, Any]) -> EStep[Any]:
    index, leaf = item
    stream = SeedSequence(seed.entropy, spawn_key=(number, index))
    return as_e_step(model, model.sample_e_step(params, leaf, np.random.default_rng(stream)))

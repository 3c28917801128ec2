"""A user's model, annotated: both type checkers read this file, nothing runs it."""

from __future__ import annotations

from typing import TypeAlias

import attrs
import numpy as np
from numpy.typing import NDArray

import emkit
from emkit import space

Array: TypeAlias = NDArray[np.float64]
Moments: TypeAlias = tuple[Array, Array]


@attrs.frozen(eq=False)
class Params:
    weights: Array = space.simplex()
    rates: Array = space.positive()


@attrs.frozen
class Declared(emkit.LatentModel[Array, Params, Moments]):
    n_components: int = 2

    def e_step(self, params: Params, data: Array) -> emkit.EStep[Moments]:
        return emkit.EStep((data, data), 0.0, 3.0)

    def m_step(self, params: Params, statistics: Moments) -> Params:
        return Params(statistics[0], statistics[1])


class Structural:
    """Knows nothing of emkit."""

    def e_step(self, params: Array, data: Array) -> tuple[Array, float]:
        return data, 0.0

    def m_step(self, params: Array, statistics: Array) -> Array:
        return statistics


def use() -> None:
    weights: Array = emkit.fit(Declared(), np.zeros(3), Params(np.ones(1), np.ones(1))).params.weights
    vector: Array = emkit.fit(Structural(), np.zeros(3), np.ones(2)).params
    for point in emkit.iterate(Declared(), np.zeros(3), Params(weights, vector)):
        _rates: Array = point.params.rates

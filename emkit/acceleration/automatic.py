"""The choice of an accelerator by the observed rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np

from emkit.acceleration.anderson import Anderson
from emkit.acceleration.base import Acceleration, Accelerator, Array


def _accelerator(instance: object, attribute: Any, value: Any) -> None:
    if not isinstance(value, Accelerator):
        msg = f"accelerator must be an Accelerator, such as emkit.acceleration.Anderson(); it is {value!r}."
        raise TypeError(msg)


@attrs.frozen
class Automatic(Accelerator):
    """Plain EM while it is fast; another accelerator from the moment on when it has shown to be slow.

    Where a proposal fails and the plain step in its place is fast, plain EM has another chance: the first steps of a
    climb may be long for another reason than a slow rate.

    Parameters
    ----------
    rate : float
        A step longer than this share of the one before is slow.
    patience : int
        So many slow steps in a row call for acceleration.
    accelerator : Accelerator
        What then takes over. It hears of every point from the beginning.
    """

    rate: float = 0.5
    patience: int = 2
    accelerator: Accelerator = attrs.field(factory=Anderson, validator=_accelerator)

    def begin(self, scale: Array, fields: Sequence[slice]) -> Acceleration:
        """Return the memory for one run."""
        memory = self.accelerator.begin(scale, fields)
        return AutomaticMemory(self, scale, memory)


@attrs.define(eq=False)
class AutomaticMemory(Acceleration):
    """What the automatic choice remembers during one run."""

    settings: Automatic
    scale: Array
    memory: Acceleration
    n_slow: int = 0
    length: float = 0.0
    is_in_doubt: bool = False

    @property
    def stabilises(self) -> bool:
        """As the accelerator that takes over."""
        return self.memory.stabilises

    def propose(self, x: Array, image: Array) -> Array | None:
        """Return what the accelerator proposes, once plain EM has shown to be slow."""
        length = float(np.linalg.norm((image - x) / self.scale))
        is_slow = length > self.settings.rate * self.length > 0
        self.length = length
        if self.n_slow < self.settings.patience or (self.is_in_doubt and not is_slow):
            self.n_slow = self.n_slow + 1 if is_slow else 0
        self.is_in_doubt = False
        if self.n_slow >= self.settings.patience:
            return self.memory.propose(x, image)
        self.memory.skipped(x, image)
        return None

    def skipped(self, x: Array, image: Array) -> None:
        """Take note of a point."""
        self.memory.skipped(x, image)

    def judged(self, *, accepted: bool) -> None:
        """Pass the judgement on; a proposal that failed raises the question whether EM is slow here at all."""
        self.is_in_doubt = not accepted
        self.memory.judged(accepted=accepted)

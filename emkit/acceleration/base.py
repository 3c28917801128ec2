"""What an accelerator is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Acceleration(ABC):
    """The memory of an accelerator during one run.

    At every accepted point the driver calls either :meth:`propose` or :meth:`skipped`, and after a proposal
    :meth:`judged`. A subclass that is an attrs class of numbers, arrays and lists of these can be saved in
    checkpoints; any other begins anew when a run is resumed.
    """

    @property
    def stabilises(self) -> bool:
        """Whether proposals are followed by one EM step before they are judged.

        The judgement then waits for the objective that the next E-step reports anyway, so it costs nothing.
        """
        return False

    @abstractmethod
    def propose(self, x: Array, image: Array) -> Array | None:
        """Return a proposal, given the current point and its EM image; None takes the plain step."""

    @abstractmethod
    def judged(self, *, accepted: bool) -> None:
        """Hear whether the last proposal was accepted. If not, the plain step is taken."""

    @abstractmethod
    def skipped(self, x: Array, image: Array) -> None:
        """Hear of a point from which the plain step is taken without asking for a proposal."""


class Accelerator(ABC):
    """Settings of a way to accelerate; ``accelerate=`` of :func:`emkit.fit` takes one, a name, or None."""

    @abstractmethod
    def begin(self, scale: Array, fields: Sequence[slice]) -> Acceleration:
        """Return the memory for one run.

        Parameters
        ----------
        scale : (n_entries,)
            Size of a typical change of each entry.
        fields : sequence of slices
            Where each field of the params lies in the vector.
        """

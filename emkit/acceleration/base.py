"""What an accelerator is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Acceleration(ABC):
    """The memory of an accelerator during one run.

    Attributes
    ----------
    stabilises : bool
        Whether proposals are followed by one EM step before they are judged. The judgement then waits for the
        objective that the next E-step reports anyway, so it costs nothing.
    """

    stabilises: ClassVar[bool] = False

    @abstractmethod
    def propose(self, x: Array, image: Array) -> Array | None:
        """Return a proposal, given the current point and its EM image; None takes the plain step."""

    @abstractmethod
    def judged(self, *, accepted: bool) -> None:
        """Hear whether the last proposal was accepted."""

    @abstractmethod
    def restart(self) -> None:
        """Forget points seen so far: plain steps were taken since."""


class Accelerator(ABC):
    """Settings of a way to accelerate; ``accelerate=`` of :func:`emkit.fit` takes one, a name, or None."""

    @abstractmethod
    def begin(self, scale: Array, fields: Sequence[slice]) -> Acceleration:
        """Return the state for one run.

        Parameters
        ----------
        scale : (n_entries,)
            Size of a typical change of each entry.
        fields : sequence of slices
            Where each field of the params lies in the vector.
        """

"""States that share one distribution of what is observed."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Integers = NDArray[np.intp]


@attrs.frozen
class Ties:
    """Which distribution each state emits from.

    Attributes
    ----------
    labels : tuple of int or None
        The number of the distribution, 0, 1, ..., for each state; None where every state has its own.
    """

    labels: tuple[int, ...] | None = None

    def n_components(self, n_states: int) -> int:
        """Return how many distributions there are."""
        if self.labels is None:
            return n_states
        if len(self.labels) != n_states or set(self.labels) != set(range(max(self.labels, default=0) + 1)):
            msg = (
                f"ties must hold, for each of the n_states={n_states} states, the number of its distribution, and the "
                f"numbers must be 0, 1, ... without a gap; found {self.labels}."
            )
            raise ValueError(msg)
        return max(self.labels) + 1

    def components(self, states: Integers) -> Integers:
        """Return the distributions that states emit from."""
        return states if self.labels is None else np.array(self.labels, dtype=np.intp)[states]

    def spread(self, density: Array) -> Array:
        """Return log-densities of distributions (n_samples, n_components) as those of states."""
        return density if self.labels is None else density[:, list(self.labels)]

    def gather(self, shares: Array, n_components: int) -> Array:
        """Return shares of states (n_samples, n_states) added up for each distribution."""
        return shares if self.labels is None else shares @ np.eye(n_components)[list(self.labels)]


def as_ties(value: Any) -> Ties:
    """Return ties from a sequence of whole numbers, or None.

    Raises
    ------
    ValueError
        If it is something else.
    """
    if value is None or isinstance(value, Ties):
        return value or Ties()
    try:
        labels = np.asarray(value)
    except ValueError:
        # Lists of unequal lengths.
        labels = np.array(None)
    if labels.ndim != 1 or labels.dtype.kind not in "iuf" or not (labels == np.round(labels)).all():
        msg = f"ties must be a list of whole numbers, the number of its distribution for each state; found {value!r}."
        raise ValueError(msg)
    return Ties(tuple(int(label) for label in labels))

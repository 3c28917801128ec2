"""What two EM steps tell about the Jacobian of the EM map: pairs of differences."""

from __future__ import annotations

import attrs
import numpy as np

from emkit.acceleration.base import Array


@attrs.define(eq=False)
class Secants:
    """The last few pairs of differences (x' - x, F(x') - F(x)), newest last, in units of each entry's scale.

    Attributes
    ----------
    size : int
        How many are kept.
    inputs, images : list of (n_entries,)
    """

    size: int
    inputs: list[Array] = attrs.field(factory=list)
    images: list[Array] = attrs.field(factory=list)

    def __len__(self) -> int:
        """Return how many pairs there are."""
        return len(self.inputs)

    def add(self, change: Array, change_of_image: Array) -> None:
        """Add a pair, and drop the oldest one if there are too many."""
        self.inputs.append(change)
        self.images.append(change_of_image)
        del self.inputs[: -self.size], self.images[: -self.size]

    def clear(self) -> None:
        """Forget all pairs."""
        self.inputs.clear()
        self.images.clear()

    def drop_oldest(self) -> None:
        """Forget the oldest pair."""
        del self.inputs[0], self.images[0]

    def arrays(self) -> tuple[Array, Array]:
        """Return the pairs as columns of two matrices (n_entries, n_pairs)."""
        return np.array(self.inputs).T, np.array(self.images).T

"""Quasi-Newton acceleration."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np

from emkit.acceleration.base import Acceleration, Accelerator, Array
from emkit.acceleration.secants import Secants


@attrs.frozen
class QuasiNewton(Accelerator):
    """The quasi-Newton acceleration of Zhou, Alexander and Lange (2011) [1]_.

    Pairs of EM steps x -> F(x) -> F(F(x)) give secants ``u = F(x) - x`` and ``v = F(F(x)) - F(x)``; with the last of
    them as columns of U and V, the Jacobian of the EM map is taken as ``V (U'U)^-1 U'``, and Newton's step for
    ``F(x) = x`` is

        F(x) + V (U'U - U'V)^-1 U' (F(x) - x)

    Norms are in units of each entry's scale.

    Parameters
    ----------
    memory : int
        Largest number of secants; never more than there are entries.
    condition : float
        Largest condition number of ``U'U - U'V``.
    patience : int
        Rejections in a row after which all secants are forgotten. While the plain steps that follow rejections hardly
        differ from one another, their secants would be as useless for the next proposal.

    References
    ----------
    .. [1] H. Zhou, D. Alexander, K. Lange, Statistics and Computing 21 (2011) 261-273, eq. (7).
    """

    memory: int = 5
    condition: float = 1e12
    patience: int = 2

    def begin(self, scale: Array, fields: Sequence[slice]) -> Acceleration:
        """Return the memory for one run."""
        return QuasiNewtonMemory(self, scale, Secants(min(self.memory, len(scale))))


@attrs.define(eq=False)
class QuasiNewtonMemory(Acceleration):
    """What the quasi-Newton method remembers during one run."""

    settings: QuasiNewton
    scale: Array
    secants: Secants
    start: Array | None = None
    n_rejected: int = 0

    def propose(self, x: Array, image: Array) -> Array | None:
        """Return Newton's step for the secants so far, at every second point."""
        if self.start is None:
            self.start = x
            return None
        start, self.start = self.start, None
        step = (x - start) / self.scale
        self.secants.add(step, (image - x) / self.scale)
        while len(self.secants):
            inputs, images = self.secants.arrays()
            matrix = inputs.T @ (inputs - images)
            if not np.isfinite(matrix).all():
                self.secants.clear()
                return None
            size = np.linalg.svd(matrix, compute_uv=False)
            if size[-1] * self.settings.condition >= size[0] > 0:
                return np.asarray(x + self.scale * (images @ np.linalg.solve(matrix, inputs.T @ step)))
            self.secants.drop_oldest()
        return None

    def skipped(self, x: Array, image: Array) -> None:
        """Forget a first step whose second was taken elsewhere."""
        self.start = None

    def judged(self, *, accepted: bool) -> None:
        """Begin the next pair of steps at the point that comes next; forget all after some rejections in a row."""
        self.start = None
        self.n_rejected = 0 if accepted else self.n_rejected + 1
        if self.n_rejected >= self.settings.patience:
            self.secants.clear()
            self.n_rejected = 0

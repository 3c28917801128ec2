"""Anderson mixing."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np

from emkit.acceleration.base import Acceleration, Accelerator, Array
from emkit.acceleration.secants import Secants

#: The bound of a step is never below this many times the plain step.
SHORTEST = 1.5


@attrs.frozen
class Anderson(Accelerator):
    """Anderson's mixing of the last points, type II of Fang and Saad (2009) [1]_ [2]_, with two safeguards for EM.

    With residuals ``f = F(x) - x`` and differences between the last points as columns of X (points) and R (residuals),
    the mixture is

        F(x) - (X + R) g,    g = argmin |f - R g|

    the point whose residual would vanish if the EM map were linear. Norms are in units of each entry's scale. The
    oldest columns are dropped until R is well conditioned.

    *Its length* is bounded: of a mixture ``n > longest`` times as far from x as F(x) is, only the share ``longest / n``
    of what it adds to F(x) is kept. The bound grows when a step is accepted and shrinks when one is rejected, as that
    of SQUAREM does. Without it every third proposal is rejected on the Poisson mixture of the London Times deaths, with
    it every sixth.

    *Its direction* may be backwards: next to a saddle, where EM moves away ever faster, the nearest point with a
    vanishing residual is the saddle itself. A mixture that points against the EM step (a cosine below ``backwards``) is
    replaced by the EM step times ``longest``. On the factor analysis of Joreskog, which lingers at such a point, that
    takes 640 E-steps instead of 8600.

    Parameters
    ----------
    memory : int
        Largest number of differences; never more than there are entries.
    condition : float
        Largest condition number of R.
    patience : int
        Rejections in a row after which all differences are forgotten.
    longest : float
        First bound of a step, in lengths of the plain one.
    grow, shrink : float
        By which the bound changes.
    backwards : float
        Cosine of the angle between mixture and EM step below which the mixture is not trusted.

    References
    ----------
    .. [1] D. G. Anderson, Journal of the ACM 12 (1965) 547-560.
    .. [2] H. Fang, Y. Saad, Numerical Linear Algebra with Applications 16 (2009) 197-221, eq. (24).
    """

    memory: int = 5
    condition: float = 1e8
    patience: int = 2
    longest: float = 4.0
    grow: float = 4.0
    shrink: float = 2.0
    backwards: float = -0.5

    def begin(self, scale: Array, fields: Sequence[slice]) -> Acceleration:
        """Return the memory for one run."""
        return AndersonMemory(self, scale, Secants(min(self.memory, len(scale))), self.longest)


@attrs.define(eq=False)
class AndersonMemory(Acceleration):
    """What Anderson mixing remembers during one run."""

    settings: Anderson
    scale: Array
    secants: Secants
    longest: float
    length: float = 1.0
    n_rejected: int = 0
    last: tuple[Array, Array] | None = None

    def propose(self, x: Array, image: Array) -> Array | None:
        """Return the mixture of the last points, of bounded length and not backwards."""
        self.skipped(x, image)
        plain = (image - x) / self.scale
        mixture = self._mix(x, image, plain)
        if mixture is None:
            return None
        step = (mixture - x) / self.scale
        plain_length, step_length = float(np.linalg.norm(plain)), float(np.linalg.norm(step))
        if plain @ step <= self.settings.backwards * plain_length * step_length:
            self.length = self.longest
            return np.asarray(x + self.longest * (image - x))
        self.length = step_length / plain_length
        if self.length > self.longest:
            mixture = image + (mixture - image) * (self.longest / self.length)
            self.length = self.longest
        return np.asarray(mixture)

    def skipped(self, x: Array, image: Array) -> None:
        """Take note of a point."""
        if self.last is not None:
            self.secants.add((x - self.last[0]) / self.scale, (image - self.last[1]) / self.scale)
        self.last = (x, image)

    def judged(self, *, accepted: bool) -> None:
        """Adapt the bound of the length, and forget everything after some rejections in a row."""
        if accepted:
            self.n_rejected = 0
            self.longest = max(self.longest, self.length * self.settings.grow)
            return
        self.n_rejected += 1
        self.longest = max(min(self.length, self.longest) / self.settings.shrink, SHORTEST)
        if self.n_rejected >= self.settings.patience:
            self.secants.clear()
            self.n_rejected = 0

    def _mix(self, x: Array, image: Array, plain: Array) -> Array | None:
        while len(self.secants):
            inputs, images = self.secants.arrays()
            residuals = images - inputs
            if not np.isfinite(residuals).all() or not plain.any():
                self.secants.clear()
                return None
            weights, _, _, size = np.linalg.lstsq(residuals, plain, rcond=None)
            if size[-1] * self.settings.condition >= size[0] > 0:
                return np.asarray(image - self.scale * (images @ weights))
            self.secants.drop_oldest()
        return None

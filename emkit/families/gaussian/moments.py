"""The expected sufficient statistics of K Gaussians."""

from __future__ import annotations

import attrs
import numpy as np

from emkit.families.gaussian.expansions import Array, Booleans

# A component whose share of the total count is below this has left the data: its moments are near the
# smallest numbers a float can hold and their ratios mean nothing.
EMPTY_SHARE = 1e-200


@attrs.frozen(eq=False)
class GaussianMoments:
    """Weighted moments of standardised rows about the current means; they add over rows.

    With ``z = (x - location) / scale``, ``m`` the means in the same units and ``r`` the responsibilities
    times the sample weights:

    Attributes
    ----------
    counts : ndarray of shape (n_components,)
        ``sum_n r_nk``.
    first : ndarray of shape (n_components, n_features)
        ``sum_n r_nk (z_n - m_k)``.
    second : ndarray, shaped like the covariances
        ``sum_n r_nk (z_n - m_k)(z_n - m_k)'``; its diagonal, the sum of its diagonal (spherical) or its sum
        over components (tied).
    """

    counts: Array
    first: Array
    second: Array

    def occupied(self) -> Booleans:
        """Return which components hold rows, as booleans of shape (n_components,)."""
        occupied: Booleans = self.counts > EMPTY_SHARE * self.counts.sum()
        return occupied

    def shifts(self) -> Array:
        """Return the step to the best means, ``first / counts``; zero for a component without rows."""
        occupied = self.occupied()[:, None]
        return np.divide(self.first, self.counts[:, None], out=np.zeros_like(self.first), where=occupied)

"""Angles: von Mises distributions."""

from __future__ import annotations

from typing import Any, final

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy.special import i0e, i1e

from emkit import space
from emkit.families.additive import AdditiveFamily, Sums
from emkit.families.base import Array, Labels
from emkit.families.capped import Capped
from emkit.families.positive.exponential import as_floor
from emkit.families.responsibilities import occupied, row_weights, weighted_means
from emkit.families.roots import decreasing_roots
from emkit.families.supports import Terms, checked

#: Above this concentration the log-density is taken from angles between: its two parts cancel.
LARGE_CONCENTRATION = 1e4
#: Smallest circular variance that rounding leaves any meaning.
SMALLEST_VARIANCE = 1e-12
#: Below this resultant length the concentration is twice the length, to the last digit.
SHORT_RESULTANT = 1e-9


@attrs.frozen(eq=False)
class VonMisesParams:
    """Mean directions and concentrations of K von Mises distributions.

    Attributes
    ----------
    means : (n_components, n_features)
        In radians; a direction may be any of its turns.
    concentrations : (n_components, n_features)
        Zero is uniform; one over the variance in square radians where large.
    caps : (n_features,)
        Largest concentrations allowed: one over the floor times the variance of all rows.
    """

    means: Array = space.real()
    concentrations: Array = space.positive()
    caps: Array = space.fixed()


@final
@attrs.frozen
class VonMises(AdditiveFamily[VonMisesParams]):
    """Independent angles in radians, in every column.

    ``log_density = sum_j concentrations_j * cos(x_j - means_j) - log(2 pi I0(concentrations_j))``

    Attributes
    ----------
    floor : float
        Equal angles have no finite likelihood. The variance of a component, about ``1 / concentration``, may not fall
        below this share of that of all rows.
    """

    floor: float = attrs.field(default=1e-6, converter=as_floor)

    def prepare(self, x: Any, lengths: NDArray[np.intp] | None = None) -> Terms:
        """Return the angles with their cosines and sines."""
        if isinstance(x, Terms):
            return x
        values = checked(x, "VonMises", "angles in radians", np.isfinite, 0.0)
        return Terms.of(values, np.cos(values), np.sin(values))

    def log_density(self, params: VonMisesParams, x: Terms) -> Array:
        """Return ``log p(x[n] | component k)`` in nats, shape (n_samples, n_components)."""
        k, m = params.concentrations, params.means
        constant = -np.log(2 * np.pi * i0e(k)).sum(axis=1)
        if k.max(initial=0.0) <= LARGE_CONCENTRATION:
            coefficients = np.column_stack([k * np.cos(m), k * np.sin(m), constant - k.sum(axis=1)])
            return np.asarray(x.terms @ coefficients.T)
        out = np.tile(constant, (len(x), 1))
        for j, angles in enumerate(x.values.T):
            out -= 2 * k[:, j] * np.sin((angles[:, None] - m[:, j]) / 2) ** 2
        return out

    def statistics(self, params: VonMisesParams, x: Terms, responsibilities: Array) -> Sums:
        """Return the sums of cosines and sines."""
        return Sums(responsibilities.T @ x.terms)

    def blank(self, x: Terms, responsibilities: Array) -> VonMisesParams:
        """Return uniform distributions, and the caps."""
        shape = (responsibilities.shape[1], x.values.shape[1])
        averages = np.average(x.terms[:, :-1], axis=0, weights=row_weights(responsibilities))
        variance = 1 - np.hypot(*np.split(averages, 2))
        typical = np.where(variance > SMALLEST_VARIANCE, 2 * variance, 1.0)
        caps = 1 / np.maximum(self.floor * typical, SMALLEST_VARIANCE)
        return VonMisesParams(np.zeros(shape), np.zeros(shape), caps)

    def m_step(self, params: VonMisesParams, statistics: Sums) -> VonMisesParams:
        """Return the direction of the resultant, and the concentration ``k`` with ``I1(k) / I0(k)`` its length."""
        sums = statistics.totals[:, :-1]
        cosines, sines = np.split(weighted_means(statistics.counts, sums, np.zeros_like(sums)), 2, axis=1)
        # Of all its turns the one next to the previous direction: a jump of a full turn would look like a long step.
        turn = np.arctan2(sines, cosines) - params.means
        means = params.means + np.where((sines == 0) & (cosines == 0), 0.0, np.arctan2(np.sin(turn), np.cos(turn)))
        lengths = np.hypot(cosines, sines)
        filled = occupied(statistics.counts)[:, None]
        concentrations = von_mises_concentrations(lengths, np.broadcast_to(params.caps, lengths.shape))
        return attrs.evolve(
            params,
            means=np.where(filled, means, params.means),
            concentrations=np.where(filled, concentrations, params.concentrations),
        )

    def space(self, params: VonMisesParams) -> dict[str, space.Space]:
        """Return the caps of the concentrations, and radians as the unit of directions."""
        return {"concentrations": Capped(params.caps), "means": space.Real(np.ones_like(params.means))}

    def complete_score(self, params: VonMisesParams, statistics: Sums) -> VonMisesParams:
        """Return the derivatives with respect to directions and concentrations."""
        cosines, sines = np.split(statistics.totals[:, :-1], 2, axis=1)
        k, m = params.concentrations, params.means
        along = cosines * np.cos(m) + sines * np.sin(m)
        across = sines * np.cos(m) - cosines * np.sin(m)
        expected = statistics.counts[:, None] * i1e(k) / i0e(k)
        return VonMisesParams(k * across, along - expected, np.zeros_like(params.caps))

    def features(self, x: Terms) -> Array:
        """Return cosines and sines."""
        return x.terms[:, :-1]

    def mean(self, params: VonMisesParams) -> Array:
        """Return the mean directions, between -pi and pi."""
        return np.arctan2(np.sin(params.means), np.cos(params.means))

    def sample(self, params: VonMisesParams, components: Labels, rng: np.random.Generator) -> Array:
        """Return one row of angles between -pi and pi for each of ``components``."""
        angles = rng.vonmises(self.mean(params)[components], params.concentrations[components])
        return np.arctan2(np.sin(angles), np.cos(angles))


def von_mises_concentrations(lengths: Array, caps: Array) -> Array:
    """Return the concentrations ``k`` with ``I1(k) / I0(k) = lengths``, at most ``caps``."""
    r = np.clip(lengths, 0.0, 1.0).ravel()
    limit = caps.ravel()
    is_short = r < SHORT_RESULTANT
    inner = np.where(is_short, 0.5, r)
    # D. E. Best, N. I. Fisher, Commun. Stat. Simul. Comput. 10 (1981) 493, in the form of A. Banerjee et al. (2005).
    with np.errstate(divide="ignore"):
        start = inner * (2 - inner**2) / np.maximum(1 - inner**2, np.finfo(np.float64).eps)

    def excess(log_k: Array) -> tuple[Array, Array]:
        k = np.exp(log_k)
        ratio = i1e(k) / i0e(k)
        return inner - ratio, -k * (1 - ratio / k - ratio**2)

    # The ratio is below k / 2.
    lower = np.minimum(np.log(2 * inner), np.log(limit))
    found = np.exp(decreasing_roots(excess, np.log(start), lower, np.log(limit)))
    return np.minimum(np.where(is_short, 2 * r, found), limit).reshape(lengths.shape)

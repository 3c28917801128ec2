"""Sizes: gamma distributions."""

from __future__ import annotations

from typing import Any, final

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, gammainc, gammaln, zeta

from emkit import space
from emkit.families.additive import LinearFamily
from emkit.families.base import Array, Labels
from emkit.families.capped import Capped
from emkit.families.positive.curve import curve, curve_of_excess, log_ratio
from emkit.families.positive.exponential import as_floor
from emkit.families.responsibilities import occupied, row_weights, shared_at_start
from emkit.families.roots import decreasing_roots
from emkit.families.student.tails import log_minus_digamma
from emkit.families.supports import Terms, checked

#: Above this shape ``log(shape) - digamma(shape)`` is taken from its asymptotic series: the difference cancels.
LARGE_SHAPE = 100.0
#: Above this shape densities and sums are taken from distances to the mean: the terms they are linear in cancel.
NARROW_SHAPE = 1e3
#: Smallest ``log(mean) - mean(log x)`` that the rounding of the data leaves any meaning; less counts as equal values.
SMALLEST_SPREAD = 1e-30
#: How exact sums of logarithms, or of curves at a mean far off, tell a spread, relative to their size.
SPREAD_RTOL = 1e-14
#: A fit has arrived when shapes move by less than this part.
ARRIVED = 1e-10
MAX_STEPS = 20


@attrs.frozen(eq=False)
class GammaParams:
    """Means and shapes of K gamma distributions.

    Attributes
    ----------
    means : (n_components, n_features)
        In the units of the data; ``scales = means / shapes``.
    shapes : (n_components, n_features)
        One over the squared coefficient of variation.
    caps : (n_features,)
        Largest shapes allowed: one over the floor times the spread of all rows.
    """

    means: Array = space.positive()
    shapes: Array = space.positive()
    caps: Array = space.fixed()

    @property
    def scales(self) -> Array:
        """Means divided by shapes."""
        return self.means / self.shapes


@attrs.frozen(eq=False)
class GammaStatistics:
    """Sums about the current means ``m``, in which nothing cancels however narrow a distribution is.

    Attributes
    ----------
    counts : (n_components,)
        Expected number of rows.
    excesses : (n_components, n_features)
        ``sum_n r_nk e_nk`` with ``e = x / m - 1``.
    curves : (n_components, n_features)
        ``sum_n r_nk (log(1 + e_nk) - e_nk)``.
    """

    counts: Array
    excesses: Array
    curves: Array


@final
@attrs.frozen
class Gamma(LinearFamily[GammaParams]):
    """Independent gamma columns, in means ``m`` and shapes ``k``.

    ``log_density = sum_j (k_j - 1) log(x_j) - k_j x_j / m_j + k_j log(k_j / m_j) - log gamma(k_j)``

    Attributes
    ----------
    floor : float
        Equal values have no finite likelihood. The variance of ``log x`` of a component, about ``1 / shape``, may not
        fall below this share of that of all rows.
    """

    floor: float = attrs.field(default=1e-6, converter=as_floor)

    def prepare(self, x: Any, lengths: NDArray[np.intp] | None = None) -> Terms:
        """Return the data with their logarithms."""
        if isinstance(x, Terms):
            return x
        values = checked(x, "Gamma", "numbers above 0", lambda matrix: matrix > 0, 1.0)
        return Terms.of(values, np.log(values), values)

    def coefficients(self, params: GammaParams) -> Array:
        """Return those of the logarithms, of the data and of one."""
        k, m = params.shapes, params.means
        constant = _log_constant(k) + k * (1 - np.log(m))
        return np.column_stack([k - 1, -k / m, constant.sum(axis=1)])

    def log_density(self, params: GammaParams, x: Terms) -> Array:
        """Return ``log p(x[n] | component k)`` in nats, shape (n_samples, n_components)."""
        if not _is_narrow(params):
            return super().log_density(params, x)
        out = np.zeros((len(x), len(params.shapes)))
        with np.errstate(all="ignore"):
            for j, values in enumerate(x.values.T[:, :, None]):
                out += params.shapes[:, j] * curve(values, params.means[:, j])
                out += _log_constant(params.shapes[:, j]) - np.log(values)
        return out

    def statistics(self, params: GammaParams, x: Terms, responsibilities: Array) -> GammaStatistics:  # type: ignore[override]
        """Return sums about the means of ``params``."""
        m = params.means
        with np.errstate(all="ignore"):
            if not _is_narrow(params):
                totals = responsibilities.T @ x.terms
                counts = totals[:, -1:]
                logs, sums = np.split(totals[:, :-1], 2, axis=1)
                excesses = sums / m - counts
                return GammaStatistics(totals[:, -1], excesses, logs - counts * np.log(m) - excesses)
            excesses, curves = np.empty(m.shape), np.empty(m.shape)
            for j, values in enumerate(x.values.T[:, :, None]):
                excesses[:, j] = np.einsum("nk,nk->k", responsibilities, (values - m[:, j]) / m[:, j])
                curves[:, j] = np.einsum("nk,nk->k", responsibilities, curve(values, m[:, j]))
            return GammaStatistics(responsibilities.sum(axis=0), excesses, curves)

    def blank(self, x: Terms, responsibilities: Array) -> GammaParams:
        """Return shapes of one, and the caps."""
        ones = np.ones((responsibilities.shape[1], x.values.shape[1]))
        weights = row_weights(responsibilities)
        means = np.average(x.values, axis=0, weights=weights)
        spread = -np.average(curve(x.values, means), axis=0, weights=weights)
        # The spread is half the variance of log x. Where all rows are equal, one stands for it.
        typical = np.where(spread > SMALLEST_SPREAD, 2 * spread, 1.0)
        return GammaParams(ones * means, ones, 1 / np.maximum(self.floor * typical, SMALLEST_SPREAD))

    def fit(self, x: Terms, responsibilities: Array, params: GammaParams | None = None) -> GammaParams:
        """Return the maximiser: of a narrow distribution sums about its own mean tell more than those about others."""
        x = self.prepare(x)
        if params is None:
            responsibilities = shared_at_start(responsibilities)
            params = self.blank(x, responsibilities)
        for _ in range(MAX_STEPS):
            before, params = params, self.m_step(params, self.statistics(params, x, responsibilities))
            if not _is_narrow(params) or (np.abs(params.shapes - before.shapes) <= ARRIVED * params.shapes).all():
                break
        return params

    def m_step(self, params: GammaParams, statistics: GammaStatistics) -> GammaParams:
        """Return means, and the shapes that solve ``log(k) - digamma(k) = log(mean) - mean(log x)``."""
        filled = occupied(statistics.counts)[:, None]
        counts = np.where(filled, statistics.counts[:, None], 1.0)
        with np.errstate(over="ignore", invalid="ignore"):
            excess, curves = statistics.excesses / counts, statistics.curves / counts
            means = params.means + params.means * excess
            # Sums of tiny numbers with tiny weights may vanish.
            filled = filled & (means > 0) & np.isfinite(means)
            about = curve_of_excess(np.where(filled, excess, 0.0))
            spread = np.where(filled, about - curves, 1.0)
            size = np.abs(about) if _is_narrow(params) else np.abs(about) + np.abs(np.log(params.means)) + 1
        # Less than rounding leaves of it does not make a shape larger, at this step: sums at the next one tell more.
        shapes = gamma_shapes(np.maximum(spread, SPREAD_RTOL * size), np.broadcast_to(params.caps, spread.shape))
        return attrs.evolve(
            params, means=np.where(filled, means, params.means), shapes=np.where(filled, shapes, params.shapes)
        )

    def space(self, params: GammaParams) -> dict[str, space.Space]:
        """Return the caps of the shapes."""
        return {"shapes": Capped(params.caps)}

    def complete_score(self, params: GammaParams, statistics: GammaStatistics) -> GammaParams:
        """Return the derivatives with respect to means and shapes; ``statistics`` must be taken at ``params``."""
        k, counts = params.shapes, statistics.counts[:, None]
        by_mean = k / params.means * statistics.excesses
        return GammaParams(by_mean, statistics.curves + counts * log_minus_digamma(k), np.zeros_like(params.caps))

    def features(self, x: Terms) -> Array:
        """Return logarithms, in units of the first row: of narrow data all have the same digits before they differ."""
        return log_ratio(x.values, x.values[:1]) if len(x) else x.values

    def mean(self, params: GammaParams) -> Array:
        """Return the means."""
        return params.means

    def cumulative(self, params: GammaParams, x: Terms) -> tuple[Array, Array]:
        """Return the probability up to each row, twice."""
        below = gammainc(params.shapes[:, 0], x.values[:, :1] / params.scales[:, 0])
        return below, below

    def sample(self, params: GammaParams, components: Labels, rng: np.random.Generator) -> Array:
        """Return one row for each of ``components``."""
        return rng.gamma(params.shapes[components], params.scales[components])


def _is_narrow(params: GammaParams) -> bool:
    return bool(params.shapes.max(initial=0.0) > NARROW_SHAPE)


def _log_constant(k: Array) -> Array:
    """Return ``k log(k) - k - log gamma(k)``, from Stirling's series where these cancel."""
    large, small = np.maximum(k, LARGE_SHAPE), np.minimum(k, LARGE_SHAPE)
    series = np.log(large / (2 * np.pi)) / 2 - 1 / (12 * large) + 1 / (360 * large**3)
    return np.where(k > LARGE_SHAPE, series, small * np.log(small) - small - gammaln(small))


def gamma_shapes(spread: Array, caps: Array) -> Array:
    """Return the shapes ``k`` with ``log(k) - digamma(k) = spread``, at most ``caps``."""
    s = np.maximum(spread, SMALLEST_SPREAD / 4).ravel()
    # T. P. Minka, Estimating a Gamma distribution (2002), equation 7: within 1.5 per cent.
    start = (3 - s + np.sqrt((s - 3) ** 2 + 24 * s)) / (12 * s)

    def excess(log_shape: Array) -> tuple[Array, Array]:
        k = np.exp(log_shape)
        inverse = 1 / np.maximum(k, LARGE_SHAPE)
        series = inverse / 2 + inverse**2 / 12 - inverse**4 / 120 + inverse**6 / 252
        slopes = -inverse / 2 - inverse**2 / 6 + inverse**4 / 30 - inverse**6 / 42
        is_large = k > LARGE_SHAPE
        value = np.where(is_large, series, log_shape - digamma(k))
        return value - s, np.where(is_large, slopes, 1 - k * zeta(2, k))

    log_start, log_caps = np.log(start), np.log(caps.ravel())
    # Both ends are safe: 1 / (2 k) < log(k) - digamma(k) < 1 / k.
    lower = np.minimum(-np.log(2 * s), log_caps)
    roots = np.exp(decreasing_roots(excess, log_start, lower, np.minimum(-np.log(s), log_caps)))
    return np.minimum(roots.reshape(spread.shape), caps)

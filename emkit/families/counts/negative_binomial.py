"""Counts that vary more than Poisson's: negative binomial distributions."""

from __future__ import annotations

from typing import Any, final

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, pdtr

from emkit import space
from emkit.families.additive import AdditiveFamily
from emkit.families.base import Array, Labels
from emkit.families.codes import CodedRows
from emkit.families.counts.deviance import log_peak, stirling_error
from emkit.families.counts.dispersion import best_dispersions, chi
from emkit.families.counts.rising import KNOTS, knot_weights
from emkit.families.positive.curve import FAR, curve_of_excess
from emkit.families.responsibilities import occupied, row_weights, shared_at_start, weighted_means
from emkit.families.supports import COUNTS, are_counts, checked

#: A fit has arrived when dispersions move by less than this part.
ARRIVED = 1e-12
MAX_STEPS = 500


@attrs.frozen(eq=False)
class NegativeBinomialParams:
    """Means and dispersions of K negative binomial distributions; the variance is ``mean + dispersion * mean**2``.

    Attributes
    ----------
    means : (n_components, n_features)
    dispersions : (n_components, n_features)
        One over ``sizes``. Zero, the Poisson distribution, for counts that vary no more than that.
    """

    means: Array = space.positive()
    dispersions: Array = space.positive()

    @property
    def sizes(self) -> Array:
        """Sizes, often called r or n: inverses of the dispersions; infinite for Poisson."""
        with np.errstate(divide="ignore"):
            return 1 / self.dispersions


@attrs.frozen(eq=False)
class NegativeBinomialStatistics:
    """Sums, and where the terms ``log(1 + dispersion * j)`` fall.

    Attributes
    ----------
    counts : (n_components,)
        Expected number of rows.
    sums : (n_components, n_features)
    weights : (n_components, n_features, n_knots)
        See :mod:`emkit.families.counts.rising`.
    """

    counts: Array
    sums: Array
    weights: Array


@final
@attrs.frozen
class NegativeBinomial(AdditiveFamily[NegativeBinomialParams]):
    """Independent negative binomial counts in every column, of mean ``m`` and dispersion ``a = 1 / size``.

    ``log_density = sum_j log(1 + a i, over i < x_j) + x_j log(m_j) - (x_j + 1/a) log(1 + a m_j) - log(x_j!)``

    The M-step is exact for counts up to 64 and a bound that touches above.

    Examples
    --------
    >>> import numpy as np
    >>> family = NegativeBinomial()
    >>> x = family.prepare([[0], [1], [1], [9]])
    >>> params = family.fit(x, np.ones((4, 1)))
    >>> params.means.round(3).tolist(), params.sizes.round(3).tolist()
    ([[2.75]], [[0.666]])
    """

    def prepare(self, x: Any, lengths: NDArray[np.intp] | None = None) -> CodedRows:
        """Return the counts as positions among the distinct ones."""
        return x if isinstance(x, CodedRows) else CodedRows.of(checked(x, "NegativeBinomial", COUNTS, are_counts, 0.0))

    def log_density(self, params: NegativeBinomialParams, x: CodedRows) -> Array:
        """Return ``log p(x[n] | component k)`` in nats, shape (n_samples, n_components)."""
        return x.look_up([_log_table(y, *self._column(params, j)) for j, y in enumerate(x.values)])

    def _column(self, params: NegativeBinomialParams, j: int) -> tuple[Array, Array]:
        return params.means[:, j, None], params.dispersions[:, j, None]

    def statistics(
        self, params: NegativeBinomialParams, x: CodedRows, responsibilities: Array
    ) -> NegativeBinomialStatistics:
        """Return counts, sums and the weights of the knots at ``params``."""
        shown = x.count(responsibilities)
        sums = [counts @ y for counts, y in zip(shown, x.values, strict=True)]
        pairs = zip(x.values, shown, params.dispersions.T, strict=True)
        weights = [knot_weights(y, counts, dispersions) for y, counts, dispersions in pairs]
        return NegativeBinomialStatistics(shown[0].sum(axis=1), np.stack(sums, axis=1), np.stack(weights, axis=1))

    def blank(self, x: CodedRows, responsibilities: Array) -> NegativeBinomialParams:
        """Return the mean of all rows, and as dispersion what their variance asks for."""
        values, weights = x.matrix(), row_weights(responsibilities)
        means = np.average(values, axis=0, weights=weights)
        safe = np.where(means > 0, means, 1.0)
        variances = np.average((values / safe - 1) ** 2, axis=0, weights=weights)
        dispersions = np.where(means > 0, np.maximum(variances - 1 / safe, 0.0), 0.0)
        shape = (responsibilities.shape[1], 1)
        return NegativeBinomialParams(np.tile(means, shape), np.tile(dispersions, shape))

    def fit(
        self, x: CodedRows, responsibilities: Array, params: NegativeBinomialParams | None = None
    ) -> NegativeBinomialParams:
        """Return the maximiser: one M-step where no count exceeds 64, else as many as it takes."""
        x = self.prepare(x)
        if params is None:
            responsibilities = shared_at_start(responsibilities)
            params = self.blank(x, responsibilities)
        for _ in range(MAX_STEPS):
            before, params = params, self.m_step(params, self.statistics(params, x, responsibilities))
            change = np.abs(params.dispersions - before.dispersions)
            if (change <= ARRIVED * params.dispersions).all():
                break
        return params

    def m_step(self, params: NegativeBinomialParams, statistics: NegativeBinomialStatistics) -> NegativeBinomialParams:
        """Return means, and dispersions where the derivative of the bound at these means is zero."""
        means = weighted_means(statistics.counts, statistics.sums, params.means)
        n_components, n_features = means.shape
        filled = np.repeat(occupied(statistics.counts), n_features) & (statistics.sums.ravel() > 0)
        dispersions = params.dispersions.ravel().copy()
        if filled.any():
            counts = np.repeat(statistics.counts, n_features)[filled]
            weights = statistics.weights.reshape(n_components * n_features, -1)[filled] / counts[:, None]
            dispersions[filled] = best_dispersions(weights, means.ravel()[filled], dispersions[filled])
        return NegativeBinomialParams(means, dispersions.reshape(means.shape))

    def complete_score(
        self, params: NegativeBinomialParams, statistics: NegativeBinomialStatistics
    ) -> NegativeBinomialParams:
        """Return the derivatives with respect to means and dispersions."""
        counts, a, m = statistics.counts[:, None], params.dispersions, params.means
        # Sums about the means and terms from one on: of large counts the parts are huge and their differences are not.
        excess, growth = statistics.sums - m * counts, 1 + a * m
        by_mean = np.where(m > 0, excess / (np.where(m > 0, m, 1.0) * growth), np.where(excess > 0, np.inf, -counts))
        terms = 1 / (1 + a[:, :, None] * KNOTS)
        small = (
            (statistics.weights * KNOTS * terms).sum(axis=2) - statistics.sums * m / growth + counts * m**2 * chi(a * m)
        )
        safe = np.where(a * m > 1, a, 1.0)
        large = counts * np.log1p(a * m) / safe + excess / growth - (statistics.weights * terms).sum(axis=2)
        return NegativeBinomialParams(by_mean, np.where(a * m > 1, large / safe, small))

    def features(self, x: CodedRows) -> Array:
        """Return square roots."""
        return np.sqrt(x.matrix())

    def mean(self, params: NegativeBinomialParams) -> Array:
        """Return the means."""
        return params.means

    def cumulative(self, params: NegativeBinomialParams, x: CodedRows) -> tuple[Array, Array]:
        """Return the probabilities below, and up to, each row."""
        y, a, m = x.matrix()[:, :1], params.dispersions[:, 0], params.means[:, 0]
        success = 1 / (1 + a * m)

        def up_to(values: Array) -> Array:
            negative_binomial = betainc(1 / np.where(a > 0, a, 1.0), np.maximum(values, 0) + 1, success)
            return np.where(values < 0, 0.0, np.where(a > 0, negative_binomial, pdtr(np.maximum(values, 0), m)))

        return up_to(y - 1), up_to(y)

    def sample(self, params: NegativeBinomialParams, components: Labels, rng: np.random.Generator) -> Array:
        """Return one row of counts for each of ``components``: Poisson, with rates that vary like a gamma."""
        a, m = params.dispersions[components], params.means[components]
        safe = np.where(a > 0, a, 1.0)
        rates = np.where(a > 0, rng.gamma(1 / safe, safe * m), m)
        return rng.poisson(rates).astype(np.float64)


def _log_table(y: Array, m: Array, a: Array) -> Array:
    """Return the log-density as distances of the counts from their means; see :mod:`emkit.families.counts.deviance`.

    With ``r = 1 / a`` it is that of r and y in ``y + r`` binomial trials, times ``r / (y + r)``: a fall for each of
    both, whose excesses are multiples of ``y - m``.
    """
    with np.errstate(all="ignore"):
        counts, safe = np.where(y > 0, y, 1.0), np.where(a > 0, a, 1.0)
        spread, grown = 1 + a * m, np.log1p(a * y)
        of_sizes = _fall(a * (y - m) / spread, grown - np.log1p(a * m)) / safe
        of_counts = counts * _fall((m - counts) / (counts * spread), np.log(m / counts) + grown - np.log1p(a * m))
        errors = stirling_error(counts + 1 / safe) - stirling_error(1 / safe)
        shared = np.where(a > 0, of_sizes + errors, 0.0) - grown / 2
        zeros = np.where(a > 0, -np.log1p(a * m) / safe, -m)
        return np.where(y > 0, shared + of_counts + log_peak(counts), zeros)


def _fall(excess: Array, logarithm: Array) -> Array:
    """Return ``log(1 + excess) - excess``, far from zero from the logarithm itself."""
    return np.where(np.abs(excess) < FAR, curve_of_excess(excess), logarithm - excess)

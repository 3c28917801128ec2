"""Counts with a Poisson distribution."""

from __future__ import annotations

from typing import Any, final

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, pdtr

from emkit import space
from emkit.families.additive import LinearFamily, Sums
from emkit.families.base import Array, Labels
from emkit.families.counts.deviance import LARGE_COUNT, log_fall, log_peak
from emkit.families.priors import GammaPrior, optional_prior
from emkit.families.responsibilities import occupied
from emkit.families.supports import COUNTS, Terms, are_counts, checked, finite_log


@attrs.frozen(eq=False)
class PoissonParams:
    """Rates of K Poisson distributions, (n_components, n_features); zero where only zeros are seen."""

    rates: Array = space.positive()


@final
@attrs.frozen
class Poisson(LinearFamily[PoissonParams]):
    """Independent Poisson counts in every column.

    ``log_density = sum_j x_j log(rates_j) - rates_j - log(x_j!)``

    Attributes
    ----------
    prior : GammaPrior, optional
        Of the rates, which are then ``(sums + shape - 1) / (counts + rate)``.

    Examples
    --------
    >>> import numpy as np
    >>> family = Poisson()
    >>> x = family.prepare([[1], [2], [6]])
    >>> family.fit(x, np.array([[1, 0], [1, 0], [0, 1]])).rates.tolist()
    [[1.5], [6.0]]
    """

    prior: GammaPrior | None = attrs.field(default=None, validator=optional_prior(GammaPrior))

    def prepare(self, x: Any, lengths: NDArray[np.intp] | None = None) -> Terms:
        """Return the counts with the logarithms of their factorials."""
        if isinstance(x, Terms):
            return x
        values = checked(x, "Poisson", COUNTS, are_counts, 0.0)
        return Terms.of(values, values, -gammaln(values + 1).sum(axis=1))

    def log_density(self, params: PoissonParams, x: Terms) -> Array:
        """Return ``log p(x[n] | component k)`` in nats, shape (n_samples, n_components)."""
        if x.values.max(initial=0.0) <= LARGE_COUNT:
            return super().log_density(params, x)
        out = np.zeros((len(x), len(params.rates)))
        for counts, rates in zip(x.values.T, params.rates.T, strict=True):
            out += log_fall(counts[:, None], rates) + log_peak(counts)[:, None]
        return out

    def coefficients(self, params: PoissonParams) -> Array:
        """Return those of the counts, of the log factorials and of one."""
        ones = np.ones(len(params.rates))
        return np.column_stack([finite_log(params.rates), ones, -params.rates.sum(axis=1)])

    def blank(self, x: Terms, responsibilities: Array) -> PoissonParams:
        """Return rates of one."""
        return PoissonParams(np.ones((responsibilities.shape[1], x.values.shape[1])))

    def m_step(self, params: PoissonParams, statistics: Sums) -> PoissonParams:
        """Return mean counts, or posterior modes."""
        filled = occupied(statistics.counts)[:, None]
        divisor, sums = statistics.counts[:, None], statistics.totals[:, :-2]
        if self.prior is not None:
            divisor, sums = divisor + self.prior.rate, sums + self.prior.shape - 1
        return PoissonParams(np.where(filled, sums / np.where(filled, divisor, 1.0), params.rates))

    def log_prior(self, params: PoissonParams) -> float:
        """Return the log-density of the prior of the rates."""
        return 0.0 if self.prior is None else self.prior.log_density(params.rates)

    def complete_score(self, params: PoissonParams, statistics: Sums) -> PoissonParams:
        """Return ``sums / rates - counts``; where a rate is zero and so is the sum, minus the count."""
        sums = statistics.totals[:, :-2]
        safe = np.where(params.rates > 0, params.rates, 1.0)
        ratio = np.where(params.rates > 0, sums / safe, np.where(sums > 0, np.inf, 0.0))
        return attrs.evolve(params, rates=ratio - statistics.counts[:, None])

    def features(self, x: Terms) -> Array:
        """Return square roots, whose variance does not depend on the rate."""
        return np.sqrt(x.values)

    def mean(self, params: PoissonParams) -> Array:
        """Return the rates."""
        return params.rates

    def cumulative(self, params: PoissonParams, x: Terms) -> tuple[Array, Array]:
        """Return the probabilities below, and up to, each row."""
        values, rates = x.values[:, :1], params.rates[:, 0]
        return np.where(values > 0, pdtr(np.maximum(values - 1, 0), rates), 0.0), pdtr(values, rates)

    def sample(self, params: PoissonParams, components: Labels, rng: np.random.Generator) -> Array:
        """Return one row of counts for each of ``components``."""
        return rng.poisson(params.rates[components]).astype(np.float64)

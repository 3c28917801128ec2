"""Yes and no, and how often each of several things happened: Bernoulli and multinomial distributions."""

from __future__ import annotations

from typing import Any, final

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from emkit import space
from emkit.arrays import whole_number
from emkit.families.additive import LinearFamily, Sums
from emkit.families.base import Array, Labels
from emkit.families.counts.deviance import LARGE_COUNT, log_fall, log_peak
from emkit.families.priors import BetaPrior, DirichletPrior, optional_prior
from emkit.families.responsibilities import occupied, row_weights, weighted_means
from emkit.families.supports import COUNTS, Terms, are_counts, checked, finite_log


@attrs.frozen(eq=False)
class BernoulliParams:
    """Probabilities of a one, (n_components, n_features)."""

    probabilities: Array = space.unit_interval()


@final
@attrs.frozen
class Bernoulli(LinearFamily[BernoulliParams]):
    """Independent zeros and ones in every column.

    ``log_density = sum_j x_j log(probabilities_j) + (1 - x_j) log(1 - probabilities_j)``

    Attributes
    ----------
    prior : BetaPrior, optional
        Of the probabilities, which are then ``(sums + a - 1) / (counts + a + b - 2)``.
    """

    prior: BetaPrior | None = attrs.field(default=None, validator=optional_prior(BetaPrior))

    def prepare(self, x: Any, lengths: NDArray[np.intp] | None = None) -> Terms:
        """Return the data beside their complement."""
        if isinstance(x, Terms):
            return x
        values = checked(x, "Bernoulli", "0 or 1", lambda matrix: (matrix == 0) | (matrix == 1), 0.0)
        return Terms.of(values, values, 1 - values)

    def coefficients(self, params: BernoulliParams) -> Array:
        """Return those of ones, of zeros and of one."""
        logs = [finite_log(params.probabilities), finite_log(1 - params.probabilities)]
        return np.column_stack([*logs, np.zeros(len(params.probabilities))])

    def blank(self, x: Terms, responsibilities: Array) -> BernoulliParams:
        """Return probabilities of one half."""
        return BernoulliParams(np.full((responsibilities.shape[1], x.values.shape[1]), 0.5))

    def m_step(self, params: BernoulliParams, statistics: Sums) -> BernoulliParams:
        """Return shares of ones, or posterior modes."""
        filled = occupied(statistics.counts)[:, None]
        ones, zeros = np.split(statistics.totals[:, :-1], 2, axis=1)
        if self.prior is not None:
            ones, zeros = ones + self.prior.a - 1, zeros + self.prior.b - 1
        # The sum of both, and not the counts: rounding must not carry a share beyond one.
        shares = ones / np.where(filled, ones + zeros, 1.0)
        return BernoulliParams(np.where(filled, shares, params.probabilities))

    def log_prior(self, params: BernoulliParams) -> float:
        """Return the log-density of the prior of the probabilities."""
        return 0.0 if self.prior is None else self.prior.log_density(params.probabilities)

    def complete_score(self, params: BernoulliParams, statistics: Sums) -> BernoulliParams:
        """Return ``ones / p - zeros / (1 - p)``."""
        ones, zeros = np.split(statistics.totals[:, :-1], 2, axis=1)
        p = params.probabilities
        return attrs.evolve(params, probabilities=_ratio(ones, p) - _ratio(zeros, 1 - p))

    def mean(self, params: BernoulliParams) -> Array:
        """Return the probabilities."""
        return params.probabilities

    def cumulative(self, params: BernoulliParams, x: Terms) -> tuple[Array, Array]:
        """Return the probabilities below, and up to, each row."""
        is_one, zero = x.values[:, :1] == 1, 1 - params.probabilities[:, 0]
        return np.where(is_one, zero, 0.0), np.where(is_one, 1.0, zero)

    def sample(self, params: BernoulliParams, components: Labels, rng: np.random.Generator) -> Array:
        """Return one row of zeros and ones for each of ``components``."""
        p = params.probabilities[components]
        return (rng.random(p.shape) < p).astype(np.float64)


@attrs.frozen(eq=False)
class MultinomialParams:
    """Probabilities of the categories, and how many trials a row has.

    Attributes
    ----------
    probabilities : (n_components, n_categories)
    n_trials : float
        Mean number of trials of the rows of the data; what :meth:`Multinomial.sample` draws, rounded.
    """

    probabilities: Array = space.simplex()
    n_trials: Array = space.fixed()


def _as_n_trials(value: Any) -> int | None:
    return None if value is None else whole_number(value, "n_trials")


@final
@attrs.frozen
class Multinomial(LinearFamily[MultinomialParams]):
    """Rows of counts, one column for each category; rows may differ in their numbers of trials.

    ``log_density = log(n! / prod_j x_j!) + sum_j x_j log(probabilities_j)`` with ``n = sum_j x_j``, which is given.

    Attributes
    ----------
    n_trials : int, optional
        What the counts of every row must add up to; default: anything.
    prior : DirichletPrior, optional
        Of the probabilities, which are then proportional to ``sums + concentration - 1``.
    """

    n_trials: int | None = attrs.field(default=None, converter=_as_n_trials)
    prior: DirichletPrior | None = attrs.field(default=None, validator=optional_prior(DirichletPrior))

    def prepare(self, x: Any, lengths: NDArray[np.intp] | None = None) -> Terms:
        """Return the counts with the logarithms of the multinomial coefficients."""
        if isinstance(x, Terms):
            return x
        values = checked(x, "Multinomial", COUNTS, are_counts, 0.0)
        self._check_totals(np.asarray(x, dtype=np.float64).sum(axis=1))
        return Terms.of(values, values, gammaln(values.sum(axis=1) + 1) - gammaln(values + 1).sum(axis=1))

    def _check_totals(self, totals: Array) -> None:
        wrong = ~np.isnan(totals) & (totals != self.n_trials)
        if self.n_trials is not None and wrong.any():
            row = int(np.argmax(wrong))
            msg = (
                f"The counts of row {row} add up to {totals[row]:g}; Multinomial(n_trials={self.n_trials}) expects "
                f"{self.n_trials}. Leave n_trials out if rows may differ."
            )
            raise ValueError(msg)

    def log_density(self, params: MultinomialParams, x: Terms) -> Array:
        """Return ``log p(x[n] | component k)`` in nats, shape (n_samples, n_components)."""
        trials = x.values.sum(axis=1)
        if trials.max(initial=0.0) <= LARGE_COUNT:
            return super().log_density(params, x)
        # Independent Poisson counts of these means, given their sum. A fall hardly moves if probabilities add up to one
        # but for rounding; the sum of counts times logarithms would, by as much times the trials.
        out = np.tile(-log_peak(trials)[:, None], len(params.probabilities))
        for counts, column in zip(x.values.T, params.probabilities.T, strict=True):
            out += log_fall(counts[:, None], trials[:, None] * column) + log_peak(counts)[:, None]
        return out

    def coefficients(self, params: MultinomialParams) -> Array:
        """Return those of the counts, of the log multinomial coefficients and of one."""
        n_components = len(params.probabilities)
        return np.column_stack([finite_log(params.probabilities), np.ones(n_components), np.zeros(n_components)])

    def blank(self, x: Terms, responsibilities: Array) -> MultinomialParams:
        """Return equal probabilities, and the mean number of trials."""
        n_categories = x.values.shape[1]
        equal = np.full((responsibilities.shape[1], n_categories), 1 / n_categories)
        trials = np.average(x.values.sum(axis=1), weights=row_weights(responsibilities))
        return MultinomialParams(equal, np.asarray(trials if self.n_trials is None else self.n_trials))

    def m_step(self, params: MultinomialParams, statistics: Sums) -> MultinomialParams:
        """Return shares of the categories, or posterior modes."""
        sums = statistics.totals[:, :-2]
        if self.prior is not None:
            sums = sums + self.prior.counts(sums.shape)
        trials = np.where(occupied(statistics.counts), sums.sum(axis=1), 0.0)
        return attrs.evolve(params, probabilities=weighted_means(trials, sums, params.probabilities))

    def log_prior(self, params: MultinomialParams) -> float:
        """Return the log-density of the prior of the probabilities."""
        return 0.0 if self.prior is None else self.prior.log_density(params.probabilities)

    def complete_score(self, params: MultinomialParams, statistics: Sums) -> MultinomialParams:
        """Return ``sums / probabilities``, of which only the directions within the simplex mean anything."""
        score = _ratio(statistics.totals[:, :-2], params.probabilities)
        return MultinomialParams(score, np.zeros_like(params.n_trials))

    def features(self, x: Terms) -> Array:
        """Return shares of the categories."""
        return np.asarray(x.values / np.maximum(x.values.sum(axis=1, keepdims=True), 1.0))

    def mean(self, params: MultinomialParams) -> Array:
        """Return the expected counts of ``n_trials``."""
        return np.asarray(params.probabilities * params.n_trials)

    def simulate(self, params: MultinomialParams, components: Labels, x: Array, rng: np.random.Generator) -> Array:
        """Return rows drawn with as many trials as those of ``x``; NaN where these miss."""
        trials = x.sum(axis=1)
        missing = np.isnan(trials)
        drawn = rng.multinomial(np.where(missing, 0, trials).astype(np.int64), params.probabilities[components])
        rows: Array = np.where(missing[:, None], np.nan, drawn)
        return rows

    def sample(self, params: MultinomialParams, components: Labels, rng: np.random.Generator) -> Array:
        """Return one row of counts for each of ``components``, of ``n_trials`` trials."""
        n_trials = round(float(params.n_trials))
        return rng.multinomial(n_trials, params.probabilities[components]).astype(np.float64)


def _ratio(numerator: Array, denominator: Array) -> Array:
    """Return ratios; zero over zero is zero."""
    safe = np.where(denominator > 0, denominator, 1.0)
    return np.where(denominator > 0, numerator / safe, np.where(numerator > 0, np.inf, 0.0))

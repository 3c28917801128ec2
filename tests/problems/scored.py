"""Models that give exact scores, for tests of scores, polish and standard errors.

Scores are gradients with respect to *every* entry of the params, as if no entry were tied to another: proportions are
differentiated without their sum, and a covariance entry by entry (so a symmetric matrix has a symmetric gradient, and
the derivative along a symmetric direction is the sum of the elementwise product). The log-likelihood is extended by
the formula of the E-step, so that it can be differenced entry by entry outside the space as well.

``complete_score`` is the gradient of the expected complete-data log-likelihood. At the params of the E-step it equals
the observed score (Fisher's identity; Louis 1982, JRSS B 44:226).
"""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
from toys import Linkage, LinkageParams, PoissonMixture, PoissonMixtureParams

import emkit
from emkit import space


class ScoredLinkage(Linkage):
    """Genetic linkage with its score; the complete-data log-likelihood is ``ones log(t) + zeros log(1 - t)``."""

    def complete_score(self, params: LinkageParams, statistics: Any) -> LinkageParams:
        ones, zeros = statistics
        return LinkageParams(float(ones / params.theta - zeros / (1 - params.theta)))


@attrs.frozen
class ScoredPoissonMixture(PoissonMixture):
    """The Poisson mixture with its scores.

    A row of the data is a value and how often it was seen, and its contribution is that of all these observations
    together. Where each observation must count by itself (outer products of scores), give every value the count 1.
    """

    def complete_score(self, params: PoissonMixtureParams, statistics: Any) -> PoissonMixtureParams:
        counts, sums = statistics["counts"], statistics["sums"]
        return PoissonMixtureParams(counts / params.weights, sums / params.rates - counts)

    def score_contributions(self, params: PoissonMixtureParams, data: Any) -> PoissonMixtureParams:
        y, n = data
        log_joint = np.log(params.weights) + y[:, None] * np.log(params.rates) - params.rates
        joint = np.exp(log_joint - log_joint.max(axis=1, keepdims=True))
        shares = n[:, None] * joint / joint.sum(axis=1, keepdims=True)
        return PoissonMixtureParams(shares / params.weights, shares * (y[:, None] / params.rates - 1))


def one_row_each(data: Any) -> Any:
    """Return data (values, counts) of a Poisson mixture with every observation in a row of its own."""
    y, n = data
    values = np.repeat(y, n.astype(int))
    return values, np.ones(len(values))


@attrs.frozen(eq=False)
class AlleleParams:
    """Frequencies of the alleles A, B, O."""

    frequencies: np.ndarray = space.simplex()


@attrs.frozen
class BloodGroups(emkit.LatentModel):
    """ABO blood groups from counts of the phenotypes A, B, AB, O under Hardy-Weinberg equilibrium.

    ``log_likelihood = nA log(a**2 + 2 a o) + nB log(b**2 + 2 b o) + nAB log(2 a b) + nO log(o**2)``, without the
    multinomial constant. Statistics: the expected number of each allele.
    """

    def e_step(self, params: AlleleParams, data: Any) -> emkit.EStep:
        a, b, o = params.frequencies
        n_a, n_b, n_ab, n_o = data
        group_a, group_b = a * a + 2 * a * o, b * b + 2 * b * o
        # Phenotype A is genotype AA (two of allele A) or AO (one each); likewise B.
        alleles = np.array(
            [
                n_a * (2 * a * a + 2 * a * o) / group_a + n_ab,
                n_b * (2 * b * b + 2 * b * o) / group_b + n_ab,
                n_a * 2 * a * o / group_a + n_b * 2 * b * o / group_b + 2 * n_o,
            ]
        )
        total = n_a * np.log(group_a) + n_b * np.log(group_b) + n_ab * np.log(2 * a * b) + 2 * n_o * np.log(o)
        return emkit.EStep(alleles, float(total), float(np.sum(data)))

    def m_step(self, params: AlleleParams, statistics: Any) -> AlleleParams:
        return AlleleParams(statistics / statistics.sum())

    def initialize(self, data: Any, rng: np.random.Generator) -> AlleleParams:
        return AlleleParams(rng.dirichlet(np.full(3, 3.0)))

    def complete_score(self, params: AlleleParams, statistics: Any) -> AlleleParams:
        return AlleleParams(statistics / params.frequencies)


#: Phenotypes A, B, AB, O of 521 ulcer patients (Clarke et al. 1959, Brit. Med. J. i:603; Lange 2010, Numerical
#: Analysis for Statisticians, section 13.3).
BLOOD_COUNTS = np.array([186.0, 38.0, 13.0, 284.0])


@attrs.frozen(eq=False)
class NormalParams:
    mean: np.ndarray = space.real()
    covariance: np.ndarray = space.covariance()


@attrs.frozen(eq=False)
class NormalStatistics:
    """Rows, their expected sum and the expected sum of their outer products."""

    count: float
    first: np.ndarray
    second: np.ndarray


@attrs.frozen
class IncompleteNormal(emkit.LatentModel):
    """One multivariate normal of which entries are missing (NaN), in any pattern; data (n_rows, n_columns).

    Rows with the same entries seen are treated together (Little and Rubin 2019, section 11.2).
    """

    def e_step(self, params: NormalParams, data: Any) -> emkit.EStep:
        size = data.shape[1]
        first, second, total = np.zeros(size), np.zeros((size, size)), 0.0
        for seen, rows in _patterns(data):
            inside = params.covariance[np.ix_(seen, seen)]
            gain = np.linalg.solve(inside, params.covariance[seen]).T
            residuals = data[np.ix_(rows, seen)] - params.mean[seen]
            filled = params.mean + residuals @ gain.T
            first += filled.sum(axis=0)
            second += filled.T @ filled + len(rows) * (params.covariance - gain @ params.covariance[seen])
            distance = np.sum(residuals * np.linalg.solve(inside, residuals.T).T)
            total -= (distance + len(rows) * np.linalg.slogdet(2 * np.pi * inside)[1]) / 2
        return emkit.EStep(NormalStatistics(float(len(data)), first, second), float(total), float(len(data)))

    def m_step(self, params: NormalParams, statistics: NormalStatistics) -> NormalParams:
        mean = statistics.first / statistics.count
        covariance = statistics.second / statistics.count - np.outer(mean, mean)
        return NormalParams(mean, (covariance + covariance.T) / 2)

    def initialize(self, data: Any, rng: np.random.Generator) -> NormalParams:
        spread = np.nanstd(data, axis=0)
        return NormalParams(
            np.nanmean(data, axis=0) + 0.5 * spread * rng.standard_normal(len(spread)), np.diag(spread**2)
        )

    def complete_score(self, params: NormalParams, statistics: NormalStatistics) -> NormalParams:
        precision = np.linalg.inv(params.covariance)
        cross = np.outer(params.mean, statistics.first)
        scatter = statistics.second - cross - cross.T + statistics.count * np.outer(params.mean, params.mean)
        return NormalParams(
            precision @ (statistics.first - statistics.count * params.mean),
            (precision @ scatter @ precision - statistics.count * precision) / 2,
        )

    def score_contributions(self, params: NormalParams, data: Any) -> NormalParams:
        means, covariances = np.zeros(data.shape), np.zeros((*data.shape, data.shape[1]))
        for seen, rows in _patterns(data):
            precision = np.linalg.inv(params.covariance[np.ix_(seen, seen)])
            pulls = (data[np.ix_(rows, seen)] - params.mean[seen]) @ precision
            means[np.ix_(rows, seen)] = pulls
            covariances[np.ix_(rows, seen, seen)] = (pulls[:, :, None] * pulls[:, None, :] - precision) / 2
        return NormalParams(means, covariances)


def _patterns(data: Any) -> Any:
    """Yield the columns seen and the rows where exactly they are, for every pattern with a value at all."""
    patterns, which = np.unique(~np.isnan(data), axis=0, return_inverse=True)
    for index, pattern in enumerate(patterns):
        if pattern.any():
            yield np.flatnonzero(pattern), np.flatnonzero(which == index)


#: Apple crop: size of crop (hundreds of fruits) and percentage of wormy fruits of 18 trees, the latter missing for the
#: last six (Snedecor and Cochran 1967, Statistical Methods, table 6.9.1; the example of Meng and Rubin 1991, JASA 86).
APPLE_CROP = np.array(
    [
        *([8, 59], [6, 58], [11, 56], [22, 53], [14, 50], [17, 45], [18, 43], [24, 42], [19, 39], [23, 38], [26, 30]),
        *([40, 27], [4, np.nan], [4, np.nan], [5, np.nan], [6, np.nan], [8, np.nan], [10, np.nan]),
    ]
)
#: Complete trees give mean and variance of the crop; the regression on it gives the rest (Anderson 1957).
APPLE_MEAN = np.array([14.722222, 49.333333])
APPLE_COVARIANCE = np.array([[89.533951, -90.696729], [-90.696729, 114.694955]])
APPLE_OPTIMUM = -101.785632128

"""Small models whose answers are known, for tests of the core."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs
import numpy as np
from scipy.special import gammaln

import emkit
from emkit import space


@attrs.frozen(eq=False)
class LinkageParams:
    theta: float = attrs.field(metadata={"emkit.space": space.UnitInterval()})


class Linkage(emkit.LatentModel):
    """Genetic linkage of Dempster, Laird and Rubin (1977, section 1): 125, 18, 20, 34 animals in four classes.

    Cell probabilities (2 + t)/4, (1 - t)/4, (1 - t)/4, t/4; the first cell is the sum of 1/2 and t/4.
    """

    def e_step(self, params, data):
        y1, y2, y3, y4 = data
        t = params.theta
        hidden = y1 * t / (2 + t)
        kernel = y1 * np.log(2 + t) + (y2 + y3) * np.log(1 - t) + y4 * np.log(t)
        return emkit.EStep((hidden + y4, y2 + y3), float(kernel), float(np.sum(data)))

    def m_step(self, params, statistics):
        ones, zeros = statistics
        return LinkageParams(float(ones / (ones + zeros)))

    def initialize(self, data, rng):
        return LinkageParams(float(rng.uniform(0.05, 0.95)))


LINKAGE_DATA = np.array([125.0, 18.0, 20.0, 34.0])
#: Root of the likelihood equation 197 t^2 - 15 t - 68 = 0.
LINKAGE_OPTIMUM = (15 + np.sqrt(53809)) / 394


class PoissonVector:
    """Two Poisson components as the vector (p, lambda_1, lambda_2), nothing declared: the example of R's SQUAREM."""

    def e_step(self, params, data):
        y, days = data
        p, one, two = params
        a = p * np.exp(-one) * one**y
        b = (1 - p) * np.exp(-two) * two**y
        share = a / (a + b)
        statistics = (days @ share, (days * y) @ share, (days * y) @ (1 - share), days.sum())
        return statistics, float(days @ (np.log(a + b) - gammaln(y + 1)))

    def m_step(self, params, statistics):
        first, first_sum, second_sum, total = statistics
        return np.array([first / total, first_sum / first, second_sum / (total - first)])


#: Days with 0..9 deaths of women over 80, The Times of London, 1910-1912 (Hasselblad 1969, JASA 64:1459).
DEATHS = (np.arange(10.0), np.array([162.0, 267, 271, 185, 111, 61, 27, 8, 3, 1]))
#: Where R's SQUAREM package starts in its demonstration.
SQUAREM_DEMO_START = np.array([0.44629444987719813, 5.34339807302638548, 0.87135129826869884])


@attrs.frozen(eq=False)
class PoissonMixtureParams:
    weights: np.ndarray = space.simplex()
    rates: np.ndarray = space.positive()


@attrs.frozen
class PoissonMixture(emkit.LatentModel):
    """A Poisson mixture on data (values, how often each was seen), with every capability a toy can have."""

    n_components: int = 2
    leaf_rows: ClassVar[int | None] = 4

    def e_step(self, params: PoissonMixtureParams, data: Any) -> emkit.EStep:
        y, n = data
        with np.errstate(divide="ignore"):
            log_joint = np.log(params.weights) + y[:, None] * np.log(params.rates) - params.rates
        top = log_joint.max(axis=1, keepdims=True)
        joint = np.exp(log_joint - top)
        total = joint.sum(axis=1, keepdims=True)
        shares = n[:, None] * joint / total
        log_density = (top + np.log(total))[:, 0] - gammaln(y + 1)
        return emkit.EStep({"counts": shares.sum(axis=0), "sums": y @ shares}, float(n @ log_density), float(n.sum()))

    def m_step(self, params: PoissonMixtureParams, statistics: Any) -> PoissonMixtureParams:
        counts, sums = statistics["counts"], statistics["sums"]
        return PoissonMixtureParams(counts / counts.sum(), sums / counts)

    def initialize(self, data: Any, rng: np.random.Generator) -> PoissonMixtureParams:
        y, n = data
        rates = rng.uniform(0.2, 2.0, self.n_components) * (y @ n / n.sum())
        return PoissonMixtureParams(rng.dirichlet(np.full(self.n_components, 5.0)), rates)

    def log_likelihood(self, params: PoissonMixtureParams, data: Any) -> float:
        y, n = data
        density = sum(
            w * np.exp(y * np.log(r) - r - gammaln(y + 1)) for w, r in zip(params.weights, params.rates, strict=True)
        )
        return float(n @ np.log(density))

    def sample(self, params: PoissonMixtureParams, n: int, rng: np.random.Generator) -> Any:
        component = rng.choice(len(params.weights), size=n, p=params.weights)
        values, counts = np.unique(rng.poisson(params.rates[component]), return_counts=True)
        return values.astype(float), counts.astype(float)


class Turnbull:
    """Nonparametric estimate for interval-censored times (Turnbull 1976); the params are a bare array.

    Data: ``inside[i, j]`` is 1 where interval j lies within the observation of patient i.
    """

    def e_step(self, params, data):
        density = data @ params
        return params * (data.T @ (1 / density)), float(np.log(density).sum())

    def m_step(self, params, statistics):
        return statistics / statistics.sum()


def _numbers(text):
    return np.array(text.split(), dtype=float)


def _turnbull_data():
    # Time to cosmetic deterioration of 46 breast-cancer patients under radiotherapy alone, in months; inf where it
    # was not seen (Finkelstein and Wolfe 1985, Biometrics 41:933, table 4).
    lower = _numbers(
        "45 6 0 46 46 7 17 7 37 0 4 15 11 22 46 46 25 46 26 46 27 36 46 36 37 40 17 46 11 38 5 37 0 18 24 36"
        " 5 19 17 24 32 33 19 37 34 36"
    )
    upper = _numbers(
        "inf 10 7 inf inf 16 inf 14 44 8 11 inf 15 inf inf inf 37 inf 40 inf 34 44 inf 48 inf inf 25 inf 18 inf 12"
        " inf 5 inf inf inf 11 35 25 inf inf inf 26 inf inf inf"
    )
    # Turnbull's innermost intervals: from a left end to the next right end with no other left end between.
    ends = _numbers("4 5 6 7 7 8 11 12 15 16 17 18 24 25 25 26 33 34 34 35 36 37 38 40 40 44 46 48")
    start, stop = ends[0::2], ends[1::2]
    return ((start >= lower[:, None]) & (stop <= upper[:, None])).astype(float)


TURNBULL_DATA = _turnbull_data()
TURNBULL_OPTIMUM = -58.06002195399099

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


@attrs.frozen
class Parabola(emkit.LatentModel):
    """EM with known rates: every step brings entry i nearer to its target by ``rates[i]``.

    The params are a bare array, the log-likelihood is ``-sum(curvatures * (params - target)**2)``, and data do not
    matter. With one rate for all entries the objective shrinks by its square, so every Aitken gap is exact.
    """

    rates: Any = 0.9
    target: Any = 0.0
    curvatures: Any = 1.0

    def e_step(self, params, data):
        return emkit.EStep(params, -float(np.sum(self.curvatures * (params - self.target) ** 2)), 10.0)

    def m_step(self, params, statistics):
        return self.target + np.asarray(self.rates) * (statistics - self.target)

    def space(self, params):
        return space.Real()


class Watched:
    """A model around which something happens: hooks see the number of the call, the arguments and the answer.

    ``on_e_step(n, params, answer)`` and ``on_m_step(n, params, answer)`` return the answer to give, or raise.
    """

    def __init__(self, model, on_e_step=None, on_m_step=None):
        self.model = model
        self.on_e_step = on_e_step
        self.on_m_step = on_m_step
        self.evaluated = []
        self.n_m_steps = 0

    def __getattr__(self, name):
        if name.startswith("__") or name == "model":
            raise AttributeError(name)
        return getattr(self.model, name)

    def e_step(self, params, data):
        self.evaluated.append(params)
        answer = self.model.e_step(params, data)
        return answer if self.on_e_step is None else self.on_e_step(len(self.evaluated), params, answer)

    def m_step(self, params, statistics):
        self.n_m_steps += 1
        answer = self.model.m_step(params, statistics)
        return answer if self.on_m_step is None else self.on_m_step(self.n_m_steps, params, answer)


#: Bivariate observations of Murray (1977), JRSS B 39:27, missing entries as NaN: two maxima and a saddle.
MURRAY_DATA = np.array(
    [
        *([1, 1], [1, -1], [-1, 1], [-1, -1]),
        *([2, np.nan], [2, np.nan], [-2, np.nan], [-2, np.nan]),
        *([np.nan, 2], [np.nan, 2], [np.nan, -2], [np.nan, -2]),
    ]
)
MURRAY_MAXIMUM, MURRAY_SADDLE = -29.97428641046501, -30.033342386268


@attrs.frozen(eq=False)
class NormalParams:
    mean: np.ndarray = space.real()
    covariance: np.ndarray = space.covariance()


class MissingNormal(emkit.LatentModel):
    """One bivariate normal of which entries are missing (NaN)."""

    def e_step(self, params: NormalParams, data: Any) -> emkit.EStep:
        first, second, total = np.zeros(2), np.zeros((2, 2)), 0.0
        for row in data:
            seen = ~np.isnan(row)
            inside = params.covariance[np.ix_(seen, seen)]
            gain = params.covariance[:, seen] @ np.linalg.inv(inside)
            residual = row[seen] - params.mean[seen]
            filled = params.mean + gain @ residual
            first += filled
            second += np.outer(filled, filled) + params.covariance - gain @ params.covariance[seen]
            total -= (residual @ np.linalg.solve(inside, residual) + np.linalg.slogdet(2 * np.pi * inside)[1]) / 2
        return emkit.EStep((first, second), float(total), float(len(data)))

    def m_step(self, params: NormalParams, statistics: Any) -> NormalParams:
        mean, second = (part / len(MURRAY_DATA) for part in statistics)
        return NormalParams(mean, second - np.outer(mean, mean))


@attrs.frozen
class TablePoisson(PoissonMixture):
    """The Poisson mixture on a table with one column of values and one of how often each was seen."""

    label: str = "none"
    tol: float = 1.0

    def e_step(self, params: PoissonMixtureParams, data: Any) -> emkit.EStep:
        return super().e_step(params, self._columns(data))

    def initialize(self, data: Any, rng: np.random.Generator) -> PoissonMixtureParams:
        return super().initialize(self._columns(data), rng)

    def log_likelihood(self, params: PoissonMixtureParams, data: Any) -> float:
        return super().log_likelihood(params, self._columns(data))

    def sample(self, params: PoissonMixtureParams, n: int, rng: np.random.Generator) -> Any:
        return np.column_stack(super().sample(params, n, rng))

    def plot(self, params: PoissonMixtureParams, data: Any, ax: Any, columns: Any) -> None:
        ax.bar(*self._columns(data))
        ax.set_xlabel(columns[0] if columns else "value")

    @staticmethod
    def _columns(data: Any) -> Any:
        if data.shape[1] != 2:
            msg = f"A table of two columns is expected, and this one has {data.shape[1]}."
            raise ValueError(msg)
        return data[:, 0], data[:, 1]


@attrs.frozen
class Hills(emkit.LatentModel):
    """One hill for each start: start r climbs to height ``heights[r]``; a text is an exception, NaN a bad objective.

    Params are (which hill, position). ``initialize`` counts its calls, which only a test may do.
    """

    heights: tuple
    calls: list = attrs.field(factory=list)
    floor: float = 0.0

    def initialize(self, data, rng):
        self.calls.append(rng.random())
        hill = len(self.calls) - 1
        if isinstance(self.heights[hill], str):
            raise ValueError(self.heights[hill])
        if isinstance(self.heights[hill], BaseException):
            raise self.heights[hill]
        return {"hill": hill, "x": np.array([1.0])}

    def e_step(self, params, data):
        x = params["x"][0]
        return emkit.EStep(params, self.heights[params["hill"]] - float(x - self.floor) ** 2, 1.0)

    def m_step(self, params, statistics):
        return {"hill": params["hill"], "x": self.floor + (statistics["x"] - self.floor) / 2}

    def space(self, params):
        return {"x": space.Positive(self.floor if params["hill"] == 0 else 0.0)}

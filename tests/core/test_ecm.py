"""ECM, GEM and their relatives: M-steps that do less than maximise, on the ordinary driver."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs
import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import digamma, gammaln, polygamma
from scipy.stats import norm, t

import emkit
from emkit import space


def numbers(text):
    return np.array(text.split(), dtype=float)


#: Passage times of light, in nanoseconds less 24800 (Newcomb 1882; Stigler 1977, Annals of Statistics 5:1055).
NEWCOMB = numbers(
    "28 26 33 24 34 -44 27 16 40 -2 29 22 24 21 25 30 23 29 31 19 24 20 36 32 36 28 25 21 28 29 37 25 28 26 30 32 36 26"
    " 30 22 36 23 27 27 28 27 31 27 26 33 26 32 32 24 39 28 24 25 32 25 29 27 28 29 16 23"
)
#: Stack loss: air flow, water temperature, acid concentration, loss (Brownlee 1965, Statistical Theory and
#: Methodology, 454).
STACKLOSS = numbers(
    "80 27 89 42 80 27 88 37 75 25 90 37 62 24 87 28 62 22 87 18 62 23 87 18 62 24 93 19 62 24 93 20 58 23 87 15"
    " 58 18 80 14 58 18 89 14 58 17 88 13 58 18 82 11 58 19 93 12 50 18 89 8 50 18 86 7 50 19 72 8 50 19 79 8"
    " 50 20 80 9 56 20 82 15 70 20 91 15"
).reshape(21, 4)


@attrs.frozen(eq=False)
class TParams:
    location: float = space.real()
    scale: float = space.positive()
    freedom: float = space.positive()


class StudentT(emkit.LatentModel):
    """``y ~ N(location, scale**2 / w)``, ``w ~ Gamma(freedom / 2, freedom / 2)``.

    GEM: location and scale are maximised, the degrees of freedom take one Newton step that raises Q.
    """

    def e_step(self, params, data):
        half = (params.freedom + 1) / 2
        rate = (params.freedom + ((data - params.location) / params.scale) ** 2) / 2
        w, log_w = half / rate, digamma(half) - np.log(rate)
        statistics = np.array([w.sum(), w @ data, w @ data**2, log_w.sum(), float(len(data))])
        log_likelihood = t.logpdf(data, params.freedom, params.location, params.scale).sum()
        return emkit.EStep(statistics, log_likelihood, len(data))

    def m_step(self, params, statistics):
        location, scale = self.location_and_scale(statistics)
        return TParams(location, scale, newton_step(params.freedom, statistics))

    @staticmethod
    def location_and_scale(statistics):
        w, wy, wyy, _, n = statistics
        return wy / w, np.sqrt((wyy - wy**2 / w) / n)


def freedom_part(freedom, statistics):
    """Return the part of Q in which the degrees of freedom occur."""
    w, _, _, log_w, n = statistics
    half = freedom / 2
    return n * (half * np.log(half) - gammaln(half)) + half * (log_w - w)


def newton_step(freedom, statistics):
    """Return the degrees of freedom after one Newton step in their logarithm, halved until Q does not fall."""
    w, _, _, log_w, n = statistics
    half = freedom / 2
    slope = half * (n * (np.log(half) + 1 - digamma(half)) + log_w - w)
    curvature = slope + half**2 * n * (1 / half - polygamma(1, half))
    step = slope / abs(curvature)
    while freedom_part(freedom * np.exp(step), statistics) < freedom_part(freedom, statistics):
        step /= 2
    return freedom * np.exp(step)


class MulticycleStudentT(StudentT):
    """Multicycle ECM: an E-step before each of the two conditional maximisations.

    The first cycle needs all the data, so it belongs to the E-step, and the data must not be cut.
    """

    leaf_rows: ClassVar[int | None] = None

    def e_step(self, params, data):
        first = super().e_step(params, data)
        location, scale = self.location_and_scale(first.statistics)
        between = TParams(location, scale, params.freedom)
        second = super().e_step(between, data)
        return emkit.EStep((location, scale, second.statistics), first.log_likelihood, first.n_observations)

    def m_step(self, params, statistics):
        location, scale, second = statistics
        return TParams(location, scale, newton_step(params.freedom, second))


T_START = TParams(20.0, 10.0, 10.0)


@pytest.fixture(scope="module")
def t_oracle():
    def loss(x):
        return -t.logpdf(NEWCOMB, np.exp(x[2]), x[0], np.exp(x[1])).sum()

    found = minimize(loss, [27.0, 1.5, 0.5], method="BFGS", options={"gtol": 1e-7})
    return np.array([found.x[0], *np.exp(found.x[1:])]), -found.fun


@pytest.mark.parametrize("model", [StudentT(), MulticycleStudentT()], ids=lambda model: type(model).__name__)
@pytest.mark.parametrize("accelerate", ["squarem", None])
def test_gem_and_multicycle_ecm_reach_the_maximum_of_the_likelihood(model, accelerate, t_oracle):
    expected, top = t_oracle
    result = emkit.fit(model, NEWCOMB, T_START, accelerate=accelerate, tol=1e-10)
    assert result.converged
    assert result.log_likelihood == pytest.approx(top, abs=1e-7)
    np.testing.assert_allclose(attrs.astuple(result.params), expected, rtol=2e-5)


def test_gem_never_falls_on_the_way():
    result = emkit.fit(StudentT(), NEWCOMB, TParams(-30.0, 1.0, 50.0), accelerate=None)
    assert (np.diff(result.objectives) > -1e-9).all()


def test_multicycle_ecm_needs_fewer_steps_than_gem():
    one, other = (
        emkit.fit(model, NEWCOMB, T_START, accelerate=None, tol=emkit.StepTolerance(1e-8)).n_iter
        for model in (StudentT(), MulticycleStudentT())
    )
    assert other < one


@attrs.frozen(eq=False)
class LineParams:
    coefficients: np.ndarray = space.real()
    deviations: np.ndarray = space.positive()
    bad: float = space.unit_interval()


class ContaminatedLine(emkit.LatentModel):
    """``y ~ N(x @ coefficients, deviations[z]**2)``, ``P(z = 1) = bad``.

    No closed form for coefficients and variances together, but one for each given the other (Meng and Rubin 1993,
    Biometrika 80:267).
    """

    leaf_rows: ClassVar[int | None] = 64

    def e_step(self, params, data):
        x, y = data[:, :-1], data[:, -1]
        residual = y - x @ params.coefficients
        log_joint = norm.logpdf(residual[:, None], 0, params.deviations) + np.log([1 - params.bad, params.bad])
        log_density = np.logaddexp(*log_joint.T)
        shares = np.exp(log_joint - log_density[:, None])
        products = np.einsum("nk,ni,nj->kij", shares, data, data)
        return emkit.EStep((shares.sum(axis=0), products), log_density.sum(), len(data))

    def m_step(self, params, statistics):
        counts, products = statistics
        weighted = np.einsum("k,kij->ij", params.deviations**-2, products)
        coefficients = np.linalg.solve(weighted[:-1, :-1], weighted[:-1, -1])
        contrast = np.append(-coefficients, 1.0)
        squares = np.einsum("i,kij,j->k", contrast, products, contrast)
        return LineParams(coefficients, np.sqrt(squares / counts), counts[1] / counts.sum())


def line_data():
    rng = np.random.default_rng(5)
    x = np.column_stack([np.ones(150), rng.uniform(0, 10, 150)])
    noise = np.where(rng.random(150) < 0.15, 8.0, 0.7) * rng.standard_normal(150)
    return np.column_stack([x, x @ [1.0, 0.5] + noise])


def test_ecm_reaches_the_maximum_of_the_likelihood():
    data = line_data()
    x, y = data[:, :-1], data[:, -1]

    def loss(v):
        bad = 1 / (1 + np.exp(-v[4]))
        log_joint = norm.logpdf((y - x @ v[:2])[:, None], 0, np.exp(v[2:4])) + np.log([1 - bad, bad])
        return -np.logaddexp(*log_joint.T).sum()

    oracle = minimize(loss, [1.0, 0.5, -0.3, 2.0, -1.7], method="BFGS", options={"gtol": 1e-6})
    start = LineParams(np.linalg.lstsq(x, y, rcond=None)[0], [1.0, 5.0], 0.3)
    result = emkit.fit(ContaminatedLine(), data, start, tol=1e-10)
    assert result.log_likelihood == pytest.approx(-oracle.fun, abs=1e-7)
    np.testing.assert_allclose(result.params.coefficients, oracle.x[:2], atol=1e-5)
    np.testing.assert_allclose(result.params.deviations, np.exp(oracle.x[2:4]), rtol=1e-4)


def test_ecm_never_falls_and_keeps_the_laws():
    data = line_data()
    start = LineParams([0.0, 0.0], [1.0, 5.0], 0.3)
    result = emkit.fit(ContaminatedLine(), data, start, accelerate=None)
    assert (np.diff(result.objectives) > -1e-9).all()
    emkit.testing.check_model(ContaminatedLine(), data, start)


class ScoredLine(ContaminatedLine):
    def complete_score(self, params, statistics):
        counts, products = statistics
        contrast = np.append(-params.coefficients, 1.0)
        squares = np.einsum("i,kij,j->k", contrast, products, contrast)
        slopes = np.einsum("k,kij,j->i", params.deviations**-2, products, contrast)[:-1]
        spread = squares / params.deviations**3 - counts / params.deviations
        return LineParams(slopes, spread, counts[1] / params.bad - counts[0] / (1 - params.bad))


class HalfwayLine(ScoredLine):
    """Goes half the way: a generalised EM whose Jacobian is as symmetric as that of EM."""

    def m_step(self, params, statistics):
        there = super().m_step(params, statistics)
        return LineParams(
            (params.coefficients + there.coefficients) / 2,
            (params.deviations + there.deviations) / 2,
            (params.bad + there.bad) / 2,
        )


@pytest.mark.parametrize("tol", [1e-6, 1e-10])
@pytest.mark.parametrize("model", [ScoredLine(), HalfwayLine()], ids=["ECM", "GEM"])
def test_supplemented_em_is_refused_where_the_score_contradicts_it(model, tol):
    data = line_data()
    result = emkit.fit(model, data, LineParams([0.0, 0.0], [1.0, 5.0], 0.3), tol=tol)
    with pytest.raises(ValueError, match=r"contradicts the score of \w+Line here, .* m_step maximises in full"):
        result.standard_errors(data, "sem")
    # The way out that the error names is right.
    by_score, by_likelihood = (result.standard_errors(data, method) for method in ("score", "likelihood"))
    np.testing.assert_allclose(by_score.coefficients, by_likelihood.coefficients, rtol=1e-5)
    np.testing.assert_allclose(by_score.deviations, by_likelihood.deviations, rtol=1e-5)


def test_supplemented_em_is_not_refused_where_a_newton_step_has_the_jacobian_of_em():
    class ScoredT(StudentT):
        def complete_score(self, params, statistics):
            w, wy, wyy, log_w, n = statistics
            half = params.freedom / 2
            squares = wyy - 2 * params.location * wy + params.location**2 * w
            freedom = (n * (np.log(half) + 1 - digamma(half)) + log_w - w) / 2
            location = (wy - params.location * w) / params.scale**2
            return TParams(location, squares / params.scale**3 - n / params.scale, freedom)

    result = emkit.fit(ScoredT(), NEWCOMB, T_START)
    by_em, by_score = (attrs.astuple(result.standard_errors(NEWCOMB, method)) for method in ("sem", "score"))
    np.testing.assert_allclose(by_em, by_score, rtol=1e-4)


def test_an_m_step_that_lowers_q_is_noticed():
    class TooFar(ContaminatedLine):
        def m_step(self, params, statistics):
            good = super().m_step(params, statistics)
            return attrs.evolve(good, coefficients=3 * good.coefficients - 2 * params.coefficients)

    with pytest.raises(emkit.errors.LikelihoodDecreasedError, match="m_step does not maximise"):
        emkit.fit(TooFar(), line_data(), LineParams([0.0, 0.0], [1.0, 5.0], 0.3))


@attrs.frozen(eq=False)
class MultivariateTParams:
    location: np.ndarray = space.real()
    scatter: np.ndarray = space.covariance()


@attrs.frozen
class MultivariateT(emkit.LatentModel):
    """Multivariate t with known degrees of freedom; PX-EM divides by the sum of weights instead of by n."""

    freedom: float
    expanded: bool = False

    def e_step(self, params, data):
        n, p = data.shape
        centred = data - params.location
        squared = np.einsum("ni,ni->n", centred, np.linalg.solve(params.scatter, centred.T).T)
        w = (self.freedom + p) / (self.freedom + squared)
        constant = gammaln((self.freedom + p) / 2) - gammaln(self.freedom / 2) - p / 2 * np.log(self.freedom * np.pi)
        log_density = constant - np.linalg.slogdet(params.scatter)[1] / 2
        log_density = log_density - (self.freedom + p) / 2 * np.log1p(squared / self.freedom)
        return emkit.EStep((w.sum(), w @ data, (w[:, None] * data).T @ data, n), log_density.sum(), n)

    def m_step(self, params: Any, statistics: Any) -> MultivariateTParams:
        total, first, second, n = statistics
        location = first / total
        scatter = second - total * np.outer(location, location)
        return MultivariateTParams(location, scatter / (total if self.expanded else n))


# Computed by another implementation of EM and of PX-EM, run to a standstill; the two agree in all digits.
@pytest.mark.parametrize(
    ("freedom", "top", "location"),
    [
        (1, -243.0128583116, [58.02133416, 20.73401064, 85.94348047, 14.92935881]),
        (4, -235.9079845326, [58.72316926, 20.73979481, 86.01369961, 15.80863791]),
    ],
)
@pytest.mark.parametrize("expanded", [False, True], ids=["EM", "PX-EM"])
def test_px_em_and_em_reach_the_same_maximum(freedom, top, location, expanded):
    start = MultivariateTParams(STACKLOSS.mean(axis=0), np.cov(STACKLOSS.T))
    result = emkit.fit(
        MultivariateT(freedom, expanded), STACKLOSS, start, accelerate=None, tol=emkit.StepTolerance(1e-9)
    )
    assert result.log_likelihood == pytest.approx(top, abs=1e-8)
    np.testing.assert_allclose(result.params.location, location, atol=1e-6)
    assert (np.diff(result.objectives) > -1e-9).all()


def test_px_em_needs_half_the_steps():
    start = MultivariateTParams(STACKLOSS.mean(axis=0), np.cov(STACKLOSS.T))
    steps = [
        emkit.fit(MultivariateT(1, expanded), STACKLOSS, start, accelerate=None, tol=emkit.StepTolerance(1e-8)).n_iter
        for expanded in (False, True)
    ]
    assert steps[1] < 0.6 * steps[0]

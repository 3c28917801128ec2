"""The second look at an estimate: maxima, saddles, bounds, and the way out."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import pytest
from problems.scored import (
    BLOOD_COUNTS,
    AlleleParams,
    BloodGroups,
    IncompleteNormal,
    NormalParams,
    ScoredPoissonMixture,
)
from scipy import special
from toys import (
    DEATHS,
    LINKAGE_DATA,
    LINKAGE_OPTIMUM,
    MURRAY_DATA,
    MURRAY_MAXIMUM,
    TURNBULL_DATA,
    TURNBULL_OPTIMUM,
    Linkage,
    LinkageParams,
    MissingNormal,
    Parabola,
    PoissonMixture,
    PoissonMixtureParams,
    Turnbull,
    Watched,
)

import emkit
from emkit import information, space
from emkit.errors import InvalidParamsError

#: Murray's saddle (1977, JRSS B 39:27): no correlation, both variances 5/2.
MURRAY_SADDLE_POINT = NormalParams([0.0, 0.0], [[2.5, 0.0], [0.0, 2.5]])
MURRAY_TOP = NormalParams([0.0, 0.0], [[8 / 3, 4 / 3], [4 / 3, 8 / 3]])


@pytest.mark.parametrize("model", [IncompleteNormal(), MissingNormal()])
def test_the_rate_of_em_at_murrays_saddle_is_above_one(model):
    found = information.verify(model, MURRAY_SADDLE_POINT, MURRAY_DATA)
    assert found.kind == "saddle"
    assert found.rate == pytest.approx(16 / 15, rel=1e-7)
    assert "A saddle" in str(found)
    assert "away from here" in str(found)


@pytest.mark.parametrize("model", [IncompleteNormal(), MissingNormal()])
def test_both_ways_up_from_murrays_saddle_lead_to_a_maximum(model):
    found = information.verify(model, MURRAY_SADDLE_POINT, MURRAY_DATA)
    assert len(found.uphill) == 2
    endings = [emkit.fit(model, MURRAY_DATA, params, tol=1e-12) for params in found.uphill]
    assert [ending.log_likelihood for ending in endings] == pytest.approx([MURRAY_MAXIMUM] * 2, abs=1e-9)
    correlations = [e.params.covariance[0, 1] / e.params.covariance[0, 0] for e in endings]
    assert sorted(correlations) == pytest.approx([-0.5, 0.5], abs=1e-5)


def test_the_rate_of_em_at_murrays_maximum_is_the_reference_one():
    found = information.verify(IncompleteNormal(), MURRAY_TOP, MURRAY_DATA)
    assert found.kind == "maximum"
    assert found.rate == pytest.approx(0.88379594, abs=1e-8)
    assert found.uphill == ()
    assert str(found).startswith("A local maximum.")


def test_the_rate_of_linkage_is_its_fraction_of_missing_information():
    found = information.verify(Linkage(), LinkageParams(LINKAGE_OPTIMUM), LINKAGE_DATA)
    assert found.rate == pytest.approx(0.132778733745599, rel=1e-7)


class BentParabola(Parabola):
    """EM that is linear only next to the optimum."""

    def complete_score(self, params, statistics):
        return -2 * statistics

    def m_step(self, params, statistics):
        return super().m_step(params, statistics) + statistics**3


@pytest.mark.parametrize("n", [5, 200])
def test_the_rate_of_many_params_is_found_without_the_whole_jacobian(n):
    rates = np.linspace(0.1, 0.9, n)
    rates[-1] = 0.97
    found = information.verify(BentParabola(rates=rates), np.zeros(n), None)
    assert found.rate == pytest.approx(0.97, rel=1e-5)
    assert found.kind == "maximum"
    # The information takes 2 n + 1, and the whole Jacobian would take 2 n more.
    assert found.n_e_steps <= 2 * n + 1 + min(2 * n, 150)


@pytest.mark.parametrize("n", [5, 40])
@pytest.mark.parametrize("rate", [0.0, 0.5])
def test_many_equal_rates_are_found_and_none_where_nothing_is_latent(n, rate):
    found = information.verify(Parabola(rates=rate), np.zeros(n), None)
    assert found.rate == pytest.approx(rate, abs=1e-6)


def test_the_score_norm_is_the_distance_to_the_optimum_in_standard_errors():
    se = 0.051467349200889
    params = LinkageParams(LINKAGE_OPTIMUM + 0.1 * se)
    found = information.verify(Linkage(), params, LINKAGE_DATA)
    assert found.kind == "not stationary"
    assert found.score_norm == pytest.approx(0.1, rel=0.02)
    assert "would still gain" in str(found)


def test_both_ways_to_the_information_agree_on_a_mixture():
    params = PoissonMixtureParams([0.3, 0.7], [1.5, 3.0])
    scored = information.verify(ScoredPoissonMixture(), params, DEATHS)
    plain = information.verify(PoissonMixture(), params, DEATHS)
    assert scored.gap == pytest.approx(plain.gap, rel=1e-4)
    assert scored.smallest_eigenvalue == pytest.approx(plain.smallest_eigenvalue, rel=1e-4)
    assert scored.rate == pytest.approx(plain.rate, rel=1e-6)
    assert scored.n_e_steps < plain.n_e_steps


@pytest.mark.parametrize("tol", [1e-6, 1e-9, 0])
def test_a_nonparametric_estimate_is_a_maximum_on_its_bounds(tol):
    result = emkit.fit(Turnbull(), TURNBULL_DATA, np.full(14, 1 / 14), tol=tol)
    found = result.verify(TURNBULL_DATA)
    assert found.kind == "maximum"
    # Zeros at the optimum; those that EM has not quite reached count as well.
    assert found.active_bounds == tuple(f"params[{i}]" for i in (4, 5, 7, 9, 10, 12))
    assert all(bound.holds and bound.slope < 0 for bound in found.bounds)
    assert str(found).startswith("A maximum on a bound: the objective falls inside of params[4], params[5], ")


def test_the_slopes_at_the_bounds_of_a_nonparametric_estimate_are_those_of_its_certificate():
    result = emkit.fit(Turnbull(), TURNBULL_DATA, np.full(14, 1 / 14), tol=0)
    # Moving mass to interval j gains sum_i inside[i, j] / density_i - n for each unit (Lindsay 1983, Ann. Stat. 11).
    certificate = TURNBULL_DATA.T @ (1 / (TURNBULL_DATA @ result.params)) - len(TURNBULL_DATA)
    slopes = {bound.name: bound.slope for bound in result.verify(TURNBULL_DATA).bounds}
    for name, slope in slopes.items():
        assert slope == pytest.approx(certificate[int(name[7:-1])], rel=1e-4)


def test_em_stuck_on_a_bound_is_told_from_a_maximum_and_led_off_it():
    start = np.full(14, 1 / 13)
    start[1] = 0.0
    stuck = emkit.fit(Turnbull(), TURNBULL_DATA, start)
    assert stuck.converged
    found = stuck.verify(TURNBULL_DATA)
    assert found.kind == "not stationary"
    wrong = [bound for bound in found.bounds if not bound.holds]
    assert [bound.name for bound in wrong] == ["params[1]"]
    assert wrong[0].slope > 0
    assert "Stuck on a bound: the objective rises inside of params[1]" in str(found)
    freed = emkit.fit(Turnbull(), TURNBULL_DATA, found.uphill[0], tol=1e-9)
    assert freed.log_likelihood == pytest.approx(TURNBULL_OPTIMUM, abs=1e-6)


def test_several_wrong_bounds_are_left_together():
    start = np.full(14, 1 / 12)
    start[[1, 11]] = 0.0
    stuck = emkit.fit(Turnbull(), TURNBULL_DATA, start)
    found = stuck.verify(TURNBULL_DATA)
    assert {bound.name for bound in found.bounds if not bound.holds} >= {"params[1]", "params[11]"}
    freed = emkit.fit(Turnbull(), TURNBULL_DATA, found.uphill[0], tol=1e-9)
    assert freed.log_likelihood == pytest.approx(TURNBULL_OPTIMUM, abs=1e-6)


@attrs.frozen(eq=False)
class ChanceParams:
    chance: Any = attrs.field(metadata={"emkit.space": space.UnitInterval()})


class Chance(emkit.LatentModel):
    """Successes among trials."""

    def e_step(self, params, data):
        with np.errstate(divide="ignore"):
            logs = np.log([params.chance, 1 - params.chance])
        return emkit.EStep(data, float(data[data > 0] @ logs[data > 0]), float(data.sum()))

    def m_step(self, params, statistics):
        return ChanceParams(float(statistics[0] / statistics.sum()))


@pytest.mark.parametrize(("data", "edge"), [([7.0, 0.0], 1.0), ([0.0, 7.0], 0.0)])
def test_a_bound_at_either_end_holds_where_the_objective_falls_inside(data, edge):
    found = information.verify(Chance(), ChanceParams(edge), np.array(data))
    assert found.kind == "maximum"
    assert found.active_bounds == ("chance",)
    assert found.bounds[0].slope == pytest.approx(-7, rel=1e-3)


def test_a_small_weight_at_its_optimum_is_not_on_a_bound():
    counts = np.array([1.0, 2e6])
    found = information.verify(Chance(), ChanceParams(1 / 2000001), counts)
    assert found.n_on_bound == 0
    assert found.kind == "maximum"


def test_a_model_that_refuses_points_beside_the_estimate_has_no_rate_but_a_verdict():
    model = BloodGroups()
    result = emkit.fit(model, BLOOD_COUNTS, AlleleParams([0.3, 0.2, 0.5]), tol=0)

    def refuse(_number, _params, _answer):
        raise ArithmeticError

    found = information.verify(Watched(model, on_m_step=refuse), result.params, BLOOD_COUNTS)
    assert found.kind == "maximum"
    assert np.isnan(found.rate)
    assert "Rate" not in str(found)


@attrs.frozen(eq=False)
class ProbitParams:
    slopes: np.ndarray = space.real()


@attrs.frozen
class Probit(emkit.LatentModel):
    """Signs of latent normal variables, regressed on given ones (Albert and Chib 1993, JASA 88:669)."""

    def e_step(self, params, data):
        x, signs = data
        mean = x @ params.slopes
        log_density = special.log_ndtr(signs * mean)
        latent = mean + signs * np.exp(-(mean**2) / 2 - log_density) / np.sqrt(2 * np.pi)
        return emkit.EStep((x.T @ x, x.T @ latent), log_density.sum(), len(x))

    def m_step(self, params, statistics):
        return ProbitParams(np.linalg.solve(*statistics))

    def complete_score(self, params, statistics):
        return ProbitParams(statistics[1] - statistics[0] @ params.slopes)


def test_a_curvature_lost_in_rounding_is_not_called_a_saddle():
    # The log-likelihood is concave, and where a plane parts the signs it has no maximum: EM leaves for infinity.
    rng = np.random.default_rng(0)
    x = np.column_stack([np.ones(700), rng.standard_normal((700, 3)) * [1, 30, 0.01]])
    data = (x, np.where(x[:, 1] > 0, 1.0, -1.0))
    result = emkit.fit(Probit(), data, ProbitParams(np.zeros(4)))
    found = result.verify(data)
    assert found.smallest_eigenvalue < -1e-4
    assert found.kind == "not determined"


@pytest.mark.parametrize("seed", range(4))
def test_a_tail_that_only_falls_is_not_called_a_saddle_by_differences_of_the_likelihood(seed):
    # Concave again. Where so little is left to gain, whatever costs enough to be seen leads out of the quadratic part.
    rng = np.random.default_rng(seed)
    x = np.column_stack([np.ones(50), rng.standard_normal((50, 2))])
    data = (x, np.where(x[:, 1] > 0, 1.0, -1.0))
    result = emkit.fit(Probit(), data, ProbitParams(np.zeros(3)))
    found = result.verify(data, "likelihood")
    assert found.smallest_eigenvalue < -1e-4
    assert found.kind == "not determined"


def test_the_number_of_e_steps_is_counted():
    watched = Watched(BloodGroups())
    found = information.verify(watched, AlleleParams([0.2, 0.05, 0.75]), BLOOD_COUNTS)
    assert found.n_e_steps == len(watched.evaluated)
    assert found.method == "score"


@pytest.mark.parametrize("ask", [information.verify, information.standard_errors])
def test_params_that_are_not_finite_are_named(ask):
    with pytest.raises(InvalidParamsError, match="must be a finite number, but is nan"):
        ask(PoissonMixture(), {"rates": np.array([np.nan, 1.0])}, DEATHS)


@pytest.mark.parametrize("ask", [information.verify, information.standard_errors])
def test_an_objective_that_is_not_finite_has_no_derivatives(ask):
    class Broken(emkit.LatentModel):
        def e_step(self, params, data):
            return emkit.EStep(params, float("nan"), 1.0)

        def m_step(self, params, statistics):
            return params

    with pytest.raises(ValueError, match="The objective of Broken is nan with these data at these params"):
        ask(Broken(), np.array([1.0, 2.0]), None)


@attrs.frozen
class TwoFactors:
    """Mean and variance of a factor of the observed mean, of which the data know only the product."""

    left: float
    right: float


class Product:
    """Normal observations with mean ``left * right`` and variance one: a ridge of maxima that bends."""

    def e_step(self, params: TwoFactors, data: Any) -> emkit.EStep[Any]:
        residual = data - params.left * params.right
        log_likelihood = -0.5 * float(np.sum(residual**2))
        return emkit.EStep(np.array([data.sum(), data.size]), log_likelihood, data.size)

    def m_step(self, params: TwoFactors, statistics: Any) -> TwoFactors:
        return TwoFactors(statistics[0] / statistics[1] / params.right, params.right)

    def space(self, params: TwoFactors) -> dict[str, space.Space]:
        return {"left": space.Real(), "right": space.Real()}

    def complete_score(self, params: TwoFactors, statistics: Any) -> TwoFactors:
        slope = float(statistics[0] - statistics[1] * params.left * params.right)
        return TwoFactors(slope * params.right, slope * params.left)


@pytest.mark.parametrize("method", ["score", "likelihood"])
@pytest.mark.parametrize("left", [0.3, 1.0, 40.0])
def test_a_ridge_that_bends_is_no_maximum_and_no_saddle(left, method):
    # Along the tangent the curvature is zero, and what differences show there is of the square of their step.
    data = np.random.default_rng(0).normal(3.0, 1.0, 200)
    found = information.verify(Product(), TwoFactors(left, data.mean() / left), data, method)
    assert found.kind == "not determined"
    assert abs(found.smallest_eigenvalue) < 1e-6

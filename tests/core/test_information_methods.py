"""Every way to standard errors against closed forms, published numbers, and the other ways."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
from problems.scored import (
    APPLE_CROP,
    BLOOD_COUNTS,
    AlleleParams,
    BloodGroups,
    IncompleteNormal,
    NormalParams,
    ScoredLinkage,
    ScoredPoissonMixture,
    one_row_each,
)
from toys import (
    DEATHS,
    LINKAGE_DATA,
    LINKAGE_OPTIMUM,
    MURRAY_DATA,
    LinkageParams,
    MissingNormal,
    Parabola,
    PoissonMixture,
    PoissonMixtureParams,
)

import emkit
from emkit import information, space
from emkit.engines import Workload
from emkit.errors import ConvergenceWarning, EmkitWarning, MissingCapabilityError
from emkit.space.assignment import free_directions

#: How exact each way is, relative. Values lose half their digits to second differences.
EXACT = {"score": 1e-7, "sem": 1e-7, "likelihood": 1e-6}
METHODS = tuple(EXACT)
#: Of the Poisson mixture (weight, both rates): by complex-step differentiation of the log-likelihood, by Louis's
#: formula and by R's numDeriv, which agree to 1e-9.
POISSON_INFORMATION = np.array(
    [
        [907.1073306, -270.2292694, -341.2527670],
        [-270.2292694, 113.4802478, 61.6821048],
        [-341.2527670, 61.6821048, 192.7808111],
    ]
)
POISSON_SES = np.array([0.194684299, 0.350029711, 0.250478270])
POISSON_OPG = np.array([0.20631486, 0.36961631, 0.26545473])
POISSON_SANDWICH = np.array([0.1837538, 0.33167684, 0.23639937])
POISSON_COMPLETE = np.diag([4757.60732902, 314.01634694, 263.40934795])
POISSON_RATES = np.array(
    [
        [0.80933539, 0.86055797, 1.29552261],
        [0.05679941, 0.63861675, -0.23416825],
        [0.07172781, -0.1964296, 0.26813223],
    ]
)
#: Apple crop in (mean 2, log variance 2, Fisher's z): Meng and Rubin (1991), JASA 86:899, section 3.
APPLE_RATES = np.array(
    [[0.333333, 0.050375, -0.028142], [1.444444, 0.298946, 0.019211], [-0.642219, 0.015289, 0.324792]]
)
APPLE_INCREASE = np.array(
    [[1.085845, 0.167088, -0.093345], [0.167088, 0.028556, -0.009778], [-0.093345, -0.009778, 0.019351]]
)
#: Means, log variances, Fisher's z, from the closed form of a monotone pattern (Anderson 1957).
APPLE_SES = np.array([2.23027092, 2.73089484, 0.33333333, 0.37372034, 0.27369107])


@pytest.fixture(scope="module")
def poisson():
    return emkit.fit(ScoredPoissonMixture(), DEATHS, PoissonMixtureParams([0.4, 0.6], [1.0, 3.0]), tol=0)


@pytest.fixture(scope="module")
def blood():
    return emkit.fit(BloodGroups(), BLOOD_COUNTS, AlleleParams([0.3, 0.2, 0.5]), tol=0)


@pytest.fixture(scope="module")
def apples():
    start = NormalParams([10.0, 30.0], [[50.0, -10.0], [-10.0, 80.0]])
    return emkit.fit(IncompleteNormal(), APPLE_CROP, start, tol=0)


def poisson_vector(params):
    return np.r_[params.weights[0], params.rates]


def apple_coordinates(params):
    (first, both), (_, second) = params.covariance
    return np.array([*params.mean, np.log(first), np.log(second), np.arctanh(both / np.sqrt(first * second))])


@pytest.mark.parametrize("method", METHODS)
def test_linkage_has_the_standard_error_of_the_closed_form(method):
    # 1 / SE**2 = 125/(2+t)**2 + 38/(1-t)**2 + 34/t**2 at the root of the likelihood equation.
    params = LinkageParams(LINKAGE_OPTIMUM)
    ses = information.standard_errors(ScoredLinkage(), params, LINKAGE_DATA, method)
    assert ses.theta == pytest.approx(0.051467349200889, rel=EXACT[method])


def test_missing_information_of_linkage_is_that_of_the_closed_form():
    found = information.observed_information(ScoredLinkage(), LinkageParams(LINKAGE_OPTIMUM), LINKAGE_DATA, "sem")
    assert found.complete[0, 0] == pytest.approx(435.317853798966, rel=1e-8)
    assert found.matrix[0, 0] == pytest.approx(377.516900394687, rel=1e-8)
    assert found.rates[0, 0] == pytest.approx(0.132778733745599, rel=1e-8)


@pytest.mark.parametrize("method", METHODS)
def test_the_poisson_mixture_has_the_reference_information(poisson, method):
    found = information.observed_information(poisson.model, poisson.params, DEATHS, method)
    assert found.method == method
    assert found.matrix == pytest.approx(POISSON_INFORMATION, rel=1e-6)
    assert np.array_equal(found.matrix, found.matrix.T)
    ses = poisson_vector(poisson.standard_errors(DEATHS, method))
    assert ses == pytest.approx(POISSON_SES, rel=EXACT[method])


def test_differences_of_the_likelihood_know_their_error(poisson):
    found = information.observed_information(poisson.model, poisson.params, DEATHS, "likelihood")
    exact = information.observed_information(poisson.model, poisson.params, DEATHS, "score").matrix
    scale = np.sqrt(np.diag(exact))
    true_error = np.abs((found.matrix - exact) / np.outer(scale, scale)).max()
    assert true_error <= found.error < 1e-5


def test_supplemented_em_finds_the_reference_jacobian_and_complete_information(poisson):
    found = information.observed_information(poisson.model, poisson.params, DEATHS, "sem")
    assert found.complete == pytest.approx(POISSON_COMPLETE, rel=1e-7, abs=1e-4)
    assert found.rates == pytest.approx(POISSON_RATES, rel=1e-6)
    # The Jacobian is symmetric in the metric of the complete information: what is not is the error of differences.
    assert found.asymmetry < 1e-7


def test_supplemented_em_shows_in_its_asymmetry_that_the_params_are_no_fixed_point(poisson):
    params = PoissonMixtureParams(poisson.params.weights, poisson.params.rates * 1.05)
    found = information.observed_information(poisson.model, params, DEATHS, "sem")
    assert found.asymmetry > 1e-3


class SlowParabola(Parabola):
    """Nearly all of its complete-data information, ``2 / (1 - rates)``, is missing."""

    def complete_score(self, params, statistics):
        image = self.m_step(params, statistics)
        return -2 / (1 - np.asarray(self.rates)) * (params - image)


def test_supplemented_em_gives_no_number_where_hardly_any_information_is_left():
    model, params = SlowParabola(rates=1 - 1e-10, target=100.0), np.array([100.0])
    # What it would say is noise, and looks like any other number.
    found = information.observed_information(model, params, None, "sem")
    assert found.matrix[0, 0] != pytest.approx(2, rel=0.01)
    with pytest.raises(ValueError, match="The observed information is not positive definite"):
        information.standard_errors(model, params, None, "sem")
    assert information.standard_errors(model, params, None, "likelihood") == pytest.approx(np.sqrt(0.5), rel=1e-4)


def test_outer_products_and_the_sandwich_have_the_reference_standard_errors(poisson):
    data = one_row_each(DEATHS)
    assert poisson_vector(poisson.standard_errors(data, "opg")) == pytest.approx(POISSON_OPG, rel=1e-6)
    assert poisson_vector(poisson.standard_errors(data, "sandwich")) == pytest.approx(POISSON_SANDWICH, rel=1e-6)


def test_outer_products_of_counted_rows_are_warned_about(poisson):
    with pytest.warns(EmkitWarning, match="10 score contributions stand for 1096 observations"):
        poisson.standard_errors(DEATHS, "opg")


@pytest.mark.parametrize("method", METHODS)
def test_blood_groups_have_the_reference_information(blood, method):
    found = information.observed_information(blood.model, blood.params, BLOOD_COUNTS, method)
    expected = [[5540.80793562, 1211.43481134], [1211.43481134, 21607.81972258]]
    assert found.matrix == pytest.approx(np.array(expected), rel=1e-6)
    ses = blood.standard_errors(BLOOD_COUNTS, method).frequencies
    assert ses == pytest.approx([0.01351735, 0.00684499, 0.01445976], abs=1e-8)


def test_the_fractions_of_missing_information_of_blood_groups_are_the_reference_ones(blood):
    found = information.observed_information(blood.model, blood.params, BLOOD_COUNTS, "sem")
    assert sorted(np.linalg.eigvals(found.rates)) == pytest.approx([0.0242935, 0.11972232], abs=1e-7)


@pytest.mark.parametrize("method", METHODS)
def test_the_delta_method_gives_apple_crop_its_closed_form(apples, method):
    found = apples.delta(apple_coordinates, APPLE_CROP, method)
    assert found.standard_errors == pytest.approx(APPLE_SES, rel=1e-6)
    assert found.value == pytest.approx(apple_coordinates(apples.params), rel=1e-14)


def test_apple_crop_has_the_published_jacobian_and_increase_of_variance(apples):
    found = information.observed_information(apples.model, apples.params, APPLE_CROP, "sem")
    delta = apples.delta(apple_coordinates, APPLE_CROP)
    change = np.linalg.inv(delta.jacobian).T
    rates = change @ found.rates @ delta.jacobian.T
    increase = delta.covariance - delta.jacobian @ np.linalg.inv(found.complete) @ delta.jacobian.T
    affected = np.ix_([1, 3, 4], [1, 3, 4])
    assert rates[affected] == pytest.approx(APPLE_RATES, abs=1e-6)
    assert increase[affected] == pytest.approx(APPLE_INCREASE, abs=1e-6)
    eigenvalues = sorted(np.linalg.eigvals(rates).real)
    assert eigenvalues == pytest.approx([0, 0, 0.00971242, 0.33333333, 0.61402505], abs=1e-7)


def test_the_delta_method_gives_the_poisson_mixture_its_reference_errors_in_logarithms(poisson):
    def logarithms(params):
        return np.log(np.r_[params.weights[0] / params.weights[1], params.rates])

    found = poisson.delta(logarithms, DEATHS)
    assert found.standard_errors == pytest.approx([0.84510168, 0.27866498, 0.0940444], rel=1e-6)


def test_the_delta_method_takes_functions_with_a_number_or_a_matrix_for_value(poisson):
    ratio = poisson.delta(lambda params: params.rates[1] / params.rates[0], DEATHS)
    assert ratio.standard_errors.shape == ratio.value.shape == ()
    table = poisson.delta(lambda params: np.outer(params.rates, params.rates), DEATHS)
    assert table.standard_errors.shape == (2, 2)
    assert table.standard_errors[0, 0] == pytest.approx(2 * poisson.params.rates[0] * POISSON_SES[1], rel=1e-6)
    assert "+/-" in str(ratio)


def test_the_delta_method_warns_away_from_the_optimum(poisson):
    params = PoissonMixtureParams(poisson.params.weights, poisson.params.rates * 1.02)
    with pytest.warns(ConvergenceWarning, match="standard errors from their optimum"):
        information.delta(lambda p: p.rates[0], poisson.model, params, DEATHS)


def test_auto_takes_the_exact_score_where_there_is_one(poisson):
    params = poisson.params
    with_score = information.observed_information(ScoredPoissonMixture(), params, DEATHS)
    without = information.observed_information(PoissonMixture(), params, DEATHS)
    assert (with_score.method, without.method) == ("score", "likelihood")
    # Two E-steps for each of three directions, and one at the params.
    assert with_score.n_e_steps == 7


@pytest.mark.parametrize(
    ("method", "name"),
    [
        ("score", "complete_score"),
        ("sem", "complete_score"),
        ("sandwich", "score_contributions"),
        ("opg", "score_contributions"),
    ],
)
def test_a_method_names_what_the_model_lacks(poisson, method, name):
    with pytest.raises(MissingCapabilityError, match=name):
        information.standard_errors(PoissonMixture(), poisson.params, DEATHS, method)


def test_an_unknown_method_is_named_with_those_there_are(poisson):
    with pytest.raises(ValueError, match="'auto', 'score', 'likelihood', 'sem', 'sandwich', 'opg'; it is 'louis'"):
        poisson.standard_errors(DEATHS, "louis")
    with pytest.raises(ValueError, match="it is 'opg'"):
        information.observed_information(poisson.model, poisson.params, DEATHS, "opg")


class TiltedPoissonMixture(ScoredPoissonMixture):
    """With a gamma prior on the rates."""

    def log_prior(self, params):
        return float(np.sum(3 * np.log(params.rates) - 2 * params.rates))


class ContributionsOnly(ScoredPoissonMixture):
    complete_score = None


@pytest.mark.parametrize("model", [ScoredPoissonMixture(), TiltedPoissonMixture(), ContributionsOnly()])
def test_the_score_is_the_slope_of_the_objective(model):
    params = PoissonMixtureParams([0.3, 0.7], [1.5, 3.0])
    workload = Workload.of(model, DEATHS)
    gradient = information.score(workload, params)
    directions, _ = free_directions(space.spaces_of(model, params), params)
    flat = np.r_[params.weights, params.rates]

    def objective(shift):
        point = PoissonMixtureParams(*np.split(flat + shift, 2))
        return model.log_likelihood(point, DEATHS) + model.log_prior(point)

    slopes = [(objective(1e-6 * d) - objective(-1e-6 * d)) / 2e-6 for d in directions]
    assert directions @ gradient == pytest.approx(slopes, rel=1e-6)
    assert information.score(workload, params, workload.e_step(params)) == pytest.approx(gradient, rel=1e-12)


@attrs.frozen
class RaisedPoissonMixture(TiltedPoissonMixture):
    """The same with a constant, which says nothing, in its log-prior."""

    height: float = 0.0

    def log_prior(self, params):
        return super().log_prior(params) + self.height


@pytest.mark.parametrize("method", ["score", "likelihood"])
def test_a_constant_in_the_log_prior_hardly_changes_the_information(method):
    params = PoissonMixtureParams([0.36, 0.64], [1.25, 2.66])
    plain, raised = (
        information.observed_information(RaisedPoissonMixture(height=height), params, DEATHS, method).matrix
        for height in (0.0, 1e6)
    )
    # At 1e6 a number has ten digits after the point, and second differences lose more than half of them.
    size = np.sqrt(np.diag(plain))
    assert np.abs((raised - plain) / np.outer(size, size)).max() < 1e-3


@pytest.mark.parametrize("method", METHODS)
def test_the_prior_is_part_of_the_information_by_every_method(method):
    model = TiltedPoissonMixture()
    params = PoissonMixtureParams([0.36, 0.64], [1.25, 2.66])
    flat = information.observed_information(ScoredPoissonMixture(), params, DEATHS, method).matrix
    tilted = information.observed_information(model, params, DEATHS, method)
    if method == "sem":
        # This M-step leaves the prior out, so EM's own Jacobian says nothing of it; the complete information does.
        plain = information.observed_information(ScoredPoissonMixture(), params, DEATHS, method)
        difference = tilted.complete - plain.complete
    else:
        difference = tilted.matrix - flat
    assert difference == pytest.approx(np.diag([0, *(3 / params.rates**2)]), abs=2e-3)


def test_a_score_of_the_wrong_shape_is_named(poisson):
    class Wrong(ScoredPoissonMixture):
        def complete_score(self, params, statistics):
            return {"weights": np.zeros(2)}

    with pytest.raises(ValueError, match=r"Wrong.complete_score must give rates the shape \(2,\); it has \(0,\)"):
        information.standard_errors(Wrong(), poisson.params, DEATHS)


def test_a_wrong_score_shows_in_the_asymmetry(poisson):
    class Wrong(ScoredPoissonMixture):
        def complete_score(self, params, statistics):
            right = super().complete_score(params, statistics)
            return PoissonMixtureParams(right.weights, right.rates * params.rates)

    found = information.observed_information(Wrong(), poisson.params, DEATHS)
    assert found.asymmetry > 1e-2
    with pytest.raises(ValueError, match="not positive definite"):
        information.standard_errors(Wrong(), poisson.params, DEATHS)


def test_standard_errors_by_score_do_not_depend_on_units():
    scale = np.array([1e-6, 1e5])
    start = NormalParams([10.0, 30.0], [[50.0, -10.0], [-10.0, 80.0]])
    plain = emkit.fit(IncompleteNormal(), APPLE_CROP, start, tol=0)
    scaled = NormalParams(plain.params.mean * scale, plain.params.covariance * np.outer(scale, scale))
    ses = plain.standard_errors(APPLE_CROP)
    other = information.standard_errors(IncompleteNormal(), scaled, APPLE_CROP * scale)
    assert other.mean / scale == pytest.approx(ses.mean, rel=1e-6)
    assert other.covariance / np.outer(scale, scale) == pytest.approx(ses.covariance, rel=1e-6)


def test_an_entry_on_a_bound_is_left_out_and_named_by_every_method():
    counts = np.array([186.0, 0.0, 0.0, 284.0])
    params = AlleleParams([1 - np.sqrt(284 / 470), 0.0, np.sqrt(284 / 470)])

    class Guarded(BloodGroups):
        """Without anybody of group B the likelihood of A and O alone: o**2 is the share of O."""

        def e_step(self, params, data):
            a, _, o = params.frequencies
            n_a, n_o = data[0], data[3]
            group = 1 - o * o
            first = n_a * (2 * a * a + 2 * a * o) / (a * a + 2 * a * o)
            total = n_a * np.log(group) + n_o * np.log(o * o)
            return emkit.EStep(np.array([first, 0.0, 2 * (n_a + n_o) - first]), float(total), 470.0)

    expected = np.sqrt((1 - 284 / 470) / (4 * 470))
    for method in METHODS:
        found = information.observed_information(Guarded(), params, counts, method)
        assert found.on_bound == ("frequencies[1]",)
        ses = information.standard_errors(Guarded(), params, counts, method).frequencies
        assert np.isnan(ses[1])
        assert ses[[0, 2]] == pytest.approx([expected] * 2, rel=1e-5)


def test_murray_has_the_published_error_of_the_means_by_every_method():
    params = NormalParams([0.0, 0.0], [[8 / 3, 4 / 3], [4 / 3, 8 / 3]])
    for method in METHODS:
        ses = information.standard_errors(IncompleteNormal(), params, MURRAY_DATA, method)
        assert ses.mean == pytest.approx([0.557773351] * 2, rel=1e-6)
    # Another implementation of the same model, without scores.
    ses = information.standard_errors(MissingNormal(), params, MURRAY_DATA)
    assert ses.mean == pytest.approx([0.557773351] * 2, rel=1e-6)


@pytest.mark.parametrize("method", ["score", "likelihood", "sandwich", "opg"])
def test_standard_errors_away_from_the_optimum_are_warned_about(poisson, method):
    params = PoissonMixtureParams(poisson.params.weights, poisson.params.rates * 1.02)
    with pytest.warns(ConvergenceWarning, match="standard errors from their optimum"):
        information.standard_errors(poisson.model, params, one_row_each(DEATHS), method)


class PairOfWeights(PoissonMixture):
    """Keeps the two proportions as separate numbers, and says nothing of their sum."""

    def e_step(self, params, data):
        return super().e_step(PoissonMixtureParams(params["weights"], params["rates"]), data)

    def m_step(self, params, statistics):
        following = super().m_step(None, statistics)
        return {"weights": tuple(map(float, following.weights)), "rates": following.rates}


def test_an_equation_that_the_space_does_not_declare_is_warned_about():
    result = emkit.fit(PairOfWeights(), DEATHS, {"weights": (0.4, 0.6), "rates": np.array([1.0, 3.0])})
    with pytest.warns(ConvergenceWarning, match="an equation that their space does not declare"):
        result.standard_errors(DEATHS)


@pytest.mark.parametrize("method", ["sandwich", "opg"])
def test_fewer_observations_than_parameters_give_no_robust_errors(poisson, method):
    few = tuple(part[:3] for part in one_row_each(DEATHS))
    with pytest.raises(ValueError, match="3 score contributions cannot tell the spread of the scores of 3 free"):
        information.standard_errors(poisson.model, poisson.params, few, method)


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        ("a", TypeError, "must give a real number or an array of them; it gave 'a'"),
        (None, TypeError, "it gave None"),
        ([[1.0], [1.0, 2.0]], TypeError, "real number or an array"),
        (1j, TypeError, "it gave 1j"),
        (float("nan"), ValueError, "must be finite at the estimate"),
    ],
)
def test_the_delta_method_says_what_is_wrong_with_a_function(poisson, answer, error, words):
    with pytest.raises(error, match=words):
        information.delta(lambda _: answer, poisson.model, poisson.params, DEATHS)


def test_the_delta_method_refuses_a_function_that_ends_at_the_estimate(poisson):
    with np.errstate(invalid="ignore"), pytest.raises(ValueError, match="cannot be differentiated at the estimate"):
        information.delta(
            lambda p: np.sqrt(p.rates[0] - poisson.params.rates[0]), poisson.model, poisson.params, DEATHS
        )


def test_the_delta_method_refuses_a_function_whose_shape_changes(poisson):
    with pytest.raises(ValueError, match="must keep its shape"):
        information.delta(
            lambda p: np.zeros(1 + (p.rates[0] > poisson.params.rates[0])), poisson.model, poisson.params, DEATHS
        )


def test_supplemented_em_does_not_invert_what_is_rounding():
    # Equal components: nothing is known of the weights, and all information on them is missing.
    rates = np.full(2, np.average(DEATHS[0], weights=DEATHS[1]))
    with pytest.raises(ValueError, match="not positive definite"):
        information.standard_errors(ScoredPoissonMixture(), PoissonMixtureParams([0.5, 0.5], rates), DEATHS, "sem")


def test_the_information_of_a_nearly_singular_covariance_is_that_of_its_closed_form():
    """Of complete rows ``Var(S) = (S_ik S_jl + S_il S_jk) / n`` (Magnus and Neudecker 1979, Ann. Statist. 7:381)."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(40, 4))
    rows[:, 3] = rows[:, 0] - rows[:, 1] + 3e-3 * rows[:, 3]
    mean, covariance = rows.mean(axis=0), np.cov(rows.T, bias=True)
    errors = information.standard_errors(IncompleteNormal(), NormalParams(mean, covariance), rows, method="score")
    variances = np.diag(covariance)
    np.testing.assert_allclose(errors.mean, np.sqrt(variances / 40), rtol=1e-5)
    expected = np.sqrt((np.outer(variances, variances) + covariance**2) / 40)
    np.testing.assert_allclose(errors.covariance, expected, rtol=1e-4)


def test_a_score_that_is_finite_at_the_params_alone_is_told_with_the_entry():
    """In steps too short to change anything the score would be finite again, and seem to be constant."""
    rates = np.array([1.3, 2.6])

    class Brittle(ScoredPoissonMixture):
        def complete_score(self, params, statistics):
            gradient = super().complete_score(params, statistics)
            is_here = params.rates[1] == rates[1]
            return gradient if is_here else attrs.evolve(gradient, rates=np.full(2, np.nan))

    with pytest.raises(ValueError, match=r"No step from the params along rates\[1\] stays .*method='likelihood'"):
        information.standard_errors(Brittle(), PoissonMixtureParams([0.4, 0.6], rates), DEATHS, "score")

"""The problems on which the driver is measured: published counts of plain EM, published optima, and the models."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from problems import FURTHER_PROBLEMS, PROBLEMS
from problems.factors import FACTOR_PROBLEM, FACTOR_UNIQUENESSES
from problems.hidden_markov import EARTHQUAKE_PROBLEMS, EARTHQUAKE_RATES, PoissonHMM, PoissonHMMParams
from problems.interval import INTERVAL_PROBLEMS, certificate
from problems.logistic import LOGISTIC_COEFFICIENTS, LOGISTIC_PROBLEM, LogisticParams
from problems.normals import THREE_NORMALS_PROBLEM
from problems.scored import (
    APPLE_COVARIANCE,
    APPLE_CROP,
    APPLE_MEAN,
    BLOOD_COUNTS,
    AlleleParams,
    BloodGroups,
    IncompleteNormal,
    NormalParams,
    ScoredLinkage,
    ScoredPoissonMixture,
    one_row_each,
)
from problems.student import ARSLAN_DATA, ARSLAN_MAXIMA, STUDENT_4_PROBLEMS, STUDENT_MEANS, STUDENT_PROBLEMS, LocationT
from scipy import stats
from toys import DEATHS, LINKAGE_DATA, TURNBULL_DATA, LinkageParams, PoissonMixtureParams

import emkit
from emkit import tree

ALL = (*PROBLEMS, *FURTHER_PROBLEMS)
_by_name = pytest.mark.parametrize("problem", ALL, ids=lambda problem: problem.name)


@cache
def plain_em(problem):
    """Return the result of plain EM; each problem is run once."""
    return emkit.fit(problem.model, problem.data, problem.start, accelerate=None, tol=problem.tol, max_iter=20_000)


def _reach(problem):
    """Return how far the optimum may be from where plain EM stopped: steps shrink by the rate from here on."""
    result = plain_em(problem)
    return 1.1 * problem.tol.length * result.rate / (1 - result.rate)


def test_there_are_thirteen_problems_to_compare_accelerators_on():
    assert len(PROBLEMS) == 13
    assert len({problem.name for problem in ALL}) == len(ALL)


@_by_name
def test_plain_em_takes_the_stated_number_of_steps(problem):
    result = plain_em(problem)
    assert result.converged
    assert abs(result.n_e_steps - problem.em_steps) <= problem.band


@_by_name
def test_plain_em_ends_at_the_published_optimum(problem):
    # EM creeps to the bounds of the proportions: 3.6e-7 nats are left there when its steps are 1e-8 long.
    slack = 4e-7 if problem is INTERVAL_PROBLEMS[0] else 1e-9
    assert plain_em(problem).log_likelihood == pytest.approx(problem.optimum, rel=0, abs=slack)


@pytest.mark.parametrize(
    ("problem", "found", "published"),
    [
        (FACTOR_PROBLEM, lambda params: params.uniquenesses, FACTOR_UNIQUENESSES),
        (LOGISTIC_PROBLEM, lambda params: params.coefficients, LOGISTIC_COEFFICIENTS),
        (STUDENT_PROBLEMS[0], lambda params: params.mean, STUDENT_MEANS[1]),
        (STUDENT_4_PROBLEMS[0], lambda params: params.mean, STUDENT_MEANS[4]),
        (EARTHQUAKE_PROBLEMS[0], lambda params: params.rates, EARTHQUAKE_RATES[2]),
        (EARTHQUAKE_PROBLEMS[1], lambda params: params.rates, EARTHQUAKE_RATES[3]),
    ],
    ids=["factors", "logistic", "t 1", "t 4", "HMM 2", "HMM 3"],
)
def test_the_estimates_are_the_published_ones(problem, found, published):
    # Half a unit in the last published place, seven decimals for the uniquenesses and eight for the others.
    half_a_unit = 5e-8 if problem is FACTOR_PROBLEM else 5e-9
    np.testing.assert_allclose(found(plain_em(problem).params), published, rtol=0, atol=_reach(problem) + half_a_unit)


@pytest.mark.parametrize("problem", INTERVAL_PROBLEMS, ids=lambda problem: problem.name)
def test_the_certificate_of_interval_censoring_bounds_what_is_left_to_gain(problem):
    params = plain_em(problem).params
    proportions = params if problem is INTERVAL_PROBLEMS[0] else params**2 / (params @ params)
    left, rounding = problem.optimum - plain_em(problem).log_likelihood, 1e-11
    assert -rounding <= left <= certificate(proportions) + rounding
    assert certificate(proportions) < 1e-5


def test_proportions_that_are_not_the_estimate_fail_the_certificate():
    assert certificate(np.full(14, 1 / 14)) > 1


def test_square_roots_climb_the_same_likelihood():
    (model, start), (rooted, roots) = ((p.model, p.start) for p in INTERVAL_PROBLEMS)
    proportions = np.random.default_rng(1).dirichlet(np.ones(14))
    assert start == pytest.approx(roots**2)
    expected = model.e_step(proportions, TURNBULL_DATA)
    for length in (1.0, 0.7):
        found = rooted.e_step(length * np.sqrt(proportions), TURNBULL_DATA)
        np.testing.assert_allclose(found[0], expected[0], rtol=1e-13)
        assert found[1] == pytest.approx(expected[1], rel=1e-13)


@pytest.mark.parametrize("problems", [STUDENT_PROBLEMS, STUDENT_4_PROBLEMS], ids=["nu = 1", "nu = 4"])
def test_px_em_reaches_the_params_of_em_in_fewer_steps(problems):
    em, expanded = (plain_em(problem) for problem in problems)
    np.testing.assert_allclose(expanded.params.mean, em.params.mean, rtol=0, atol=_reach(problems[0]))
    np.testing.assert_allclose(expanded.params.scatter, em.params.scatter, rtol=0, atol=_reach(problems[0]))
    assert expanded.n_e_steps < em.n_e_steps


def test_the_highest_of_four_maxima_is_found_from_several_starts():
    result = emkit.fit(LocationT(0.05), ARSLAN_DATA, n_starts=20, rng=0)
    location, log_likelihood = ARSLAN_MAXIMA[2]
    assert result.params[0] == pytest.approx(location, abs=1e-4)
    assert result.log_likelihood == pytest.approx(log_likelihood, abs=1e-6)


def test_the_apple_crop_is_known_in_closed_form():
    """Moments of the crop from all trees, regression on it from the complete ones (Anderson 1957, JASA 52:200)."""
    crop, wormy = APPLE_CROP.T
    seen = ~np.isnan(wormy)
    variance, (slope, _) = crop.var(), np.polyfit(crop[seen], wormy[seen], 1)
    residual = (wormy[seen] - wormy[seen].mean() - slope * (crop[seen] - crop[seen].mean())).var()
    mean = [crop.mean(), wormy[seen].mean() + slope * (crop.mean() - crop[seen].mean())]
    covariance = [[variance, slope * variance], [slope * variance, residual + slope**2 * variance]]
    result = emkit.fit(IncompleteNormal(), APPLE_CROP, NormalParams([0, 0], np.eye(2) * 100), tol=0)
    np.testing.assert_allclose(result.params.mean, mean, rtol=1e-9)
    np.testing.assert_allclose(result.params.covariance, covariance, rtol=1e-8)
    np.testing.assert_allclose(APPLE_MEAN, mean, atol=5e-7)
    np.testing.assert_allclose(APPLE_COVARIANCE, covariance, atol=5e-7)


def _normal_log_density(data, params):
    seen = [~np.isnan(row) for row in data]
    return [
        stats.multivariate_normal(params.mean[s], params.covariance[np.ix_(s, s)]).logpdf(row[s])
        for row, s in zip(data, seen, strict=True)
    ]


def _incomplete():
    rng = np.random.default_rng(2)
    data = rng.normal(size=(12, 3))
    data[rng.random(data.shape) < 0.4] = np.nan
    data[0] = [1.0, 2.0, 0.5]
    data = data[~np.isnan(data).all(axis=1)]
    root = rng.normal(size=(3, 3))
    return data, NormalParams(rng.normal(size=3), root @ root.T + np.eye(3))


def test_the_normal_with_missing_entries_has_the_density_of_what_is_seen():
    data, params = _incomplete()
    found = IncompleteNormal().log_likelihood(params, data)
    assert found == pytest.approx(np.sum(_normal_log_density(data, params)), rel=1e-12)


def test_the_multivariate_t_has_the_density_of_scipy():
    problem = STUDENT_PROBLEMS[0]
    density = stats.multivariate_t(problem.start.mean, problem.start.scatter, df=problem.model.degrees)
    expected = density.logpdf(problem.data).sum()
    assert problem.model.log_likelihood(problem.start, problem.data) == pytest.approx(expected, rel=1e-12)


def test_the_normal_mixture_has_the_density_of_scipy():
    problem, start = THREE_NORMALS_PROBLEM, THREE_NORMALS_PROBLEM.start
    density = sum(
        weight * stats.multivariate_normal(mean, covariance).pdf(problem.data)
        for weight, mean, covariance in zip(start.weights, start.means, start.covariances, strict=True)
    )
    assert problem.model.log_likelihood(start, problem.data) == pytest.approx(np.log(density).sum(), rel=1e-12)


def test_the_logistic_minoriser_touches_from_below():
    """Q(b') = L(b) + score (b' - b) - (b' - b)' bound (b' - b) / 2 never exceeds L(b')."""
    model, data = LOGISTIC_PROBLEM.model, LOGISTIC_PROBLEM.data
    rng = np.random.default_rng(3)
    for _ in range(20):
        here, step = rng.normal(size=7), rng.normal(size=7)
        params = LogisticParams(here)
        (score, bound), value = (model.e_step(params, data).statistics, model.log_likelihood(params, data))
        below = value + score @ step - step @ bound @ step / 2
        assert below <= model.log_likelihood(LogisticParams(here + step), data)


def _paths(params, data):
    """Return the probability of the data along every path of states, and the paths."""
    paths = np.array(list(np.ndindex(*[len(params.rates)] * len(data))))
    steps = params.transmat[paths[:, :-1], paths[:, 1:]].prod(axis=1)
    seen = stats.poisson(params.rates[paths]).pmf(data).prod(axis=1)
    return params.startprob[paths[:, 0]] * steps * seen, paths


def test_the_hidden_markov_model_sums_over_all_paths():
    params = PoissonHMMParams([0.5, 0.3, 0.2], [[0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.25, 0.25, 0.5]], [1.0, 4.0, 9.0])
    data = np.array([2.0, 0.0, 5.0, 9.0, 7.0])
    probabilities, paths = _paths(params, data)
    step = PoissonHMM().e_step(params, data)
    assert step.log_likelihood == pytest.approx(np.log(probabilities.sum()), rel=1e-12)
    shares = probabilities / probabilities.sum()
    transitions = [
        [shares @ ((paths[:, :-1] == i) & (paths[:, 1:] == j)).sum(axis=1) for j in range(3)] for i in range(3)
    ]
    np.testing.assert_allclose(step.statistics.transitions, transitions, rtol=1e-11)
    np.testing.assert_allclose(step.statistics.first, [shares @ (paths[:, 0] == i) for i in range(3)], rtol=1e-11)
    np.testing.assert_allclose(
        step.statistics.visits, [shares @ (paths == i).sum(axis=1) for i in range(3)], rtol=1e-11
    )
    np.testing.assert_allclose(step.statistics.sums, [shares @ ((paths == i) @ data) for i in range(3)], rtol=1e-11)


def test_prescribed_loadings_stay_zero():
    loadings = plain_em(FACTOR_PROBLEM).params.loadings
    np.testing.assert_array_equal(loadings == 0, FACTOR_PROBLEM.start.loadings == 0)
    assert np.count_nonzero(loadings) == 27


SCORED = [
    (ScoredLinkage(), LinkageParams(0.4), LINKAGE_DATA),
    (ScoredPoissonMixture(), PoissonMixtureParams([0.3, 0.7], [1.0, 2.5]), DEATHS),
    (BloodGroups(), AlleleParams([0.3, 0.2, 0.5]), BLOOD_COUNTS),
    (IncompleteNormal(), *_incomplete()[::-1]),
]
_each_scored = pytest.mark.parametrize(
    ("model", "params", "data"), SCORED, ids=["linkage", "poisson", "blood", "normal"]
)


def _numerical_score(model, params, data):
    """Return the derivatives of the log-likelihood with respect to every entry, by central differences."""
    found = {}
    for path, leaf in tree.leaves(params):
        value = np.asarray(leaf, dtype=float)
        found[path] = np.empty(value.shape)
        for index in np.ndindex(value.shape):
            ends = []
            for sign in (1, -1):
                moved = value.copy()
                moved[index] += sign * 1e-5
                there = tree.replace_leaves(params, {path: moved if value.ndim else float(moved)})
                ends.append(model.e_step(there, data).log_likelihood)
            found[path][index] = (ends[0] - ends[1]) / 2e-5
    return found


@_each_scored
def test_the_complete_score_is_the_observed_one(model, params, data):
    expected = _numerical_score(model, params, data)
    score = model.complete_score(params, model.e_step(params, data).statistics)
    assert type(score) is type(params)
    for path, leaf in tree.leaves(score):
        # Central differences with a step of 1e-5: about 1e-10 of truncation and 1e-13 / 1e-5 of rounding, times L.
        np.testing.assert_allclose(leaf, expected[path], rtol=1e-6, atol=1e-6)


@_each_scored
def test_no_direction_leads_up_from_the_m_step(model, params, data):
    """The complete score is a multiple of ones for proportions, whose sum is kept, and zero for all else."""
    statistics = model.e_step(params, data).statistics
    best = model.m_step(params, statistics)
    for path, leaf in tree.leaves(model.complete_score(best, statistics)):
        multiplier = np.mean(leaf) if path[0] in ("weights", "frequencies") else 0.0
        np.testing.assert_allclose(leaf, multiplier, rtol=1e-11, atol=1e-9)


@pytest.mark.parametrize(("model", "params", "data"), [SCORED[1], SCORED[3]], ids=["poisson", "normal"])
def test_contributions_to_the_score_add_to_it(model, params, data):
    total = dict(tree.leaves(model.complete_score(params, model.e_step(params, data).statistics)))
    for path, leaf in tree.leaves(model.score_contributions(params, data)):
        assert leaf.shape == (len(data[0]) if isinstance(data, tuple) else len(data), *total[path].shape)
        np.testing.assert_allclose(leaf.sum(axis=0), total[path], rtol=1e-10, atol=1e-10)


def test_one_row_each_says_the_same_as_a_table_of_counts():
    rows = one_row_each(DEATHS)
    model, params = ScoredPoissonMixture(), PoissonMixtureParams([0.3, 0.7], [1.0, 2.5])
    assert len(rows[0]) == 1096
    assert model.log_likelihood(params, rows) == pytest.approx(model.log_likelihood(params, DEATHS), rel=1e-12)

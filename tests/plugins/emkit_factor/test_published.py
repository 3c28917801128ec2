"""Factor models against closed forms, published numbers and scikit-learn."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
import sklearn.decomposition
from emkit_factor import FactorAnalysis, FactorAnalysisModel, FactorAnalysisParams, ProbabilisticPCA
from problems.factors import CORRELATIONS, FACTOR_PROBLEM, FACTOR_START, FACTOR_UNIQUENESSES, FactorParams
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine

import emkit

WINE = load_wine().data
DATA = {"iris": load_iris().data, "wine": WINE, "cancer": load_breast_cancer().data, "diabetes": load_diabetes().data}

#: Ten tests of 148 persons, lower triangle by rows (Maxwell 1961, Journal of the Royal Statistical Society A 124:49).
_LOWER = (
    *(1, 0.533, 1, 0.598, 0.419, 1, 0.532, 0.282, 0.532, 1, 0.55, 0.276, 0.558, 0.518, 1),
    *(-0.225, 0.017, -0.067, -0.118, -0.126, 1, -0.27, -0.136, -0.226, -0.154, -0.148, 0.373, 1),
    *(-0.093, -0.01, 0.024, -0.096, -0.049, 0.519, 0.483, 1),
    *(-0.214, -0.216, -0.159, -0.096, -0.025, 0.218, 0.4, 0.276, 1),
    *(-0.13, -0.162, -0.008, 0.023, 0.0, 0.334, 0.435, 0.39, 0.332, 1),
)
MAXWELL = np.zeros((10, 10))
MAXWELL[np.tril_indices(10)] = _LOWER
MAXWELL = MAXWELL + MAXWELL.T - np.eye(10)


def rows_with(covariance, n_rows):
    """Return rows whose mean is zero and whose covariance, with divisor n, is exactly the given one."""
    noise = np.random.default_rng(0).standard_normal((n_rows, len(covariance)))
    white = np.linalg.qr(noise - noise.mean(axis=0))[0] * np.sqrt(n_rows)
    return white @ np.linalg.cholesky(covariance).T


MAXWELL_ROWS = rows_with(MAXWELL, 148)
JORESKOG_ROWS = rows_with(CORRELATIONS, 145)


def closed_form(x, n_factors):
    """Return covariance, noise variance and log-likelihood of the maximum (Tipping and Bishop 1999, eq. 7-8)."""
    n_rows, n_features = x.shape
    eigenvalues, vectors = np.linalg.eigh(np.cov(x.T, bias=True))
    eigenvalues, vectors = eigenvalues[::-1], vectors[:, ::-1]
    noise = eigenvalues[n_factors:].mean()
    loadings = vectors[:, :n_factors] * np.sqrt(eigenvalues[:n_factors] - noise)
    logarithms = np.log(eigenvalues[:n_factors]).sum() + (n_features - n_factors) * np.log(noise)
    log_likelihood = -n_rows / 2 * (n_features * np.log(2 * np.pi) + logarithms + n_features)
    return loadings @ loadings.T + noise * np.eye(n_features), noise, log_likelihood


@pytest.mark.parametrize("n_factors", [1, 2, 3])
@pytest.mark.parametrize("name", DATA)
def test_complete_data_give_the_closed_form_of_probabilistic_principal_components(name, n_factors):
    x = DATA[name]
    covariance, noise, log_likelihood = closed_form(x, n_factors)
    pca = ProbabilisticPCA(n_factors).fit(x)
    assert pca.noise_variance_ == pytest.approx(noise, rel=1e-8)
    np.testing.assert_allclose(pca.get_covariance(), covariance, rtol=0, atol=1e-8 * covariance.max())
    assert pca.result_.log_likelihood == pytest.approx(log_likelihood, rel=1e-11)
    assert pca.result_.n_e_steps <= 10


@pytest.mark.parametrize("n_factors", [1, 2, 3])
def test_a_random_start_climbs_to_the_closed_form(n_factors):
    covariance, noise, log_likelihood = closed_form(WINE, n_factors)
    model = FactorAnalysisModel(n_factors, "isotropic")
    start = list(model.starts(WINE, np.random.default_rng(5), 2))[1]
    result = emkit.fit(model, WINE, start, tol=0)
    assert result.log_likelihoods[0] < log_likelihood - 100
    assert result.log_likelihood == pytest.approx(log_likelihood, rel=1e-12)
    assert result.params.noise_variances[0] == pytest.approx(noise, rel=1e-8)
    fitted = result.params.loadings @ result.params.loadings.T + noise * np.eye(13)
    np.testing.assert_allclose(fitted, covariance, rtol=0, atol=1e-8 * covariance.max())


def test_components_are_those_of_scikit_learns_principal_components():
    ours, theirs = ProbabilisticPCA(3).fit(WINE), sklearn.decomposition.PCA(3).fit(WINE)
    n = len(WINE)
    signs = np.sign((ours.components_ * theirs.components_).sum(axis=1))
    np.testing.assert_allclose(ours.components_, theirs.components_ * signs[:, None], atol=1e-8)
    np.testing.assert_allclose(ours.explained_variance_, theirs.explained_variance_ * (n - 1) / n, rtol=1e-8)
    np.testing.assert_allclose(ours.explained_variance_ratio_, theirs.explained_variance_ratio_, rtol=1e-8)
    np.testing.assert_allclose(ours.transform(WINE), theirs.transform(WINE) * signs, atol=1e-6)
    np.testing.assert_allclose(
        ours.inverse_transform(ours.transform(WINE)), theirs.inverse_transform(theirs.transform(WINE)), atol=1e-6
    )


@pytest.mark.parametrize(("name", "n_factors"), [("wine", 1), ("wine", 2), ("wine", 3), ("cancer", 1), ("cancer", 2)])
def test_complete_data_give_the_log_likelihood_of_scikit_learns_factor_analysis(name, n_factors):
    # Its bound under noise variances is an absolute 1e-12, ours a share of the variances: standardised both are tiny.
    x = DATA[name] / DATA[name].std(axis=0)
    theirs = sklearn.decomposition.FactorAnalysis(n_factors, tol=1e-12, max_iter=100_000, svd_method="lapack").fit(x)
    ours = FactorAnalysis(n_factors, tol=1e-9, max_iter=10_000, noise_floor=1e-12).fit(x)
    assert ours.score(x) * len(x) == pytest.approx(theirs.score(x) * len(x), abs=1e-5)
    np.testing.assert_allclose(ours.get_covariance(), theirs.get_covariance(), atol=1e-4)


def test_at_the_same_params_every_answer_is_scikit_learns():
    ours, theirs = FactorAnalysis(2).fit(WINE), sklearn.decomposition.FactorAnalysis(2)
    theirs.components_, theirs.noise_variance_, theirs.mean_ = ours.components_, ours.noise_variance_, ours.mean_
    np.testing.assert_allclose(ours.transform(WINE), theirs.transform(WINE), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(ours.score_samples(WINE), theirs.score_samples(WINE), rtol=1e-10)
    np.testing.assert_allclose(ours.get_covariance(), theirs.get_covariance(), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(ours.get_precision(), theirs.get_precision(), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize(
    ("n_factors", "log_likelihood"), [(1, -1961.585661), (2, -1889.029148), (3, -1873.933176), (4, -1868.517154)]
)
def test_ten_tests_of_maxwell(n_factors, log_likelihood):
    analysis = FactorAnalysis(n_factors).fit(MAXWELL_ROWS)
    assert analysis.result_.log_likelihood == pytest.approx(log_likelihood, abs=2e-6)


def test_the_slow_problem_of_maxwell_takes_few_steps():
    # Textbook EM takes 1632 iterations to 1e-8.
    model = FactorAnalysisModel(4)
    assert emkit.fit(model, MAXWELL_ROWS).n_e_steps < 100


@pytest.mark.parametrize(
    ("n_factors", "log_likelihood", "noise"),
    [(1, -1989.562980, 0.741184), (2, -1904.219142, 0.560517), (4, -1876.229849, 0.457733)],
)
def test_principal_components_of_maxwells_tests(n_factors, log_likelihood, noise):
    pca = ProbabilisticPCA(n_factors).fit(MAXWELL_ROWS)
    assert pca.result_.log_likelihood == pytest.approx(log_likelihood, abs=1e-6)
    assert pca.noise_variance_ == pytest.approx(noise, abs=1e-6)


def _joreskog(**settings):
    """Return the model of four factors on nine variables, its start, and the constant its problem leaves out."""
    free = np.ones((9, 4), dtype=bool)
    free[4:, 2] = free[:4, 3] = False
    start = FactorAnalysisParams(
        np.zeros(9), FACTOR_START.loadings.T, FACTOR_START.uniquenesses, np.zeros(9), np.ones(9)
    )
    return FactorAnalysisModel(4, free_loadings=free, floor=1e-9, **settings), start, 145 * 9 / 2 * np.log(2 * np.pi)


def test_joreskogs_nine_variables_with_zeros_among_the_loadings():
    model, start, constant = _joreskog()
    result = emkit.fit(model, JORESKOG_ROWS, start, tol=FACTOR_PROBLEM.tol)
    assert result.log_likelihood + constant == pytest.approx(FACTOR_PROBLEM.optimum, abs=1e-8)
    np.testing.assert_allclose(result.params.noise_variances, FACTOR_UNIQUENESSES, atol=1e-5)
    assert (result.params.loadings[~model.free_loadings] == 0).all()


def test_without_expansion_and_acceleration_the_steps_are_those_of_rubin_and_thayer():
    model, start, constant = _joreskog(is_expanded=False)
    # Noise variances of 1e-8, as in the published start, would cost the other formula half of its digits.
    start = attrs.evolve(start, noise_variances=np.full(9, 0.5))
    other_start = FactorParams(FACTOR_START.loadings, np.full(9, 0.5))
    steps = emkit.iterate(model, JORESKOG_ROWS, start)
    theirs = emkit.iterate(FACTOR_PROBLEM.model, FACTOR_PROBLEM.data, other_start)
    for _, ours, other in zip(range(30), steps, theirs, strict=False):
        assert ours.log_likelihood + constant == pytest.approx(other.log_likelihood, rel=1e-12)
        np.testing.assert_allclose(ours.params.loadings, other.params.loadings.T, atol=1e-10)
        np.testing.assert_allclose(ours.params.mean, 0, atol=1e-12)


def test_the_count_of_parameters_is_that_of_the_textbooks():
    params = FactorAnalysisModel(4).initialize(MAXWELL_ROWS, np.random.default_rng(0))
    assert FactorAnalysisModel(4).n_parameters(params) == 10 * 4 + 10 + 10 - 6
    isotropic = FactorAnalysisModel(4, "isotropic")
    assert isotropic.n_parameters(isotropic.initialize(MAXWELL_ROWS, np.random.default_rng(0))) == 10 * 4 + 10 + 1 - 6
    # Zeros in different places: the third and fourth factor of Joreskog cannot be turned, the first two can.
    model, start, _ = _joreskog()
    assert model.n_parameters(start) == 9 + 9 + (36 - 9) - 1

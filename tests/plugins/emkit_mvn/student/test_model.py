"""The multivariate t distribution with missing cells, held to scipy's density, to direct maximisation and to limits."""

import warnings

import attrs
import numpy as np
import pytest
from emkit_mvn.model import MultivariateNormal
from emkit_mvn.student.model import MultivariateT
from mvn_tables import AIRQUALITY
from scipy import optimize, stats
from scipy.special import gammaln, psi
from student_rows import brute_log_density, heavy_rows, some_params

import emkit
from emkit.testing import check_model

#: Oxidation of ammonia to nitric acid on 21 days: air flow, water temperature, acid concentration, stack loss
#: (Brownlee 1965, Statistical Theory and Methodology in Science and Engineering, page 454).
STACKLOSS = np.array(
    [
        [80, 27, 89, 42], [80, 27, 88, 37], [75, 25, 90, 37], [62, 24, 87, 28], [62, 22, 87, 18], [62, 23, 87, 18],
        [62, 24, 93, 19], [62, 24, 93, 20], [58, 23, 87, 15], [58, 18, 80, 14], [58, 18, 89, 14], [58, 17, 88, 13],
        [58, 18, 82, 11], [58, 19, 93, 12], [50, 18, 89, 8], [50, 18, 86, 7], [50, 19, 72, 8], [50, 19, 79, 8],
        [50, 20, 80, 9], [56, 20, 82, 15], [70, 20, 91, 15],
    ],
    dtype=np.float64,
)  # fmt: skip


def direct_maximum(x, start, df=None):
    """Return log-likelihood, location and df of a maximum found by BFGS on scipy's densities."""
    size = x.shape[1]
    below = np.tril_indices(size)

    def read(vector):
        root = np.zeros((size, size))
        root[below] = vector[size : size + below[0].size]
        np.fill_diagonal(root, np.exp(np.diag(root)))
        return vector[:size], root @ root.T, np.exp(vector[-1]) if df is None else df

    root = np.linalg.cholesky(start.scatter)
    np.fill_diagonal(root, np.log(np.diag(root)))
    vector = np.concatenate([start.location, root[below], [np.log(5.0)] if df is None else []])
    found = optimize.minimize(lambda v: -brute_log_density(*read(v), x).sum(), vector, method="BFGS")
    return -found.fun, read(found.x)


@pytest.mark.parametrize("tail", [1.5, 0.2, 1e-3])
def test_the_likelihood_of_complete_rows_is_that_of_scipy(tail):
    x = heavy_rows(missing=0.0)
    model = MultivariateT()
    params = some_params(model, x, tail)
    expected = stats.multivariate_t.logpdf(x, params.location, params.scatter, df=params.df)
    np.testing.assert_allclose(model.log_density(params, x), expected, rtol=1e-12)
    assert model.e_step(params, x).log_likelihood == pytest.approx(expected.sum(), rel=1e-12)


@pytest.mark.parametrize("missing", [0.2, 0.7])
def test_the_likelihood_of_rows_with_gaps_is_that_of_their_marginals(missing):
    x, weights = heavy_rows(missing=missing), np.random.default_rng(1).uniform(0, 3, 150)
    model = MultivariateT()
    params = some_params(model, x, 0.3)
    expected = brute_log_density(params.location, params.scatter, params.df, x)
    np.testing.assert_allclose(model.log_density(params, x), expected, rtol=1e-11)
    assert model.e_step(params, (x, weights)).log_likelihood == pytest.approx(weights @ expected, rel=1e-12)


def test_a_fit_with_gaps_reaches_what_direct_maximisation_reaches():
    x = heavy_rows(n=60, d=2)
    model = MultivariateT()
    result = emkit.fit(model, x, tol=1e-10)
    log_likelihood, (location, scatter, df) = direct_maximum(x, model.initialize(x, np.random.default_rng(0)))
    assert result.log_likelihood == pytest.approx(log_likelihood, abs=1e-6)
    np.testing.assert_allclose(result.params.location, location, atol=1e-3)
    np.testing.assert_allclose(result.params.scatter, scatter, rtol=1e-3)
    assert result.params.df == pytest.approx(df, rel=1e-3)


@pytest.mark.parametrize(
    ("df", "log_likelihood", "location"),
    [
        (1.0, -243.0128583116, [58.02133416, 20.73401064, 85.94348047, 14.92935881]),
        (4.0, -235.9079845326, [58.72316926, 20.73979481, 86.01369961, 15.80863791]),
    ],
)
def test_stack_losses_have_their_known_maxima(df, log_likelihood, location):
    result = emkit.fit(MultivariateT(df=df), STACKLOSS, tol=1e-11)
    assert result.log_likelihood == pytest.approx(log_likelihood, abs=2e-9)
    np.testing.assert_allclose(result.params.location, location, atol=2e-5)
    best = stats.multivariate_t.logpdf(STACKLOSS, result.params.location, result.params.scatter, df=df).sum()
    assert result.log_likelihood == pytest.approx(best, rel=1e-12)


def test_expanded_em_takes_less_than_half_of_the_steps_of_em():
    model = MultivariateT(df=1.0)
    start = model.initialize(STACKLOSS, np.random.default_rng(0))
    best = -243.0128583116
    location, scatter, n_em = start.location, start.scatter, 0
    while stats.multivariate_t.logpdf(STACKLOSS, location, scatter, df=1).sum() < best - 1e-7:
        residuals = STACKLOSS - location
        weights = 5 / (1 + np.einsum("ni,ij,nj->n", residuals, np.linalg.inv(scatter), residuals))
        location = weights @ STACKLOSS / weights.sum()
        residuals = STACKLOSS - location
        scatter = (weights * residuals.T) @ residuals / len(STACKLOSS)
        n_em += 1
    points = emkit.iterate(model, STACKLOSS, start)
    n_expanded = next(point.n_iter for point in points if point.log_likelihood >= best - 1e-7)
    assert 2 * n_expanded < n_em


def test_the_new_df_maximises_the_expected_density_of_the_latent_weights():
    x = heavy_rows(n=80)
    model = MultivariateT()
    params = some_params(model, x, 0.3)
    seen = (~np.isnan(x)).sum(axis=1)
    kept, df = seen > 0, params.df
    shape = (df + seen[kept]) / 2
    # Given its row a latent weight is gamma with this shape; its rate follows from the mean.
    u = model.posterior(params, x).weights[kept]
    logs = psi(shape) - np.log(shape / u)

    def loss(v):
        expansion, half = np.exp(v)
        rate = half / expansion
        return -np.sum(half * np.log(rate) - gammaln(half) + half * logs - rate * u)

    found = optimize.minimize(loss, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-11})
    after = model.m_step(params, model.e_step(params, x).statistics)
    assert abs(found.x[0]) > 0.05
    assert after.df == pytest.approx(2 * np.exp(found.x[1]), rel=1e-5)


@pytest.mark.parametrize("df", [np.inf, 1e12])
def test_without_tails_the_fit_is_that_of_the_normal(df):
    result = emkit.fit(MultivariateT(df=df), AIRQUALITY, tol=1e-9)
    normal = emkit.fit(MultivariateNormal(), AIRQUALITY, tol=1e-9)
    assert result.log_likelihood == pytest.approx(-3123.9792854747, abs=1e-6)
    np.testing.assert_allclose(result.params.location, normal.params.mean, rtol=1e-6)
    np.testing.assert_allclose(
        result.params.scatter, normal.params.covariance, atol=1e-4 * np.diag(normal.params.covariance).max()
    )


@pytest.mark.parametrize("df", [3.0, 30.0])
def test_no_given_df_is_likelier_than_the_estimated_one(df):
    x = heavy_rows(n=400, df=df, missing=0.1, seed=4)
    result = emkit.fit(MultivariateT(), x)
    assert 0 < result.params.tail < 1
    for factor in (0.8, 0.95, 1.05, 1.2):
        other = emkit.fit(MultivariateT(df=factor * result.params.df), x)
        assert other.log_likelihood < result.log_likelihood - 1e-6


@pytest.mark.parametrize("tail", [0.4, 0.0])
def test_both_scores_are_the_gradient_of_the_likelihood(tail):
    x, weights = heavy_rows(n=40), np.random.default_rng(1).uniform(0, 3, 40)
    model, data = MultivariateT(), (x, weights)
    params = some_params(model, x, tail)
    exact = model.complete_score(params, model.e_step(params, data).statistics)
    rows = model.score_contributions(params, data)
    for name in ("location", "scatter", "tail"):
        value = np.asarray(getattr(params, name))
        summed = np.asarray(getattr(rows, name)).sum(axis=0)
        np.testing.assert_allclose(getattr(exact, name), summed, rtol=1e-9, atol=1e-9)
        if name == "tail" and tail == 0:
            continue
        for index in np.ndindex(value.shape):
            step = np.zeros(value.shape)
            step[index] = step[index[::-1]] = 1e-5
            high, low = (
                model.log_likelihood(attrs.evolve(params, **{name: value + sign * step}), data) for sign in (1, -1)
            )
            both = summed[index] * (2 if name == "scatter" and index[0] != index[1] else 1)
            assert both == pytest.approx((high - low) / 2e-5, rel=1e-5, abs=1e-5)


def test_weights_repeat_rows():
    x, weights = heavy_rows(n=60), np.random.default_rng(2).integers(0, 4, 60)
    weighted = emkit.fit(MultivariateT(), (x, weights), tol=1e-9)
    repeated = emkit.fit(MultivariateT(), np.repeat(x, weights, axis=0), tol=1e-9)
    assert weighted.log_likelihood == pytest.approx(repeated.log_likelihood, abs=1e-7)
    np.testing.assert_allclose(weighted.params.scatter, repeated.params.scatter, rtol=1e-4)


LAW_CASES = {
    "gaps": (MultivariateT(), heavy_rows()),
    "complete": (MultivariateT(), heavy_rows(missing=0.0)),
    "mostly gaps": (MultivariateT(), heavy_rows(missing=0.6)),
    "weights": (MultivariateT(), (heavy_rows(), np.random.default_rng(0).integers(0, 4, 150).astype(float))),
    "given df": (MultivariateT(df=2.5), heavy_rows()),
    "no tails": (MultivariateT(), heavy_rows(df=np.inf)),
    "a constant column": (MultivariateT(floor=1e-4), np.column_stack([heavy_rows(100), np.ones(100)])),
    "one column": (MultivariateT(), heavy_rows(d=1)),
}


@pytest.mark.parametrize("case", LAW_CASES)
def test_the_model_keeps_all_laws(case):
    report = check_model(*LAW_CASES[case])
    assert report.not_applicable == ("the_e_step_reports_the_log_likelihood",)


def test_simulated_rows_have_the_same_gaps():
    x = heavy_rows()
    model = MultivariateT()
    drawn = model.simulate(some_params(model, x, 0.25), x, np.random.default_rng(0))
    np.testing.assert_array_equal(np.isnan(drawn), np.isnan(x))


def test_several_starts_find_one_maximum_of_ordinary_data():
    result = emkit.fit(MultivariateT(), heavy_rows(), n_starts=6, rng=0)
    assert len(result.optima) == 1


def test_standard_errors_shrink_like_the_root_of_the_number_of_rows():
    few, many = heavy_rows(n=200, missing=0.1), heavy_rows(n=3200, missing=0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        errors = [emkit.fit(MultivariateT(), x, tol=1e-9).standard_errors(x) for x in (few, many)]
    ratio = errors[0].location / errors[1].location
    np.testing.assert_allclose(ratio, 4.0, rtol=0.3)
    assert 2 < float(errors[0].tail) / float(errors[1].tail) < 8

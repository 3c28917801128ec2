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
from emkit.errors import InvalidParamsError
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


@pytest.mark.parametrize("far", [1e4, 1e8, 1e15, 1e100])
def test_far_outliers_hardly_move_the_fit(far):
    x = heavy_rows(n=100, df=np.inf, missing=0.1, seed=5)
    clean = emkit.fit(MultivariateT(), x[5:])
    dirty = x.copy()
    dirty[:5] = far * np.random.default_rng(6).standard_normal((5, 3))
    result = emkit.fit(MultivariateT(), dirty)
    assert result.converged
    spread = np.sqrt(np.diag(clean.params.scatter))
    assert (np.abs(result.params.location - clean.params.location) < 0.3 * spread).all()
    assert (result.model.posterior(result.params, dirty).weights[:5] < 1e-3).all()


def test_a_fit_is_equivariant_under_units():
    x = heavy_rows()
    factor, shift = np.array([1e-150, 3.0, 1e150]), np.array([0.0, 1e8, 0.0])
    result, moved = emkit.fit(MultivariateT(), x, tol=1e-9), emkit.fit(MultivariateT(), x * factor + shift, tol=1e-9)
    np.testing.assert_allclose((moved.params.location - shift) / factor, result.params.location, rtol=1e-4)
    np.testing.assert_allclose(
        moved.params.scatter / factor / factor[:, None], result.params.scatter, rtol=1e-3, atol=1e-4
    )
    assert moved.params.df == pytest.approx(result.params.df, rel=1e-3)


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


@pytest.mark.parametrize("extra", ["constant", "collinear", "mostly constant"])
def test_columns_without_spread_rest_on_the_floor(extra):
    x = heavy_rows(n=80, missing=0.0, df=10.0)
    column = {
        "constant": np.full(80, 7.0),
        "collinear": x.sum(axis=1),
        "mostly constant": np.where(np.arange(80) < 75, 7.0, x[:, 0]),
    }[extra]
    result = emkit.fit(MultivariateT(), np.column_stack([x, column]))
    assert result.converged
    assert any("floor" in note for note in result.notes)
    assert np.isfinite(result.params.scatter).all()


@pytest.mark.parametrize("n", [1, 2, 5])
def test_fewer_rows_than_columns_give_a_finite_fit_on_the_floor(n):
    result = emkit.fit(MultivariateT(), heavy_rows(n=n, d=6, missing=0.0))
    assert np.isfinite(result.log_likelihood)
    assert any("floor" in note for note in result.notes)


def test_columns_that_no_row_sees_together_are_named():
    x = heavy_rows(n=80)
    x[:40, 0], x[40:, 2] = np.nan, np.nan
    result = emkit.fit(MultivariateT(), x)
    assert any("No row sees columns 0 and 2 together" in note for note in result.notes)


def test_a_row_without_cells_says_nothing():
    x = heavy_rows(n=50)
    with_empty = np.vstack([x, np.full((1, 3), np.nan)])
    results = [emkit.fit(MultivariateT(), rows) for rows in (x, with_empty)]
    assert results[0].log_likelihood == pytest.approx(results[1].log_likelihood, rel=1e-12)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.array([[1.0, np.inf], [2.0, 3.0]]), "infinity"),
        (
            np.array([[1.0, np.nan], [2.0, np.nan]]),
            "Column 1 has no seen cell in rows of positive weight: leave it out",
        ),
        (np.full((3, 2), np.nan), "No column has a seen cell"),
        (np.array([[1.0], [2.0], [4.0], [1e200]]), "Column 0 has a cell"),
    ],
)
def test_data_that_say_nothing_or_too_much_are_refused(x, message):
    with pytest.raises(ValueError, match=message):
        emkit.fit(MultivariateT(), x)


@pytest.mark.parametrize("df", [0, -1.0, np.nan, "3", True])
def test_df_must_be_a_positive_number(df):
    with pytest.raises(ValueError, match="df must be a number above 0"):
        MultivariateT(df=df)


def test_a_start_with_tails_too_heavy_is_refused():
    x = heavy_rows()
    model = MultivariateT(smallest_df=1.0)
    with pytest.raises(InvalidParamsError, match=r"tail = 1 / df must be between 0 .* and 1"):
        emkit.fit(model, x, some_params(model, x, 2.0))


def test_the_smallest_df_holds_and_a_note_says_so():
    x = heavy_rows(n=300, df=0.8, missing=0.0, seed=2)
    free, held = emkit.fit(MultivariateT(), x), emkit.fit(MultivariateT(smallest_df=2.0), x)
    assert free.params.df < 1
    assert held.params.df == pytest.approx(2.0)
    assert held.log_likelihood == pytest.approx(emkit.fit(MultivariateT(df=2.0), x).log_likelihood, abs=1e-5)
    assert any("heaviest allowed, df = 2" in note for note in held.notes)


def test_standard_errors_shrink_like_the_root_of_the_number_of_rows():
    few, many = heavy_rows(n=200, missing=0.1), heavy_rows(n=3200, missing=0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        errors = [emkit.fit(MultivariateT(), x, tol=1e-9).standard_errors(x) for x in (few, many)]
    ratio = errors[0].location / errors[1].location
    np.testing.assert_allclose(ratio, 4.0, rtol=0.3)
    assert 2 < float(errors[0].tail) / float(errors[1].tail) < 8

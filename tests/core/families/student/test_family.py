"""The family of t distributions."""

import numpy as np
import pytest
from scipy import optimize, special, stats

from emkit.families import StudentT, StudentTParams
from emkit.families.student.family import START_DF
from emkit.families.student.tails import HIGHEST_DF, LOWEST_DF, df_of_gap, log_gamma_ratio, log_minus_digamma
from emkit.space.assignment import boundary_notes, rests_on_floor, spaces_of
from emkit.testing import check_family

RNG = np.random.default_rng(4)
HEAVY = np.sqrt(RNG.chisquare(4, size=(200, 1)) / 4)
ROWS = RNG.normal(size=(200, 2)) / HEAVY @ np.array([[1.0, 0.5], [0.0, 20.0]]) + [2.0, -30.0]
COLUMN = ROWS[:, :1]
SHARES = RNG.dirichlet([0.7, 0.7], size=200)
STRUCTURES = ["full", "tied", "diag", "spherical"]
every_structure = pytest.mark.parametrize("structure", STRUCTURES)
every_width = pytest.mark.parametrize("x", [ROWS, COLUMN], ids=["2 columns", "1 column"])


def arrived(family, x, shares, steps=1000):
    params = family.fit(x, shares)
    for _ in range(steps):
        params = family.fit(x, shares, params)
    return params


def objective(family, params, x, shares):
    return float((shares * family.log_density(params, x)).sum())


@every_structure
@every_width
@pytest.mark.parametrize("df", [None, 5.0])
def test_it_keeps_the_laws_of_families(structure, x, df):
    report = check_family(StudentT(df, structure), x)
    assert {"the_complete_score_is_the_gradient", "statistics_of_parts_add"} <= set(report.kept)


@every_structure
@every_width
def test_the_log_density_is_that_of_scipy(structure, x):
    family = StudentT(covariance=structure)
    params = family.fit(x, SHARES)
    matrices = family.covariance.to_full(params.scatters, *params.means.shape)
    triples = zip(params.means, matrices, params.df, strict=True)
    expected = [stats.multivariate_t(mean, matrix, df).logpdf(x) for mean, matrix, df in triples]
    np.testing.assert_allclose(family.log_density(params, x), np.transpose(expected), rtol=1e-10)


def test_em_arrives_at_the_maximum_that_scipy_finds():
    x, shares = stats.t(3.0, 5.0, 2.0).rvs(size=(300, 1), random_state=1), np.ones((300, 1))
    params = arrived(StudentT(), x, shares)
    df, mean, scale = stats.t.fit(x[:, 0], 3.0, loc=5.0, scale=2.0)
    best = optimize.minimize(
        lambda v: -stats.t(np.exp(v[0]), v[1], np.exp(v[2])).logpdf(x).sum(),
        [np.log(df), mean, np.log(scale)],
        method="BFGS",
    )
    assert objective(StudentT(), params, x, shares) == pytest.approx(-best.fun, abs=1e-7)
    assert params.df[0] == pytest.approx(np.exp(best.x[0]), rel=1e-4)


def test_a_step_of_the_expanded_params_goes_further_than_one_of_plain_em():
    # Plain EM divides the scatter by counts; one step of each from the same params, df known.
    family = StudentT(2.0, "diag")
    x, shares = stats.t(2.0).rvs(size=(500, 1), random_state=2) * 10.0, np.ones((500, 1))
    params = family.fit(x, shares)
    best = arrived(family, x, shares).scatters[0, 0]
    statistics = family.statistics(params, x, shares)
    plain = statistics.moments.second[0, 0] / statistics.counts[0] * params.scale[0] ** 2
    assert abs(family.m_step(params, statistics).scatters[0, 0] - best) < 0.75 * abs(plain - best)


def test_an_m_step_maximises_the_expected_density_of_the_expanded_model():
    # Precisions u ~ Gamma(df / 2, rate) with a rate of their own: their shape is that of a gamma with these averages.
    family = StudentT()
    params = family.fit(COLUMN, SHARES)
    sums = family.statistics(params, COLUMN, SHARES)
    for k in range(2):
        mean, mean_log = sums.moments.counts[k] / sums.counts[k], sums.log_weights[k] / sums.counts[k]

        def loss(shape, mean=mean, mean_log=mean_log):
            return -(shape * np.log(shape / mean) - special.gammaln(shape) + (shape - 1) * mean_log - shape)

        best = optimize.minimize_scalar(loss, bounds=(0.05, 500.0), method="bounded", options={"xatol": 1e-9})
        assert family.m_step(params, sums).df[k] == pytest.approx(2 * best.x, rel=1e-5)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_an_active_floor_does_not_let_the_objective_fall(structure):
    family = StudentT(covariance=structure, floor=0.05)
    x = np.column_stack([ROWS[:, 0], 3 * ROWS[:, 0] + 1e-3 * ROWS[:, 1]])
    if structure in {"diag", "spherical"}:
        x[::3] = x[0]
    shares = np.eye(2)[(np.arange(200) % 3 == 0).astype(int)]
    params = family.fit(x, shares)
    before = objective(family, params, x, shares)
    for _ in range(60):
        params = family.fit(x, shares, params)
        after = objective(family, params, x, shares)
        assert after >= before - 1e-9 * abs(before)
        before = after
    assert rests_on_floor(spaces_of(family, params), params)


def test_normal_rows_reach_the_cap_and_say_so():
    # Spread evenly, they have lighter tails than a normal. EM alone is not yet at df = 50 after so many steps.
    x = np.linspace(-1.0, 1.0, 200)[:, None]
    params = arrived(StudentT(), x, np.ones((200, 1)), steps=40)
    assert params.df[0] == pytest.approx(HIGHEST_DF, rel=1e-9)
    assert any("df[0]" in note for note in boundary_notes(spaces_of(StudentT(), params), params))


@pytest.mark.parametrize("structure", ["full", "diag", "spherical"])
def test_near_normal_rows_keep_the_laws(structure):
    check_family(StudentT(None, structure), np.random.default_rng(0).normal(size=(300, 2)))


def test_at_the_cap_the_density_is_normal():
    family = StudentT(HIGHEST_DF, "diag")
    params = family.fit(COLUMN, np.ones((200, 1)))
    normal = stats.norm(params.means[0, 0], np.sqrt(params.scatters[0, 0])).logpdf(COLUMN)
    np.testing.assert_allclose(family.log_density(params, COLUMN), normal, rtol=1e-3)


@pytest.mark.parametrize("df", [None, 4.0])
@pytest.mark.parametrize(("shape", "n_components"), [((10, 30), 1), ((50, 60), 1), ((10, 12), 2), ((8, 9), 2)])
def test_fewer_rows_than_columns_do_not_let_the_objective_fall(shape, n_components, df):
    family = StudentT(df)
    for seed in range(3):
        rng = np.random.default_rng(seed)
        x, shares = rng.normal(size=shape), np.eye(n_components)[np.arange(shape[0]) % n_components]
        params = family.fit(x, shares)
        before = objective(family, params, x, shares)
        for _ in range(60):
            params = family.fit(x, shares, params)
            after = objective(family, params, x, shares)
            assert after >= before - 1e-10 * (1 + abs(before))
            before = after
        assert rests_on_floor(spaces_of(family, params), params)
        if df is None and shape == (10, 30):
            # A location and a scatter can be fitted to so few rows exactly: the heavier the tails, the likelier.
            assert params.df[0] == pytest.approx(LOWEST_DF)
            assert any("df[0] rests on its floor" in note for note in boundary_notes(spaces_of(family, params), params))


@pytest.mark.parametrize("structure", ["full", "tied"])
def test_a_scatter_on_its_floor_has_the_density_of_its_eigenvalues(structure):
    # Of a matrix whose eigenvalues span ten orders the smallest are known to six digits; the floor to all.
    rng = np.random.default_rng(5)
    vectors, _ = np.linalg.qr(rng.normal(size=(12, 12)))
    eigenvalues = np.concatenate([np.full(8, 1e-6), [1e-3, 1.0, 100.0, 3e4]])
    scatter = (vectors * eigenvalues) @ vectors.T
    x = rng.normal(size=(6, 4)) @ (vectors[:, 8:] * np.sqrt(eigenvalues[8:])).T
    scatters = (scatter + scatter.T) / 2
    params = StudentTParams(
        np.zeros((1, 12)), scatters if structure == "tied" else scatters[None], np.ones(1), np.zeros(12), np.ones(12)
    )
    distances = ((x @ vectors)[:, 8:] ** 2 / eigenvalues[8:]).sum(axis=1)
    constant = special.gammaln(6.5) - special.gammaln(0.5) - 6 * np.log(np.pi) - np.log(eigenvalues).sum() / 2
    expected = constant - 6.5 * np.log1p(distances)
    np.testing.assert_allclose(StudentT(1.0, structure).log_density(params, x)[:, 0], expected, rtol=0, atol=1e-9)


def test_one_outlier_does_not_move_the_floor():
    family = StudentT(covariance="diag")
    x = np.vstack([COLUMN, [[1e9]]])
    params = arrived(family, x, np.ones((201, 1)), steps=200)
    assert params.scale[0] < 10 * np.std(COLUMN)
    assert abs(params.means[0, 0] - np.median(COLUMN)) < np.std(COLUMN)
    assert not rests_on_floor(spaces_of(family, params), params)


@every_structure
def test_other_units_give_the_same_fit(structure):
    family = StudentT(covariance=structure)
    params, other = family.fit(ROWS, SHARES), family.fit(1e3 * ROWS, SHARES)
    np.testing.assert_allclose(other.means, 1e3 * params.means, rtol=1e-10)
    np.testing.assert_allclose(other.scatters, 1e6 * params.scatters, rtol=1e-9)
    np.testing.assert_allclose(other.df, params.df, rtol=1e-9)


def test_known_degrees_of_freedom_stay():
    family = StudentT(5.0)
    params = arrived(family, ROWS, SHARES, steps=3)
    assert (params.df == 5.0).all()
    assert (
        sum(space.n_free(getattr(params, path[0])) for path, space in spaces_of(family, params).items())
        == 2 * 2 + 2 * 3
    )


def test_draws_have_the_law_of_their_component():
    family = StudentT(3.0, "diag")
    params = family.fit(COLUMN, SHARES)
    drawn = family.sample(params, np.repeat([1, 0], 4000), np.random.default_rng(0))
    for k, rows in ((1, drawn[:4000, 0]), (0, drawn[4000:, 0])):
        law = stats.t(3.0, params.means[k, 0], np.sqrt(params.scatters[k, 0]))
        assert stats.kstest(rows, law.cdf).pvalue > 1e-3


def test_the_distribution_function_is_that_of_scipy():
    family = StudentT()
    params = family.fit(COLUMN, SHARES)
    below, _ = family.cumulative(params, COLUMN)
    expected = stats.t(params.df, params.means[:, 0], np.sqrt(params.scatters[:, 0, 0])).cdf(COLUMN)
    np.testing.assert_allclose(below, expected, rtol=1e-9)


def test_there_is_no_mean_with_one_degree_of_freedom():
    family = StudentT(1.0)
    assert np.isnan(family.mean(family.fit(ROWS, SHARES))).all()


def test_degrees_of_freedom_must_be_positive():
    with pytest.raises(ValueError, match="df must be a positive number, or None to estimate it; found -1"):
        StudentT(-1.0)


@pytest.mark.parametrize("df", [0.02, 0.5, 1.0, START_DF, 99.0, 101.0, 1e4, 9e5])
def test_functions_of_the_degrees_of_freedom_are_exact(df):
    # By the functions themselves, and by the first terms of their series where differences would cancel.
    x = np.array([df / 2])
    gap = log_minus_digamma(x)
    if df < 200:
        np.testing.assert_allclose(gap, np.log(x) - special.digamma(x), rtol=1e-10)
        expected = special.gammaln(x + 1.5) - special.gammaln(x) - 1.5 * np.log(x)
        np.testing.assert_allclose(log_gamma_ratio(x, 1.5), expected, atol=1e-11)
    else:
        np.testing.assert_allclose(gap, 1 / (2 * x) + 1 / (12 * x**2), rtol=1e-9)
        np.testing.assert_allclose(log_gamma_ratio(x, 1.5), 1.5 * 0.5 / (2 * x), rtol=1e-3)
    np.testing.assert_allclose(df_of_gap(gap, 1e-2, 1e6), df, rtol=1e-9)


def test_without_a_gap_the_degrees_of_freedom_are_the_highest():
    np.testing.assert_allclose(df_of_gap(np.array([0.0, -1e-9, 1e9]), 1e-2, 1e6), [1e6, 1e6, 1e-2], rtol=1e-12)

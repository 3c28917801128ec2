"""The family of autoregressions."""

import numpy as np
import pytest
from scipy import stats

from emkit.families import Autoregressive
from emkit.space.assignment import n_free, rests_on_floor, spaces_of
from emkit.testing import check_family


def recursion(n_rows, seed=0):
    rng = np.random.default_rng(seed)
    x = np.zeros((n_rows, 2))
    for t in range(1, n_rows):
        x[t] = [1.0, -2.0] + np.array([[0.6, 0.02], [-1.0, 0.5]]) @ x[t - 1] + rng.normal(size=2) * [1.0, 30.0]
    return x + np.array([50.0, 0.0])


ROWS = recursion(240)
LENGTHS = np.array([100, 1, 2, 137])
STARTS = np.array([0, 100, 101, 103])
SHARES = np.random.default_rng(1).dirichlet([0.7, 0.7], size=240)
STRUCTURES = ["full", "tied", "diag", "spherical"]
every_structure = pytest.mark.parametrize("structure", STRUCTURES)
orders = pytest.mark.parametrize("order", [1, 2])


def fitted(family, x=ROWS, shares=SHARES, lengths=LENGTHS, params=None):
    return family.fit(family.prepare(x, lengths), shares, params)


def by_hand(x, order):
    """Return the rows that have a full past inside their sequence, and the design of each."""
    rows = [t for s, n in zip(STARTS, LENGTHS, strict=True) for t in range(s + order, s + n)]
    design = [np.concatenate([[1.0], *(x[t - lag] for lag in range(1, order + 1))]) for t in rows]
    return np.array(rows), np.array(design)


@every_structure
@orders
@pytest.mark.parametrize("x", [ROWS, ROWS[:, :1]], ids=["2 columns", "1 column"])
def test_it_keeps_the_laws_of_families(structure, order, x):
    report = check_family(Autoregressive(order, structure), x, lengths=LENGTHS)
    assert {"the_complete_score_is_the_gradient", "samples_refitted_from_the_truth_stay_near_it"} <= set(report.kept)


@orders
def test_the_first_rows_of_every_sequence_count_as_missing(order):
    rows = Autoregressive(order).prepare(ROWS, LENGTHS)
    expected = np.ones(240, dtype=bool)
    expected[by_hand(ROWS, order)[0]] = False
    np.testing.assert_array_equal(rows.missing, expected)


def test_rows_after_a_gap_count_as_missing():
    x = ROWS.copy()
    x[50, 1] = np.nan
    missing = Autoregressive(2).prepare(x, np.array([240])).missing
    assert np.flatnonzero(missing).tolist() == [0, 1, 50, 51, 52]


@every_structure
@orders
def test_the_log_density_is_that_of_scipy_given_the_rows_before(structure, order):
    family = Autoregressive(order, structure)
    params = fitted(family)
    found = family.log_density(params, family.prepare(ROWS, LENGTHS))
    matrices = family.covariance.to_full(params.covariances, 2, 2)
    rows, _ = by_hand(ROWS, order)
    for k, matrix in enumerate(matrices):
        for t in rows:
            past = sum(params.coefficients[k, lag] @ ROWS[t - 1 - lag] for lag in range(order))
            expected = stats.multivariate_normal(params.intercepts[k] + past, matrix).logpdf(ROWS[t])
            assert found[t, k] == pytest.approx(expected, rel=1e-9)
    assert (found[np.setdiff1d(np.arange(240), rows)] == 0).all()


@every_structure
@orders
def test_the_fit_is_weighted_least_squares_on_the_rows_before(structure, order):
    params = fitted(Autoregressive(order, structure))
    rows, design = by_hand(ROWS, order)
    scatters, counts = [], SHARES[rows].sum(axis=0)
    for k, share in enumerate(SHARES[rows].T):
        root = np.sqrt(share)[:, None]
        expected = np.linalg.lstsq(root * design, root * ROWS[rows], rcond=None)[0]
        np.testing.assert_allclose(params.intercepts[k], expected[0], rtol=1e-7)
        stacked = np.concatenate(list(params.coefficients[k].transpose(0, 2, 1)))
        np.testing.assert_allclose(stacked, expected[1:], rtol=1e-7, atol=1e-9)
        residual = ROWS[rows] - design @ expected
        scatters.append((residual * share[:, None]).T @ residual)
    wanted = {
        "full": np.array(scatters) / counts[:, None, None],
        "tied": sum(scatters) / counts.sum(),
        "diag": np.diagonal(scatters, axis1=1, axis2=2) / counts[:, None],
    }
    # A spherical one is the mean over columns of the same unit, so it is checked by the laws.
    if structure in wanted:
        np.testing.assert_allclose(params.covariances, wanted[structure], rtol=1e-7, atol=1e-9)


def test_draws_follow_the_recursion_of_their_states():
    family = Autoregressive(1, "diag")
    params = fitted(family, shares=np.eye(2)[np.arange(240) % 2])
    states = np.arange(4000) // 2000
    drawn = family.sample(params, states, np.random.default_rng(2))
    again = family.fit(family.prepare(drawn), np.eye(2)[states], params)
    error = np.sqrt(params.covariances / 2000)
    predicted = [drawn[:-1] @ params.coefficients[k, 0].T + params.intercepts[k] for k in (0, 1)]
    for k in (0, 1):
        inside = states[1:] == k
        residual = (drawn[1:] - predicted[k])[inside]
        assert (np.abs(residual.mean(axis=0)) < 5 * error[k]).all()
        slope_error = error[k][:, None] / drawn[1:][inside].std(axis=0)
        assert (np.abs(again.coefficients[k, 0] - params.coefficients[k, 0]) < 8 * slope_error).all()


def test_a_draw_begins_at_the_mean_of_the_data():
    family = Autoregressive(2, "diag")
    params = fitted(family)
    first = np.array([family.sample(params, np.array([1]), np.random.default_rng(s))[0] for s in range(2000)])
    expected = params.intercepts[1] + params.coefficients[1].sum(axis=0) @ params.location
    error = np.sqrt(params.covariances[1] / 2000)
    assert (np.abs(first.mean(axis=0) - expected) < 5 * error).all()


def test_rows_that_count_as_missing_do_not_move_the_units():
    x = 1000.0 + ROWS
    x[100] = 1e6
    x[150, 0] = np.nan
    family = Autoregressive(1)
    params = fitted(family, x)
    seen = ~family.prepare(x, LENGTHS).missing
    np.testing.assert_allclose(params.location, x[seen].mean(axis=0))
    np.testing.assert_allclose(params.scale, x[seen].std(axis=0))


@every_structure
def test_other_units_give_the_same_fit(structure):
    family = Autoregressive(1, structure)
    params, other = fitted(family), fitted(family, 1e3 * ROWS)
    np.testing.assert_allclose(other.coefficients, params.coefficients, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(other.covariances, 1e6 * params.covariances, rtol=1e-8, atol=1e-6)


def test_only_estimates_are_counted():
    family = Autoregressive(2, "full")
    params = fitted(family)
    assert n_free(spaces_of(family, params), params) == 2 * (2 + 2 * 4 + 3)


def test_a_recursion_without_noise_rests_on_the_floor():
    x = np.cumprod(np.full((60, 1), 0.9), axis=0)
    family = Autoregressive(1)
    params = fitted(family, x, np.ones((60, 1)), None)
    assert params.coefficients[0, 0, 0, 0] == pytest.approx(0.9, rel=1e-6)
    assert rests_on_floor(spaces_of(family, params), params)


def test_the_distribution_function_is_that_of_the_prediction():
    family = Autoregressive(1)
    x = ROWS[:, :1]
    params = fitted(family, x)
    below, _ = family.cumulative(params, family.prepare(x, LENGTHS))
    means = params.intercepts[:, 0] + x[:-1] * params.coefficients[:, 0, 0, 0]
    expected = stats.norm(means, np.sqrt(params.covariances[:, 0, 0])).cdf(x[1:])
    rows, _ = by_hand(x, 1)
    np.testing.assert_allclose(below[rows], expected[rows - 1], rtol=1e-9)
    assert np.isnan(below[STARTS]).all()


def test_lengths_must_add_up():
    with pytest.raises(ValueError, match="lengths add up to 10, but there are 240 rows"):
        Autoregressive().prepare(ROWS, np.array([4, 6]))

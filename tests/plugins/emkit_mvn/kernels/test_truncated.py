"""The normal in a box: what matters, what follows by regression, and what rows and units do not change."""

import numpy as np
import pytest
from emkit_mvn.kernels.truncated import truncated_draws, truncated_mean
from scipy import stats

INF = np.inf
MATRIX = np.array([[1.0, 0.6, -0.3], [0.6, 2.0, 0.4], [-0.3, 0.4, 0.5]])


def test_independent_coordinates_are_truncated_one_by_one():
    """Blocks of correlated coordinates as well: exactly, as the rest of the matrix is zero."""
    variances, lower, upper = np.array([1.0, 4.0, 0.25]), [0, -1, 0.3], [1, INF, 0.4]
    mean = np.array([[0.3, -9.0, 0.1], [5.0, 2.0, -3.0]])
    together = truncated_mean(mean, np.diag(variances), lower, upper)
    for j in range(3):
        alone = truncated_mean(mean[:, [j]], [[variances[j]]], lower[j], upper[j])
        np.testing.assert_array_equal(together[:, [j]], alone)
    blocks = np.zeros((4, 4))
    blocks[np.ix_([0, 2], [0, 2])], blocks[np.ix_([1, 3], [1, 3])] = MATRIX[:2, :2], MATRIX[1:, 1:]
    both = truncated_mean(np.zeros((1, 4)), blocks, 0.5, 2)
    np.testing.assert_array_equal(both[:, [0, 2]], truncated_mean(np.zeros((1, 2)), MATRIX[:2, :2], 0.5, 2))


def test_one_bound_moves_the_others_by_regression_exactly():
    lower = np.array([-INF, 12.0, -INF])
    found = truncated_mean(np.zeros((1, 3)), MATRIX, lower, INF)[0]
    own = stats.truncnorm.mean(12 / np.sqrt(2), INF, scale=np.sqrt(2))
    np.testing.assert_allclose(found, MATRIX[1] / MATRIX[1, 1] * own, rtol=1e-9)


def test_bounds_that_cannot_matter_change_nothing():
    """Forty standard deviations away from where the first coordinate takes the second."""
    free = truncated_mean([[0.0, 0.0]], MATRIX[:2, :2], [2.0, -INF], INF)
    np.testing.assert_array_equal(truncated_mean([[0.0, 0.0]], MATRIX[:2, :2], [2.0, -60.0], INF), free)
    # Also where the first one itself is far away, on either side.
    for sign in (1, -1):
        mean, matrix = [[-20.0 * sign, 0.0]], np.array([[1, -0.5 * sign], [-0.5 * sign, 1]])
        sides = ([0.0, -INF], INF) if sign > 0 else (-INF, [0.0, INF])
        found, lower = truncated_mean(mean, matrix, *sides), np.array([sides[0], sides[0]]) if sign < 0 else sides[0]
        free_lower = [lower[0] if sign > 0 else -INF, -40.0]
        np.testing.assert_array_equal(truncated_mean(mean, matrix, free_lower, sides[1]), found)
    # The same bound matters where the first coordinate takes the second past it.
    pushed = truncated_mean([[0.0, 0.0]], [[1, 0.9], [0.9, 1]], [20.0, -INF], [INF, 15.0])[0]
    assert pushed[1] < 15 < 0.9 * 20


def test_without_bounds_that_matter_the_mean_is_the_mean():
    mean = np.array([[1.0, -3.0, 2.0], [0.0, 0.0, 0.0]])
    np.testing.assert_array_equal(truncated_mean(mean, MATRIX, -INF, INF), mean)
    np.testing.assert_array_equal(truncated_mean(mean, MATRIX, -100, 100), mean)
    draws = truncated_draws(np.zeros((20_000, 3)), MATRIX, -INF, INF, np.random.default_rng(1))
    np.testing.assert_allclose(np.cov(draws.T), MATRIX, atol=5 * 2 * np.sqrt(2 / 20_000))


def test_free_coordinates_are_drawn_given_the_others():
    """Residuals of the regression on the bounded coordinate are normal and independent of it."""
    draws = truncated_draws(np.zeros((20_000, 3)), MATRIX, [-INF, 3.0, -INF], [INF, 4.0, INF], np.random.default_rng(9))
    residuals = draws[:, [0, 2]] - np.outer(draws[:, 1], MATRIX[1, [0, 2]] / 2)
    expected = MATRIX[np.ix_([0, 2], [0, 2])] - np.outer(MATRIX[1, [0, 2]], MATRIX[1, [0, 2]]) / 2
    np.testing.assert_allclose(np.cov(residuals.T), expected, atol=5 * np.sqrt(2 / 20_000))
    assert np.abs(np.corrcoef(residuals.T, draws[:, 1])[2, :2]).max() < 5 / np.sqrt(20_000)


def test_equal_bounds_are_a_constant_on_which_the_others_depend():
    narrow = truncated_mean(np.zeros((1, 3)), MATRIX, [0.5, 0, -INF], [0.5 + 1e-7, INF, 0.1])
    found = truncated_mean(np.zeros((1, 3)), MATRIX, [0.5, 0, -INF], [0.5, INF, 0.1])
    assert found[0, 0] == 0.5
    np.testing.assert_allclose(found, narrow, atol=1e-5)
    draws = truncated_draws(np.zeros((9, 3)), MATRIX, 0.5, 0.5, np.random.default_rng(0))
    np.testing.assert_array_equal(draws, 0.5)


def test_no_variance_leaves_the_mean_or_the_nearest_bound():
    matrix = np.diag([1.0, 0.0])
    found = truncated_mean([[0.0, 3.0], [0.0, 1.5], [0.0, -7.0]], matrix, [-1, 1], [1, 2])
    np.testing.assert_allclose(found, [[0, 2], [0, 1.5], [0, 1]], atol=1e-15)


def test_constants_leave_no_variance_to_what_is_collinear_with_them():
    """In three coordinates of rank two the third follows from two; rounding may leave it a negative variance."""
    rng = np.random.default_rng(0)
    for factors, x in zip(rng.normal(size=(50, 3, 2)), rng.normal(size=(50, 2)), strict=True):
        point = factors @ x
        bounds = [point[0], point[1], -99], [point[0], point[1], 99]
        found = truncated_mean(np.zeros((1, 3)), factors @ factors.T, *bounds)[0]
        np.testing.assert_allclose(found, point, atol=1e-6)


def test_collinear_coordinates_share_the_tighter_bound():
    found = truncated_mean([[0.0, 0.0]], np.ones((2, 2)), [0.5, 1.0], [INF, 2.0])[0]
    np.testing.assert_allclose(found, stats.truncnorm.mean(1, 2), atol=1e-3)
    draws = truncated_draws(np.zeros((500, 2)), np.ones((2, 2)), [0.5, 1.0], [INF, 2.0], np.random.default_rng(0))
    np.testing.assert_allclose(draws[:, 0], draws[:, 1], atol=1e-3)


def test_rows_do_not_depend_on_each_other():
    mean = np.random.default_rng(0).normal(size=(40, 3)) * 2
    together = truncated_mean(mean, MATRIX, [0, -1, -INF], [INF, 1, 0.5])
    one_by_one = [truncated_mean(row[None], MATRIX, [0, -1, -INF], [INF, 1, 0.5])[0] for row in mean]
    np.testing.assert_allclose(together, one_by_one, atol=1e-9)


def test_a_matrix_for_each_row_equals_a_common_one():
    mean = np.random.default_rng(0).normal(size=(30, 3))
    matrices = np.tile(MATRIX, (30, 1, 1))
    common, own = truncated_mean(mean, MATRIX, 0, 3), truncated_mean(mean, matrices, 0, 3)
    np.testing.assert_allclose(own, common, atol=1e-12)
    draws = [truncated_draws(mean, matrix, 0, 3, np.random.default_rng(1)) for matrix in (MATRIX, matrices)]
    np.testing.assert_allclose(*draws, atol=1e-9)


def test_the_units_do_not_matter():
    units, mean = np.array([1e-6, 1.0, 1e9]), np.array([[0.5, -1.0, 0.2]])
    found = truncated_mean(mean * units, MATRIX * np.outer(units, units), np.zeros(3), 2 * units)
    np.testing.assert_allclose(found / units, truncated_mean(mean, MATRIX, 0, 2), rtol=1e-9)


def test_the_mean_is_deterministic_and_draws_follow_their_generator():
    mean = np.zeros((3, 3))
    np.testing.assert_array_equal(truncated_mean(mean, MATRIX, 0, 1), truncated_mean(mean, MATRIX, 0, 1))
    first, again, other = (truncated_draws(mean, MATRIX, 0, 1, np.random.default_rng(s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_no_rows_and_no_coordinates_are_fine():
    assert truncated_mean(np.empty((0, 3)), MATRIX, 0, 1).shape == (0, 3)
    assert truncated_draws(np.empty((4, 0)), np.empty((0, 0)), 0, 1, np.random.default_rng(0)).shape == (4, 0)


@pytest.mark.parametrize(
    ("mean", "matrix", "lower", "upper", "message"),
    [
        ([[0, 0]], np.eye(2), [0, 2], [1, 1], r"Coordinate 1 has no values between lower = 2.0 and upper = 1.0"),
        ([[0, 0]], np.eye(2), [0, np.nan], 1, "Coordinate 1 has no values between lower = nan"),
        ([[0, 0]], np.eye(2), [INF, 0], INF, "Coordinate 0 has no values between lower = inf"),
        ([[0, 0]], np.eye(2), [0, 0, 0], 1, r"lower must be one number or have shape \(2,\); its shape is \(3,\)"),
        ([0, 0], np.eye(2), 0, 1, r"mean must have shape \(n_samples, n_features\).*\(2,\)"),
        ([[0, np.nan]], np.eye(2), 0, 1, r"mean\[0, 1\] is nan"),
        ([[0, 0]], np.eye(3), 0, 1, r"covariance must have shape \(2, 2\) or \(1, 2, 2\).*\(3, 3\)"),
        ([[0, 0]], np.diag([1.0, -2.0]), 0, 1, "coordinate 1 is -2.0"),
    ],
)
def test_bad_input_is_named(mean, matrix, lower, upper, message):
    with pytest.raises(ValueError, match=message):
        truncated_mean(mean, matrix, lower, upper)
    with pytest.raises(ValueError, match=message):
        truncated_draws(mean, matrix, lower, upper, np.random.default_rng(0))

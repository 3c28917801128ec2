"""The normal in a box against closed forms, numerical integration and rejection sampling."""

from __future__ import annotations

import numpy as np
import pytest
from emkit_mvn.kernels import truncated
from emkit_mvn.kernels.truncated import truncated_draws, truncated_mean
from scipy import integrate, stats

INF = np.inf
MATRIX = np.array([[1.0, 0.6, -0.3], [0.6, 2.0, 0.4], [-0.3, 0.4, 0.5]])


# --- one coordinate


@pytest.mark.parametrize(("a", "b"), [(0, 1), (-1, 2), (3, INF), (-INF, 0.5), (-4, -2), (-0.1, 0.1), (-9, 30), (5, 6)])
def test_the_mean_of_one_coordinate_is_that_of_truncnorm(a, b):
    mean, deviation = 3.0, 2.5
    found = truncated_mean([[mean]], [[deviation**2]], [mean + deviation * a], [mean + deviation * b])
    assert found[0, 0] == pytest.approx(stats.truncnorm.mean(a, b, loc=mean, scale=deviation), rel=1e-11)


@pytest.mark.parametrize("a", [40.0, 1e3, 1e5])
def test_far_out_the_mean_follows_the_asymptotic_series(a):
    """``E[z | z > a] = a + 1/a - 2/a^3 + 10/a^5 - 74/a^7 + ...``, from the continued fraction of Mills' ratio."""
    excess = 1 / a - 2 / a**3 + 10 / a**5 - 74 / a**7
    assert truncated_mean([[0.0]], [[1.0]], a, INF)[0, 0] - a == pytest.approx(excess, abs=4e-16 * a, rel=1e-8)
    assert truncated_mean([[0.0]], [[1.0]], -INF, -a)[0, 0] + a == pytest.approx(-excess, abs=4e-16 * a, rel=1e-8)


@pytest.mark.parametrize("a", [0.0, 1.0, 40.0, -40.0])
@pytest.mark.parametrize("width", [1e-9, 1e-3, 0.1])
def test_the_mean_of_a_narrow_interval_leans_from_its_middle_by_the_slope_of_the_density(a, width):
    middle = a + width / 2
    lean = (truncated_mean([[0.0]], [[1.0]], a, a + width)[0, 0] - middle) / width
    if width * max(abs(a), 1) < 0.1:
        # The first terms of the expansion in the width.
        assert lean == pytest.approx(-middle * width / 12, abs=1e-4 * width + 4e-16 * max(abs(a), 1) / width)
    u = np.linspace(-width / 2, width / 2, 2001)
    density = np.exp(-(middle * u + u * u / 2))
    expected = integrate.simpson(u * density, x=u) / integrate.simpson(density, x=u) / width
    assert lean == pytest.approx(expected, abs=1e-9 + 4e-16 * max(abs(a), 1) / width)


EXTREME = [
    (40, INF),
    (-INF, -40),
    (40, 40 + 1e-6),
    (-50, -45),
    (1e8, INF),
    (-1e200, -1e199),
    (1e200, INF),
    (-40, 50),
    (0, 1e-300),
    (-1e-300, 1e300),
]


@pytest.mark.parametrize(("a", "b"), EXTREME)
@pytest.mark.parametrize("matrix", [np.eye(1), np.array([[1.0, 0.7], [0.7, 1.0]])], ids=["one", "two"])
def test_nothing_leaves_the_box_however_far_it_is(a, b, matrix):
    """Warnings are errors here, so that no infinity passes unseen either."""
    m = len(matrix)
    for value in (
        truncated_mean(np.zeros((1, m)), matrix, a, b),
        truncated_draws(np.zeros((50, m)), matrix, a, b, np.random.default_rng(0)),
    ):
        assert np.isfinite(value).all()
        assert (value >= a).all()
        assert (value <= b).all()


@pytest.mark.parametrize(
    ("a", "b"), [(-INF, INF), (0.5, 2), (3, INF), (-INF, -1), (12, INF), (-0.02, 0.01), (38, 38.1)]
)
def test_draws_of_one_coordinate_have_the_distribution_of_truncnorm(a, b):
    draws = truncated_draws(np.full((5000, 1), 2.0), [[9.0]], 2 + 3 * a, 2 + 3 * b, np.random.default_rng(4))[:, 0]
    assert stats.kstest((draws - 2) / 3, stats.truncnorm(a, b).cdf).pvalue > 0.01


@pytest.mark.parametrize("matrix", [np.eye(2), [[1, 0.5], [0.5, 1]]], ids=["independent", "correlated"])
@pytest.mark.parametrize(("a", "width"), [(-0.5, 2e-12), (1.0, 2e-12), (20.0, 2e-12), (0.0, 1e-20)])
def test_draws_from_a_narrow_box_are_uniform(a, width, matrix):
    """The width is no more than some thousand rounding errors of a probability, or far less than one."""
    draws = truncated_draws(np.zeros((3000, 2)), matrix, a, a + width, np.random.default_rng(4))
    places = (draws - a) / ((a + width) - a)
    assert stats.kstest(places[:, 0], "uniform", method="asymp").statistic < 0.05
    assert stats.kstest(places[:, 1], "uniform", method="asymp").statistic < 0.05
    assert abs(np.corrcoef(places.T)[0, 1]) < 0.1
    middle = (truncated_mean(np.zeros((1, 2)), matrix, a, a + width) - a) / width
    np.testing.assert_allclose(middle, 0.5, atol=1e-2 + 4e-16 * abs(a) / width)


# --- two coordinates


def _by_double_integration(mean, matrix, lower, upper):
    """Return the mean in a finite box, the density scaled to its maximum over a grid so that it does not underflow."""
    precision = np.linalg.inv(matrix)
    corners = np.stack(np.meshgrid(*np.linspace(lower, upper, 61).T), -1) - mean
    peak = np.einsum("...i,ij,...j->...", corners, precision, corners).min()

    def density(y, x):
        d = np.array([x, y]) - mean
        return np.exp((peak - d @ precision @ d) / 2)

    box = (lower[0], upper[0], lower[1], upper[1])
    total, x, y = (
        integrate.dblquad(lambda y, x, f=f: f(x, y) * density(y, x), *box, epsabs=1e-10, epsrel=1e-8)[0]
        for f in (lambda *_: 1.0, lambda x, _: x, lambda _, y: y)
    )
    return np.array([x, y]) / total


@pytest.mark.parametrize(
    ("correlation", "lower", "upper"),
    [
        (0.5, [-1, -0.5], [1.5, 1]),
        (-0.8, [0, 0], [2, 3]),
        (0.95, [-0.5, 0.5], [1, 2]),
        (0.6, [4, 3], [6, 5]),
        (-0.6, [3, 3], [4, 4]),
        (0.9, [-1, 10], [3, 11]),
        (-0.9, [6, 6], [6.5, 6.5]),
    ],
)
def test_two_coordinates_agree_with_double_integration(correlation, lower, upper):
    matrix, mean = np.array([[1, correlation], [correlation, 1]]), np.array([0.2, -0.1])
    found = truncated_mean([mean], matrix, lower, upper)[0]
    expected = _by_double_integration(mean, matrix, np.array(lower, float), np.array(upper, float))
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("correlation", [-0.9, -0.3, 0.4, 0.99])
def test_the_mean_in_the_positive_orthant_has_its_closed_form(correlation):
    """``E[z_1 | z > 0] = (1 + r) / (2 sqrt(2 pi) P(z > 0))``, ``P = 1/4 + asin(r) / (2 pi)`` (Rosenbaum 1961)."""
    probability = 0.25 + np.arcsin(correlation) / (2 * np.pi)
    found = truncated_mean([[0.0, 0.0]], [[1, correlation], [correlation, 1]], 0, INF)[0]
    np.testing.assert_allclose(found, (1 + correlation) / (2 * np.sqrt(2 * np.pi) * probability), rtol=1e-5)


# --- several coordinates


def _by_rejection(mean, matrix, lower, upper):
    """Return what is left of a million draws."""
    draws = np.random.default_rng(2).multivariate_normal(mean, matrix, size=10**6, method="cholesky")
    return draws[((draws >= lower) & (draws <= upper)).all(axis=1)]


BOXES = {
    "moderate": ([-1.0, 0.0, -0.5], [1.0, INF, 0.8]),
    "tail": ([1.0, 1.5, 0.5], [INF, INF, INF]),
    "two bounds": ([0.5, -INF, 0.6], [INF, INF, INF]),
    "one-sided": ([-INF, -INF, 0.2], [-0.5, -0.4, INF]),
}


@pytest.mark.parametrize("box", BOXES.values(), ids=BOXES)
def test_three_coordinates_agree_with_rejection_sampling(box):
    """Within four standard errors of the mean of what is left of a million draws."""
    mean = np.array([0.1, -0.2, 0.0])
    kept = _by_rejection(mean, MATRIX, *map(np.array, box))
    error = kept.std(axis=0) / np.sqrt(len(kept))
    assert len(kept) > 2000
    assert (np.abs(truncated_mean([mean], MATRIX, *box)[0] - kept.mean(axis=0)) < 4 * error).all()


@pytest.mark.parametrize("box", BOXES.values(), ids=BOXES)
def test_draws_of_three_coordinates_have_the_margins_of_rejection_sampling(box):
    mean = np.array([0.1, -0.2, 0.0])
    kept = _by_rejection(mean, MATRIX, *map(np.array, box))
    draws = truncated_draws(np.tile(mean, (4000, 1)), MATRIX, *box, np.random.default_rng(3))
    for j in range(3):
        assert stats.ks_2samp(draws[:, j], kept[:, j]).pvalue > 0.003
    # A margin says nothing about how coordinates go together; five standard errors of a correlation.
    found, expected = np.corrcoef(draws.T), np.corrcoef(kept.T)
    assert np.abs(found - expected).max() < 5 / np.sqrt(4000)


SKEWED = ([-0.5, -INF, 0.8], [0.5, 0.3, INF])


def _errors_of_draws(n):
    draws = truncated_draws(np.zeros((n, 3)), 0.05 * np.eye(3) + 0.95, *SKEWED, np.random.default_rng(3))
    return draws.mean(axis=0) - truncated_mean(np.zeros((1, 3)), 0.05 * np.eye(3) + 0.95, *SKEWED)[0], draws.std(axis=0)


def test_strongly_correlated_draws_are_right_before_any_sweep(monkeypatch):
    """Choosing among proposals by their weights is enough: the means within five standard errors."""
    monkeypatch.setattr(truncated, "N_SWEEPS", 0)
    shift, deviation = _errors_of_draws(20_000)
    assert (np.abs(shift) < 5 * deviation / np.sqrt(20_000)).all()


def test_a_single_proposal_is_repaired_by_the_sweeps(monkeypatch):
    monkeypatch.setattr(truncated, "N_PROPOSALS", 1)
    monkeypatch.setattr(truncated, "N_SWEEPS", 0)
    shift, deviation = _errors_of_draws(20_000)
    monkeypatch.setattr(truncated, "N_SWEEPS", 40)
    repaired, _ = _errors_of_draws(20_000)
    assert np.abs(shift / deviation).max() > 8 / np.sqrt(20_000)
    assert np.abs(repaired / deviation).max() < 5 / np.sqrt(20_000)


@pytest.mark.parametrize("m", [2, 3, 5])
def test_the_default_number_of_points_is_accurate_to_a_thousandth(m):
    """Twelve random matrices each, in boxes at and far from the mean, against eight times as many points."""
    rng = np.random.default_rng(m)
    factors = rng.normal(size=(12, m, 2 * m))
    matrices = factors @ factors.mT / (2 * m)
    deviation = np.sqrt(np.diagonal(matrices, axis1=1, axis2=2))
    for distance in (0.0, 4.0):
        mean = rng.normal(size=(12, m)) - distance * deviation
        coarse = truncated_mean(mean, matrices, 0, 30)
        fine = truncated_mean(mean, matrices, 0, 30, n_points=8191)
        assert (np.abs(coarse - fine) / deviation).max() < 1e-3


def test_the_tightest_coordinate_comes_first_for_the_sake_of_accuracy():
    """Five strongly correlated coordinates, nine rows of ten; in the opposite order errors are ten times as large."""
    rng = np.random.default_rng(1)
    factors = rng.normal(size=(60, 5, 5))
    matrices = factors @ factors.mT + 1e-3 * np.eye(5)
    deviation = np.sqrt(np.diagonal(matrices, axis1=1, axis2=2))
    mean = rng.normal(size=(60, 5)) * deviation
    coarse, fine = (truncated_mean(mean, matrices, 0, INF, n_points=n) for n in (1021, 8191))
    assert np.quantile((np.abs(coarse - fine) / deviation).max(axis=1), 0.9) < 5e-4


def test_an_equicorrelated_orthant_has_equal_means():
    """Six coordinates are told apart only by their order of integration."""
    found = truncated_mean(np.full((1, 6), -2.0), 0.5 * (np.eye(6) + 1), 0, INF)[0]
    assert np.ptp(found) < 2e-3


@pytest.mark.parametrize("m", [1, 2, 4])
def test_a_symmetric_box_leaves_the_mean_where_it_is(m):
    matrix = 0.5 * (np.eye(m) + 1)
    np.testing.assert_allclose(truncated_mean(np.full((1, m), 7.0), matrix, 6.5, 7.5), 7.0, atol=1e-4)


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


# --- batches


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

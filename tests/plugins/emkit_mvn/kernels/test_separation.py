"""Correlated coordinates in a box against numerical integration, closed forms and rejection sampling."""

import numpy as np
import pytest
from emkit_mvn.kernels import separation
from emkit_mvn.kernels.truncated import truncated_draws, truncated_mean
from scipy import integrate, stats

INF = np.inf
MATRIX = np.array([[1.0, 0.6, -0.3], [0.6, 2.0, 0.4], [-0.3, 0.4, 0.5]])


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
    monkeypatch.setattr(separation, "N_SWEEPS", 0)
    shift, deviation = _errors_of_draws(20_000)
    assert (np.abs(shift) < 5 * deviation / np.sqrt(20_000)).all()


def test_a_single_proposal_is_repaired_by_the_sweeps(monkeypatch):
    monkeypatch.setattr(separation, "N_PROPOSALS", 1)
    monkeypatch.setattr(separation, "N_SWEEPS", 0)
    shift, deviation = _errors_of_draws(20_000)
    monkeypatch.setattr(separation, "N_SWEEPS", 40)
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

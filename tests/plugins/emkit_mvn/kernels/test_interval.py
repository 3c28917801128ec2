"""One coordinate between bounds against scipy, series and integrals, however far and narrow."""

import numpy as np
import pytest
from emkit_mvn.kernels.truncated import truncated_draws, truncated_mean
from scipy import integrate, stats

INF = np.inf


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

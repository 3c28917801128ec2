"""The density as a function of the tail, against differences and scipy."""

import numpy as np
import pytest
from emkit_mvn.student.tail import TailDensity, df_from_curve, log_minus_digamma
from scipy.special import psi


@pytest.mark.parametrize("tail", [2.0, 0.1, 1e-3, 1e-7, 0.0])
def test_the_slope_along_the_tail_is_that_of_the_density(tail):
    n_seen, distances = 4, np.array([0.0, 0.5, 4.0, 30.0])
    step = 1e-4 * max(tail, 1e-2)

    def kernel(t):
        density = TailDensity(t, n_seen)
        return density.kernel(1.0, density.growth(distances), distances)

    if tail < step:
        # A one-sided difference of the second order.
        slope = (-3 * kernel(tail) + 4 * kernel(tail + step) - kernel(tail + 2 * step)) / (2 * step)
    else:
        slope = (kernel(tail + step) - kernel(tail - step)) / (2 * step)
    density = TailDensity(tail, n_seen)
    found = density.scores(1.0, density.growth(distances), density.excess(distances), distances, distances**2)
    np.testing.assert_allclose(found, slope, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("df", [0.05, 0.7, 4.0, 99.0, 101.0, 1e6])
def test_df_solves_its_equation(df):
    value = np.log(df / 2) - psi(df / 2)
    # The difference of two large numbers is itself inexact where df is large.
    np.testing.assert_allclose(log_minus_digamma(df / 2), value, rtol=1e-12 if df < 200 else 1e-8)
    assert df_from_curve(log_minus_digamma(df / 2)) == pytest.approx(df, rel=1e-9)


@pytest.mark.parametrize("tail", [1e-9, 1e-100, 1e-200])
def test_tails_however_light_have_the_density_of_the_normal(tail):
    distances = np.array([0.0, 3.0, 50.0])
    density = TailDensity(tail, 3)
    np.testing.assert_allclose(density.kernel(1.0, density.growth(distances), distances), -distances / 2, atol=2e-6)
    np.testing.assert_allclose(density.log_weights(1.0, density.growth(distances)), 0, atol=1e-7)

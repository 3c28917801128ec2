"""Gaps given the rest of their row, against a loop over rows and against differences."""

import numpy as np
import pytest
from emkit_mvn.kernels.conditional import Conditional
from gappy_tables import some_normal, table


@pytest.mark.parametrize("share", [0.2, 0.7])
def test_gaps_given_the_rest_of_the_row_are_those_of_a_loop(share):
    x = table(200, 6, share, seed=5)
    x[3] = np.nan
    mean, covariance = some_normal(6)
    conditional = Conditional.of(mean, covariance)
    filled, variances, density = conditional.fill(x), conditional.variances(x), conditional.log_density(x)
    for row, full, variance, log_density in zip(x, filled, variances, density, strict=True):
        seen = ~np.isnan(row)
        np.testing.assert_array_equal(full[seen], row[seen])
        inside = covariance[np.ix_(seen, seen)]
        gain = covariance[np.ix_(~seen, seen)] @ np.linalg.inv(inside)
        np.testing.assert_allclose(full[~seen], mean[~seen] + gain @ (row[seen] - mean[seen]), atol=1e-10)
        spread = covariance[np.ix_(~seen, ~seen)] - gain @ covariance[np.ix_(seen, ~seen)]
        np.testing.assert_allclose(variance[~seen], np.diag(spread), atol=1e-10)
        assert (variance[seen] == 0).all()
        away = row[seen] - mean[seen]
        expected = -(np.linalg.slogdet(2 * np.pi * inside)[1] + away @ np.linalg.solve(inside, away)) / 2
        assert log_density == pytest.approx(expected, abs=1e-9)


def test_draws_of_gaps_have_the_conditional_mean_and_covariance():
    mean, covariance = some_normal(4)
    conditional = Conditional.of(mean, covariance)
    row = np.array([1.0, np.nan, -0.5, np.nan])
    x = np.repeat(row[None], 100_000, axis=0)
    x[::2, 1] = 0.3
    drawn = conditional.draw(x, np.random.default_rng(0))
    np.testing.assert_array_equal(drawn[~np.isnan(x)], x[~np.isnan(x)])
    both = drawn[1::2][:, [1, 3]]
    seen, gaps = [0, 2], [1, 3]
    gain = covariance[np.ix_(gaps, seen)] @ np.linalg.inv(covariance[np.ix_(seen, seen)])
    expected = mean[gaps] + gain @ (row[seen] - mean[seen])
    spread = covariance[np.ix_(gaps, gaps)] - gain @ covariance[np.ix_(seen, gaps)]
    # Five standard errors of a mean and of a covariance over 50 000 draws.
    tolerance = 5 / np.sqrt(len(both))
    deviations = np.sqrt(np.diag(spread))
    assert (np.abs(both.mean(axis=0) - expected) < tolerance * deviations).all()
    errors = np.abs(np.cov(both.T) - spread)
    assert (errors < tolerance * np.sqrt(2) * np.outer(deviations, deviations)).all()


def test_scores_of_rows_are_differences_of_their_log_densities():
    x = table(30, 3, 0.4, seed=7)
    x[0] = np.nan
    mean, covariance = some_normal(3)
    means, covariances = Conditional.of(mean, covariance).score_contributions(x)
    step = 1e-5
    for i in range(3):
        shift = step * np.eye(3)[i]
        high, low = (Conditional.of(mean + sign * shift, covariance).log_density(x) for sign in (1, -1))
        np.testing.assert_allclose(means[:, i], (high - low) / (2 * step), atol=1e-7)
        for j in range(3):
            shift = step * (np.outer(np.eye(3)[i], np.eye(3)[j]) + np.outer(np.eye(3)[j], np.eye(3)[i]))
            high, low = (Conditional.of(mean, covariance + sign * shift).log_density(x) for sign in (1, -1))
            slope = covariances[:, i, j] + covariances[:, j, i]
            np.testing.assert_allclose(slope, (high - low) / (2 * step), atol=1e-6)

"""Patterns, blocks, inverses and moments against loops over rows."""

from __future__ import annotations

import numpy as np
import pytest
from emkit_mvn.kernels.blocks import blocks_of
from emkit_mvn.kernels.conditional import Conditional
from emkit_mvn.kernels.inversion import inverses, roots
from emkit_mvn.kernels.moments import Normal, expectations
from emkit_mvn.kernels.monotone import monotone_order
from emkit_mvn.kernels.patterns import patterns_of
from emkit_mvn.kernels.rows import incomplete_rows

from emkit.errors import DegenerateError


def table(n_samples, n_features, share, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n_samples, n_features)) @ rng.normal(size=(n_features, n_features)) + 3
    x[rng.random(x.shape) < share] = np.nan
    return x


def some_normal(n_features, seed=1):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(n_features, n_features + 2))
    return rng.normal(size=n_features), root @ root.T / n_features


def moments_by_rows(x, weights, mean, covariance):
    """Loop over rows: sums of residuals and of products, log-determinants and distances of the seen cells."""
    size = len(mean)
    first, second, log_determinant, distance = np.zeros(size), np.zeros((size, size)), 0.0, 0.0
    for row, weight in zip(x, weights, strict=True):
        seen = ~np.isnan(row)
        if not seen.any():
            continue
        inside, away = covariance[np.ix_(seen, seen)], row[seen] - mean[seen]
        gain = covariance[:, seen] @ np.linalg.inv(inside)
        residual = gain @ away
        first += weight * residual
        second += weight * (np.outer(residual, residual) + covariance - gain @ covariance[seen])
        log_determinant += weight * np.linalg.slogdet(inside)[1]
        distance += weight * away @ np.linalg.solve(inside, away)
    return first, second, log_determinant, distance


@pytest.mark.parametrize(
    ("n_samples", "n_features", "share"),
    [
        (40, 3, 0.3),
        (300, 4, 0.1),
        (500, 5, 0.6),
        (60, 17, 0.3),
        (30, 70, 0.2),
        (20, 40, 0.7),
        (1, 3, 0.4),
        (50, 1, 0.2),
    ],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_expectations_are_those_of_a_loop_over_rows(n_samples, n_features, share, weighted):
    x = table(n_samples, n_features, share)
    weights = np.random.default_rng(2).integers(0, 4, n_samples) / 2 if weighted else np.ones(n_samples)
    mean, covariance = some_normal(n_features)
    rows = incomplete_rows(x, weights if weighted else None)
    scale = rows.units.scale
    standard = Normal.of((mean - rows.units.location) / scale, covariance / np.outer(scale, scale))
    found = expectations(rows.blocks, standard)
    first, second, log_determinant, distance = moments_by_rows(x, weights, mean, covariance)
    np.testing.assert_allclose(found.first * scale, first, atol=1e-9 * n_samples)
    np.testing.assert_allclose(found.second * np.outer(scale, scale), second, atol=1e-9 * n_samples)
    logs = 2 * np.diag(rows.pair_weights) @ np.log(scale)
    assert found.log_determinant + logs == pytest.approx(log_determinant, abs=1e-9 * n_samples)
    assert found.distance == pytest.approx(distance, rel=1e-9)
    informative = ~np.isnan(x).all(axis=1)
    assert rows.total_weight == pytest.approx(weights[informative].sum())
    seen = ~np.isnan(x)
    np.testing.assert_allclose(rows.pair_weights, (seen * weights[:, None]).T @ seen)


def test_patterns_with_many_rows_are_replaced_by_few():
    x = table(5000, 3, 0.2)
    rows = incomplete_rows(x)
    assert sum(len(block.rows) for block in rows.blocks) == 4 + 3 * 3 + 3 * 2
    assert sum(block.weights.sum() for block in rows.blocks) == (~np.isnan(x)).any(axis=1).sum()


def test_collinear_columns_are_replaced_as_well():
    x = table(300, 3, 0.0)
    x[:, 2] = x[:, 0] - x[:, 1]
    x[::3, 0] = np.nan
    mean, covariance = some_normal(3)
    rows = incomplete_rows(x)
    assert sum(len(block.rows) for block in rows.blocks) == 3 + 4
    scale = rows.units.scale
    found = expectations(
        rows.blocks, Normal.of((mean - rows.units.location) / scale, covariance / np.outer(scale, scale))
    )
    _, second, _, _ = moments_by_rows(x, np.ones(300), mean, covariance)
    np.testing.assert_allclose(found.second * np.outer(scale, scale), second, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("n_features", [1, 6, 8, 9, 63, 64, 65, 130])
def test_patterns_are_told_apart_bit_by_bit(n_features):
    rng = np.random.default_rng(n_features)
    observed = rng.random((200, n_features)) < 0.9
    # Patterns that differ in one bit only, the first and the last among them.
    observed[0] = observed[1] = observed[2] = True
    observed[0, 0] = observed[1, -1] = False
    patterns = patterns_of(observed)
    assert len(patterns.observed) == len(np.unique(observed, axis=0))
    for k, pattern in enumerate(patterns.observed):
        rows = patterns.order[patterns.starts[k] : patterns.starts[k + 1]]
        assert (observed[rows] == pattern).all()
        assert (np.diff(rows) > 0).all()
    n_seen = patterns.observed.sum(axis=1)
    assert (np.diff(n_seen) <= 0).all()
    assert sorted(patterns.order) == list(range(200))


def test_two_patterns_whose_numbers_multiply_to_the_same_are_two():
    """Columns {2, 3, 4} and {1, 4, 5}: statsmodels 0.15 takes them for one and overwrites seen cells."""
    observed = np.ones((200, 6), dtype=bool)
    observed[:100, [2, 3, 4]] = False
    observed[100:, [1, 4, 5]] = False
    assert len(patterns_of(observed).observed) == 2


def test_there_are_no_patterns_without_rows():
    patterns = patterns_of(np.empty((0, 3), dtype=bool))
    assert patterns.n_rows.tolist() == []


@pytest.mark.parametrize("size", [0, 1, 2, 7, 14, 15, 30])
@pytest.mark.parametrize("count", [1, 7, 8, 100])
def test_inverses_of_a_batch_are_those_of_each(size, count):
    rng = np.random.default_rng(size)
    roots = rng.normal(size=(count, size, size + 2))
    matrices = roots @ roots.swapaxes(1, 2)
    inverse, log_determinants = inverses(np.moveaxis(matrices, 0, -1).copy())
    np.testing.assert_allclose(np.moveaxis(inverse, -1, 0), np.linalg.inv(matrices), rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(log_determinants, np.linalg.slogdet(matrices)[1], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("size", "count"), [(2, 20), (2, 1), (20, 20)])
def test_a_batch_with_an_indefinite_matrix_is_refused(size, count):
    matrices = np.repeat(np.eye(size)[..., None], count, axis=-1)
    matrices[-1, -1, -1] = -1.0
    with pytest.raises(DegenerateError, match="not positive definite"):
        inverses(matrices)
    singular = np.ones((size, size, count))
    with pytest.raises(DegenerateError, match="not positive definite"):
        inverses(singular)


def test_roots_of_a_batch_multiply_to_it_even_where_one_is_singular():
    vectors = np.random.default_rng(0).normal(size=(5, 3, 3))
    matrices = vectors @ vectors.swapaxes(1, 2)
    matrices[2] = np.ones((3, 3))
    matrices[2, 0, 0] -= 1e-15
    for batch in (matrices[:2], matrices):
        found = roots(batch)
        np.testing.assert_allclose(found @ found.swapaxes(1, 2), batch, atol=1e-12)


def test_a_covariance_that_is_not_definite_is_refused():
    with pytest.raises(DegenerateError, match="not positive definite"):
        Normal.of(np.zeros(2), np.array([[1.0, 2.0], [2.0, 1.0]]))


@pytest.mark.parametrize("n_features", [2, 9])
def test_blocks_without_compression_hold_all_rows_in_the_order_of_the_patterns(n_features):
    x = table(400, n_features, 0.4)
    patterns = patterns_of(~np.isnan(x))
    filled = np.where(np.isnan(x), 0, x)
    blocks = list(blocks_of(filled, None, patterns, compress=False))
    np.testing.assert_array_equal(np.concatenate([block.rows for block in blocks]), filled[patterns.order])
    observed = np.concatenate([block.observed[block.pattern] for block in blocks])
    np.testing.assert_array_equal(observed, ~np.isnan(x)[patterns.order])
    for block in blocks:
        for gaps, pattern in zip(block.gaps.T, block.observed, strict=True):
            np.testing.assert_array_equal(gaps, np.flatnonzero(~pattern))


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


@pytest.mark.parametrize(
    ("observed", "order"),
    [
        ([[1, 1, 1], [1, 1, 0], [1, 0, 0]], [0, 1, 2]),
        ([[0, 1, 1], [0, 0, 1]], [2, 1, 0]),
        ([[1, 1, 1], [1, 0, 1], [1, 1, 0]], None),
        ([[1, 0], [0, 1]], None),
    ],
)
def test_monotone_patterns_are_recognised(observed, order):
    found = monotone_order(np.array(observed, dtype=bool))
    assert (found is None) == (order is None)
    if order is not None:
        np.testing.assert_array_equal(found, order)

"""Rows side by side in blocks: all of them, or fewer that stand for them."""

import numpy as np
import pytest
from emkit_mvn.kernels.blocks import blocks_of
from emkit_mvn.kernels.moments import Normal, expectations
from emkit_mvn.kernels.patterns import patterns_of
from emkit_mvn.kernels.rows import incomplete_rows
from gappy_tables import moments_by_rows, some_normal, table


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

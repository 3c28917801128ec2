"""Rows drawn with replacement."""

import numpy as np
import pytest
from emkit_mvn import MultivariateNormal
from emkit_mvn.kernels.rows import incomplete_rows
from emkit_mvn.multiple.resampling import Replicate

from emkit.errors import FitFailedError


def test_rows_are_drawn_as_often_as_they_count():
    weights = np.array([0.0, 1, 2, 3, 6])
    rows = incomplete_rows(np.array([[5.0], [1], [2], [3], [4]]), weights)
    replicate = Replicate.of(MultivariateNormal(), None, rows)
    draws = np.array([replicate.drawn(np.random.default_rng(seed)) for seed in range(2000)])
    assert (draws.sum(axis=1) == 12).all()
    assert (draws == np.rint(draws)).all()
    np.testing.assert_allclose(draws.mean(axis=0), [1, 2, 3, 6], atol=0.15)
    np.testing.assert_allclose(draws.var(axis=0), 12 * np.array([1, 2, 3, 6]) / 12 * (1 - weights[1:] / 12), rtol=0.15)


def test_weights_that_are_no_whole_numbers_keep_their_total():
    rows = incomplete_rows(np.arange(10.0)[:, None], np.full(10, 0.75))
    drawn = Replicate.of(MultivariateNormal(), None, rows).drawn(np.random.default_rng(0))
    assert drawn.sum() == pytest.approx(7.5)
    assert np.allclose(drawn / drawn[drawn > 0].min() % 1, 0)


def test_rows_are_drawn_again_where_a_column_loses_its_cells():
    x = np.column_stack([np.arange(8.0), np.full(8, np.nan)])
    x[:2, 1] = [1, 2]
    replicate = Replicate.of(MultivariateNormal(), None, incomplete_rows(x))
    for seed in range(200):
        assert replicate.drawn(np.random.default_rng(seed))[:2].sum() > 0


def test_a_column_that_always_loses_its_cells_is_named():
    weights = np.append(np.full(9, 1e6), 1e-3)
    x = np.column_stack([np.arange(10.0), np.full(10, np.nan)])
    x[9, 1] = 3.0
    replicate = Replicate.of(MultivariateNormal(), None, incomplete_rows(x, weights / 1e6))
    with pytest.raises(FitFailedError, match="column 1 without a seen cell 100 times"):
        replicate.drawn(np.random.default_rng(0))

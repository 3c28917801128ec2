"""Patterns of missing data are told apart."""

import numpy as np
import pytest
from emkit_mvn.kernels.patterns import patterns_of


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

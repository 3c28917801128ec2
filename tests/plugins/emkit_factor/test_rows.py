"""Rows by the pattern of what they miss."""

from __future__ import annotations

import numpy as np
from emkit_factor import FactorAnalysisModel, PartialRows
from sklearn.datasets import load_wine


def test_rows_are_grouped_by_exactly_what_they_miss():
    # Patterns that differ in one cell of a hundred, twice each and in mixed order.
    x = np.random.default_rng(0).standard_normal((200, 100))
    for n in range(200):
        x[n, n % 100] = np.nan
    rows = PartialRows(x)
    assert len(rows.firsts) == 100
    patterns = np.isnan(x[rows.order]).argmax(axis=1)
    np.testing.assert_array_equal(np.flatnonzero(np.diff(patterns, prepend=-1)), rows.firsts)
    assert sorted(rows.order) == list(range(200))


def test_complete_data_cost_one_matrix_of_the_factors(monkeypatch):
    x = load_wine().data
    params = FactorAnalysisModel(2).initialize(x, np.random.default_rng(0))
    sizes = []
    inverse = np.linalg.inv
    monkeypatch.setattr(np.linalg, "inv", lambda matrices: sizes.append(len(matrices)) or inverse(matrices))
    FactorAnalysisModel(2).e_step(params, x)
    assert sizes == [1]

"""Columns that no row sees: a note, and the fit of the others as if they were not there."""

from __future__ import annotations

import numpy as np
import pytest

from emkit import tree
from emkit.families import Gaussian, Mixture, Product

X = np.random.default_rng(0).normal(size=(50, 2)) @ [[1.0, 0.5], [0, 2]] + [3, 5]
SHARES = np.random.default_rng(1).dirichlet([1, 1], 50)
WITH_GAP = np.column_stack([X[:, 0], np.full(50, np.nan), X[:, 1]])


def fitted(family, x, shares=SHARES):
    return family.fit(family.prepare(x), shares)


@pytest.mark.parametrize("structure", ["full", "diag", "tied", "spherical"])
def test_a_column_without_a_cell_is_named(structure):
    family = Gaussian(structure)
    (note,) = family.notes(fitted(family, WITH_GAP))
    assert note.startswith("Column 1: no cell is seen there")
    assert "Leave it out" in note
    assert not family.notes(fitted(family, X))


def test_several_are_named_together_and_within_other_families():
    nothing = np.full((50, 1), np.nan)
    (note,) = Gaussian().notes(fitted(Gaussian(), np.column_stack([nothing, X, nothing])))
    assert note.startswith("Columns 0, 3: no cell is seen there")
    product = Product([([0, 1], Gaussian())])
    assert "Column 1" in product.notes(fitted(product, WITH_GAP))[0]
    mixture = Mixture(Gaussian(), 2)
    assert all("Column 1" in note for note in mixture.notes(fitted(mixture, WITH_GAP)))


def test_a_coded_column_of_mean_zero_and_variance_one_is_no_such_column():
    x = np.tile([[-1.0, 1.0], [1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]], (5, 1))
    params = fitted(Gaussian("diag"), x, np.ones((20, 1)))
    np.testing.assert_allclose([params.means, params.covariances], [[[0, 0]], [[1, 1]]], atol=1e-15)
    assert not Gaussian("diag").notes(params)


def test_the_coverage_is_the_share_of_the_weight_and_a_constant():
    x = X.copy()
    x[:10, 0] = np.nan
    weighted = SHARES * np.where(np.arange(50) < 10, 4.0, 1.0)[:, None]
    params = fitted(Gaussian(), x, weighted)
    np.testing.assert_allclose(params.coverage, [40 / 80, 1.0])
    after = Gaussian().fit(Gaussian().prepare(x[20:]), SHARES[20:], params)
    np.testing.assert_array_equal(after.coverage, params.coverage)


def test_rows_without_weight_see_nothing():
    x = np.column_stack([X[:, 0], np.where(np.arange(50) < 5, 1.0, np.nan)])
    weighted = SHARES * (np.arange(50) >= 5)[:, None]
    assert "Column 1" in Gaussian().notes(fitted(Gaussian(), x, weighted))[0]


def test_the_gradient_has_the_shape_of_the_params():
    family, rows = Gaussian(), Gaussian().prepare(WITH_GAP)
    params = fitted(family, WITH_GAP)
    gradient = family.complete_score(params, family.statistics(params, rows, SHARES))
    assert [np.shape(leaf) for _, leaf in tree.leaves(gradient)] == [np.shape(leaf) for _, leaf in tree.leaves(params)]

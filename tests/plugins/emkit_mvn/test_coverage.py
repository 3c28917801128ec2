"""Pairs of columns that no row sees together."""

import numpy as np
import pytest
from emkit_mvn import BlockDiagonal, Known, MultivariateNormal
from emkit_mvn.coverage import MOST_PAIRS

import emkit

TABLE = np.random.default_rng(0).normal(size=(60, 3)) @ np.array([[1, 0.5, 0.5], [0, 1, 0.2], [0, 0, 1]])
TABLE[:30, 1] = np.nan
TABLE[30:, 2] = np.nan


@pytest.mark.parametrize(
    "structure", ["full", BlockDiagonal("abb"), BlockDiagonal("aaa")], ids=["full", "a block", "one block"]
)
def test_a_free_covariance_that_no_row_tells_of_is_named(structure):
    (note,) = emkit.fit(MultivariateNormal(structure), TABLE).notes
    assert note.startswith("No row sees columns 1 and 2 together")


@pytest.mark.parametrize(
    "structure",
    ["diag", "spherical", "exchangeable", BlockDiagonal("aab"), Known(np.eye(3))],
    ids=["diag", "spherical", "exchangeable", "other blocks", "known"],
)
def test_a_covariance_that_is_given_or_tied_to_another_is_not(structure):
    assert emkit.fit(MultivariateNormal(structure), TABLE).notes == ()


def test_tied_covariances_of_which_none_is_told_are_named():
    assert "columns 0 and 1 together" in emkit.fit(MultivariateNormal("exchangeable"), TABLE[:, 1:]).notes[0]


def test_of_many_pairs_the_first_few_are_named_and_the_others_counted():
    table = np.where(np.eye(5, dtype=bool), np.arange(1.0, 6), np.nan)
    table = np.vstack([table, 2 * table])
    (note,) = [note for note in emkit.fit(MultivariateNormal(), table).notes if "No row sees" in note]
    assert f"1 and 2 (and {10 - MOST_PAIRS} more pairs)" in note

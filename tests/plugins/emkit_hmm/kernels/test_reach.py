"""Which states can follow which."""

import numpy as np
import pytest
from emkit_hmm.kernels.chains import VaryingChain
from emkit_hmm.kernels.layout import Layout
from emkit_hmm.kernels.reach import Reach


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (np.ones((3, 3)), Reach.EVERYWHERE),
        (np.ones((1, 1)), Reach.EVERYWHERE),
        (np.triu(np.ones((3, 3))), Reach.ONE_WAY),
        (np.eye(9) + np.eye(9, k=1), Reach.ONE_WAY),
        (np.roll(np.eye(9), 1, axis=1), Reach.ONE_WAY),
        (np.eye(2), Reach.APART),
        (np.kron(np.eye(2), np.ones((2, 2))), Reach.APART),
        (np.array([[1, 1, 1], [0, 1, 0], [0, 0, 1]]), Reach.APART),
    ],
)
def test_patterns_of_transitions_are_told_apart(pattern, expected):
    assert Reach.of(pattern / pattern.sum(axis=1, keepdims=True)) is expected


def test_a_transition_that_is_impossible_in_one_step_counts_as_impossible():
    transmat = np.full((20, 2, 2), 0.5)
    columns = Layout.of([20], 2).groups[0]
    assert VaryingChain.of(np.ones(2) / 2, transmat, columns).reach is Reach.EVERYWHERE
    transmat[0] = 0.0  # that of the first row is not used
    assert VaryingChain.of(np.ones(2) / 2, transmat, columns).reach is Reach.EVERYWHERE
    transmat[7] = [[1.0, 0.0], [0.5, 0.5]]
    assert VaryingChain.of(np.ones(2) / 2, transmat, columns).reach is Reach.ONE_WAY

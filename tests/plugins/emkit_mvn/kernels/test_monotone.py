"""Which patterns are monotone."""

import numpy as np
import pytest
from emkit_mvn.kernels.monotone import monotone_order


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

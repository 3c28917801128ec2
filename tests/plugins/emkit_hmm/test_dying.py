"""A state that dies while a fit is accelerated keeps a place that EM gave it."""

from __future__ import annotations

import numpy as np
import pytest
from emkit_hmm import HiddenMarkovModel

from emkit import fit
from emkit.families import Gaussian


@pytest.mark.parametrize("accelerate", ["auto", "anderson", "squarem", "quasi_newton"])
@pytest.mark.parametrize("seed", [0, 23, 27])
def test_means_lie_among_the_rows(accelerate, seed):
    """Weighted means always do; extrapolated ones of a state without rows need not."""
    rng = np.random.default_rng(seed)
    n_rows, n_states = int(rng.integers(2, 12)), int(rng.integers(3, 6))
    x = rng.normal(size=(n_rows, 2))
    model = HiddenMarkovModel(n_states, Gaussian(["diag", "full"][seed % 2]))
    result = fit(model, x, rng=seed, accelerate=accelerate)
    means = result.params.emission.means
    assert (means >= x.min(axis=0) - 1e-9).all()
    assert (means <= x.max(axis=0) + 1e-9).all()
    assert result.log_likelihood == pytest.approx(model.log_likelihood(result.params, x), rel=1e-12)


def test_two_rows_and_three_states():
    x = np.random.default_rng(0).normal(4.0 * np.repeat([0, 1, 0, 1], 30)[:, None], 1.0, (120, 2))[:2]
    means = fit(HiddenMarkovModel(3, Gaussian("diag")), x, rng=0).params.emission.means
    assert (means >= x.min(axis=0) - 1e-9).all()
    assert (means <= x.max(axis=0) + 1e-9).all()

"""What `verify` says of fits that were cut, and of transitions on their way to zero."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
from emkit_hmm import HiddenMarkovModel
from hmm_series import EARTHQUAKES

from emkit import fit
from emkit.families import Poisson


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("n_states", "max_iter"), [(2, 3), (2, 5), (3, 3), (3, 10)])
def test_a_fit_that_was_cut_is_no_maximum(seed, n_states, max_iter):
    """Some of its probabilities are next to zero, so that a whole Newton step leaves the space."""
    model = HiddenMarkovModel(n_states, Poisson())
    cut = fit(model, EARTHQUAKES, rng=seed, max_iter=max_iter, accelerate=None)
    missing = fit(model, EARTHQUAKES, cut.params, accelerate=None).log_likelihood - cut.log_likelihood
    found = cut.verify(EARTHQUAKES)
    assert missing > 0.01
    assert found.kind == "not stationary"
    assert 0.01 * missing < found.gap < 100 * missing


@pytest.fixture(scope="module")
def published():
    return fit(HiddenMarkovModel(3, Poisson()), EARTHQUAKES, rng=3, tol=0)


def with_a_small_transition(result, value):
    """Return the fit with another probability of the transition that is zero at the maximum."""
    transmat = np.array(result.params.chain.transmat)
    row, column = np.unravel_index(np.argmin(transmat), transmat.shape)
    transmat[row, np.argmax(transmat[row])] -= value - transmat[row, column]
    transmat[row, column] = value
    chain = attrs.evolve(result.params.chain, transmat=transmat)
    return attrs.evolve(result, params=attrs.evolve(result.params, chain=chain)), row, column


@pytest.mark.parametrize("value", [1e-12, 1.6e-9, 1e-7, 1e-6])
def test_a_transition_on_its_way_to_zero_is_on_a_bound(published, value):
    nearly, row, column = with_a_small_transition(published, value)
    found = nearly.verify(EARTHQUAKES)
    assert found.kind == "maximum"
    assert f"chain.transmat[{row}, {column}]" in found.active_bounds
    errors, expected = nearly.standard_errors(EARTHQUAKES), published.standard_errors(EARTHQUAKES)
    np.testing.assert_allclose(errors.emission.rates, expected.emission.rates, rtol=1e-3)


@pytest.mark.parametrize("value", [1e-4, 1e-3])
def test_a_transition_that_costs_something_is_no_maximum(published, value):
    assert with_a_small_transition(published, value)[0].verify(EARTHQUAKES).kind == "not stationary"

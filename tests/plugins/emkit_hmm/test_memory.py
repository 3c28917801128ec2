"""What a whole fit allocates, and whose memory it writes to."""

from __future__ import annotations

import tracemalloc

import attrs
import numpy as np
import pytest
from emkit_hmm import HiddenMarkovModel, Stationary
from emkit_hmm.chains.markov import MarkovParams
from emkit_hmm.params import HiddenMarkovParams

from emkit import fit
from emkit.families import Family, Gaussian


@pytest.mark.parametrize("settings", [{}, {"chain": Stationary()}], ids=["free start", "stationary"])
def test_a_whole_fit_allocates_less_than_five_tables_of_rows_by_states(settings):
    n_rows, n_states = 100_000, 16
    rng = np.random.default_rng(0)
    x = rng.normal(1.5 * np.repeat(rng.integers(n_states, size=n_rows // 10), 10), 1.0)[:, None]
    tracemalloc.start()
    result = fit(HiddenMarkovModel(n_states, Gaussian("diag"), **settings), x, rng=0, max_iter=3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert result.n_e_steps == 3
    assert peak < 5 * 8 * n_rows * n_states


@attrs.frozen
class KnownDensities(Family):
    """Rows are log-densities already; there is nothing to estimate."""

    def log_density(self, params, x):
        return x

    def fit(self, x, responsibilities, params=None):
        return np.zeros(1)

    def sample(self, params, components, rng):
        raise NotImplementedError


def test_rows_that_are_densities_themselves_are_not_written_to():
    x = np.log(np.random.default_rng(0).uniform(0.1, 1.0, size=(50, 2)))
    before = x.copy()
    model = HiddenMarkovModel(2, KnownDensities())
    chain = MarkovParams(np.array([0.6, 0.4]), np.array([[0.8, 0.2], [0.3, 0.7]]))
    params, data = HiddenMarkovParams(chain, np.zeros(1)), model.prepare(x)
    first = model.e_step(params, data)
    assert model.e_step(params, data).log_likelihood == first.log_likelihood
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(data.rows, before)

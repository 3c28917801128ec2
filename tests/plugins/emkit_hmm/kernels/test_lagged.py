"""Fixed-lag smoothing against all paths of the rows up to the lag, with one matrix and with one for each row."""

import numpy as np
import pytest
from chain_oracles import cut, enumerate_paths, log_of, random_chain
from emkit_hmm.kernels.filtering import filter_states
from emkit_hmm.kernels.lagged import smooth_with_lag
from emkit_hmm.kernels.layout import Layout

LENGTHS = [6, 1, 4]
EXCLUDING = np.array([[0.5, 0.5, 0.0], [0.3, 0.7, 0.0], [0.0, 0.0, 1.0]])


def matrices(varies, seed=0):
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(3), size=(11, 3)) if varies else rng.dirichlet(np.ones(3), size=3)


def by_all_paths(startprob, transmat, log_emission, lag):
    """Return the states of every row of one sequence given the rows up to its lag."""
    smoothed = np.empty_like(log_emission)
    for t in range(len(log_emission)):
        until = min(t + lag + 1, len(log_emission))
        matrix = transmat if transmat.ndim == 2 else transmat[:until]
        smoothed[t] = enumerate_paths(startprob, matrix, log_emission[:until]).smoothed[t]
    return smoothed


@pytest.mark.parametrize("varies", [False, True])
@pytest.mark.parametrize("lag", [0, 1, 3, 50])
def test_a_lag_sees_the_rows_up_to_it_and_no_others(varies, lag):
    startprob, transmat = random_chain(3, 1)[0], matrices(varies)
    log_emission = np.random.default_rng(2).normal(scale=3.0, size=(11, 3))
    found = smooth_with_lag(Layout.of(LENGTHS, 3), startprob, transmat, log_emission, lag)
    rows = cut(np.arange(11), LENGTHS)
    for part, own in zip(cut(found, LENGTHS), rows, strict=True):
        matrix = transmat[own] if varies else transmat
        np.testing.assert_allclose(part, by_all_paths(startprob, matrix, log_emission[own], lag), atol=1e-12)


@pytest.mark.parametrize("varies", [False, True])
def test_a_row_that_excludes_all_likely_states_is_told_to_those_before(varies):
    startprob = np.array([0.5, 0.5, 1e-30])
    log_emission = np.zeros((5, 3))
    log_emission[1] = [-1e5, -1e5 - 2.0, 0.0]
    transmat = np.tile(EXCLUDING, (5, 1, 1)) if varies else EXCLUDING
    found = smooth_with_lag(Layout.of([5], 3), startprob, transmat, log_emission, 1)
    np.testing.assert_allclose(found[:3], np.eye(3)[[2, 2, 2]], atol=1e-12)


@pytest.mark.parametrize("varies", [False, True])
def test_rows_that_cannot_follow_tell_nothing_of_those_before(varies):
    startprob, log_emission = np.array([0.5, 0.5, 0.0]), np.zeros((4, 3))
    log_emission[2] = log_of(np.array([0.0, 0.0, 1.0]))
    transmat = np.tile(EXCLUDING, (4, 1, 1)) if varies else EXCLUDING
    layout = Layout.of([4], 3)
    found = smooth_with_lag(layout, startprob, transmat, log_emission, 2)
    np.testing.assert_allclose(found[:2], filter_states(layout, startprob, transmat, log_emission).filtered[:2])
    assert np.isfinite(found).all()

"""Most probable paths, paths drawn, and what is said of a path, against all paths one by one."""

from __future__ import annotations

from collections import Counter

import hmm_oracles as oracles
import numpy as np
import pytest
from emkit_hmm import SemiMarkov, Sequences, k_best, sample_paths, viterbi
from emkit_hmm.inference.decoding import log_joint
from scipy.special import logsumexp
from small_chains import COVARIATES, KINDS, LENGTHS, ROWS, data_for, model_and_params, pieces

N_DRAWS = 20_000


@pytest.mark.parametrize("kind", KINDS)
def test_the_most_probable_path(kind):
    model, params = model_and_params(kind)
    states, values = viterbi(model, params, data_for(model))
    for i, (rows, log_emission, covariates) in enumerate(pieces(model, params)):
        paths, log_paths = oracles.log_paths(model, params, log_emission, covariates)
        best = int(np.argmax(log_paths))
        np.testing.assert_array_equal(states[rows], paths[best])
        assert values[i] == pytest.approx(log_paths[best], rel=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_the_best_paths_in_their_order(kind):
    model, params = model_and_params(kind)
    covariates = COVARIATES[:5] if model.chain.needs_covariates else None
    data = Sequences(ROWS[:5], covariates=covariates)
    states, values = k_best(model, params, data, 2000)
    paths, log_paths = oracles.log_paths(model, params, model.log_emission(params, ROWS[:5]), covariates)
    order = np.argsort(-log_paths, kind="stable")
    possible = order[np.isfinite(log_paths[order])]
    assert len(values) == len(possible)
    np.testing.assert_allclose(values, log_paths[possible], rtol=1e-12)
    np.testing.assert_array_equal(states[:5], paths[possible[:5]])
    if not isinstance(model.chain, SemiMarkov):
        chances = [log_joint(model, params, data, path)[0] for path in states[:20]]
        np.testing.assert_allclose(chances, values[:20], rtol=1e-12)


def test_the_best_paths_are_those_of_one_sequence():
    model, params = model_and_params("markov")
    with pytest.raises(ValueError, match="the data hold 3"):
        k_best(model, params, data_for(model), 2)


def test_a_path_that_cannot_be_has_no_chance():
    model, params = model_and_params("zeros")
    assert log_joint(model, params, ROWS[:3], np.array([0, 1, 0]))[0] == -np.inf


def test_states_alone_are_no_path_of_explicit_durations():
    model, params = model_and_params("poisson")
    with pytest.raises(ValueError, match="ends of segments"):
        log_joint(model, params, ROWS[:3], np.array([0, 1, 0]))


@pytest.mark.parametrize("kind", KINDS)
def test_paths_are_drawn_as_often_as_they_are_probable(kind):
    """All counts within five standard deviations."""
    model, params = model_and_params(kind)
    draws = sample_paths(model, params, data_for(model), N_DRAWS, np.random.default_rng(0))
    assert draws.shape == (N_DRAWS, LENGTHS.sum())
    for rows, log_emission, covariates in pieces(model, params):
        paths, log_paths = oracles.log_paths(model, params, log_emission, covariates)
        chances: Counter = Counter()
        for path, chance in zip(paths, np.exp(log_paths - logsumexp(log_paths)), strict=True):
            chances[tuple(path)] += chance
        found = Counter(map(tuple, draws[:, rows].tolist()))
        assert all(chances[path] > 0 for path in found)
        for path, chance in chances.items():
            spread = np.sqrt(N_DRAWS * chance * (1 - chance))
            assert abs(found[tuple(map(int, path))] - N_DRAWS * chance) <= 5 * spread + 1

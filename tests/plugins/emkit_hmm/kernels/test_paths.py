"""Most probable paths, lists of them and draws of them, against all paths."""

import numpy as np
import pytest
from chain_oracles import cut, enumerate_paths, plain_recursion, random_chain
from emkit_hmm.kernels.decoding import k_best, viterbi
from emkit_hmm.kernels.layout import Layout
from emkit_hmm.kernels.sampling import sample_paths
from emkit_hmm.kernels.smoothing import forward_backward


def plain_viterbi(startprob, transmat, log_emission):
    """Return the best path, one step after another."""
    n_steps, n_states = log_emission.shape
    with np.errstate(divide="ignore"):
        log_a = np.log(np.broadcast_to(transmat, (n_steps, n_states, n_states)))
        best = np.log(startprob) + log_emission[0]
    came = np.zeros((n_steps, n_states), dtype=int)
    for t in range(1, n_steps):
        scores = best[:, None] + log_a[t]
        came[t] = scores.argmax(axis=0)
        best = scores.max(axis=0) + log_emission[t]
    path = [int(best.argmax())]
    for t in range(n_steps - 1, 0, -1):
        path.append(int(came[t, path[-1]]))
    return np.array(path[::-1]), best.max()


@pytest.mark.parametrize("block", [None, 2])
@pytest.mark.parametrize("n_states", [1, 2, 3])
@pytest.mark.parametrize("varying", [False, True])
def test_the_most_probable_path_is_the_best_of_all(n_states, block, varying):
    lengths = [6, 1, 5, 6]
    startprob, transmat = random_chain(n_states, 1)
    rng = np.random.default_rng(2)
    if varying:
        transmat = rng.dirichlet(np.ones(n_states), size=(18, n_states))
    log_emission = rng.normal(size=(18, n_states))
    layout = Layout.of(lengths, n_states, block=block)
    states, log_joint = viterbi(layout, startprob, transmat, log_emission)
    for k, start in enumerate(layout.starts):
        rows = slice(start, start + lengths[k])
        all_paths = enumerate_paths(startprob, transmat[rows] if varying else transmat, log_emission[rows])
        np.testing.assert_array_equal(states[rows], all_paths.paths[0])
        assert log_joint[k] == pytest.approx(all_paths.log_joint[0], rel=1e-12)


@pytest.mark.parametrize("block", [64, 1000])
@pytest.mark.parametrize("kind", ["mixing", "sticky", "zeros", "identity", "far"])
def test_long_paths_are_those_of_the_plain_recursion(kind, block):
    lengths = [700, 30, 1, 400]
    startprob, transmat = random_chain(4, 3)
    log_emission = np.random.default_rng(4).normal(size=(sum(lengths), 4))
    if kind == "sticky":
        transmat = 0.001 * transmat + 0.999 * np.eye(4)
    if kind == "zeros":
        transmat = np.triu(transmat) / np.triu(transmat).sum(axis=1, keepdims=True)
    if kind == "identity":
        transmat = np.eye(4)
    if kind == "far":
        log_emission *= 1e6
    found, found_joint = viterbi(Layout.of(lengths, 4, block=block), startprob, transmat, log_emission)
    for k, (part, states) in enumerate(zip(cut(log_emission, lengths), cut(found, lengths), strict=True)):
        path, log_joint = plain_viterbi(startprob, transmat, part)
        np.testing.assert_array_equal(states, path)
        assert found_joint[k] == pytest.approx(log_joint, rel=1e-12)
        log_likelihood = plain_recursion(startprob, transmat, part)[0]
        assert found_joint[k] <= log_likelihood + 1e-14 * abs(log_likelihood)


@pytest.mark.parametrize("lengths", [[5, 4], [500, 4]])
def test_an_impossible_sequence_has_a_best_path_of_probability_zero(lengths):
    startprob, transmat = np.array([1.0, 0.0]), np.array([[0.5, 0.5], [0.0, 1.0]])
    log_emission = np.zeros((sum(lengths), 2))
    log_emission[0] = [-np.inf, 0.0]
    states, log_joint = viterbi(Layout.of(lengths, 2), startprob, transmat, log_emission)
    assert log_joint.tolist() == [-np.inf, pytest.approx(np.log(0.5))]
    assert set(states) <= {0, 1}


@pytest.mark.parametrize("varying", [False, True])
@pytest.mark.parametrize(("n_states", "n_steps", "k"), [(2, 6, 64), (3, 5, 20), (3, 1, 2), (1, 4, 3), (3, 4, 500)])
def test_the_best_paths_are_the_first_of_all_in_order(n_states, n_steps, k, varying):
    startprob, transmat = random_chain(n_states, 5)
    rng = np.random.default_rng(6)
    if varying:
        transmat = rng.dirichlet(np.ones(n_states), size=(n_steps, n_states))
    log_emission = rng.normal(size=(n_steps, n_states))
    all_paths = enumerate_paths(startprob, transmat, log_emission)
    paths, log_joint = k_best(startprob, transmat, log_emission, k)
    assert len(paths) == min(k, n_states**n_steps)
    np.testing.assert_allclose(log_joint, all_paths.log_joint[:k], rtol=1e-12)
    np.testing.assert_array_equal(paths, all_paths.paths[:k])


def test_impossible_paths_are_not_listed():
    startprob, transmat = np.array([1.0, 0.0]), np.array([[0.5, 0.5], [0.0, 1.0]])
    paths, _ = k_best(startprob, transmat, np.zeros((4, 2)), 10)
    assert {tuple(path) for path in paths} == {(0, 0, 0, 0), (0, 0, 0, 1), (0, 0, 1, 1), (0, 1, 1, 1)}


@pytest.mark.parametrize("varying", [False, True])
def test_draws_of_paths_have_the_frequencies_of_their_posterior(varying):
    lengths = [4, 2, 1]
    startprob, transmat = random_chain(2, 7)
    rng = np.random.default_rng(8)
    matrices = rng.dirichlet(np.ones(2), size=(7, 2)) if varying else np.broadcast_to(transmat, (7, 2, 2))
    log_emission = rng.normal(size=(7, 2))
    layout, n_draws = Layout.of(lengths, 2), 40_000
    parts = cut(log_emission, lengths)
    draws = sample_paths(layout, startprob, matrices if varying else transmat, log_emission, n_draws, rng)
    assert draws.shape == (n_draws, 7)
    for start, length, part in zip([0, 4, 6], lengths, parts, strict=True):
        paths = enumerate_paths(startprob, matrices[start : start + length], part)
        codes = draws[:, start : start + length] @ (2 ** np.arange(length))
        expected = np.zeros(2**length)
        expected[paths.paths @ (2 ** np.arange(length))] = paths.posterior
        seen = np.bincount(codes, minlength=2**length) / n_draws
        # Six standard errors.
        assert (np.abs(seen - expected) <= 6 * np.sqrt(expected * (1 - expected) / n_draws) + 1e-12).all()


def test_draws_visit_states_as_often_as_smoothing_says():
    startprob, transmat = random_chain(3, 9)
    log_emission = np.random.default_rng(10).normal(scale=2.0, size=(200, 3))
    layout = Layout.of([120, 80], 3)
    draws = sample_paths(layout, startprob, transmat, log_emission, 4000, np.random.default_rng(11))
    smoothed = forward_backward(layout, startprob, transmat, log_emission).smoothed
    seen = (draws[:, :, None] == np.arange(3)).mean(axis=0)
    assert np.abs(seen - smoothed).max() <= 6 * 0.5 / np.sqrt(4000)


def test_draws_never_visit_excluded_states():
    startprob, transmat = random_chain(3, 12)
    log_emission = np.zeros((50, 3))
    log_emission[10, :2] = -np.inf
    layout = Layout.of([50], 3)
    draws = sample_paths(layout, startprob, transmat, log_emission, 200, np.random.default_rng(13))
    assert (draws[:, 10] == 2).all()

"""Transitions that differ from row to row, against all paths and against constant ones."""

import numpy as np
import pytest
from chain_oracles import cut, enumerate_paths, plain_recursion
from emkit_hmm.kernels.layout import Layout
from emkit_hmm.kernels.smoothing import forward_backward
from emkit_hmm.kernels.varying import forward_backward_varying


def varying_chain(n_rows, n_states, seed):
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(n_states)), rng.dirichlet(np.ones(n_states), size=(n_rows, n_states))


@pytest.mark.parametrize("block", [None, 2])
@pytest.mark.parametrize("n_states", [2, 3])
def test_the_posterior_is_that_of_all_paths(n_states, block):
    lengths = [6, 1, 5, 2]
    startprob, transmat = varying_chain(14, n_states, 1)
    log_emission = np.random.default_rng(2).normal(scale=2.0, size=(14, n_states))
    weights = np.array([2.0, 1.0, 0.5, 3.0])
    layout = Layout.of(lengths, n_states, block=block)
    found = forward_backward_varying(layout, startprob, transmat, log_emission, weights)
    first = np.zeros(n_states)
    for k, start in enumerate(layout.starts):
        rows = slice(start, start + lengths[k])
        paths = enumerate_paths(startprob, transmat[rows], log_emission[rows])
        assert found.log_likelihoods[k] == pytest.approx(paths.log_likelihood, rel=1e-12)
        np.testing.assert_allclose(found.smoothed[rows], paths.smoothed, atol=1e-12)
        np.testing.assert_allclose(found.transitions[rows][1:], paths.transitions, atol=1e-12)
        np.testing.assert_array_equal(found.transitions[start], 0.0)
        first += weights[k] * paths.smoothed[0]
    np.testing.assert_allclose(found.first, first, atol=1e-12)


@pytest.mark.parametrize("block", [80, 1000])
@pytest.mark.parametrize("kind", ["mixing", "sticky", "zeros", "far"])
def test_long_sequences_agree_with_the_plain_recursion(kind, block):
    lengths = [500, 1, 300]
    startprob, transmat = varying_chain(801, 3, 3)
    log_emission = np.random.default_rng(4).normal(size=(801, 3))
    if kind == "sticky":
        transmat = 0.001 * transmat + 0.999 * np.eye(3)
    if kind == "zeros":
        transmat = np.triu(transmat) / np.triu(transmat).sum(axis=2, keepdims=True)
    if kind == "far":
        transmat = np.triu(transmat) / np.triu(transmat).sum(axis=2, keepdims=True)
        log_emission *= 1e4
    found = forward_backward_varying(Layout.of(lengths, 3, block=block), startprob, transmat, log_emission)
    start = 0
    for k, part in enumerate(cut(log_emission, lengths)):
        rows = slice(start, start + len(part))
        log_likelihood, _, smoothed, transitions = plain_recursion(startprob, transmat[rows], part)
        assert found.log_likelihoods[k] == pytest.approx(log_likelihood, rel=1e-12)
        np.testing.assert_allclose(found.smoothed[rows], smoothed, atol=1e-10)
        np.testing.assert_allclose(found.transitions[rows][1:], transitions, atol=1e-10)
        start += len(part)


def test_equal_matrices_give_what_one_matrix_gives():
    startprob, transmat = varying_chain(1, 4, 5)
    log_emission = np.random.default_rng(6).normal(size=(900, 4))
    layout = Layout.of([700, 200], 4)
    varying = forward_backward_varying(layout, startprob, np.repeat(transmat, 900, axis=0), log_emission)
    constant = forward_backward(layout, startprob, transmat[0], log_emission)
    np.testing.assert_allclose(varying.log_likelihoods, constant.log_likelihoods, rtol=1e-13)
    np.testing.assert_allclose(varying.smoothed, constant.smoothed, atol=1e-11)
    np.testing.assert_allclose(varying.transitions.sum(axis=0), constant.transition_counts, rtol=1e-11)

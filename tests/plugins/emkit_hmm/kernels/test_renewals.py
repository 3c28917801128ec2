"""Scaled walks through segments against those in log space, and where they have to hand over to these."""

import tracemalloc

import numpy as np
import pytest
from chain_oracles import log_of
from emkit_hmm.kernels import semi_markov
from emkit_hmm.kernels.exact_segments import SemiMarkovChain, batches, exact_segments
from emkit_hmm.kernels.layout import Layout
from emkit_hmm.kernels.onward import Law
from emkit_hmm.kernels.renewals import renewals
from emkit_hmm.kernels.semi_markov import segment_posterior

LENGTHS = [150, 1, 40, 33, 90]


def chain_of(n_states, n_durations, seed):
    rng = np.random.default_rng(seed)
    transmat = rng.dirichlet(np.full(n_states, 0.5), size=n_states) * (1 - np.eye(n_states))
    return (
        rng.dirichlet(np.full(n_states, 0.5)),
        transmat / transmat.sum(axis=1, keepdims=True),
        log_of(rng.dirichlet(np.full(n_durations, 0.5), size=n_states)),
    )


def in_log_space(layout, startprob, transmat, log_duration, *rows_and_weights):
    """Return log-likelihoods, smoothed probabilities and both counts by the walks in log space alone."""
    log_emission, weights = rows_and_weights
    chain = SemiMarkovChain.of(startprob, transmat, log_duration)
    log_likelihoods, smoothed = np.empty(layout.n_sequences), np.empty(log_emission.shape)
    transitions, durations = 0.0, 0.0
    for columns in batches(layout, chain):
        found = exact_segments(columns, chain, log_emission, weights[columns.sequences])
        log_likelihoods[columns.sequences], smoothed[columns.rows] = found[:2]
        transitions, durations = transitions + found[2], durations + found[3]
    return log_likelihoods, smoothed, transitions, durations


def agree(found, expected):
    np.testing.assert_allclose(found.log_likelihoods, expected[0], rtol=1e-13, atol=1e-12)
    np.testing.assert_allclose(found.smoothed, expected[1], atol=1e-10)
    np.testing.assert_allclose(found.transition_counts, expected[2], atol=1e-10)
    np.testing.assert_allclose(found.duration_counts, expected[3], atol=1e-10)


def rows_of(kind, n_rows, n_states, rng):
    log_emission = -rng.gamma(1.0, 2.0, size=(n_rows, n_states))
    if kind == "far":
        log_emission *= 50
    if kind == "known states":
        known = np.flatnonzero(rng.random(n_rows) < 0.3)
        others = np.arange(n_states) != rng.integers(n_states, size=len(known))[:, None]
        log_emission[known] = np.where(others, -np.inf, log_emission[known])
    if kind == "gaps":
        log_emission[rng.random(n_rows) < 0.4] = 0.0
    return log_emission


@pytest.mark.parametrize("kind", ["near", "far", "known states", "gaps"])
@pytest.mark.parametrize(("n_states", "n_durations"), [(2, 30), (3, 7), (5, 60), (4, 2)])
def test_scaled_walks_say_what_those_in_log_space_say(monkeypatch, kind, n_states, n_durations):
    rng = np.random.default_rng(n_durations)
    args = (*chain_of(n_states, n_durations, 0), rows_of(kind, sum(LENGTHS), n_states, rng), rng.uniform(0.5, 2, 5))
    layout = Layout.of(LENGTHS, n_states)
    expected = in_log_space(layout, *args)
    # Such rows never need the slow walks.
    monkeypatch.setattr(semi_markov, "exact_segments", None)
    agree(segment_posterior(layout, *args), expected)


def test_many_short_sequences_side_by_side_say_what_each_says_alone():
    rng = np.random.default_rng(2)
    chain, lengths = chain_of(3, 8, 2), rng.integers(1, 9, 90)
    log_emission, weights = rows_of("far", lengths.sum(), 3, rng), rng.uniform(0.5, 2, 90)
    law = Law(chain[0], chain[1], np.exp(chain[2]))
    alone = [
        renewals(law, lengths[i : i + 1], part, weights[i : i + 1], 32)
        for i, part in enumerate(np.split(log_emission, np.cumsum(lengths)[:-1]))
    ]
    expected = (
        np.concatenate([found.log_likelihoods for found in alone]),
        np.concatenate([found.smoothed for found in alone]),
        sum(found.transition_counts for found in alone),
        sum(found.duration_counts for found in alone),
    )
    agree(segment_posterior(Layout.of(lengths, 3), *chain, log_emission, weights), expected)


@pytest.mark.parametrize("block", [1, 3, 32])
def test_the_length_of_blocks_changes_nothing(block):
    rng = np.random.default_rng(1)
    startprob, transmat, log_duration = chain_of(3, 20, 1)
    log_emission, weights = rows_of("near", sum(LENGTHS), 3, rng), np.ones(5)
    law = Law(startprob, transmat, np.exp(log_duration))
    found = renewals(law, np.array(LENGTHS), log_emission, weights, block)
    assert not found.is_lost.any()
    agree(found, in_log_space(Layout.of(LENGTHS, 3), startprob, transmat, log_duration, log_emission, weights))


def late_winner(n_steps=60, handicap=2000.0):
    """Return rows whose second state is hopeless at first and wins in the end, and a chain without a way back."""
    log_emission = np.zeros((n_steps, 3))
    log_emission[: n_steps // 2, 1] = -handicap / n_steps
    log_emission[n_steps // 2 :, [0, 2]] = -2 * handicap / n_steps
    startprob, transmat = np.array([0.5, 0.5, 0.0]), np.array([[0, 0, 1.0], [0, 0, 1.0], [1.0, 0, 0]])
    return startprob, transmat, log_of(np.full((3, 100), 0.01)), log_emission


@pytest.mark.parametrize("handicap", [300.0, 1500.0, 2600.0, 1e5])
def test_paths_that_win_late_are_not_lost(handicap):
    startprob, transmat, log_duration, log_emission = late_winner(handicap=handicap)
    layout = Layout.of([60], 3)
    args = startprob, transmat, log_duration, log_emission, np.ones(1)
    expected = in_log_space(layout, *args)
    assert expected[1][0, 1] > 0.9
    agree(segment_posterior(layout, *args), expected)


def test_short_durations_that_never_happen_hide_no_segments():
    """Between two stretches that only one state explains, numbers fall and rise by hundreds of orders."""
    rng = np.random.default_rng(3)
    far = np.abs(np.arange(1, 31) - 15.0)
    log_duration = np.tile(-90.0 * far, (2, 1)) - np.log(np.exp(-90.0 * far).sum())
    startprob, transmat = np.array([0.5, 0.5]), np.array([[0.0, 1], [1, 0]])
    for _ in range(40):
        lengths = rng.integers(5, 40, size=6)
        sizes = -rng.choice([1.0, 30, 100, 300], size=(6, 1)) * rng.random((6, 2))
        log_emission = np.repeat(sizes, lengths, axis=0)
        args = startprob, transmat, log_duration, log_emission, np.ones(1)
        layout = Layout.of([lengths.sum()], 2)
        agree(segment_posterior(layout, *args), in_log_space(layout, *args))


def test_a_sequence_that_is_lost_is_in_no_counts_of_the_others():
    startprob, transmat, log_duration, log_emission = late_winner()
    log_emission = np.concatenate([np.zeros((45, 3)), log_emission, np.zeros((31, 3))])
    log_emission[20] = -np.inf
    layout = Layout.of([15, 30, 60, 31], 3)
    args = startprob, transmat, log_duration, log_emission, np.array([1.0, 2.0, 0.5, 3.0])
    expected = in_log_space(layout, *args)
    assert expected[0][1] == -np.inf
    agree(segment_posterior(layout, *args), expected)


def test_memory_does_not_grow_with_the_longest_duration():
    rng = np.random.default_rng(0)
    startprob, transmat, log_duration = chain_of(2, 400, 0)
    log_emission = rows_of("near", 20_000, 2, rng)
    layout = Layout.of([20_000], 2)
    tracemalloc.start()
    segment_posterior(layout, startprob, transmat, log_duration, log_emission)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40 * log_emission.nbytes

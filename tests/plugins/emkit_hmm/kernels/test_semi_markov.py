"""Explicit durations against all segmentations, and against a chain whose durations are geometric."""

import numpy as np
import pytest
from chain_oracles import cut, log_of, plain_recursion, random_chain
from emkit_hmm.kernels.layout import Layout
from emkit_hmm.kernels.segments import segment_viterbi
from emkit_hmm.kernels.semi_markov import segment_posterior
from scipy.special import logsumexp


def semi_markov_chain(n_states, n_durations, seed, *, zeros=False):
    rng = np.random.default_rng(seed)
    startprob = rng.dirichlet(np.ones(n_states))
    transmat = rng.dirichlet(np.ones(n_states), size=n_states) * (1 - np.eye(n_states))
    transmat /= transmat.sum(axis=1, keepdims=True)
    duration = rng.dirichlet(np.ones(n_durations), size=n_states)
    if zeros:
        duration[0, 0] = 0.0
        duration /= duration.sum(axis=1, keepdims=True)
    return startprob, transmat, log_of(duration)


def segmentations(startprob, transmat, log_duration, log_emission):
    """Yield (log joint, segments, complete durations) of all segmentations, the last segment of any duration."""
    n_steps, n_states = log_emission.shape
    n_durations = log_duration.shape[1]
    log_a = log_of(transmat)

    def extend(start, log_joint, segments):
        for state in range(n_states):
            here = log_joint + (log_of(startprob)[state] if not segments else log_a[segments[-1][0], state])
            for duration in range(1, n_durations + 1):
                stop = min(start + duration, n_steps)
                value = here + log_duration[state, duration - 1] + log_emission[start:stop, state].sum()
                if value == -np.inf:
                    continue
                grown = [*segments, (state, start, duration)]
                if start + duration >= n_steps:
                    yield value, grown
                else:
                    yield from extend(stop, value, grown)

    yield from extend(0, 0.0, [])


def expected(startprob, transmat, log_duration, log_emission):
    n_steps, n_states = log_emission.shape
    found = list(segmentations(startprob, transmat, log_duration, log_emission))
    log_likelihood = logsumexp([value for value, _ in found])
    smoothed = np.zeros((n_steps, n_states))
    transitions, durations = np.zeros((n_states, n_states)), np.zeros(log_duration.shape)
    visible = {}
    for value, segments in found:
        probability = np.exp(value - log_likelihood)
        for k, (state, start, duration) in enumerate(segments):
            smoothed[start : start + duration, state] += probability
            durations[state, duration - 1] += probability
            if k > 0:
                transitions[segments[k - 1][0], state] += probability
        key = tuple((state, start) for state, start, _ in segments)
        visible[key] = np.logaddexp(visible.get(key, -np.inf), value)
    best = max(visible, key=lambda segments: visible[segments])
    return log_likelihood, smoothed, transitions, durations, best, visible[best]


@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize(("n_states", "n_durations"), [(2, 3), (3, 2), (2, 8)])
def test_posterior_and_best_segments_are_those_of_all_segmentations(n_states, n_durations, zeros):
    lengths = [6, 1, 4, 6]
    startprob, transmat, log_duration = semi_markov_chain(n_states, n_durations, 1, zeros=zeros)
    rng = np.random.default_rng(2)
    log_emission = rng.normal(scale=2.0, size=(17, n_states))
    weights = rng.uniform(0.5, 2.0, 4)
    layout = Layout.of(lengths, n_states)
    found = segment_posterior(layout, startprob, transmat, log_duration, log_emission, weights)
    best = segment_viterbi(layout, startprob, transmat, log_duration, log_emission)
    transitions, durations, first = 0.0, 0.0, 0.0
    for k, part in enumerate(cut(log_emission, lengths)):
        rows = slice(layout.starts[k], layout.starts[k] + lengths[k])
        oracle = expected(startprob, transmat, log_duration, part)
        assert found.log_likelihoods[k] == pytest.approx(oracle[0], rel=1e-12)
        np.testing.assert_allclose(found.smoothed[rows], oracle[1], atol=1e-12)
        transitions, durations = transitions + weights[k] * oracle[2], durations + weights[k] * oracle[3]
        first = first + weights[k] * oracle[1][0]
        assert best.log_joint[k] == pytest.approx(oracle[5], rel=1e-12)
        starts = np.flatnonzero(best.begins[rows])
        assert tuple(zip(best.states[rows][starts].tolist(), starts.tolist(), strict=True)) == oracle[4]
    np.testing.assert_allclose(found.transition_counts, transitions, atol=1e-11)
    np.testing.assert_allclose(found.duration_counts, durations, atol=1e-11)
    np.testing.assert_allclose(found.first, first, atol=1e-12)


def test_geometric_durations_are_a_markov_chain():
    # With all of the tail in the longest duration, which nothing here reaches.
    startprob, markov = random_chain(3, 3)
    lengths, n_durations = [60, 25], 70
    stay = np.diag(markov)
    transmat = (markov - np.diag(stay)) / (1 - stay)[:, None]
    steps = np.arange(float(n_durations))
    log_duration = steps * np.log(stay)[:, None] + np.log1p(-stay)[:, None]
    log_duration[:, -1] = (n_durations - 1) * np.log(stay)
    log_emission = np.random.default_rng(4).normal(scale=2.0, size=(85, 3))
    found = segment_posterior(Layout.of(lengths, 3), startprob, transmat, log_duration, log_emission)
    between = np.zeros((3, 3))
    for k, part in enumerate(cut(log_emission, lengths)):
        log_likelihood, _, smoothed, transitions = plain_recursion(startprob, markov, part)
        assert found.log_likelihoods[k] == pytest.approx(log_likelihood, rel=1e-11)
        np.testing.assert_allclose(cut(found.smoothed, lengths)[k], smoothed, atol=1e-11)
        between += transitions.sum(axis=0)
    np.fill_diagonal(between, 0.0)
    np.testing.assert_allclose(found.transition_counts, between, atol=1e-10)


def test_segments_are_counted_once_however_long():
    startprob, transmat, log_duration = semi_markov_chain(4, 30, 5)
    log_emission = np.random.default_rng(6).normal(size=(3000, 4))
    found = segment_posterior(Layout.of([1500, 1500], 4), startprob, transmat, log_duration, log_emission)
    assert found.duration_counts.sum() == pytest.approx(found.transition_counts.sum() + 2, rel=1e-11)
    np.testing.assert_allclose(found.smoothed.sum(axis=1), 1.0, atol=1e-10)
    np.testing.assert_allclose(
        found.duration_counts.sum(axis=1), found.transition_counts.sum(axis=0) + found.first, rtol=1e-10
    )


def test_far_log_densities_leave_everything_finite():
    startprob, transmat, log_duration = semi_markov_chain(3, 5, 7, zeros=True)
    log_emission = -1e6 * np.random.default_rng(8).random((400, 3))
    layout = Layout.of([400], 3)
    found = segment_posterior(layout, startprob, transmat, log_duration, log_emission)
    best = segment_viterbi(layout, startprob, transmat, log_duration, log_emission)
    # One segmentation outweighs all others by far.
    np.testing.assert_allclose(found.smoothed[np.arange(400), best.states], 1.0, atol=1e-8)
    assert found.log_likelihoods[0] == pytest.approx(best.log_joint[0], rel=1e-14)


def test_an_impossible_sequence_has_likelihood_zero_and_finite_states():
    startprob, transmat = np.array([1.0, 0.0]), np.array([[0.0, 1.0], [1.0, 0.0]])
    log_duration = log_of(np.array([[0.0, 1.0], [0.5, 0.5]]))
    log_emission = np.zeros((7, 2))
    log_emission[1] = [-np.inf, 0.0]
    layout = Layout.of([4, 3], 2)
    found = segment_posterior(layout, startprob, transmat, log_duration, log_emission)
    np.testing.assert_allclose(found.log_likelihoods, [-np.inf, 0.0], atol=1e-14)
    np.testing.assert_allclose(found.smoothed[:4], [[1, 0], [1, 0], [0, 1], [0.5, 0.5]], atol=1e-12)
    best = segment_viterbi(layout, startprob, transmat, log_duration, log_emission)
    assert best.log_joint.tolist() == [-np.inf, 0.0]


@pytest.mark.parametrize("n_sequences", [1, 200], ids=["scaled walks", "walks in log space"])
def test_small_probabilities_keep_their_digits(n_sequences):
    """What is left of large ones after a subtraction would be rounding, which log-densities of -1e100 make heavy."""
    startprob, transmat, log_duration = semi_markov_chain(2, 4, 3)
    rng = np.random.default_rng(0)
    rows = -rng.gamma(1.0, 60.0, size=(6, 2)) * (rng.random((6, 1)) < 0.8)
    layout = Layout.of([6] * n_sequences, 2)
    found = segment_posterior(layout, startprob, transmat, log_duration, np.tile(rows, (n_sequences, 1)))
    smoothed = expected(startprob, transmat, log_duration, rows)[1]
    assert 0 < smoothed.min() < 1e-30
    np.testing.assert_allclose(found.smoothed[:6], smoothed, rtol=1e-11)

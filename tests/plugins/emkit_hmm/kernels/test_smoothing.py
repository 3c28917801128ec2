"""Forward-backward against all paths and against the plain recursion in log space."""

import tracemalloc

import numpy as np
import pytest
from chain_oracles import cut, enumerate_paths, plain_recursion, random_chain
from emkit_hmm.kernels.layout import Layout
from emkit_hmm.kernels.smoothing import forward_backward


def assert_agrees(found, startprob, transmat, log_emission, *, lengths, tolerance=1e-10):
    parts = [plain_recursion(startprob, transmat, part) for part in cut(log_emission, lengths)]
    log_likelihoods = np.array([part[0] for part in parts])
    np.testing.assert_allclose(found.log_likelihoods, log_likelihoods, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(found.smoothed, np.concatenate([part[2] for part in parts]), atol=tolerance)
    counts = sum(part[3].sum(axis=0) for part in parts)
    np.testing.assert_allclose(found.transition_counts, counts, rtol=tolerance, atol=tolerance * sum(lengths))
    first = sum(part[2][0] for part in parts)
    np.testing.assert_allclose(found.first, first, atol=tolerance * len(lengths))


@pytest.mark.parametrize("n_states", [1, 2, 3])
@pytest.mark.parametrize("block", [None, 2, 3])
def test_the_posterior_is_that_of_all_paths(n_states, block):
    lengths = [6, 1, 4, 2, 6, 5]
    startprob, transmat = random_chain(n_states, 3)
    rng = np.random.default_rng(4)
    log_emission = rng.normal(scale=3.0, size=(sum(lengths), n_states))
    weights = rng.uniform(0.5, 2.0, len(lengths))
    found = forward_backward(Layout.of(lengths, n_states, block=block), startprob, transmat, log_emission, weights)
    counts, first = np.zeros((n_states, n_states)), np.zeros(n_states)
    parts, smoothed = cut(log_emission, lengths), cut(found.smoothed, lengths)
    for k, part in enumerate(parts):
        paths = enumerate_paths(startprob, transmat, part)
        assert found.log_likelihoods[k] == pytest.approx(paths.log_likelihood, rel=1e-12, abs=1e-12)
        np.testing.assert_allclose(smoothed[k], paths.smoothed, atol=1e-12)
        counts += weights[k] * paths.transitions.sum(axis=0)
        first += weights[k] * paths.smoothed[0]
    np.testing.assert_allclose(found.transition_counts, counts, atol=1e-11)
    np.testing.assert_allclose(found.first, first, atol=1e-12)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(("n_states", "lengths"), [(2, [700]), (5, [400, 3, 250, 1]), (9, [300, 300]), (3, [20] * 30)])
def test_blocks_and_columns_agree_with_the_plain_recursion(n_states, lengths, order):
    startprob, transmat = random_chain(n_states, 1)
    rng = np.random.default_rng(2)
    log_emission = np.asarray(rng.normal(scale=2.0, size=(sum(lengths), n_states)), order=order)
    for block in (None, 70, 1000):
        layout = Layout.of(lengths, n_states, block=block)
        found = forward_backward(layout, startprob, transmat, log_emission)
        assert_agrees(found, startprob, transmat, log_emission, lengths=lengths)


def left_right(n_states, stay):
    transmat = stay * np.eye(n_states) + (1 - stay) * np.eye(n_states, k=1)
    transmat[-1, -1] = 1.0
    return np.eye(n_states)[0], transmat


HARD_CHAINS = {
    "nearly deterministic": (np.array([1.0, 0.0]), np.array([[1 - 1e-12, 1e-12], [1e-12, 1 - 1e-12]])),
    "left to right": left_right(4, 0.95),
    "left to right, slowly": left_right(3, 1 - 1e-9),
    "cycle": (np.full(3, 1 / 3), np.roll(np.eye(3), 1, axis=1)),
    "never mixing": (np.full(3, 1 / 3), np.eye(3)),
    "slowly mixing": (np.array([0.3, 0.7]), np.array([[0.999, 0.001], [0.002, 0.998]])),
    "rare": (np.array([0.5, 0.5, 0.0]), np.array([[0.5, 0.5, 0.0], [0.5, 0.5 - 1e-250, 1e-250], [0.1, 0.1, 0.8]])),
}


@pytest.mark.parametrize("scale", [0.0, 0.3, 30.0, 1e3, 1e6])
@pytest.mark.parametrize("name", HARD_CHAINS)
def test_hard_chains_keep_all_digits_that_log_space_has(name, scale):
    startprob, transmat = HARD_CHAINS[name]
    lengths = [300, 1, 40, 40, 7]
    rng = np.random.default_rng(5)
    log_emission = -scale * rng.random((sum(lengths), len(startprob)))
    log_emission[100:130] = 0.0
    for block in (70, 1000):
        found = forward_backward(Layout.of(lengths, len(startprob), block=block), startprob, transmat, log_emission)
        # Log-densities of 1e6 have 1e-10 digits themselves.
        assert_agrees(found, startprob, transmat, log_emission, lengths=lengths, tolerance=1e-10 + 1e-14 * scale)


def test_rows_with_all_log_densities_at_minus_a_million_are_missing_but_for_the_likelihood():
    startprob, transmat = random_chain(3, 8)
    found = forward_backward(Layout.of([50], 3), startprob, transmat, np.full((50, 3), -1e6))
    assert found.log_likelihoods[0] == pytest.approx(-5e7, rel=1e-14)
    expected = np.array([startprob @ np.linalg.matrix_power(transmat, t) for t in range(50)])
    np.testing.assert_allclose(found.smoothed, expected, atol=1e-13)


def test_sequences_that_were_not_seen_leave_the_likelihood_alone():
    startprob, transmat = random_chain(4, 9)
    lengths = [30, 500, 1]
    found = forward_backward(Layout.of(lengths, 4), startprob, transmat, np.zeros((531, 4)))
    np.testing.assert_allclose(found.log_likelihoods, 0.0, atol=1e-12)
    assert found.transition_counts.sum() == pytest.approx(528)


def test_a_state_that_was_nearly_impossible_can_become_certain():
    # State 1 has a predicted probability of 1e-12, and later rows speak for it with 40 nats: a guard that takes
    # 1e-8 for zero would lose it.
    startprob, transmat = np.array([1.0, 0.0]), np.array([[1 - 1e-12, 1e-12], [0.0, 1.0]])
    log_emission = np.zeros((12, 2))
    log_emission[4:, 1] = 4.0
    found = forward_backward(Layout.of([12], 2), startprob, transmat, log_emission)
    assert found.smoothed[-1, 1] > 0.9
    assert_agrees(found, startprob, transmat, log_emission, lengths=[12])


@pytest.mark.parametrize(("n_rows", "nats"), [(10, 100.0), (1, 705.0)])
def test_a_state_lost_in_the_forward_walk_is_found_again(n_rows, nats):
    # No way back to state 0: some rows make it so improbable that it is zero in floating point, and many later ones
    # undo that slowly enough for no single step to look suspicious.
    startprob, transmat = left_right(2, 0.9)
    log_emission = np.zeros((260, 2))
    log_emission[5 : 5 + n_rows, 1] = nats
    log_emission[50:150, 0] = n_rows * nats / 100 + 0.15
    for block in (50, 260):
        found = forward_backward(Layout.of([260], 2, block=block), startprob, transmat, log_emission)
        assert found.smoothed[100, 0] > 0.1
        assert_agrees(found, startprob, transmat, log_emission, lengths=[260])


def test_a_state_that_both_walks_lose_is_found_where_states_are_apart():
    # The rows speak against state 0 with 1000 nats, for it with 2000 and against it again with 1000: the walk forward
    # loses it at the beginning, the walk back at the end, and they agree with each other.
    startprob, transmat = np.array([0.5, 0.5]), np.eye(2)
    log_emission = np.zeros((400, 2))
    log_emission[:, 0] = -10.0
    log_emission[100:300, 0] = 10.0
    for block in (50, 400):
        found = forward_backward(Layout.of([400], 2, block=block), startprob, transmat, log_emission)
        np.testing.assert_allclose(found.smoothed, 0.5, rtol=1e-10)


def test_a_row_that_no_state_allows_makes_the_likelihood_zero():
    startprob, transmat = random_chain(3, 2)
    log_emission = np.random.default_rng(3).normal(size=(40, 3))
    log_emission[7] = -np.inf
    found = forward_backward(Layout.of([20, 20], 3), startprob, transmat, log_emission)
    assert found.log_likelihoods[0] == -np.inf
    assert np.isfinite(found.log_likelihoods[1])
    np.testing.assert_allclose(found.smoothed.sum(axis=1), 1.0)


@pytest.mark.parametrize("lengths", [[6, 5, 8], [400, 5, 8]])
def test_an_impossible_sequence_has_likelihood_zero_and_finite_states(lengths):
    startprob, transmat = left_right(2, 0.5)
    log_emission = np.zeros((sum(lengths), 2))
    log_emission[lengths[0] - 2] = [-np.inf, 0.0]
    log_emission[lengths[0] - 1] = [0.0, -np.inf]
    found = forward_backward(Layout.of(lengths, 2), startprob, transmat, log_emission)
    np.testing.assert_allclose(found.log_likelihoods, [-np.inf, 0.0, 0.0], atol=1e-12)
    prediction = np.array([startprob @ np.linalg.matrix_power(transmat, t) for t in range(lengths[0])])
    np.testing.assert_allclose(found.smoothed[: lengths[0]], prediction, atol=1e-12)
    assert found.transition_counts.sum() == pytest.approx(sum(lengths) - 3)


def test_states_that_a_row_excludes_have_probability_exactly_zero():
    startprob, transmat = random_chain(3, 11)
    log_emission = np.random.default_rng(0).normal(size=(200, 3))
    log_emission[50, :2] = -np.inf
    log_emission[60, 1] = -np.inf
    found = forward_backward(Layout.of([200], 3), startprob, transmat, log_emission)
    assert found.smoothed[50, :2].tolist() == [0.0, 0.0]
    assert found.smoothed[60, 1] == 0.0
    assert_agrees(found, startprob, transmat, log_emission, lengths=[200])


@pytest.mark.parametrize("lengths", [[5000], [40] * 50])
def test_permuted_states_give_the_permuted_posterior(lengths):
    startprob, transmat = random_chain(4, 6)
    log_emission = np.random.default_rng(1).normal(size=(sum(lengths), 4))
    order = np.array([2, 0, 3, 1])
    layout = Layout.of(lengths, 4)
    plain = forward_backward(layout, startprob, transmat, log_emission)
    permuted = forward_backward(layout, startprob[order], transmat[np.ix_(order, order)], log_emission[:, order])
    np.testing.assert_allclose(permuted.log_likelihoods, plain.log_likelihoods, rtol=1e-13)
    np.testing.assert_allclose(permuted.smoothed, plain.smoothed[:, order], atol=1e-11)
    np.testing.assert_allclose(permuted.transition_counts, plain.transition_counts[np.ix_(order, order)], rtol=1e-10)


def test_a_constant_added_to_a_row_moves_the_likelihood_only():
    startprob, transmat = random_chain(3, 2)
    log_emission = np.random.default_rng(3).normal(size=(400, 3))
    moved = log_emission + 1e5 * np.random.default_rng(4).normal(size=(400, 1))
    layout = Layout.of([400], 3)
    before = forward_backward(layout, startprob, transmat, log_emission)
    after = forward_backward(layout, startprob, transmat, moved)
    assert after.log_likelihoods[0] == pytest.approx(before.log_likelihoods[0] + (moved - log_emission)[:, 0].sum())
    np.testing.assert_allclose(after.smoothed, before.smoothed, atol=1e-9)


def test_arguments_are_left_alone_and_results_do_not_share_memory():
    startprob, transmat = random_chain(2, 0)
    log_emission = np.random.default_rng(0).normal(size=(500, 2))
    layout, copy = Layout.of([500], 2), log_emission.copy()
    first = forward_backward(layout, startprob, transmat, log_emission)
    kept = first.smoothed.copy()
    forward_backward(layout, startprob[::-1], transmat, -log_emission)
    np.testing.assert_array_equal(log_emission, copy)
    np.testing.assert_array_equal(first.smoothed, kept)


def test_a_million_steps_of_sixteen_states_take_four_tables_and_a_little_with_the_log_densities():
    n_rows, n_states = 1_000_000, 16
    startprob, transmat = random_chain(n_states, 0)
    rng = np.random.default_rng(0)
    log_emission = rng.standard_normal((n_rows, n_states), dtype=np.float32).astype(np.float64)
    layout = Layout.of([n_rows], n_states)
    tracemalloc.start()
    found = forward_backward(layout, startprob, transmat, log_emission, overwrite=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.smoothed is log_emission
    assert peak <= 3.2 * log_emission.nbytes
    assert found.transition_counts.sum() == pytest.approx(n_rows - 1, rel=1e-10)
    np.testing.assert_allclose(found.smoothed.sum(axis=1), 1.0, atol=1e-10)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("kind", ["left to right", "cycle with rests", "two ways", "apart", "banded"])
def test_chains_with_impossible_transitions_keep_paths_that_were_hopeless_for_a_while(kind, seed):
    # Stretches of rows speak against a state by up to thousands of nats, and others for it as much.
    rng = np.random.default_rng(seed)
    pattern = {
        "left to right": np.triu(np.ones((4, 4))),
        "cycle with rests": np.eye(4) + np.roll(np.eye(4), 1, axis=1),
        "two ways": np.array([[1, 1, 1, 0], [0, 1, 0, 0], [0, 0, 1, 1], [0, 0, 0, 1]]),
        "apart": np.kron(np.eye(2), np.ones((2, 2))),
        "banded": np.eye(4) + np.eye(4, k=1) + np.eye(4, k=-1),
    }[kind]
    transmat = pattern * rng.uniform(0.1, 1.0, (4, 4))
    transmat /= transmat.sum(axis=1, keepdims=True)
    startprob = np.array([1.0, 0.0, 1.0, 0.0]) / 2
    lengths = [200, 60, 60]
    log_emission = rng.normal(size=(320, 4))
    for _ in range(25):
        start, stop = np.sort(rng.integers(0, 320, 2))
        total = rng.choice([500.0, 800.0, 3000.0])
        if rng.random() < 0.5:
            stop = start + 1
        log_emission[start:stop, rng.integers(4)] += rng.choice([-1, 1]) * total / max(stop - start, 1)
    for block in (50, 1000):
        found = forward_backward(Layout.of(lengths, 4, block=block), startprob, transmat, log_emission)
        assert_agrees(found, startprob, transmat, log_emission, lengths=lengths)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("block", [None, 3])
def test_the_result_may_take_the_memory_of_the_densities(order, block):
    # Some sequences the chain cannot produce, or only in log space.
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 30, size=200)
    layout = Layout.of(lengths, 2, block=block)
    startprob, transmat = np.array([0.5, 0.5]), np.array([[1.0, 0.0], [0.3, 0.7]])
    log_emission = rng.normal(size=(lengths.sum(), 2))
    log_emission[layout.starts[::50]] = -np.inf
    log_emission[layout.starts[7::50], 0] = -2000.0
    expected = forward_backward(layout, startprob, transmat, log_emission)
    given = np.array(log_emission, order=order)
    found = forward_backward(layout, startprob, transmat, given, overwrite=True)
    assert np.isneginf(found.log_likelihoods).sum() == 4
    assert found.smoothed is given
    np.testing.assert_allclose(found.log_likelihoods, expected.log_likelihoods, rtol=1e-12)
    np.testing.assert_allclose(found.smoothed, expected.smoothed, rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(found.transition_counts, expected.transition_counts, rtol=1e-12, atol=1e-300)

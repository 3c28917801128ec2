"""Filter, prediction, fixed lag and steps one by one, against the plain recursion and against shorter data."""

import numpy as np
import pytest
from chain_oracles import cut, plain_recursion, random_chain
from emkit_hmm.kernels.filtering import (
    filter_states,
    filter_step,
    log_likelihoods,
    predict_states,
)
from emkit_hmm.kernels.lagged import smooth_with_lag
from emkit_hmm.kernels.layout import Layout
from emkit_hmm.kernels.smoothing import forward_backward


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("block", [66, 1000])
def test_filtered_probabilities_are_those_of_the_plain_recursion(block, order):
    lengths = [400, 3, 1, 90]
    startprob, transmat = random_chain(4, 2)
    log_emission = np.asarray(np.random.default_rng(0).normal(scale=2.0, size=(494, 4)), order=order)
    found = filter_states(Layout.of(lengths, 4, block=block), startprob, transmat, log_emission)
    parts = [plain_recursion(startprob, transmat, part) for part in cut(log_emission, lengths)]
    np.testing.assert_allclose(found.log_likelihoods, [part[0] for part in parts], rtol=1e-12)
    np.testing.assert_allclose(found.filtered, np.concatenate([part[1] for part in parts]), atol=1e-11)


@pytest.mark.parametrize("far", [False, True])
def test_filtered_probabilities_with_a_matrix_for_every_row(far):
    lengths = [300, 1, 40]
    rng = np.random.default_rng(0)
    startprob, transmat = rng.dirichlet(np.ones(3)), rng.dirichlet(np.ones(3), size=(341, 3))
    log_emission = rng.normal(size=(341, 3))
    if far:
        transmat[:, 1:, 0] = 0.0
        transmat /= transmat.sum(axis=2, keepdims=True)
        log_emission *= 1e4
    layout = Layout.of(lengths, 3)
    found = filter_states(layout, startprob, transmat, log_emission)
    for k, start in enumerate(layout.starts):
        rows = slice(start, start + lengths[k])
        log_likelihood, filtered, _, _ = plain_recursion(startprob, transmat[rows], log_emission[rows])
        assert found.log_likelihoods[k] == pytest.approx(log_likelihood, rel=1e-12)
        np.testing.assert_allclose(found.filtered[rows], filtered, atol=1e-9)
        expected = np.einsum("tj,tjk->tk", filtered[:-1], transmat[rows][1:])
        np.testing.assert_allclose(found.predicted[rows], [startprob, *expected], atol=1e-9)


def test_predicted_probabilities_are_filtered_ones_with_the_row_unseen():
    lengths = [20, 1, 7]
    startprob, transmat = random_chain(3, 5)
    log_emission = np.random.default_rng(1).normal(size=(28, 3))
    layout = Layout.of(lengths, 3)
    predicted = filter_states(layout, startprob, transmat, log_emission).predicted
    for row in (0, 1, 13, 19, 20, 21, 27):
        hidden = log_emission.copy()
        hidden[row] = 0.0
        again = filter_states(layout, startprob, transmat, hidden).filtered
        np.testing.assert_allclose(predicted[row], again[row], atol=1e-14)


def test_the_filter_does_not_look_ahead():
    startprob, transmat = random_chain(3, 4)
    log_emission = np.random.default_rng(2).normal(size=(300, 3))
    layout = Layout.of([300], 3)
    before = filter_states(layout, startprob, transmat, log_emission).filtered
    log_emission[200:] = np.random.default_rng(3).normal(size=(100, 3))
    after = filter_states(layout, startprob, transmat, log_emission).filtered
    np.testing.assert_allclose(after[:200], before[:200], atol=1e-14)


def test_a_lost_state_that_matters_for_a_while_only_is_filtered_rightly():
    # The walk back cannot tell: in the end the state that was lost is improbable once more.
    startprob, transmat = np.array([0.5, 0.5]), np.eye(2)
    log_emission = np.zeros((1000, 2))
    log_emission[:100, 0] = -10.0
    log_emission[100:400, 1] = -10.0
    log_emission[400:, 0] = -10.0
    for block in (60, 1000):
        found = filter_states(Layout.of([1000], 2, block=block), startprob, transmat, log_emission)
        np.testing.assert_allclose(found.filtered[350], [1.0, 0.0], atol=1e-12)
        np.testing.assert_allclose(found.filtered, plain_recursion(startprob, transmat, log_emission)[1], atol=1e-10)


@pytest.mark.parametrize("zeros", [False, True])
def test_log_likelihoods_alone_are_those_of_forward_backward(zeros):
    lengths = [300, 1, 40, 5]
    startprob, transmat = random_chain(3, 6)
    log_emission = np.random.default_rng(4).normal(scale=5.0, size=(346, 3))
    if zeros:
        transmat = np.triu(transmat) / np.triu(transmat).sum(axis=1, keepdims=True)
        log_emission[301:341, 2] = [np.nan_to_num(-np.inf)] * 40
        log_emission[345, 0] = -np.inf
    for block in (None, 70):
        layout = Layout.of(lengths, 3, block=block)
        expected = forward_backward(layout, startprob, transmat, log_emission).log_likelihoods
        found = log_likelihoods(layout, startprob, transmat, log_emission)
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_the_log_likelihood_alone_does_not_lose_states_either():
    startprob, transmat = np.array([1.0, 0.0]), np.array([[0.9, 0.1], [0.0, 1.0]])
    log_emission = np.zeros((260, 2))
    log_emission[5, 1] = 705.0
    log_emission[50:150, 0] = 7.2
    found = log_likelihoods(Layout.of([260], 2), startprob, transmat, log_emission)
    assert found[0] == pytest.approx(plain_recursion(startprob, transmat, log_emission)[0], rel=1e-13)


def test_impossible_rows_keep_the_prediction_and_make_the_likelihood_zero():
    startprob, transmat = np.array([1.0, 0.0]), np.array([[0.5, 0.5], [0.0, 1.0]])
    log_emission = np.zeros((6, 2))
    log_emission[0] = [-np.inf, 0.0]
    layout = Layout.of([3, 3], 2)
    found = filter_states(layout, startprob, transmat, log_emission)
    np.testing.assert_allclose(found.filtered[:3], [[1.0, 0.0], [0.5, 0.5], [0.25, 0.75]])
    np.testing.assert_allclose(found.log_likelihoods, [-np.inf, 0.0], atol=1e-14)
    np.testing.assert_allclose(log_likelihoods(layout, startprob, transmat, log_emission), [-np.inf, 0.0], atol=1e-14)


def test_steps_one_by_one_are_the_filter():
    startprob, transmat = random_chain(3, 7)
    log_emission = np.random.default_rng(5).normal(scale=4.0, size=(2, 30, 3))
    found = filter_states(Layout.of([30, 30], 3), startprob, transmat, log_emission.reshape(60, 3))
    predicted, total = np.tile(startprob, (2, 1)), np.zeros(2)
    for t in range(30):
        filtered, log_density = filter_step(predicted, log_emission[:, t])
        np.testing.assert_allclose(filtered, found.filtered.reshape(2, 30, 3)[:, t], atol=1e-13)
        predicted, total = filtered @ transmat, total + log_density
    np.testing.assert_allclose(total, found.log_likelihoods, rtol=1e-13)


def test_a_step_survives_densities_that_no_float_holds():
    filtered, log_density = filter_step(np.array([0.5, 0.5, 0.0]), np.array([-1e6, -1e6 - 1.0, 0.0]))
    np.testing.assert_allclose(filtered, [1 / (1 + np.exp(-1)), 1 / (1 + np.exp(1)), 0.0], rtol=1e-9)
    assert log_density == pytest.approx(-1e6 + np.log(0.5 + 0.5 * np.exp(-1)))


def test_prediction_of_states_is_filtering_of_rows_that_were_not_seen():
    startprob, transmat = random_chain(4, 8)
    log_emission = np.random.default_rng(6).normal(size=(12, 4))
    longer = np.concatenate([log_emission, np.zeros((5, 4))])
    last = filter_states(Layout.of([12], 4), startprob, transmat, log_emission).filtered[-1:]
    expected = filter_states(Layout.of([17], 4), startprob, transmat, longer).filtered[12:]
    np.testing.assert_allclose(predict_states(last, transmat, 5)[0], expected, atol=1e-13)


@pytest.mark.parametrize("lag", [0, 1, 3, 50])
def test_fixed_lag_smoothing_is_smoothing_of_data_that_end_there(lag):
    lengths = [12, 1, 8]
    startprob, transmat = random_chain(3, 9)
    log_emission = np.random.default_rng(7).normal(scale=2.0, size=(21, 3))
    found = smooth_with_lag(Layout.of(lengths, 3), startprob, transmat, log_emission, lag)
    for part, values in zip(cut(log_emission, lengths), cut(found, lengths), strict=True):
        for t in range(len(part)):
            until = min(t + lag + 1, len(part))
            expected = forward_backward(Layout.of([until], 3), startprob, transmat, part[:until]).smoothed[t]
            np.testing.assert_allclose(values[t], expected, atol=1e-12)


def test_fixed_lag_smoothing_survives_rows_that_exclude_all_likely_states():
    startprob, transmat = np.array([0.5, 0.5, 0.0]), np.array([[0.5, 0.5, 0.0], [0.3, 0.7, 0.0], [0.0, 0.0, 1.0]])
    log_emission = np.random.default_rng(8).normal(size=(5, 3))
    log_emission[1] = [-1e5, -1e5 - 2.0, 0.0]
    found = smooth_with_lag(Layout.of([5], 3), startprob, transmat, log_emission, 2)
    expected = forward_backward(Layout.of([3], 3), startprob, transmat, log_emission[:3]).smoothed[0]
    np.testing.assert_allclose(found[0], expected, atol=1e-12)
    assert np.isfinite(found).all()

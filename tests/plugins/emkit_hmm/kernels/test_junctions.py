"""Blocks of a long sequence: what they are told of their neighbours is what the uncut walk says."""

import numpy as np
import pytest
from chain_oracles import plain_recursion, random_chain
from emkit_hmm.kernels import junctions
from emkit_hmm.kernels.chains import Chain, VaryingChain
from emkit_hmm.kernels.junctions import Junctions, block_products, joined_forward, settle
from emkit_hmm.kernels.layout import Layout
from emkit_hmm.kernels.packing import scaled_emission
from emkit_hmm.kernels.smoothing import forward_backward


def walked(startprob, transmat, log_emission, block, *, varying=False):
    n_states = len(startprob)
    columns = Layout.of([len(log_emission)], n_states, block=block).groups[0]
    if varying:
        chain = VaryingChain.of(startprob, np.repeat(transmat[None], len(log_emission), axis=0), columns)
    else:
        chain = Chain.of(startprob, transmat)
    emission, alpha = np.empty(log_emission.size), np.empty(log_emission.size)
    scaled_emission(columns, log_emission, emission)
    return columns, chain, emission, joined_forward(columns, chain, emission, alpha, stride=16)


@pytest.mark.parametrize("stay", [0.0, 0.9, 0.9999])
def test_blocks_end_with_the_filtered_probabilities_of_the_uncut_sequence(stay):
    startprob, transmat = random_chain(3, 1)
    transmat = stay * np.eye(3) + (1 - stay) * transmat
    log_emission = np.random.default_rng(2).normal(scale=0.1, size=(400, 3))
    columns, _, _, (forward, _) = walked(startprob, transmat, log_emission, 50)
    filtered = plain_recursion(startprob, transmat, log_emission)[1]
    np.testing.assert_allclose(forward.ends[:, columns.order].T, filtered[49::50], rtol=1e-11)


@pytest.mark.parametrize("varying", [False, True])
def test_the_product_of_a_block_takes_the_start_of_it_to_the_start_of_the_next(varying):
    startprob, transmat = random_chain(4, 3)
    log_emission = np.random.default_rng(4).normal(size=(200, 4))
    columns, chain, emission, (_, starts) = walked(startprob, transmat, log_emission, 20, varying=varying)
    products = block_products(columns, chain, emission, Junctions.of(columns, chain))
    for column in columns.order[1:]:
        before = columns.previous[column]
        expected = products[before] @ starts[:, before]
        np.testing.assert_allclose(starts[:, column], expected / expected.sum(), rtol=1e-11)


def test_a_chain_that_forgets_slowly_is_left_to_the_products(monkeypatch):
    calls = []
    monkeypatch.setattr(junctions, "block_products", lambda *args: calls.append(1) or block_products(*args))
    startprob = np.array([0.9, 0.1])
    log_emission = np.random.default_rng(5).normal(scale=1e-3, size=(2000, 2))
    for flip, expected in ((0.3, 0), (1e-6, 2)):
        calls.clear()
        transmat = np.array([[1 - flip, flip], [flip, 1 - flip]])
        found = forward_backward(Layout.of([2000], 2, block=50), startprob, transmat, log_emission)
        assert len(calls) == expected
        np.testing.assert_allclose(
            found.smoothed, plain_recursion(startprob, transmat, log_emission)[2], rtol=1e-10, atol=1e-13
        )


def test_walks_are_repeated_until_the_arrivals_agree():
    # Every walk brings the arrivals a thousand times closer to the truth.
    columns = Layout.of([1000], 8, block=10).groups[0]
    truth, walks = np.full((8, 99), 0.125), []

    def walk(guess):
        walks.append(guess)
        return truth + 1e-3 * (guess - truth)

    settle(walk, truth * 1.5, lambda: pytest.fail("the products are not needed"), columns)
    assert len(walks) == 5
    assert junctions.largest_gap(walks[-1], truth) < 1e-12

"""Known states name the groups that a fit starts from."""

from __future__ import annotations

import numpy as np
import pytest
from emkit_hmm import HiddenMarkovModel, Sequences
from emkit_hmm.known import known_states, with_known_states
from emkit_hmm.labels import log_labels_of

import emkit
from emkit.families import Poisson

RNG = np.random.default_rng(0)
STATES = np.repeat([0, 1, 2, 0, 2, 1], 40)
COUNTS = RNG.poisson(np.array([20.0, 1.0, 6.0])[STATES])[:, None].astype(float)


def with_some_known(every):
    known = np.full(len(STATES), -1)
    known[::every] = STATES[::every]
    return known


def test_groups_get_the_names_under_which_most_labels_agree():
    shares = np.eye(3)[[0, 0, 1, 1, 2, 2]]
    known, is_known = known_states(log_labels_of(np.array([2, -1, 0, 0, -1, -1]), 6, 3))
    found = with_known_states(shares, known, is_known)
    np.testing.assert_array_equal(np.argmax(found, axis=1), [2, 2, 0, 0, 1, 1])


def test_a_log_prior_of_states_counts_by_its_shares():
    logs = np.log([[0.7, 0.3], [0.5, 0.5]])
    known, is_known = known_states(logs)
    np.testing.assert_allclose(known, np.exp(logs))
    assert is_known.tolist() == [True, False]


@pytest.mark.parametrize("seed", range(8))
def test_every_single_start_ends_with_the_labels_states(seed):
    # Rates are not in the order of the labels, so that groups named at random would mostly end swapped.
    model = HiddenMarkovModel(3, Poisson())
    result = emkit.fit(model, Sequences(COUNTS, states=with_some_known(10)), rng=seed)
    np.testing.assert_allclose(result.params.emission.rates[:, 0], [20.0, 1.0, 6.0], rtol=0.15)
    assert (np.argmax(model.posterior(result.params, COUNTS), axis=1) == STATES).mean() > 0.95


def test_rows_that_do_not_count_do_not_shape_the_start():
    # Two sequences of weight zero with absurd counts must not take a state for themselves.
    absurd = np.full((30, 1), 5000.0)
    x = np.concatenate([COUNTS, absurd])
    model = HiddenMarkovModel(3, Poisson())
    weighted = emkit.fit(model, Sequences(x, [240, 30], [1.0, 0.0]), rng=0)
    alone = emkit.fit(model, Sequences(COUNTS, [240]), rng=0)
    assert weighted.log_likelihood == pytest.approx(alone.log_likelihood, abs=1e-6)


def test_states_that_share_a_distribution_start_from_their_labels_too():
    tied = np.where(STATES == 2, 1, 0)
    x = np.random.default_rng(1).poisson(np.array([15.0, 2.0])[tied])[:, None].astype(float)
    known = np.where(np.arange(len(STATES)) % 5 == 0, STATES, -1)
    result = emkit.fit(HiddenMarkovModel(3, Poisson(), ties=[0, 0, 1]), Sequences(x, states=known), rng=0)
    np.testing.assert_allclose(result.params.emission.rates[:, 0], [15.0, 2.0], rtol=0.1)

"""Known states as they are given: with masks, and of the wrong kind."""

from __future__ import annotations

import numpy as np
import pytest
from emkit_hmm import HiddenMarkovModel, PoissonHMM, Sequence, Sequences
from emkit_hmm.labels import log_labels_of

import emkit
from emkit.families import Gaussian, Poisson

X = np.random.default_rng(0).poisson(np.repeat([[3.0], [20.0]], 20, axis=0))
HIDDEN = np.arange(40) >= 3
MASKED = np.ma.masked_array(np.zeros(40, dtype=int), mask=HIDDEN)
PLAIN = np.where(HIDDEN, -1, 0)
MODEL = HiddenMarkovModel(2, Poisson())


def test_a_state_under_a_mask_is_unknown():
    hidden, told = (PoissonHMM(2, random_state=0).fit(X, states=states) for states in (MASKED, PLAIN))
    assert hidden.result_.log_likelihood == told.result_.log_likelihood
    # All forty known, as without the mask, would be a model of one state.
    assert hidden.result_.log_likelihood > PoissonHMM(1).fit(X).result_.log_likelihood + 50


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.float64])
def test_masks_of_every_kind_of_number_are_kept(kind):
    states = np.ma.masked_array(np.zeros(40, dtype=kind), mask=HIDDEN)
    expected = np.where(HIDDEN[:, None], 0.0, [[0.0, -np.inf]])
    np.testing.assert_array_equal(log_labels_of(states, 40, 2), expected)
    parts = [Sequence(X[:20], states=states[:20]), Sequence(X[20:], states=states[20:])]
    np.testing.assert_array_equal(MODEL.prepare(parts).log_labels, expected)


def test_a_row_of_logarithms_under_a_mask_says_nothing_and_half_a_row_is_refused():
    prior = np.ma.masked_array(np.log([[0.2, 0.8]] * 40), mask=np.zeros((40, 2), dtype=bool))
    prior.mask[5:] = True
    labels = log_labels_of(prior, 40, 2)
    np.testing.assert_array_equal(labels[5:], 0.0)
    np.testing.assert_array_equal(labels[:5], np.log([[0.2, 0.8]] * 5))
    prior.mask[7, 0] = False
    with pytest.raises(ValueError, match=r"states\[7\] must hold logarithms"):
        log_labels_of(prior, 40, 2)


def test_new_data_and_drawn_sequences_keep_masks():
    params = emkit.fit(MODEL, X, rng=0, max_iter=5).params
    rng = np.random.default_rng(0)
    new = MODEL.simulate(params, Sequences(X, states=MASKED), rng)
    np.testing.assert_array_equal(new.states == -1, HIDDEN)
    rows = np.ma.masked_array(X.astype(float), mask=(np.arange(40) % 5 == 0)[:, None])
    drawn = MODEL.resample(Sequences(rows, [20, 20], states=MASKED), rng)
    # Both halves have every fifth row hidden.
    np.testing.assert_array_equal(np.isnan(MODEL.prepare(drawn).x[:, 0]), np.arange(40) % 5 == 0)
    assert set(drawn.states[:3]) | set(drawn.states[20:23]) <= {0, -1}
    assert (np.delete(drawn.states, [0, 1, 2, 20, 21, 22]) == -1).all()


def test_lengths_under_a_mask_are_told():
    lengths = np.ma.masked_array([20, 20], mask=[False, True])
    with pytest.raises(ValueError, match=r"lengths must be .* whole numbers.*; some are masked: \[20 --\]"):
        MODEL.prepare(Sequences(X, lengths))
    assert MODEL.prepare(Sequences(X, np.ma.masked_array([20, 20]))).lengths.tolist() == [20, 20]


@pytest.mark.parametrize(
    ("states", "message"),
    [
        (np.zeros(40, dtype=bool), r"found shape \(40,\) of bool: write states.astype\(int\)"),
        (["a"] * 40, r"found shape \(40,\) of <U1, such as 'a': write -1"),
        ([None] * 40, r"found shape \(40,\) of object, such as None: write -1 for a state that is not known"),
        ([1j] * 40, r"found shape \(40,\) of complex128"),
    ],
)
def test_states_that_are_no_numbers_are_told_with_what_they_are(states, message):
    with pytest.raises(ValueError, match=message):
        HiddenMarkovModel(2, Gaussian()).prepare(Sequences(X, states=states))

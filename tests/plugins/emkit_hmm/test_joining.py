"""Several sequences made one: every part belongs to its own sequence, every column keeps its name."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from emkit_hmm import HiddenMarkovModel, Logit, Sequence, Sequences

import emkit
from emkit.families import Gaussian, Poisson

X = np.random.default_rng(0).poisson(np.repeat([[3.0], [20.0]], 20, axis=0)).astype(float)
MODEL = HiddenMarkovModel(2, Poisson())
ALONG = HiddenMarkovModel(2, Poisson(), chain=Logit())
FRAME = pd.DataFrame({"a": np.arange(9.0), "b": 100 + np.arange(9.0)})


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ({"states": np.zeros(21, int)}, {"states": np.ones(19, int)}, r"states of sequence 0 .* its 20 rows.* \(21,\)"),
        (
            {"covariates": np.zeros((20, 1))},
            {"covariates": np.ones((19, 1))},
            r"covariates of sequence 1 .* its 20 rows; found shape \(19, 1\)",
        ),
        ({"states": np.zeros(20, int)}, {"states": "abc"}, r"states of sequence 1 .* found shape \(\)"),
        (
            {"states": np.zeros(20, int)},
            {"states": np.zeros((20, 2))},
            r"states of sequence 1 have shape \(20, 2\), those of sequence 0 \(20,\): give all sequences the same kind",
        ),
        ({"covariates": np.zeros(20)}, {"covariates": np.zeros(20)}, "The covariates of sequence 0 has shape"),
        ({"covariates": np.zeros((20, 1))}, {}, "Sequence 1 has no covariates, others have"),
        ({}, {"weight": "a"}, "The weight of sequence 1 must be a number, such as 2.0; it is 'a'"),
        ({"weight": [1, 2]}, {}, r"The weight of sequence 0 must be a number, such as 2.0; it is \[1, 2\]"),
        ({"weight": None}, {}, "The weight of sequence 0 must be a number"),
    ],
)
def test_a_part_that_does_not_fit_its_sequence_is_told(first, second, message):
    with pytest.raises(ValueError, match=message):
        MODEL.prepare([Sequence(X[:20], **first), Sequence(X[20:], **second)])


def test_parts_of_the_right_length_follow_each_other():
    first = Sequence(X[:15], 2.0, np.full(15, 1), np.ones((15, 1)))
    second = Sequence(X[15:], 3, [0] * 25, np.zeros((25, 1)))
    both = ALONG.prepare([first, second])
    np.testing.assert_array_equal(both.weights, [2.0, 3.0])
    np.testing.assert_array_equal(both.log_labels[:, 0] == 0, np.arange(40) >= 15)
    np.testing.assert_array_equal(both.covariates[:, 0] == 0, np.arange(40) >= 15)


def test_covariates_of_first_rows_may_miss_in_every_sequence():
    covariates = np.ma.masked_array(np.ones((20, 1)), mask=(np.arange(20) == 0)[:, None])
    both = ALONG.prepare([Sequence(X[:20], covariates=covariates), Sequence(X[20:], covariates=covariates)])
    np.testing.assert_array_equal(both.covariates[:, 0] == 0, np.arange(40) % 20 == 0)


@pytest.mark.parametrize("wrap", [lambda frame: frame, Sequence])
def test_columns_in_another_order_are_no_columns_of_the_same_name(wrap):
    model = HiddenMarkovModel(1, Gaussian())
    swapped = [wrap(FRAME[:4]), wrap(FRAME[4:][["b", "a"]])]
    with pytest.raises(ValueError, match=r"same order: sequence 0 has \['a', 'b'\], sequence 1 has \['b', 'a'\]"):
        model.prepare(swapped)
    np.testing.assert_array_equal(model.prepare([wrap(FRAME[:4]), wrap(FRAME[4:])]).x, FRAME.to_numpy())
    # A matrix has no names, so its columns go by their places.
    mixed = model.prepare([wrap(FRAME[:4]), wrap(FRAME[4:].to_numpy())])
    np.testing.assert_array_equal(mixed.x, FRAME.to_numpy())


@pytest.mark.parametrize("weights", [[1e308, 1.0], [1e308, 1e308], [1.0, 1e300]])
def test_weights_whose_sums_overflow_are_told(weights):
    with pytest.raises(ValueError, match=r"weights\[\d\] is 1e\+30\d, too large to be added up: divide all weights"):
        MODEL.prepare(Sequences(X, [20, 20], weights))


def test_large_weights_change_no_estimate():
    one = emkit.fit(MODEL, Sequences(X, [20, 20], [2.0, 1.0]), rng=0)
    large = emkit.fit(MODEL, Sequences(X, [20, 20], [2e200, 1e200]), rng=0)
    assert large.converged
    np.testing.assert_allclose(large.params.emission.rates, one.params.emission.rates, rtol=1e-6)


@pytest.mark.parametrize("lengths", [[np.inf], [1e308, 1.0], [1e308, 1e308], [40, np.inf]])
def test_lengths_beyond_all_numbers_of_rows_are_told(lengths):
    with pytest.raises(ValueError, match=r"sum to the number of rows, 40; they sum to (inf|1e\+308)"):
        MODEL.prepare(Sequences(X, lengths))

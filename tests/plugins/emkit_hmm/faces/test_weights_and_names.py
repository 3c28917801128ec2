"""Weights of sequences and names of columns count in every answer of a face, not in its fit alone."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from emkit_hmm import HMM, GaussianHMM, PoissonHMM, Sequence, Sequences

from emkit.families import Poisson

X = np.random.default_rng(0).poisson(np.repeat([[3.0], [20.0], [3.0]], 20, axis=0)).astype(float)
WEIGHTED = Sequences(X, [20] * 3, [1.0, 2.0, 3.0])
REPEATED = [X[:20], X[20:40], X[20:40], X[40:], X[40:], X[40:]]
RNG = np.random.default_rng(1)
FRAME = pd.DataFrame({"a": RNG.normal(size=30), "b": RNG.normal(5.0, 1.0, size=30)})


@pytest.mark.parametrize("hmm", [PoissonHMM(2, random_state=0), HMM(2, Poisson(), random_state=0)])
def test_a_sequence_of_weight_three_is_three_sequences(hmm):
    hmm.fit(WEIGHTED)
    for answer in (hmm.score, hmm.aic, hmm.bic, lambda x: hmm.decode(x)[0], lambda x: hmm.score_samples(x)[0]):
        assert answer(WEIGHTED) == pytest.approx(answer(REPEATED), rel=1e-12)
    assert hmm.score(WEIGHTED) == hmm.result_.log_likelihood
    assert (hmm.aic(WEIGHTED), hmm.bic(WEIGHTED)) == pytest.approx((hmm.result_.aic, hmm.result_.bic), rel=1e-12)
    assert hmm.score(X, [20] * 3) == pytest.approx(sum(map(hmm.score, (X[:20], X[20:40], X[40:]))), rel=1e-12)


def test_an_impossible_sequence_of_weight_zero_counts_for_nothing():
    hmm = PoissonHMM(1)
    hmm.startprob_, hmm.transmat_, hmm.lambdas_ = [1.0], [[1.0]], [[0.0]]
    assert hmm.score(Sequences([[0.0], [1.0]], [1, 1], [1.0, 0.0])) == 0.0
    assert hmm.score(Sequences([[0.0], [1.0]], [1, 1], [1.0, 0.5])) == -np.inf


@pytest.mark.parametrize("wrap", [lambda frame: frame, Sequence])
def test_a_list_of_frames_has_the_names_of_its_frames(wrap):
    hmm = GaussianHMM(2, random_state=0).fit([wrap(FRAME[:10]), wrap(FRAME[10:])])
    assert hmm.feature_names_in_.tolist() == ["a", "b"]
    np.testing.assert_array_equal(hmm.means_, GaussianHMM(2, random_state=0).fit(FRAME, [10, 20]).means_)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert hmm.score([wrap(FRAME[:10]), wrap(FRAME[10:])]) == hmm.score(FRAME, [10, 20])
    for swapped in ([wrap(FRAME[["b", "a"]])], Sequences(FRAME[["b", "a"]])):
        with pytest.raises(ValueError, match="must be in the same order as they were in fit"):
            hmm.score(swapped)
        with pytest.raises(ValueError, match="must be in the same order as they were in fit"):
            hmm.predict(swapped)
    with pytest.raises(ValueError, match="sequence 1 has"):
        GaussianHMM(2).fit([wrap(FRAME[:10]), wrap(FRAME[10:][["b", "a"]])])


def test_a_list_of_matrices_after_a_fit_with_names_is_warned_of_and_has_none_itself():
    hmm = GaussianHMM(2, random_state=0).fit(FRAME)
    with pytest.warns(match="X does not have valid feature names, but GaussianHMM was fitted with feature names"):
        hmm.score([FRAME.to_numpy()])
    hmm.fit([FRAME.to_numpy()])
    assert not hasattr(hmm, "feature_names_in_")


def test_an_empty_list_is_called_so():
    hmm = PoissonHMM(1).fit(X)
    for ask in (hmm.fit, hmm.score, HMM(1, Poisson()).fit):
        with pytest.raises(ValueError, match="The list of sequences is empty"):
            ask([])

"""Sequences that no path of states can have made: answers about their states are warned of."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from emkit_hmm import HMM, CategoricalHMM, HiddenMarkovParams, MarkovParams, PoissonHMM

from emkit.errors import EmkitWarning
from emkit.families import Poisson, PoissonParams

#: State 0 shows symbol 0 alone, state 1 symbol 1, and the states take turns.
TURNS = [[0.0, 1.0], [1.0, 0.0]]
POSSIBLE, IMPOSSIBLE = [[0], [1], [0]], [[0], [0], [1]]


def _hmm(**settings):
    hmm = CategoricalHMM(2, **settings)
    hmm.startprob_, hmm.transmat_, hmm.emissionprob_ = [0.5, 0.5], TURNS, np.eye(2)
    return hmm


ASKED = [
    lambda hmm, *data: hmm.predict(*data),
    lambda hmm, *data: hmm.set_params(algorithm="map").predict(*data),
    lambda hmm, *data: hmm.predict_proba(*data),
    lambda hmm, *data: hmm.sample_paths(*data, random_state=0),
    lambda hmm, *data: hmm.pseudo_residuals(*data),
]


@pytest.mark.parametrize("ask", ASKED[:4])
def test_states_of_an_impossible_sequence_are_warned_of(ask):
    with pytest.warns(EmkitWarning, match="CategoricalHMM: sequence 0 is impossible") as caught:
        ask(_hmm(), IMPOSSIBLE)
    assert [warning.filename for warning in caught] == [__file__]
    with pytest.warns(EmkitWarning, match=r"sequence 1 \(and 1 more\) is impossible"):
        ask(_hmm(), POSSIBLE + 2 * IMPOSSIBLE, [3, 3, 3])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ask(_hmm(), POSSIBLE)
    assert _hmm().score(IMPOSSIBLE) == -np.inf


def test_residuals_of_an_impossible_sequence_are_warned_of():
    hmm = PoissonHMM(1)
    hmm.startprob_, hmm.transmat_, hmm.lambdas_ = [1.0], [[1.0]], [[0.0]]
    with pytest.warns(EmkitWarning, match="PoissonHMM: sequence 0 is impossible"):
        hmm.pseudo_residuals([[1.0], [0.0]])
    hmm.lambdas_ = [[1.0]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hmm.pseudo_residuals([[1.0], [0.0]])


def test_it_is_so_for_any_family():
    hmm = HMM(1, Poisson())
    hmm.params_ = HiddenMarkovParams(MarkovParams([1.0], [[1.0]]), PoissonParams([[0.0]]))
    with pytest.warns(EmkitWarning, match="HMM: sequence 0 is impossible"):
        hmm.predict([[1.0]])

"""A fit to nothing is told, whether it has starting params or not."""

from __future__ import annotations

import numpy as np
import pytest
from emkit_hmm import HiddenMarkovModel, Sequences
from regimes import COUNTS

from emkit import Status, fit
from emkit.errors import DegenerateError
from emkit.families import Poisson

MODEL = HiddenMarkovModel(2, Poisson())
LENGTHS = [50, len(COUNTS) - 50]


@pytest.mark.parametrize(
    "nothing",
    [Sequences(COUNTS, LENGTHS, [0.0, 0.0]), np.full((9, 1), np.nan)],
    ids=["all weights zero", "all rows missing"],
)
@pytest.mark.parametrize("engine", [None, 2])
def test_a_fit_to_nothing_has_no_start(nothing, engine):
    with pytest.raises(DegenerateError, match="Nothing was observed"):
        fit(MODEL, nothing, rng=0, engine=engine)


@pytest.mark.parametrize(
    "nothing",
    [Sequences(COUNTS, LENGTHS, [0.0, 0.0]), np.full((9, 1), np.nan)],
    ids=["all weights zero", "all rows missing"],
)
@pytest.mark.parametrize("engine", [None, 2])
def test_a_fit_to_nothing_leaves_given_params_and_does_not_seem_to_converge(nothing, engine):
    params = MODEL.initialize(COUNTS, np.random.default_rng(0))
    result = fit(MODEL, nothing, params, engine=engine)
    assert result.status is Status.DEGENERATE
    assert "Nothing was observed" in result.message
    np.testing.assert_array_equal(result.params.emission.rates, params.emission.rates)


def test_a_sequence_without_weight_beside_others_counts_for_nothing():
    one = fit(MODEL, Sequences(COUNTS, LENGTHS, [1.0, 0.0]), rng=0)
    other = fit(MODEL, COUNTS[:50], one.params)
    assert one.log_likelihood == pytest.approx(other.log_likelihood, abs=1e-5)

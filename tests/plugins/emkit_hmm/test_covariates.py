"""Covariates as they are given: those of first rows act on nothing."""

from __future__ import annotations

import numpy as np
import pytest
from emkit_hmm import HiddenMarkovModel, Logit, Sequences, filtered, predicted
from emkit_hmm.covariates import covariates_of
from regimes import COUNTS

from emkit import fit
from emkit.errors import EmkitWarning
from emkit.families import Poisson

LENGTHS = np.array([3, 1, 2])
COVARIATES = np.arange(12.0).reshape(6, 2)


def test_first_rows_may_miss_and_the_others_are_as_given():
    given = COVARIATES.copy()
    given[[0, 3]], given[4, 1] = np.nan, np.nan
    expected = COVARIATES.copy()
    expected[[0, 3]], expected[4, 1] = 0.0, 0.0
    np.testing.assert_array_equal(covariates_of(given, LENGTHS), expected)
    np.testing.assert_array_equal(covariates_of(COVARIATES, LENGTHS), COVARIATES)
    assert covariates_of(None, LENGTHS) is None


def test_another_row_that_misses_is_named():
    given = COVARIATES.copy()
    given[[0, 5], [1, 1]] = np.nan
    with pytest.raises(ValueError, match="covariates are NaN in row 5, column 1: only in the first row"):
        covariates_of(given, LENGTHS)


def test_their_number_must_be_that_of_the_rows():
    with pytest.raises(ValueError, match="one row for each of the 6 rows of the data; found 5"):
        covariates_of(COVARIATES[:5], LENGTHS)


def test_a_fit_and_all_that_follows_do_not_see_those_of_first_rows():
    lengths = [60, 1, len(COUNTS) - 61]
    given = np.random.default_rng(0).normal(size=(len(COUNTS), 2))
    missing = given.copy()
    missing[[0, 60, 61]] = np.nan
    model = HiddenMarkovModel(2, Poisson(), chain=Logit(ridge=0.1))
    known, unknown = (Sequences(COUNTS, lengths, covariates=covariates) for covariates in (given, missing))
    one, other = (fit(model, data, rng=0) for data in (known, unknown))
    assert one.log_likelihood == other.log_likelihood
    for answer in (model.posterior, lambda *at: filtered(model, *at), lambda *at: predicted(model, *at)):
        np.testing.assert_array_equal(answer(one.params, known), answer(one.params, unknown))
    assert np.isfinite(model.simulate(one.params, unknown, np.random.default_rng(0)).x).all()


def test_covariates_of_transitions_that_depend_on_none_are_told():
    data = Sequences(COUNTS, covariates=np.zeros((len(COUNTS), 1)))
    with pytest.warns(EmkitWarning, match=r"transitions by Markov\(\) depend on none.*chain=Logit\(\)"):
        HiddenMarkovModel(2, Poisson()).prepare(data)

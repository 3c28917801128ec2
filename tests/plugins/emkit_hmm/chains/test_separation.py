"""Covariates that leave coefficients open are told, and why; others are not."""

from __future__ import annotations

import numpy as np
import pytest
from emkit_hmm import HiddenMarkovModel, Logit, Sequences
from emkit_hmm.chains.separation import notes_on_repetition, notes_on_separation, spread_of

from emkit import fit
from emkit.families import Poisson

RNG = np.random.default_rng(4)
COVARIATES = RNG.normal(size=(200, 1))
PARTED = RNG.poisson(np.where(COVARIATES > 0, 30, 1)).astype(float)


def notes_of(covariates, chain=Logit()):  # noqa: B008 - frozen
    return fit(HiddenMarkovModel(2, Poisson(), chain=chain), Sequences(PARTED, covariates=covariates), rng=0).notes


def about_ridges(notes):
    return [note for note in notes if "ridge" in note]


@pytest.mark.parametrize("unit", [1.0, 1e3, 1e-3])
@pytest.mark.parametrize("shift", [0.0, 5.0])
def test_covariates_that_part_the_transitions_are_told_in_any_units(unit, shift):
    (note,) = about_ridges(notes_of((COVARIATES + shift) * unit))
    assert note.startswith("Covariates all but part the transitions from state")
    assert "Logit(ridge=0.1)" in note


def test_a_ridge_or_a_covariate_of_no_use_needs_no_note():
    assert about_ridges(notes_of(COVARIATES, Logit(ridge=0.1))) == []
    assert about_ridges(notes_of(np.random.default_rng(5).normal(size=(200, 1)))) == []
    constant = np.column_stack([COVARIATES, np.ones(200)])
    assert about_ridges(notes_of(constant, Logit(ridge=1e-3))) == []


def test_a_constant_covariate_is_told_with_what_it_adds_to_the_count():
    useless = np.random.default_rng(5).normal(size=(200, 1))
    (note,) = about_ridges(notes_of(np.column_stack([useless, np.full(200, 3.1)])))
    assert note.startswith("Covariate 1 is constant")
    assert "its 2 parameters are counted, but not determined" in note
    model = HiddenMarkovModel(2, Poisson(), chain=Logit())
    with_it = fit(model, Sequences(PARTED, covariates=np.column_stack([useless, np.full(200, 3.1)])), rng=0)
    without = fit(model, Sequences(PARTED, covariates=useless), rng=0)
    assert with_it.n_parameters - without.n_parameters == 2
    assert with_it.log_likelihood == pytest.approx(without.log_likelihood, abs=1e-4)


def test_constant_means_constant_where_steps_are():
    """The first row has no step before it."""
    first_differs = np.append(7.0, np.full(199, 3.1))
    (note,) = about_ridges(notes_of(np.column_stack([np.random.default_rng(5).normal(size=200), first_differs])))
    assert note.startswith("Covariate 1 is constant")


def test_the_spread_is_a_root_of_the_covariance():
    x = np.random.default_rng(0).normal(size=(30, 3)) @ [[1, 2, 0], [0, 1e3, 1], [0, 0, 1e-3]] + [5, 0, 1e3]
    root = spread_of(x)
    np.testing.assert_allclose(root.T @ root, np.cov(x, rowvar=False, bias=True), rtol=1e-9)


@pytest.mark.parametrize("unit", [1e-200, 1.0, 1e200])
def test_the_largest_and_smallest_units_have_a_spread(unit):
    x = np.random.default_rng(0).normal(size=(30, 2))
    np.testing.assert_allclose(spread_of(x * unit), spread_of(x) * unit, rtol=1e-12)
    assert spread_of(np.zeros((0, 2))).tolist() == [[0, 0], [0, 0]]


def test_log_odds_of_certainty_are_told_and_those_below_are_not():
    """Their standard deviation is that of a sum: 3 * 3 + 4 * 1 = 13, but of one covariate alone 9."""
    x = np.random.default_rng(0).normal(size=(400, 1)) * [3.0, 1.0]
    x -= x.mean(axis=0)
    x /= x.std(axis=0) / [3.0, 1.0]
    coefficients = np.zeros((2, 2, 3))
    coefficients[0, 1] = [50.0, 3.0, 4.0]
    assert len(notes_on_separation(coefficients, spread_of(x))) == 1
    coefficients[0, 1] = [50.0, 3.0, 0.0]
    assert notes_on_separation(coefficients, spread_of(x)) == []


def test_covariates_that_sum_to_a_constant_are_named_and_others_are_not():
    rng = np.random.default_rng(0)
    groups = np.eye(3)[rng.integers(0, 3, 50)]
    (note,) = notes_on_repetition(spread_of(np.column_stack([rng.normal(size=50), groups])), 6)
    assert note.startswith("Covariates 1, 2, 3 are collinear")
    assert "6 parameters are counted, but not determined" in note
    assert notes_on_repetition(spread_of(np.column_stack([rng.normal(size=50), groups[:, 1:]])), 6) == []


def test_twins_are_named_in_any_units():
    x = np.random.default_rng(0).normal(size=50)
    (note,) = notes_on_repetition(spread_of(np.column_stack([x * 1e150, x * 1e-150, x**2])), 2)
    assert note.startswith("Covariates 0, 1 are collinear")

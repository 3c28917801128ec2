"""All laws of emkit.testing, for chains, families and forms of data."""

from __future__ import annotations

import numpy as np
import pytest
from emkit_hmm import (
    HiddenMarkovModel,
    Logit,
    Markov,
    Pattern,
    Stationary,
    left_right,
)
from regimes import COUNTS, COVARIATES, LENGTHS, NUMBERS, SYMBOLS, forms

from emkit.families import Autoregressive, Categorical, Gaussian, LinearRegression, Mixture, Poisson, Product
from emkit.testing import check_model

NAN = np.nan
CHAINS = {
    "markov": Markov(),
    "priors": Markov(Pattern(concentration=1.5), Pattern(concentration=np.array([[3.0, 1.5], [1.5, 3.0]]))),
    "fixed entries": Markov(Pattern([0.5, 0.5]), Pattern([[NAN, NAN], [0.3, 0.7]])),
    "fixed and a prior": Markov(transitions=Pattern([[NAN, NAN], [0.3, 0.7]], concentration=2.0)),
    "stationary": Stationary(),
    "stationary with a prior": Stationary(Pattern(concentration=2.0)),
    "logit": Logit(),
    "logit with a ridge": Logit(ridge=0.5),
}
#: The model has no log_likelihood of its own; and only lists of sequences are cut.
NOT_OURS = {"the_e_step_reports_the_log_likelihood", "statistics_of_two_halves_add_to_the_whole"}


def covariates_for(chain):
    return COVARIATES if chain.needs_covariates else None


def as_list(x):
    return np.split(x, np.cumsum(LENGTHS)[:-1])


@pytest.mark.parametrize("form", ["one", "everything"])
@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
def test_chains_keep_the_laws(chain, form):
    report = check_model(HiddenMarkovModel(2, Gaussian(), chain=chain), forms(NUMBERS, covariates_for(chain))[form])
    assert set(report.not_applicable) <= NOT_OURS


@pytest.mark.parametrize("form", ["ragged", "gaps", "weights", "labels"])
def test_every_form_of_data_keeps_the_laws(form):
    check_model(HiddenMarkovModel(2, Gaussian()), forms(NUMBERS)[form])


@pytest.mark.parametrize(
    ("emission", "x"),
    [(Poisson(), COUNTS), (Categorical(3), SYMBOLS), (Gaussian("tied"), NUMBERS)],
    ids=["poisson", "categorical", "tied"],
)
@pytest.mark.parametrize("chain", ["markov", "stationary"])
def test_families_keep_the_laws(chain, emission, x):
    report = check_model(HiddenMarkovModel(2, emission, chain=CHAINS[chain]), forms(x)["everything"])
    assert set(report.not_applicable) <= NOT_OURS


@pytest.mark.parametrize(
    ("model", "x"),
    [
        (HiddenMarkovModel(2, Gaussian()), NUMBERS),
        (HiddenMarkovModel(2, Autoregressive()), NUMBERS),
        (HiddenMarkovModel(3, Gaussian(), chain=Markov(Pattern([1, 0, 0]), Pattern(left_right(3)))), NUMBERS),
    ],
    ids=["gaussian", "autoregressive", "left-right"],
)
def test_lists_of_sequences_keep_the_laws_cut_between_them(model, x):
    report = check_model(model, as_list(x))
    assert set(report.not_applicable) <= {"the_e_step_reports_the_log_likelihood"}


def mixed_columns():
    x = np.column_stack([NUMBERS, COUNTS, SYMBOLS])
    x[np.random.default_rng(0).random(x.shape) < 0.1] = np.nan
    return x


@pytest.mark.parametrize(
    ("model", "x"),
    [
        (HiddenMarkovModel(3, Gaussian(), ties=[0, 1, 0]), NUMBERS),
        (HiddenMarkovModel(2, Gaussian(), is_emission_fixed=True), NUMBERS),
        (HiddenMarkovModel(2, Mixture(Gaussian("spherical"), 2)), np.column_stack([NUMBERS, COUNTS])),
        (HiddenMarkovModel(2, LinearRegression(), chain=Stationary()), np.column_stack([NUMBERS, COVARIATES])),
        (HiddenMarkovModel(2, Product([([0], Gaussian()), ([1], Poisson()), ([2], Categorical(3))])), mixed_columns()),
        (HiddenMarkovModel(2, Gaussian()), mixed_columns()[:, :2]),
    ],
    ids=["ties", "fixed emission", "mixture", "regression", "product with gaps", "gaussian with gaps"],
)
def test_ties_and_compound_emissions_keep_the_laws(model, x):
    check_model(model, x)


def test_transitions_by_covariates_keep_the_laws_where_some_are_not_allowed():
    chain = Logit(allowed=[[1, 1, 0], [0, 1, 1], [1, 0, 1]], ridge=0.1)
    check_model(HiddenMarkovModel(3, Gaussian("tied"), chain=chain), forms(NUMBERS, COVARIATES)["ragged"])

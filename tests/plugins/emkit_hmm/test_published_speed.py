"""Response times in three series against depmixS4 1.5: fits of its manual, and of its own tests."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
from emkit_hmm import HiddenMarkovModel, HiddenMarkovParams, Logit, Sequences
from emkit_hmm.chains.markov import MarkovParams
from speed_and_accuracy import IS_CORRECT, LENGTHS, LOG_TIMES, PAY_FOR_ACCURACY

from emkit import fit
from emkit.families import Bernoulli, Gaussian, Product

TIMES = LOG_TIMES[:, None]
BOTH = np.column_stack([LOG_TIMES, IS_CORRECT])
OF_BOTH = Product([([0], Gaussian("diag")), ([1], Bernoulli())])


def test_the_log_likelihood_of_three_series_of_two_kinds_of_columns_at_given_params():
    """The params are those of depmixS4, tests/test1speed.R."""
    model, data = HiddenMarkovModel(2, OF_BOTH), Sequences(BOTH, LENGTHS)
    start = model.initialize(data, np.random.default_rng(0)).emission
    times, answers = start.parts
    emission = attrs.evolve(
        start,
        parts=(
            attrs.evolve(times, means=[[5.52], [6.39]], covariances=[[0.202**2], [0.24**2]]),
            attrs.evolve(answers, probabilities=[[0.528], [0.902]]),
        ),
    )
    chain = MarkovParams(np.array([0.0, 1.0]), np.array([[0.899, 0.101], [0.084, 0.916]]))
    value = model.log_likelihood(HiddenMarkovParams(chain, emission), data)
    assert value == pytest.approx(-296.1151071024758, abs=1e-9)


def test_one_state_is_one_normal_distribution():
    result = fit(HiddenMarkovModel(1, Gaussian("diag")), Sequences(TIMES, LENGTHS), rng=0)
    assert result.log_likelihood == pytest.approx(-305.3309, abs=5e-5)
    assert (result.aic, result.bic) == (pytest.approx(614.66, abs=5e-3), pytest.approx(622.83, abs=5e-3))


@pytest.mark.parametrize(
    ("lengths", "log_likelihood", "aic", "bic"),
    [(None, -88.730584, 191.46, 220.05), (LENGTHS, -84.341714, 182.68, 211.27)],
    ids=["one series", "three series"],
)
def test_where_series_begin_matters(lengths, log_likelihood, aic, bic):
    result = fit(HiddenMarkovModel(2, Gaussian("diag")), Sequences(TIMES, lengths), rng=0, tol=0)
    assert result.log_likelihood == pytest.approx(log_likelihood, abs=1e-6)
    assert (result.aic, result.bic) == (pytest.approx(aic, abs=5e-3), pytest.approx(bic, abs=5e-3))


@pytest.mark.parametrize(
    ("lengths", "log_likelihood"), [(None, -300.570095), (LENGTHS, -296.107777)], ids=["one series", "three series"]
)
def test_times_and_answers_together(lengths, log_likelihood):
    result = fit(HiddenMarkovModel(2, OF_BOTH), Sequences(BOTH, lengths), rng=0, n_starts=3, tol=0)
    assert result.log_likelihood == pytest.approx(log_likelihood, abs=1e-6)
    assert result.n_parameters == 9
    if lengths is not None:
        assert (result.aic, result.bic) == (pytest.approx(610.2156, abs=5e-5), pytest.approx(646.9760, abs=5e-5))


def test_transitions_that_depend_on_the_pay():
    """depmixS4 lets the pay at a row act on the step from it, and stopped 2e-5 below the maximum."""
    before = np.concatenate([[0.0], PAY_FOR_ACCURACY[:-1]])[:, None]
    model = HiddenMarkovModel(2, OF_BOTH, chain=Logit())
    result = fit(model, Sequences(BOTH, LENGTHS, covariates=before), rng=0, n_starts=3, tol=0)
    assert -248.972219 <= result.log_likelihood <= -248.972219 + 3e-5
    assert result.n_parameters == 11

"""States as rows come in, with a lag and ahead, against all paths one by one."""

from __future__ import annotations

import hmm_oracles as oracles
import numpy as np
import pytest
from emkit_hmm import (
    HiddenMarkovModel,
    OnlineFilter,
    Sequences,
    filtered,
    predicted,
    predicted_means,
    predicted_states,
    smoothed_with_lag,
)
from small_chains import COVARIATES, KINDS, ROWS, data_for, model_and_params, pieces

import emkit
from emkit.families import Autoregressive, Poisson, Product


@pytest.mark.parametrize("kind", KINDS)
def test_states_given_the_whole_sequence_and_its_likelihood(kind):
    model, params = model_and_params(kind)
    data = data_for(model)
    posterior, log_likelihoods = model.posterior(params, data), model.log_likelihoods(params, data)
    for i, (rows, log_emission, covariates) in enumerate(pieces(model, params)):
        expected, total = oracles.smoothed(model, params, log_emission, covariates)
        np.testing.assert_allclose(posterior[rows], expected, atol=1e-12)
        assert log_likelihoods[i] == pytest.approx(total, rel=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_states_given_the_rows_so_far(kind):
    model, params = model_and_params(kind)
    found = filtered(model, params, data_for(model))
    for rows, log_emission, covariates in pieces(model, params):
        expected = oracles.given_rows_up_to(model, params, log_emission, 0, covariates)
        np.testing.assert_allclose(found[rows], expected, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_states_given_the_rows_before(kind):
    model, params = model_and_params(kind)
    found = predicted(model, params, data_for(model))
    for rows, log_emission, covariates in pieces(model, params):
        expected = oracles.one_step_ahead(model, params, log_emission, covariates)
        np.testing.assert_allclose(found[rows], expected, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lag", [0, 1, 2, 10])
def test_states_given_rows_up_to_a_lag(kind, lag):
    model, params = model_and_params(kind)
    found = smoothed_with_lag(model, params, data_for(model), lag)
    for rows, log_emission, covariates in pieces(model, params):
        expected = oracles.given_rows_up_to(model, params, log_emission, lag, covariates)
        np.testing.assert_allclose(found[rows], expected, atol=1e-12)


@pytest.mark.parametrize("lag", [-1, 1.5, True])
def test_a_lag_that_is_none_is_refused(lag):
    model, params = model_and_params("markov")
    with pytest.raises(ValueError, match="lag must be"):
        smoothed_with_lag(model, params, ROWS, lag)


@pytest.mark.parametrize("kind", KINDS)
def test_states_after_the_end_are_those_of_rows_that_nobody_saw(kind):
    model, params = model_and_params(kind)
    steps, x = 2, ROWS[:3]
    future = np.vstack([x, np.full((steps, 1), np.nan)])
    unseen = model.posterior(params, data_for(model, future, None))[3:]
    to_come = COVARIATES[3:5] if model.chain.needs_covariates else None
    found = predicted_states(model, params, data_for(model, x, None), steps, to_come)
    assert found.shape == (1, steps, 3)
    np.testing.assert_allclose(found[0], unseen, atol=1e-12)


def test_observations_after_the_end_are_means_over_states():
    model, params = model_and_params("markov")
    states = predicted_states(model, params, data_for(model), 3)
    np.testing.assert_allclose(
        predicted_means(model, params, data_for(model), 3), states @ params.emission.rates, rtol=1e-13
    )


def test_covariates_of_the_steps_to_come_are_asked_for():
    model, params = model_and_params("logit")
    with pytest.raises(ValueError, match=r"of shape \(n_sequences, steps, n_covariates\) = \(3, 2, 2\); found None"):
        predicted_states(model, params, data_for(model), 2)
    with pytest.raises(ValueError, match=r"found \(2, 2\)"):
        predicted_states(model, params, data_for(model), 2, COVARIATES[:2])


@pytest.mark.parametrize("kind", KINDS)
def test_one_row_at_a_time_is_filtering(kind):
    model, params = model_and_params(kind)
    x = ROWS.copy()
    x[2] = np.nan
    data = data_for(model, x, None)
    covariates = COVARIATES if model.chain.needs_covariates else [None] * len(x)
    online, ahead, rows = OnlineFilter(model, params), [], []
    for row, covariate in zip(x, covariates, strict=True):
        ahead.append(online.ahead(covariate))
        rows.append(online.update(row, covariate))
    np.testing.assert_allclose(rows, filtered(model, params, data), atol=1e-12)
    np.testing.assert_allclose(ahead, predicted(model, params, data), atol=1e-12)
    assert online.log_likelihood == pytest.approx(model.log_likelihood(params, data), rel=1e-12)
    assert online.n_steps == len(x)


def test_an_online_filter_refuses_emissions_that_look_back():
    _, params = model_and_params("markov")
    x = np.random.default_rng(0).normal(size=(50, 1))
    model = model_and_params("markov")[0]
    regression = type(model)(3, Autoregressive())
    params = regression.initialize(Sequences(x), np.random.default_rng(0))
    with pytest.raises(ValueError, match="Autoregressive looks at earlier rows"):
        OnlineFilter(regression, params).update([0.0])


def test_an_online_filter_refuses_emissions_that_look_back_even_in_a_part():
    x = np.column_stack([np.cumsum(np.random.default_rng(0).normal(size=60)), np.arange(60) % 5]).astype(float)
    model = HiddenMarkovModel(2, Product([(0, Autoregressive(1)), (1, Poisson())]))
    params = emkit.fit(model, x, rng=0, max_iter=20).params
    with pytest.raises(ValueError, match="looks at earlier rows"):
        OnlineFilter(model, params).update(x[0])


@pytest.mark.parametrize(
    ("row", "covariates", "message"),
    [
        (ROWS[:2], COVARIATES[1], r"row must hold one row, of shape \(n,\); found shape \(2, "),
        (ROWS[1], COVARIATES[:2], r"covariates must hold one row, of shape \(n,\); found shape \(2, "),
        (ROWS[1], COVARIATES[1] * np.nan, "covariates of a step must be finite numbers; found"),
        (ROWS[1], COVARIATES[1] * np.inf, "covariates of a step must be finite numbers; found"),
    ],
)
def test_an_online_filter_refuses_what_is_not_one_row_and_stays_as_it_was(row, covariates, message):
    model, params = model_and_params("logit")
    online, other = OnlineFilter(model, params), OnlineFilter(model, params)
    for each in (online, other):
        # No step leads to the first row, whose covariates may be missing.
        each.update(ROWS[0], COVARIATES[0] * np.nan)
    with pytest.raises(ValueError, match=message):
        online.update(row, covariates)
    assert (online.n_steps, online.log_likelihood) == (1, other.log_likelihood)
    np.testing.assert_array_equal(online.update(ROWS[1], COVARIATES[1]), other.update(ROWS[1], COVARIATES[1]))


def test_covariates_of_steps_to_come_must_be_numbers():
    model, params = model_and_params("logit")
    ahead = np.zeros((len(data_for(model).lengths), 2, COVARIATES.shape[1]))
    ahead[1, 1, 0] = np.nan
    with pytest.raises(ValueError, match="in sequence 1, step 1, column 0 there is nan"):
        predicted_states(model, params, data_for(model), 2, ahead)

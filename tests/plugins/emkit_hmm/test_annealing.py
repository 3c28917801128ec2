"""Deterministic annealing: E-steps at another temperature."""

from __future__ import annotations

import hmm_oracles as oracles
import numpy as np
import pytest
from chain_oracles import plain_recursion
from emkit_hmm import HiddenMarkovModel, SemiMarkov, Sequences, Stationary
from hmm_series import EARTHQUAKES
from regimes import COUNTS, forms
from scipy.special import logsumexp
from small_chains import KINDS, data_for, model_and_params, pieces

from emkit import Annealing, anneal, fit
from emkit.families import Poisson
from emkit.variants import Tempered


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in {"poisson", "negative binomial", "free"}])
@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_paths_are_as_probable_as_a_power_of_what_they_were(kind, temperature):
    model, params = model_and_params(kind)
    e_step = model.e_step(params, data_for(model), temperature=temperature)
    total, first = 0.0, np.zeros(3)
    for _, log_emission, covariates in pieces(model, params):
        paths, log_paths = oracles.log_paths(model, params, log_emission, covariates)
        value = logsumexp(log_paths / temperature)
        total += temperature * value
        np.add.at(first, paths[:, 0], np.exp(log_paths / temperature - value))
    assert e_step.log_likelihood == pytest.approx(total, rel=1e-12)
    np.testing.assert_allclose(e_step.statistics.chain.first, first, atol=1e-12)


@pytest.mark.parametrize("kind", ["markov", "zeros", "logit"])
@pytest.mark.parametrize("temperature", [1.5, 20.0])
def test_a_long_sequence_is_smoothed_as_by_the_plain_recursion(kind, temperature):
    """Powers of probabilities no longer sum to one."""
    model, params = model_and_params(kind)
    rng, power = np.random.default_rng(0), 1 / temperature
    x, covariates = rng.poisson(4, size=(3000, 1)).astype(float), rng.normal(size=(3000, 2))
    needed = covariates if kind == "logit" else None
    e_step = model.e_step(params, Sequences(x, covariates=needed), temperature=temperature)
    start, transmat = oracles.transitions(model, params, needed, len(x))
    log_likelihood, _, smoothed, pairs = plain_recursion(
        start**power, transmat**power, model.log_emission(params, x) * power
    )
    found = e_step.statistics.chain
    counts = found.transitions.sum(axis=0) if kind == "logit" else found.transition_counts
    assert e_step.log_likelihood == pytest.approx(temperature * log_likelihood, rel=1e-11)
    np.testing.assert_allclose(counts, pairs.sum(axis=0), rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(found.first, smoothed[0], atol=1e-10)


@pytest.mark.parametrize("chain", [Stationary(), SemiMarkov(longest=5)], ids=["stationary", "semi-markov"])
def test_em_at_a_fixed_temperature_never_lowers_its_objective(chain):
    model = Tempered(HiddenMarkovModel(2, Poisson(), chain=chain), 2.0)
    result = fit(model, forms(COUNTS)["everything"], rng=0, accelerate=None, max_iter=80)
    assert (np.diff(result.objectives) > -1e-8).all()


def test_annealing_forgets_where_it_started():
    """On the earthquakes with four states, where plain EM ends on several hills."""
    model = HiddenMarkovModel(4, Poisson(), start="random")
    schedule = Annealing(start=3.0, factor=1.3)
    plain = [fit(model, EARTHQUAKES, rng=seed).log_likelihood for seed in range(6)]
    annealed = [anneal(model, EARTHQUAKES, rng=seed, schedule=schedule) for seed in range(6)]
    ends = [result.log_likelihood for result in annealed]
    assert np.ptp(ends) < 1e-4
    assert np.ptp(plain) > 0.1
    assert ends[0] == pytest.approx(model.log_likelihood(annealed[0].params, EARTHQUAKES), rel=1e-12)

"""Models of a few states with random params, one for every kind of chain, and rows for them."""

import numpy as np
from emkit_hmm import (
    FreeDurationParams,
    FreeDurations,
    HiddenMarkovModel,
    HiddenMarkovParams,
    Logit,
    LogitParams,
    Markov,
    MarkovParams,
    NegativeBinomialDurationParams,
    NegativeBinomialDurations,
    PoissonDurationParams,
    PoissonDurations,
    SemiMarkov,
    SemiMarkovParams,
    Sequences,
    Stationary,
    StationaryParams,
)

from emkit.families import Poisson, PoissonParams

KINDS = ("markov", "zeros", "stationary", "logit", "logit with zeros", "poisson", "negative binomial", "free")
LENGTHS = np.array([5, 1, 3])
ROWS = np.random.default_rng(5).poisson(4, size=(9, 1)).astype(float)
COVARIATES = np.random.default_rng(6).normal(size=(9, 2))
ALLOWED = np.array([[1, 1, 0], [0, 1, 1], [1, 0, 1]], dtype=bool)


def _semi_markov(law, params, n_states, rng):
    moves = rng.dirichlet(np.ones(n_states), size=n_states) * (1 - np.eye(n_states))
    chain = SemiMarkovParams(rng.dirichlet(np.ones(n_states)), moves / moves.sum(axis=1, keepdims=True), params)
    return SemiMarkov(law, longest=4), chain


def chain_and_params(kind, n_states, rng):
    """Return a chain and random params of it."""
    start, transmat = rng.dirichlet(np.ones(n_states)), rng.dirichlet(np.ones(n_states), size=n_states)
    if kind == "markov":
        return Markov(), MarkovParams(start, transmat)
    if kind == "zeros":
        upper = np.triu(transmat)
        return Markov(), MarkovParams(np.eye(n_states)[0], upper / upper.sum(axis=1, keepdims=True))
    if kind == "stationary":
        return Stationary(), StationaryParams(transmat)
    if kind.startswith("logit"):
        coefficients = rng.normal(size=(n_states, n_states, 3))
        coefficients[np.eye(n_states, dtype=bool)] = 0.0
        return Logit(allowed=ALLOWED if kind == "logit with zeros" else None), LogitParams(start, coefficients)
    if kind == "poisson":
        return _semi_markov(PoissonDurations(), PoissonDurationParams(rng.uniform(0.3, 2, n_states)), n_states, rng)
    if kind == "negative binomial":
        law = NegativeBinomialDurationParams(rng.uniform(0.3, 2, n_states), rng.uniform(0.2, 2, n_states))
        return _semi_markov(NegativeBinomialDurations(), law, n_states, rng)
    law = FreeDurationParams(rng.dirichlet(np.ones(4), size=n_states))
    return _semi_markov(FreeDurations(), law, n_states, rng)


def model_and_params(kind, n_states=3, seed=0):
    """Return a model with Poisson emissions and random params."""
    rng = np.random.default_rng(seed)
    chain, params = chain_and_params(kind, n_states, rng)
    rates = PoissonParams(np.sort(rng.uniform(0.5, 9, n_states))[:, None])
    return HiddenMarkovModel(n_states, Poisson(), chain=chain), HiddenMarkovParams(params, rates)


def data_for(model, x=ROWS, lengths=LENGTHS):
    """Return rows as sequences, with covariates if the chain needs them."""
    return Sequences(x, lengths, covariates=COVARIATES[: len(x)] if model.chain.needs_covariates else None)


def pieces(model, params, x=ROWS, lengths=LENGTHS):
    """Yield the rows, log-densities and covariates of every sequence."""
    log_emission = model.log_emission(params, x)
    for first, length in zip(np.cumsum(lengths) - lengths, lengths, strict=True):
        rows = slice(first, first + length)
        yield rows, log_emission[rows], COVARIATES[rows] if model.chain.needs_covariates else None

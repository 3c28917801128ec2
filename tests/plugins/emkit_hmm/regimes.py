"""Series of two states, with everything that may come along with them."""

import numpy as np
from emkit_hmm import Sequences

LENGTHS = np.array([30, 1, 22, 17, 20])
TRANSMAT = np.array([[0.9, 0.1], [0.2, 0.8]])


def path(n_steps, transmat, rng):
    """Return states of a chain that starts in state 0."""
    states = np.zeros(n_steps, dtype=int)
    for t in range(1, n_steps):
        states[t] = rng.choice(len(transmat), p=transmat[states[t - 1]])
    return states


_RNG = np.random.default_rng(3)
STATES = path(LENGTHS.sum(), TRANSMAT, _RNG)
NUMBERS = (np.where(STATES == 0, 0.0, 2.0) + _RNG.normal(size=len(STATES)) * np.where(STATES == 0, 0.7, 1.2))[:, None]
COUNTS = _RNG.poisson(np.where(STATES == 0, 3, 9)).astype(float)[:, None]
SYMBOLS = np.array([_RNG.choice(3, p=[[0.6, 0.3, 0.1], [0.1, 0.3, 0.6]][k]) for k in STATES], dtype=float)[:, None]
COVARIATES = _RNG.normal(size=(len(STATES), 1))
GAPS = [3, 10, 11, 12, 31, 80, 89]


def forms(x, covariates=None):
    """Return the same rows as one sequence, as several, with gaps, weights or known states, and with all of them."""
    holed = x.copy()
    holed[GAPS] = np.nan
    known = np.full(len(x), -1)
    known[5:20:5] = STATES[5:20:5]
    weights = np.array([1, 2, 0.5, 3, 0])
    return {
        "one": Sequences(x, covariates=covariates),
        "ragged": Sequences(x, LENGTHS, covariates=covariates),
        "gaps": Sequences(holed, LENGTHS, covariates=covariates),
        "weights": Sequences(x, LENGTHS, weights, covariates=covariates),
        "labels": Sequences(x, LENGTHS, states=known, covariates=covariates),
        "everything": Sequences(holed, LENGTHS, weights, known, covariates),
    }

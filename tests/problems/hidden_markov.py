"""Poisson hidden Markov models of the yearly number of great earthquakes."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
from scipy.special import gammaln

import emkit
from emkit import StepTolerance, space
from problems.record import Problem


@attrs.frozen(eq=False)
class PoissonHMMParams:
    startprob: np.ndarray = space.simplex()
    transmat: np.ndarray = space.simplex()
    rates: np.ndarray = space.positive()


@attrs.frozen(eq=False)
class PoissonHMMStatistics:
    """Expected first state, transitions (from, to), visits of each state and sum of the counts there."""

    first: np.ndarray
    transitions: np.ndarray
    visits: np.ndarray
    sums: np.ndarray


class PoissonHMM(emkit.LatentModel):
    """A hidden Markov chain with Poisson counts and a free initial distribution; data (n_times,), one sequence.

    Scaled forward-backward recursions (Rabiner 1989, Proc. IEEE 77:257, section V.A).
    """

    def e_step(self, params: PoissonHMMParams, data: Any) -> emkit.EStep:
        log_emission = data[:, None] * np.log(params.rates) - params.rates - gammaln(data + 1)[:, None]
        top = log_emission.max(axis=1)
        emission = np.exp(log_emission - top[:, None])
        filtered, scales = _forward(params.startprob, params.transmat, emission)
        later = _backward(params.transmat, emission / scales[:, None])
        smoothed = filtered * later
        pull = emission[1:] * later[1:] / scales[1:, None]
        transitions = params.transmat * (filtered[:-1].T @ pull)
        statistics = PoissonHMMStatistics(smoothed[0], transitions, smoothed.sum(axis=0), data @ smoothed)
        return emkit.EStep(statistics, float(np.log(scales).sum() + top.sum()), float(len(data)))

    def m_step(self, params: PoissonHMMParams, statistics: PoissonHMMStatistics) -> PoissonHMMParams:
        return PoissonHMMParams(
            statistics.first / statistics.first.sum(),
            statistics.transitions / statistics.transitions.sum(axis=1, keepdims=True),
            statistics.sums / statistics.visits,
        )


def _forward(startprob, transmat, emission):
    """Return the distribution of each state given the past and present, and the scale of each step."""
    filtered, scales = np.empty_like(emission), np.empty(len(emission))
    row = startprob
    for t, weights in enumerate(emission):
        row = row * weights
        scales[t] = scale = row.sum()
        filtered[t] = row / scale
        row = filtered[t] @ transmat
    return filtered, scales


def _backward(transmat, scaled_emission):
    """Return, for each time and state, the scaled likelihood of what follows."""
    later = np.ones_like(scaled_emission)
    for t in range(len(later) - 2, -1, -1):
        later[t] = transmat @ (scaled_emission[t + 1] * later[t + 1])
    return later


_YEARS = (
    "13 14 8 10 16 26 32 27 18 32 36 24 22 23 22 18 25 21 21 14 8 11 14 23 18 17 19 20 22 19 13 26 13 14 22 24 21 22 26"
    " 21 23 24 27 41 31 27 35 26 28 36 39 21 17 22 17 19 15 34 10 15 22 18 15 20 15 22 19 16 30 27 29 23 20 16 21 21 25"
    " 16 18 15 18 14 10 15 8 15 6 11 8 7 18 16 13 12 13 20 15 16 12 18 15 16 13 15 16 11 11"
)
#: Earthquakes in the world of magnitude 7 or greater, 1900 to 2006 (Zucchini, MacDonald and Langrock 2016, Hidden
#: Markov Models for Time Series, table 1.1).
EARTHQUAKES = np.array(_YEARS.split(), dtype=float)
#: Of the models with a free initial distribution; R code of the same book gives -341.8787 and -328.5275 nats.
EARTHQUAKE_RATES = {2: np.array([15.42076190, 26.01823567]), 3: np.array([13.13376169, 19.71316408, 29.70972333])}


def _start(rates, stay):
    size = len(rates)
    transmat = np.full((size, size), (1 - stay) / (size - 1))
    np.fill_diagonal(transmat, stay)
    return PoissonHMMParams(np.full(size, 1 / size), transmat, rates)


EARTHQUAKE_PROBLEMS = (
    Problem(
        "Poisson HMM, 2 states",
        PoissonHMM(),
        EARTHQUAKES,
        _start([15, 25], 0.9),
        -341.878701012,
        67,
        StepTolerance(1e-8),
    ),
    Problem(
        "Poisson HMM, 3 states",
        PoissonHMM(),
        EARTHQUAKES,
        _start([10, 20, 30], 0.9),
        -328.527483380,
        40,
        StepTolerance(1e-8),
    ),
)

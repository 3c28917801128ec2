"""Oracles: all paths one by one, and the plain recursion in log space."""

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.special import logsumexp


def log_of(x):
    with np.errstate(divide="ignore"):
        return np.log(x)


def random_chain(n_states, seed, concentration=1.0):
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.full(n_states, concentration)), rng.dirichlet(
        np.full(n_states, concentration), size=n_states
    )


@dataclass
class Enumerated:
    """All paths of one sequence, best first, with their log joint densities."""

    paths: np.ndarray
    log_joint: np.ndarray
    n_states: int

    @property
    def log_likelihood(self):
        return logsumexp(self.log_joint)

    @property
    def posterior(self):
        return np.exp(self.log_joint - self.log_likelihood)

    @property
    def smoothed(self):
        hits = self.paths[:, :, None] == np.arange(self.n_states)
        return np.einsum("p,ptk->tk", self.posterior, hits)

    @property
    def transitions(self):
        hits = (self.paths[:, :, None] == np.arange(self.n_states)).astype(float)
        return np.einsum("p,ptj,ptk->tjk", self.posterior, hits[:, :-1], hits[:, 1:])


def enumerate_paths(startprob, transmat, log_emission):
    """Return all paths; ``transmat`` may have a matrix for every row."""
    n_steps, n_states = log_emission.shape
    matrices = np.broadcast_to(transmat, (n_steps, n_states, n_states))
    paths = np.array(list(product(range(n_states), repeat=n_steps)))
    log_joint = log_of(startprob)[paths[:, 0]] + log_emission[0, paths[:, 0]]
    for t in range(1, n_steps):
        log_joint = log_joint + log_of(matrices[t])[paths[:, t - 1], paths[:, t]] + log_emission[t, paths[:, t]]
    order = np.argsort(-log_joint, kind="stable")
    return Enumerated(paths[order], log_joint[order], n_states)


def plain_recursion(startprob, transmat, log_emission):
    """Return log-likelihood, filtered, smoothed and transition posteriors (n_steps - 1, n_states, n_states)."""
    n_steps, n_states = log_emission.shape
    log_a = log_of(np.broadcast_to(transmat, (n_steps, n_states, n_states)))
    filtered, increments = np.empty_like(log_emission, order="C"), np.empty(n_steps)
    predicted = log_of(startprob)
    for t in range(n_steps):
        if t > 0:
            predicted = logsumexp(filtered[t - 1][:, None] + log_a[t], axis=0)
        joint = predicted + log_emission[t]
        increments[t] = logsumexp(joint)
        filtered[t] = joint - increments[t]
    beta = np.zeros(n_states)
    smoothed, transitions = np.exp(filtered), np.empty((n_steps - 1, n_states, n_states))
    for t in range(n_steps - 1, 0, -1):
        ahead = log_emission[t] + beta - increments[t]
        transitions[t - 1] = np.exp(filtered[t - 1][:, None] + log_a[t] + ahead)
        beta = logsumexp(log_a[t] + ahead, axis=1)
        smoothed[t - 1] = np.exp(filtered[t - 1] + beta)
    return increments.sum(), np.exp(filtered), smoothed, transitions


def cut(table, lengths):
    """Return the parts of a table that belong to each sequence."""
    return np.split(table, np.cumsum(lengths)[:-1])

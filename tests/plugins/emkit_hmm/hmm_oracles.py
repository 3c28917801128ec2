"""All paths of short sequences one by one, for every chain, straight from its definition."""

from itertools import product

import numpy as np
from emkit_hmm import Logit, SemiMarkov, Stationary
from scipy.special import logsumexp


def log_of(x):
    with np.errstate(divide="ignore"):
        return np.log(x)


def transitions(model, params, covariates, n_steps):
    """Return start and one matrix for every row, not for explicit durations."""
    chain = params.chain
    if isinstance(model.chain, Logit):
        matrices = np.empty((n_steps, model.n_states, model.n_states))
        allowed = np.ones(matrices.shape[1:], bool) if model.chain.allowed is None else model.chain.allowed
        for t, row in enumerate(covariates):
            odds = np.where(allowed, np.exp(chain.coefficients[..., 0] + chain.coefficients[..., 1:] @ row), 0.0)
            matrices[t] = odds / odds.sum(axis=1, keepdims=True)
        return chain.startprob, matrices
    matrices = np.broadcast_to(chain.transmat, (n_steps, *chain.transmat.shape))
    if isinstance(model.chain, Stationary):
        return np.linalg.matrix_power(chain.transmat, 200)[0], matrices
    return chain.startprob, matrices


def segmentations(n_steps):
    """Yield all ways to cut steps into segments, as lists of lengths."""
    for cuts in product([False, True], repeat=n_steps - 1):
        ends = [t + 1 for t, cut in enumerate(cuts) if cut] + [n_steps]
        yield np.diff([0, *ends])


def log_paths(model, params, log_emission, covariates=None):
    """Return paths (n_paths, n_steps) and ``log p(path, rows)``; with explicit durations, of segmentations of paths."""
    n_steps, n_states = log_emission.shape
    if isinstance(model.chain, SemiMarkov):
        return _log_segments(model, params, log_emission)
    start, matrices = transitions(model, params, covariates, n_steps)
    paths = np.array(list(product(range(n_states), repeat=n_steps)))
    log_joint = log_of(start)[paths[:, 0]] + log_emission[np.arange(n_steps), paths].sum(axis=1)
    for t in range(1, n_steps):
        log_joint += log_of(matrices[t])[paths[:, t - 1], paths[:, t]]
    return paths, log_joint


def _log_segments(model, params, log_emission):
    n_steps, n_states = log_emission.shape
    chain, longest = params.chain, model.chain.longest
    pmf = np.exp(model.chain.durations.log_pmf(chain.durations, longest))
    paths, log_joint = [], []
    for lengths in segmentations(n_steps):
        if lengths.max() > longest:
            continue
        for states in product(range(n_states), repeat=len(lengths)):
            value = log_of(chain.startprob[states[0]])
            for i, (state, length) in enumerate(zip(states, lengths, strict=True)):
                is_last = i == len(lengths) - 1
                value += log_of(pmf[state, length - 1 :].sum() if is_last else pmf[state, length - 1])
                if i > 0:
                    value += log_of(chain.transmat[states[i - 1], state])
            path = np.repeat(states, lengths)
            paths.append(path)
            log_joint.append(value + log_emission[np.arange(n_steps), path].sum())
    return np.array(paths), np.array(log_joint)


def smoothed(model, params, log_emission, covariates=None):
    """Return probabilities of states given all rows, (n_steps, n_states), and the log-likelihood."""
    paths, log_joint = log_paths(model, params, log_emission, covariates)
    total = logsumexp(log_joint)
    hits = paths[:, :, None] == np.arange(model.n_states)
    return np.einsum("p,ptk->tk", np.exp(log_joint - total), hits), total


def given_rows_up_to(model, params, log_emission, lag, covariates=None):
    """Return probabilities of the state at every row given the rows up to ``lag`` later, from cut sequences."""
    n_steps = len(log_emission)
    rows = []
    for t in range(n_steps):
        last = min(t + lag, n_steps - 1)
        known = None if covariates is None else covariates[: last + 1]
        rows.append(smoothed(model, params, log_emission[: last + 1], known)[0][t])
    return np.array(rows)


def one_step_ahead(model, params, log_emission, covariates=None):
    """Return probabilities of the state at every row given the rows before it."""
    rows = []
    for t in range(len(log_emission)):
        unseen = np.vstack([log_emission[:t], np.zeros((1, model.n_states))])
        known = None if covariates is None else covariates[: t + 1]
        rows.append(smoothed(model, params, unseen, known)[0][t])
    return np.array(rows)

"""States given the rows up to a few steps after theirs, for one transition matrix or one for each row."""

from __future__ import annotations

import numpy as np

from emkit_hmm.kernels.columns import Array, Indices
from emkit_hmm.kernels.exact import ExactWalks, log_of, log_transitions
from emkit_hmm.kernels.filtering import LOST, Filtered, filter_states
from emkit_hmm.kernels.layout import Layout
from emkit_hmm.kernels.passes import SMALLEST


def smooth_with_lag(layout: Layout, startprob: Array, transmat: Array, log_emission: Array, lag: int) -> Array:
    """Return the probability of each state given the rows up to ``lag`` steps after its own, (n_rows, n_states).

    All rows at once: ``beta`` is walked back ``lag`` steps from ``lag`` rows ahead, or from the end of the sequence.
    Rows whose numbers fall too low for that are treated again in log space. What cannot happen as the rows ahead say
    leaves the filtered probabilities.

    Parameters
    ----------
    layout : Layout
    startprob : (n_states,)
    transmat : (n_states, n_states) or (n_rows, n_states, n_states)
        In the latter ``transmat[t]`` leads from row ``t - 1`` to row ``t``.
    log_emission : (n_rows, n_states)
    lag : int
    """
    found = filter_states(layout, startprob, transmat, log_emission)
    emission = np.exp(log_emission - np.maximum(log_emission.max(axis=1, keepdims=True), -1e300))
    end, rows = np.repeat(layout.last_rows, layout.lengths), np.arange(layout.n_rows)
    beta = np.ones_like(found.filtered)
    for ahead in range(min(lag, int(layout.lengths.max()) - 1), 0, -1):
        inside = np.flatnonzero(rows + ahead <= end)
        pulled = _pulled(transmat, inside + ahead, emission[inside + ahead] * beta[inside])
        beta[inside] = pulled / np.maximum(pulled.max(axis=1, keepdims=True), LOST)
    smoothed = found.filtered * beta
    total = smoothed.sum(axis=1, keepdims=True)
    smoothed /= np.maximum(total, LOST)
    for row in np.flatnonzero(total[:, 0] < SMALLEST):
        smoothed[row] = _in_log_space(transmat, log_emission, found, np.arange(row, min(row + lag, end[row]) + 1))
    return smoothed


def _pulled(transmat: Array, rows: Indices, values: Array) -> Array:
    """Return ``sum_k transmat[j, k] * values[k]`` for the steps into some rows, (n, n_states)."""
    if transmat.ndim == 2:
        return np.asarray(values @ transmat.T)
    return np.asarray(np.matmul(transmat[rows], values[:, :, None])[:, :, 0])


def _in_log_space(transmat: Array, log_emission: Array, found: Filtered, window: Indices) -> Array:
    """Return the probabilities of the states at the first of some consecutive rows given all of them, (n_states,)."""
    steps = window[:, None]
    emission = log_emission[steps].transpose(0, 2, 1)
    walks = ExactWalks.of(log_of(found.predicted[window[0]]), log_transitions(transmat, steps), emission)
    return walks.smoothed[0, :, 0] if walks.log_likelihoods[0] > -np.inf else found.filtered[window[0]]

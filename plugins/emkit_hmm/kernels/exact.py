"""Forward-backward in log space: slow, and right for any numbers; the rescue of the scaled engine.

No probability is lost here that is not zero: that of e^-1e9 has a logarithm like any other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs
import numpy as np

from emkit_hmm.kernels.columns import Array, Columns, Indices

#: Columns that are treated together, times the square of the number of states.
MOST_ENTRIES = 2**20


def log_of(x: Array) -> Array:
    """Return the logarithm, with -inf for zero."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(x))


def log_sum_exp(x: Array, axis: int) -> Array:
    """Return ``log(sum(exp(x)))`` along an axis; -inf where all are."""
    largest = x.max(axis=axis, keepdims=True)
    largest[largest == -np.inf] = 0.0
    return np.asarray(log_of(np.exp(x - largest).sum(axis=axis)) + largest.squeeze(axis))


@attrs.frozen(eq=False)
class ExactWalks:
    """Both walks through equally long sequences.

    Attributes
    ----------
    log_filtered : (n_steps, n_states, n_columns)
        Sums to one in every step and column, unless the sequence is impossible.
    log_beta : (n_steps, n_states, n_columns)
        ``exp(log_filtered + log_beta)`` is the smoothed probability.
    log_emission : (n_steps, n_states, n_columns)
    log_transitions : sequence of (n_states, n_states, n_columns or 1)
        Into every step; that of the first is not used.
    increments : (n_steps, n_columns)
        Log-density of each row given those before it; their sum is the log-likelihood.
    """

    log_filtered: Array
    log_beta: Array
    log_emission: Array
    log_transitions: Sequence[Array]
    increments: Array

    @classmethod
    def of(cls, log_startprob: Array, log_transitions: Sequence[Array], log_emission: Array) -> ExactWalks:
        """Walk through sequences side by side.

        Numbers are kept of order one by taking out ``increments``, or sums of a thousand log-densities of -1e6 would
        leave no digits for what tells the states apart.
        """
        filtered, beta = np.empty_like(log_emission), np.zeros_like(log_emission)
        increments = np.empty((len(log_emission), log_emission.shape[2]))
        for t, row in enumerate(log_emission):
            if t == 0:
                predicted = log_startprob[:, None]
            else:
                predicted = log_sum_exp(filtered[t - 1][:, None] + log_transitions[t], axis=0)
            joint = predicted + row
            increments[t] = log_sum_exp(joint, axis=0)
            filtered[t] = joint - _finite(increments[t])
        for t in range(len(log_emission) - 1, 0, -1):
            ahead = log_emission[t] + beta[t] - _finite(increments[t])
            beta[t - 1] = log_sum_exp(log_transitions[t] + ahead[None], axis=1)
        return cls(filtered, beta, log_emission, log_transitions, increments)

    @property
    def log_likelihoods(self) -> Array:
        """Log-likelihood of each column."""
        return np.asarray(self.increments.sum(axis=0))

    @property
    def smoothed(self) -> Array:
        """Probabilities of the states given all rows, shape (n_steps, n_states, n_columns)."""
        return np.asarray(np.exp(self.log_filtered + self.log_beta))

    def transitions(self) -> Iterator[tuple[int, Array]]:
        """Yield every step but the first and its transition posteriors (n_states, n_states, n_columns)."""
        for t in range(1, len(self.increments)):
            ahead = self.log_emission[t] + self.log_beta[t] - _finite(self.increments[t])
            yield t, np.exp(self.log_filtered[t - 1][:, None] + self.log_transitions[t] + ahead[None])


def _finite(x: Array) -> Array:
    return np.where(x == -np.inf, 0.0, x)


def exact_batches(
    columns: Columns, startprob: Array, transmat: Array, log_emission: Array
) -> Iterator[tuple[Indices, Indices, Array, ExactWalks]]:
    """Walk through uncut columns, equally long ones together.

    A column that the chain cannot produce is walked through a second time, as if none of its rows had been seen.

    Parameters
    ----------
    columns : Columns
    startprob : (n_states,)
    transmat : (n_states, n_states) or (n_rows, n_states, n_states)
    log_emission : (n_rows, n_states)

    Yields
    ------
    sequences : (n_batch,)
    rows : (n_steps, n_batch)
    log_likelihoods : (n_batch,)
        -inf for impossible columns.
    walks : ExactWalks
        Possible all.
    """
    firsts = columns.rows[: columns.n_columns]
    log_startprob = log_of(startprob)
    size = max(1, MOST_ENTRIES // len(startprob) ** 2)
    for length in np.unique(columns.lengths).tolist():
        same = np.flatnonzero(columns.lengths == length)
        for part in (same[i : i + size] for i in range(0, len(same), size)):
            rows = firsts[part] + np.arange(length)[:, None]
            matrices = log_transitions(transmat, rows)
            emission = np.ascontiguousarray(log_emission[rows].transpose(0, 2, 1))
            walks = ExactWalks.of(log_startprob, matrices, emission)
            log_likelihoods = walks.log_likelihoods
            impossible = log_likelihoods == -np.inf
            if impossible.any():
                emission[:, :, impossible] = 0.0
                walks = ExactWalks.of(log_startprob, matrices, emission)
            yield columns.sequences[part], rows, log_likelihoods, walks


def log_transitions(transmat: Array, rows: Indices) -> Sequence[Array]:
    """Return the logarithms of the matrices into the rows (n_steps, n_columns), one array for each step."""
    if transmat.ndim == 2:
        return [log_of(transmat)[:, :, None]] * len(rows)
    return [log_of(transmat[step]).transpose(1, 2, 0) for step in rows]

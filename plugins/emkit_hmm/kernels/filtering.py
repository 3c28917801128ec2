"""States given the rows up to theirs: all at once, step by step, and beyond the end."""

from __future__ import annotations

import attrs
import numpy as np

from emkit_hmm.kernels.chains import Chain, Transitions, VaryingChain
from emkit_hmm.kernels.columns import Array, Booleans, Columns, Indices
from emkit_hmm.kernels.exact import exact_batches, log_of, log_sum_exp
from emkit_hmm.kernels.junctions import joined_forward
from emkit_hmm.kernels.layout import Layout
from emkit_hmm.kernels.losses import unsafe_columns
from emkit_hmm.kernels.packing import scaled_emission, stored
from emkit_hmm.kernels.passes import SHORT_STRIDE, SMALLEST, USUAL_STRIDE, Forward
from emkit_hmm.kernels.reach import Reach
from emkit_hmm.kernels.smoothing import Lattice

#: Filtered probabilities below this count as lost.
LOST = 1e-290


@attrs.frozen(eq=False)
class Filtered:
    """What the rows up to each one say of its state.

    Attributes
    ----------
    log_likelihoods : (n_sequences,)
        In nats.
    filtered : (n_rows, n_states)
        Probability of each state given the rows up to and including its own.
    predicted : (n_rows, n_states)
        Probability of each state given the rows before its own.
    """

    log_likelihoods: Array
    filtered: Array
    predicted: Array


def filter_states(layout: Layout, startprob: Array, transmat: Array, log_emission: Array) -> Filtered:
    """Return filtered and predicted probabilities of all sequences; nothing looks ahead.

    Where a row is impossible given those before it, its filtered probabilities are the predicted ones and the
    log-likelihood is -inf.

    Parameters
    ----------
    layout : Layout
    startprob : (n_states,)
    transmat : (n_states, n_states) or (n_rows, n_states, n_states)
        In the latter ``transmat[t]`` leads from row ``t - 1`` to row ``t``.
    log_emission : (n_rows, n_states)
        -inf is allowed, a row of zeros is a row that was not seen.
    """
    filtered = np.empty_like(log_emission)
    log_likelihoods = np.zeros(layout.n_sequences)
    failed = []
    for columns in layout.groups:
        chain = _chain(startprob, transmat, columns)
        size = len(columns.rows) * len(startprob)
        emission, alpha = layout.scratch.borrow(size), layout.scratch.borrow(size)
        forward, shifts = _walk(columns, chain, log_emission, emission, alpha)
        np.add.at(log_likelihoods, columns.sequences, forward.log_scale + shifts)
        least = _normalise(columns, alpha, filtered)
        failed.append(_lost(columns, chain.reach, forward, least))
        layout.scratch.give_back(emission, alpha)
    lost = np.concatenate(failed)
    if len(lost):
        whole = layout.whole(lost)
        log_likelihoods[whole.sequences] = _refilter(whole, startprob, transmat, log_emission, filtered)
    predicted = np.empty_like(filtered)
    if transmat.ndim == 2:
        predicted[1:] = filtered[:-1] @ transmat
    else:
        np.einsum("tj,tjk->tk", filtered[:-1], transmat[1:], out=predicted[1:])
    predicted[layout.starts] = startprob
    return Filtered(log_likelihoods, filtered, predicted)


def _chain(startprob: Array, transmat: Array, columns: Columns) -> Transitions:
    if transmat.ndim == 2:
        return Chain.of(startprob, transmat)
    return VaryingChain.of(startprob, transmat, columns)


def _walk(
    columns: Columns, chain: Transitions, log_emission: Array, emission: Array, alpha: Array
) -> tuple[Forward, Array]:
    for stride in (USUAL_STRIDE, SHORT_STRIDE):
        shifts = scaled_emission(columns, log_emission, emission)
        forward, _ = joined_forward(columns, chain, emission, alpha, stride=stride)
        if forward.smallest.min() >= SMALLEST:
            break
    return forward, shifts


def _normalise(columns: Columns, alpha: Array, filtered: Array) -> Array:
    """Make filtered probabilities sum to one and store them; returns the smallest of each column."""
    least, n_states = np.ones(columns.n_columns), filtered.shape[1]
    for piece in columns.pieces(n_states):
        values = piece.view(alpha, n_states)
        values /= np.maximum(values.sum(axis=1, keepdims=True), LOST)
        np.minimum(least[: piece.width], values.min(axis=(0, 1)), out=least[: piece.width])
        stored(values, filtered, columns, piece)
    return least


def _lost(columns: Columns, reach: Reach, forward: Forward, least: Array) -> Indices:
    """Return the sequences whose walk may have lost a state that mattered later.

    A state that fell to zero comes back from others, except where the chain has transitions that never happen. There
    it matters only if the rest became as improbable later as that state was then.
    """
    lost = ~(forward.smallest >= SMALLEST)
    if reach is not Reach.EVERYWHERE:
        zero = np.bincount(columns.sequences, ~(least >= LOST))[columns.sequences] > 0
        lost |= zero & unsafe_columns(columns, forward)
    return np.unique(columns.sequences[lost])


def _refilter(columns: Columns, startprob: Array, transmat: Array, log_emission: Array, filtered: Array) -> Array:
    """Filter uncut columns in log space, filling in their rows; returns their log-likelihoods (n_columns,)."""
    log_likelihoods = np.zeros(columns.n_columns)
    state = np.repeat(log_of(startprob)[:, None], columns.n_columns, axis=1)
    constant = log_of(transmat)[:, :, None] if transmat.ndim == 2 else None
    for t, rows in enumerate(columns.by_step(columns.rows)):
        state = state[:, : len(rows)]
        if t > 0:
            log_a = log_of(transmat[rows]).transpose(1, 2, 0) if constant is None else constant
            state = log_sum_exp(state[:, None] + log_a, axis=0)
        state, increment = _updated(state, log_emission[rows].T)
        log_likelihoods[: len(rows)] += increment
        filtered[rows] = np.exp(state).T
    return log_likelihoods


def _updated(log_predicted: Array, log_emission: Array) -> tuple[Array, Array]:
    """Return log filtered probabilities (n_states, ...) and log-densities of the rows; impossible rows are unseen."""
    joint = log_predicted + log_emission
    increment = log_sum_exp(joint, axis=0)
    impossible: Booleans = increment == -np.inf
    state = np.where(impossible, log_predicted, joint - np.where(impossible, 0.0, increment))
    return state, increment


def filter_step(predicted: Array, log_emission: Array) -> tuple[Array, Array]:
    """Take one more row into account; ``filtered @ transmat`` is what to pass as ``predicted`` for the next.

    Parameters
    ----------
    predicted : (..., n_states)
        Probability of each state before the row is seen; ``startprob`` for the first row.
    log_emission : (..., n_states)

    Returns
    -------
    filtered : (..., n_states)
        ``predicted`` where the row is impossible.
    log_density : (...)
        Log-density of the row given those before it, nats.
    """
    state, increment = _updated(log_of(np.moveaxis(predicted, -1, 0)), np.moveaxis(log_emission, -1, 0))
    return np.moveaxis(np.exp(state), 0, -1), increment


def predict_states(filtered: Array, transmat: Array, n_steps: int) -> Array:
    """Return the probabilities of the states after the end.

    Parameters
    ----------
    filtered : (n_sequences, n_states)
        At the last row of each sequence.
    transmat : (n_states, n_states)
    n_steps : int

    Returns
    -------
    predicted : (n_sequences, n_steps, n_states)
        ``predicted[:, h - 1] = filtered @ transmat**h``.
    """
    predicted = np.empty((len(filtered), n_steps, filtered.shape[1]))
    for h in range(n_steps):
        filtered = filtered @ transmat
        predicted[:, h] = filtered
    return predicted


def log_likelihoods(layout: Layout, startprob: Array, transmat: Array, log_emission: Array) -> Array:
    """Return the log-likelihood of each sequence (n_sequences,), nats; the cheapest of all kernels."""
    chain = Chain.of(startprob, transmat)
    values, failed = np.zeros(layout.n_sequences), []
    for columns in layout.groups:
        if chain.reach is not Reach.EVERYWHERE:
            # Only the walk back shows whether the walk forward has lost what mattered.
            lattice = Lattice.of(columns, chain, log_emission, layout.scratch)
            np.add.at(values, columns.sequences, lattice.log_likelihoods)
            failed.append(lattice.failed)
            lattice.discard()
            continue
        size = len(columns.rows) * len(startprob)
        emission, alpha = layout.scratch.borrow(size), layout.scratch.borrow(size)
        forward, shifts = _walk(columns, chain, log_emission, emission, alpha)
        np.add.at(values, columns.sequences, forward.log_scale + shifts)
        failed.append(np.unique(columns.sequences[~(forward.smallest >= SMALLEST)]))
        layout.scratch.give_back(emission, alpha)
    lost = np.concatenate(failed)
    if len(lost):
        for sequences, _, exact, _ in exact_batches(layout.whole(lost), startprob, transmat, log_emission):
            values[sequences] = exact
    return values

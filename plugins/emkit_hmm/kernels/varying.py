"""Forward-backward where every row has a transition matrix of its own, as with covariates of the transitions."""

from __future__ import annotations

import attrs
import numpy as np

from emkit_hmm.kernels.chains import VaryingChain
from emkit_hmm.kernels.columns import Array
from emkit_hmm.kernels.exact import exact_batches
from emkit_hmm.kernels.layout import Layout
from emkit_hmm.kernels.smoothing import Lattice


@attrs.frozen(eq=False)
class VaryingPosterior:
    """What the rows say of the states and of every single transition.

    Attributes
    ----------
    log_likelihoods : (n_sequences,)
        In nats; -inf for sequences that the chain cannot produce, whose states are then smoothed as if no row of
        theirs had been seen.
    smoothed : (n_rows, n_states)
    first : (n_states,)
        Sum of ``smoothed`` over the first rows, times the weights of the sequences.
    transitions : (n_rows, n_states, n_states)
        ``transitions[t, j, k] = p(state[t - 1] = j, state[t] = k | rows)``, without weights; zero for first rows.
    """

    log_likelihoods: Array
    smoothed: Array
    first: Array
    transitions: Array


def forward_backward_varying(
    layout: Layout, startprob: Array, transmat: Array, log_emission: Array, weights: Array | None = None
) -> VaryingPosterior:
    """Return the posterior of states and transitions; ``forward_backward`` says more of the arguments.

    Parameters
    ----------
    layout : Layout
    startprob : (n_states,)
    transmat : (n_rows, n_states, n_states)
        ``transmat[t]`` leads from row ``t - 1`` to row ``t``; those of first rows are not used.
    log_emission : (n_rows, n_states)
    weights : (n_sequences,), optional
        They multiply ``first`` only.
    """
    transmat = np.ascontiguousarray(transmat, dtype=np.float64)
    table = np.empty_like(log_emission)
    log_likelihoods = np.zeros(layout.n_sequences)
    transitions = np.zeros_like(transmat)
    failed = []
    for columns in layout.groups:
        chain = VaryingChain.of(startprob, transmat, columns)
        lattice = Lattice.of(columns, chain, log_emission, layout.scratch)
        np.add.at(log_likelihoods, columns.sequences, lattice.log_likelihoods)
        _fill(transitions, lattice, chain)
        lattice.smooth()
        failed.append(lattice.failed)
        lattice.store(table)
    lost = np.concatenate(failed)
    if len(lost):
        for sequences, rows, values, walks in exact_batches(layout.whole(lost), startprob, transmat, log_emission):
            log_likelihoods[sequences] = values
            table[rows] = walks.smoothed.transpose(0, 2, 1)
            for t, pairs in walks.transitions():
                transitions[rows[t]] = pairs.transpose(2, 0, 1)
    firsts = table[layout.starts]
    first = firsts.sum(axis=0) if weights is None else weights @ firsts
    return VaryingPosterior(log_likelihoods, table, first, transitions)


def _fill(transitions: Array, lattice: Lattice, chain: VaryingChain) -> None:
    """Write ``alpha[t - 1] * transmat[t] * w[t]`` of all columns to their rows."""
    columns, n_states = lattice.columns, len(lattice.ends)
    rows = columns.by_step(columns.rows)
    alphas, ws = columns.steps(lattice.alpha, n_states), columns.steps(lattice.w, n_states)
    for t in range(1, len(ws)):
        before = alphas[t - 1][:, : ws[t].shape[1]]
        transitions[rows[t]] = (before[:, None] * chain.matrices[t] * ws[t]).transpose(2, 0, 1)
    joints = np.flatnonzero(columns.previous >= 0)
    before = lattice.ends[:, columns.previous[joints]]
    product = before[:, None] * chain.matrices[0][:, :, joints] * ws[0][:, joints]
    transitions[rows[0][joints]] = product.transpose(2, 0, 1)

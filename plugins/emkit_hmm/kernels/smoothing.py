"""Forward-backward: states given all rows of their sequence, and the expected number of transitions."""

from __future__ import annotations

import attrs
import numpy as np

from emkit_hmm.kernels.chains import Chain, Transitions
from emkit_hmm.kernels.columns import Array, Columns, Indices
from emkit_hmm.kernels.exact import exact_batches
from emkit_hmm.kernels.junctions import joined_backward, joined_forward
from emkit_hmm.kernels.layout import Layout
from emkit_hmm.kernels.losses import floored_columns, lost_columns
from emkit_hmm.kernels.packing import scaled_emission, stored
from emkit_hmm.kernels.passes import SHORT_STRIDE, TINY, USUAL_STRIDE
from emkit_hmm.kernels.reach import Reach
from emkit_hmm.kernels.scratch import Scratch

#: Share of the columns that may fail without a second try.
FEW = 0.1


@attrs.frozen(eq=False)
class Posterior:
    """What the rows say of the states.

    Attributes
    ----------
    log_likelihoods : (n_sequences,)
        In nats; -inf for sequences that the chain cannot produce, whose states are then smoothed as if no row of
        theirs had been seen.
    smoothed : (n_rows, n_states)
        Probability of each state given all rows of its sequence. Stored state by state where ``log_emission`` is.
    first : (n_states,)
        Sum of ``smoothed`` over the first rows, times the weights of the sequences.
    transition_counts : (n_states, n_states)
        Expected number of transitions, times the weights of their sequences.
    """

    log_likelihoods: Array
    smoothed: Array
    first: Array
    transition_counts: Array


def forward_backward(
    layout: Layout,
    startprob: Array,
    transmat: Array,
    log_emission: Array,
    weights: Array | None = None,
    *,
    overwrite: bool = False,
) -> Posterior:
    """Return the posterior of the states of all sequences.

    ``smoothed[t, k] = p(state[t] = k | rows)`` and ``transition_counts[j, k] = sum_t p(state[t - 1] = j, state[t] = k
    | rows)``.

    Parameters
    ----------
    layout : Layout
    startprob : (n_states,)
    transmat : (n_states, n_states)
        Rows sum to one; zeros are allowed.
    log_emission : (n_rows, n_states)
        Log-density of each row in each state, in any memory order; -inf is allowed, a row of zeros is a row that was
        not seen.
    weights : (n_sequences,), optional
        They multiply ``first`` and ``transition_counts`` only.
    overwrite : bool
        Whether ``smoothed`` may take the memory of ``log_emission``, which is then lost.

    Notes
    -----
    In scaled space; sequences in which numbers fall too low for that are treated again in log space.
    """
    chain = Chain.of(startprob, transmat)
    table = log_emission if overwrite else np.empty_like(log_emission)
    log_likelihoods = np.zeros(layout.n_sequences)
    counts = np.zeros_like(chain.transmat)
    failed = []
    for columns in layout.groups:
        lattice = Lattice.of(columns, chain, log_emission, layout.scratch)
        if columns.n_continued:
            np.add.at(log_likelihoods, columns.sequences, lattice.log_likelihoods)
        else:
            log_likelihoods[columns.sequences] = lattice.log_likelihoods
        lattice.smooth()
        counts += lattice.transition_counts(chain, None if weights is None else weights[columns.sequences])
        failed.append(lattice.failed)
        if len(lattice.failed) and table is log_emission:
            log_emission = log_emission.copy(order="K")
        lattice.store(table)
    lost = np.concatenate(failed)
    if len(lost):
        for sequences, rows, values, walks in exact_batches(layout.whole(lost), startprob, transmat, log_emission):
            log_likelihoods[sequences] = values
            table[rows] = walks.smoothed.transpose(0, 2, 1)
            times = np.ones(len(sequences)) if weights is None else weights[sequences]
            counts += sum((pairs @ times for _, pairs in walks.transitions()), start=np.zeros_like(counts))
    firsts = table[layout.starts]
    first = firsts.sum(axis=0) if weights is None else weights @ firsts
    return Posterior(log_likelihoods, table, first, counts)


@attrs.define(eq=False)
class Lattice:
    """Both walks through a group of columns; of sequences that failed nothing is left.

    Attributes
    ----------
    columns : Columns
    alpha, w, emission : (n_places * n_states,)
        ``alpha[t] * beta[t]`` sums to one, where ``w = emission * beta``.
    ends : (n_states, n_columns)
    log_likelihoods : (n_columns,)
    failed : (n_failed,)
        Sequences that need log space.
    """

    columns: Columns
    alpha: Array
    w: Array
    emission: Array
    ends: Array
    log_likelihoods: Array
    failed: Indices
    _scratch: Scratch

    @classmethod
    def of(cls, columns: Columns, chain: Transitions, log_emission: Array, scratch: Scratch) -> Lattice:
        """Walk through the columns, with more rescalings where the usual ones are too few."""
        alpha, w, emission = (scratch.borrow(len(columns.rows) * log_emission.shape[1]) for _ in range(3))
        for stride in (USUAL_STRIDE, SHORT_STRIDE):
            shifts = scaled_emission(columns, log_emission, emission)
            forward, starts = joined_forward(columns, chain, emission, alpha, stride=stride)
            joined_backward(columns, chain, emission, forward, w)
            lost = lost_columns(columns, chain.reach, forward, starts, w)
            n_lost = np.count_nonzero(lost)
            if not (n_lost > FEW * columns.n_columns or (n_lost and columns.n_continued)):
                break
        if chain.reach is not Reach.EVERYWHERE:
            lost |= floored_columns(columns, log_emission, forward, w, emission)
        failed = np.unique(columns.sequences[lost]) if lost.any() else columns.sequences[:0]
        found = cls(columns, alpha, w, emission, forward.ends, forward.log_scale + shifts, failed, scratch)
        if len(failed):
            found._forget(np.flatnonzero(np.isin(columns.sequences, failed)))
        return found

    def store(self, table: Array) -> None:
        """Write what ``smooth`` left to the rows of a table (n_rows, n_states); this object is spent."""
        for piece in self.columns.pieces(len(self.ends)):
            stored(piece.view(self.emission, len(self.ends)), table, self.columns, piece)
        self.discard()

    def discard(self) -> None:
        """Give back all memory; this object is spent."""
        self._scratch.give_back(self.alpha, self.w, self.emission)
        self.alpha = self.w = self.emission = np.empty(0)

    def _forget(self, lost: Indices) -> None:
        for run in self.columns.runs:
            inside = lost[lost < run.width]
            for flat, value in ((self.alpha, 0.0), (self.w, 0.0), (self.emission, 1.0)):
                run.view(flat, len(self.ends))[:, :, inside] = value
        self.ends[:, lost] = 0.0
        self.log_likelihoods[lost] = 0.0

    def smooth(self) -> None:
        """Write the smoothed probabilities ``alpha * beta = alpha / emission * w`` over ``emission``."""
        for piece in self.columns.pieces(len(self.ends)):
            product = piece.view(self.emission, len(self.ends))
            # Where the emission is zero, alpha is too.
            np.maximum(product, TINY, out=product)
            np.divide(piece.view(self.alpha, len(self.ends)), product, out=product)
            np.multiply(product, piece.view(self.w, len(self.ends)), out=product)

    def transition_counts(self, chain: Chain, weights: Array | None) -> Array:
        """Return ``transmat * sum_t alpha[t] w[t + 1].T``, shape (n_states, n_states); ``alpha`` is weighted in place.

        Parameters
        ----------
        chain : Chain
        weights : (n_columns,) or None
        """
        n_states, columns = len(self.ends), self.columns
        sums = np.zeros((n_states, n_states))
        following: Array | None = None
        for piece in reversed(list(columns.pieces(n_states))):
            alpha, w = piece.view(self.alpha, n_states), piece.view(self.w, n_states)
            if weights is not None:
                np.multiply(alpha, weights[: piece.width], out=alpha)
            sums += np.matmul(alpha[:-1], w[1:].transpose(0, 2, 1)).sum(axis=0)
            if following is not None:
                sums += alpha[-1, :, : following.shape[1]] @ following.T
            following = w[0]
        joints = np.flatnonzero(columns.previous >= 0)
        if len(joints) and following is not None:
            before = self.ends[:, columns.previous[joints]]
            sums += (before if weights is None else before * weights[joints]) @ following[:, joints].T
        return np.asarray(sums * chain.transmat)

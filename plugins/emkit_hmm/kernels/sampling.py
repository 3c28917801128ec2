"""Draws of whole paths given the rows: forward filtering, backward sampling."""

from __future__ import annotations

import numpy as np

from emkit_hmm.kernels.columns import Array, Indices
from emkit_hmm.kernels.filtering import filter_states
from emkit_hmm.kernels.layout import Layout

#: Entries of the products that one step of a batch forms.
MOST_ENTRIES = 2**20


def sample_paths(  # noqa: PLR0917 - the order of forward_backward
    layout: Layout,
    startprob: Array,
    transmat: Array,
    log_emission: Array,
    n_draws: int,
    rng: np.random.Generator,
) -> Indices:
    """Return independent draws of all paths given all rows, shape (n_draws, n_rows).

    The last state is drawn from its filtered probabilities, each state before with probability proportional to
    ``filtered[t] * transmat[:, state[t + 1]]`` (Chib, 1996, Journal of Econometrics 75, 79-97).

    Parameters
    ----------
    layout : Layout
    startprob : (n_states,)
    transmat : (n_states, n_states) or (n_rows, n_states, n_states)
        In the latter ``transmat[t]`` leads from row ``t - 1`` to row ``t``.
    log_emission : (n_rows, n_states)
    n_draws : int
    rng : numpy Generator
    """
    filtered = filter_states(layout, startprob, transmat, log_emission).filtered
    states = np.empty((n_draws, layout.n_rows), dtype=np.intp)
    by_length = np.argsort(-layout.lengths, kind="stable")
    size = max(1, MOST_ENTRIES // (n_draws * filtered.shape[1]))
    for part in (by_length[i : i + size] for i in range(0, len(by_length), size)):
        starts, lengths = layout.starts[part], layout.lengths[part]
        after = np.empty((0, n_draws), dtype=np.intp)
        for t in range(int(lengths[0]) - 1, -1, -1):
            n_going, n_all = len(after), int(np.count_nonzero(lengths > t))
            rows = starts[:n_all] + t
            weights = np.repeat(filtered[rows][:, None], n_draws, axis=1)
            into = _into(transmat, rows[:n_going] + 1, after)
            joint = weights[:n_going] * into
            # Probabilities too small for a float: the later states were drawn, so some way there exists.
            joint = np.where(joint.any(axis=2, keepdims=True), joint, into)
            weights[:n_going] = joint
            after = _drawn(weights, rng)
            states[:, rows] = after.T
    return states


def _into(transmat: Array, rows: Indices, states: Indices) -> Array:
    """Return the probabilities of transitions into ``states`` (n, n_draws), shape (n, n_draws, n_states)."""
    if transmat.ndim == 2:
        return np.asarray(transmat.T[states])
    return np.asarray(transmat[rows[:, None], :, states])


def _drawn(weights: Array, rng: np.random.Generator) -> Indices:
    """Return one index for each row of weights (..., n_states), which need not sum to one."""
    cumulative = weights.cumsum(axis=-1)
    at = rng.random(weights.shape[:-1]) * cumulative[..., -1]
    # A number that rounding carried to the total still belongs to the last state of positive weight.
    return np.asarray((cumulative <= np.minimum(at, np.nextafter(cumulative[..., -1], 0.0))[..., None]).sum(axis=-1))

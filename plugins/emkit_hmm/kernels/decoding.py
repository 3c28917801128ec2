"""The most probable path of every sequence, and the most probable ones of one.

The walk forward keeps the best log joint density of a path into every state; the walk back asks which state it came
from, on the best path only. Long sequences are cut into blocks whose junctions must agree, as for the filter: the
difference between two walks through the same block is forgotten completely once their best paths meet.
"""

from __future__ import annotations

import numpy as np

from emkit_hmm.kernels.columns import Array, Columns, Indices
from emkit_hmm.kernels.exact import log_of
from emkit_hmm.kernels.layout import Layout
from emkit_hmm.kernels.packing import packed

#: Largest difference in nats at a junction of two walks that have met.
AGREEMENT = 1e-9
#: Walks through blocks before their sequences are walked through uncut.
MOST_WALKS = 4


def viterbi(layout: Layout, startprob: Array, transmat: Array, log_emission: Array) -> tuple[Indices, Array]:
    """Return the path of highest posterior probability of every sequence; among equals, lower states go first.

    Parameters
    ----------
    layout : Layout
    startprob : (n_states,)
    transmat : (n_states, n_states) or (n_rows, n_states, n_states)
        In the latter ``transmat[t]`` leads from row ``t - 1`` to row ``t``.
    log_emission : (n_rows, n_states)

    Returns
    -------
    states : (n_rows,)
    log_joint : (n_sequences,)
        Log joint density of rows and path, nats; -inf where no path is possible, and the path then means nothing.
    """
    states = np.empty(layout.n_rows, dtype=np.intp)
    log_startprob, log_transmat = log_of(startprob), log_of(transmat)
    for group in layout.groups:
        columns = group
        found = _group(group, log_startprob, log_transmat, log_emission)
        if found is None:
            columns = layout.whole(np.unique(group.sequences))
            found = _group(columns, log_startprob, log_transmat, log_emission)
            assert found is not None  # nothing is cut
        states[columns.rows] = found
    return states, path_log_joint(layout, log_startprob, log_transmat, log_emission, states)


def path_log_joint(
    layout: Layout, log_startprob: Array, log_transmat: Array, log_emission: Array, states: Indices
) -> Array:
    """Return the log joint density (n_sequences,) of rows and given states (n_rows,), nats."""
    rows = np.arange(layout.n_rows)
    steps = log_emission[rows, states]
    if log_transmat.ndim == 2:
        into = log_transmat[states[:-1], states[1:]]
    else:
        into = log_transmat[rows[1:], states[:-1], states[1:]]
    # First rows have no transition, and what stands there may be -inf.
    into = np.concatenate([[0.0], into])
    into[layout.starts] = log_startprob[states[layout.starts]]
    return np.asarray(np.add.reduceat(steps + into, layout.starts))


def _group(columns: Columns, log_startprob: Array, log_transmat: Array, log_emission: Array) -> Indices | None:
    """Return the states at all places of a group, or None if blocks do not agree."""
    n_states = len(log_startprob)
    matrices = _matrices(columns, log_transmat)
    joints = np.flatnonzero(columns.previous >= 0)
    sources = columns.previous[joints]
    starts = np.repeat(log_startprob[:, None], columns.n_columns, axis=1)
    starts[:, joints] = 0.0
    for _ in range(MOST_WALKS):
        best = packed(columns, log_emission)
        ends = _walk(columns.steps(best, n_states), matrices, starts)
        if not len(joints):
            break
        into = _shifted((ends[:, None, sources] + _part(matrices[0], joints)).max(axis=0))
        if _agree(into, _shifted(starts[:, joints])):
            break
        starts[:, joints] = into
    else:
        return None
    return _walk_back(columns, columns.steps(best, n_states), matrices, ends)


def _matrices(columns: Columns, log_transmat: Array) -> list[Array]:
    """Return the log transition matrices (n_states, n_states, width or 1) into all steps."""
    n_steps = int(columns.lengths[0])
    if log_transmat.ndim == 2:
        return [log_transmat[:, :, None]] * n_steps
    n_states = log_transmat.shape[1]
    flat = packed(columns, log_transmat.reshape(len(log_transmat), -1))
    return [step.reshape(n_states, n_states, -1) for step in columns.steps(flat, n_states**2)]


def _part(matrix: Array, which: Indices) -> Array:
    return matrix if matrix.shape[2] == 1 else matrix[:, :, which]


def _walk(steps: list[Array], matrices: list[Array], starts: Array) -> Array:
    """Add to the log-densities of all steps the best log joint density up to there; returns that of the last steps."""
    ends = np.empty_like(starts)
    steps[0] += starts
    before = steps[0]
    for step, matrix in zip(steps[1:], matrices[1:], strict=True):
        width = step.shape[1]
        ends[:, width : before.shape[1]] = before[:, width:]
        np.add(step, (before[:, None, :width] + matrix).max(axis=0), out=step)
        # Only differences decide; small numbers keep their digits.
        np.subtract(step, np.maximum(step.max(axis=0), -1e300), out=step)
        before = step
    ends[:, : before.shape[1]] = before
    return ends


def _shifted(x: Array) -> Array:
    return np.asarray(x - np.maximum(x.max(axis=0), -1e300))


def _agree(a: Array, b: Array) -> bool:
    with np.errstate(invalid="ignore"):
        return bool(np.all((np.abs(a - b) <= AGREEMENT) | (a == b)))


def _walk_back(columns: Columns, steps: list[Array], matrices: list[Array], ends: Array) -> Indices:
    """Return the states at all places. Ends of blocks are guessed until the blocks that follow lead back to them."""
    states = np.empty(len(columns.rows), dtype=np.intp)
    rows = columns.by_step(states)
    joints = np.flatnonzero(columns.previous >= 0)
    sources = columns.previous[joints]
    last = ends.argmax(axis=0)
    while True:
        after = np.empty(0, dtype=np.intp)
        for t in range(len(rows) - 1, -1, -1):
            width = len(after)
            if width:
                came = _into(matrices[t + 1], after)
                came += steps[t][:, :width]
                came.argmax(axis=0, out=rows[t][:width])
            rows[t][width:] = last[width : len(rows[t])]
            after = rows[t]
        if not len(joints):
            return states
        came = (ends[:, sources] + _into(_part(matrices[0], joints), rows[0][joints])).argmax(axis=0)
        if np.array_equal(came, last[sources]):
            return states
        last[sources] = came


def _into(matrix: Array, states: Indices) -> Array:
    """Return the log transition probabilities (n_states, width) into given states (width,)."""
    if matrix.shape[2] == 1:
        return np.asarray(matrix[:, :, 0].take(states, axis=1))
    return np.asarray(matrix[:, states, np.arange(len(states))])


def k_best(startprob: Array, transmat: Array, log_emission: Array, k: int) -> tuple[Indices, Array]:
    """Return the ``k`` most probable paths of one sequence, fewer where fewer are possible.

    List Viterbi: the ``k`` best paths into every state at every step, for a path that is among the best into a state
    extends one that is among the best into the state before (Seshadri and Sundberg, 1994, IEEE Transactions on
    Communications 42, 313-323).

    Parameters
    ----------
    startprob : (n_states,)
    transmat : (n_states, n_states) or (n_steps, n_states, n_states)
    log_emission : (n_steps, n_states)
    k : int

    Returns
    -------
    paths : (n_paths, n_steps)
        Best first.
    log_joint : (n_paths,)
        Log joint density of the rows and each path, nats.
    """
    n_steps, n_states = log_emission.shape
    log_a = log_of(np.broadcast_to(transmat, (n_steps, n_states, n_states)) if transmat.ndim == 2 else transmat)
    # best[j, r] is the r-th best log joint density of a path that is now in state j.
    best = np.full((n_states, k), -np.inf)
    best[:, 0] = log_of(startprob) + log_emission[0]
    # Where each entry came from: a state and a rank as one number.
    origins = np.empty((n_steps, n_states, k), dtype=np.intp)
    for t in range(1, n_steps):
        candidates = (best[:, :, None] + log_a[t][:, None, :]).reshape(n_states * k, n_states)
        order = np.argsort(-candidates, axis=0, kind="stable")[:k]
        origins[t] = order.T
        best = np.take_along_axis(candidates, order, axis=0).T + log_emission[t][:, None]
    flat = best.ravel()
    order = np.argsort(-flat, kind="stable")[:k]
    order = order[flat[order] > -np.inf]
    paths = np.empty((len(order), n_steps), dtype=np.intp)
    place = order
    for t in range(n_steps - 1, -1, -1):
        paths[:, t] = place // k
        place = origins[t].reshape(-1)[place] if t > 0 else place
    return paths, flat[order]

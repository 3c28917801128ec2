"""What blocks of a long sequence need to know of their neighbours, so that all can be walked through at once.

A chain forgets: some steps before a junction tell the filtered probabilities there, whatever was before. So they are
guessed from a short walk, all blocks are walked through, and every block checks that its neighbour arrives where it
set off. Two walks that agree at a junction agree ever after (positive matrices never increase the distance of
Hilbert's projective metric), so junctions that agree to rounding prove the whole. Where they do not agree, the
arrivals are better guesses; where the chain forgets too slowly for that, the exact starts come from the products of
the transition and emission matrices of every block, at the cost of ``n_states`` walks.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

import attrs
import numpy as np

from emkit_hmm.kernels.chains import Transitions
from emkit_hmm.kernels.columns import Array, Columns, Indices
from emkit_hmm.kernels.passes import TINY, USUAL_STRIDE, Forward, walk_backward, walk_forward

#: Largest relative difference, state by state, at a junction that counts as agreement.
AGREEMENT = 1e-12
#: Steps of the short walk.
WARM_UP = 40


# What overflows was lost before, and the caller sees it by the smallest factor or by the two walks' disagreement.
@np.errstate(over="ignore", invalid="ignore")
def joined_forward(
    columns: Columns, chain: Transitions, emission: Array, alpha: Array, *, stride: int
) -> tuple[Forward, Array]:
    """Walk forward through blocks that agree at their junctions.

    Returns
    -------
    found : Forward
    starts : (n_states, n_columns)
        Predicted probabilities of the first step of each column.
    """
    starts = np.repeat(chain.startprob[:, None], columns.n_columns, axis=1)
    if not columns.n_continued:
        return walk_forward(columns, chain, emission, starts, alpha, stride=stride), starts
    into = Junctions.of(columns, chain)
    log_scale = np.zeros(columns.n_columns)
    found: Forward | None = None

    def walk(guess: Array) -> Array:
        nonlocal found
        starts[:, into.joints] = guess
        found = walk_forward(columns, chain, emission, starts, alpha, stride=stride)
        # Every walk rescales the emissions that the walk before left.
        np.add(log_scale, found.log_scale, out=log_scale)
        return into.pushed(found.ends)

    def exact() -> Array:
        products = block_products(columns, chain, emission, into)
        for column in columns.order[columns.previous[columns.order] >= 0]:
            before = columns.previous[column]
            starts[:, column] = _normalised(products[before] @ starts[:, before])
        return starts[:, into.joints]

    settle(walk, into.pushed(_warm_forward(columns, chain, emission)), exact, columns)
    assert found is not None
    return attrs.evolve(found, log_scale=log_scale), starts


@np.errstate(over="ignore", invalid="ignore")
def joined_backward(columns: Columns, chain: Transitions, emission: Array, forward: Forward, w: Array) -> None:
    """Walk backward through blocks that agree at their junctions, filling ``w`` as ``walk_backward`` does."""
    ends = np.ones((len(chain.startprob), columns.n_columns))
    if not columns.n_continued:
        walk_backward(columns, chain, emission, ends, w)
        return
    into = Junctions.of(columns, chain)

    def walk(guess: Array) -> Array:
        ends[:, into.sources] = guess
        walk_backward(columns, chain, emission, ends, w)
        return into.pulled(first_step(columns, w, ends), forward.ends)

    def exact() -> Array:
        products = block_products(columns, chain, emission, into)
        firsts = first_step(columns, w, ends)
        for column in columns.order[columns.previous[columns.order] >= 0][::-1]:
            before = columns.previous[column]
            firsts[:, before] = _normalised(products[before].T @ firsts[:, column])
        return into.pulled(firsts, forward.ends)

    settle(walk, into.pulled(_warm_backward(columns, chain, emission), forward.ends), exact, columns)


@attrs.frozen(eq=False)
class Junctions:
    """Where columns continue others.

    Attributes
    ----------
    joints : (n_joints,)
        The columns that continue one.
    sources : (n_joints,)
        The columns they continue.
    chain : Transitions
    push_matrix, pull_matrix : ndarray
        Of the transitions from the end of ``sources`` to the start of ``joints``.
    """

    joints: Indices
    sources: Indices
    chain: Transitions
    push_matrix: Array
    pull_matrix: Array

    @classmethod
    def of(cls, columns: Columns, chain: Transitions) -> Junctions:
        """Return the junctions of columns."""
        joints = np.flatnonzero(columns.previous >= 0)
        push = next(iter(chain.pushed(columns)))
        *_, pull = islice(chain.pulled(columns), int(columns.lengths[0]))
        return cls(joints, columns.previous[joints], chain, chain.part(push, joints), chain.part(pull, joints))

    def pushed(self, ends: Array) -> Array:
        """Return predicted probabilities at the joints from filtered ones at the ends of all columns."""
        return _normalised(self.chain.push(self.push_matrix, ends[:, self.sources]))

    def pulled(self, firsts: Array, ends: Array) -> Array:
        """Return ``beta`` at the sources from ``w`` at the first step of all columns; ``sum(ends * beta)`` is one."""
        beta = self.chain.pull(self.pull_matrix, firsts[:, self.joints])
        return np.asarray(beta / np.maximum((beta * ends[:, self.sources]).sum(axis=0), TINY))


def first_step(columns: Columns, flat: Array, like: Array) -> Array:
    """Return the matrix (n_states, n_columns) of the first step, a view."""
    return flat[: like.size].reshape(like.shape)


def settle(walk: Callable[[Array], Array], guess: Array, exact: Callable[[], Array], columns: Columns) -> None:
    """Walk until all junctions agree.

    The products of the blocks cost as much as half a walk in both directions for each state, which bounds how many
    walks are worth trying; after the second one it shows how fast the differences shrink.
    """
    most = min(3 + guess.shape[0] // 2, columns.n_columns)
    last = 1.0
    for n_left in reversed(range(most)):
        arrived = walk(guess)
        gap = largest_gap(guess, arrived)
        if gap <= AGREEMENT:
            return
        guess = arrived
        if n_left < most - 1 and not (gap < last and gap * (gap / last) ** (n_left - 1) <= AGREEMENT):
            break
        last = gap
    walk(exact())


def largest_gap(a: Array, b: Array) -> float:
    """Return the largest relative difference of two arrays of positive numbers; tiny ones count as zero."""
    return float(np.max(np.abs(a - b) / (np.maximum(a, b) + TINY * 1e10), initial=0.0))


def _normalised(x: Array) -> Array:
    return np.asarray(x / np.maximum(x.sum(axis=0), TINY))


def _warm_forward(columns: Columns, chain: Transitions, emission: Array) -> Array:
    """Guess the filtered probabilities at the ends of columns that are continued, from their last steps."""
    n_states, n_continued = len(chain.startprob), columns.n_continued
    block = int(columns.lengths[0])
    steps = zip(columns.steps(emission, n_states)[:block], chain.pushed(columns), strict=False)
    state = np.full((n_states, n_continued), 1.0 / n_states)
    for t, (y, matrix) in enumerate(islice(steps, max(0, block - WARM_UP), None)):
        state = chain.push(chain.part(matrix, slice(n_continued)), state)
        state *= y[:, :n_continued]
        if t % USUAL_STRIDE == 0:
            state = _normalised(state)
    return _normalised(state)


def _warm_backward(columns: Columns, chain: Transitions, emission: Array) -> Array:
    """Guess ``w`` at the first step of every column from its first steps, up to scale."""
    n_states, block = len(chain.startprob), int(columns.lengths[0])
    steps = zip(reversed(columns.steps(emission, n_states)), chain.pulled(columns), strict=False)
    state = np.ones((n_states, 0))
    for t, (y, matrix) in enumerate(islice(steps, max(0, block - WARM_UP), None)):
        width = state.shape[1]
        if width < y.shape[1]:
            # Columns that end here have nothing after them.
            state = np.concatenate([state, np.ones((n_states, y.shape[1] - width))], axis=1)
        state = state * y
        if t % USUAL_STRIDE == 0:
            state = _normalised(state)
        if t < min(WARM_UP, block) - 1:
            state = chain.pull(matrix, state)
    return _normalised(state)


def block_products(columns: Columns, chain: Transitions, emission: Array, into: Junctions) -> Array:
    """Return the matrices that take predicted probabilities from a block to the next, up to scale.

    Returns
    -------
    products : (n_continued, n_states, n_states)
        ``transmat.T @ diag(emission[-1]) @ ... @ transmat.T @ diag(emission[0])``.
    """
    n_states, n_continued = len(chain.startprob), columns.n_continued
    state = np.zeros((n_states, n_states, n_continued))
    state[np.arange(n_states), np.arange(n_states)] = 1.0
    steps = zip(columns.steps(emission, n_states)[: int(columns.lengths[0])], chain.pushed(columns), strict=False)
    for t, (y, matrix) in enumerate(steps):
        if t > 0:
            state = chain.spread(chain.part(matrix, slice(n_continued)), state)
        state *= y[:, None, :n_continued]
        if t % USUAL_STRIDE == 0:
            state /= np.maximum(state.max(axis=(0, 1)), TINY)
    products = np.empty_like(state)
    products[:, :, into.sources] = chain.spread(into.push_matrix, state[:, :, into.sources])
    return np.ascontiguousarray(products.transpose(2, 0, 1))

"""One walk through all columns, forwards or backwards, in scaled space.

``alpha[t] = emission[t] * (transmat.T @ alpha[t - 1])`` and ``w[t] = emission[t] * (transmat @ w[t + 1])`` are two
numpy calls a step. Numbers are brought back to order one every few steps only, by rescaling ``emission`` itself: its
scale in a row is arbitrary, and the backward walk that uses the rescaled one keeps ``sum(alpha * beta)`` at one
without any division of its own (``beta`` is ``transmat @ w`` one step later).
"""

from __future__ import annotations

import attrs
import numpy as np

from emkit_hmm.kernels.chains import Transitions
from emkit_hmm.kernels.columns import Array, Columns

#: Steps between two rescalings, first choice and second. With transition probabilities of 1e-12 sixteen steps
#: still stay above `SMALLEST`.
USUAL_STRIDE, SHORT_STRIDE = 16, 1
#: Sums that fall below this between two rescalings may have lost states that matter.
SMALLEST = 1e-200
TINY = 1e-300


@attrs.frozen(eq=False)
class Forward:
    """What the forward walk leaves.

    Attributes
    ----------
    alpha : (n_places * n_states,)
        Proportional to the filtered probabilities.
    ends : (n_states, n_columns)
        Filtered probabilities at the last step of each column; they sum to one.
    log_scale : (n_columns,)
        Log-likelihood of a column given what its start was, nats, without the shifts of the emissions.
    smallest : (n_columns,)
        Smallest factor that was taken out at once.
    """

    alpha: Array
    ends: Array
    log_scale: Array
    smallest: Array


def walk_forward(
    columns: Columns, chain: Transitions, emission: Array, starts: Array, alpha: Array, *, stride: int
) -> Forward:
    """Walk from predicted probabilities of the first step, ``starts`` (n_states, n_columns), to the end.

    ``emission`` is rescaled in place so that ``alpha[t] == emission[t] * (transmat.T @ alpha[t - 1])`` holds for
    what is returned, and ``alpha`` of all last steps sums to one. ``alpha`` is filled.
    """
    n_states, n_columns = starts.shape
    found = Forward(alpha, np.empty_like(starts), np.zeros(n_columns), np.ones(n_columns))
    push, multiply, ones = chain.push, np.multiply, np.ones(n_states)
    matrices = iter(chain.pushed(columns))
    next(matrices)
    before: Array | None = None
    until = 1
    widths = [run.width for run in columns.runs[1:]] + [0]
    for run, next_width in zip(columns.runs, widths, strict=True):
        alphas, emissions = run.view(found.alpha, n_states), run.view(emission, n_states)
        totals: list[Array] = []
        for x, y in zip(alphas, emissions, strict=True):
            if before is None:
                multiply(starts, y, x)
            else:
                push(next(matrices), before, x)
                multiply(x, y, x)
            until -= 1
            if until == 0:
                totals.append(_rescaled(x, y, ones))
                until = stride
            before = x
        if totals:
            _take_out(np.array(totals), found, 0)
        ending = slice(next_width, run.width)
        _take_out(_rescaled(alphas[-1][:, ending], emissions[-1][:, ending], ones)[None], found, next_width)
        found.ends[:, ending] = alphas[-1][:, ending]
        before = alphas[-1][:, :next_width]
    return found


def _rescaled(alpha: Array, emission: Array, ones: Array) -> Array:
    """Make the columns of ``alpha`` sum to one, at the cost of the emissions of this step; returns what they had."""
    total: Array = ones.dot(alpha)
    np.maximum(total, TINY, out=total)
    inverse = 1.0 / total
    np.multiply(alpha, inverse, alpha)
    np.multiply(emission, inverse, emission)
    return total


def _take_out(totals: Array, found: Forward, first: int) -> None:
    """Note the factors (n_times, n) that were taken out of the columns from ``first`` on."""
    place = slice(first, first + totals.shape[1])
    np.minimum(found.smallest[place], totals.min(axis=0), out=found.smallest[place])
    found.log_scale[place] += np.log(totals).sum(axis=0)


def walk_backward(columns: Columns, chain: Transitions, emission: Array, ends: Array, w: Array) -> None:
    """Walk from ``beta`` after the last step of each column, ``ends`` (n_states, n_columns), to the start.

    ``w`` (n_places * n_states,) is filled with ``emission * beta``.
    """
    n_states = len(ends)
    pull, multiply = chain.pull, np.multiply
    matrices = iter(chain.pulled(columns))
    after: Array | None = None
    for run in reversed(columns.runs):
        steps = zip(run.view(w, n_states)[::-1], run.view(emission, n_states)[::-1], strict=True)
        x, y = next(steps)
        width = 0 if after is None else after.shape[1]
        if after is not None:
            x[:, :width] = pull(next(matrices), after)
        x[:, width:] = ends[:, width : run.width]
        multiply(x, y, x)
        after = x
        for x, y in steps:
            pull(next(matrices), after, x)
            multiply(x, y, x)
            after = x

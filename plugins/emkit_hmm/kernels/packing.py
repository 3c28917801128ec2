"""From rows to places and back; densities leave the logarithm once, shifted by their maximum in each row."""

from __future__ import annotations

import numpy as np

from emkit_hmm.kernels.columns import Array, Columns, Run

#: Its exponential is still a normal number.
LOWEST_LOG = -700.0


def by_states(table: Array) -> bool:
    """Say whether a table (n_rows, n_states) is stored state by state; if so, what is made of it is too."""
    return bool(table.flags.f_contiguous and not table.flags.c_contiguous)


def taken(table: Array, columns: Columns, run: Run, out: Array) -> None:
    """Copy the rows of a run into ``out`` (n_steps, n_states, width)."""
    rows = columns.rows[run.places]
    n_steps, n_states, width = out.shape
    # Mode "clip" spares numpy a buffer; all indices are valid.
    if by_states(table):
        np.copyto(out, table.T.take(rows, axis=1, mode="clip").reshape(n_states, n_steps, width).transpose(1, 0, 2))
    else:
        np.copyto(out, table.take(rows, axis=0, mode="clip").reshape(n_steps, width, n_states).transpose(0, 2, 1))


def stored(piece: Array, table: Array, columns: Columns, run: Run) -> None:
    """Copy ``piece`` (n_steps, n_states, width) to the rows of a run; what ``taken`` takes from there."""
    rows = columns.rows[run.places]
    if by_states(table):
        for state, values in zip(table.T, piece.transpose(1, 0, 2), strict=True):
            state[rows] = values.ravel()
    else:
        table[rows] = piece.transpose(0, 2, 1).reshape(len(rows), -1)


def scaled_emission(columns: Columns, log_emission: Array, emission: Array) -> Array:
    """Fill ``emission`` with ``exp(log_emission - shift)``; returns the sum of the shifts of each column.

    The shift of a row is its largest log-density, or zero where all are -inf.

    Parameters
    ----------
    columns : Columns
    log_emission : (n_rows, n_states)
    emission : (n_places * n_states,)

    Returns
    -------
    shifts : (n_columns,)
    """
    n_states = log_emission.shape[1]
    shifts = np.zeros(columns.n_columns)
    for run in columns.pieces(n_states):
        piece = run.view(emission, n_states)
        taken(log_emission, columns, run, piece)
        shift = piece.max(axis=1)
        # One test for all: the maximum of the shifts may be finite while one of them is -inf, so ask the minimum.
        if not shift.min() > -np.inf:
            shift[shift == -np.inf] = 0.0
        np.subtract(piece, shift[:, None, :], out=piece)
        _exponentiate(piece)
        shifts[: run.width] += shift.sum(axis=0)
    return shifts


def _exponentiate(x: Array) -> None:
    """Take the exponential in place, of ``LOWEST_LOG`` where ``x`` is finite and lower.

    The exponential of numbers that low is 8 to 50 times slower than that of others.
    """
    lowest = x.min()
    if lowest >= LOWEST_LOG:
        np.exp(x, out=x)
        return
    excluded = x == -np.inf if lowest == -np.inf else None
    np.maximum(x, LOWEST_LOG, out=x)
    np.exp(x, out=x)
    if excluded is not None:
        x[excluded] = 0.0


def packed(columns: Columns, table: Array) -> Array:
    """Return a table (n_rows, n_states) at all places, shape (n_places * n_states,)."""
    flat = np.empty(len(columns.rows) * table.shape[1])
    for run in columns.pieces(table.shape[1]):
        taken(table, columns, run, run.view(flat, table.shape[1]))
    return flat

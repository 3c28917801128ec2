"""Pooled estimates as a table for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

_HEADS = ("estimate", "std. error", "t", "df", "p", "lower", "upper", "missing")


def estimates_table(pooled: Any, names: Sequence[str] | None, level: float) -> str:
    """Return one line for every entry: estimate, standard error, test of zero, interval, share of missing information.

    Parameters
    ----------
    pooled : PooledEstimate
    names : sequence of str, optional
        Of the entries; their places by default.
    level : float
        Of the intervals.

    Raises
    ------
    ValueError
        If there are more or fewer names than entries.
    """
    estimate = np.asarray(pooled.estimate, dtype=np.float64)
    if names is None:
        names = [", ".join(map(str, index)) for index in np.ndindex(estimate.shape)]
    labels = [str(name) for name in names]
    if len(labels) != estimate.size:
        msg = f"names must hold one name for each of the {estimate.size} estimates; found {len(labels)}."
        raise ValueError(msg)
    errors = np.asarray(pooled.standard_error, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(errors > 0, estimate / errors, np.nan)
    shares = np.broadcast_to(pooled.fraction_missing_information, estimate.shape)
    columns = (estimate, errors, t, np.broadcast_to(pooled.df, estimate.shape), pooled.p_values())
    cells = [np.ravel(column) for column in (*columns, *pooled.intervals(level), shares)]
    formats = ("{:.4g}", "{:.3g}", "{:.2f}", "{:.1f}", "{:.4f}", "{:.4g}", "{:.4g}", "{:.0%}")
    rows = [
        [form.format(float(cell[i])) for form, cell in zip(formats, cells, strict=True)] for i in range(len(labels))
    ]
    width = max([len(label) for label in labels], default=0)
    widths = [max(len(head), *(len(row[j]) for row in rows)) for j, head in enumerate(_HEADS)]
    lines = [" " * width + "".join(f"  {head:>{w}}" for head, w in zip(_HEADS, widths, strict=True))]
    for label, row in zip(labels, rows, strict=True):
        lines.append(f"{label:<{width}}" + "".join(f"  {cell:>{w}}" for cell, w in zip(row, widths, strict=True)))
    source = f"{pooled.n_imputations} imputations; intervals of {level:.0%}"
    lines.append(f"{source}; complete data would leave {pooled.df_complete:g} degrees of freedom.")
    return "\n".join(lines)

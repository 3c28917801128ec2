"""The report of a fit as HTML, for notebooks: one element without scripts, style sheets or other files.

Everything that a user chose (the text of a model, names of fields, notes) is escaped. Colours are those of the page, so
that the report is readable on light and on dark ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emkit.convergence import rounding_floor
from emkit.report import array_text, estimates, is_small, optimum_rows, report_rows

#: A table of estimates shows so many rows and columns at most; the last of them then stand behind dots.
MAX_CELLS = 20
#: Above this, six decimals are noise.
LARGE = 1e6
#: Width and height of the sparkline, in pixels.
SPARKLINE = (160, 36)
DOTS = "…"
_CELL = "padding: 0.1em 0.8em 0.1em 0; vertical-align: top; background: transparent; color: inherit;"
_LEFT = f'style="text-align: left; {_CELL}"'
_RIGHT = f'style="text-align: right; font-variant-numeric: tabular-nums; {_CELL}"'


def html_report(result: Any) -> str:
    """Return the report as one HTML element."""
    rows = [_row(label, escape(text)) for label, text in report_rows(result)]
    if len(result.optima) > 1:
        rows.append(_row("optima", _table(optimum_rows(result))))
    if line := sparkline(result):
        rows.append(_row("climb", line))
    shown = [_row(name, _value(value)) for name, value in estimates(result)]
    return f'<div class="emkit-result">{_body(rows)}<hr style="opacity: 0.3;">{_body(shown)}</div>'


def sparkline(result: Any) -> str:
    """Return a small drawing of how far below its end the objective was, logarithmically, over E-steps.

    Points that do not lie below the end by more than rounding are left out; without two of them there is no drawing.
    """
    below = result.objectives[-1] - result.objectives
    is_shown = below > rounding_floor(result.objective, result.n_observations)
    if is_shown.sum() < 2:
        return ""
    width, height = SPARKLINE
    x = _stretched(result.history.n_e_steps[is_shown].astype(float), width - 4)
    y = _stretched(-np.log10(below[is_shown]), height - 4)
    points = " ".join(f"{a + 2:.1f},{b + 2:.1f}" for a, b in zip(x, y, strict=True))
    label = "nats below the end, on a logarithmic scale, over E-steps"
    return (
        f'<svg width="{width}" height="{height}" role="img" aria-label="{label}"><title>{label}</title>'
        f'<polyline points="{points}" fill="none" stroke="currentColor" stroke-width="1.5"/></svg>'
    )


def _stretched(values: NDArray[Any], length: float) -> NDArray[Any]:
    """Return values moved and scaled so that they run from 0 to ``length``."""
    spread = float(np.ptp(values))
    return np.asarray((values - values.min()) * (length / spread if spread else 0.0))


def _body(rows: list[str]) -> str:
    return f'<table style="border: none;"><tbody>{"".join(rows)}</tbody></table>'


def _row(label: str, content: str) -> str:
    """Return a row whose content is HTML already."""
    return f'<tr><th scope="row" {_LEFT}>{escape(label)}</th><td {_LEFT}>{content}</td></tr>'


def _table(rows: Sequence[Sequence[str]]) -> str:
    lines = ("".join(f"<td {_RIGHT}>{escape(cell)}</td>" for cell in row) for row in rows)
    return _body([f"<tr>{line}</tr>" for line in lines])


def _value(value: NDArray[Any]) -> str:
    """Return a table of numbers, rows by columns; arrays of three axes and more as text."""
    if value.ndim > 2 or value.size == 0:
        return f'<pre style="margin: 0; background: transparent; color: inherit;">{escape(array_text(value))}</pre>'
    table = np.atleast_2d(value)
    decimals = ".6e" if (is_small(value) and value.any()) or np.abs(value).max() >= LARGE else ".6f"
    n_rows, n_columns = table.shape
    columns = _places(n_columns)
    return _table(
        [[DOTS if None in (i, j) else format(table[i, j], decimals) for j in columns] for i in _places(n_rows)]
    )


def _places(length: int) -> list[int | None]:
    """Return the rows or columns to show; None stands for those that are left out."""
    if length <= MAX_CELLS:
        return list(range(length))
    half = MAX_CELLS // 2
    return [*range(half), None, *range(length - half, length)]

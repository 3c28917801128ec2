"""Pictures of a fit, with matplotlib where it is installed (``pip install "emkit[plot]"``)."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emkit.convergence import rounding_floor

#: Up to so many accepted points each has a marker.
MAX_MARKERS = 150


def load_figure_class() -> Any:
    """Return matplotlib's Figure, or say how to install it. No window system is touched."""
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - optional
    except ImportError as error:
        msg = 'Pictures need matplotlib: python -m pip install "emkit[plot]".'
        raise ImportError(msg) from error
    return Figure


def plot_objective(result: Any, ax: Any) -> Any:
    """Draw, on ``ax``, how far below its end the objective was, and how far below the top by estimate; returns ``ax``.

    Both in nats over E-steps, at every accepted point. Below the rounding of the objective they are noise: such values
    are drawn on a line that says so.
    """
    history = result.history
    floor = rounding_floor(result.objective, result.n_observations)
    # The end itself lies nothing below itself, which is no place on a logarithmic axis.
    below = np.append(history.objectives[-1] - history.objectives[:-1], np.nan)
    # Points above the end, which only a model that may fall has, are left out.
    below = np.where(below >= -floor, np.maximum(below, floor), np.nan)
    gaps = np.maximum(history.gaps, floor)
    _draw(ax, history.n_e_steps, below, label="objective below its end")
    _draw(ax, history.n_e_steps, gaps, label="estimated gap", linestyle="--")
    if (below == floor).any() or (gaps == floor).any():
        ax.axhline(floor, color="grey", linewidth=1, linestyle=":", label="rounding")
    ax.set_ylabel("nats")
    ax.set_title(f"{result.status.name.lower().replace('_', ' ')}, E-steps: {result.n_e_steps}", fontsize=10)
    return _finish(ax, result.n_e_steps)


def plot_steps(result: Any, ax: Any) -> Any:
    """Draw, on ``ax``, the length of the EM step from every accepted point, relative to scale; returns ``ax``."""
    _draw(ax, result.history.n_e_steps, result.history.step_lengths, label="EM step", color="C2")
    ax.set_ylabel("length relative to scale")
    ax.set_title("how far an EM step moves the params", fontsize=10)
    return _finish(ax, result.n_e_steps)


def _draw(ax: Any, n_e_steps: NDArray[Any], values: NDArray[Any], **style: Any) -> None:
    """Draw the values that a logarithmic axis can show; the line has a hole where others are."""
    shown = np.where(np.isfinite(values) & (values > 0), values, np.nan)
    marker = "o" if len(values) <= MAX_MARKERS else None
    ax.plot(n_e_steps, shown, marker=marker, markersize=3, linewidth=1, **style)


def _finish(ax: Any, n_e_steps: int) -> Any:
    ax.set_yscale("log")
    ax.set_xlabel("E-steps")
    margin = 0.03 * n_e_steps + 1
    ax.set_xlim(1 - margin, n_e_steps + margin)
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.grid(alpha=0.25)
    ax.legend(fontsize=8)
    if not any(np.isfinite(line.get_ydata()).any() for line in ax.get_lines()):
        ax.text(0.5, 0.5, "too few steps", ha="center", transform=ax.transAxes)
        ax.set_yticks([])
    return ax


def plot_result(
    result: Any, data: Any = None, path: str | PathLike[str] | None = None, columns: Sequence[str] = ()
) -> Any:
    """Return a figure of the climb, beside the fit over the data if they are given and the model has a ``plot``.

    Without the fit, the lengths of the EM steps stand beside the climb.
    """
    figure = load_figure_class()(figsize=(9.5, 4.0), layout="constrained")
    left, right = figure.subplots(1, 2)
    if data is not None and hasattr(result.model, "plot"):
        result.model.plot(result.params, data, left, columns)
        plot_objective(result, right)
    else:
        plot_objective(result, left)
        plot_steps(result, right)
    if path is not None:
        figure.savefig(path, dpi=150)
    return figure

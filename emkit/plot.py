"""Pictures of a fit, with matplotlib where it is installed (``pip install "emkit[plot]"``)."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np


def load_figure_class() -> Any:
    """Return matplotlib's Figure, or say how to install it. No window system is touched."""
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - optional
    except ImportError as error:
        msg = 'Pictures need matplotlib: python -m pip install "emkit[plot]".'
        raise ImportError(msg) from error
    return Figure


def plot_objective(result: Any, ax: Any) -> Any:
    """Draw, on ``ax``, how far below its end the objective was at every accepted step; returns ``ax``."""
    below = result.objectives[-1] - result.objectives
    steps = np.arange(len(below))
    positive = below > 0
    if positive.any():
        ax.semilogy(steps[positive], below[positive], marker="o", markersize=3, linewidth=1)
    ax.set_xlabel("accepted step")
    ax.set_ylabel("nats below the end")
    ax.set_title(f"{result.status.name.lower().replace('_', ' ')}, {result.n_e_steps} E-steps", fontsize=10)
    return ax


def plot_result(
    result: Any, data: Any = None, path: str | PathLike[str] | None = None, columns: Sequence[str] = ()
) -> Any:
    """Return a figure of the climb and, if the model has a ``plot`` and data are given, of the fit over the data."""
    figure_class = load_figure_class()
    draws_fit = data is not None and hasattr(result.model, "plot")
    figure = figure_class(figsize=(9.5 if draws_fit else 5.0, 4.0), layout="constrained")
    axes = figure.subplots(1, 2 if draws_fit else 1, squeeze=False)[0]
    if draws_fit:
        result.model.plot(result.params, data, axes[0], columns)
    plot_objective(result, axes[-1])
    if path is not None:
        figure.savefig(path, dpi=150)
    return figure

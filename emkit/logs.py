"""What a fit writes to the logger ``emkit``: nothing, until the caller gives that logger a level and a handler.

INFO tells when a fit begins and how it and each of its starts end, DEBUG every accepted point. What is raised or warned
about is not logged as well.
"""

from __future__ import annotations

import logging
from typing import Any

from emkit.result import EMResult, Iterate, Start

logger = logging.getLogger("emkit")
logger.addHandler(logging.NullHandler())


def log_begin(model: object, n_starts: int) -> None:
    """Log that a fit begins."""
    logger.info("fit of %s begins, number of starts: %d", type(model).__name__, n_starts)


def log_point(point: Iterate[Any]) -> None:
    """Log an accepted point."""
    message = "start %d, step %d, %d E-steps: objective %.9f, gap %.2g"
    logger.debug(message, point.start, point.n_iter, point.n_e_steps, point.objective, point.gap)


def log_start(start: Start) -> None:
    """Log how one start ended, or what made it fail."""
    if start.status is None:
        logger.info("start %d failed: %s", start.index, start.message)
        return
    message = "start %d ends %s after %d E-steps, objective %.9f"
    logger.info(message, start.index, start.status.name, start.n_e_steps, start.objective)


def log_end(result: EMResult[Any]) -> None:
    """Log how a fit ended."""
    message = "fit of %s ends %s after %.3g s, objective %.9f"
    logger.info(message, type(result.model).__name__, result.status.name, result.elapsed, result.objective)


def wants_points() -> bool:
    """Return whether anybody listens to accepted points; to be asked once for a fit."""
    return logger.isEnabledFor(logging.DEBUG)

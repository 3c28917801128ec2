"""How a fit went, in hmmlearn's words."""

from __future__ import annotations

from typing import Any

import attrs

from emkit import EMResult


@attrs.frozen
class ConvergenceMonitor:
    """What hmmlearn's ``monitor_`` shows of a fit.

    Attributes
    ----------
    tol : float
        Largest log-likelihood that may be left to be gained.
    n_iter : int
        Most passes over the data that were allowed.
    history : tuple of float
        Log-likelihood at the start and after every accepted step; the last is that of the fitted params.
    iter : int
        Passes over the data.
    converged : bool
        Whether the stopping rule was met; false where the fit ran out of passes or the objective fell.
    message : str
        Why the fit ended.
    verbose : bool
        Whether progress was shown.
    """

    tol: Any
    n_iter: int
    history: tuple[float, ...]
    iter: int
    converged: bool
    message: str
    verbose: bool = False

    @classmethod
    def of(cls, result: EMResult[Any], tol: Any, n_iter: int, *, verbose: bool) -> ConvergenceMonitor:
        """Return what a result says."""
        history = tuple(float(value) for value in result.log_likelihoods)
        return cls(tol, n_iter, history, int(result.n_e_steps), bool(result.converged), str(result.message), verbose)

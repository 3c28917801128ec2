"""What a problem is."""

from __future__ import annotations

from typing import Any

import attrs

from emkit.convergence import Tolerance


@attrs.frozen(eq=False)
class Problem:
    """A model, its data, a start, and what plain EM makes of them.

    Attributes
    ----------
    name : str
    model : SupportsEM
    data, start : Any
    optimum : float
        Log-likelihood of the maximum reached from ``start``, in nats.
    em_steps : int
        E-steps of plain EM from ``start`` until ``tol`` is met.
    tol : Tolerance
        The rule of the published count.
    band : int
        By how much rounding on another machine may move ``em_steps``. Zero for most; long runs that end among
        rounding errors have more.
    """

    name: str
    model: Any
    data: Any
    start: Any
    optimum: float
    em_steps: int
    tol: Tolerance
    band: int = 0

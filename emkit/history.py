"""What a climb looked like from point to point."""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@attrs.frozen(eq=False)
class History:
    """One row for every accepted point of a fit, the starting params first.

    Attributes
    ----------
    log_likelihoods, objectives : (n_iter + 1,)
        In nats, at the accepted params.
    step_lengths : (n_iter + 1,)
        Of the EM step from there: its largest root mean square in any field, relative to the field's scale. NaN where
        no step was taken.
    gaps : (n_iter + 1,)
        Estimated gain that remained, in nats; infinite while unknown.
    n_e_steps : (n_iter + 1,)
        E-steps spent so far.
    seconds : (n_iter + 1,)
        Since the fit began.
    """

    log_likelihoods: Array
    objectives: Array
    step_lengths: Array
    gaps: Array
    n_e_steps: NDArray[np.int64]
    seconds: Array

    def __len__(self) -> int:
        """Return the number of accepted points."""
        return len(self.objectives)

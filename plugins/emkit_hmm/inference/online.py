"""States while data arrive, one row at a time."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit_hmm.inference.filtering import merged
from emkit_hmm.kernels.filtering import filter_step
from emkit_hmm.model import HiddenMarkovModel
from emkit_hmm.params import HiddenMarkovParams

Array = NDArray[np.float64]


@attrs.define(eq=False)
class OnlineFilter:
    """What is known of the state after each row of one sequence, without any look ahead.

    Attributes
    ----------
    model : HiddenMarkovModel
        Its chain must not depend on covariates, nor its emissions on earlier rows.
    params : HiddenMarkovParams
    log_likelihood : float
        Of the rows so far.
    n_steps : int
        Rows so far.

    Examples
    --------
    >>> from emkit import datasets
    >>> from emkit_hmm import OnlineFilter, PoissonHMM
    >>> counts = datasets.earthquakes().values
    >>> hmm = PoissonHMM(2, random_state=0).fit(counts)
    >>> online = OnlineFilter(*hmm.model_and_params())
    >>> for row in counts[:3]:
    ...     probabilities = online.update(row)
    >>> bool(np.allclose(probabilities, hmm.filter(counts)[2]))
    True
    """

    model: HiddenMarkovModel
    params: HiddenMarkovParams
    log_likelihood: float = attrs.field(default=0.0, init=False)
    n_steps: int = attrs.field(default=0, init=False)
    _predicted: Array = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._predicted = self.model.chain.expanded(self.params.chain).startprob

    def update(self, row: Any) -> Array:
        """Take one more row (n_features,) into account, NaN if nothing was seen; return ``P(state k)`` (n_states,)."""
        expansion = self.model.chain.expanded(self.params.chain)
        log_emission = self.model.log_emission(self.params, np.atleast_2d(np.asarray(row, dtype=np.float64)))
        known, log_density = filter_step(self._predicted, log_emission[0, expansion.state_of])
        self._predicted = known @ expansion.transmat
        self.log_likelihood += float(log_density)
        self.n_steps += 1
        return merged(known, expansion, self.model.n_states)

    def ahead(self) -> Array:
        """Return the probabilities of the states at the next row, (n_states,)."""
        return merged(self._predicted, self.model.chain.expanded(self.params.chain), self.model.n_states)

"""States while data arrive, one row at a time."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit_hmm.chains.base import Expansion
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
        Its emissions must not depend on earlier rows.
    params : HiddenMarkovParams
    log_likelihood : float
        Of the rows so far.
    n_steps : int
        Rows so far.

    Examples
    --------
    >>> import numpy as np
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
    _known: Array | None = attrs.field(default=None, init=False)
    #: The chain, unless every step has one of its own.
    _lasting: Expansion | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        if not self.model.chain.needs_covariates:
            self._lasting = self.model.chain.expanded(self.params.chain)

    def update(self, row: Any, covariates: Any = None) -> Array:
        """Take one more row into account; return ``P(state k | rows so far)``, (n_states,).

        Parameters
        ----------
        row : (n_features,)
            NaN where nothing was seen.
        covariates : (n_covariates,), optional
            Where transitions depend on any: those of the step to this row.

        Raises
        ------
        ValueError
            If the row or the covariates are of another form, or hold what may not be; nothing has changed then.
        """
        expansion = self._expansion(covariates)
        prepared = self.model.prepare(_one_row(row, "row"))
        if self.model.emission.looks_back:
            msg = f"{type(self.model.emission).__name__} looks at earlier rows, which an online filter does not keep."
            raise ValueError(msg)
        log_emission = self.model.log_emission(self.params, prepared)
        known, log_density = filter_step(self._ahead(expansion), log_emission[0, expansion.state_of])
        self._known = known
        self.log_likelihood += float(log_density)
        self.n_steps += 1
        return merged(known, expansion, self.model.n_states)

    def ahead(self, covariates: Any = None) -> Array:
        """Return the probabilities of the states at the next row, (n_states,)."""
        expansion = self._expansion(covariates)
        return merged(self._ahead(expansion), expansion, self.model.n_states)

    def _expansion(self, covariates: Any) -> Expansion:
        """Return the chain with one matrix, that of the next step."""
        if self._lasting is not None:
            return self._lasting
        if covariates is None:
            msg = "Transitions depend on covariates: give those of the step, update(row, covariates)."
            raise ValueError(msg)
        one = _one_row(covariates, "covariates")
        if self._known is None:
            # No step leads to the first row.
            one = np.nan_to_num(one)
        if not np.isfinite(one).all():
            msg = f"covariates of a step must be finite numbers; found {one[0]}."
            raise ValueError(msg)
        found = self.model.chain.expanded(self.params.chain, one)
        return attrs.evolve(found, transmat=found.transmat[0])

    def _ahead(self, expansion: Expansion) -> Array:
        """Return the probabilities of the positions at the next row."""
        return expansion.startprob if self._known is None else self._known @ expansion.transmat


def _one_row(value: Any, name: str) -> Array:
    """Return a row (1, n), or raise if there are several."""
    array = np.asarray(value, dtype=np.float64)
    row = array[None] if array.ndim == 1 else np.atleast_2d(array)
    if row.ndim != 2 or len(row) != 1:
        msg = f"{name} must hold one row, of shape (n,); found shape {array.shape}. Give one row after the other."
        raise ValueError(msg)
    return row

"""Counts with the interface of ``hmmlearn.hmm.PoissonHMM``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit import Tolerance
from emkit.acceleration import Accelerator
from emkit.families import GammaPrior, Poisson, PoissonParams
from emkit_hmm.faces.columns import ColumnsFace
from emkit_hmm.faces.settings import Axes, check_strength

Array = NDArray[np.float64]


@attrs.define(slots=False, eq=False, repr=False)
class PoissonHMM(ColumnsFace):
    """A hidden Markov model with Poisson emissions and the interface of ``hmmlearn.hmm.PoissonHMM``.

    Parameters
    ----------
    n_components : int
        Number of states.
    startprob_prior, transmat_prior : float or array
        Concentrations of Dirichlet priors, at least 1; 1 is none.
    lambdas_prior, lambdas_weight : float
        A gamma prior of the rates, which are then ``(events + lambdas_prior) / (rows + lambdas_weight)``: events, and
        rows, that the prior adds. Part of the objective. (hmmlearn means the same, but counts the rows of all states.)
    params, init_params : str
        Letters ``s`` startprob, ``t`` transmat, ``l`` lambdas: what is estimated, and what is initialised.
    algorithm, random_state, n_iter, tol, verbose, implementation, n_init, accelerate
        As in :class:`GaussianHMM`.

    Attributes
    ----------
    startprob_ : (n_components,)
    transmat_ : (n_components, n_components)
    lambdas_ : (n_components, n_features)
    monitor_ : ConvergenceMonitor
    result_ : EMResult

    Examples
    --------
    >>> from emkit import datasets
    >>> from emkit_hmm import PoissonHMM
    >>> X = datasets.earthquakes().values
    >>> hmm = PoissonHMM(2, random_state=0).fit(X)
    >>> round(-hmm.score(X), 4)
    341.8787
    """

    n_components: int = 1
    startprob_prior: Any = 1.0
    transmat_prior: Any = 1.0
    lambdas_prior: float = 0.0
    lambdas_weight: float = 0.0
    algorithm: str = "viterbi"
    random_state: Any = None
    n_iter: int = 1000
    tol: float | Tolerance = 1e-6
    verbose: bool = False
    params: str = "stl"
    init_params: str = "stl"
    implementation: str = "scaling"
    n_init: int = attrs.field(default=1, kw_only=True)
    accelerate: str | Accelerator | None = attrs.field(default="auto", kw_only=True)

    def _letters(self) -> Mapping[str, str]:
        return {"l": "lambdas_"}

    def _fields(self) -> Mapping[str, str]:
        return {"lambdas_": "rates"}

    def _axes(self, name: str, n_axes: int) -> Axes:
        return self.n_components, "n_features"

    def _family(self, fixed: tuple[str, ...]) -> Poisson:
        events = check_strength(self.lambdas_prior, "lambdas_prior")
        rows = check_strength(self.lambdas_weight, "lambdas_weight")
        return Poisson(GammaPrior(1 + events, rows) if events or rows else None)

    def _emission_params(self) -> PoissonParams:
        return PoissonParams(self._checked("lambdas_"))

    def _adopt(self, emission: PoissonParams) -> None:
        self.lambdas_ = np.array(emission.rates)

"""Symbols and their counts, with the interfaces of ``hmmlearn.hmm.CategoricalHMM`` and ``MultinomialHMM``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit import Tolerance
from emkit.acceleration import Accelerator
from emkit.arrays import as_array
from emkit.families import (
    Categorical,
    CategoricalParams,
    DirichletPrior,
    Multinomial,
    MultinomialParams,
)
from emkit_hmm.faces.base import HiddenMarkovFace

Array = NDArray[np.float64]


@attrs.define(slots=False, eq=False, repr=False)
class CategoricalHMM(HiddenMarkovFace):
    """A hidden Markov model of symbols, with the interface of ``hmmlearn.hmm.CategoricalHMM``.

    Parameters
    ----------
    n_components : int
        Number of states.
    startprob_prior, transmat_prior, emissionprob_prior : float or array
        Concentrations of Dirichlet priors, at least 1; 1 is none. Part of the objective.
    n_features : int, optional
        Number of symbols, which are whole numbers from 0; by default one more than the largest in the data.
    params, init_params : str
        Letters ``s`` startprob, ``t`` transmat, ``e`` emissionprob: what is estimated, and what is initialised.
    algorithm, random_state, n_iter, tol, verbose, implementation, n_init, accelerate
        As in :class:`GaussianHMM`.

    Attributes
    ----------
    startprob_ : (n_components,)
    transmat_ : (n_components, n_components)
    emissionprob_ : (n_components, n_symbols)
    monitor_ : ConvergenceMonitor
    result_ : EMResult
    """

    n_components: int = 1
    startprob_prior: Any = 1.0
    transmat_prior: Any = 1.0
    emissionprob_prior: Any = attrs.field(default=1.0, kw_only=True)
    n_features: int | None = attrs.field(default=None, kw_only=True)
    algorithm: str = attrs.field(default="viterbi", kw_only=True)
    random_state: Any = attrs.field(default=None, kw_only=True)
    n_iter: int = attrs.field(default=1000, kw_only=True)
    tol: float | Tolerance = attrs.field(default=1e-6, kw_only=True)
    verbose: bool = attrs.field(default=False, kw_only=True)
    params: str = attrs.field(default="ste", kw_only=True)
    init_params: str = attrs.field(default="ste", kw_only=True)
    implementation: str = attrs.field(default="scaling", kw_only=True)
    n_init: int = attrs.field(default=1, kw_only=True)
    accelerate: str | Accelerator | None = attrs.field(default="auto", kw_only=True)

    def _letters(self) -> Mapping[str, str]:
        return {"e": "emissionprob_"}

    def _family(self, fixed: tuple[str, ...]) -> Categorical:
        n_symbols = self.n_features
        if n_symbols is None and hasattr(self, "emissionprob_") and "e" not in self.init_params:
            n_symbols = np.shape(self.emissionprob_)[-1]
        return Categorical(n_symbols, dirichlet(self.emissionprob_prior))

    def _start_of_emission(self, given: dict[str, Array]) -> dict[str, Any]:
        return {"probabilities": given["emissionprob_"]} if given else {}

    def _emission_params(self) -> CategoricalParams:
        probabilities = as_array(self.emissionprob_, "emissionprob_")
        return CategoricalParams(probabilities, np.array([probabilities.shape[1]]))

    def _adopt(self, emission: CategoricalParams) -> None:
        self.emissionprob_ = np.array(emission.probabilities)


@attrs.define(slots=False, eq=False, repr=False)
class MultinomialHMM(HiddenMarkovFace):
    """A hidden Markov model of counts of symbols, with the interface of ``hmmlearn.hmm.MultinomialHMM``.

    Parameters
    ----------
    n_components : int
        Number of states.
    n_trials : int, optional
        What every row adds up to; by default each row's own sum.
    startprob_prior, transmat_prior, emissionprob_prior : float or array
        Concentrations of Dirichlet priors, at least 1; 1 is none. Part of the objective.
    params, init_params : str
        Letters ``s`` startprob, ``t`` transmat, ``e`` emissionprob: what is estimated, and what is initialised.
    algorithm, random_state, n_iter, tol, verbose, implementation, n_init, accelerate
        As in :class:`GaussianHMM`.

    Attributes
    ----------
    startprob_ : (n_components,)
    transmat_ : (n_components, n_components)
    emissionprob_ : (n_components, n_symbols)
    monitor_ : ConvergenceMonitor
    result_ : EMResult
    """

    n_components: int = 1
    n_trials: int | None = None
    startprob_prior: Any = 1.0
    transmat_prior: Any = 1.0
    algorithm: str = "viterbi"
    random_state: Any = None
    n_iter: int = 1000
    tol: float | Tolerance = 1e-6
    verbose: bool = False
    params: str = "ste"
    init_params: str = "ste"
    implementation: str = "scaling"
    emissionprob_prior: Any = attrs.field(default=1.0, kw_only=True)
    n_init: int = attrs.field(default=1, kw_only=True)
    accelerate: str | Accelerator | None = attrs.field(default="auto", kw_only=True)

    def _letters(self) -> Mapping[str, str]:
        return {"e": "emissionprob_"}

    def _family(self, fixed: tuple[str, ...]) -> Multinomial:
        return Multinomial(self.n_trials, dirichlet(self.emissionprob_prior))

    def _start_of_emission(self, given: dict[str, Array]) -> dict[str, Any]:
        return {"probabilities": given["emissionprob_"]} if given else {}

    def _emission_params(self) -> MultinomialParams:
        fitted = self.result_.params.emission.n_trials if hasattr(self, "result_") else np.array(self.n_trials or 1)
        return MultinomialParams(as_array(self.emissionprob_, "emissionprob_"), fitted)

    def _adopt(self, emission: MultinomialParams) -> None:
        self.emissionprob_ = np.array(emission.probabilities)


def dirichlet(concentration: Any) -> DirichletPrior | None:
    """Return a prior, None where its concentration is one."""
    return None if np.all(np.asarray(concentration) == 1) else DirichletPrior(concentration)

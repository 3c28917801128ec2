"""Symbols and their counts, with the interfaces of ``hmmlearn.hmm.CategoricalHMM`` and ``MultinomialHMM``."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit import Tolerance
from emkit.acceleration import Accelerator
from emkit.arrays import whole_number
from emkit.errors import DegenerateWarning
from emkit.families import (
    Categorical,
    CategoricalParams,
    DirichletPrior,
    Multinomial,
    MultinomialParams,
)
from emkit_hmm.faces.base import HiddenMarkovFace
from emkit_hmm.faces.columns import ColumnsFace
from emkit_hmm.faces.settings import Axes, check_prior
from emkit_hmm.sequences import Sequences

Array = NDArray[np.float64]


@attrs.define(slots=False, eq=False, repr=False)
class CategoricalHMM(HiddenMarkovFace):
    """A hidden Markov model of symbols, with the interface of ``hmmlearn.hmm.CategoricalHMM``.

    Parameters
    ----------
    n_components : int
        Number of states.
    startprob_prior, transmat_prior, emissionprob_prior : float or array
        Concentrations of Dirichlet priors, at least 1; 1 is none. Part of the objective. An array has the shape of
        what it is the prior of.
    n_features : int, optional
        Number of symbols, which are whole numbers from 0; by default one more than the largest in the data. A fit
        does not write to it, as that of hmmlearn does: the number found is ``emissionprob_.shape[1]``.
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

    def forecast(self, X: Any, lengths: Any = None, steps: int = 1, covariates: Any = None) -> tuple[Array, Array]:
        """Return what follows the end of every sequence.

        Returns
        -------
        states : (n_sequences, steps, n_components)
            Their probabilities.
        symbols : (n_sequences, steps, n_symbols)
            Their probabilities.
        """
        states, _ = super().forecast(X, lengths, steps, covariates)
        return states, np.tensordot(states, self._checked("emissionprob_"), 1)

    def _letters(self) -> Mapping[str, str]:
        return {"e": "emissionprob_"}

    def _fields(self) -> Mapping[str, str]:
        return {"emissionprob_": "probabilities"}

    def _axes(self, name: str, n_axes: int) -> Axes:
        # Of several columns, which hmmlearn does not know, there are as many tables.
        return (self.n_components, *(("n_features",) if n_axes == 3 else ()), "n_symbols")

    def _family(self, fixed: tuple[str, ...]) -> Categorical:
        n_symbols = self._declared_symbols()
        prior = np.asarray(self.emissionprob_prior)
        # The family has an axis of columns between those of states and symbols.
        return Categorical(n_symbols, dirichlet(prior[:, None] if prior.ndim == 2 else self.emissionprob_prior))

    def _emission_params(self) -> CategoricalParams:
        probabilities = self._checked("emissionprob_")
        if hasattr(self, "result_") and self.result_.params.emission.probabilities.shape == probabilities.shape:
            # Columns may differ in their numbers of symbols, which the probabilities alone do not tell.
            return CategoricalParams(probabilities, self.result_.params.emission.n_symbols)
        return CategoricalParams(
            probabilities, np.full(self._columns_of("emissionprob_"), float(probabilities.shape[-1]))
        )

    def _columns_of(self, name: str) -> int:
        return super()._columns_of(name) or 1

    def _declared_symbols(self) -> int | None:
        """Return how many symbols there are, as set or as the start has it; None if the data tell."""
        if self.n_features is not None:
            return whole_number(self.n_features, "n_features")
        is_given = hasattr(self, "emissionprob_") and "e" not in self.init_params
        return self._checked("emissionprob_").shape[-1] if is_given else None

    def _check_columns(self, x: Array) -> None:
        n_symbols = self._declared_symbols() or int(x[np.isfinite(x)].max(initial=0.0)) + 1
        tables = (x.shape[1],) if np.ndim(self.emissionprob_prior) == 3 else ()
        check_prior(self.emissionprob_prior, "emissionprob_prior", (self.n_components, *tables, n_symbols))
        super()._check_columns(x)

    def _columns(self, given: Sequences) -> Array:
        x, known = super()._columns(given), self._emission_params().n_symbols
        for row, column in np.argwhere(x >= known)[:1]:
            msg = (
                f"Row {row}, column {column} is symbol {x[row, column]:g}, but the fit knows symbols 0 to "
                f"{known[column] - 1:g} only: set n_features, the number of symbols that there may be, before the fit."
            )
            raise ValueError(msg)
        return x

    def _adopt(self, emission: CategoricalParams) -> None:
        self.emissionprob_ = np.array(emission.probabilities)


@attrs.define(slots=False, eq=False, repr=False)
class MultinomialHMM(ColumnsFace):
    """A hidden Markov model of counts of symbols, with the interface of ``hmmlearn.hmm.MultinomialHMM``.

    Parameters
    ----------
    n_components : int
        Number of states.
    n_trials : int or (n_samples,), optional
        What rows add up to; by default each row's own sum. Samples have the mean of the rows of the fit.
    startprob_prior, transmat_prior, emissionprob_prior : float or array
        Concentrations of Dirichlet priors, at least 1; 1 is none. Part of the objective. An array has the shape of
        what it is the prior of.
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
    n_trials: Any = None
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
        return Multinomial(self._same_trials(), dirichlet(self.emissionprob_prior))

    def _check_columns(self, x: Array) -> None:
        if x.shape[1] == 1:
            # In old programs for hmmlearn the name stands for what is CategoricalHMM today.
            text = (
                "MultinomialHMM: X has one column, and counts of one symbol say nothing of the states. For a column of "
                "symbols use CategoricalHMM."
            )
            warnings.warn(text, DegenerateWarning, stacklevel=3)
        check_prior(self.emissionprob_prior, "emissionprob_prior", (self.n_components, x.shape[1]))
        super()._check_columns(x)

    def _same_trials(self) -> int | None:
        """Return what every row adds up to, None where rows differ."""
        if np.ndim(self.n_trials) == 0:
            n_trials: int | None = self.n_trials
            return n_trials
        totals = np.unique(np.asarray(self.n_trials))
        return int(totals[0]) if len(totals) == 1 else None

    def _fields(self) -> Mapping[str, str]:
        return {"emissionprob_": "probabilities"}

    def _axes(self, name: str, n_axes: int) -> Axes:
        return self.n_components, "n_features"

    def _emission_params(self) -> MultinomialParams:
        given = np.array(self._same_trials() or 1)
        n_trials = self.result_.params.emission.n_trials if hasattr(self, "result_") else given
        return MultinomialParams(self._checked("emissionprob_"), n_trials)

    def _adopt(self, emission: MultinomialParams) -> None:
        self.emissionprob_ = np.array(emission.probabilities)


def dirichlet(concentration: Any) -> DirichletPrior | None:
    """Return a prior, None where its concentration is one."""
    return None if np.all(np.asarray(concentration) == 1) else DirichletPrior(concentration)

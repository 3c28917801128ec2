"""How a face of a hidden Markov model is fitted: settings in, attributes out."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit import EMResult, Tolerance, fit
from emkit.acceleration import Accelerator
from emkit.arrays import whole_number
from emkit.errors import LikelihoodDecreasedError
from emkit.estimator import rng_of, warn_about
from emkit_hmm.chains.markov import Markov
from emkit_hmm.chains.pattern import Pattern
from emkit_hmm.faces.monitor import ConvergenceMonitor
from emkit_hmm.faces.settings import check_letters, given_attributes, with_zeros_kept
from emkit_hmm.faces.telling import TellingFace
from emkit_hmm.model import HiddenMarkovModel
from emkit_hmm.sequences import Sequences
from emkit_hmm.starts import Start

Array = NDArray[np.float64]


class HiddenMarkovFace(TellingFace):
    """Base of the faces; a face writes its parameters, its family, and how params and attributes correspond.

    Attributes
    ----------
    startprob_ : (n_components,)
    transmat_ : (n_components, n_components)
        Rows sum to one.
    monitor_ : ConvergenceMonitor
    result_ : EMResult
        The fit itself: status, notes, starts, standard errors.
    """

    n_components: int
    startprob_prior: Any
    transmat_prior: Any
    algorithm: str
    random_state: Any
    n_iter: int
    tol: float | Tolerance
    verbose: Any
    params: str
    init_params: str
    n_init: int
    accelerate: str | Accelerator | None

    @abstractmethod
    def _start_of_emission(self, given: dict[str, Array]) -> dict[str, Any]:
        """Return the fields of the emissions' params that attributes set by hand make."""

    @abstractmethod
    def _adopt(self, emission: Any) -> None:
        """Set the attributes that params of the emissions make."""

    def fit(self, X: Any, lengths: Any = None, sample_weight: Any = None, states: Any = None) -> Self:
        """Fit by maximum likelihood, or to the highest posterior where there are priors.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The sequences, one after the other. A row of NaN is a step at which nothing was observed.
        lengths : (n_sequences,), optional
            How long each sequence is; one sequence by default.
        sample_weight : (n_sequences,), optional
            How often each sequence counts.
        states : (n_samples,), optional
            Known states, -1 where unknown.
        """
        with self._all_or_nothing():
            x = self._check_fit_input(X)
            model = self._model_to_fit()
            data = Sequences(x, lengths, sample_weight, states)
            result = fitted(
                model,
                data,
                accelerate=self.accelerate,
                tol=self.tol,
                max_iter=whole_number(self.n_iter, "n_iter"),
                n_starts=whole_number(self.n_init, "n_init"),
                rng=rng_of(self.random_state),
                progress=bool(self.verbose),
            )
            # With one sequence the most likely start is always certain, and transitions never seen are common.
            worth = tuple(note for note in result.notes if not (note.startswith("chain.") and "bound" in note))
            warn_about(attrs.evolve(result, notes=worth), type(self).__name__)
            if set(self._all_letters()) <= set(self.init_params) and states is None:
                result = attrs.evolve(result, params=model.canonical(result.params))
            self.result_ = result
            self.model_ = model
            self.startprob_ = np.array(result.params.chain.startprob)
            self.transmat_ = np.array(result.params.chain.transmat)
            self._adopt(result.params.emission)
            self.monitor_ = ConvergenceMonitor.of(result, self.tol, self.n_iter)
        return self

    def _model_to_fit(self) -> HiddenMarkovModel:
        """Return the model that the settings describe, starting from attributes that were set by hand."""
        letters = self._all_letters()
        check_letters(self.params, "params", letters)
        check_letters(self.init_params, "init_params", letters)
        given = given_attributes(self, {a: name for a, name in letters.items() if a not in self.init_params})
        fixed = {name for letter, name in letters.items() if letter not in self.params}
        n_states = whole_number(self.n_components, "n_components")
        even = {"startprob_": np.full(n_states, 1 / n_states), "transmat_": np.full((n_states, n_states), 1 / n_states)}
        start, transitions = (
            Pattern(given.get(name, even[name]) if name in fixed else with_zeros_kept(given.get(name)), prior)
            for name, prior in (("startprob_", self.startprob_prior), ("transmat_", self.transmat_prior))
        )
        of_emission = {name: given[name] for name in self._letters().values() if name in given}
        return HiddenMarkovModel(
            n_states,
            self._family(tuple(name for name in self._letters().values() if name in fixed)),
            chain=Markov(start, transitions),
            start=Start(
                chain={name.rstrip("_"): given[name] for name in even if name in given},
                emission=self._start_of_emission(of_emission),
            ),
            is_emission_fixed=set(self._letters().values()) <= fixed,
        )

    def _all_letters(self) -> dict[str, str]:
        return {"s": "startprob_", "t": "transmat_"} | dict(self._letters())


def fitted(model: HiddenMarkovModel, data: Sequences, **settings: Any) -> EMResult[Any]:
    """Return the fit, or the best point before the objective fell."""
    try:
        return fit(model, data, **settings)
    except LikelihoodDecreasedError as error:
        result: EMResult[Any] = error.result
        return result

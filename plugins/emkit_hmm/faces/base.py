"""How a face with hmmlearn's interface is fitted: settings in, attributes out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from emkit import Tolerance
from emkit.acceleration import Accelerator
from emkit.arrays import as_array, whole_number
from emkit.errors import NotFittedError
from emkit_hmm.chains.markov import Markov, MarkovParams
from emkit_hmm.chains.pattern import Pattern
from emkit_hmm.chains.stationary import stationary_distribution
from emkit_hmm.faces.fitting import fit_with_settings, in_words_of
from emkit_hmm.faces.monitor import ConvergenceMonitor
from emkit_hmm.faces.settings import (
    PROBABILITIES,
    Axes,
    as_probabilities,
    check_letters,
    check_prior,
    check_shape,
    pattern_of,
    warn_of_unused,
    with_zeros_kept,
)
from emkit_hmm.faces.telling import TellingFace
from emkit_hmm.model import HiddenMarkovModel
from emkit_hmm.params import HiddenMarkovParams
from emkit_hmm.sequences import as_sequences
from emkit_hmm.starts import StartingPoint

Array = NDArray[np.float64]


class HiddenMarkovFace(TellingFace):
    """Base of the faces; a face writes its parameters, its family, and how params and attributes correspond.

    Attributes may be set by hand: all of them, to use a model that is known; or those whose letter is left out of
    ``init_params``, to start a fit there. Zeros in a start stay zeros, and are not counted as parameters.

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

    startprob_: Any
    transmat_: Any

    #: The attributes as the last fit left them.
    _left_by_fit: Mapping[str, Array] = MappingProxyType({})

    @abstractmethod
    def _letters(self) -> Mapping[str, str]:
        """Return the attribute that each letter of ``params`` and ``init_params`` stands for, in the emissions."""

    @abstractmethod
    def _fields(self) -> Mapping[str, str]:
        """Return the field of the emissions' params, dotted if nested, that each of those attributes stands for."""

    @abstractmethod
    def _axes(self, name: str, n_axes: int) -> Axes:
        """Return the lengths of the axes of such an attribute, "n_features" or another name where any will do.

        ``n_axes`` is how many it has, for attributes that may have more than one form.
        """

    @abstractmethod
    def _family(self, fixed: tuple[str, ...]) -> Any:
        """Return the family of the emissions; ``fixed`` names the attributes that are not to be estimated."""

    @abstractmethod
    def _emission_params(self) -> Any:
        """Return the params of the emissions that the attributes make."""

    @abstractmethod
    def _adopt(self, emission: Any) -> None:
        """Set the attributes that params of the emissions make."""

    def fit(self, X: Any, lengths: Any = None, sample_weight: Any = None, states: Any = None) -> Self:
        """Fit by maximum likelihood, or to the highest posterior where there are priors.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The sequences, one after the other. A row of NaN is a step at which nothing was observed. Or, without any
            of the other arguments, a list of matrices or :class:`Sequences`.
        lengths : (n_sequences,), optional
            How long each sequence is; one sequence by default.
        sample_weight : (n_sequences,), optional
            How often each sequence counts.
        states : (n_samples,), optional
            Known states, -1 or masked where unknown.
        """
        with self._all_or_nothing():
            letters = self._all_letters()
            check_letters(self.params, "params", letters)
            check_letters(self.init_params, "init_params", letters)
            data = as_sequences(X, lengths=lengths, weights=sample_weight, states=states)
            data = self._data_to_fit(data)
            self._check_columns(data.x)
            warn_of_unused(self, letters, self._left_by_fit)
            model = self._model_to_fit()
            self._fixed_at_fit = self._fixed()
            is_free = set(letters) <= set(self.init_params) and data.states is None
            result = fit_with_settings(
                self, model, data, has_names=not (is_free and self._are_priors_alike()), words=self.words()
            )
            self.result_ = result
            self.model_ = model
            self.startprob_ = np.array(result.params.chain.startprob)
            self.transmat_ = np.array(result.params.chain.transmat)
            self._adopt(result.params.emission)
            self.monitor_ = ConvergenceMonitor.of(result, self.tol, self.n_iter, verbose=bool(self.verbose))
            self._left_by_fit = {name: np.array(getattr(self, name)) for name in letters.values()}
        return self

    def model_and_params(self) -> tuple[HiddenMarkovModel, HiddenMarkovParams]:
        """Return a model and the params that the attributes make, fitted or set by hand: for what the core offers."""
        self._check_is_fitted()
        for name in ("startprob_", "transmat_", *self._letters().values()):
            if not hasattr(self, name):
                msg = f"{name} is missing: call fit, or set it by hand."
                raise NotFittedError(msg)
        chain = MarkovParams(self._checked("startprob_"), self._checked("transmat_"))
        params = HiddenMarkovParams(chain, self._emission_params())
        model = self._model_of(chain)
        with in_words_of(self.words()):
            model.check(params)
        return model, params

    def get_stationary_distribution(self) -> Array:
        """Return the distribution of states that transitions leave as it is, (n_components,)."""
        self._check_is_fitted()
        return stationary_distribution(self._checked("transmat_"))

    def _model_of(self, chain: MarkovParams) -> HiddenMarkovModel:
        """Return the model that the attributes make now: what the fit held fixed, zeros among it, still is."""
        n_states, fixed = len(chain.startprob), getattr(self, "_fixed_at_fit", frozenset[str]())
        fitted: Any = self.model_.chain if hasattr(self, "model_") and self.model_.n_states == n_states else None
        start = pattern_of(chain.startprob, fitted and fitted.start, is_fixed="startprob_" in fixed)
        transitions = pattern_of(chain.transmat, fitted and fitted.transitions, is_fixed="transmat_" in fixed)
        names = list(self._letters().values())
        return HiddenMarkovModel(
            n_states,
            self._family(tuple(name for name in names if name in fixed)),
            chain=Markov(start, transitions),
            is_emission_fixed=set(names) <= fixed,
        )

    def _model_to_fit(self) -> HiddenMarkovModel:
        """Return the model that the settings describe, starting from attributes that were set by hand."""
        letters = self._all_letters()
        # As in hmmlearn, what is not there is initialised from the data after all.
        names = [name for a, name in letters.items() if a not in self.init_params and hasattr(self, name)]
        given = {name: self._checked(name) for name in names}
        fixed = self._fixed()
        n_states = whole_number(self.n_components, "n_components")
        even = {"startprob_": np.full(n_states, 1 / n_states), "transmat_": np.full((n_states, n_states), 1 / n_states)}
        start, transitions = (
            Pattern(
                given.get(name, even[name]) if name in fixed else with_zeros_kept(given.get(name)),
                check_prior(prior, f"{name}prior", even[name].shape),
            )
            for name, prior in (("startprob_", self.startprob_prior), ("transmat_", self.transmat_prior))
        )
        return HiddenMarkovModel(
            n_states,
            self._family(tuple(name for name in self._letters().values() if name in fixed)),
            chain=Markov(start, transitions),
            start=StartingPoint(
                chain={name.rstrip("_"): given[name] for name in even if name in given},
                emission={field: self._stored(name) for name, field in self._fields().items() if name in given},
            ),
            is_emission_fixed=set(self._letters().values()) <= fixed,
        )

    def _all_letters(self) -> dict[str, str]:
        return {"s": "startprob_", "t": "transmat_"} | dict(self._letters())

    def _fixed(self) -> frozenset[str]:
        """Return the attributes that are not to be estimated."""
        return frozenset(name for letter, name in self._all_letters().items() if letter not in self.params)

    def _are_priors_alike(self) -> bool:
        """Return whether priors treat all states alike, so that these may change places."""
        priors = (value for name, value in self.get_params().items() if name.endswith(("_prior", "_weight")))
        return all(np.ndim(value) == 0 for value in priors)

    def words(self) -> dict[str, str]:
        """Return the attribute that each field of the params is here, for messages."""
        chain = {"chain.startprob": "startprob_", "chain.transmat": "transmat_"}
        return chain | {f"emission.{field}": name for name, field in self._fields().items()}

    def _checked(self, name: str) -> Array:
        """Return an attribute as an array; ValueError, by its name, if it is none or has another shape."""
        n_states, array = whole_number(self.n_components, "n_components"), as_array(getattr(self, name), name)
        of_chain: dict[str, Axes] = {"startprob_": (n_states,), "transmat_": (n_states, n_states)}
        array = check_shape(array, name, of_chain[name] if name in of_chain else self._axes(name, array.ndim))
        return as_probabilities(array, name) if name in PROBABILITIES else array

    def _stored(self, name: str) -> Array:
        """Return an attribute of the emissions in the form that their params have."""
        return self._checked(name)

    def _columns_of(self, name: str) -> int | None:
        """Return how many columns an attribute of the emissions is for, None if it does not tell."""
        array = self._checked(name)
        axes = self._axes(name, array.ndim)
        return array.shape[axes.index("n_features")] if "n_features" in axes else None

    def _n_columns(self) -> int | None:
        """Return how many columns data have: as attributes have it, or as fitted; None if nothing tells."""
        told = (self._columns_of(name) for name in self._letters().values() if hasattr(self, name))
        return next((number for number in told if number is not None), getattr(self, "n_features_in_", None))

    def _check_columns(self, x: Array) -> None:
        """Raise unless data of ``fit`` have the columns that attributes set by hand ask for."""
        for letter, name in self._letters().items():
            told = self._columns_of(name) if letter not in self.init_params and hasattr(self, name) else None
            if told is not None and told != x.shape[1]:
                msg = f"X has {x.shape[1]} features, but {name}, where the fit starts, is for {told}."
                raise ValueError(msg)

"""What a fitted face tells: hmmlearn's methods, and those that its users have asked for."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit import EMResult
from emkit.arrays import as_array, one_of
from emkit.errors import NotFittedError
from emkit.estimator import Estimator, rng_of
from emkit_hmm.chains.markov import MarkovParams
from emkit_hmm.chains.stationary import stationary_distribution
from emkit_hmm.inference import decoding, filtering
from emkit_hmm.model import HiddenMarkovModel
from emkit_hmm.params import HiddenMarkovParams
from emkit_hmm.sequences import Sequences

Array = NDArray[np.float64]
Integers = NDArray[np.intp]

ALGORITHMS = ("viterbi", "map")


class TellingFace(Estimator):
    """Base of the faces, without ``fit``: everything is computed from the attributes, fitted or set by hand."""

    algorithm: str
    random_state: Any
    startprob_: Any
    transmat_: Any
    result_: EMResult[Any]

    _allow_nan: ClassVar[bool] = True

    @abstractmethod
    def _family(self, fixed: tuple[str, ...]) -> Any:
        """Return the family of the emissions; ``fixed`` names the attributes that are not to be estimated."""

    @abstractmethod
    def _emission_params(self) -> Any:
        """Return the params of the emissions that the attributes make."""

    @abstractmethod
    def _letters(self) -> Mapping[str, str]:
        """Return the attribute that each letter of ``params`` and ``init_params`` stands for, in the emissions."""

    def model_and_params(self) -> tuple[HiddenMarkovModel, HiddenMarkovParams]:
        """Return a model and the params that the attributes make, fitted or set by hand: for what the core offers."""
        self._check_is_fitted()
        for name in ("startprob_", "transmat_", *self._letters().values()):
            if not hasattr(self, name):
                msg = f"{name} is missing: call fit, or set it by hand."
                raise NotFittedError(msg)
        chain = MarkovParams(as_array(self.startprob_, "startprob_"), as_array(self.transmat_, "transmat_"))
        model = HiddenMarkovModel(len(chain.startprob), self._family(()))
        params = HiddenMarkovParams(chain, self._emission_params())
        model.check(params)
        return model, params

    def _sequences(self, X: Any, lengths: Any) -> Sequences:
        return Sequences(self._check_input(X), lengths)

    def decode(self, X: Any, lengths: Any = None, algorithm: str | None = None) -> tuple[float, Integers]:
        """Return the most probable states, and the logarithm of the probability of them and the data together.

        Parameters
        ----------
        algorithm : {"viterbi", "map"}, optional
            The most probable path of each sequence, or at each step the most probable state. The second kind may be
            a path that cannot be: its logarithm is then ``-inf``.
        """
        kind = one_of(algorithm or self.algorithm, "algorithm", ALGORITHMS)
        model, params = self.model_and_params()
        data = model.prepare(self._sequences(X, lengths))
        if kind == "viterbi":
            states, log_joint = decoding.viterbi(model, params, data)
        else:
            states = np.argmax(model.posterior(params, data), axis=1)
            log_joint = decoding.log_joint(model, params, data, states)
        return float(log_joint.sum()), states

    def predict(self, X: Any, lengths: Any = None) -> Integers:
        """Return the most probable state of every row, by ``algorithm``; shape (n_samples,)."""
        return self.decode(X, lengths)[1]

    def predict_proba(self, X: Any, lengths: Any = None) -> Array:
        """Return ``P(state k | the whole sequence)`` of every row, (n_samples, n_components)."""
        return self.score_samples(X, lengths)[1]

    def score(self, X: Any, lengths: Any = None) -> float:
        """Return the log-likelihood of the data, in nats, summed over sequences."""
        model, params = self.model_and_params()
        return float(model.log_likelihoods(params, self._sequences(X, lengths)).sum())

    def score_samples(self, X: Any, lengths: Any = None) -> tuple[float, Array]:
        """Return the log-likelihood, and ``P(state k | the whole sequence)`` of every row."""
        model, params = self.model_and_params()
        data = model.prepare(self._sequences(X, lengths))
        found = model.chain.posterior(params.chain, model.log_emission(params, data), data)
        return float(found.log_likelihoods.sum()), found.smoothed

    def filter(self, X: Any, lengths: Any = None) -> Array:
        """Return ``P(state k at t | rows up to t)``: nothing of the future, (n_samples, n_components)."""
        model, params = self.model_and_params()
        return filtering.filtered(model, params, self._sequences(X, lengths))

    def forecast(self, X: Any, lengths: Any = None, steps: int = 1) -> tuple[Array, Array]:
        """Return what follows the end of every sequence.

        Returns
        -------
        states : (n_sequences, steps, n_components)
            Their probabilities.
        means : (n_sequences, steps, n_features)
            Expected observations.
        """
        model, params = self.model_and_params()
        data = model.prepare(self._sequences(X, lengths))
        return (
            filtering.predicted_states(model, params, data, steps),
            filtering.predicted_means(model, params, data, steps),
        )

    def sample(
        self, n_samples: int = 1, random_state: Any = None, currstate: int | None = None
    ) -> tuple[Array, Integers]:
        """Return one sequence and its states.

        Parameters
        ----------
        currstate : int, optional
            The state it starts in.
        """
        model, params = self.model_and_params()
        if currstate is not None:
            params = attrs.evolve(params, chain=attrs.evolve(params.chain, startprob=np.eye(model.n_states)[currstate]))
        rng = np.random.default_rng(rng_of(self.random_state if random_state is None else random_state))
        return model.sample_with_states(params, n_samples, rng)

    def aic(self, X: Any, lengths: Any = None) -> float:
        """Return Akaike's criterion on ``X``; smaller is better. Structural zeros and fixed values are not counted."""
        return -2 * self.score(X, lengths) + 2 * self._n_parameters()

    def bic(self, X: Any, lengths: Any = None) -> float:
        """Return Schwarz's criterion on ``X``; smaller is better."""
        model, _ = self.model_and_params()
        n_observations = model.prepare(self._sequences(X, lengths)).n_observations
        return -2 * self.score(X, lengths) + self._n_parameters() * float(np.log(n_observations))

    def _n_parameters(self) -> int:
        if hasattr(self, "result_"):
            return int(self.result_.n_parameters)
        model, params = self.model_and_params()
        return model.n_free(params)

    def get_stationary_distribution(self) -> Array:
        """Return the distribution of states that transitions leave as it is, (n_components,)."""
        return stationary_distribution(as_array(self.transmat_, "transmat_"))

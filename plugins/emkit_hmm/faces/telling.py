"""What a fitted face tells: hmmlearn's methods, and those that its users have asked for."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit import EMResult
from emkit.arrays import as_matrix, one_of
from emkit.errors import DegenerateError
from emkit.estimator import Estimator
from emkit_hmm.faces import paths
from emkit_hmm.faces.fitting import source_of
from emkit_hmm.inference import decoding, filtering, residuals, sampling
from emkit_hmm.model import HiddenMarkovModel
from emkit_hmm.params import HiddenMarkovParams
from emkit_hmm.prepared import PreparedSequences
from emkit_hmm.sequences import as_sequences

Array = NDArray[np.float64]
Integers = NDArray[np.intp]

ALGORITHMS = ("viterbi", "map")


class TellingFace(Estimator):
    """Base of the faces, without ``fit``: everything is computed from a model and its params.

    Data are ``X`` of shape (n_samples, n_features) with ``lengths`` (n_sequences,), as in hmmlearn; or, without
    lengths, a list of such matrices, one for each sequence, or :class:`Sequences`.
    """

    algorithm: str
    random_state: Any
    result_: EMResult[Any]

    _allow_nan: ClassVar[bool] = True
    #: Whether samples are whole numbers.
    _samples_integers: ClassVar[bool] = False

    @abstractmethod
    def model_and_params(self) -> tuple[HiddenMarkovModel, HiddenMarkovParams]:
        """Return the model and its params: for what the core and :mod:`emkit_hmm` offer."""

    @abstractmethod
    def _n_columns(self) -> int | None:
        """Return how many columns data must have, None if nothing tells."""

    def decode(self, X: Any, lengths: Any = None, algorithm: str | None = None) -> tuple[float, Integers]:
        """Return the most probable states, and the logarithm of the probability of them and the data together.

        Parameters
        ----------
        algorithm : {"viterbi", "map"}, optional
            The most probable path of each sequence, or at each step the most probable state. The second kind may be
            a path that cannot be: its logarithm is then ``-inf``. (hmmlearn gives the sum of posterior maxima there.)
        """
        kind = one_of(algorithm or self.algorithm, "algorithm", ALGORITHMS)
        model, params, data = self._asked(X, lengths)
        if kind == "viterbi":
            states, log_joint = decoding.viterbi(model, params, data)
        else:
            states = np.argmax(model.posterior(params, data), axis=1)
            log_joint = decoding.log_joint(model, params, data, states)
        return float(log_joint.sum()), states

    def decode_k_best(self, X: Any, k: int) -> tuple[Array, Integers]:
        """Return the k most probable paths of one sequence, best first.

        Returns
        -------
        log_joint : (k,)
            The logarithm of the probability of each path and the data together; fewer if there are fewer paths.
        states : (k, n_samples)
        """
        states, log_joint = decoding.k_best(*self._asked(X, None), k)
        return log_joint, states

    def predict(self, X: Any, lengths: Any = None) -> Integers:
        """Return the most probable state of every row, by ``algorithm``; shape (n_samples,)."""
        kind = one_of(self.algorithm, "algorithm", ALGORITHMS)
        model, params, data = self._asked(X, lengths)
        if kind == "viterbi":
            return decoding.viterbi(model, params, data)[0]
        likeliest: Integers = np.argmax(model.posterior(params, data), axis=1)
        return likeliest

    def predict_proba(self, X: Any, lengths: Any = None) -> Array:
        """Return ``P(state k | the whole sequence)`` of every row, (n_samples, n_components)."""
        return self.score_samples(X, lengths)[1]

    def score(self, X: Any, lengths: Any = None) -> float:
        """Return the log-likelihood of the data, in nats, summed over sequences."""
        model, params, data = self._asked(X, lengths)
        return float(model.log_likelihoods(params, data).sum())

    def score_samples(self, X: Any, lengths: Any = None) -> tuple[float, Array]:
        """Return the log-likelihood, and ``P(state k | the whole sequence)`` of every row."""
        model, params, data = self._asked(X, lengths)
        found = model.chain.posterior(params.chain, model.log_emission(params, data), data)
        return float(found.log_likelihoods.sum()), found.smoothed

    def filter(self, X: Any, lengths: Any = None) -> Array:
        """Return ``P(state k at t | rows up to t)``: nothing of the future, (n_samples, n_components)."""
        return filtering.filtered(*self._asked(X, lengths))

    def smooth_with_lag(self, X: Any, lengths: Any = None, lag: int = 1) -> Array:
        """Return ``P(state k at t | rows up to t + lag)`` of every row, (n_samples, n_components)."""
        return filtering.smoothed_with_lag(*self._asked(X, lengths), lag)

    def forecast(self, X: Any, lengths: Any = None, steps: int = 1, covariates: Any = None) -> tuple[Array, Array]:
        """Return what follows the end of every sequence.

        Parameters
        ----------
        steps : int
            How far.
        covariates : (n_sequences, steps, n_covariates), optional
            Of the steps to come, where transitions depend on any; (steps, n_covariates) of one sequence.

        Returns
        -------
        states : (n_sequences, steps, n_components)
            Their probabilities.
        means : (n_sequences, steps, n_features)
            Expected observations.
        """
        asked = self._asked(X, lengths)
        return (
            filtering.predicted_states(*asked, steps, covariates),
            filtering.predicted_means(*asked, steps, covariates),
        )

    def pseudo_residuals(self, X: Any, lengths: Any = None, kind: str = "ordinary") -> residuals.PseudoResiduals:
        """Return normal quantiles of the observations of one column; see :func:`emkit_hmm.pseudo_residuals`.

        Parameters
        ----------
        kind : {"ordinary", "forecast"}
            Given all other rows of the sequence, or given the rows before.
        """
        return residuals.pseudo_residuals(*self._asked(X, lengths), kind)

    def sample_paths(self, X: Any, lengths: Any = None, n: int = 1, random_state: Any = None) -> Integers:
        """Return ``n`` draws of the states of all rows from ``P(path | data)``, shape (n, n_samples)."""
        return sampling.sample_paths(*self._asked(X, lengths), n, self._rng(random_state))

    def sample(
        self,
        n_samples: int | None = None,
        random_state: Any = None,
        currstate: int | None = None,
        covariates: Any = None,
    ) -> tuple[NDArray[Any], Integers]:
        """Return one sequence and its states.

        Parameters
        ----------
        n_samples : int, optional
            How long it is: 1 by default, or as long as ``covariates``.
        currstate : int, optional
            The state it starts in.
        covariates : (n_samples, n_covariates), optional
            Of every step, where transitions depend on any.

        Returns
        -------
        X : (n_samples, n_features)
            Whole numbers where the emissions are counts or symbols.
        states : (n_samples,)
        """
        model, params = self.model_and_params()
        x, states = paths.drawn(
            model, params, n_samples, self._rng(random_state), currstate=currstate, covariates=covariates
        )
        return (x.astype(np.int64) if self._samples_integers else x), states

    def aic(self, X: Any, lengths: Any = None) -> float:
        """Return Akaike's criterion on ``X``; smaller is better. Structural zeros and fixed values are not counted."""
        return -2 * self.score(X, lengths) + 2 * self._n_parameters()

    def bic(self, X: Any, lengths: Any = None) -> float:
        """Return Schwarz's criterion on ``X``; smaller is better."""
        model, params, data = self._asked(X, lengths)
        if not data.n_observations > 0:
            msg = "Nothing was observed, so there is no penalty by the number of rows: every row of X is missing."
            raise DegenerateError(msg)
        log_likelihood = float(model.log_likelihoods(params, data).sum())
        return -2 * log_likelihood + self._n_parameters() * float(np.log(data.n_observations))

    def _n_parameters(self) -> int:
        model, params = self.model_and_params()
        if hasattr(self, "result_") and params is self.result_.params:
            # Of fields that declare no space, the fit has found out which are free.
            return int(self.result_.n_parameters)
        return model.n_free(params)

    def _asked(self, X: Any, lengths: Any) -> tuple[HiddenMarkovModel, HiddenMarkovParams, PreparedSequences]:
        """Return the model, its params and the data checked, for a question about the data."""
        model, params = self.model_and_params()
        given = as_sequences(X, lengths=lengths)
        return model, params, model.prepare(attrs.evolve(given, x=self._columns(given.x)))

    def _columns(self, x: Any) -> Array:
        """Return a matrix whose columns are those of ``fit``, or of the attributes that were set by hand."""
        expected = self._n_columns()
        if getattr(self, "n_features_in_", None) == expected is not None:
            return self._check_input(x)
        matrix = as_matrix(x, estimator=type(self).__name__, allow_nan=True)
        if expected is not None and matrix.shape[1] != expected:
            msg = f"X has {matrix.shape[1]} features, but {type(self).__name__} is expecting {expected}."
            raise ValueError(msg)
        return matrix

    def _rng(self, random_state: Any) -> np.random.Generator:
        return np.random.default_rng(source_of(self.random_state if random_state is None else random_state))

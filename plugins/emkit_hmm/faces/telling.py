"""What a fitted face tells: hmmlearn's methods, and those that its users have asked for."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit import EMResult
from emkit.arrays import as_matrix, one_of
from emkit.errors import DegenerateError, MissingCapabilityError
from emkit.estimator import Estimator
from emkit_hmm.faces import paths
from emkit_hmm.faces.fitting import source_of
from emkit_hmm.faces.paths import has_whole_rows, warn_of_impossible
from emkit_hmm.inference import decoding, filtering, residuals, sampling
from emkit_hmm.model import HiddenMarkovModel
from emkit_hmm.params import HiddenMarkovParams
from emkit_hmm.prepared import PreparedSequences
from emkit_hmm.sequences import Sequences, as_sequences

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
            states = _likeliest(model.posterior(params, data))
            log_joint = decoding.log_joint(model, params, data, states)
        return data.total(log_joint), states

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
        if kind == "map":
            found = model.paths(params, data)
            warn_of_impossible(found.log_likelihoods, type(self).__name__)
            return _likeliest(found.smoothed)
        states, log_joint = decoding.viterbi(model, params, data)
        warn_of_impossible(log_joint, type(self).__name__)
        return states

    def predict_proba(self, X: Any, lengths: Any = None) -> Array:
        """Return ``P(state k | the whole sequence)`` of every row, (n_samples, n_components)."""
        model, params, data = self._asked(X, lengths)
        found = model.paths(params, data)
        warn_of_impossible(found.log_likelihoods, type(self).__name__)
        return found.smoothed

    def score(self, X: Any, lengths: Any = None) -> float:
        """Return the log-likelihood of the data, in nats, summed over sequences, each as often as its weight says."""
        return self.score_samples(X, lengths)[0]

    def score_samples(self, X: Any, lengths: Any = None) -> tuple[float, Array]:
        """Return the log-likelihood, and ``P(state k | the whole sequence)`` of every row."""
        model, params, data = self._asked(X, lengths)
        found = model.paths(params, data)
        return data.total(found.log_likelihoods), found.smoothed

    def filter(self, X: Any, lengths: Any = None) -> Array:
        """Return ``P(state k at t | rows up to t)``: nothing of the future, (n_samples, n_components)."""
        return filtering.filtered(*self._asked(X, lengths))

    def smooth_with_lag(self, X: Any, lengths: Any = None, lag: int = 1) -> Array:
        """Return ``P(state k at t | rows up to t + lag)`` of every row, (n_samples, n_components)."""
        return filtering.smoothed_with_lag(*self._asked(X, lengths), lag)

    def forecast(
        self, X: Any, lengths: Any = None, steps: int = 1, covariates: Any = None
    ) -> tuple[Array, Array | None]:
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
            Expected observations; None where these have no mean.
        """
        asked = self._asked(X, lengths)
        states = filtering.predicted_states(*asked, steps, covariates)
        try:
            return states, filtering.predicted_means(*asked, steps, covariates)
        except MissingCapabilityError:
            return states, None

    def pseudo_residuals(self, X: Any, lengths: Any = None, kind: str = "ordinary") -> residuals.PseudoResiduals:
        """Return normal quantiles of the observations of one column; see :func:`emkit_hmm.pseudo_residuals`.

        Parameters
        ----------
        kind : {"ordinary", "forecast"}
            Given all other rows of the sequence, or given the rows before.
        """
        model, params, data = self._asked(X, lengths)
        warn_of_impossible(model.log_likelihoods(params, data), type(self).__name__)
        return residuals.pseudo_residuals(model, params, data, kind)

    def sample_paths(self, X: Any, lengths: Any = None, n: int = 1, random_state: Any = None) -> Integers:
        """Return ``n`` draws of the states of all rows from ``P(path | data)``, shape (n, n_samples)."""
        model, params, data = self._asked(X, lengths)
        warn_of_impossible(model.log_likelihoods(params, data), type(self).__name__)
        return sampling.sample_paths(model, params, data, n, self._rng(random_state))

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
        return (x.astype(np.int64) if has_whole_rows(model.emission) else x), states

    def aic(self, X: Any, lengths: Any = None) -> float:
        """Return Akaike's criterion on ``X``; smaller is better. Structural zeros and fixed values are not counted."""
        return -2 * self.score(X, lengths) + 2 * self._n_parameters()

    def bic(self, X: Any, lengths: Any = None) -> float:
        """Return Schwarz's criterion on ``X``; smaller is better."""
        model, params, data = self._asked(X, lengths)
        if not data.n_observations > 0:
            msg = "Nothing was observed, so there is no penalty by the number of rows: every row of X is missing."
            raise DegenerateError(msg)
        penalty = self._n_parameters() * float(np.log(data.n_observations))
        return -2 * data.total(model.log_likelihoods(params, data)) + penalty

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
        return model, params, model.prepare(attrs.evolve(given, x=self._columns(given)))

    def _data_to_fit(self, given: Sequences) -> Sequences:
        """Return data of ``fit`` with rows as a matrix, and note how many columns they have and what these are called.

        Of a list of data frames the names are those of all of them.
        """
        names, x = given.column_names(), self._check_fit_input(given.x)
        if names is not None:
            self.feature_names_in_ = names
        return attrs.evolve(given, x=x)

    def _columns(self, given: Sequences) -> Array:
        """Return a matrix whose columns are those of ``fit``, or of the attributes that were set by hand."""
        expected = self._n_columns()
        if getattr(self, "n_features_in_", None) == expected is not None:
            self._check_names(given.column_names())
        matrix = as_matrix(given.x, estimator=type(self).__name__, allow_nan=True)
        if expected is not None and matrix.shape[1] != expected:
            found, name = matrix.shape[1], type(self).__name__
            msg = f"X has {found} features, but {name} is expecting {expected} features as input."
            raise ValueError(msg)
        return matrix

    def _rng(self, random_state: Any) -> np.random.Generator:
        return np.random.default_rng(source_of(self.random_state if random_state is None else random_state))


def _likeliest(smoothed: Array) -> Integers:
    """Return the state of highest posterior probability at every row, (n_samples,)."""
    likeliest: Integers = np.argmax(smoothed, axis=1)
    return likeliest

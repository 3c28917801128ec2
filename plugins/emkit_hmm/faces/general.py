"""A face for any family of emissions and any chain."""

from __future__ import annotations

from typing import Any, Self

import attrs

from emkit import Tolerance
from emkit.acceleration import Accelerator
from emkit.arrays import whole_number
from emkit.families import Family
from emkit_hmm.chains.base import Chain
from emkit_hmm.faces import paths
from emkit_hmm.faces.fitting import fit_with_settings
from emkit_hmm.faces.monitor import ConvergenceMonitor
from emkit_hmm.faces.telling import Array, TellingFace
from emkit_hmm.model import HiddenMarkovModel
from emkit_hmm.params import HiddenMarkovParams
from emkit_hmm.sequences import as_sequences
from emkit_hmm.starts import StartingPoint


@attrs.define(slots=False, eq=False, repr=False)
class HMM(TellingFace):
    """A hidden Markov model over any family of emissions and any chain, with the methods of hmmlearn's classes.

    Parameters
    ----------
    n_components : int
        Number of states.
    emission : Family, optional
        What is observed in each state, such as ``emkit.families.Poisson()``; ``Gaussian()`` by default.
    chain : Chain, optional
        The law of the states: :class:`Markov` (the default), :class:`Stationary`, :class:`Logit` or
        :class:`SemiMarkov`.
    ties : sequence of int, optional
        The number of the distribution that each state emits from; states with the same number share it.
    start : StartingPoint or {"kmeans", "k-means++", "random", "random_from_data"}, optional
        How rows are divided among the states at the start, and what starts at given values; by default as in
        :class:`HiddenMarkovModel`: "kmeans", for regressions "random".
    is_emission_fixed : bool
        Whether only the chain is estimated.
    algorithm : {"viterbi", "map"}
        How ``predict`` and ``decode`` choose states.
    random_state : int, Generator, RandomState or None
        None takes numpy's global generator, which ``np.random.seed`` sets.
    n_iter : int
        Largest number of passes over the data, for each start.
    tol : float or Tolerance
        Largest objective, in nats, that is left to be gained when a fit counts as converged.
    verbose : bool
        Whether to show progress.
    n_init : int
        Number of starts; the best one counts.
    accelerate : str, Accelerator or None
        As in :func:`emkit.fit`; None is plain EM.

    Attributes
    ----------
    params_ : HiddenMarkovParams
        ``params_.chain`` and ``params_.emission``, each with the fields of its kind.
    model_ : HiddenMarkovModel
    monitor_ : ConvergenceMonitor
    result_ : EMResult
        The fit itself: status, notes, starts, standard errors.

    Examples
    --------
    >>> from emkit import datasets
    >>> from emkit.families import Poisson
    >>> from emkit_hmm import HMM, Stationary
    >>> X = datasets.earthquakes().values
    >>> hmm = HMM(2, Poisson(), Stationary(), random_state=0).fit(X)
    >>> round(-hmm.score(X), 4)
    342.3183
    >>> hmm.params_.chain.transmat.shape
    (2, 2)
    >>> states, means = hmm.forecast(X, steps=3)
    >>> states.shape, means.shape
    ((1, 3, 2), (1, 3, 1))
    """

    n_components: int = 1
    emission: Family[Any] | None = None
    chain: Chain[Any] | None = None
    ties: Any = attrs.field(default=None, kw_only=True)
    start: StartingPoint | str | None = attrs.field(default=None, kw_only=True)
    is_emission_fixed: bool = attrs.field(default=False, kw_only=True)
    algorithm: str = attrs.field(default="viterbi", kw_only=True)
    random_state: Any = attrs.field(default=None, kw_only=True)
    n_iter: int = attrs.field(default=1000, kw_only=True)
    tol: float | Tolerance = attrs.field(default=1e-6, kw_only=True)
    verbose: bool = attrs.field(default=False, kw_only=True)
    n_init: int = attrs.field(default=1, kw_only=True)
    accelerate: str | Accelerator | None = attrs.field(default="auto", kw_only=True)

    def fit(
        self, X: Any, lengths: Any = None, sample_weight: Any = None, states: Any = None, covariates: Any = None
    ) -> Self:
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
        states : (n_samples,) or (n_samples, n_components), optional
            Known states, -1 or masked where unknown; or a log-prior of each state at each step.
        covariates : (n_samples, n_covariates), optional
            Of the transitions, where the chain has any; then every question about data needs them too, so ask it with
            :class:`Sequences`.
        """
        with self._all_or_nothing():
            data = as_sequences(X, lengths=lengths, weights=sample_weight, states=states, covariates=covariates)
            data = self._data_to_fit(data)
            model = self._model()
            has_names = data.states is not None or bool(model.start.chain or model.start.emission)
            result = fit_with_settings(self, model, data, has_names=has_names)
            self.result_ = result
            self.model_ = model
            self.params_: HiddenMarkovParams = result.params
            self.monitor_ = ConvergenceMonitor.of(result, self.tol, self.n_iter, verbose=bool(self.verbose))
        return self

    def model_and_params(self) -> tuple[HiddenMarkovModel, HiddenMarkovParams]:
        """Return the model and its params: for what the core and :mod:`emkit_hmm` offer."""
        self._check_is_fitted()
        model = self.model_ if hasattr(self, "model_") else self._model()
        if not hasattr(self, "result_") or self.params_ is not self.result_.params:
            # Somebody has set them.
            model.check(self.params_)
        return model, self.params_

    def get_stationary_distribution(self, covariates: Any = None) -> Array:
        """Return the share of time that is spent in each state in the long run, (n_components,).

        Parameters
        ----------
        covariates : (n_covariates,), optional
            Of every step, where transitions depend on any.
        """
        return paths.long_run(*self.model_and_params(), covariates)

    def _model(self) -> HiddenMarkovModel:
        # What is None follows the model's own default.
        given: dict[str, Any] = {"emission": self.emission, "chain": self.chain, "start": self.start}
        return HiddenMarkovModel(
            whole_number(self.n_components, "n_components"),
            ties=self.ties,
            is_emission_fixed=self.is_emission_fixed,
            **{name: value for name, value in given.items() if value is not None},
        )

    def _n_columns(self) -> int | None:
        return getattr(self, "n_features_in_", None)

"""Gaussian emissions with the interface of ``hmmlearn.hmm.GaussianHMM``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit import Tolerance
from emkit.acceleration import Accelerator
from emkit.arrays import share
from emkit.families import CovarianceStructure, Gaussian, GaussianParams, as_structure
from emkit_hmm.faces.columns import ColumnsFace
from emkit_hmm.faces.covariances import gaussian_params, gaussian_prior, stored_covariances
from emkit_hmm.faces.settings import Axes
from emkit_hmm.model import HiddenMarkovModel

Array = NDArray[np.float64]


@attrs.define(slots=False, eq=False, repr=False)
class GaussianHMM(ColumnsFace):
    """A hidden Markov model with Gaussian emissions and the interface of ``hmmlearn.hmm.GaussianHMM``.

    Beyond that class it takes missing observations (whole rows or single cells), weights of sequences and known states,
    climbs exactly what it reports, works in any units, starts several times, and keeps the whole fit in ``result_``.

    Parameters
    ----------
    n_components : int
        Number of states.
    covariance_type : {"diag", "full", "spherical", "tied"} or CovarianceStructure
    min_covar : float
        Smallest eigenvalue of a covariance, as a share of the variances of the data; hmmlearn's is an absolute number.
    startprob_prior, transmat_prior : float or array
        Concentrations of Dirichlet priors, at least 1; 1 is none.
    means_prior, means_weight, covars_prior, covars_weight : float or array
        Normal and inverse gamma (inverse Wishart) priors, as in hmmlearn, where some are on by default; here none is.
        They are part of the objective.
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
    params : str
        What is estimated: ``s`` startprob, ``t`` transmat, ``m`` means, ``c`` covars. The rest keeps its start.
    init_params : str
        What is initialised from the data. The rest starts at what was set by hand, or fitted before, if anything was.
    implementation : str
        Accepted for compatibility.
    n_init : int
        Number of starts; the best one counts.
    accelerate : str, Accelerator or None
        As in :func:`emkit.fit`; None is plain EM.

    Attributes
    ----------
    startprob_ : (n_components,)
    transmat_ : (n_components, n_components)
    means_ : (n_components, n_features)
    covars_ : (n_components, n_features, n_features)
        Always matrices. They may be set as such, or in the shape of the covariance type: (n_components,) spherical,
        (n_components, n_features) diag, (n_features, n_features) tied.
    n_features : int
    monitor_ : ConvergenceMonitor
    result_ : EMResult
        The fit itself: status, notes, starts, standard errors.

    Notes
    -----
    These differences from hmmlearn 0.3.3 are meant:

    * No prior is on by default, and whatever prior there is belongs to the objective, so the objective never falls.
    * ``min_covar`` has no units: data in other units give the same fit.
    * ``n_iter`` and ``tol`` are a bound that is seldom met and a gain that is left, so a fit ends near its maximum; one
      that runs out of passes warns, and its ``monitor_.converged`` is false. The last entry of ``monitor_.history`` is
      the log-likelihood of the fitted params; with ``n_iter=1`` these are the starting ones. A monitor of
      one's own is not asked: :func:`emkit.fit` takes a callback.
    * ``decode`` by "map" returns the logarithm of the probability of its path, not a sum of posterior maxima.
    * ``aic`` and ``bic`` do not count zeros of a start, nor what ``params`` leaves out.
    * States come in the order of their means, unless a start was given.
    * A state that nobody visits keeps its last transitions instead of getting zeros.
    * ``implementation`` changes nothing: one recursion has the speed of "scaling" and the safety of "log".

    Examples
    --------
    >>> import numpy as np
    >>> from emkit_hmm import GaussianHMM
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(0, 1, 50), rng.normal(8, 2, 50)])[:, None]
    >>> hmm = GaussianHMM(2, random_state=0).fit(X)
    >>> states = hmm.predict(X)
    >>> int((states[:50] == states[0]).sum()), int((states[50:] == states[-1]).sum())
    (50, 50)
    """

    n_components: int = 1
    covariance_type: str | CovarianceStructure = "diag"
    min_covar: float = 1e-6
    startprob_prior: Any = 1.0
    transmat_prior: Any = 1.0
    means_prior: Any = 0.0
    means_weight: Any = 0.0
    covars_prior: Any = 0.0
    covars_weight: Any = 0.0
    algorithm: str = "viterbi"
    random_state: Any = None
    n_iter: int = 1000
    tol: float | Tolerance = 1e-6
    verbose: bool = False
    params: str = "stmc"
    init_params: str = "stmc"
    implementation: str = "scaling"
    n_init: int = attrs.field(default=1, kw_only=True)
    accelerate: str | Accelerator | None = attrs.field(default="auto", kw_only=True)

    def _letters(self) -> Mapping[str, str]:
        return {"m": "means_", "c": "covars_"}

    def _fields(self) -> Mapping[str, str]:
        return {"means_": "means", "covars_": "covariances"}

    def _axes(self, name: str, n_axes: int) -> Axes:
        axes = (self.n_components, "n_features")
        return axes if name == "means_" else (*axes, "n_features")

    def _family(self, fixed: tuple[str, ...]) -> Gaussian:
        return Gaussian(
            as_structure(self.covariance_type),
            share(self.min_covar, "min_covar"),
            gaussian_prior(self),
            fixed=tuple(self._fields()[name] for name in fixed),
        )

    def _stored(self, name: str) -> Array:
        values = self._checked(name)
        if name == "means_":
            return values
        is_same = as_structure(self._covars_type) == as_structure(self.covariance_type)
        return self._covars_ if is_same else stored_covariances(values, self.covariance_type)

    def _emission_params(self) -> GaussianParams:
        fitted = self.result_.params.emission if hasattr(self, "result_") else None
        means, covars = self._stored("means_"), self._stored("covars_")
        shape = as_structure(self.covariance_type).shape(*means.shape)
        if covars.shape != shape:
            msg = f"With means_ of shape {means.shape} covars_ must have {shape}; they have {covars.shape}."
            raise ValueError(msg)
        return gaussian_params(means, covars, self.covariance_type, fitted)

    def _adopt(self, emission: GaussianParams) -> None:
        self.means_ = np.array(emission.means)
        self._covars_, self._covars_type = np.array(emission.covariances), self.covariance_type

    def _n_columns_of_means(self) -> int:
        """Return how many columns there are if the covariances do not tell; one if nothing does."""
        told = self._columns_of("means_") if hasattr(self, "means_") else getattr(self, "n_features_in_", None)
        return told or 1

    @property
    def covars_(self) -> Array:
        """The covariance matrices, (n_components, n_features, n_features)."""
        if not hasattr(self, "_covars_"):
            msg = "covars_ is not there before fit, unless it is set by hand."
            raise AttributeError(msg)
        # Somebody may have set another covariance_type since they came.
        structure = as_structure(self._covars_type)
        n_states = len(self._covars_) if structure.shape(1, 1) != structure.shape(2, 1) else self.n_components
        is_spherical = structure.shape(1, 1) == structure.shape(1, 2)
        n_features = self._n_columns_of_means() if is_spherical else self._covars_.shape[-1]
        return structure.to_full(self._covars_, n_states, n_features)

    @covars_.setter
    def covars_(self, covars: Any) -> None:
        self._covars_, self._covars_type = stored_covariances(covars, self.covariance_type), self.covariance_type


HiddenMarkovModel.face = GaussianHMM

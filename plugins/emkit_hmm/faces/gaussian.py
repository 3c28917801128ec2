"""Gaussian emissions with the interface of ``hmmlearn.hmm.GaussianHMM``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit import Tolerance
from emkit.acceleration import Accelerator
from emkit.arrays import as_array, share
from emkit.families import CovarianceStructure, Gaussian, GaussianParams, GaussianPrior, as_structure
from emkit_hmm.faces.base import HiddenMarkovFace
from emkit_hmm.model import HiddenMarkovModel

Array = NDArray[np.float64]


@attrs.define(slots=False, eq=False, repr=False)
class GaussianHMM(HiddenMarkovFace):
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
    n_iter : int
        Largest number of passes over the data, for each start.
    tol : float or Tolerance
        Largest objective, in nats, that is left to be gained when a fit counts as converged.
    verbose : bool
        Whether to show progress.
    params : str
        What is estimated: ``s`` startprob, ``t`` transmat, ``m`` means, ``c`` covars. The rest keeps its start.
    init_params : str
        What is initialised from the data. The rest must have been set, or fitted before.
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
        Always matrices; to set them, give what the covariance type has.
    monitor_ : ConvergenceMonitor
    result_ : EMResult
        The fit itself: status, notes, starts, standard errors.

    Examples
    --------
    >>> import numpy as np
    >>> from emkit_hmm import GaussianHMM
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(0, 1, 50), rng.normal(4, 2, 50)])[:, None]
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

    def _family(self, fixed: tuple[str, ...]) -> Gaussian:
        has_prior = np.any(self.means_weight) or np.any(self.covars_weight) or np.any(self.covars_prior)
        prior = GaussianPrior(self.means_prior, self.means_weight, self.covars_prior, self.covars_weight)
        names = {"means_": "means", "covars_": "covariances"}
        return Gaussian(
            as_structure(self.covariance_type),
            share(self.min_covar, "min_covar"),
            prior if has_prior else None,
            fixed=tuple(names[name] for name in fixed),
        )

    def _start_of_emission(self, given: dict[str, Array]) -> dict[str, Any]:
        start: dict[str, Any] = {"means": given["means_"]} if "means_" in given else {}
        return start | ({"covariances": self._covars_} if "covars_" in given else {})

    def _emission_params(self) -> GaussianParams:
        means = as_array(self.means_, "means_")
        if hasattr(self, "result_"):
            fitted = self.result_.params.emission
            return GaussianParams(means, self._covars_, fitted.location, fitted.scale)
        structure = as_structure(self.covariance_type)
        matrices = structure.to_full(self._covars_, *means.shape)
        scale = np.sqrt(np.einsum("kii->i", matrices) / len(means) + means.var(axis=0))
        return GaussianParams(
            means, self._covars_, means.mean(axis=0), as_structure(self.covariance_type).scale_of(scale)
        )

    def _adopt(self, emission: GaussianParams) -> None:
        self.means_ = np.array(emission.means)
        self._covars_ = np.array(emission.covariances)

    @property
    def covars_(self) -> Array:
        """The covariance matrices, (n_components, n_features, n_features)."""
        if not hasattr(self, "_covars_"):
            msg = "covars_ is not there before fit, unless it is set by hand."
            raise AttributeError(msg)
        n_features = np.asarray(self.means_).shape[1]
        return as_structure(self.covariance_type).to_full(self._covars_, self.n_components, n_features)

    @covars_.setter
    def covars_(self, covars: Any) -> None:
        self._covars_ = as_array(covars, "covars_")


HiddenMarkovModel.face = GaussianHMM

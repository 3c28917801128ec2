"""Gaussian mixtures as emissions, with the interface of ``hmmlearn.hmm.GMMHMM``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit import Tolerance
from emkit.acceleration import Accelerator
from emkit.arrays import share, whole_number
from emkit.families import (
    CovarianceStructure,
    Gaussian,
    GaussianParams,
    Mixture,
    MixtureParams,
    as_structure,
)
from emkit_hmm.faces.columns import ColumnsFace
from emkit_hmm.faces.covariances import gaussian_params, gaussian_prior, stored_covariances
from emkit_hmm.faces.discrete import dirichlet
from emkit_hmm.faces.settings import Axes, check_prior

Array = NDArray[np.float64]


@attrs.define(slots=False, eq=False, repr=False)
class GMMHMM(ColumnsFace):
    """A hidden Markov model whose states emit from Gaussian mixtures, as ``hmmlearn.hmm.GMMHMM``.

    Parameters
    ----------
    n_components : int
        Number of states.
    n_mix : int
        Number of Gaussians of each state.
    min_covar : float
        Smallest eigenvalue of a covariance, as a share of the variances of the data.
    startprob_prior, transmat_prior, weights_prior : float or array
        Concentrations of Dirichlet priors, at least 1; 1 is none.
    means_prior, means_weight, covars_prior, covars_weight : float or array
        As in :class:`GaussianHMM`, for every Gaussian alike, and none by default; hmmlearn reads the last two in
        another way here than there, and differently for each covariance type.
    covariance_type : {"diag", "full", "spherical", "tied"}
        With "tied" the Gaussians of a state share one matrix.
    params, init_params : str
        Letters ``s`` startprob, ``t`` transmat, ``m`` means, ``c`` covars, ``w`` weights: what is estimated, and what
        is initialised.
    algorithm, random_state, n_iter, tol, verbose, implementation, n_init, accelerate
        As in :class:`GaussianHMM`.

    Attributes
    ----------
    startprob_ : (n_components,)
    transmat_ : (n_components, n_components)
    weights_ : (n_components, n_mix)
    means_ : (n_components, n_mix, n_features)
    covars_
        (n_components, n_mix, n_features, n_features) full, (n_components, n_mix, n_features) diag, (n_components,
        n_mix) spherical, (n_components, n_features, n_features) tied.
    n_features : int
    monitor_ : ConvergenceMonitor
    result_ : EMResult

    Notes
    -----
    Beside the differences of :class:`GaussianHMM`, ``aic`` and ``bic`` count ``n_components * (n_mix - 1)`` weights.
    """

    n_components: int = 1
    n_mix: int = 1
    min_covar: float = 1e-6
    startprob_prior: Any = 1.0
    transmat_prior: Any = 1.0
    weights_prior: Any = 1.0
    means_prior: Any = 0.0
    means_weight: Any = 0.0
    covars_prior: Any = None
    covars_weight: Any = None
    algorithm: str = "viterbi"
    covariance_type: str | CovarianceStructure = "diag"
    random_state: Any = None
    n_iter: int = 1000
    tol: float | Tolerance = 1e-6
    verbose: bool = False
    params: str = "stmcw"
    init_params: str = "stmcw"
    implementation: str = "scaling"
    n_init: int = attrs.field(default=1, kw_only=True)
    accelerate: str | Accelerator | None = attrs.field(default="auto", kw_only=True)

    def _letters(self) -> Mapping[str, str]:
        return {"m": "means_", "c": "covars_", "w": "weights_"}

    def _fields(self) -> Mapping[str, str]:
        return {"means_": "parts.means", "covars_": "parts.covariances", "weights_": "weights"}

    def _axes(self, name: str, n_axes: int) -> Axes:
        n_mix = whole_number(self.n_mix, "n_mix")
        if name == "weights_":
            return self.n_components, n_mix
        if name == "means_":
            return self.n_components, n_mix, "n_features"
        shape = as_structure(self.covariance_type).shape(n_mix, -1)
        return self.n_components, *("n_features" if length == -1 else length for length in shape)

    def _checked(self, name: str) -> Array:
        values = super()._checked(name)
        for covars in values if name == "covars_" else ():
            stored_covariances(covars, self.covariance_type)
        return values

    def _family(self, fixed: tuple[str, ...]) -> Mixture:
        names = {"means_": "means", "covars_": "covariances"}
        inner = Gaussian(
            as_structure(self.covariance_type),
            share(self.min_covar, "min_covar"),
            gaussian_prior(self),
            fixed=tuple(names[name] for name in fixed if name in names),
        )
        weights = check_prior(self.weights_prior, "weights_prior", self._axes("weights_", 2))
        return Mixture(
            inner, whole_number(self.n_mix, "n_mix"), dirichlet(weights), are_weights_fixed="weights_" in fixed
        )

    def _emission_params(self) -> MixtureParams:
        means, covars, weights = (self._checked(name) for name in ("means_", "covars_", "weights_"))
        structure = as_structure(self.covariance_type)
        shape = (len(means), *structure.shape(*means.shape[1:]))
        if covars.shape != shape:
            msg = f"With means_ of shape {means.shape} covars_ must have {shape}; they have {covars.shape}."
            raise ValueError(msg)
        fitted = self.result_.params.emission if hasattr(self, "result_") else None
        if (
            fitted is not None
            and np.array_equal(means, fitted.parts.means)
            and np.array_equal(covars, fitted.parts.covariances)
        ):
            return MixtureParams(weights, fitted.parts)
        pairs = [(m, stored_covariances(c, structure)) for m, c in zip(means, covars, strict=True)]
        parts = [gaussian_params(m, c, structure, None) for m, c in pairs]
        return MixtureParams(
            weights,
            GaussianParams(means, covars, np.array([p.location for p in parts]), np.array([p.scale for p in parts])),
        )

    def _adopt(self, emission: MixtureParams) -> None:
        self.weights_ = np.array(emission.weights)
        self.means_ = np.array(emission.parts.means)
        self.covars_ = np.array(emission.parts.covariances)

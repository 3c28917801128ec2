"""The scikit-learn faces: factor analysis, and principal components as a distribution."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit import Tolerance
from emkit.acceleration import Accelerator
from emkit.arrays import as_array, share, whole_number
from emkit_factor.checks import check_number, prior_or_none
from emkit_factor.face import FactorFace
from emkit_factor.model import FactorAnalysisModel
from emkit_factor.noise import DiagonalNoise, InverseGamma, IsotropicNoise
from emkit_factor.params import FactorAnalysisParams
from emkit_factor.rows import PartialRows

Array = NDArray[np.float64]


@attrs.define(slots=False, eq=False, repr=False)
class FactorAnalysis(FactorFace):
    """Factor analysis with the interface of ``sklearn.decomposition.FactorAnalysis``.

    Beyond that class it accepts missing cells (NaN), sample weights, a prior, fills gaps, counts its tolerance in
    nats of remaining log-likelihood, works in any units, and keeps the whole fit in ``result_``.

    Parameters
    ----------
    n_components : int, optional
        Number of factors; as many as there are columns by default, as in scikit-learn, which is more than any data
        determine.
    tol : float or Tolerance
        Largest log-likelihood, summed over rows, that is left to be gained when a fit counts as converged.
    max_iter : int
        Largest number of passes over the data, for each start.
    noise_variance_init : array of shape (n_features,), optional
        Noise variances at the start.
    noise_floor : float
        Smallest noise variance, as a share of the variance of its column: a bound on the parameter space, constant
        during the fit.
    noise_prior : InverseGamma, optional
    n_init : int
        Number of starts: the first at the principal axes of the data, further ones at random.
    random_state : int, Generator, RandomState or None
    verbose : int
        Whether to show progress.
    accelerate : str, Accelerator or None
        As in :func:`emkit.fit`; None is plain EM.

    Attributes
    ----------
    components_ : (n_components, n_features)
        Loadings along principal axes: ``components_ @ diag(1 / noise_variance_) @ components_.T`` is diagonal, largest
        first.
    noise_variance_ : (n_features,)
    mean_ : (n_features,)
    loglike_ : list of float
        Log-likelihood, summed over rows, of every accepted step.
    n_iter_ : int
        Accepted steps.
    result_ : EMResult
        The fit itself: status, notes, starts.
    n_features_in_ : int
    feature_names_in_ : (n_features,), only where the data have column names

    Examples
    --------
    >>> import numpy as np
    >>> from emkit_factor import FactorAnalysis
    >>> rng = np.random.default_rng(0)
    >>> talent = rng.standard_normal((200, 1))
    >>> X = talent @ [[2.0, 1.0, 1.0, 1.0]] + rng.standard_normal((200, 4))
    >>> X[rng.random(X.shape) < 0.2] = np.nan
    >>> analysis = FactorAnalysis(n_components=1).fit(X)
    >>> analysis.components_.round(1)
    array([[2. , 0.9, 1.1, 1. ]])
    >>> bool(np.isnan(analysis.impute(X)).any())
    False
    """

    n_components: int | None = None
    tol: float | Tolerance = attrs.field(default=1e-6, kw_only=True)
    max_iter: int = attrs.field(default=1000, kw_only=True)
    noise_variance_init: Any = attrs.field(default=None, kw_only=True)
    noise_floor: float = attrs.field(default=1e-6, kw_only=True)
    noise_prior: InverseGamma | None = attrs.field(default=None, kw_only=True)
    n_init: int = attrs.field(default=1, kw_only=True)
    random_state: Any = attrs.field(default=0, kw_only=True)
    verbose: int = attrs.field(default=0, kw_only=True)
    accelerate: str | Accelerator | None = attrs.field(default="auto", kw_only=True)

    def _model(self, n_features: int) -> FactorAnalysisModel:
        n_factors = n_features if self.n_components is None else whole_number(self.n_components, "n_components")
        check_number(n_factors, n_features, "n_components")
        floor, prior = share(self.noise_floor, "noise_floor"), prior_or_none(self.noise_prior, "noise_prior")
        return FactorAnalysisModel(n_factors, DiagonalNoise(), floor=floor, prior=prior)

    def _start(self, model: FactorAnalysisModel, data: PartialRows) -> FactorAnalysisParams | None:
        if self.noise_variance_init is None:
            return None
        given = as_array(self.noise_variance_init, "noise_variance_init")
        if given.shape != (data.x.shape[1],) or (given <= 0).any():
            msg = (
                f"noise_variance_init must be {data.x.shape[1]} numbers above 0, one for each column; found shape "
                f"{given.shape}" + (f" and {given.min():g}." if given.size else ".")
            )
            raise ValueError(msg)
        start = model.initialize(data, np.random.default_rng(0))
        return attrs.evolve(start, noise_variances=np.maximum(given, model.floor * start.scale**2))

    def _adopt(self, params: FactorAnalysisParams) -> None:
        self.components_ = np.array(params.loadings.T)
        self.noise_variance_ = np.array(params.noise_variances)
        self.loglike_ = [float(value) for value in self.result_.log_likelihoods]

    def _n_out(self) -> int:
        return len(self.components_)

    def _transform(self, x: Array) -> Array:
        """Return the expected factors of each row given its observed cells, shape (n_samples, n_components)."""
        return self.model_.posterior(self.result_.params, x).means


@attrs.define(slots=False, eq=False, repr=False)
class ProbabilisticPCA(FactorFace):
    """Principal components by maximum likelihood, with names of ``sklearn.decomposition.PCA``.

    Rows are normal with covariance ``W W' + noise_variance_ * I`` (Tipping and Bishop 1999, Journal of the Royal
    Statistical Society B 61:611). Of complete data the axes are those of ordinary principal components; cells may be
    missing (NaN), and rows may have weights.

    Parameters
    ----------
    n_components : int
        Number of axes.
    tol : float or Tolerance
        Largest log-likelihood, summed over rows, that is left to be gained when a fit counts as converged.
    max_iter : int
        Largest number of passes over the data, for each start.
    noise_floor : float
        Smallest noise variance, as a share of the mean variance of the columns.
    n_init : int
        Number of starts: the first at the principal axes of the data, further ones at random.
    random_state : int, Generator, RandomState or None
    verbose : int
        Whether to show progress.
    accelerate : str, Accelerator or None
        As in :func:`emkit.fit`; None is plain EM.

    Attributes
    ----------
    components_ : (n_components, n_features)
        Principal axes: orthonormal, largest variance first; the largest entry of each is positive.
    explained_variance_ : (n_components,)
        Variance along each axis, with divisor n where scikit-learn has n - 1.
    explained_variance_ratio_ : (n_components,)
        The same as a share of the variance of all columns.
    noise_variance_ : float
        Variance along every direction orthogonal to the axes.
    mean_ : (n_features,)
    n_components_ : int
    n_iter_ : int
        Accepted steps.
    result_ : EMResult
        The fit itself: status, notes, starts.
    n_features_in_ : int
    feature_names_in_ : (n_features,), only where the data have column names

    Examples
    --------
    >>> import numpy as np
    >>> from emkit_factor import ProbabilisticPCA
    >>> X = np.array([[1.0, 2.0, 1.0], [2.0, 4.0, 2.1], [3.0, np.nan, 2.9], [4.0, 8.0, 4.1], [np.nan, 10.0, 5.0]])
    >>> pca = ProbabilisticPCA(n_components=1).fit(X)
    >>> pca.impute(X)[2].round(1)
    array([3. , 5.8, 2.9])
    """

    n_components: int = 1
    tol: float | Tolerance = attrs.field(default=1e-6, kw_only=True)
    max_iter: int = attrs.field(default=1000, kw_only=True)
    noise_floor: float = attrs.field(default=1e-6, kw_only=True)
    n_init: int = attrs.field(default=1, kw_only=True)
    random_state: Any = attrs.field(default=0, kw_only=True)
    verbose: int = attrs.field(default=0, kw_only=True)
    accelerate: str | Accelerator | None = attrs.field(default="auto", kw_only=True)

    def inverse_transform(self, X: Any) -> Array:
        """Return the rows that lie on the principal axes at scores (n_samples, n_components)."""
        self._check_is_fitted()
        scores = as_array(X, "X")
        if scores.ndim != 2 or scores.shape[1] != self.n_components_:
            msg = (
                f"X must have shape (n_samples, {self.n_components_}), the scores of transform; it has {scores.shape}."
            )
            raise ValueError(msg)
        return np.asarray(scores @ self.components_ + self.mean_)

    def _model(self, n_features: int) -> FactorAnalysisModel:
        n_factors = whole_number(self.n_components, "n_components")
        check_number(n_factors, n_features, "n_components")
        return FactorAnalysisModel(n_factors, IsotropicNoise(), floor=share(self.noise_floor, "noise_floor"))

    def _adopt(self, params: FactorAnalysisParams) -> None:
        # The canonical loadings are orthogonal, in the units of the data as well: the noise is the same everywhere.
        unit = np.abs(params.loadings).max() or 1.0
        lengths = np.sqrt(((params.loadings / unit) ** 2).sum(axis=0)) * unit
        self.components_ = np.array((params.loadings / np.where(lengths > 0, lengths, 1.0)).T)
        self.noise_variance_ = float(params.noise_variances[0])
        self.explained_variance_ = lengths**2 + self.noise_variance_
        total = (lengths**2).sum() + len(params.mean) * self.noise_variance_
        self.explained_variance_ratio_ = self.explained_variance_ / total
        self.n_components_ = len(self.components_)

    def _n_out(self) -> int:
        return self.n_components_

    def _transform(self, x: Array) -> Array:
        """Return the expected scores along the axes, shape (n_samples, n_components).

        Of a complete row they are its projection, as in scikit-learn; of others that of the row with its gaps filled.
        """
        filled = self.model_.impute(self.result_.params, x) - self.mean_
        return np.asarray(filled @ self.components_.T)


FactorAnalysisModel.face = FactorAnalysis

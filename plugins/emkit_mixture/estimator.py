"""The scikit-learn face of the Gaussian mixture."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit import EMResult, Tolerance
from emkit.acceleration import Accelerator
from emkit.arrays import as_array, as_sample_weight, share, whole_number
from emkit.estimator import Estimator, fit_with_warnings, rng_of
from emkit.families import CovarianceStructure, as_structure
from emkit_mixture.model import GaussianMixtureModel, WeightedRows
from emkit_mixture.params import GaussianMixtureParams
from emkit_mixture.starts import StartingValues, check_shape, covariances_of, location_and_scale

Array = NDArray[np.float64]


@attrs.define(slots=False, eq=False, repr=False)
class GaussianMixture(Estimator):
    """A Gaussian mixture with the interface of ``sklearn.mixture.GaussianMixture``.

    Beyond that class it takes sample weights, counts its tolerance in nats of remaining log-likelihood, is accelerated
    (every step still checked), works in any units, and keeps the whole fit in ``result_``.

    Parameters
    ----------
    n_components : int
    covariance_type : {"full", "tied", "diag", "spherical"} or CovarianceStructure
    tol : float or Tolerance
        Largest log-likelihood, summed over rows, that is left to be gained when a fit counts as converged.
        scikit-learn compares the mean log-likelihood of two steps instead, and stops much earlier.
    reg_covar : float
        Smallest eigenvalue of a covariance, as a share of the variances of the data: a bound on the parameter space,
        constant during the fit. scikit-learn adds an absolute number to the diagonal instead.
    max_iter : int
        Largest number of passes over the data, for each start.
    n_init : int
        Number of starts; the best one counts.
    init_params : {"kmeans", "k-means++", "random", "random_from_data"}
    weights_init : array of shape (n_components,), optional
    means_init : array of shape (n_components, n_features), optional
    precisions_init : array, optional
        Inverses of the starting covariances, in the shape of the covariance type.
    random_state : int, Generator, RandomState or None
    warm_start : bool
        Whether ``fit`` starts from the last fit: where that ended on the same data, from how it divides other data
        among the components. It starts afresh if one of them gets no rows, or the settings ask for another shape.
    verbose : int
        Whether to show progress.
    verbose_interval : int
        Accepted for compatibility.
    accelerate : str, Accelerator or None
        As in :func:`emkit.fit`; None is plain EM.

    Attributes
    ----------
    weights_ : (n_components,)
    means_ : (n_components, n_features)
    covariances_, precisions_, precisions_cholesky_ : in the shape of the covariance type
    converged_ : bool
    n_iter_ : int
        Accepted steps.
    lower_bound_ : float
        Log-likelihood of the fitted params, a mean over rows.
    lower_bounds_ : list of float
        The same for every accepted step.
    result_ : EMResult
        The fit itself: status, notes, starts, standard errors.
    n_features_in_ : int
    feature_names_in_ : (n_features,), only where the data have column names

    Examples
    --------
    >>> from emkit import datasets
    >>> from emkit_mixture import GaussianMixture
    >>> X = datasets.old_faithful().values
    >>> mixture = GaussianMixture(n_components=2, random_state=0).fit(X)
    >>> mixture.means_.round(2)
    array([[ 4.29, 79.97],
           [ 2.04, 54.48]])
    >>> round(mixture.bic(X), 3)
    2322.192
    """

    n_components: int = 1
    covariance_type: str | CovarianceStructure = attrs.field(default="full", kw_only=True)
    tol: float | Tolerance = attrs.field(default=1e-6, kw_only=True)
    reg_covar: float = attrs.field(default=1e-6, kw_only=True)
    max_iter: int = attrs.field(default=1000, kw_only=True)
    n_init: int = attrs.field(default=1, kw_only=True)
    init_params: str = attrs.field(default="kmeans", kw_only=True)
    weights_init: Any = attrs.field(default=None, kw_only=True)
    means_init: Any = attrs.field(default=None, kw_only=True)
    precisions_init: Any = attrs.field(default=None, kw_only=True)
    random_state: Any = attrs.field(default=None, kw_only=True)
    warm_start: bool = attrs.field(default=False, kw_only=True)
    verbose: int = attrs.field(default=0, kw_only=True)
    verbose_interval: int = attrs.field(default=10, kw_only=True)
    accelerate: str | Accelerator | None = attrs.field(default="auto", kw_only=True)

    _estimator_type = "density_estimator"

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> GaussianMixture:
        """Fit the mixture by maximum likelihood.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : ignored
        sample_weight : array-like of shape (n_samples,), optional
            A weight of 2 counts a row twice, a weight of 0 leaves it out.
        """
        with self._all_or_nothing():
            x = self._check_fit_input(X, min_samples=2, nan_hint=_NAN_HINT)
            weights = as_sample_weight(sample_weight, len(x))
            if weights is not None and not weights.all():
                # Rows that do not count must not shape the start either.
                x, weights = x[weights > 0], weights[weights > 0]
            model = self._model(x.shape[1])
            n_init = whole_number(self.n_init, "n_init")
            data = WeightedRows(x, weights)
            start = self._warm_params(model, data)
            result = fit_with_warnings(
                type(self).__name__,
                model,
                data,
                start,
                accelerate=self.accelerate,
                tol=self.tol,
                max_iter=self.max_iter,
                n_starts=1 if start is not None else n_init,
                rng=rng_of(self.random_state),
                progress=bool(self.verbose),
            )
            self._adopt(model, result)
        return self

    def fit_predict(self, X: Any, y: Any = None, sample_weight: Any = None) -> NDArray[np.int_]:
        """Fit, and return the most probable component of each row."""
        return self.fit(X, y, sample_weight).predict(X)

    def predict(self, X: Any) -> NDArray[np.int_]:
        """Return the most probable component of each row, shape (n_samples,)."""
        labels: NDArray[np.int_] = np.argmax(self.predict_proba(X), axis=1)
        return labels

    def predict_proba(self, X: Any) -> Array:
        """Return ``P(component k | row n)``, shape (n_samples, n_components)."""
        x = self._check_input(X)
        return self.model_.posterior(self.result_.params, x)

    def score_samples(self, X: Any) -> Array:
        """Return the log-density of each row, in nats, shape (n_samples,)."""
        x = self._check_input(X)
        return self.model_.log_density(self.result_.params, x)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the log-likelihood per row: the (weighted) mean of ``score_samples``."""
        density = self.score_samples(X)
        weights = as_sample_weight(sample_weight, len(density), check_total=False)
        if weights is None:
            return float(density.mean())
        # In units of the largest, a sum or a product leaves the range of floats no more.
        weights = as_sample_weight(weights / (weights.max() or 1.0), len(density))
        counted = weights > 0
        return float(np.average(density[counted], weights=weights[counted]))

    def aic(self, X: Any, sample_weight: Any = None) -> float:
        """Return Akaike's criterion on ``X``; smaller is better. After a weighted fit give the weights here too."""
        total, _ = self._log_likelihood(X, sample_weight)
        return -2 * total + 2 * self.result_.n_parameters

    def bic(self, X: Any, sample_weight: Any = None) -> float:
        """Return Schwarz's criterion on ``X``; smaller is better. After a weighted fit give the weights here too."""
        total, n_observations = self._log_likelihood(X, sample_weight)
        return -2 * total + self.result_.n_parameters * float(np.log(n_observations))

    def _log_likelihood(self, X: Any, sample_weight: Any) -> tuple[float, float]:
        """Return the log-likelihood summed over rows, and how many rows that are."""
        density = self.score_samples(X)
        weights = as_sample_weight(sample_weight, len(density))
        if weights is None:
            return float(density.sum()), float(len(density))
        return float(density[weights > 0] @ weights[weights > 0]), float(weights.sum())

    def sample(self, n_samples: int = 1) -> tuple[Array, NDArray[np.int_]]:
        """Return rows drawn from the fitted mixture and the component of each, grouped by component."""
        self._check_is_fitted()
        n_samples = whole_number(n_samples, "n_samples")
        rng = np.random.default_rng(rng_of(self.random_state))
        return self.model_.sample_with_components(self.result_.params, n_samples, rng)

    def _model(self, n_features: int) -> GaussianMixtureModel:
        structure = as_structure(self.covariance_type)
        n_components = whole_number(self.n_components, "n_components")
        covariances = None
        if self.precisions_init is not None:
            precisions = as_array(self.precisions_init, "precisions_init")
            check_shape(precisions, structure.shape(n_components, n_features), "precisions_init")
            covariances = covariances_of(precisions, structure, "precisions_init")
        start = StartingValues(self.init_params, self.weights_init, self.means_init, covariances, names=_START_NAMES)
        return GaussianMixtureModel(n_components, structure, share(self.reg_covar, "reg_covar"), start)

    def _warm_params(self, model: GaussianMixtureModel, data: WeightedRows) -> GaussianMixtureParams | None:
        """Return where a warm start begins, None where it must begin afresh."""
        if not self.warm_start or not hasattr(self, "result_"):
            return None
        last: GaussianMixtureParams = self.result_.params
        shape = (model.n_components, data.x.shape[1])
        if last.means.shape != shape or model.covariance != self.model_.covariance:
            return None
        units = location_and_scale(data.x, data.weights, model.covariance)
        if model.floor == self.model_.floor and np.array_equal(units, (last.location, last.scale)):
            return last
        # Other data have another scale and so another floor, and what was a good fit may lie far from them.
        params = model.params_of(data, model.posterior(last, data))
        return params if (params.weights * len(data.x) >= 1).all() else None

    def _adopt(self, model: GaussianMixtureModel, result: EMResult[GaussianMixtureParams]) -> None:
        n_observations = result.n_observations or 1.0
        self.model_ = model
        self.result_ = result
        self.weights_ = np.array(result.params.weights)
        self.means_ = np.array(result.params.means)
        self.covariances_ = np.array(result.params.covariances)
        self.precisions_cholesky_ = model.covariance.precisions_cholesky(self.covariances_)
        self.precisions_ = _squared(self.precisions_cholesky_, model.covariance)
        self.converged_ = result.converged
        self.n_iter_ = max(result.n_iter, 1)
        self.lower_bound_ = result.log_likelihood / n_observations
        self.lower_bounds_ = [float(value) for value in result.log_likelihoods / n_observations]


GaussianMixtureModel.face = GaussianMixture

_NAN_HINT = "drop those rows or fill them in first (emkit_mvn.NormalImputer accepts NaN)"

#: What the face calls the fields of `StartingValues`.
_START_NAMES = {
    "kind": "init_params",
    "weights": "weights_init",
    "means": "means_init",
    "covariances": "precisions_init",
}


def _squared(cholesky: Array, structure: CovarianceStructure) -> Array:
    if structure.is_matrix:
        product: Array = cholesky @ np.swapaxes(cholesky, -1, -2)
        return product
    return cholesky**2

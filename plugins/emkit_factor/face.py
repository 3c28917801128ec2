"""What the two faces share: fitting, filling gaps, densities and covariances."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit import EMResult
from emkit.arrays import as_sample_weight, whole_number
from emkit.estimator import TransformerFace, fit_with_warnings, rng_of
from emkit_factor.model import FactorAnalysisModel
from emkit_factor.params import FactorAnalysisParams
from emkit_factor.rows import PartialRows, require_seen

Array = NDArray[np.float64]


class FactorFace(TransformerFace):
    """Base of the faces of :class:`FactorAnalysisModel`; a face says how the model is made and what is shown of it."""

    _allow_nan = True

    tol: Any
    max_iter: Any
    n_init: Any
    random_state: Any
    verbose: Any
    accelerate: Any
    result_: EMResult[FactorAnalysisParams]
    model_: FactorAnalysisModel

    @abstractmethod
    def _model(self, n_features: int) -> FactorAnalysisModel:
        """Return the model that the parameters of the face ask for."""

    @abstractmethod
    def _adopt(self, params: FactorAnalysisParams) -> None:
        """Set the fitted attributes that are the face's own."""

    @abstractmethod
    def _n_out(self) -> int:
        """Return how many columns ``transform`` gives."""

    def _start(self, model: FactorAnalysisModel, data: PartialRows) -> FactorAnalysisParams | None:
        """Return where the first start begins; None where the model says."""
        return None

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Fit by maximum likelihood.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            NaN where a cell is missing.
        y : ignored
        sample_weight : array-like of shape (n_samples,), optional
            A weight of 2 counts a row twice, a weight of 0 leaves it out.
        """
        with self._all_or_nothing():
            x = self._check_fit_input(X, min_samples=2)
            weights = as_sample_weight(sample_weight, len(x))
            if weights is not None and not weights.all():
                # Rows that do not count must not shape the start either.
                x, weights = x[weights > 0], weights[weights > 0]
            names = getattr(self, "feature_names_in_", None)
            require_seen(x, None, None if names is None else names.tolist())
            model, data = self._model(x.shape[1]), PartialRows(x, weights)
            result = fit_with_warnings(
                type(self).__name__,
                model,
                data,
                self._start(model, data),
                accelerate=self.accelerate,
                tol=self.tol,
                max_iter=self.max_iter,
                n_starts=whole_number(self.n_init, "n_init"),
                rng=rng_of(self.random_state),
                progress=bool(self.verbose),
            )
            params = model.canonical(result.params)
            self.model_ = model
            # The same distribution, so log-likelihood and history are those of the canonical params too.
            self.result_ = attrs.evolve(result, params=params)
            self.mean_ = np.array(params.mean)
            self.n_iter_ = max(result.n_iter, 1)
            self._adopt(params)
        return self

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return the names of the columns of ``transform``: the name of the class in small letters, and a number."""
        self._input_names(input_features)
        stem = type(self).__name__.lower()
        return np.array([f"{stem}{k}" for k in range(self._n_out())], dtype=object)

    def impute(self, X: Any) -> Array:
        """Return the data with every gap filled by its expectation given the cells observed in its row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            New rows or those of the fit. A row without any observed cell is filled with the means.

        Returns
        -------
        filled : (n_samples, n_features)
        """
        x = self._check_input(X)
        return self.model_.impute(self.result_.params, x)

    def score_samples(self, X: Any) -> Array:
        """Return the log-density of the observed cells of each row, in nats, shape (n_samples,)."""
        x = self._check_input(X)
        return self.model_.log_density(self.result_.params, x)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the log-likelihood per row: the (weighted) mean of ``score_samples``."""
        density = self.score_samples(X)
        weights = as_sample_weight(sample_weight, len(density))
        return float(density.mean() if weights is None else np.average(density, weights=weights / weights.max()))

    def sample(self, n_samples: int = 1) -> Array:
        """Return rows drawn from the fitted distribution, shape (n_samples, n_features)."""
        self._check_is_fitted()
        rng = np.random.default_rng(rng_of(self.random_state))
        return self.model_.sample(self.result_.params, whole_number(n_samples, "n_samples"), rng)

    def get_covariance(self) -> Array:
        """Return the fitted covariance, shape (n_features, n_features): made here and nowhere else."""
        self._check_is_fitted()
        params = self.result_.params
        covariance: Array = params.loadings @ params.loadings.T
        covariance.flat[:: len(covariance) + 1] += params.noise_variances
        return covariance

    def get_precision(self) -> Array:
        """Return the inverse of the fitted covariance, shape (n_features, n_features).

        Only a matrix of the factors is inverted (Woodbury's identity).
        """
        self._check_is_fitted()
        params = self.result_.params
        pull = params.loadings / params.noise_variances[:, None]
        inside = np.eye(params.loadings.shape[1]) + params.loadings.T @ pull
        precision: Array = -pull @ np.linalg.solve(inside, pull.T)
        precision.flat[:: len(precision) + 1] += 1 / params.noise_variances
        return (precision + precision.T) / 2

"""Least squares with gaps in predictors and targets."""

from __future__ import annotations

import importlib
from typing import Any, Self

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit import Accelerator, EMResult, Tolerance
from emkit.arrays import as_sample_weight, whole_number
from emkit.estimator import Estimator, rng_of, warn_about
from emkit_mvn.fitting import fit_columns
from emkit_mvn.kernels.conditional import Conditional
from emkit_mvn.model import MultivariateNormal
from emkit_mvn.params import NormalParams
from emkit_mvn.priors import Prior
from emkit_mvn.regression.table import Coefficients, RegressionSummary
from emkit_mvn.regression.targets import r_squared, rows_that_count, targets_of
from emkit_mvn.regression.units import in_units, power_units, standard_errors

Array = NDArray[np.float64]


@attrs.define(slots=False, eq=False, repr=False)
class NormalRegression(Estimator):
    """Linear regression by maximum likelihood, from rows with missing predictors, missing targets, or both.

    Predictors and targets are taken to be jointly normal, and gaps to be missing at random. The joint distribution is
    fitted to all seen cells of all rows; the coefficients are those of its conditional expectation,

        coef_ = S_yx inverse(S_xx),    intercept_ = mean_y - coef_ mean_x.

    Of complete data this is ordinary least squares. With gaps no row is thrown away, and none is filled by a guess.

    Parameters
    ----------
    prior : Prior, {"ridge", "jeffreys"} or None
        Of mean and covariance; for few rows or collinear columns.
    floor : float
        Smallest eigenvalue of the joint covariance, relative to the variances of the columns.
    tol : float or Tolerance
        Largest log-likelihood, summed over rows, that is left to be gained when a fit counts as converged.
    max_iter : int
        Largest number of passes over the data, for each start.
    n_init : int
        Number of starts; with gaps the likelihood may have several maxima.
    accelerate : str, Accelerator or None
        As in :func:`emkit.fit`; None is plain EM.
    random_state : int, Generator, RandomState or None
        Of the starts after the first.
    verbose : int
        Whether to show progress.

    Attributes
    ----------
    coef_ : (n_features,) or (n_targets, n_features)
    intercept_ : float or (n_targets,)
    sigma2_ : float or (n_targets,)
        Residual variances, with divisor n as maximum likelihood has it.
    standard_errors_ : like ``coef_``
        From the observed information, which counts only what was seen; computed when first asked for. NaN where the
        covariance rests on its floor, as with collinear predictors: leave some out, or give a prior.
    intercept_standard_error_ : like ``intercept_``
    n_iter_ : int
        Accepted steps; complete data, and gaps in a monotone pattern, start at the maximum and need no more than two.
    result_ : EMResult
        The fit of the joint distribution.
    n_features_in_ : int
    feature_names_in_ : (n_features,), only where the data have column names

    Examples
    --------
    >>> import numpy as np
    >>> from emkit_mvn.regression.estimator import NormalRegression
    >>> X = np.array([[1.0, 2.0], [2.0, np.nan], [3.0, 1.0], [4.0, 5.0], [np.nan, 4.0], [6.0, 3.0], [5.0, 1.0]])
    >>> y = np.array([3.1, 5.0, 4.2, 8.8, 9.1, np.nan, 5.8])
    >>> regression = NormalRegression().fit(X, y)
    >>> regression.coef_.round(2)
    array([0.92, 0.95])
    >>> regression.predict([[3.0, 3.0], [3.0, np.nan]]).round(2)
    array([5.96, 5.54])
    """

    prior: str | Prior | None = attrs.field(default=None, kw_only=True)
    floor: float = attrs.field(default=1e-8, kw_only=True)
    tol: float | Tolerance = attrs.field(default=1e-6, kw_only=True)
    max_iter: int = attrs.field(default=1000, kw_only=True)
    n_init: int = attrs.field(default=1, kw_only=True)
    accelerate: str | Accelerator | None = attrs.field(default="auto", kw_only=True)
    random_state: Any = attrs.field(default=0, kw_only=True)
    verbose: int = attrs.field(default=0, kw_only=True)

    _estimator_type = "regressor"
    _allow_nan = True

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit by maximum likelihood.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            NaN where a cell is missing.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            NaN where a target is missing. Such rows tell of the predictors, and of the other targets.
        sample_weight : array-like of shape (n_samples,), optional
            A weight of 2 counts a row twice, a weight of 0 leaves it out.
        """
        with self._all_or_nothing():
            x = self._check_fit_input(X, min_samples=2)
            targets, self._is_single = targets_of(y, len(x), type(self).__name__)
            weights = as_sample_weight(sample_weight, len(x))
            self._table, self._weights = rows_that_count(np.column_stack([x, targets]), weights)
            self._errors: Array | None = None
            self.result_ = self._climb(self._labels(targets.shape[1]))
            warn_about(self.result_, type(self).__name__)
            self.n_iter_ = max(self.result_.n_iter, 1)
            found = self._coefficients()
            self.coef_ = self._shaped(found.slopes)
            self.intercept_ = self._shaped(found.intercept)
            self.sigma2_ = self._shaped(np.diag(found.residual_covariance))
        return self

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Return the expected targets given the predictors that are seen in each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            A row with gaps is regressed on what is left of it, a row without any cell gets the mean.
        return_std : bool
            Whether to return standard deviations as well: of a new target about its expectation, for given
            coefficients. Gaps widen them.

        Returns
        -------
        expected : (n_samples,) or (n_samples, n_targets)
        deviations : like ``expected``, only with ``return_std``
        """
        x = self._check_input(X)
        params, found = self.result_.params, self._coefficients()
        expected = x @ found.slopes.T + found.intercept
        variances = np.tile(np.diag(found.residual_covariance), (len(x), 1))
        partial = np.isnan(x).any(axis=1)
        if partial.any():
            conditional = Conditional.of(params.mean, params.covariance)
            rows = np.column_stack([x[partial], np.full((int(partial.sum()), expected.shape[1]), np.nan)])
            expected[partial] = conditional.fill(rows)[:, x.shape[1] :]
            variances[partial] = conditional.variances(rows)[:, x.shape[1] :]
        columns = 0 if self._is_single else slice(None)
        if not return_std:
            return expected[:, columns]
        return expected[:, columns], np.sqrt(variances[:, columns])

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R squared, the share of the variance of the targets that the predictions explain.

        It is that of the rows whose target is seen, averaged over targets.
        """
        expected = np.asarray(self.predict(X), dtype=np.float64).reshape(-1, len(self._coefficients().intercept))
        targets, _ = targets_of(y, len(expected), type(self).__name__, expected.shape[1])
        weights = as_sample_weight(sample_weight, len(expected))
        shares = np.ones(len(expected)) if weights is None else weights
        columns = zip(targets.T, expected.T, strict=True)
        return float(np.mean([r_squared(target, prediction, shares) for target, prediction in columns]))

    @property
    def standard_errors_(self) -> Any:
        """Standard errors of ``coef_``."""
        return self._shaped(self._all_errors()[:, 1:])

    @property
    def intercept_standard_error_(self) -> Any:
        """Standard errors of ``intercept_``."""
        return self._shaped(self._all_errors()[:, 0])

    def summary(self, level: float = 0.95) -> RegressionSummary:
        """Return coefficients with standard errors, p-values and intervals; ``print`` shows a table.

        Parameters
        ----------
        level : float
            Of the intervals.
        """
        errors = self._all_errors()
        names = getattr(self, "feature_names_in_", [f"x{j}" for j in range(self.n_features_in_)])
        return RegressionSummary.of(
            ("intercept", *map(str, names)),
            self._coefficients().stacked(),
            errors,
            level,
            n_samples=float(self.result_.n_observations or 0.0),
            n_complete=int((~np.isnan(self._table).any(axis=1)).sum()),
            log_likelihood=self.result_.log_likelihood,
        )

    def __sklearn_tags__(self) -> Any:
        utils = importlib.import_module("sklearn.utils")
        tags = super().__sklearn_tags__()
        tags.target_tags.required = tags.target_tags.multi_output = True
        tags.regressor_tags = utils.RegressorTags()
        return tags

    def _climb(self, labels: list[str]) -> EMResult[NormalParams]:
        return fit_columns(
            MultivariateNormal(prior=self.prior, floor=self.floor),
            self._table,
            self._weights,
            labels,
            accelerate=self.accelerate,
            tol=self.tol,
            max_iter=self.max_iter,
            n_starts=whole_number(self.n_init, "n_init"),
            rng=rng_of(self.random_state),
            progress=bool(self.verbose),
        )

    def _labels(self, n_targets: int) -> list[str]:
        """Return what messages call the columns of predictors and targets, side by side in one table."""
        names = getattr(self, "feature_names_in_", range(self.n_features_in_))
        targets = ["y"] if self._is_single else [f"{k} of y" for k in range(n_targets)]
        return [f"{name!r} of X" for name in names] + targets

    def _coefficients(self) -> Coefficients:
        return Coefficients.of(self.result_.params, self.n_features_in_)

    def _shaped(self, values: Array) -> Any:
        """Return what has one entry for each target as the target has it: a single column of targets may be 1-D."""
        if not self._is_single:
            return np.array(values)
        return np.array(values[0]) if values.ndim > 1 else float(values[0])

    def _all_errors(self) -> Array:
        """Return standard errors of intercepts and slopes, (n_targets, 1 + n_features), by the delta method."""
        self._check_is_fitted()
        if self._errors is None:
            n_features, units = self.n_features_in_, power_units(self.result_.params)
            data = self._table / units if self._weights is None else (self._table / units, self._weights)
            found = standard_errors(
                in_units(self.result_, units), lambda p: Coefficients.of(p, n_features).stacked(), data
            )
            self._errors = found * units[n_features:, None] / np.concatenate([[1.0], units[:n_features]])
        return self._errors

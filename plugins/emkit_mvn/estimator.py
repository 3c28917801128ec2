"""The scikit-learn face of the multivariate normal: an imputer."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit import Tolerance
from emkit.acceleration import Accelerator
from emkit.arrays import one_of
from emkit_mvn.imputer.bounded import Box
from emkit_mvn.imputer.face import ImputerFace
from emkit_mvn.imputer.layout import Indices
from emkit_mvn.kernels.conditional import Conditional
from emkit_mvn.model import MultivariateNormal
from emkit_mvn.params import NormalParams
from emkit_mvn.priors import Prior, as_prior
from emkit_mvn.structures import CovarianceStructure

Array = NDArray[np.float64]

_STRUCTURES = ("full", "diag", "spherical", "exchangeable")


@attrs.define(slots=False, eq=False, repr=False)
class NormalImputer(ImputerFace):
    """Fills gaps with their expectation given the seen cells of the row, under a fitted multivariate normal.

    A drop-in for ``sklearn.impute.IterativeImputer``. Instead of a chain of regressions it fits one distribution, by
    maximum likelihood or to a posterior mode, so that the fit climbs a likelihood and knows when it is done, needs no
    order of columns, fills gaps in columns that had none in ``fit``, and comes with standard errors and draws.

    Parameters
    ----------
    missing_values : NaN, None, pandas.NA or float
        What marks a gap. If it is a number, NaN in the data is an error.
    add_indicator : bool
        Whether ``transform`` appends, for every column with gaps in ``fit``, one that is 1 where a cell was missing.
    keep_empty_features : bool
        Whether columns without a seen cell in ``fit`` stay, their gaps filled with 0 whatever the bounds, or are
        dropped.
    min_value, max_value : float, array-like of shape (n_features,) or None
        Bounds on what gaps are filled with: their distribution is restricted to them, nothing is clipped. Seen cells
        may lie outside.
    covariance_type : {"full", "diag", "spherical", "exchangeable"} or CovarianceStructure
    prior : Prior, {"ridge", "jeffreys"} or None
        For few rows, or columns that hardly differ.
    floor : float
        Smallest eigenvalue of the covariance, as a share of the variances of the columns: a bound on the parameter
        space, constant during the fit.
    tol : float or Tolerance
        Largest log-likelihood, summed over rows, that is left to be gained when a fit counts as converged.
    max_iter : int
        Largest number of passes over the data, for each start.
    n_init : int
        Number of starts; the best one counts. With many gaps there may be several maxima.
    accelerate : str, Accelerator or None
        As in :func:`emkit.fit`; None is plain EM.
    random_state : int, Generator, RandomState or None
        Of all starts but the first, and of ``sample``.
    verbose : int
        Whether to show progress.

    Attributes
    ----------
    mean_ : (n_features,)
        NaN for columns without a seen cell.
    covariance_ : (n_features, n_features)
        Likewise. The divisor is the number of rows.
    converged_ : bool
    n_iter_ : int
        Accepted steps.
    n_features_with_missing_ : int
        Number of columns with gaps in ``fit``.
    seen_features_ : (n_seen,)
        Positions of the columns with a seen cell: those that ``model_`` and ``result_`` are about.
    indicator_ : GapIndicator or None
        Its ``features_`` are the columns that ``add_indicator`` is about.
    model_ : MultivariateNormal
    result_ : EMResult
        The fit itself: status, notes, history, standard errors.
    n_features_in_ : int
    feature_names_in_ : (n_features,), only where the data have column names

    Examples
    --------
    >>> import numpy as np
    >>> from emkit_mvn.estimator import NormalImputer
    >>> X = [[1.0, 2.1], [2.0, 3.9], [3.0, 6.0], [4.0, np.nan], [np.nan, 10.1]]
    >>> NormalImputer().fit_transform(X).round(2)
    array([[ 1.  ,  2.1 ],
           [ 2.  ,  3.9 ],
           [ 3.  ,  6.  ],
           [ 4.  ,  7.91],
           [ 5.12, 10.1 ]])
    """

    missing_values: Any = attrs.field(default=np.nan, kw_only=True)
    add_indicator: bool = attrs.field(default=False, kw_only=True)
    keep_empty_features: bool = attrs.field(default=False, kw_only=True)
    min_value: Any = attrs.field(default=-np.inf, kw_only=True)
    max_value: Any = attrs.field(default=np.inf, kw_only=True)
    covariance_type: str | CovarianceStructure = attrs.field(default="full", kw_only=True)
    prior: str | Prior | None = attrs.field(default=None, kw_only=True)
    floor: float = attrs.field(default=1e-8, kw_only=True)
    tol: float | Tolerance = attrs.field(default=1e-6, kw_only=True)
    max_iter: int = attrs.field(default=1000, kw_only=True)
    n_init: int = attrs.field(default=1, kw_only=True)
    accelerate: str | Accelerator | None = attrs.field(default="auto", kw_only=True)
    random_state: Any = attrs.field(default=None, kw_only=True)
    verbose: int = attrs.field(default=0, kw_only=True)

    def _model(self, seen: Indices) -> MultivariateNormal:
        self._box = Box.of(self.min_value, self.max_value, self._labels()).of_columns(seen)
        structure, prior = self.covariance_type, as_prior(self.prior)
        if not isinstance(structure, CovarianceStructure):
            structure = one_of(structure, "covariance_type", _STRUCTURES)
        elif len(seen) < self.n_features_in_:
            structure = structure.of_columns(seen, self.n_features_in_)
        if prior is not None and len(seen) < self.n_features_in_:
            prior = prior.of_columns(seen, self.n_features_in_)
        return MultivariateNormal(structure, prior, floor=self.floor)

    def _adopt(self, params: NormalParams, seen: Indices) -> None:
        self.mean_ = np.full(self.n_features_in_, np.nan)
        self.mean_[seen] = params.mean
        self.covariance_ = np.full((self.n_features_in_, self.n_features_in_), np.nan)
        self.covariance_[np.ix_(seen, seen)] = params.covariance

    def _conditional(self) -> Conditional:
        return Conditional.of(self.result_.params.mean, self.result_.params.covariance)

    def _filled(self, x: Array) -> Array:
        return self._box.fill(self._conditional(), x)

    def _drawn(self, x: Array, rng: np.random.Generator) -> Array:
        return self._box.draw(self._conditional(), x, rng)


MultivariateNormal.face = NormalImputer

"""The scikit-learn face of the multivariate t distribution: an imputer that outliers hardly move."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit import Tolerance
from emkit.acceleration import Accelerator
from emkit_mvn.imputer.face import ImputerFace
from emkit_mvn.imputer.layout import Indices
from emkit_mvn.student.conditional import StudentConditional
from emkit_mvn.student.model import MultivariateT
from emkit_mvn.student.params import AS_NORMAL, StudentParams

Array = NDArray[np.float64]


@attrs.define(slots=False, eq=False, repr=False)
class StudentImputer(ImputerFace):
    """Fills gaps with their expectation given the seen cells of the row, under a fitted multivariate t distribution.

    As :class:`NormalImputer`, but a row counts the less, the farther it lies from the rest, and draws for a row with
    outlying cells vary the more. Given ``o`` seen cells at the squared Mahalanobis distance ``d`` gaps have a t
    distribution with ``df + o`` degrees of freedom, centred at

        location[gaps] + scatter[gaps, seen] inverse(scatter[seen, seen]) (x[seen] - location[seen]).

    That is their expectation if ``df + o > 1``; in a row for which it does not exist gaps are filled with the centre
    all the same, and where ``df + o <= 2`` their ``conditional_std`` is infinite. There are no bounds on gaps: a t
    distribution in a box has no conditional mean in closed form.

    Parameters
    ----------
    missing_values : NaN, None, pandas.NA or float
        What marks a gap. If it is a number, NaN in the data is an error.
    add_indicator : bool
        Whether ``transform`` appends, for every column with gaps in ``fit``, one that is 1 where a cell was missing.
    keep_empty_features : bool
        Whether columns without a seen cell in ``fit`` stay, their gaps filled with 0, or are dropped.
    df : float or None
        Degrees of freedom; infinity is the normal. None estimates them.
    floor : float
        Smallest eigenvalue of the scatter, relative to the spread of the middle half of each column: a bound on the
        parameter space, constant during the fit.
    tol : float or Tolerance
        Largest log-likelihood, summed over rows, that is left to be gained when a fit counts as converged.
    max_iter : int
        Largest number of passes over the data, for each start.
    n_init : int
        Number of starts; the best one counts. With heavy tails there may be several maxima.
    accelerate : str, Accelerator or None
        As in :func:`emkit.fit`; None is plain EM.
    random_state : int, Generator, RandomState or None
        Of all starts but the first, and of ``sample``.
    verbose : int
        Whether to show progress.

    Attributes
    ----------
    location_ : (n_features,)
        The mean where ``df_ > 1``. NaN for columns without a seen cell.
    scatter_ : (n_features, n_features)
        Likewise. The covariance is ``scatter_ * df_ / (df_ - 2)`` where ``df_ > 2``.
    df_ : float
        Degrees of freedom, infinite where the likeliest distribution is a normal.
    converged_ : bool
    n_iter_ : int
        Accepted steps.
    n_features_with_missing_ : int
        Number of columns with gaps in ``fit``.
    seen_features_ : (n_seen,)
        Positions of the columns with a seen cell: those that ``model_`` and ``result_`` are about.
    indicator_ : GapIndicator or None
        Its ``features_`` are the columns that ``add_indicator`` is about.
    model_ : MultivariateT
    result_ : EMResult
        The fit itself: status, notes, history, standard errors.
    n_features_in_ : int
    feature_names_in_ : (n_features,), only where the data have column names

    Examples
    --------
    The last row but one is a slip of the pen, and hardly counts.

    >>> import numpy as np
    >>> from emkit_mvn.student.estimator import StudentImputer
    >>> X = [[1.0, 2.1], [2.0, 3.9], [3.0, 6.0], [4.0, 8.1], [5.0, 9.9], [6.0, 120.0], [7.0, np.nan]]
    >>> StudentImputer(df=2).fit_transform(X)[-1].round(1)
    array([ 7. , 13.9])
    """

    missing_values: Any = attrs.field(default=np.nan, kw_only=True)
    add_indicator: bool = attrs.field(default=False, kw_only=True)
    keep_empty_features: bool = attrs.field(default=False, kw_only=True)
    df: float | None = attrs.field(default=None, kw_only=True)
    floor: float = attrs.field(default=1e-8, kw_only=True)
    tol: float | Tolerance = attrs.field(default=1e-6, kw_only=True)
    max_iter: int = attrs.field(default=1000, kw_only=True)
    n_init: int = attrs.field(default=1, kw_only=True)
    accelerate: str | Accelerator | None = attrs.field(default="auto", kw_only=True)
    random_state: Any = attrs.field(default=None, kw_only=True)
    verbose: int = attrs.field(default=0, kw_only=True)

    def _model(self, seen: Indices) -> MultivariateT:
        return MultivariateT(self.df, floor=self.floor)

    def _is_worth_a_warning(self, note: str) -> bool:
        # That data are as good as normal is an answer.
        return AS_NORMAL not in note

    def _adopt(self, params: StudentParams, seen: Indices) -> None:
        self.location_ = np.full(self.n_features_in_, np.nan)
        self.location_[seen] = params.location
        self.scatter_ = np.full((self.n_features_in_, self.n_features_in_), np.nan)
        self.scatter_[np.ix_(seen, seen)] = params.scatter
        self.df_ = params.df

    def _conditional(self) -> StudentConditional:
        return StudentConditional.of(self.result_.params)


MultivariateT.face = StudentImputer

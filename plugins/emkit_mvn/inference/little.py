"""Little's test of whether the gaps of a table are completely at random."""

from __future__ import annotations

import warnings
from typing import Any

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from emkit import Status, Tolerance
from emkit.arrays import as_matrix, as_sample_weight
from emkit.errors import ConvergenceWarning, DegenerateWarning, EmkitWarning
from emkit_mvn.fitting import column_labels, fit_columns
from emkit_mvn.kernels.conditional import Conditional
from emkit_mvn.kernels.patterns import patterns_of
from emkit_mvn.model import MultivariateNormal
from emkit_mvn.params import NormalParams

Array = NDArray[np.float64]

#: An eigenvalue of a correlation matrix below which columns count as collinear.
COLLINEAR = 1e-7


@attrs.frozen
class McarTest:
    """What :func:`mcar_test` returns.

    Attributes
    ----------
    statistic : float
        Weighted squared distance of the means of the patterns from the fitted mean.
    df : int
        Degrees of freedom of its chi-squared distribution.
    p_value : float
        NaN where ``df`` is 0: with a single pattern there is nothing to compare, which is no evidence for anything.
    n_patterns : int
        Number of distinct patterns, that of rows without a seen cell included.
    """

    statistic: float
    df: int
    p_value: float
    n_patterns: int


def mcar_test(
    X: Any, *, ddof: int = 0, sample_weight: ArrayLike | None = None, tol: float | Tolerance = 1e-14
) -> McarTest:
    """Test whether the gaps of a table are missing completely at random [1]_.

    Rows of one pattern of gaps are compared with what the fit to all rows says of them. With ``n_k`` the weight of the
    rows of pattern k, ``o`` the columns they see, ``mean_k`` their mean, and ``mean`` and ``covariance`` of maximum
    likelihood, computes

        statistic = sum over k of n_k (mean_k - mean[o])' inverse(covariance[o, o]) (mean_k - mean[o])
        df        = sum over k of (number of columns in o) - n_features

    A small p-value speaks against "completely at random", not against "at random", which is all that the fit needs.

    Parameters
    ----------
    X : (n_samples, n_features)
        Array or data frame with NaN in its gaps. Columns without a seen cell are left out; rows without one count as a
        pattern, and for nothing else.
    ddof : {0, 1}
        1 gives the covariance the divisor ``n - 1``, as in [1]_: the statistic is then smaller by ``(n - 1) / n``.
    sample_weight : (n_samples,), optional
        How often each row counts.
    tol : float or Tolerance
        As :func:`emkit.fit` takes it. The default leaves nine digits of the statistic; that of ``fit`` leaves six.

    Returns
    -------
    test : McarTest

    Raises
    ------
    ValueError
        If no cell is seen, or ``ddof`` is neither 0 nor 1.

    Warns
    -----
    EmkitWarning
        If no column is seen in rows of several patterns, as in complete data.
    DegenerateWarning
        If columns are collinear. The statistic is then finite, but the degrees of freedom count directions in which
        nothing varies.
    ConvergenceWarning
        If the fit did not converge.

    References
    ----------
    .. [1] R. J. A. Little, Journal of the American Statistical Association 83 (1988) 1198-1202.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 5.0], [4.0, np.nan], [6.0, np.nan]])
    >>> test = mcar_test(x)
    >>> round(test.statistic, 4), test.df, test.n_patterns
    (3.6486, 1, 2)
    """
    if isinstance(ddof, bool) or ddof not in (0, 1):
        msg = f"ddof must be 0 (maximum likelihood) or 1; it is {ddof!r}."
        raise ValueError(msg)
    x = as_matrix(X, allow_nan=True)
    weights = as_sample_weight(sample_weight, len(x))
    weights = np.ones(len(x)) if weights is None else weights
    x, weights = x[weights > 0], weights[weights > 0]
    kept = np.flatnonzero(~np.isnan(x).all(axis=0))
    x = x[:, kept]
    if x.shape[1] == 0:
        msg = "X has no seen cell (in rows of positive weight): there is nothing to test."
        raise ValueError(msg)
    params = _fitted(x, weights, column_labels(X, kept), tol)
    patterns = patterns_of(~np.isnan(x))
    n_patterns = len(patterns.observed)
    seen = np.flatnonzero(patterns.observed.any(axis=1))
    df = int(np.count_nonzero(patterns.observed)) - x.shape[1]
    if df == 0:
        msg = "mcar_test: nothing to test, since no column is seen in rows of several patterns; the p-value is NaN."
        warnings.warn(msg, EmkitWarning, stacklevel=2)
        return McarTest(0.0, 0, float("nan"), n_patterns)
    totals = np.add.reduceat(weights[patterns.order], patterns.starts[:-1])
    sums = np.add.reduceat((weights[:, None] * (x - params.mean))[patterns.order], patterns.starts[:-1])
    distances = _squared_distances(sums / totals[:, None], params.covariance)
    n = float(totals[seen].sum())
    statistic = float(totals @ distances) * (n - int(ddof)) / n
    return McarTest(statistic, df, float(special.chdtrc(df, statistic)), n_patterns)


def _fitted(x: Array, weights: Array, labels: list[str], tol: float | Tolerance) -> NormalParams:
    """Return the params of highest likelihood, with warnings where they are not to be relied on."""
    result = fit_columns(MultivariateNormal(), x, weights, labels, tol=tol)
    # On a ridge of the likelihood all points have the same distances: a pair of columns that no row sees together.
    if not result.converged and result.status is not Status.STALLED:
        warnings.warn(f"mcar_test: {result.message}", ConvergenceWarning, stacklevel=3)
    params: NormalParams = result.params
    deviations = np.sqrt(np.diag(params.covariance))
    smallest = float(np.linalg.eigvalsh(params.covariance / np.outer(deviations, deviations))[0])
    if smallest < COLLINEAR:
        msg = (
            f"mcar_test: columns are collinear (the smallest eigenvalue of their correlations is {smallest:.1g}), so "
            "the statistic has fewer degrees of freedom than are counted. Leave out a column that follows from others."
        )
        warnings.warn(msg, DegenerateWarning, stacklevel=3)
    return params


def _squared_distances(deviations: Array, covariance: Array) -> Array:
    """Return ``d[o]' inverse(covariance[o, o]) d[o]`` of every row (n_rows,), with ``o`` where it is not NaN."""
    conditional = Conditional.of(np.zeros(len(covariance)), covariance)
    distances = np.zeros(len(deviations))
    for part in conditional.parts(deviations):
        # With its gaps at their conditional mean a row is as far from the mean as its seen cells.
        whitened = np.linalg.solve(conditional.normal.factor, part.residuals.T)
        distances[part.index] = (whitened**2).sum(axis=0)
    return distances

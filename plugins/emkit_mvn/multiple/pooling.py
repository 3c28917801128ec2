"""Rubin's rules: one estimate, with its uncertainty, from the analyses of several imputed data sets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Any

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from emkit.arrays import as_array
from emkit_mvn.multiple.estimates import check_range, checked_df, checked_estimates
from emkit_mvn.multiple.table import estimates_table
from emkit_mvn.multiple.wald import WaldTest, observed_df, wald_test

Array = NDArray[np.float64]


@attrs.frozen(eq=False)
class PooledEstimate:
    """What :func:`pool` returns; arrays have the shape of one estimate, and are floats if an estimate is a number.

    Attributes
    ----------
    estimate
        Mean of the estimates.
    within, between, total
        ``mean of the variances``, ``variance of the estimates`` (divisor ``n_imputations - 1``) and ``within + (1 + 1 /
        n_imputations) * between``. Matrices (n_parameters, n_parameters) if covariance matrices were pooled.
    standard_error
        Square root of the total variance.
    df
        Degrees of freedom of the t distribution of ``(estimate - truth) / standard_error``.
    relative_increase
        ``(1 + 1 / n_imputations) * between / within``: how much the missing entries add to the variance.
    fraction_missing_information
        Share of the information about the estimate that the missing entries took away, between 0 and 1.
    n_imputations : int
    df_complete : float
        Degrees of freedom the analysis would have had without missing entries.
    """

    # `Any`, because with a union of float and array every use of an entry would be a type error.
    estimate: Any
    within: Any
    between: Any
    total: Any
    standard_error: Any
    df: Any
    relative_increase: Any
    fraction_missing_information: Any
    n_imputations: int
    df_complete: float

    def summary(self, names: Sequence[str] | None = None, level: float = 0.95) -> str:
        """Return a table with a line for every entry: standard error, test of zero, interval, missing information."""
        return estimates_table(self, names, level)

    def __str__(self) -> str:
        return self.summary()

    def intervals(self, level: float = 0.95) -> tuple[Any, Any]:
        """Return the lower and upper ends of t intervals, each in the shape of the estimate."""
        if not isinstance(level, Real) or not 0 < level < 1:
            msg = f"level must be a number between 0 and 1, such as 0.95; it is {level!r}."
            raise ValueError(msg)
        df, tail = np.asarray(self.df), 0.5 + level / 2
        quantile = np.where(np.isinf(df), special.ndtri(tail), special.stdtrit(np.where(df > 0, df, 1.0), tail))
        # Without degrees of freedom, which needs a standard error above zero, the estimate says nothing.
        half = np.where(df > 0, quantile, np.inf) * self.standard_error
        return _plain(self.estimate - half), _plain(self.estimate + half)

    def p_values(self, null: ArrayLike = 0.0) -> Any:
        """Return two-sided p-values of t tests of ``truth == null``, in the shape of the estimate."""
        df = np.asarray(self.df)
        distance = np.abs(self.estimate - self._null(null))
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.where(distance == 0, 0.0, distance / self.standard_error)
        tail = np.where(np.isinf(df), special.ndtr(-t), special.stdtr(np.where(df > 0, df, 1.0), -t))
        # Without degrees of freedom no distance is evidence.
        return _plain(np.where(df > 0, 2 * tail, 1.0))

    def wald_test(self, null: ArrayLike = 0.0) -> WaldTest:
        """Return the test of ``truth == null`` for all entries at once.

        Computes, for ``d = estimate - null`` and k entries,

            relative_increase = (1 + 1 / n_imputations) * trace(between @ inv(within)) / k
            statistic         = d @ inv(within) @ d / (k * (1 + relative_increase))

        which is the statistic D1 of [1]_, with its degrees of freedom or, if ``df_complete`` is finite, with those of
        [2]_. The average increase stands for the increase in every direction, so that few imputations suffice.

        Raises
        ------
        ValueError
            If variances were pooled instead of covariance matrices, or if ``within`` is not positive definite.

        References
        ----------
        .. [1] K. H. Li, T. E. Raghunathan, D. B. Rubin, JASP 86 (1991) 1065-1073.
        .. [2] J. P. Reiter, Biometrika 94 (2007) 502-508, equations 1 and 2.
        """
        if np.ndim(self.within) != 2 or np.ndim(self.estimate) != 1:
            msg = (
                "A joint test needs covariance matrices: pool estimates of shape (n_imputations, n_parameters) with "
                "matrices of shape (n_imputations, n_parameters, n_parameters). Here variances were pooled."
            )
            raise ValueError(msg)
        shift = self.estimate - self._null(null)
        return wald_test(shift, self.within, self.between, self.n_imputations, self.df_complete)

    def _null(self, null: ArrayLike) -> Array:
        values = as_array(null, "null")
        shape = np.shape(self.estimate)
        if values.shape not in ((), shape):
            msg = f"null must be one number or have the shape of the estimate, {shape}; its shape is {values.shape}."
            raise ValueError(msg)
        return values


def pool(estimates: ArrayLike, variances: ArrayLike, *, df_complete: float = np.inf) -> PooledEstimate:
    """Return one estimate from those of several imputed data sets, by Rubin's rules [1]_.

    Parameters
    ----------
    estimates : array_like of shape (n_imputations, ...)
        One estimate, of any shape, from each imputed data set.
    variances : array_like
        Squared standard errors, in the shape of ``estimates``; or, for ``estimates`` of shape (n_imputations,
        n_parameters), covariance matrices of shape (n_imputations, n_parameters, n_parameters).
    df_complete : float
        Degrees of freedom the analysis would have without missing entries, such as ``n_samples - n_coefficients`` of a
        regression. The degrees of freedom of the result are those of [2]_, which stay below this number; the
        default is the large-sample rule ``(n_imputations - 1) * (1 + 1 / relative_increase) ** 2`` of [1]_.

    Returns
    -------
    pooled : PooledEstimate

    Raises
    ------
    ValueError
        If there are fewer than two estimates, shapes do not match, an entry is not finite or a variance is negative.

    References
    ----------
    .. [1] D. B. Rubin, Multiple Imputation for Nonresponse in Surveys, Wiley 1987, section 3.1.
    .. [2] J. Barnard, D. B. Rubin, Biometrika 86 (1999) 948-955.

    Examples
    --------
    >>> pooled = pool([1.0, 2.0, 3.0], [2.0, 4.0, 6.0])
    >>> pooled.estimate, round(pooled.total, 4)
    (2.0, 5.3333)
    """
    values, squares = checked_estimates(estimates, variances)
    df_complete = checked_df(df_complete)
    m = len(values)
    # Relative to the first one, so that equal estimates have no variance at all.
    with np.errstate(over="ignore", invalid="ignore"):
        shifts = values - values[0]
        estimate = values[0] + shifts.mean(axis=0)
        within = squares.mean(axis=0)
        if squares.ndim > values.ndim:
            between = np.atleast_2d(np.cov(shifts, rowvar=False))
            own_within, own_between = np.diag(within), np.diag(between)
        else:
            between = shifts.var(axis=0, ddof=1)
            own_within, own_between = within, between
        added = (1 + 1 / m) * own_between
        own_total = own_within + added
    check_range(own_total, shifts)
    df = _degrees_of_freedom(added, own_within, m, df_complete)
    with np.errstate(divide="ignore", invalid="ignore"):
        increase = np.where(added == 0, 0.0, added / own_within)
        share = np.where(added == 0, 0.0, added / own_total)
    # (increase + 2 / (df + 3)) / (1 + increase), in a form that an infinite increase does not break.
    missing = share + (1 - share) * 2 / (df + 3)
    return PooledEstimate(
        estimate=_plain(estimate),
        within=_plain(within),
        between=_plain(between),
        total=_plain(within + (1 + 1 / m) * between),
        standard_error=_plain(np.sqrt(own_total)),
        df=_plain(df),
        relative_increase=_plain(increase),
        fraction_missing_information=_plain(missing),
        n_imputations=m,
        df_complete=df_complete,
    )


def pool_results(results: Iterable[tuple[Any, Any]], *, df_complete: float = np.inf) -> PooledEstimate:
    """Return one estimate from pairs (estimate, variance), one pair from each imputed data set.

    As ``pool_results(analyse(x) for x in imputed)``, where ``analyse`` returns such a pair. See :func:`pool`.
    """
    pairs = list(results)
    for i, pair in enumerate(pairs):
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            msg = f"Every result must be a pair (estimate, variance); result {i} is {pair!r}."
            raise ValueError(msg)
    return pool([estimate for estimate, _ in pairs], [variance for _, variance in pairs], df_complete=df_complete)


def _degrees_of_freedom(added: Array, within: Array, n_imputations: int, df_complete: float) -> Array:
    """Return ``1 / (1 / imputed + 1 / observed)``, the harmonic combination of both sources of ignorance."""
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(added == 0, 0.0, added / (within + added))
        kept = np.where(added == 0, 1.0, within / (within + added))
        inverse_observed = 1 / (observed_df(df_complete) * kept) if np.isfinite(df_complete) else 0.0
        df: Array = 1 / (share**2 / (n_imputations - 1) + inverse_observed)
    return df


def _plain(value: Any) -> Any:
    """Return a float for an array without axes, else the array, read-only."""
    array = np.asarray(value, dtype=np.float64)
    if array.ndim == 0:
        return float(array)
    array = array.copy()
    array.setflags(write=False)
    return array

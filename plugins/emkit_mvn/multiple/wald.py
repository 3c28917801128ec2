"""The joint test of several pooled estimates, and the degrees of freedom that missing entries leave."""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy import special

Array = NDArray[np.float64]


@attrs.frozen(eq=False)
class WaldTest:
    """A joint test of all estimates: ``statistic`` against ``F(df_numerator, df_denominator)``.

    Attributes
    ----------
    statistic, df_numerator, df_denominator, p_value : float
    relative_increase : float
        Average of the relative increases in variance due to the missing entries.
    """

    statistic: float
    df_numerator: float
    df_denominator: float
    p_value: float
    relative_increase: float


def wald_test(shift: Array, within: Array, between: Array, n_imputations: int, df_complete: float) -> WaldTest:
    """Return the test D1 of ``shift == 0``.

    Parameters
    ----------
    shift : (n_parameters,)
        Pooled estimate minus what it is compared with.
    within, between : (n_parameters, n_parameters)
        Mean of the covariance matrices, and covariance matrix of the estimates.
    n_imputations : int
    df_complete : float
        Degrees of freedom without missing entries.

    Raises
    ------
    ValueError
        If ``within`` is not positive definite.
    """
    root = _cholesky_root(within)
    white = np.linalg.solve(root, shift)
    spread = np.linalg.solve(root, np.linalg.solve(root, between).T)
    k = white.size
    increase = float((1 + 1 / n_imputations) * np.trace(spread) / k)
    statistic = float(white @ white) / (k * (1 + increase))
    df = _wald_df(increase, k, n_imputations, df_complete)
    p_value = special.chdtrc(k, k * statistic) if np.isinf(df) else special.fdtrc(k, df, statistic)
    return WaldTest(statistic, float(k), df, float(p_value), increase)


def observed_df(df_complete: float) -> float:
    """Return the degrees of freedom that remain of ``df_complete`` per share of information that is observed."""
    return df_complete if np.isinf(df_complete) else (df_complete + 1) / (df_complete + 3) * df_complete


def _wald_df(increase: float, k: int, n_imputations: int, df_complete: float) -> float:
    """Return the denominator degrees of freedom of D1.

    Reiter's expansion exists for ``t > 4`` and while two of its terms are positive. Elsewhere the harmonic rule of
    Barnard and Rubin combines the large-sample value with what is observed, so that one entry gives their t test.
    """
    t, limit = k * (n_imputations - 1), observed_df(df_complete)
    if increase == 0:
        return limit
    a = increase * t / (t - 2) if t > 4 else np.nan
    c1, c2 = limit - 2 * (1 + a), limit - 4 * (1 + a)
    if t > 4 and np.isfinite(limit) and c2 > 0:
        terms = a**2 * c1 / ((1 + a) ** 2 * c2) + 8 * a**2 * c1 / ((1 + a) * c2**2) + 4 * a**2 / ((1 + a) * c2)
        terms += 4 * a**2 / (c2 * c1) + 16 * a**2 * c1 / c2**3 + 8 * a**2 / c2**2
        return float(4 + 1 / (1 / c2 + terms / (t - 4)))
    large = 4 + (t - 4) * (1 + 1 / a) ** 2 if t > 4 else t * (1 + 1 / k) * (1 + 1 / increase) ** 2 / 2
    return float(1 / (1 / large + (1 + increase) / limit))


def _cholesky_root(within: Array) -> Array:
    try:
        return np.asarray(np.linalg.cholesky(within), dtype=np.float64)
    except np.linalg.LinAlgError as error:
        msg = (
            "A joint test needs a within-imputation covariance matrix that is positive definite; its smallest "
            f"eigenvalue is {np.linalg.eigvalsh(within)[0]:.3g}. Test fewer, linearly independent entries."
        )
        raise ValueError(msg) from error

"""The multivariate normal restricted to a box: conditional means and draws.

All arithmetic is in units of standard deviations from the mean. Coordinates whose bounds cannot matter are left out of
every integral and follow from the others by linear regression; coordinates that are uncorrelated with all others have
closed forms; what remains is integrated by separation of variables.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special
from scipy.sparse import csgraph

from emkit.arrays import as_array
from emkit_mvn.kernels.separation import SINGULAR, applied, box_draws, box_means

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

#: What is done with the coordinates that must be integrated: correlation, lower and upper bounds to values.
Inside = Callable[[Array, Array, Array], Array]

# Bounds that are passed with less than this probability, given all others, change no mean by a digit that counts.
NEGLIGIBLE = 1e-12
# Bounds farther away, in standard deviations, are moved there: their squares stay finite.
FARTHEST = 1e100


def truncated_mean(
    mean: ArrayLike, covariance: ArrayLike, lower: ArrayLike, upper: ArrayLike, *, n_points: int = 1021
) -> Array:
    """Return ``E[x_n | lower <= x_n <= upper]`` for ``x_n ~ Normal(mean[n], covariance)``.

    Exact to rounding where at most one of a set of correlated coordinates has bounds that matter, any distance away
    from the mean. Otherwise a deterministic lattice rule, with errors of about 1e-6 standard deviations for two such
    coordinates, 1e-4 for five and 1e-3 to 1e-2 for eight; larger ones where they are nearly collinear.

    Parameters
    ----------
    mean : array_like of shape (n_samples, n_features)
    covariance : array_like of shape (n_features, n_features) or (n_samples, n_features, n_features)
        A coordinate of variance zero stays at its mean or, from outside, at the nearest bound.
    lower, upper : array_like of shape (n_features,), or numbers
        Infinite where there is no bound. Equal bounds make the coordinate a constant, on which the others depend.
    n_points : int
        Number of points of the lattice rule; a prime number is best.

    Returns
    -------
    expectation : ndarray of shape (n_samples, n_features)
        Inside the box.

    Raises
    ------
    ValueError
        If shapes do not match, an entry is NaN, a lower bound is above the upper one, or a variance is negative.
    """

    def inside(correlation: Array, a: Array, b: Array) -> Array:
        return box_means(correlation, a, b, n_points)

    return _solve(*_checked(mean, covariance, lower, upper), inside, rng=None)


def truncated_draws(
    mean: ArrayLike, covariance: ArrayLike, lower: ArrayLike, upper: ArrayLike, rng: np.random.Generator
) -> Array:
    """Return one draw of ``x_n ~ Normal(mean[n], covariance)`` given ``lower <= x_n <= upper`` for each row.

    Exact where at most one of a set of correlated coordinates has bounds that matter. Otherwise one of 128 proposals
    by separation of variables is chosen by its weight and moved by five Gibbs sweeps.

    Parameters and errors are those of :func:`truncated_mean`, and

    rng : numpy.random.Generator

    Returns
    -------
    draws : ndarray of shape (n_samples, n_features)
        Inside the box.
    """

    def inside(correlation: Array, a: Array, b: Array) -> Array:
        return box_draws(correlation, a, b, rng)

    return _solve(*_checked(mean, covariance, lower, upper), inside, rng=rng)


def _checked(
    mean: ArrayLike, covariance: ArrayLike, lower: ArrayLike, upper: ArrayLike
) -> tuple[Array, Array, Array, Array]:
    """Return the arguments as arrays, the covariance of shape (1 or n_samples, n_features, n_features)."""
    centre, matrices = as_array(mean, "mean"), as_array(covariance, "covariance")
    if centre.ndim != 2:
        msg = f"mean must have shape (n_samples, n_features), one row for each box; its shape is {centre.shape}."
        raise ValueError(msg)
    n, m = centre.shape
    if matrices.shape not in ((m, m), (n, m, m)):
        msg = f"covariance must have shape {(m, m)} or {(n, m, m)}, to go with mean; its shape is {matrices.shape}."
        raise ValueError(msg)
    matrices = matrices[None] if matrices.ndim == 2 else matrices
    variances = np.diagonal(matrices, axis1=1, axis2=2)
    for _, j in np.argwhere(variances < 0)[:1].tolist():
        msg = f"A variance must not be negative; that of coordinate {j} is {variances[:, j].min()}."
        raise ValueError(msg)
    return centre, matrices, *_checked_bounds(lower, upper, m)


def _checked_bounds(lower: ArrayLike, upper: ArrayLike, m: int) -> tuple[Array, Array]:
    bounds = []
    for name, values in (("lower", lower), ("upper", upper)):
        array = np.asarray(values, dtype=np.float64)
        if array.shape not in ((), (m,)):
            msg = f"{name} must be one number or have shape {(m,)}; its shape is {array.shape}."
            raise ValueError(msg)
        bounds.append(np.broadcast_to(array, (m,)))
    low, high = bounds
    for j in range(m):
        # Written so that NaN is refused as well; an interval at infinity holds no number.
        if not low[j] <= high[j] or low[j] == np.inf or high[j] == -np.inf:
            msg = f"Coordinate {j} has no values between lower = {low[j]} and upper = {high[j]}."
            raise ValueError(msg)
    return low, high


def _solve(
    mean: Array, covariance: Array, lower: Array, upper: Array, inside: Inside, *, rng: np.random.Generator | None
) -> Array:
    """Return expectations, or draws if there is an ``rng``, in the units of the data."""
    if not mean.size:
        return mean.copy()
    constant = lower == upper
    if constant.any():
        rest = ~constant
        out = np.tile(lower, (len(mean), 1))
        mean, covariance = _given(mean, covariance, constant, lower[constant])
        out[:, rest] = _solve(mean, covariance, lower[rest], upper[rest], inside, rng=rng)
        return out
    unit, correlation = _units(covariance)
    a, b = _standardised(lower, mean, unit), _standardised(upper, mean, unit)
    z = np.empty(mean.shape)
    patterns, which = np.unique(_matters(a, b), axis=0, return_inverse=True)
    for p, pattern in enumerate(patterns):
        rows = np.flatnonzero(which.reshape(-1) == p)
        own = correlation if len(correlation) == 1 else correlation[rows]
        z[rows] = _solve_pattern(own, a[rows], b[rows], pattern, inside, rng=rng)
    return np.clip(mean + unit * z, lower, upper)


def _units(covariance: Array) -> tuple[Array, Array]:
    """Return standard deviations and correlations; zero rows and columns where the variance is zero."""
    unit = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    safe = np.where(unit > 0, unit, 1.0)
    return unit, covariance / (safe[:, :, None] * safe[:, None, :])


def _standardised(bound: Array, mean: Array, unit: Array) -> Array:
    """Return bounds in standard deviations from the mean; none where the variance is zero."""
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        distance = np.clip((bound - mean) / unit, -FARTHEST, FARTHEST)
    return np.where(np.isfinite(bound) & (unit > 0), distance, np.where(bound < np.inf, -np.inf, np.inf))


def _given(mean: Array, covariance: Array, constant: NDArray[np.bool_], values: Array) -> tuple[Array, Array]:
    """Return mean and covariance of the other coordinates, given those that are constant."""
    c, r = np.flatnonzero(constant), np.flatnonzero(~constant)
    unit, correlation = _units(covariance)
    gain = _gain(correlation, r, c)
    # What has no variance is not correlated with anything: its distance does not matter.
    distance = (values - mean[:, c]) / np.where(unit > 0, unit, 1.0)[:, c]
    centre = mean[:, r] + unit[:, r] * applied(gain, distance)
    left = _block(correlation, r, r) - gain @ _block(correlation, c, r)
    variances = np.diagonal(left, axis1=1, axis2=2)
    keep = variances > SINGULAR
    left = np.where(keep[:, :, None] & keep[:, None, :], left, 0.0)
    return centre, left * (unit[:, r, None] * unit[:, None, r])


def _matters(a: Array, b: Array) -> NDArray[np.bool_]:
    """Return which bounds matter, (n_samples, n_features).

    With C the bounds that are passed with some probability, those of no probability are passed, given C, with at most
    their probability divided by that of C, which is at least ``1 - sum of what C excludes``. Where this bound is not
    small enough, every finite bound matters.
    """
    outside = special.ndtr(a) + special.ndtr(-b)
    bounded = np.isfinite(a) | np.isfinite(b)
    likely = bounded & (outside > NEGLIGIBLE / 100)
    excluded = np.where(likely, outside, 0.0).sum(axis=1)
    # One bound alone has an exact probability, however small, on the side where it does not round to zero.
    within = np.maximum(special.ndtr(b) - special.ndtr(a), special.ndtr(-a) - special.ndtr(-b))
    alone = np.where(likely, within, 0.0).sum(axis=1)
    core = np.where(likely.sum(axis=1) == 1, np.maximum(alone, 1 - excluded), 1 - excluded)
    passed = np.where(bounded & ~likely, outside, 0.0).sum(axis=1)
    return np.where((passed < NEGLIGIBLE * core)[:, None], likely, bounded)


def _solve_pattern(
    correlation: Array,
    a: Array,
    b: Array,
    pattern: NDArray[np.bool_],
    inside: Inside,
    *,
    rng: np.random.Generator | None,
) -> Array:
    """Return standardised values of rows in which the same bounds matter."""
    box, rest = np.flatnonzero(pattern), np.flatnonzero(~pattern)
    z = np.zeros(a.shape)
    if box.size:
        linked = (_block(correlation, box, box) != 0).any(axis=0)
        n_groups, label = csgraph.connected_components(linked, directed=False)
        for group in (box[label == g] for g in range(n_groups)):
            z[:, group] = inside(_block(correlation, group, group), a[:, group], b[:, group])
    gain = _gain(correlation, rest, box)
    z[:, rest] = applied(gain, z[:, box])
    if rng is not None and rest.size:
        left = _block(correlation, rest, rest) - gain @ _block(correlation, box, rest)
        values, vectors = np.linalg.eigh(left)
        root = vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
        z[:, rest] += applied(root, rng.normal(size=(len(a), rest.size)))
    return z


def _block(matrices: Array, rows: Indices, columns: Indices) -> Array:
    block: Array = matrices[:, rows[:, None], columns]
    return block


def _gain(correlation: Array, to: Indices, given: Indices) -> Array:
    """Return the coefficients of the regression of some coordinates on others, which may be collinear."""
    return _block(correlation, to, given) @ np.linalg.pinv(_block(correlation, given, given), SINGULAR, hermitian=True)

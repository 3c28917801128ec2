"""The multivariate normal restricted to a box: conditional means and draws.

All arithmetic is in units of standard deviations from the mean. Coordinates whose bounds cannot matter are left out of
every integral and follow from the others by linear regression; coordinates that are uncorrelated with all others have
closed forms; what remains is integrated by separation of variables [1]_, tightest coordinate first [2]_, from proposals
that lean towards the coordinates to come [3]_, without which boxes far from the mean leave one point all the weight.

References
----------
.. [1] A. Genz, Journal of Computational and Graphical Statistics 1 (1992) 141-149.
.. [2] G. J. Gibson, C. A. Glasbey, D. A. Elston, Advances in Numerical Methods and Applications (1994) 120-126.
.. [3] Z. I. Botev, Journal of the Royal Statistical Society B 79 (2017) 125-148.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special
from scipy.sparse import csgraph

from emkit.arrays import as_array, read_only

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

#: What is done with the coordinates that must be integrated: correlation, lower and upper bounds to values.
Inside = Callable[[Array, Array, Array], Array]

# Bounds that are passed with less than this probability, given all others, change no mean by a digit that counts.
NEGLIGIBLE = 1e-12
# Numbers in one array of a block: small enough for the cache.
BLOCK = 2**16
# Below this many standard deviations probabilities underflow and logarithms take over.
DEEP = -35.0
# Intervals with a smaller share of the tail below them are taken as having a constant density.
NARROW = 1e-9
# Variances below this share of the unconditional ones are rounding.
SINGULAR = 1e-12
# Bounds farther away, in standard deviations, are moved there: their squares stay finite.
FARTHEST = 1e100
# Up to this many dimensions integrands are made periodic.
N_PERIODIC = 5
MAX_NEWTON = 60
# Proposals for each draw, and Gibbs sweeps that take away what the choice among finitely many proposals left.
N_PROPOSALS = 128
N_SWEEPS = 5

_NODES, _NODE_WEIGHTS = np.polynomial.legendre.leggauss(16)


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
        return _box_means(correlation, a, b, n_points)

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
        return _box_draws(correlation, a, b, rng)

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
    centre = mean[:, r] + unit[:, r] * _apply(gain, distance)
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
    z[:, rest] = _apply(gain, z[:, box])
    if rng is not None and rest.size:
        left = _block(correlation, rest, rest) - gain @ _block(correlation, box, rest)
        values, vectors = np.linalg.eigh(left)
        root = vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
        z[:, rest] += _apply(root, rng.normal(size=(len(a), rest.size)))
    return z


def _block(matrices: Array, rows: Indices, columns: Indices) -> Array:
    block: Array = matrices[:, rows[:, None], columns]
    return block


def _gain(correlation: Array, to: Indices, given: Indices) -> Array:
    """Return the coefficients of the regression of some coordinates on others, which may be collinear."""
    return _block(correlation, to, given) @ np.linalg.pinv(_block(correlation, given, given), SINGULAR, hermitian=True)


def _apply(matrices: Array, vectors: Array) -> Array:
    """Return ``matrices[n] @ vectors[n]``; one matrix serves all rows."""
    product: Array = (matrices @ vectors[:, :, None])[:, :, 0]
    return product


def _row_blocks(n_rows: int, n_columns: int) -> list[slice]:
    step = max(1, BLOCK // n_columns)
    return [slice(start, start + step) for start in range(0, n_rows, step)]


def _box_means(correlation: Array, a: Array, b: Array, n_points: int) -> Array:
    """Return the means of correlated coordinates in a box, (n_samples, n_features)."""
    if a.shape[1] == 1:
        return interval_mean(a, b)
    points, log_volume = _lattice(n_points, a.shape[1] - 1)
    out = np.empty(a.shape)
    for rows in _row_blocks(len(a), n_points):
        boxes = _Boxes.of(correlation if len(correlation) == 1 else correlation[rows], a[rows], b[rows])
        y, log_weight = boxes.separate(points[:, None, :])
        log_weight += log_volume
        weight = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
        out[rows] = boxes.restore(np.einsum("jnp,np->nj", y, weight / weight.sum(axis=1, keepdims=True)))
    return out


def _box_draws(correlation: Array, a: Array, b: Array, rng: np.random.Generator) -> Array:
    """Return draws of correlated coordinates in a box, (n_samples, n_features)."""
    if a.shape[1] == 1:
        return interval_quantile(a, b, _uniform(rng, a.shape))[0]
    out = np.empty(a.shape)
    for rows in _row_blocks(len(a), N_PROPOSALS):
        own = correlation if len(correlation) == 1 else correlation[rows]
        boxes = _Boxes.of(own, a[rows], b[rows])
        y, log_weight = boxes.separate(_uniform(rng, (a.shape[1], len(boxes.a), N_PROPOSALS)))
        total = np.exp(log_weight - log_weight.max(axis=1, keepdims=True)).cumsum(axis=1)
        chosen = (total <= rng.random((len(total), 1)) * total[:, -1:]).sum(axis=1)
        z = boxes.restore(y[:, np.arange(len(total)), chosen].T)
        out[rows] = _gibbs(own, a[rows], b[rows], np.clip(z, a[rows], b[rows]), rng)
    return out


def _gibbs(correlation: Array, a: Array, b: Array, z: Array, rng: np.random.Generator) -> Array:
    """Return draws after sweeps that draw each coordinate given all others."""
    # The ridge is for collinear coordinates, which then hold each other in place.
    precision = np.linalg.inv(correlation + 1e-10 * np.eye(a.shape[1]))
    for _ in range(N_SWEEPS):
        for j in range(a.shape[1]):
            deviation = 1 / np.sqrt(precision[:, j, j])
            centre = z[:, j] - (precision[:, j] * z).sum(axis=1) * deviation**2
            low, high = (a[:, j] - centre) / deviation, (b[:, j] - centre) / deviation
            step = interval_quantile(low, high, _uniform(rng, centre.shape))[0]
            z[:, j] = np.clip(centre + deviation * step, a[:, j], b[:, j])
    return z


@attrs.frozen(eq=False)
class _Boxes:
    """Boxes in the coordinates y, standard normal without the box: ``z[order] = factor @ y``.

    Attributes
    ----------
    a, b : (n_samples, n_features)
        Bounds, tightest coordinate first.
    factor : (n_samples, n_features, n_features)
        Lower triangular.
    order : (n_samples, n_features)
    tilt : (n_samples, n_features)
        Means of the proposals for y: what the coordinates still to come ask of those before.
    """

    a: Array
    b: Array
    factor: Array
    order: Indices
    tilt: Array

    @classmethod
    def of(cls, correlation: Array, a: Array, b: Array) -> _Boxes:
        """Return boxes ordered by the probability of each coordinate, given the means of those before it."""
        n, m = a.shape
        a, b, left = a.copy(), b.copy(), np.array(np.broadcast_to(correlation, (n, m, m)))
        factor, order, y = np.zeros((n, m, m)), np.tile(np.arange(m), (n, 1)), np.zeros((n, m))
        rows = np.arange(n)
        for j in range(m):
            # `left` is the covariance of the coordinates from j on, given those before.
            deviation = np.sqrt(np.maximum(np.diagonal(left, axis1=1, axis2=2)[:, j:], SINGULAR))
            shift = _apply(factor[:, j:, :j], y[:, :j])
            low, high = (a[:, j:] - shift) / deviation, (b[:, j:] - shift) / deviation
            tightest = interval_quantile(low, high, np.array(0.5))[1].argmin(axis=1)
            y[:, j] = interval_mean(low[rows, tightest], high[rows, tightest])
            for array in (a, b, order, factor, left, left.swapaxes(1, 2)):
                array[rows, j], array[rows, j + tightest] = array[rows, j + tightest], array[rows, j].copy()
            factor[:, j:, j] = left[:, j:, j] / deviation[rows, tightest, None]
            factor[:, j, j] = deviation[rows, tightest]
            left -= factor[:, :, j, None] * factor[:, None, :, j]
        diagonal = np.diagonal(factor, axis1=1, axis2=2)
        slopes = factor / diagonal[:, :, None] - np.eye(m)
        return cls(a, b, factor, order, _minimax_tilt(a / diagonal, b / diagonal, slopes, y))

    def separate(self, uniform: Array) -> tuple[Array, Array]:
        """Return points y in the boxes and the logarithms of their weights.

        Computes, from uniform numbers (n_features or one less, n_samples or 1, n_points),

            low[j]     = (a[j] - sum over k < j of factor[j, k] * y[k]) / factor[j, j],  and high[j] from b[j] likewise
            y[j]       = quantile uniform[j] of the standard normal in [low[j], high[j]]
            log_weight = sum over j of log P(low[j] <= Normal(0, 1) <= high[j])

        Without a uniform number for it the last coordinate is its mean in the interval, which is exact: no weight
        depends on it.
        """
        n, m = self.a.shape
        shape = (n, uniform.shape[2])
        y, log_weight = np.empty((m, *shape)), np.zeros(shape)
        for j in range(m):
            shift = np.einsum("nk,knp->np", self.factor[:, j, :j], y[:j])
            tilt = self.tilt[:, j, None]
            low, high = ((bound[:, j, None] - shift) / self.factor[:, j, j, None] - tilt for bound in (self.a, self.b))
            given = uniform[j] if j < len(uniform) else np.array(0.5)
            y[j], log_mass = interval_quantile(low, high, given)
            if j == len(uniform):
                y[j] = interval_mean(low, high)
            y[j] += tilt
            log_weight += log_mass + tilt * (tilt / 2 - y[j])
        return y, log_weight

    def restore(self, y: Array) -> Array:
        """Return z (n_samples, n_features) in the coordinates' own order."""
        z = np.empty(y.shape)
        np.put_along_axis(z, self.order, _apply(self.factor, y), axis=1)
        return z


def _minimax_tilt(a: Array, b: Array, slopes: Array, start: Array) -> Array:
    """Return the means of proposals for y that make the largest weight smallest, (n_samples, n_features).

    Solves, with ``psi[j]`` the mean of a standard normal in the interval ``[a[j], b[j]] - t[j]``,

        t = tilt + slopes @ x,  x = tilt + psi,  tilt = slopes.T @ psi,  tilt[-1] = 0

    for x and tilt by Newton's method, halving steps that lead away. A row that does not converge, as may happen where
    coordinates are nearly collinear, keeps a tilt of zero, which is valid but less accurate.
    """
    n, m = a.shape
    v, step = np.concatenate([start[:, :-1], np.zeros((n, m - 1))], axis=1), np.zeros((n, 2 * m - 2))
    size, active = np.full(n, np.inf), np.arange(n)
    for _ in range(MAX_NEWTON):
        trial = v[active] - step[active]
        residual, jacobian = _tilt_equations(a[active], b[active], slopes[active], trial)
        found = np.abs(residual).max(axis=1)
        better = found < size[active]
        rows = active[better]
        v[rows], size[rows] = trial[better], found[better]
        step[active[~better]] /= 2
        step[rows] = np.linalg.solve(jacobian[better], residual[better][:, :, None])[:, :, 0]
        active = active[size[active] > 1e-6]
        if not active.size:
            break
    tilt = np.zeros((n, m))
    done = size < 1e-3
    tilt[done, :-1] = v[done, m - 1 :]
    return tilt


def _tilt_equations(a: Array, b: Array, slopes: Array, v: Array) -> tuple[Array, Array]:
    """Return the residuals of x and tilt, side by side in ``v``, and their Jacobian."""
    k = slopes.shape[1] - 1
    x, tilt, slopes = v[:, :k], v[:, k:], slopes[:, :, :k]
    t = _apply(slopes, x)
    t[:, :k] += tilt
    psi = interval_mean(a - t, b - t)
    bend = _interval_variance(a - t, b - t, psi) - 1
    residual = np.concatenate([_apply(slopes.mT, psi) - tilt, tilt + psi[:, :k] - x], axis=1)
    jacobian, eye = np.empty((len(v), 2 * k, 2 * k)), np.eye(k)
    bent = bend[:, :, None] * slopes
    # The first block is negative and the last positive; a trifle more of both, and the matrix is never singular.
    jacobian[:, :k, :k] = slopes.mT @ bent - 1e-12 * eye
    jacobian[:, k:, :k] = bent[:, :k] - eye
    jacobian[:, :k, k:] = jacobian[:, k:, :k].mT
    jacobian[:, k:, k:] = eye * (1 + 1e-12 + bend[:, :k, None])
    return residual, jacobian


def interval_mean(a: Array, b: Array) -> Array:
    """Return ``E[z | a <= z <= b]`` of a standard normal z, exact to rounding relative to the interval.

    Computes, mirrored so that ``|a| <= b``,

        sqrt(2 / pi) * (1 - exp(-d)) / (erfcx(a / sqrt(2)) - exp(-d) * erfcx(b / sqrt(2))),  d = (b**2 - a**2) / 2

    and integrates numerically in short intervals, where both differences would cancel.
    """
    a, b, mirrored = _mirror(a, b, 1.0)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        d = (b - a) * (b + a) / 2
        decay, root = np.exp(-d), np.sqrt(0.5)
        mean = np.sqrt(2 / np.pi) * -np.expm1(-d) / (special.erfcx(a * root) - decay * special.erfcx(b * root))
        # A free coordinate gives inf - inf.
        mean = np.where(np.isinf(a), 0.0, mean)
        half, middle = (b - a) / 2, (a + b) / 2
        short = half * np.maximum(middle, 1.0) < 1
    h, c = half[short, None], middle[short, None]
    density = _NODE_WEIGHTS * np.exp(-h * _NODES * (c + h * _NODES / 2))
    mean[short] = (c + h * (density @ _NODES / density.sum(axis=1))[:, None])[:, 0]
    mean = np.clip(mean, a, b)
    return np.where(mirrored, -mean, mean)


def _interval_variance(a: Array, b: Array, mean: Array) -> Array:
    """Return ``Var[z | a <= z <= b]`` of a standard normal z, to about 1e-8: good enough for a derivative."""
    log_mass = interval_quantile(a, b, np.array(0.5))[1]
    with np.errstate(over="ignore", invalid="ignore"):
        ends = [
            np.where(np.isfinite(end), end * np.exp(-(end**2) / 2 - log_mass) / np.sqrt(2 * np.pi), 0.0)
            for end in (a, b)
        ]
        variance = 1 + ends[0] - ends[1] - mean**2
    return np.clip(np.nan_to_num(variance), 0.0, 1.0)


def interval_quantile(a: Array, b: Array, uniform: Array) -> tuple[Array, Array]:
    """Return quantiles of a standard normal restricted to ``[a, b]``, and the logarithms of ``P(a <= z <= b)``.

    Intervals right of zero are mirrored, as only the left tail keeps its digits; far out in it logarithms do, and in
    intervals so narrow that even these cancel the density is constant.
    """
    a, b, mirrored = _mirror(a, b, -1.0)
    uniform = np.where(mirrored, 1 - uniform, uniform)
    with np.errstate(divide="ignore", invalid="ignore"):
        top = special.ndtr(b)
        below = special.ndtr(a)
        mass = top - below
        log_mass, z = np.log(mass), special.ndtri(below + uniform * mass)
    hard = (b < DEEP) | (mass < NARROW * top)
    if hard.any():
        z[hard], log_mass[hard] = _hard_quantile(a[hard], b[hard], uniform[hard])
    z = np.clip(z, a, b)
    return np.where(mirrored, -z, z), log_mass


def _hard_quantile(a: Array, b: Array, uniform: Array) -> tuple[Array, Array]:
    """Return quantiles and logarithms of probabilities of short intervals and of such far out in the left tail."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        log_top = special.log_ndtr(b)
        share = -np.expm1(special.log_ndtr(a) - log_top)
        z = special.ndtri_exp(log_top + np.log1p((uniform - 1) * share))
        log_mass = log_top + np.log(share)
        narrow = share <= NARROW
        z[narrow] = (a + uniform * (b - a))[narrow]
        log_mass[narrow] = (np.log(b - a) - (a + b) ** 2 / 8 - np.log(2 * np.pi) / 2)[narrow]
    # An interval in which there is no second number has a weight all the same: it may be the only one there is.
    return z, np.maximum(log_mass, -1e250)


def _mirror(a: Array, b: Array, side: float) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Return intervals, those whose middle is not on the given side of zero mirrored, and which these are."""
    with np.errstate(invalid="ignore"):
        mirrored = side * (a + b) < 0
    return np.where(mirrored, -b, a), np.where(mirrored, -a, b), mirrored


def _uniform(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Return uniform numbers above zero, whose quantiles are finite."""
    return np.maximum(rng.random(shape), 2.0**-54)


@functools.lru_cache(maxsize=32)
def _lattice(n_points: int, n_dimensions: int) -> tuple[Array, Array]:
    """Return points of the unit cube, (n_dimensions, n_points), and logarithms of the volume each stands for.

    A rank-one lattice, its generator built up coordinate by coordinate to integrate products of Bernoulli polynomials
    well. Lattices are good for periodic integrands, which substituting ``3 x**2 - 2 x**3`` makes of any. In many
    dimensions its unequal volumes cost more than they gain, and the points are folded by the tent map instead.
    """
    index, periodic = np.arange(n_points), n_dimensions <= N_PERIODIC
    candidates = np.arange(1, n_points // 2 + 1)
    fraction = index / n_points
    kernel = 2 * np.pi**2 * (fraction**2 - fraction + 1 / 6)
    table = kernel[np.outer(candidates, index) % n_points]
    product, log_volume = np.ones(n_points), np.zeros(n_points)
    points = np.empty((n_dimensions, n_points))
    for j in range(n_dimensions):
        # Later coordinates matter less, as the tightest comes first.
        weight = 1 / (j + 1) ** 2
        z = candidates[((1 + weight * table) @ product).argmin()]
        product = product * (1 + weight * kernel[z * index % n_points])
        # A shift by a quarter keeps folded points apart, and all points off the ends.
        x = (z * index + 0.25) % n_points / n_points
        points[j] = x**2 * (3 - 2 * x) if periodic else np.abs(2 * x - 1)
        log_volume += np.log(6 * x * (1 - x)) if periodic else 0.0
    return read_only(points), read_only(log_volume)

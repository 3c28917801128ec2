"""Correlated coordinates in a box: means and draws by separation of variables [1]_.

The tightest coordinate comes first [2]_, and proposals lean towards the coordinates to come [3]_, without which boxes
far from the mean leave one point all the weight.

References
----------
.. [1] A. Genz, Journal of Computational and Graphical Statistics 1 (1992) 141-149.
.. [2] G. J. Gibson, C. A. Glasbey, D. A. Elston, Advances in Numerical Methods and Applications (1994) 120-126.
.. [3] Z. I. Botev, Journal of the Royal Statistical Society B 79 (2017) 125-148.
"""

from __future__ import annotations

import functools

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit.arrays import read_only
from emkit_mvn.kernels.interval import interval_mean, interval_quantile, interval_variance, uniform_numbers

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

# Numbers in one array of a block: small enough for the cache.
BLOCK = 2**16
# Conditional variances below this share of the unconditional ones are rounding.
SINGULAR = 1e-12
# Up to this many dimensions integrands are made periodic.
N_PERIODIC = 5
MAX_NEWTON = 60
# Proposals for each draw, and Gibbs sweeps that take away what the choice among finitely many proposals left.
N_PROPOSALS = 128
N_SWEEPS = 5


def box_means(correlation: Array, a: Array, b: Array, n_points: int) -> Array:
    """Return the means of correlated coordinates in a box, (n_samples, n_features)."""
    if a.shape[1] == 1:
        return interval_mean(a, b)
    points, log_volume = _lattice(n_points, a.shape[1] - 1)
    out = np.empty(a.shape)
    for rows in _row_blocks(len(a), n_points):
        boxes = Boxes.of(correlation if len(correlation) == 1 else correlation[rows], a[rows], b[rows])
        y, log_weight = boxes.separate(points[:, None, :])
        log_weight += log_volume
        weight = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
        out[rows] = boxes.restore(np.einsum("jnp,np->nj", y, weight / weight.sum(axis=1, keepdims=True)))
    return out


def box_draws(correlation: Array, a: Array, b: Array, rng: np.random.Generator) -> Array:
    """Return draws of correlated coordinates in a box, (n_samples, n_features)."""
    if a.shape[1] == 1:
        return interval_quantile(a, b, uniform_numbers(rng, a.shape))[0]
    out = np.empty(a.shape)
    for rows in _row_blocks(len(a), N_PROPOSALS):
        own = correlation if len(correlation) == 1 else correlation[rows]
        boxes = Boxes.of(own, a[rows], b[rows])
        y, log_weight = boxes.separate(uniform_numbers(rng, (a.shape[1], len(boxes.a), N_PROPOSALS)))
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
            step = interval_quantile(low, high, uniform_numbers(rng, centre.shape))[0]
            z[:, j] = np.clip(centre + deviation * step, a[:, j], b[:, j])
    return z


@attrs.frozen(eq=False)
class Boxes:
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
    def of(cls, correlation: Array, a: Array, b: Array) -> Boxes:
        """Return boxes ordered by the probability of each coordinate, given the means of those before it."""
        n, m = a.shape
        a, b, left = a.copy(), b.copy(), np.array(np.broadcast_to(correlation, (n, m, m)))
        factor, order, y = np.zeros((n, m, m)), np.tile(np.arange(m), (n, 1)), np.zeros((n, m))
        rows = np.arange(n)
        for j in range(m):
            # `left` is the covariance of the coordinates from j on, given those before.
            deviation = np.sqrt(np.maximum(np.diagonal(left, axis1=1, axis2=2)[:, j:], SINGULAR))
            shift = applied(factor[:, j:, :j], y[:, :j])
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
        np.put_along_axis(z, self.order, applied(self.factor, y), axis=1)
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
    t = applied(slopes, x)
    t[:, :k] += tilt
    psi = interval_mean(a - t, b - t)
    bend = interval_variance(a - t, b - t, psi) - 1
    residual = np.concatenate([applied(slopes.mT, psi) - tilt, tilt + psi[:, :k] - x], axis=1)
    jacobian, eye = np.empty((len(v), 2 * k, 2 * k)), np.eye(k)
    bent = bend[:, :, None] * slopes
    # The first block is negative and the last positive; a trifle more of both, and the matrix is never singular.
    jacobian[:, :k, :k] = slopes.mT @ bent - 1e-12 * eye
    jacobian[:, k:, :k] = bent[:, :k] - eye
    jacobian[:, :k, k:] = jacobian[:, k:, :k].mT
    jacobian[:, k:, k:] = eye * (1 + 1e-12 + bend[:, :k, None])
    return residual, jacobian


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


def applied(matrices: Array, vectors: Array) -> Array:
    """Return ``matrices[n] @ vectors[n]``; one matrix serves all rows."""
    product: Array = (matrices @ vectors[:, :, None])[:, :, 0]
    return product


def _row_blocks(n_rows: int, n_columns: int) -> list[slice]:
    step = max(1, BLOCK // n_columns)
    return [slice(start, start + step) for start in range(0, n_rows, step)]

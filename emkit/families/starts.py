"""Starting responsibilities for mixtures: k-means, its seeding alone, random rows, random numbers.

Every function is a deterministic function of the *weighted set* of rows and of ``rng``: a row of integer
weight ``w`` equals the row repeated ``w`` times, a row of weight zero has no influence, and the order of
the rows is immaterial. To this end the distinct rows are brought into one canonical order before the first
random number is drawn. Above ``MAX_SEED_ROWS`` rows a random subsample stands for the data and these
equalities hold in distribution only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit.families.gaussian.expansions import Array

Labels: TypeAlias = NDArray[np.intp]
Start: TypeAlias = Callable[..., Array]

# Sorting and Lloyd's iterations on this many rows cost about as much as a few E-steps; more rows do not
# place a start any better.
MAX_SEED_ROWS = 20_000
MAX_LLOYD_STEPS = 100
# Rows with random shares, for each component and each of its numbers: few enough that the means differ by far more
# than their standard errors, and enough to span a covariance.
RANDOM_ROWS = 3
# Lloyd's iterations end when the centres move less than this, squared: a start needs no more.
LLOYD_TOLERANCE = 1e-4
ASSIGN_ROWS = 4096


def kmeans_responsibilities(
    x: Array, n_components: int, rng: np.random.Generator, sample_weight: Array | None = None
) -> Array:
    """Return the partition that weighted k-means finds from a greedy k-means++ seeding.

    Minimises ``sum over n of sample_weight[n] * |x[n] - centre of n|**2`` by Lloyd's iterations.

    Parameters
    ----------
    x : ndarray of shape (n_samples, n_features)
        Standardised by the caller, free of NaN.
    n_components : int
        If there are fewer distinct rows than this, some components are empty.
    rng : numpy.random.Generator
    sample_weight : ndarray of shape (n_samples,), optional

    Returns
    -------
    responsibilities : ndarray of shape (n_samples, n_components)
        One 1 in each row.
    """
    rows = _canonical_rows(x, sample_weight, rng)
    centres = _lloyd(rows, _plusplus(rows, n_components, rng))
    return _one_hot(rows.labels(x, centres), n_components)


def kmeans_plusplus_responsibilities(
    x: Array, n_components: int, rng: np.random.Generator, sample_weight: Array | None = None
) -> Array:
    """Return the partition of the rows by the nearest centre of a greedy k-means++ seeding.

    Parameters and result are those of `kmeans_responsibilities`.

    References
    ----------
    .. [1] D. Arthur, S. Vassilvitskii, k-means++: the advantages of careful seeding, SODA 2007, 1027-1035.
    """
    rows = _canonical_rows(x, sample_weight, rng)
    return _one_hot(rows.labels(x, _plusplus(rows, n_components, rng)), n_components)


def random_row_responsibilities(
    x: Array, n_components: int, rng: np.random.Generator, sample_weight: Array | None = None
) -> Array:
    """Return the partition of the rows by the nearest of ``n_components`` distinct rows drawn by weight.

    Parameters and result are those of `kmeans_responsibilities`.
    """
    rows = _canonical_rows(x, sample_weight, rng)
    left = rows.weights.copy()
    chosen = np.zeros(n_components, dtype=np.intp)
    for k in range(n_components):
        draw = rng.random()
        if left.any():
            chosen[k] = _draw(left, draw)
            left[chosen[k]] = 0.0
    return _one_hot(rows.labels(x, rows.values[chosen]), n_components)


def random_responsibilities(
    x: Array, n_components: int, rng: np.random.Generator, sample_weight: Array | None = None
) -> Array:
    """Return random shares of a few random rows, and zero for all others.

    Random shares of all rows would put every component next to the mean of the data, the nearer the more rows there
    are: a saddle of the likelihood that EM takes very long to leave.

    Parameters are those of `kmeans_responsibilities`; the responsibilities are not a partition.
    """
    if n_components == 1:
        return np.ones((len(x), 1))
    rows = _canonical_rows(x, sample_weight, rng)
    n_distinct, n_features = rows.values.shape
    # The smallest of exponential waiting times with these rates: drawing by weight without replacement.
    waiting = rng.exponential(size=n_distinct) / rows.weights
    few = np.argsort(waiting, kind="stable")[: RANDOM_ROWS * n_components * (n_features + 1)]
    shares = np.zeros((n_distinct, n_components))
    shares[few] = _random_simplex(rng, len(few), n_components)
    responsibilities = np.zeros((len(x), n_components))
    responsibilities[rows.members] = shares[rows.inverse]
    return responsibilities


#: The starts by the names of scikit-learn's ``init_params``.
STARTS: Mapping[str, Start] = MappingProxyType(
    {
        "kmeans": kmeans_responsibilities,
        "k-means++": kmeans_plusplus_responsibilities,
        "random": random_responsibilities,
        "random_from_data": random_row_responsibilities,
    }
)


@attrs.frozen(eq=False)
class _CanonicalRows:
    """The distinct rows of positive weight in lexicographic order.

    Attributes
    ----------
    values : ndarray of shape (n_distinct, n_features)
    weights : ndarray of shape (n_distinct,)
        Summed over the members of each.
    members : ndarray of int
        Which rows of the data they stand for.
    inverse : ndarray of int
        ``values[inverse] == x[members]``.
    sampled : bool
        Whether they are a random subsample.
    """

    values: Array
    weights: Array
    members: Labels
    inverse: Labels
    sampled: bool

    def labels(self, x: Array, centres: Array) -> Labels:
        """Return the nearest centre of every row of the data, the same for equal rows."""
        labels = np.empty(len(x), dtype=np.intp)
        rest = np.ones(len(x), dtype=bool)
        rest[self.members] = False
        others = np.flatnonzero(rest)
        for start in range(0, len(others), ASSIGN_ROWS):
            block = others[start : start + ASSIGN_ROWS]
            labels[block] = _nearest(x[block], centres)[0]
        # From the canonical rows, not from x: a matrix product rounds a row differently at different places.
        labels[self.members] = _nearest(self.values, centres)[0][self.inverse]
        return labels


def _canonical_rows(x: Array, sample_weight: Array | None, rng: np.random.Generator) -> _CanonicalRows:
    """Return the canonical form of the data, or of a random subsample of ``MAX_SEED_ROWS`` rows."""
    members = np.arange(len(x)) if sample_weight is None else np.flatnonzero(sample_weight > 0)
    if members.size == 0:
        members = np.arange(len(x))
        sample_weight = None
    sampled = len(members) > MAX_SEED_ROWS
    if sampled:
        members = np.sort(rng.choice(members, MAX_SEED_ROWS, replace=False))
    chosen = x[members]
    weights = np.ones(len(members)) if sample_weight is None else sample_weight[members]
    # The weight is the last key, so that even the rounding of the sums below is independent of the order.
    order = np.lexsort((weights, *chosen.T[::-1]))
    members, chosen, weights = members[order], chosen[order], weights[order]
    new = np.ones(len(chosen), dtype=bool)
    new[1:] = (chosen[1:] != chosen[:-1]).any(axis=1)
    totals = np.add.reduceat(weights, np.flatnonzero(new))
    return _CanonicalRows(chosen[new], totals, members, np.cumsum(new) - 1, sampled)


def _plusplus(rows: _CanonicalRows, n_components: int, rng: np.random.Generator) -> Array:
    """Return centres seeded by greedy k-means++, each the best of ``2 + log(n_components)`` candidates."""
    values, weights = rows.values, rows.weights
    n_trials = 2 + int(np.log(n_components))
    centres = np.empty((n_components, values.shape[1]))
    centres[0] = values[_draw(weights, rng.random())]
    closest = _squared_distances(values, centres[0])
    for k in range(1, n_components):
        draws = rng.random(n_trials)
        mass = weights * closest
        if not mass.any():
            centres[k:] = centres[0]
            break
        candidates = [_draw(mass, draw) for draw in draws]
        distances = [np.minimum(closest, _squared_distances(values, values[i])) for i in candidates]
        best = int(np.argmin([weights @ distance for distance in distances]))
        centres[k], closest = values[candidates[best]], distances[best]
    return centres


def _lloyd(rows: _CanonicalRows, centres: Array) -> Array:
    """Return the centres after Lloyd's iterations."""
    values, weights = rows.values, rows.weights
    n_components = len(centres)
    for _ in range(MAX_LLOYD_STEPS):
        labels, distances = _nearest(values, centres)
        counts = np.bincount(labels, weights, minlength=n_components)
        sums = np.array([np.bincount(labels, weights * column, minlength=n_components) for column in values.T]).T
        occupied = counts > 0
        moved = np.where(occupied[:, None], sums / np.where(occupied, counts, 1.0)[:, None], centres)
        # An empty cluster takes over the row that costs most, as long as some row is not a centre already.
        cost = weights * distances
        for k, row in zip(np.flatnonzero(~occupied), np.argsort(-cost, kind="stable"), strict=False):
            if cost[row] > 0:
                moved[k] = values[row]
        step = float(((moved - centres) ** 2).sum())
        centres = moved
        if step <= LLOYD_TOLERANCE:
            break
    return centres


def _nearest(values: Array, centres: Array) -> tuple[Labels, Array]:
    """Return the nearest centre of each row and the squared distance to it."""
    labels = np.empty(len(values), dtype=np.intp)
    norms = np.einsum("ij,ij->i", centres, centres)
    for start in range(0, len(values), ASSIGN_ROWS):
        block = slice(start, start + ASSIGN_ROWS)
        labels[block] = (norms - 2.0 * (values[block] @ centres.T)).argmin(axis=1)
    return labels, _squared_distances(values, centres[labels])


def _squared_distances(values: Array, centres: Array) -> Array:
    """Return ``|values[n] - centres[n]|**2``; exactly zero at a centre, unlike the expanded form."""
    difference = values - centres
    distances: Array = np.einsum("ij,ij->i", difference, difference)
    return distances


def _draw(mass: Array, uniform: float) -> int:
    """Return where the cumulated ``mass`` passes ``uniform`` of its total; never an index of mass zero."""
    cumulated = np.cumsum(mass)
    index = int(np.searchsorted(cumulated, uniform * cumulated[-1], side="right"))
    return min(index, int(np.flatnonzero(mass)[-1]))


def _random_simplex(rng: np.random.Generator, n_rows: int, n_components: int) -> Array:
    """Return rows of uniform draws, each divided by its sum."""
    drawn = 1.0 - rng.random((n_rows, n_components))  # in (0, 1]: no row is all zero
    drawn /= drawn.sum(axis=1, keepdims=True)
    return drawn


def _one_hot(labels: Labels, n_components: int) -> Array:
    """Return responsibilities that put each row wholly into its component."""
    responsibilities = np.zeros((len(labels), n_components))
    responsibilities[np.arange(len(labels)), labels] = 1.0
    return responsibilities

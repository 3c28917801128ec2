"""The pass over the data: blocks of rows that stay in cache while two matrix products read them."""

from __future__ import annotations

import math
from collections.abc import Iterator

import attrs
import numpy as np

from emkit.families.gaussian.covariance import CovarianceStructure
from emkit.families.gaussian.expansions import Array, Booleans
from emkit.families.gaussian.moments import GaussianMoments

# The expanded quadratic form is off by up to eps * magnitude nats (see QuadraticForm; measured). At 3e4 that
# is below 1e-11 a row, the rounding of the log-likelihood of some 1e4 rows; components beyond it, tight and
# far from `location`, are evaluated from differences to their own mean, where nothing cancels.
EXPANSION_LIMIT = 3e4

# Bytes of the block of expanded rows: it stays in a second-level cache between the two products that read it.
BLOCK_BYTES = 1 << 20
BLOCK_ROWS = (256, 2048)

# Rows this many scales away from `location`, whose squares could overflow, have density zero.
FARTHEST = 1e120

# Components this many nats below the most probable one get responsibility zero; exp(-708) is the smallest
# normal float.
NEGLIGIBLE = -700.0


@attrs.frozen(eq=False)
class Plan:
    """All that a pass needs to know: ``log_joint = coefficients @ phi`` but for the guarded components.

    Attributes
    ----------
    structure : CovarianceStructure
    location, scale : ndarray of shape (n_features,)
    means : ndarray of shape (n_components, n_features)
        Standardised.
    cholesky : ndarray
        Factors of the precisions, standardised.
    coefficients : ndarray of shape (n_components, 1 + n_features + n_products)
    constants : ndarray of shape (n_components,)
        The log joint density at the mean.
    guarded : tuple of int
        The components that are evaluated from differences to their means.
    """

    structure: CovarianceStructure
    location: Array
    scale: Array
    means: Array
    cholesky: Array
    coefficients: Array
    constants: Array
    guarded: tuple[int, ...]

    @classmethod
    def of(
        cls,
        means: Array,
        covariances: Array,
        structure: CovarianceStructure,
        *,
        location: Array,
        scale: Array,
        log_weights: Array | float = 0.0,
    ) -> Plan:
        """Return the plan for ``log_weights + log density``, from params in the units of the data."""
        means = (means - location) / scale
        covariances = structure.rescale(covariances, 1.0 / scale)
        cholesky = structure.precisions_cholesky(covariances)
        form = structure.expansion.form(means, covariances, cholesky)
        jacobian = np.log(scale).sum() + 0.5 * scale.size * math.log(2.0 * math.pi)
        constants = form.log_determinants - jacobian + log_weights
        guarded = ~(form.magnitudes <= EXPANSION_LIMIT)
        coefficients = np.empty((len(means), 1 + scale.size + form.products.shape[1]))
        coefficients[:, 0] = constants - 0.5 * (form.linear * means).sum(axis=1)
        coefficients[:, 1 : 1 + scale.size] = form.linear
        np.multiply(form.products, -0.5, out=coefficients[:, 1 + scale.size :])
        coefficients[guarded] = 0.0
        indices = tuple(np.flatnonzero(guarded).tolist())
        return cls(structure, location, scale, means, cholesky, coefficients, constants, indices)

    def blocks(self, x: Array) -> Iterator[tuple[slice, Array, Booleans | None]]:
        """Yield the rows of each block, ``phi = [1, z, products]`` and which of the rows are too far.

        ``phi`` (n_terms, n_rows) is one buffer, written anew for every block.
        """
        n_samples, n_features = x.shape
        n_terms = self.coefficients.shape[1]
        n_rows = min(max(BLOCK_BYTES // (8 * n_terms), BLOCK_ROWS[0]), BLOCK_ROWS[1], max(n_samples, 1))
        buffer = np.empty((n_terms, n_rows))
        buffer[0] = 1.0
        location, scale = self.location[:, None], self.scale[:, None]
        fill = self.structure.expansion.fill
        for start in range(0, n_samples, n_rows):
            rows = slice(start, min(start + n_rows, n_samples))
            phi = buffer[:, : rows.stop - start]
            z = phi[1 : 1 + n_features]
            np.subtract(x[rows].T, location, out=z)
            z /= scale
            far: Booleans | None = None
            if not (z.max() <= FARTHEST and z.min() >= -FARTHEST):
                far = np.asarray((np.abs(z) > FARTHEST).any(axis=0))
                z[:, far] = 0.0
            fill(z, self.cholesky, phi[1 + n_features :])
            yield rows, phi, far

    def log_joint(self, phi: Array, far: Booleans | None) -> Array:
        """Return the log joint densities (n_components, n_rows) of one block."""
        joint = self.coefficients @ phi
        for k in self.guarded:
            distances = self.structure.expansion.squared_distances(self.centred(phi, k), self.cholesky, k)
            np.multiply(distances, -0.5, out=joint[k])
            joint[k] += self.constants[k]
        if far is not None:
            joint[:, far] = -np.inf
        return np.asarray(joint)

    def centred(self, phi: Array, k: int) -> Array:
        """Return the standardised rows of a block minus mean ``k``, (n_features, n_rows)."""
        centred: Array = phi[1 : 1 + self.means.shape[1]] - self.means[k][:, None]
        return centred


@attrs.frozen(eq=False)
class Sums:
    """What a pass adds up block by block; its arrays are its own and change in place."""

    plan: Plan
    terms: Array
    pooled: Array
    first: Array
    second: Array

    @classmethod
    def zeros(cls, plan: Plan) -> Sums:
        """Return sums over no rows."""
        n_components, n_features = plan.means.shape
        shape = plan.structure.shape(n_components, n_features)
        pooled = np.zeros((n_features, n_features))
        return cls(plan, np.zeros(plan.coefficients.shape), pooled, np.zeros(plan.means.shape), np.zeros(shape))

    def add(self, phi: Array, responsibilities: Array) -> None:
        """Add one block, with weighted responsibilities of shape (n_components, n_rows)."""
        expansion = self.plan.structure.expansion
        self.terms[...] += responsibilities @ phi.T
        for k in self.plan.guarded:
            centred = self.plan.centred(phi, k)
            self.first[k] += centred @ responsibilities[k]
            self.second[expansion.slot(k)] += expansion.spread(centred, responsibilities[k])
        if self.plan.guarded:
            responsibilities[list(self.plan.guarded)] = 0.0
        n_features = self.plan.means.shape[1]
        self.pooled[...] += expansion.pooled_products(phi[1 : 1 + n_features], responsibilities)

    def moments(self) -> GaussianMoments:
        """Return the moments about the means."""
        counts = self.terms[:, 0].copy()
        guarded = list(self.plan.guarded)
        self.terms[guarded] = 0.0
        first = self.terms[:, 1 : 1 + self.plan.means.shape[1]]
        first -= self.terms[:, :1] * self.plan.means
        second = self.plan.structure.expansion.centre(self.terms, self.pooled, self.plan.means)
        return GaussianMoments(counts, first + self.first, second + self.second)


def normalise(joint: Array, weights: Array | None) -> float:
    """Turn log joint densities into weighted responsibilities, in place, and return their log-likelihood."""
    top = joint.max(axis=0)
    impossible = top == -np.inf if top.min() == -np.inf else None
    if impossible is not None:
        top[impossible] = 0.0
    joint -= top
    if joint.min() < NEGLIGIBLE:
        # Where the result underflows, exp takes up to fifty times as long; subtracting leaves true zeros.
        np.maximum(joint, NEGLIGIBLE, out=joint)
        np.exp(joint, out=joint)
        joint -= math.exp(NEGLIGIBLE)
    else:
        np.exp(joint, out=joint)
    total = joint.sum(axis=0)
    top += np.log(total)
    if impossible is not None:
        total[impossible] = 1.0
    if weights is None:
        joint /= total
        return float(top.sum())
    joint *= weights / total
    if impossible is not None:
        top[weights == 0] = 0.0
    return float(top @ weights)

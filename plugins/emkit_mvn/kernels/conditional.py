"""Gaps given the seen cells of their row: means, variances and draws, for any rows and with nothing left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from emkit_mvn.kernels.blocks import Block, blocks_of
from emkit_mvn.kernels.inversion import inverses, roots
from emkit_mvn.kernels.moments import Normal, filled_residuals, solved
from emkit_mvn.kernels.patterns import Indices, patterns_of

Array = NDArray[np.float64]

#: Cells farther from the mean, in standard deviations, count as this far, which is still a number.
FARTHEST = 1e300


@attrs.frozen(eq=False)
class Completion:
    """Rows with their gaps filled.

    Attributes
    ----------
    values : (n_samples, n_features)
        Seen cells as they are, gaps at their conditional mean.
    variances : (n_samples, n_features)
        Conditional variances; zero for seen cells.
    """

    values: Array
    variances: Array


@attrs.frozen(eq=False)
class Part:
    """Some rows of a table, their gaps filled.

    Attributes
    ----------
    index : (n_rows,)
        Where they stand in the table.
    block : Block
        The same rows, standardised; all multipliers are one.
    residuals : (n_rows, n_features)
        ``(E[x | seen cells] - mean) / scale``.
    inverse : (n_cells, n_cells, n_patterns)
        As :func:`emkit_mvn.kernels.moments.solved` gives it.
    """

    index: Indices
    block: Block
    residuals: Array
    inverse: Array


@attrs.frozen(eq=False)
class Conditional:
    """A normal distribution, to condition rows on what is seen of them.

    Attributes
    ----------
    mean, scale : (n_features,)
        ``scale`` standardises; any numbers of the size of the deviations will do.
    normal : Normal
        The distribution of the standardised residuals: its mean is zero.
    """

    mean: Array
    scale: Array
    normal: Normal

    @classmethod
    def of(cls, mean: Array, covariance: Array) -> Conditional:
        """Return it for a mean (n_features,) and a covariance (n_features, n_features)."""
        scale = np.sqrt(np.diag(covariance))
        return cls(mean, scale, Normal.of(np.zeros_like(mean), covariance / np.outer(scale, scale)))

    def parts(self, x: Array) -> Iterator[Part]:
        """Yield all rows of a table (n_samples, n_features) with NaN in its gaps, rows of like patterns together."""
        observed = ~np.isnan(x)
        patterns = patterns_of(observed)
        if len(x) == 0:
            return
        with np.errstate(over="ignore"):
            standard = np.where(observed, np.clip((x - self.mean) / self.scale, -FARTHEST, FARTHEST), 0.0)
        start = 0
        for block in blocks_of(standard, None, patterns, compress=False):
            index = patterns.order[start : start + len(block.rows)]
            start += len(block.rows)
            inverse, _ = solved(block, self.normal)
            yield Part(index, block, filled_residuals(block, self.normal, inverse), inverse)

    def covariances(self, part: Part) -> Array:
        """Return ``Cov[gaps | seen cells]``, standardised, of each pattern: (n_patterns, n_gaps, n_gaps)."""
        block = part.block
        if block.solves_gaps:
            return np.moveaxis(part.inverse, -1, 0)
        gaps = block.gaps
        pairs = gaps[:, None] * len(self.mean) + gaps
        return np.moveaxis(inverses(self.normal.precision.take(pairs))[0], -1, 0)

    def fill(self, x: Array) -> Array:
        """Return the table with every gap at its conditional mean; seen cells are as they were, to the last bit."""
        filled = np.array(x)
        for part in self.parts(x):
            rows, columns = _gap_cells(part)
            values = self.mean + self.scale * part.residuals
            filled[part.index[rows], columns] = values[rows, columns]
        return filled

    def variances(self, x: Array) -> Array:
        """Return the conditional variance of every cell, zero where it is seen."""
        variances = np.zeros(x.shape)
        for part in self.parts(x):
            rows, columns = _gap_cells(part)
            each = np.einsum("pgg->pg", self.covariances(part))[part.block.pattern]
            variances[part.index[rows], columns] = each.ravel() * self.scale[columns] ** 2
        return variances

    def draw(self, x: Array, rng: np.random.Generator, stretch: Callable[[Part], Array] | None = None) -> Array:
        """Return the table with every gap drawn from its distribution given the seen cells of the row.

        Parameters
        ----------
        x : (n_samples, n_features)
        rng : numpy.random.Generator
        stretch : callable, optional
            Gives by what to multiply the deviations of a part's rows from their mean, (n_rows,).
        """
        filled = np.array(x)
        for part in self.parts(x):
            rows, columns = _gap_cells(part)
            if rows.size == 0:
                continue
            factors = roots(self.covariances(part))[part.block.pattern]
            noise = np.einsum("ngh,nh->ng", factors, rng.standard_normal(factors.shape[:2]))
            if stretch is not None:
                noise *= stretch(part)[:, None]
            standard = part.residuals[rows, columns] + noise.ravel()
            filled[part.index[rows], columns] = self.mean[columns] + self.scale[columns] * standard
        return filled

    def log_density(self, x: Array) -> Array:
        """Return the log-density of the seen cells of each row, in nats, shape (n_samples,); zero where none is."""
        density = np.zeros(len(x))
        for part in self.parts(x):
            # The square of a distance may overflow: a row so far away has a density of zero.
            with np.errstate(over="ignore"):
                squares = self.distances(part) ** 2
            density[part.index] = -(self.constants(part) + squares) / 2
        return density

    def distances(self, part: Part) -> Array:
        """Return the Mahalanobis distance of the seen cells of each row of a part, (n_rows,), which never overflows."""
        whitened = solve_triangular(self.normal.factor, part.residuals.T, lower=True, check_finite=False)
        size = np.abs(whitened).max(axis=0, initial=0.0)
        unit = np.where(size > 0, size, 1.0)
        distances: Array = unit * np.sqrt(((whitened / unit) ** 2).sum(axis=0))
        return distances

    def constants(self, part: Part) -> Array:
        """Return ``log det(2 pi covariance)`` of the seen cells of each row of a part, (n_rows,)."""
        _, log_determinants = solved(part.block, self.normal)
        units = part.block.observed @ (np.log(2 * np.pi) + 2 * np.log(self.scale))
        constants: Array = (log_determinants + units)[part.block.pattern]
        return constants

    def score_contributions(self, x: Array) -> tuple[Array, Array]:
        """Return the gradients of each row's log-density.

        With ``P`` the precision, ``r`` the completed residual and ``C`` its conditional covariance, that is ``P r``
        (n_samples, n_features) for the mean and ``(P r r' P - P + P C P) / 2``, shape (n_samples, n_features,
        n_features), for the covariance.
        """
        size = len(self.mean)
        means, covariances = np.zeros((len(x), size)), np.zeros((len(x), size, size))
        precision = self.normal.precision
        for part in self.parts(x):
            gaps = part.block.gaps.T
            spread = np.zeros((len(gaps), size, size))
            spread[np.arange(len(gaps))[:, None, None], gaps[:, :, None], gaps[:, None]] = self.covariances(part)
            pulled = part.residuals @ precision
            means[part.index] = pulled / self.scale
            curvature = (precision @ spread @ precision - precision)[part.block.pattern]
            covariances[part.index] = (pulled[:, :, None] * pulled[:, None] + curvature) / 2
        return means, covariances / np.outer(self.scale, self.scale)


def _gap_cells(part: Part) -> tuple[Indices, Indices]:
    """Return row (within the part) and column of every gap, row after row."""
    gaps = part.block.gaps.T[part.block.pattern]
    return np.repeat(np.arange(len(gaps)), gaps.shape[1]), gaps.ravel()

"""Data augmentation: gaps and params drawn in turn, each given the other.

Which cells are missing does not change from step to step, so rows are grouped once. And since the params are drawn
given sums of products only, rows of one pattern stay compressed: what their draws would add to the sums of
products beyond a few rows has a Wishart distribution. A step costs two or three E-steps.

References
----------
M. A. Tanner, W. H. Wong, Journal of the American Statistical Association 82 (1987) 528-540. J. L. Schafer, Analysis
of Incomplete Multivariate Data, Chapman & Hall 1997, section 5.4.
"""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit.errors import DegenerateError
from emkit_mvn.kernels.blocks import Block
from emkit_mvn.kernels.moments import Normal, filled_residuals, solved
from emkit_mvn.kernels.rows import IncompleteRows, Units
from emkit_mvn.multiple.posterior import draw_posterior, singular_rows, wishart_factors
from emkit_mvn.priors import PriorTerms

Array = NDArray[np.float64]


@attrs.frozen(eq=False)
class NoisyBlock:
    """A block with all that is drawn for its rows, also for those that it stands for.

    Attributes
    ----------
    block : Block
        The rows, and after them rows of zeros that carry noise only.
    df : (n_compressed,)
        The last ``n_compressed * n_features`` rows are, pattern by pattern, factors of Wishart matrices of so many
        degrees of freedom; all others are normal.
    """

    block: Block
    df: Array

    @classmethod
    def of(cls, block: Block) -> NoisyBlock:
        """Return it for the rows of a block whose weights are whole numbers."""
        n_patterns, size = len(block.weights), block.rows.shape[1]
        # Rows of one pattern, each as often as it counts, turned so that the seen cells of all but the first few are 0.
        others = np.rint(block.weights).astype(np.intp) - np.bincount(block.pattern, minlength=n_patterns)
        if block.solves_gaps and block.cells.size == 0:
            others[:] = 0
        many = np.flatnonzero(others > size)
        few = np.repeat(np.arange(n_patterns), np.where(others > size, 0, others))
        added = np.concatenate([few, np.repeat(many, size)])
        rows = np.vstack([block.rows, np.zeros((len(added), size))])
        multipliers = np.concatenate([block.multipliers, np.zeros(len(added))])
        pattern = np.concatenate([block.pattern, added])
        longer = attrs.evolve(block, rows=rows, multipliers=multipliers, pattern=pattern)
        return cls(longer, others[many].astype(np.float64))

    def completed(self, normal: Normal, rng: np.random.Generator) -> Array:
        """Return the residuals of the rows about the mean with their gaps drawn, shape (n_rows, n_features).

        A draw of gaps given the seen cells is a draw of all cells, moved by the expectation of what the seen ones
        lack: this takes no factor of the conditional covariance of each pattern.
        """
        block = self.block
        if block.solves_gaps and block.cells.size == 0:
            complete: Array = block.rows - block.multipliers[:, None] * normal.mean
            return complete
        inverse, _ = solved(block, normal)
        noise = self._noise(rng) @ normal.factor.T
        lacking = attrs.evolve(block, rows=block.rows - noise)
        return filled_residuals(lacking, normal, inverse) + noise

    def _noise(self, rng: np.random.Generator) -> Array:
        """Return standard normal rows, and the Wishart factors."""
        n_rows, size = self.block.rows.shape
        n_factors = len(self.df)
        if n_factors == 0:
            return rng.standard_normal((n_rows, size))
        normal_rows = rng.standard_normal((n_rows - n_factors * size, size))
        factors = wishart_factors(self.df, size, rng)
        return np.vstack([normal_rows, factors.mT.reshape(-1, size)])


@attrs.frozen(eq=False)
class Augmentation:
    """One step of data augmentation, prepared; mean and covariance are in units of the rows.

    Attributes
    ----------
    blocks : tuple of NoisyBlock
    units : Units
        Of the rows.
    total : float
        Weight of the rows.
    prior : PriorTerms
        In these units.
    """

    blocks: tuple[NoisyBlock, ...]
    units: Units
    total: float
    prior: PriorTerms

    @classmethod
    def of(cls, rows: IncompleteRows, prior: PriorTerms) -> Augmentation:
        """Return it for rows with whole weights and a prior in the units of the data."""
        units = rows.units
        scatter = prior.scatter / np.outer(units.scale, units.scale)
        centre = (prior.centre - units.location) / units.scale
        standard = PriorTerms(prior.count, scatter, prior.strength, centre)
        return cls(tuple(NoisyBlock.of(block) for block in rows.blocks), units, rows.total_weight, standard)

    def standardised(self, mean: Array, covariance: Array) -> tuple[Array, Array]:
        """Return mean and covariance in units of the rows."""
        scale = self.units.scale
        return (mean - self.units.location) / scale, covariance / np.outer(scale, scale)

    def in_units_of_data(self, mean: Array, covariance: Array) -> tuple[Array, Array]:
        """Return mean and covariance in units of the data."""
        scale = self.units.scale
        return self.units.location + scale * mean, covariance * np.outer(scale, scale)

    def step(self, mean: Array, covariance: Array, rng: np.random.Generator) -> tuple[Array, Array]:
        """Return the next mean and covariance: the I-step, gaps given params, and the P-step, params given gaps."""
        first, second = self.completed_moments(mean, covariance, rng)
        average = first / self.total
        scatter = second - self.total * np.outer(average, average)
        return draw_posterior(self.total, mean + average, scatter, self.prior, rng)

    def completed_moments(self, mean: Array, covariance: Array, rng: np.random.Generator) -> tuple[Array, Array]:
        """Return the sum of the residuals of all rows about ``mean``, gaps drawn, and of their products."""
        size = len(mean)
        first, second = np.zeros(size), np.zeros((size, size))
        try:
            normal = Normal.of(mean, covariance)
            for noisy in self.blocks:
                residuals = noisy.completed(normal, rng)
                first += noisy.block.multipliers @ residuals
                second += residuals.T @ residuals
        except DegenerateError:
            # What this says of a floor is for fits: a chain has none.
            raise singular_rows() from None
        return first, second

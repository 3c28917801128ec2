"""The expected moments that the E-step hands to the M-step, added up block by block."""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit_factor.kernels import Block, StandardFactors
from emkit_factor.params import FactorStatistics
from emkit_factor.rows import PartialRows
from emkit_factor.symmetric import packed, packed_products

Array = NDArray[np.float64]


def expected_moments(factors: StandardFactors, data: PartialRows) -> tuple[FactorStatistics, float]:
    """Return the expected moments of cells and factors, and the log-likelihood of the observed cells."""
    sums = Sums.zeros(*factors.loadings.shape)
    log_likelihood = 0.0
    for block in factors.blocks(data):
        log_likelihood += float(block.weights @ factors.log_density(block))
        sums.add(block)
    return sums.statistics(factors.mean), log_likelihood


@attrs.frozen(eq=False)
class Sums:
    """Moments about the current mean while they are being added up; the arrays are written to."""

    counts: Array
    cells: Array
    factor_sums: Array
    cross: Array
    factor_products: Array
    rows: Array

    @classmethod
    def zeros(cls, n_features: int, n_factors: int) -> Sums:
        """Return sums over no rows."""
        n_products = n_factors * (n_factors + 1) // 2
        shape = (n_features, n_factors)
        return cls(
            np.zeros(n_features),
            np.zeros((2, n_features)),
            np.zeros(shape),
            np.zeros(shape),
            np.zeros((n_features, n_products)),
            np.zeros(1 + n_factors + n_products),
        )

    def add(self, block: Block) -> None:
        """Add a block of rows."""
        weighted = block.means * block.weights[:, None]
        counts = block.per_pattern(block.weights)[:, None]
        products = block.per_pattern(packed_products(block.means) * block.weights[:, None])
        products += counts * packed(block.covariances)
        by_pattern = np.concatenate([counts, block.per_pattern(weighted), products], axis=1)
        self.rows[...] += by_pattern.sum(axis=0)
        n_factors = weighted.shape[1]
        over = block.over_observed(by_pattern)
        self.counts[...] += over[:, 0]
        self.factor_sums[...] += over[:, 1 : 1 + n_factors]
        self.factor_products[...] += over[:, 1 + n_factors :]
        self.cross[...] += block.centred.T @ weighted
        self.cells[0] += block.weights @ block.centred
        self.cells[1] += block.weights @ np.square(block.centred)

    def statistics(self, mean: Array) -> FactorStatistics:
        """Return the moments about the location of the data, so that they do not depend on the params."""
        sums, squares = self.cells
        n_factors = self.factor_sums.shape[1]
        return FactorStatistics(
            self.counts,
            sums + self.counts * mean,
            squares + 2 * mean * sums + self.counts * mean**2,
            self.factor_sums,
            self.cross + mean[:, None] * self.factor_sums,
            self.factor_products,
            float(self.rows[0]),
            self.rows[1 : 1 + n_factors],
            self.rows[1 + n_factors :],
        )

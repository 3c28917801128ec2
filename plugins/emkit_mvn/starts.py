"""Where the fit of a multivariate normal starts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emkit.arrays import column_scales
from emkit_mvn.floors import above_floor
from emkit_mvn.kernels.monotone import monotone_maximum, monotone_order
from emkit_mvn.kernels.rows import IncompleteRows
from emkit_mvn.params import NormalParams
from emkit_mvn.structures import CovarianceStructure, Unrestricted

Array = NDArray[np.float64]

#: Smallest eigenvalue of a starting correlation matrix: what pairs of columns say need not fit together.
START_FLOOR = 0.05


def available_case_params(rows: IncompleteRows, structure: CovarianceStructure, floor: float) -> NormalParams:
    """Return what the seen cells say: the mean of each column, and for each pair the rows that see both."""
    weights, products = rows.pair_weights, np.zeros(rows.pair_weights.shape)
    for block in rows.blocks:
        products += block.rows.T @ block.rows
    covariance = np.divide(products, weights, out=np.zeros_like(weights), where=weights > 0)
    return _params(rows, structure, np.zeros(len(weights)), covariance, max(floor, START_FLOOR))


def monotone_params(rows: IncompleteRows, floor: float) -> NormalParams | None:
    """Return the maximum of the likelihood where patterns are monotone, None where they are not."""
    order = monotone_order(np.concatenate([block.observed for block in rows.blocks]))
    if order is None:
        return None
    return _params(rows, Unrestricted(), *monotone_maximum(rows.blocks, order), floor)


def _params(
    rows: IncompleteRows, structure: CovarianceStructure, mean: Array, covariance: Array, floor: float
) -> NormalParams:
    """Return params from a mean and a covariance in the units of the rows."""
    units, scale = rows.units, _scale(rows, structure)
    ratio = units.scale / scale
    coverage = rows.pair_weights / rows.total_weight
    standard = above_floor(structure.nearest(covariance * np.outer(ratio, ratio)), floor, coverage)
    return NormalParams(units.location + units.scale * mean, standard * np.outer(scale, scale), scale, coverage)


def random_params(params: NormalParams, rng: np.random.Generator) -> NormalParams:
    """Return params with other correlations, drawn from a Wishart distribution, and the same variances."""
    size = len(params.mean)
    root = rng.standard_normal((size, size + 1))
    deviations = np.sqrt(np.diag(params.covariance) / np.diag(root @ root.T))
    covariance = (root @ root.T) * np.outer(deviations, deviations)
    return NormalParams(params.mean, covariance, params.scale, params.coverage)


def _scale(rows: IncompleteRows, structure: CovarianceStructure) -> Array:
    """Return the standard deviations of the seen cells; a constant column gets its size."""
    weights = np.diag(rows.pair_weights)
    # The divisor n - 1 is that of the sample variance, which a ridge prior pulls towards.
    correction = np.where(weights > 1, weights / np.maximum(weights - 1, 1e-300), 1.0)
    scale = column_scales(rows.units.deviation * np.sqrt(correction), rows.units.size)
    return np.full_like(scale, np.sqrt(np.mean(scale**2))) if structure.has_common_unit else scale

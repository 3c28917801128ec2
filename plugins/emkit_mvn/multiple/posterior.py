"""Draws of a mean and a covariance from their posterior given complete data: the P-step of data augmentation."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import solve_triangular

from emkit.errors import DegenerateError
from emkit_mvn.priors import PriorTerms

Array = NDArray[np.float64]


def noninformative(n_features: int) -> PriorTerms:
    """Return Jeffreys' prior, of density ``det(covariance) ** (-(n_features + 1) / 2)``."""
    return PriorTerms(n_features + 1.0, np.zeros((n_features, n_features)), 0.0, np.zeros(n_features))


def posterior_df(total: float, prior: PriorTerms) -> float:
    """Return the degrees of freedom of the inverse Wishart posterior given rows of that total weight.

    It is proper if they are more than ``n_features - 1``.
    """
    return total + prior.count - len(prior.centre) - 2


def draw_posterior(
    total: float, mean: Array, scatter: Array, prior: PriorTerms, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Return a mean (n_features,) and a covariance (n_features, n_features) drawn from their posterior.

    With ``n`` rows in ``total`` and ``c = centre - mean`` of the prior,

        covariance        ~ InverseWishart(df, scatter + prior.scatter + n strength / (n + strength) c c')
        mean | covariance ~ Normal((n mean + strength centre) / (n + strength), covariance / (n + strength))

    (Schafer 1997, Analysis of Incomplete Multivariate Data, section 5.2.2).

    Parameters
    ----------
    total : float
        Weight of the rows.
    mean, scatter : (n_features,), (n_features, n_features)
        Mean of the rows, and the sum of the products of their deviations from it.
    """
    size, n = len(mean), total + prior.strength
    shift = prior.centre - mean
    spread = scatter + prior.scatter + (total * prior.strength / n) * np.outer(shift, shift)
    try:
        root = np.linalg.cholesky(spread)
    except np.linalg.LinAlgError:
        raise singular_rows() from None
    # The precision is Wishart: inverse(root)' a a' inverse(root), so the covariance is h' h with h = inverse(a) root'.
    a = wishart_factors(np.array([posterior_df(total, prior)]), size, rng)[0]
    h = solve_triangular(a, root.T, lower=True, check_finite=False)
    centre = mean + (prior.strength / n) * shift
    return centre + rng.standard_normal(size) @ h / np.sqrt(n), h.T @ h


def singular_rows() -> DegenerateError:
    """Return the error of rows that do not determine a covariance."""
    msg = (
        "The completed rows have a singular covariance (columns that follow from others, or too few rows): leave out "
        "such columns, or give a prior such as prior='ridge'."
    )
    return DegenerateError(msg)


def wishart_factors(df: ArrayLike, size: int, rng: np.random.Generator) -> Array:
    """Return lower triangular factors ``a`` with ``a a' ~ Wishart(df, identity)``, shape (n_factors, size, size).

    By Bartlett's decomposition: chi-distributed on the diagonal, normal below. ``df`` (n_factors,) above ``size - 1``.
    """
    degrees = np.asarray(df, dtype=np.float64)
    factors = np.tril(rng.standard_normal((len(degrees), size, size)), -1)
    diagonal = np.arange(size)
    factors[:, diagonal, diagonal] = np.sqrt(rng.chisquare(degrees[:, None] - diagonal))
    return factors

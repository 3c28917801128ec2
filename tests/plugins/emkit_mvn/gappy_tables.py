"""Tables with gaps at random, normals, and their moments by a loop over rows."""

import numpy as np


def table(n_samples, n_features, share, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n_samples, n_features)) @ rng.normal(size=(n_features, n_features)) + 3
    x[rng.random(x.shape) < share] = np.nan
    return x


def some_normal(n_features, seed=1):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(n_features, n_features + 2))
    return rng.normal(size=n_features), root @ root.T / n_features


def moments_by_rows(x, weights, mean, covariance):
    """Loop over rows: sums of residuals and of products, log-determinants and distances of the seen cells."""
    size = len(mean)
    first, second, log_determinant, distance = np.zeros(size), np.zeros((size, size)), 0.0, 0.0
    for row, weight in zip(x, weights, strict=True):
        seen = ~np.isnan(row)
        if not seen.any():
            continue
        inside, away = covariance[np.ix_(seen, seen)], row[seen] - mean[seen]
        gain = covariance[:, seen] @ np.linalg.inv(inside)
        residual = gain @ away
        first += weight * residual
        second += weight * (np.outer(residual, residual) + covariance - gain @ covariance[seen])
        log_determinant += weight * np.linalg.slogdet(inside)[1]
        distance += weight * away @ np.linalg.solve(inside, away)
    return first, second, log_determinant, distance

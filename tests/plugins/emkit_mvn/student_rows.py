"""Rows of t distributions with gaps, and their densities by scipy."""

import attrs
import numpy as np
from scipy import stats


def heavy_rows(n=150, d=3, df=3.0, missing=0.2, seed=0):
    rng = np.random.default_rng(seed)
    root = np.tril(rng.standard_normal((d, d))) + 2 * np.eye(d)
    latent = rng.gamma(df / 2, 2 / df, size=(n, 1)) if np.isfinite(df) else 1.0
    x = 3 + rng.standard_normal((n, d)) @ root.T / np.sqrt(latent)
    x[rng.random(x.shape) < missing] = np.nan
    return x


def brute_log_density(location, scatter, df, x):
    """Return the log-density of what is seen of every row, each by scipy and on its own."""
    density = np.zeros(len(x))
    for i, row in enumerate(x):
        seen = np.flatnonzero(~np.isnan(row))
        if seen.size:
            density[i] = stats.multivariate_t.logpdf(row[seen], location[seen], scatter[np.ix_(seen, seen)], df=df)
    return density


def some_params(model, x, tail):
    start = model.initialize(x, np.random.default_rng(0))
    return attrs.evolve(start, location=start.location + 0.3 * start.scale, scatter=1.2 * start.scatter, tail=tail)

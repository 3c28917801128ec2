"""Estimates to pool."""

import numpy as np


def analyses():
    """Return six estimates of three entries and their covariance matrices."""
    rng = np.random.default_rng(5)
    factors = rng.normal(size=(6, 3, 8))
    return rng.normal(size=(6, 3)), factors @ factors.mT / 8

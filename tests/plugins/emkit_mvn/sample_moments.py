"""Two samples compared."""

import numpy as np
from scipy import stats


def assert_same_moments(draws, others, z=4.5):
    """Means and standard deviations of two samples differ by less than z of their standard errors."""
    a, b = (np.reshape(sample, (len(sample), -1)) for sample in (draws, others))
    scale = np.sqrt(a.var(axis=0) / len(a) + b.var(axis=0) / len(b))
    assert (np.abs(a.mean(axis=0) - b.mean(axis=0)) <= z * scale + 1e-9 * np.abs(b).max()).all()
    spread = np.sqrt(1 / len(a) + 1 / len(b)) * np.sqrt(stats.kurtosis(b, fisher=False).max() / 4)
    same = b.std(axis=0) > 1e-9 * np.abs(b).max()
    np.testing.assert_allclose(a.std(axis=0)[same] / b.std(axis=0)[same], 1, atol=z * spread)

"""Expected moments against a loop over rows."""

import numpy as np
import pytest
from emkit_mvn.kernels.moments import Normal, expectations
from emkit_mvn.kernels.rows import incomplete_rows
from gappy_tables import moments_by_rows, some_normal, table

from emkit.errors import DegenerateError


@pytest.mark.parametrize(
    ("n_samples", "n_features", "share"),
    [
        (40, 3, 0.3),
        (300, 4, 0.1),
        (500, 5, 0.6),
        (60, 17, 0.3),
        (30, 70, 0.2),
        (20, 40, 0.7),
        (1, 3, 0.4),
        (50, 1, 0.2),
    ],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_expectations_are_those_of_a_loop_over_rows(n_samples, n_features, share, weighted):
    x = table(n_samples, n_features, share)
    weights = np.random.default_rng(2).integers(0, 4, n_samples) / 2 if weighted else np.ones(n_samples)
    mean, covariance = some_normal(n_features)
    rows = incomplete_rows(x, weights if weighted else None)
    scale = rows.units.scale
    standard = Normal.of((mean - rows.units.location) / scale, covariance / np.outer(scale, scale))
    found = expectations(rows.blocks, standard)
    first, second, log_determinant, distance = moments_by_rows(x, weights, mean, covariance)
    np.testing.assert_allclose(found.first * scale, first, atol=1e-9 * n_samples)
    np.testing.assert_allclose(found.second * np.outer(scale, scale), second, atol=1e-9 * n_samples)
    logs = 2 * np.diag(rows.pair_weights) @ np.log(scale)
    assert found.log_determinant + logs == pytest.approx(log_determinant, abs=1e-9 * n_samples)
    assert found.distance == pytest.approx(distance, rel=1e-9)
    informative = ~np.isnan(x).all(axis=1)
    assert rows.total_weight == pytest.approx(weights[informative].sum())
    seen = ~np.isnan(x)
    np.testing.assert_allclose(rows.pair_weights, (seen * weights[:, None]).T @ seen)


def test_a_covariance_that_is_not_definite_is_refused():
    with pytest.raises(DegenerateError, match="not positive definite"):
        Normal.of(np.zeros(2), np.array([[1.0, 2.0], [2.0, 1.0]]))

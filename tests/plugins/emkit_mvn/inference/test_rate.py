"""The rate of EM from a few steps of Lanczos."""

import numpy as np
import pytest
from emkit_mvn import MultivariateNormal
from emkit_mvn.inference.rate import WhitenedMap, slowest_direction
from mvn_tables import MISSVALS, RATES

import emkit


def fitted(x, **settings):
    return emkit.fit(MultivariateNormal(**settings), x, tol=0)


@pytest.mark.parametrize(("x", "rate"), [r[1:] for r in RATES], ids=[r[0] for r in RATES])
def test_a_few_steps_of_lanczos_find_the_rate_from_below(x, rate):
    result = fitted(x)
    found, vector = slowest_direction(WhitenedMap.of(result.model, result.params, result.model.prepare(x)))
    assert found < rate + 1e-3
    assert 1 - found < 1.1 * (1 - rate) + 1e-3
    assert np.linalg.norm(vector) == pytest.approx(1)


def test_coordinates_and_displacements_are_inverse_to_each_other(rng):
    result = fitted(MISSVALS)
    em_map = WhitenedMap.of(result.model, result.params, result.model.prepare(MISSVALS))
    mean, covariance = rng.standard_normal(5), rng.standard_normal((5, 5))
    covariance += covariance.T
    there = em_map.displacement(em_map.whitened(mean, covariance))
    np.testing.assert_allclose(there[0], mean, atol=1e-8)
    np.testing.assert_allclose(there[1], covariance, atol=1e-8)


@pytest.fixture
def rng():
    return np.random.default_rng(5)

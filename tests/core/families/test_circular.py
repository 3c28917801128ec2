"""Angles against SciPy; the equation of the concentration; turns and caps."""

import numpy as np
import pytest
from scipy import optimize, special, stats

from emkit.families import VonMises, VonMisesParams
from emkit.families.circular import LARGE_CONCENTRATION, von_mises_concentrations
from emkit.testing import check_family


def angles(concentration=2.0, n_samples=200, seed=0):
    return np.random.default_rng(seed).vonmises([[3.0, -1.0]], concentration, size=(n_samples, 2))


@pytest.mark.parametrize("concentration", [0.3, 2.0, 1e5])
def test_von_mises_keeps_the_laws_of_families(concentration):
    check_family(VonMises(), angles(concentration))


@pytest.mark.parametrize("k", [0.0, 0.5, 30.0, LARGE_CONCENTRATION * 0.99, LARGE_CONCENTRATION * 1.01, 1e7])
def test_densities_are_scipys(k):
    x, family = np.array([[-3.0], [0.99], [1.0], [1.0 + 2 * np.pi], [100.0]]), VonMises()
    expected = stats.vonmises.logpdf(x, k, loc=1.0) if k else np.full_like(x, -np.log(2 * np.pi))
    density = family.log_density(VonMisesParams([[1.0]], [[k]], [1e9]), family.prepare(x))
    assert np.allclose(density, expected, rtol=1e-8, atol=1e-8)


def test_a_narrow_component_is_not_lost_in_rounding():
    """At a concentration of 1e9 the linear form of the density loses nine digits."""
    x, k = 2.0 + 3e-5 * np.linspace(-2, 2, 50)[:, None], 1e9
    density = VonMises().log_density(VonMisesParams([[2.0]], [[k]], [1e12]), VonMises().prepare(x))
    expected = -2 * k * np.sin((x - 2.0) / 2) ** 2 - np.log(2 * np.pi * special.i0e(k))
    assert np.allclose(density, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("concentration", [0.2, 3.0, 500.0])
def test_the_fit_is_the_numerical_maximum(concentration):
    x = angles(concentration)[:, :1]
    weights, family = np.random.default_rng(1).random((len(x), 1)), VonMises()
    fitted = family.fit(family.prepare(x), weights)

    def loss(theta):
        k = np.exp(theta[1])
        return -float((weights * (k * (np.cos(x - theta[0]) - 1) - np.log(2 * np.pi * special.i0e(k)))).sum())

    best = optimize.minimize(
        loss, [3.0, np.log(concentration)], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-12}
    )
    assert np.cos(fitted.means.item() - best.x[0]) == pytest.approx(1.0, abs=1e-8)
    assert np.log(fitted.concentrations.item()) == pytest.approx(best.x[1], abs=1e-5)


def test_concentrations_solve_their_equation():
    k = np.geomspace(1e-8, 1e6, 57)
    lengths = special.i1e(k) / special.i0e(k)
    # One minus the length is what is known of a large concentration, to one unit in the last place of one.
    tolerance = 1e-12 + 4 * np.finfo(float).eps * k
    assert (np.abs(von_mises_concentrations(lengths, np.full(57, 1e12)) / k - 1) <= tolerance).all()
    assert von_mises_concentrations(np.zeros(1), np.ones(1)).item() == 0.0


def test_angles_are_the_same_after_a_turn():
    x, family = angles(), VonMises()
    responsibilities = np.random.default_rng(1).dirichlet([1, 1], 200)
    once = family.fit(family.prepare(x), responsibilities)
    again = family.fit(family.prepare(x + 2 * np.pi), responsibilities)
    assert np.allclose(once.means, again.means, atol=1e-12)
    assert np.allclose(once.concentrations, again.concentrations, rtol=1e-12)


def test_a_mean_moves_on_across_the_cut_without_a_jump():
    family = VonMises()
    x = family.prepare([[-3.1], [-3.0]])
    previous = VonMisesParams([[3.1]], [[5.0]], [1e6])
    after = family.fit(x, np.ones((2, 1)), previous)
    assert after.means.item() == pytest.approx(2 * np.pi - 3.05)
    assert family.mean(after).item() == pytest.approx(-3.05)


def test_equal_angles_rest_on_a_cap_relative_to_all_rows():
    family = VonMises(floor=1e-3)
    x = np.array([[1.0], [1.0], [2.0], [2.5]])
    params = family.fit(family.prepare(x), np.repeat(np.eye(2), 2, axis=0))
    variance = 1 - abs(np.exp(1j * x).mean())
    assert params.caps[0] == pytest.approx(1 / (2e-3 * variance))
    assert params.concentrations[0, 0] == pytest.approx(params.caps[0])
    assert family.space(params)["concentrations"].on_floor(params.concentrations)
    assert params.concentrations[1, 0] < params.caps[0]


def test_opposite_angles_are_uniform():
    family = VonMises()
    params = family.fit(family.prepare([[0.0], [np.pi]]), np.ones((2, 1)))
    assert params.concentrations.item() < 1e-15
    assert np.isfinite(params.means).all()


def test_samples_have_the_moments_of_the_params():
    params = VonMisesParams([[3.0], [9.0]], [[2.0], [0.0]], [1e6])
    drawn = VonMises().sample(params, np.repeat([0, 1], 20_000), np.random.default_rng(0)).reshape(2, -1)
    assert np.abs(drawn).max() <= np.pi
    resultants = np.exp(1j * drawn).mean(axis=1)
    assert resultants[0] == pytest.approx(special.iv(1, 2) / special.iv(0, 2) * np.exp(3j), abs=0.02)
    assert abs(resultants[1]) < 0.02

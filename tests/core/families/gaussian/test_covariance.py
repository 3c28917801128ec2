"""Structures: their shapes and factors, and that their M-step is the exact constrained maximiser."""

import attrs
import numpy as np
import pytest
from scipy.stats import ortho_group

from emkit.errors import DegenerateError
from emkit.families import Diagonal, Full, GaussianMoments, Spherical, Tied, as_structure

STRUCTURES = [Full(), Tied(), Diagonal(), Spherical()]
ids = {"argvalues": STRUCTURES, "ids": lambda structure: structure.name}


def random_covariances(structure, n_components, n_features, rng):
    if structure.name in {"diag", "spherical"}:
        return rng.uniform(0.5, 2.0, size=structure.shape(n_components, n_features))
    roots = rng.normal(size=(*structure.shape(n_components, n_features)[:-1], n_features + 2))
    return roots @ roots.swapaxes(-1, -2)


def scatter_moments(structure, rng, n_components=3, n_features=3, smallest=1e-3):
    """Moments of centred data whose scatter has eigenvalues on both sides of the floors used below."""
    counts = rng.uniform(5.0, 50.0, n_components)
    axes = ortho_group.rvs(n_features, size=n_components, random_state=rng).reshape(-1, n_features, n_features)
    eigenvalues = np.geomspace(smallest, 1.0, n_features)
    scatter = (axes * eigenvalues) @ axes.swapaxes(1, 2)
    second = counts[:, None, None] * scatter
    diagonals = np.diagonal(second, axis1=1, axis2=2)
    shaped = {
        "full": second,
        "tied": second.sum(axis=0),
        "diag": diagonals,
        "spherical": diagonals.sum(axis=1),
    }
    return GaussianMoments(counts, np.zeros((n_components, n_features)), shaped[structure.name]), scatter


def moments_of(structure, covariances):
    """Moments whose unconstrained best covariances are the given ones."""
    counts, per_entry = {"tied": (np.ones(3) / 3, 1.0), "spherical": (np.ones(3), 3.0)}.get(
        structure.name, (np.ones(3), 1.0)
    )
    return GaussianMoments(counts, np.zeros((3, 3)), covariances * per_entry)


def expected_log_likelihood(structure, covariances, counts, scatter):
    """The part of EM's Q that depends on the covariances, by the textbook formula."""
    matrices = structure.to_full(covariances, *scatter.shape[:2])
    _, log_determinants = np.linalg.slogdet(matrices)
    traces = np.trace(np.linalg.solve(matrices, scatter), axis1=1, axis2=2)
    return -0.5 * counts @ (log_determinants + traces)


def smallest_eigenvalue(structure, covariances, n_components, n_features):
    return np.linalg.eigvalsh(structure.to_full(covariances, n_components, n_features)).min()


@pytest.mark.parametrize("structure", **ids)
def test_a_structure_is_found_by_its_name(structure):
    assert as_structure(structure.name) == structure
    assert as_structure(structure) is structure


@pytest.mark.parametrize("wrong", ["banana", 3, None])
def test_an_unknown_structure_is_refused_with_the_choices(wrong):
    with pytest.raises(ValueError, match="'full', 'tied', 'diag', 'spherical'"):
        as_structure(wrong)


def test_shapes_are_those_of_scikit_learn():
    assert [s.shape(3, 4) for s in STRUCTURES] == [(3, 4, 4), (4, 4), (3, 4), (3,)]


@pytest.mark.parametrize("structure", **ids)
def test_the_precision_factors_invert_the_covariances(structure):
    covariances = random_covariances(structure, 3, 4, np.random.default_rng(1))
    factors = structure.precisions_cholesky(covariances)
    if factors.ndim == covariances.ndim and structure.name in {"full", "tied"}:
        np.testing.assert_array_equal(factors, np.triu(factors))
        precisions = factors @ factors.swapaxes(-1, -2)
        np.testing.assert_allclose(precisions, np.linalg.inv(covariances), rtol=1e-9, atol=1e-12)
    else:
        np.testing.assert_allclose(factors**-2, covariances)


@pytest.mark.parametrize("name", ["full", "tied", "diag", "spherical"])
def test_the_precision_factors_are_those_of_scikit_learn(name):
    mixture = pytest.importorskip("sklearn.mixture")
    x = np.random.default_rng(2).normal(size=(60, 3))
    fitted = mixture.GaussianMixture(2, covariance_type=name, random_state=0).fit(x)
    np.testing.assert_allclose(
        as_structure(name).precisions_cholesky(fitted.covariances_),
        fitted.precisions_cholesky_,
        rtol=1e-10,
        atol=1e-12,
    )


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
@pytest.mark.parametrize("structure", **ids)
def test_a_degenerate_covariance_is_refused_by_component(structure, bad):
    covariances = random_covariances(structure, 3, 2, np.random.default_rng(3))
    index = {"full": (1, 0, 0), "tied": (0, 0), "diag": (1, 0), "spherical": (1,)}[structure.name]
    covariances[index] = bad
    with pytest.raises(DegenerateError, match="shared by all" if structure.name == "tied" else "component 1"):
        structure.precisions_cholesky(covariances)


@pytest.mark.parametrize("structure", **ids)
def test_rescaled_covariances_are_those_of_rescaled_features(structure):
    rng = np.random.default_rng(4)
    covariances = random_covariances(structure, 2, 3, rng)
    factor = structure.scale_of(rng.uniform(0.1, 10.0, 3))
    rescaled = structure.to_full(structure.rescale(covariances, factor), 2, 3)
    np.testing.assert_allclose(rescaled, np.diag(factor) @ structure.to_full(covariances, 2, 3) @ np.diag(factor))


def test_a_spherical_scale_is_common_to_all_features():
    np.testing.assert_allclose(Spherical().scale_of(np.array([3.0, 4.0])), np.sqrt(12.5) * np.ones(2))
    np.testing.assert_allclose(Spherical().scale_of(np.array([3e-200, 4e-200])), np.sqrt(12.5) * 1e-200 * np.ones(2))
    np.testing.assert_array_equal(Full().scale_of(np.array([3.0, 4.0])), [3.0, 4.0])


def test_spherical_covariances_cannot_follow_unequal_factors():
    with pytest.raises(ValueError, match="one common factor"):
        Spherical().rescale(np.ones(2), np.array([1.0, 2.0]))


@pytest.mark.parametrize("floor", [1e-9, 0.1, 0.5])
@pytest.mark.parametrize("structure", **ids)
def test_the_m_step_beats_every_perturbed_feasible_covariance(structure, floor):
    rng = np.random.default_rng(5)
    moments, scatter = scatter_moments(structure, rng)
    best = structure.m_step(moments, np.ones(structure.shape(3, 3)), floor)
    assert smallest_eigenvalue(structure, best, 3, 3) >= floor * (1 - 1e-9)
    reached = expected_log_likelihood(structure, best, moments.counts, scatter)
    smallest_loss = np.inf
    for step in np.geomspace(1e-3, 1.0, 200):
        feasible = random_covariances(structure, 3, 3, rng) * rng.choice([0.01, 0.1, 1.0])
        feasible = structure.m_step(moments_of(structure, feasible), best, floor)
        # The set is convex: every point between two feasible ones is feasible.
        other = best + step * (feasible - best)
        loss = reached - expected_log_likelihood(structure, other, moments.counts, scatter)
        assert loss > 0 or np.allclose(feasible, best, rtol=1e-12)
        smallest_loss = min(smallest_loss, loss)
    assert smallest_loss < 0.1


@pytest.mark.parametrize("structure", **ids)
def test_a_floor_below_every_eigenvalue_changes_nothing(structure):
    moments, _ = scatter_moments(structure, np.random.default_rng(6))
    previous = np.ones(structure.shape(3, 3))
    np.testing.assert_array_equal(structure.m_step(moments, previous, 1e-12), structure.m_step(moments, previous, 1e-9))


@pytest.mark.parametrize("structure", [Full(), Tied()], ids=lambda structure: structure.name)
def test_raised_eigenvalues_leave_the_others_and_the_axes(structure):
    moments, scatter = scatter_moments(structure, np.random.default_rng(7), n_components=1)
    best = structure.to_full(structure.m_step(moments, scatter, 0.1), 1, 3)[0]
    np.testing.assert_allclose(np.linalg.eigvalsh(best), [0.1, 0.1, 1.0])
    np.testing.assert_allclose(best @ scatter[0], scatter[0] @ best, atol=1e-12)


@pytest.mark.parametrize("floor", [1e-9, 0.1])
@pytest.mark.parametrize("structure", [Full(), Tied()], ids=lambda structure: structure.name)
def test_covariance_matrices_are_exactly_symmetric(structure, floor):
    moments, _ = scatter_moments(structure, np.random.default_rng(8))
    rounding = 1 + 1e-15 * np.arange(9).reshape(3, 3)
    moments = attrs.evolve(moments, second=moments.second * rounding)
    covariances = structure.m_step(moments, np.ones(structure.shape(3, 3)), floor)
    np.testing.assert_array_equal(covariances, covariances.swapaxes(-1, -2))


@pytest.mark.parametrize("structure", [Full(), Tied()], ids=lambda structure: structure.name)
def test_moments_that_are_not_numbers_are_refused(structure):
    moments = GaussianMoments(np.ones(1), np.zeros((1, 2)), np.full(structure.shape(1, 2), np.nan))
    with pytest.raises(DegenerateError, match="not finite"):
        structure.m_step(moments, np.ones(structure.shape(1, 2)), 1e-6)

"""Gaussian kernels against SciPy, loops in extended precision and their own laws."""

import attrs
import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import Covariance, multivariate_normal

from emkit.families import (
    Diagonal,
    Full,
    GaussianMoments,
    Gaussians,
    Spherical,
    Tied,
    gaussian_m_step,
)
from emkit.families.gaussian import blocks
from emkit.tree import add, leaves

STRUCTURES = [Full(), Tied(), Diagonal(), Spherical()]
ids = {"argvalues": STRUCTURES, "ids": lambda structure: structure.name}
LOG_WEIGHTS = np.log([0.2, 0.5, 0.3])


def example(structure, n_samples=500, n_features=4, tightness=1.0, seed=0):
    """Three overlapping components in unequal units, with the data's own location and scale."""
    rng = np.random.default_rng(seed)
    units = structure.scale_of(np.array([1.0, 30.0, 0.02, 5.0])[:n_features])
    means = rng.normal(size=(3, n_features))
    if structure.name in {"diag", "spherical"}:
        covariances = rng.uniform(0.5, 2.0, size=structure.shape(3, n_features)) * tightness**2
    else:
        roots = rng.normal(size=(*structure.shape(3, n_features)[:-1], n_features + 2)) / 2
        covariances = roots @ roots.swapaxes(-1, -2) * tightness**2
    matrices = structure.to_full(covariances, 3, n_features)
    labels = rng.integers(3, size=n_samples)
    noise = rng.normal(size=(n_samples, n_features))
    x = (means[labels] + (np.linalg.cholesky(matrices)[labels] @ noise[:, :, None])[:, :, 0]) * units
    scale = structure.scale_of(x.std(axis=0))
    return Gaussians(means * units, structure.rescale(covariances, units), structure, x.mean(axis=0), scale), x


def explicit_log_density(gaussians, x):
    """Differences to the mean, solved by elimination, all in extended precision."""
    n_components, n_features = gaussians.means.shape
    matrices = gaussians.structure.to_full(gaussians.covariances, n_components, n_features)
    columns = []
    for mean, matrix in zip(gaussians.means, matrices, strict=True):
        work = matrix.astype(np.longdouble)
        rest = x.astype(np.longdouble) - mean
        quadratic, log_determinant = np.longdouble(0), np.longdouble(0)
        for i in range(n_features):
            quadratic = quadratic + rest[:, i] ** 2 / work[i, i]
            log_determinant += np.log(work[i, i])
            factor = work[i + 1 :, i] / work[i, i]
            rest[:, i + 1 :] -= rest[:, i : i + 1] * factor
            work[i + 1 :, i + 1 :] -= np.outer(factor, work[i, i + 1 :])
        columns.append(-(quadratic + log_determinant + n_features * np.log(2 * np.longdouble(np.pi))) / 2)
    return np.stack(columns, axis=1)


def explicit_moments(gaussians, x, weighted):
    """The definition of the moments, as loops over components in extended precision."""
    z = (x.astype(np.longdouble) - gaussians.location) / gaussians.scale
    means = (gaussians.means.astype(np.longdouble) - gaussians.location) / gaussians.scale
    first, second = [], []
    for k, mean in enumerate(means):
        centred = z - mean
        first.append(weighted[:, k] @ centred)
        second.append((centred * weighted[:, k : k + 1]).T @ centred)
    second = np.array(second)
    diagonals = np.diagonal(second, axis1=1, axis2=2)
    shaped = {
        "full": second,
        "tied": second.sum(axis=0),
        "diag": diagonals,
        "spherical": diagonals.sum(axis=1),
    }
    return GaussianMoments(weighted.sum(axis=0), np.array(first), shaped[gaussians.structure.name])


def assert_moments_equal(left, right, rtol=1e-10):
    for (path, a), (_, b) in zip(leaves(left), leaves(right), strict=True):
        size = np.abs(np.asarray(b, dtype=float)).max()
        np.testing.assert_allclose(a, np.asarray(b, dtype=float), rtol=0, atol=rtol * size, err_msg=str(path))


def posterior(gaussians, x, log_weights=LOG_WEIGHTS):
    joint = gaussians.log_density(x) + log_weights
    return np.exp(joint - logsumexp(joint, axis=1, keepdims=True)), logsumexp(joint, axis=1)


@pytest.mark.parametrize("n_samples", [1, 7, 500, 5000])
@pytest.mark.parametrize("structure", **ids)
def test_the_log_density_is_that_of_scipy(structure, n_samples):
    gaussians, x = example(structure, n_samples)
    if n_samples == 1:
        gaussians = attrs.evolve(gaussians, scale=structure.scale_of(np.ones(4)))
    factors = np.linalg.cholesky(structure.to_full(gaussians.covariances, 3, 4))
    expected = [
        multivariate_normal(mean, Covariance.from_cholesky(factor)).logpdf(x)
        for mean, factor in zip(gaussians.means, factors, strict=True)
    ]
    np.testing.assert_allclose(gaussians.log_density(x), np.reshape(expected, (3, -1)).T, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("n_features", [1, 2, 4])
@pytest.mark.parametrize("structure", **ids)
def test_the_moments_are_the_weighted_sums_of_their_definition(structure, n_features):
    gaussians, x = example(structure, 3000, n_features)
    rng = np.random.default_rng(1)
    responsibilities, weights = rng.dirichlet(np.ones(3), size=len(x)), rng.exponential(size=len(x))
    assert_moments_equal(
        gaussians.moments(x, responsibilities, weights),
        explicit_moments(gaussians, x, responsibilities * weights[:, None]),
    )
    assert_moments_equal(gaussians.moments(x, responsibilities), explicit_moments(gaussians, x, responsibilities))


@pytest.mark.parametrize("weighted", [False, True], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("structure", **ids)
def test_the_mixture_e_step_is_density_then_posterior_then_moments(structure, weighted):
    gaussians, x = example(structure, 3000)
    weights = np.random.default_rng(2).exponential(size=len(x)) if weighted else None
    moments, log_likelihood = gaussians.mixture_e_step(x, LOG_WEIGHTS, weights)
    responsibilities, log_density = posterior(gaussians, x)
    assert_moments_equal(moments, gaussians.moments(x, responsibilities, weights))
    expected = log_density.sum() if weights is None else weights @ log_density
    assert log_likelihood == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("structure", **ids)
def test_moments_and_log_likelihood_add_over_parts_of_the_data(structure):
    gaussians, x = example(structure, 1000)
    whole, log_likelihood = gaussians.mixture_e_step(x, LOG_WEIGHTS)
    parts = [gaussians.mixture_e_step(part, LOG_WEIGHTS) for part in np.split(x, [137, 700])]
    assert_moments_equal(add(add(parts[0][0], parts[1][0]), parts[2][0]), whole)
    assert sum(part[1] for part in parts) == pytest.approx(log_likelihood, rel=1e-12)


@pytest.mark.parametrize("structure", **ids)
def test_no_rows_give_zero_moments(structure):
    gaussians, x = example(structure)
    moments, log_likelihood = gaussians.mixture_e_step(x[:0], LOG_WEIGHTS)
    assert log_likelihood == 0.0
    assert all(not leaf.any() for _, leaf in leaves(moments))
    assert gaussians.log_density(x[:0]).shape == (0, 3)


@pytest.mark.parametrize("structure", **ids)
def test_a_weight_is_a_repetition(structure):
    gaussians, x = example(structure)
    weights = np.random.default_rng(3).integers(0, 4, size=len(x))
    moments, log_likelihood = gaussians.mixture_e_step(x, LOG_WEIGHTS, weights.astype(float))
    repeated, expected = gaussians.mixture_e_step(np.repeat(x, weights, axis=0), LOG_WEIGHTS)
    assert_moments_equal(moments, repeated)
    assert log_likelihood == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("structure", **ids)
def test_the_memory_layout_of_the_data_is_immaterial(structure):
    gaussians, x = example(structure)
    left, right = (
        gaussians.mixture_e_step(x, LOG_WEIGHTS),
        gaussians.mixture_e_step(np.asfortranarray(x), LOG_WEIGHTS),
    )
    assert left[1] == right[1]
    assert_moments_equal(left[0], right[0], rtol=0)


@pytest.mark.parametrize("structure", **ids)
def test_location_and_scale_change_no_result(structure):
    gaussians, x = example(structure)
    other = attrs.evolve(gaussians, location=gaussians.location + gaussians.scale, scale=gaussians.scale * 1.7)
    np.testing.assert_allclose(other.log_density(x), gaussians.log_density(x), rtol=1e-10)
    one, two = (gaussian_m_step(g.mixture_e_step(x, LOG_WEIGHTS)[0], g, 1e-9) for g in (gaussians, other))
    np.testing.assert_allclose(one[0], two[0], rtol=1e-10)
    np.testing.assert_allclose(one[1], two[1], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("structure", **ids)
def test_the_fit_follows_the_units_of_the_data(structure):
    gaussians, x = example(structure)
    factor = structure.scale_of(np.array([1e5, 3.0, 1e-4, 0.7]))
    rescaled = Gaussians(
        gaussians.means * factor,
        structure.rescale(gaussians.covariances, factor),
        structure,
        gaussians.location * factor,
        gaussians.scale * factor,
    )
    moments, log_likelihood = gaussians.mixture_e_step(x, LOG_WEIGHTS)
    others, shifted = rescaled.mixture_e_step(x * factor, LOG_WEIGHTS)
    assert shifted == pytest.approx(log_likelihood - len(x) * np.log(factor).sum(), rel=1e-12)
    means, covariances = gaussian_m_step(moments, gaussians, 1e-9)
    other_means, other_covariances = gaussian_m_step(others, rescaled, 1e-9)
    np.testing.assert_allclose(other_means, means * factor, rtol=1e-10)
    np.testing.assert_allclose(other_covariances, structure.rescale(covariances, factor), rtol=1e-9, atol=1e-30)


@pytest.mark.parametrize("structure", **ids)
def test_data_far_from_zero_fit_as_well_as_data_at_zero(structure):
    gaussians, x = example(structure)
    # Multiples of 2**-20 stay exact when 1e8 is added, so that both fits see the same data.
    x = np.round(x * 2.0**20) / 2.0**20
    means, location = (np.round(a * 2.0**20) / 2.0**20 for a in (gaussians.means, gaussians.location))
    near = attrs.evolve(gaussians, means=means, location=location)
    far = attrs.evolve(near, means=means + 1e8, location=location + 1e8)
    moments, log_likelihood = near.mixture_e_step(x, LOG_WEIGHTS)
    others, shifted = far.mixture_e_step(x + 1e8, LOG_WEIGHTS)
    assert shifted == log_likelihood
    assert_moments_equal(others, moments, rtol=0)


@pytest.mark.parametrize("tightness", [1e-1, 1e-2, 1e-3, 1e-5, 1e-7])
@pytest.mark.parametrize("structure", **ids)
def test_tight_components_far_from_the_location_keep_their_digits(structure, tightness):
    gaussians, x = example(structure, 300, tightness=tightness)
    density = explicit_log_density(gaussians, x)
    own = density > density.max(axis=1, keepdims=True) - 100
    error = np.abs(gaussians.log_density(x) - density)[own].astype(float)
    # The rounding of the data themselves, relative to the width of a component, is beyond any algorithm.
    assert error.max() < 1e-10 + 1e-14 / tightness
    responsibilities, _ = posterior(gaussians, x)
    assert_moments_equal(
        gaussians.moments(x, responsibilities),
        explicit_moments(gaussians, x, responsibilities),
        1e-10 + 1e-14 / tightness,
    )


def test_without_the_guard_tight_components_lose_their_digits(monkeypatch):
    monkeypatch.setattr(blocks, "EXPANSION_LIMIT", np.inf)
    gaussians, x = example(Full(), 300, tightness=1e-5)
    density = explicit_log_density(gaussians, x)
    assert np.abs(gaussians.log_density(x) - density).min(axis=1).max() > 1e-7


@pytest.mark.parametrize("structure", **ids)
def test_guarded_and_expanded_components_agree(structure, monkeypatch):
    gaussians, x = example(structure, 3000)
    expanded = gaussians.mixture_e_step(x, LOG_WEIGHTS), gaussians.log_density(x)
    monkeypatch.setattr(blocks, "EXPANSION_LIMIT", 0.0)
    guarded = gaussians.mixture_e_step(x, LOG_WEIGHTS), gaussians.log_density(x)
    assert_moments_equal(guarded[0][0], expanded[0][0])
    assert guarded[0][1] == pytest.approx(expanded[0][1], rel=1e-12)
    np.testing.assert_allclose(guarded[1], expanded[1], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("structure", **ids)
def test_one_guarded_component_among_others_is_counted_once(structure, monkeypatch):
    gaussians, x = example(structure, 3000)
    expected = gaussians.mixture_e_step(x, LOG_WEIGHTS)
    scaled = structure.rescale(gaussians.covariances, 1 / gaussians.scale)
    means = (gaussians.means - gaussians.location) / gaussians.scale
    magnitudes = structure.expansion.form(means, scaled, structure.precisions_cholesky(scaled)).magnitudes
    monkeypatch.setattr(blocks, "EXPANSION_LIMIT", np.sort(magnitudes)[1])
    moments, log_likelihood = gaussians.mixture_e_step(x, LOG_WEIGHTS)
    assert_moments_equal(moments, expected[0])
    assert log_likelihood == pytest.approx(expected[1], rel=1e-12)


@pytest.mark.parametrize("distance", [1e10, 1e100, 1e119, 1e121, 1e150, 1e200, 1.7e308])
@pytest.mark.parametrize("structure", **ids)
def test_a_row_at_any_distance_gives_no_nan(structure, distance):
    gaussians, x = example(structure)
    x = x.copy()
    x[3] = distance
    density = gaussians.log_density(x)
    assert (density[3] < -1e15).all()
    assert np.isfinite(np.delete(density, 3, axis=0)).all()
    moments, log_likelihood = gaussians.mixture_e_step(x, LOG_WEIGHTS)
    assert log_likelihood < -1e15
    assert all(np.isfinite(leaf).all() for _, leaf in leaves(moments))


@pytest.mark.parametrize("structure", **ids)
def test_a_row_beyond_the_farthest_distance_has_no_part_in_the_moments(structure):
    gaussians, x = example(structure)
    responsibilities, _ = posterior(gaussians, x)
    expected = gaussians.moments(x[1:], responsibilities[1:])
    x = x.copy()
    x[0] = -1e200
    assert_moments_equal(gaussians.moments(x, responsibilities), expected)


@pytest.mark.parametrize("structure", **ids)
def test_a_row_of_weight_zero_does_nothing_even_where_its_density_is_zero(structure):
    gaussians, x = example(structure)
    weights = np.ones(len(x))
    weights[[3, 8]] = 0.0
    expected, log_likelihood = gaussians.mixture_e_step(np.delete(x, [3, 8], axis=0), LOG_WEIGHTS)
    x = x.copy()
    x[3] = 1e300
    moments, reached = gaussians.mixture_e_step(x, LOG_WEIGHTS, weights)
    assert reached == pytest.approx(log_likelihood, rel=1e-12)
    assert_moments_equal(moments, expected)


@pytest.mark.parametrize("structure", **ids)
def test_a_component_of_weight_zero_takes_no_rows(structure):
    gaussians, x = example(structure)
    moments, log_likelihood = gaussians.mixture_e_step(x, np.array([-np.inf, *np.log([0.4, 0.6])]))
    assert np.isfinite(log_likelihood)
    assert moments.counts[0] == 0.0
    assert moments.counts.sum() == pytest.approx(len(x))
    assert gaussians.mixture_e_step(x, np.full(3, -np.inf))[1] == -np.inf


@pytest.mark.parametrize("structure", **ids)
def test_the_m_step_gives_weighted_means_and_covariances(structure):
    gaussians, x = example(structure, 2000)
    responsibilities, _ = posterior(gaussians, x)
    means, covariances = gaussian_m_step(gaussians.moments(x, responsibilities), gaussians, 1e-9)
    shares = responsibilities.sum(axis=0)
    np.testing.assert_allclose(means, responsibilities.T @ x / shares[:, None], rtol=1e-10)
    matrices = np.array([np.cov(x.T, aweights=r, bias=True) for r in responsibilities.T])
    variances = np.diagonal(matrices, axis1=1, axis2=2)
    expected = {
        "full": matrices,
        "tied": np.einsum("k,kij->ij", shares, matrices) / shares.sum(),
        "diag": variances,
        "spherical": variances.mean(axis=1),
    }[structure.name]
    np.testing.assert_allclose(covariances, expected, rtol=1e-9, atol=1e-10 * np.abs(expected).min())
    if structure.name in {"full", "tied"}:
        np.testing.assert_array_equal(covariances, covariances.swapaxes(-1, -2))


@pytest.mark.parametrize("floor", [1e-9, 0.3])
@pytest.mark.parametrize("structure", **ids)
def test_em_never_lowers_the_likelihood_under_a_constant_floor(structure, floor):
    gaussians, x = example(structure, 400, seed=4)
    covariances = structure.m_step(
        GaussianMoments(np.ones(3), np.zeros((3, 4)), np.ones(structure.shape(3, 4))), np.empty(0), 1.0
    )
    gaussians = attrs.evolve(gaussians, covariances=structure.rescale(covariances, gaussians.scale))
    log_weights, history = LOG_WEIGHTS, []
    for _ in range(60):
        moments, log_likelihood = gaussians.mixture_e_step(x, log_weights)
        history.append(log_likelihood)
        means, covariances = gaussian_m_step(moments, gaussians, floor)
        gaussians = attrs.evolve(gaussians, means=means, covariances=covariances)
        log_weights = np.log(moments.counts / moments.counts.sum())
    assert np.diff(history).min() > -1e-9
    assert history[-1] > history[0] + 1


@pytest.mark.parametrize("structure", **ids)
def test_a_component_without_rows_keeps_its_value_to_the_last_bit(structure):
    gaussians, x = example(structure)
    responsibilities = np.zeros((len(x), 3))
    responsibilities[:, 0] = 1.0
    means, covariances = gaussian_m_step(gaussians.moments(x, responsibilities), gaussians, 1e-9)
    np.testing.assert_array_equal(means[1:], gaussians.means[1:])
    assert (means[0] != gaussians.means[0]).all()
    if structure.name == "tied":
        np.testing.assert_allclose(covariances, np.cov(x.T, bias=True), rtol=1e-8, atol=1e-12)
    else:
        np.testing.assert_array_equal(covariances[1:], gaussians.covariances[1:])


@pytest.mark.parametrize("structure", **ids)
def test_nothing_moves_without_any_rows(structure):
    gaussians, x = example(structure)
    means, covariances = gaussian_m_step(gaussians.moments(x, np.zeros((len(x), 3))), gaussians, 1e-9)
    np.testing.assert_array_equal(means, gaussians.means)
    np.testing.assert_array_equal(covariances, gaussians.covariances)


def test_identical_rows_end_on_the_floor():
    x = np.tile([1.0, 2.0], (50, 1))
    for structure in STRUCTURES:
        unit = structure.m_step(GaussianMoments(np.ones(1), np.zeros((1, 2)), np.zeros(structure.shape(1, 2))), 0, 1.0)
        gaussians = Gaussians(np.array([[1.5, 2.5]]), unit, structure, np.zeros(2), np.ones(2))
        means, covariances = gaussian_m_step(gaussians.moments(x, np.ones((50, 1))), gaussians, 1e-6)
        np.testing.assert_allclose(means, [[1.0, 2.0]])
        np.testing.assert_allclose(structure.to_full(covariances, 1, 2)[0], 1e-6 * np.eye(2), atol=1e-14)


def test_arguments_are_left_alone():
    gaussians, x = example(Full())
    responsibilities, _ = posterior(gaussians, x)
    weights = np.ones(len(x))
    for array in (x, weights, responsibilities, *(leaf for _, leaf in leaves(gaussians))):
        array.setflags(write=False)
    gaussians.mixture_e_step(x, LOG_WEIGHTS, weights)
    moments = gaussians.moments(x, responsibilities, weights)
    gaussian_m_step(moments, gaussians, 1e-9)
    gaussians.log_density(x)


@pytest.mark.parametrize("structure", [Full(), Tied(), Diagonal(), Spherical()], ids=lambda s: s.name)
@pytest.mark.parametrize(("shift", "floor"), [(0.0, 0.3), (0.0, 1e-6), (1e8, 0.3), (1e8, 1e-6)])
def test_the_rounding_admitted_covers_what_the_last_places_of_the_params_do(structure, shift, floor):
    """The log-likelihood at params that differ in their last places only stays within the estimate."""
    rng = np.random.default_rng(3)
    deviations = np.sqrt([floor] * 3 if structure.name == "spherical" else [1.0, 0.5, floor])
    x = rng.normal(size=(200, 3)) * deviations + shift
    location, scale = np.full(3, shift), np.ones(3)
    means = location + rng.normal(size=(2, 3)) * deviations / 10
    matrices = np.stack([np.diag([1.0, 0.5, floor])] * 2)
    covariances = {
        "full": matrices,
        "tied": matrices[0],
        "diag": np.einsum("kii->ki", matrices),
        "spherical": np.full(2, floor),
    }[structure.name]
    gaussians = Gaussians(means, covariances, structure, location, scale)
    moments, exact = gaussians.mixture_e_step(x, np.log([0.5, 0.5]))
    admitted = gaussians.rounding(moments.counts)
    for _ in range(20):
        nudged = [np.nextafter(part, np.inf * rng.choice([-1, 1], part.shape)) for part in (means, covariances)]
        if structure.is_matrix:
            nudged[1] = (nudged[1] + np.swapaxes(nudged[1], -1, -2)) / 2
        other = Gaussians(*nudged, structure, location, scale).mixture_e_step(x, np.log([0.5, 0.5]))[1]
        assert abs(other - exact) <= max(admitted, 1e-11 * abs(exact))
    if floor > 0.1 and shift == 0:
        # Where nothing is singular there is nothing to admit.
        assert admitted < 1e-9

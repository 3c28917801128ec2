"""Mixtures as a family: each component has its own."""

import attrs
import numpy as np
import pytest
from scipy import special

from emkit.families import DirichletPrior, Gaussian, GaussianPrior, Mixture, Poisson, StudentT
from emkit.space.assignment import n_free, spaces_of
from emkit.testing import check_family

RNG = np.random.default_rng(6)
LABELS = RNG.integers(0, 4, size=200)
ROWS = RNG.normal(size=(200, 2)) + np.array([[0.0, 0.0], [6.0, 0.0], [0.0, 7.0], [9.0, 9.0]])[LABELS]
GAPS = np.where(RNG.random(ROWS.shape) < 0.1, np.nan, ROWS)
COUNTS = RNG.poisson(np.array([1.0, 8.0, 25.0, 60.0])[LABELS])[:, None].astype(float)
HALVES = np.eye(2)[LABELS // 2]
STRUCTURES = ["full", "tied", "diag", "spherical"]


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("x", [ROWS, ROWS[:, :1], GAPS], ids=["2 columns", "1 column", "gaps"])
def test_mixtures_of_gaussians_keep_the_laws_of_families(structure, x):
    report = check_family(Mixture(Gaussian(structure), 2), x)
    assert {"statistics_of_parts_add", "the_complete_score_is_the_gradient"} <= set(report.kept)


@pytest.mark.parametrize(
    ("family", "x"),
    [
        (Mixture(Poisson(), 2), COUNTS),
        (Mixture(StudentT(4.0), 2), ROWS),
        (Mixture(Gaussian("diag"), 3, DirichletPrior(2.0)), ROWS),
        (Mixture(Gaussian("full", prior=GaussianPrior(1.0, 3.0, 2.0, 7.0)), 2), ROWS),
    ],
    ids=["poisson", "student", "prior of the weights", "prior of the parts"],
)
def test_mixtures_of_other_families_keep_the_laws(family, x):
    check_family(family, x)


def test_the_density_is_the_weighted_sum_of_densities():
    family, inner = Mixture(Gaussian(), 3), Gaussian()
    params = family.fit(ROWS, HALVES)
    for k in range(2):
        part = attrs.evolve(
            params.parts,
            **{name: getattr(params.parts, name)[k] for name in ("means", "covariances", "location", "scale")},
        )
        expected = special.logsumexp(inner.log_density(part, ROWS), axis=1, b=params.weights[k])
        np.testing.assert_allclose(family.log_density(params, ROWS)[:, k], expected, rtol=1e-12)


def test_one_distribution_is_the_family_itself():
    family, inner = Mixture(Gaussian("diag"), 1), Gaussian("diag")
    params, alone = family.fit(ROWS, HALVES), inner.fit(ROWS, HALVES)
    np.testing.assert_allclose(params.parts.means[:, 0], alone.means)
    np.testing.assert_allclose(family.log_density(params, ROWS), inner.log_density(alone, ROWS))


def test_each_component_finds_its_own_clusters():
    family = Mixture(Gaussian("spherical"), 2)
    params = family.fit(ROWS, HALVES)
    for _ in range(50):
        params = family.fit(ROWS, HALVES, params)
    for k in range(2):
        centres = np.array([ROWS[2 * k + m == LABELS].mean(axis=0) for m in range(2)])
        found = params.parts.means[k][np.lexsort(params.parts.means[k].T[::-1])]
        np.testing.assert_allclose(found, centres[np.lexsort(centres.T[::-1])], atol=0.3)


def test_params_have_the_shapes_of_hmmlearn():
    shapes = {"full": (3, 2, 2, 2), "tied": (3, 2, 2), "diag": (3, 2, 2), "spherical": (3, 2)}
    shares = np.random.default_rng(0).dirichlet(np.ones(3), size=200)
    for structure, shape in shapes.items():
        params = Mixture(Gaussian(structure), 2).fit(ROWS, shares)
        assert params.weights.shape == (3, 2)
        assert params.parts.means.shape == (3, 2, 2)
        assert params.parts.covariances.shape == shape


def test_a_tied_covariance_is_tied_within_a_component_only():
    family = Mixture(Gaussian("tied"), 2)
    x = np.where(LABELS[:, None] < 2, ROWS, 5 * ROWS)
    covariances = family.fit(x, HALVES).parts.covariances
    assert np.linalg.det(covariances[1]) > 50 * np.linalg.det(covariances[0])


def test_only_estimates_are_counted():
    # Two components, each with one free weight, and two distributions of two means and three covariances.
    family = Mixture(Gaussian("full"), 2)
    params = family.fit(ROWS, HALVES)
    assert n_free(spaces_of(family, params), params) == 2 * (1 + 2 * (2 + 3))


def test_the_floor_is_that_of_all_rows_in_every_component():
    family = Mixture(Gaussian("diag", floor=1e-3), 2)
    x = np.vstack([ROWS, np.full((40, 2), 3.0)])
    params = family.fit(x, np.repeat(np.eye(2), [200, 40], axis=0))
    assert (params.parts.scale[0] == params.parts.scale[1]).all()
    np.testing.assert_allclose(params.parts.covariances[1, 0], 1e-3 * x.var(axis=0))


def test_a_distribution_that_finds_no_rows_at_the_start_has_some_weight():
    x = np.vstack([ROWS, np.full((40, 2), 3.0)])
    weights = Mixture(Gaussian(), 2).fit(x, np.repeat(np.eye(2), [200, 40], axis=0)).weights
    assert weights[1].min() > 0.01
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)


def test_a_dirichlet_prior_adds_its_counts():
    family, plain = Mixture(Gaussian(), 2, DirichletPrior(6.0)), Mixture(Gaussian(), 2)
    params = plain.fit(ROWS, HALVES)
    sums = plain.statistics(params, ROWS, HALVES)
    expected = (sums.counts + 5.0) / (sums.counts + 5.0).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(family.m_step(params, sums).weights, expected)


def test_draws_have_the_mean_of_their_mixture():
    family = Mixture(Gaussian("full"), 2)
    params = family.fit(ROWS, HALVES)
    drawn = family.sample(params, np.tile([1, 0], 20_000), np.random.default_rng(0))
    for k, rows in ((1, drawn[::2]), (0, drawn[1::2])):
        np.testing.assert_allclose(rows.mean(axis=0), family.mean(params)[k], atol=5 * rows.std() / np.sqrt(len(rows)))


def test_the_distribution_function_is_the_weighted_one():
    family = Mixture(Gaussian("diag"), 2)
    x = ROWS[:, :1]
    params = family.fit(x, HALVES)
    below, reached = family.cumulative(params, x)
    standard = (x[:, :, None] - params.parts.means[None, :, :, 0]) / np.sqrt(params.parts.covariances[None, :, :, 0])
    np.testing.assert_allclose(below, (special.ndtr(standard) * params.weights).sum(axis=2))
    assert (below == reached).all()


def test_it_cuts_data_and_accepts_gaps_where_its_family_does():
    assert Mixture(Gaussian()).is_additive
    assert Mixture(Gaussian()).accepts_nan
    assert not Mixture(StudentT()).accepts_nan


def test_the_family_must_be_one():
    with pytest.raises(TypeError, match=r"family must be a Family, such as Gaussian\(\); found 'gaussian'"):
        Mixture("gaussian")

"""The family of Gaussians: densities, weighted fits, floors, units."""

import attrs
import numpy as np
import pytest
from scipy import stats

from emkit.families import Gaussian, Gaussians
from emkit.families.gaussian.column import FARTHEST_MEAN
from emkit.space.assignment import boundary_notes, rests_on_floor, spaces_of
from emkit.testing import check_family

RNG = np.random.default_rng(11)
ROWS = RNG.normal(size=(120, 3)) @ np.array([[1.0, 0.4, 0.0], [0.0, 2.0, 0.3], [0.0, 0.0, 0.1]]) + [0.0, 5.0, -40.0]
SHARES = RNG.dirichlet([0.7, 0.7], size=120)
COLUMN = ROWS[:, 1:2]
STRUCTURES = ["full", "tied", "diag", "spherical"]
every_structure = pytest.mark.parametrize("structure", STRUCTURES)
every_width = pytest.mark.parametrize("x", [ROWS, COLUMN], ids=["3 columns", "1 column"])


def fitted(family, x, shares, params=None):
    return family.fit(family.prepare(x), shares, params)


def matrices(family, params):
    return family.covariance.to_full(params.covariances, *params.means.shape)


def by_hand(structure, x, shares):
    """Return means and covariance matrices of highest weighted likelihood, from numpy's own moments."""
    means = np.array([np.average(x, axis=0, weights=share) for share in shares.T])
    scatters = np.array([np.atleast_2d(np.cov(x.T, aweights=share, ddof=0)) for share in shares.T])
    if structure == "tied":
        scatters[:] = np.average(scatters, axis=0, weights=shares.sum(axis=0))
    if structure == "diag":
        scatters = scatters * np.eye(x.shape[1])
    if structure == "spherical":
        scatters = np.array([np.trace(scatter) / x.shape[1] * np.eye(x.shape[1]) for scatter in scatters])
    return means, scatters


@every_structure
@every_width
def test_it_keeps_the_laws_of_families(structure, x):
    report = check_family(Gaussian(structure), x)
    assert "the_complete_score_is_the_gradient" in report.kept


@every_structure
@every_width
def test_the_fit_is_that_of_weighted_moments(structure, x):
    family = Gaussian(structure)
    params = fitted(family, x, SHARES)
    means, scatters = by_hand(structure, x, SHARES)
    np.testing.assert_allclose(params.means, means, rtol=1e-12)
    np.testing.assert_allclose(matrices(family, params), scatters, rtol=1e-10, atol=1e-12)


@every_structure
@every_width
def test_the_log_density_is_that_of_scipy(structure, x):
    family = Gaussian(structure)
    params = fitted(family, x, SHARES)
    expected = [
        stats.multivariate_normal(mean, matrix).logpdf(x)
        for mean, matrix in zip(params.means, matrices(family, params), strict=True)
    ]
    np.testing.assert_allclose(family.log_density(params, family.prepare(x)), np.transpose(expected), rtol=1e-11)


@every_structure
def test_a_single_column_goes_another_way_to_the_same_numbers(structure):
    family = Gaussian(structure)
    params = fitted(family, COLUMN, SHARES)
    general = Gaussians(params.means, params.covariances, family.covariance, params.location, params.scale)
    np.testing.assert_allclose(family.log_density(params, COLUMN), general.log_density(COLUMN), rtol=1e-12)
    found, expected = family.statistics(params, COLUMN, SHARES), general.moments(COLUMN, SHARES)
    for one, other in zip(attrs.astuple(found), attrs.astuple(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-12)


def test_moments_of_a_tight_component_far_from_the_others_keep_their_digits():
    tight = 1e4 + 1e-2 * np.random.default_rng(1).normal(size=(50, 1))
    x = np.vstack([np.random.default_rng(2).normal(size=(5000, 1)), tight])
    shares = np.repeat(np.eye(2), [5000, 50], axis=0)
    family = Gaussian("diag", floor=1e-14)
    params = fitted(family, x, shares)
    again = fitted(family, x, shares, params)
    distance = abs(again.means[1, 0] - params.location[0]) / np.sqrt(again.covariances[1, 0])
    assert distance > FARTHEST_MEAN
    assert again.covariances[1, 0] == pytest.approx(tight.var(), rel=1e-9)


@every_structure
@every_width
@pytest.mark.parametrize("unit", [1e-3, 1e3, 1e100])
def test_other_units_give_the_same_fit(structure, x, unit):
    family = Gaussian(structure)
    params, other = fitted(family, x, SHARES), fitted(family, x * unit, SHARES)
    np.testing.assert_allclose(other.means, params.means * unit, rtol=1e-10)
    np.testing.assert_allclose(other.covariances, params.covariances * unit**2, rtol=1e-9)


@every_structure
def test_data_far_from_zero_give_the_same_fit(structure):
    family = Gaussian(structure)
    # Whole numbers, which a shift does not round.
    x = np.round(ROWS * 100)
    params, other = fitted(family, x, SHARES), fitted(family, x + 2.0**30, SHARES)
    np.testing.assert_allclose(other.covariances, params.covariances, rtol=1e-6)


@every_structure
@every_width
def test_equal_rows_rest_on_the_floor_and_say_so(structure, x):
    family = Gaussian(structure, floor=1e-4)
    same = np.vstack([x[:60], np.repeat(x[:1], 60, axis=0)])
    shares = np.repeat(np.eye(2), 60, axis=0)
    if structure == "tied":
        same[:60] = x[1]
    params = fitted(family, same, shares)
    spaces = spaces_of(family, params)
    smallest = np.linalg.eigvalsh(matrices(family, params)[1] / np.outer(params.scale, params.scale))[0]
    assert smallest == pytest.approx(1e-4, rel=1e-9)
    assert rests_on_floor(spaces, params)
    assert "covariances" in boundary_notes(spaces, params)[0]


def test_the_floor_is_in_units_of_the_first_fit():
    family = Gaussian("diag", floor=0.01)
    params = fitted(family, COLUMN, SHARES)
    later = fitted(family, np.full((4, 1), 7.0), np.ones((4, 2)), params)
    np.testing.assert_allclose(later.covariances[:, 0], 0.01 * params.scale[0] ** 2)


def test_draws_have_the_moments_of_their_component():
    family = Gaussian("full")
    params = fitted(family, ROWS, SHARES)
    components = np.repeat([1, 0, 1], 20_000)
    drawn = family.sample(params, components, np.random.default_rng(0))
    for k, rows in ((0, drawn[20_000:40_000]), (1, np.vstack([drawn[:20_000], drawn[40_000:]]))):
        error = np.sqrt(np.diagonal(params.covariances[k]) / len(rows))
        assert (np.abs(rows.mean(axis=0) - params.means[k]) < 5 * error).all()
        np.testing.assert_allclose(np.cov(rows.T) / params.covariances[k], 1.0, atol=0.15)


def test_the_distribution_function_is_that_of_scipy():
    family = Gaussian("spherical")
    params = fitted(family, COLUMN, SHARES)
    below, reached = family.cumulative(params, COLUMN)
    np.testing.assert_allclose(below, stats.norm(params.means[:, 0], np.sqrt(params.covariances)).cdf(COLUMN))
    assert (below == reached).all()


def test_a_row_too_far_for_its_square_is_impossible_and_has_no_moments():
    family = Gaussian("diag")
    params = fitted(family, COLUMN, SHARES)
    far = np.vstack([COLUMN, [[1e300]]])
    assert (family.log_density(params, far)[-1] == -np.inf).all()
    moments = family.statistics(params, far, np.vstack([SHARES, [[0.5, 0.5]]]))
    np.testing.assert_allclose(moments.second, family.statistics(params, COLUMN, SHARES).second)


def test_rows_of_another_width_are_refused():
    family = Gaussian()
    with pytest.raises(ValueError, match="The rows have 1 columns, but the means of the params have 3"):
        family.log_density(fitted(family, ROWS, SHARES), COLUMN)


def test_settings_compare_and_hash():
    assert Gaussian("diag") == Gaussian("diag") != Gaussian("full")
    assert len({Gaussian("diag"), Gaussian("diag")}) == 1
    with pytest.raises(ValueError, match="must be one of 'full', 'tied', 'diag', 'spherical'"):
        Gaussian("round")

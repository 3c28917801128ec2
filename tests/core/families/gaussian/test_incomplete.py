"""Gaussian rows of which some cells are missing: marginal densities and exact EM."""

import attrs
import numpy as np
import pytest
from scipy import optimize, stats

from emkit.families import Gaussian
from emkit.families.gaussian.incomplete import IncompleteRows
from emkit.testing import check_family

RNG = np.random.default_rng(5)
WHOLE = RNG.normal(size=(80, 3)) @ np.array([[1.0, 0.8, 0.2], [0.0, 1.0, 0.5], [0.0, 0.0, 2.0]]) + [1.0, -2.0, 30.0]
GAPS = np.where(RNG.random(WHOLE.shape) < 0.25, np.nan, WHOLE)
GAPS[7] = np.nan
SHARES = RNG.dirichlet([0.7, 0.7], size=80)
every_structure = pytest.mark.parametrize("structure", ["full", "tied", "diag", "spherical"])


def start(family, x=GAPS):
    return family.fit(family.prepare(x), SHARES)


def matrices(family, params):
    return family.covariance.to_full(params.covariances, *params.means.shape)


def row_log_density(row, mean, matrix):
    seen = ~np.isnan(row)
    return stats.multivariate_normal(mean[seen], matrix[np.ix_(seen, seen)]).logpdf(row[seen]) if seen.any() else 0.0


def objective(family, params, x, shares):
    return float((shares * family.log_density(params, family.prepare(x))).sum())


@every_structure
def test_it_keeps_the_laws_of_families(structure):
    report = check_family(Gaussian(structure), GAPS)
    assert {"the_complete_score_is_the_gradient", "statistics_of_parts_add"} <= set(report.kept)


@every_structure
def test_a_row_has_the_density_of_its_seen_cells(structure):
    family = Gaussian(structure)
    params = start(family)
    found = family.log_density(params, family.prepare(GAPS))
    for k, matrix in enumerate(matrices(family, params)):
        expected = [row_log_density(row, params.means[k], matrix) for row in GAPS]
        np.testing.assert_allclose(found[:, k], expected, rtol=1e-10, atol=1e-12)


@every_structure
def test_a_row_without_a_seen_cell_says_nothing(structure):
    family = Gaussian(structure)
    assert np.isnan(GAPS[7]).all()
    assert (family.log_density(start(family), family.prepare(GAPS))[7] == 0).all()


@every_structure
def test_statistics_are_the_conditional_expectations_row_by_row(structure):
    family = Gaussian(structure)
    params = start(family)
    z, scale = (GAPS - params.location) / params.scale, params.scale
    means = (params.means - params.location) / scale
    first, second = np.zeros((2, 3)), np.zeros((2, 3, 3))
    for k, matrix in enumerate(matrices(family, params) / np.outer(scale, scale)):
        for row, share in zip(z, SHARES[:, k], strict=True):
            o, m = np.flatnonzero(~np.isnan(row)), np.flatnonzero(np.isnan(row))
            expected, spread = np.zeros(3), np.zeros((3, 3))
            expected[o] = row[o] - means[k, o]
            slopes = matrix[np.ix_(m, o)] @ np.linalg.pinv(matrix[np.ix_(o, o)])
            expected[m] = slopes @ expected[o]
            spread[np.ix_(m, m)] = matrix[np.ix_(m, m)] - slopes @ matrix[np.ix_(o, m)]
            first[k] += share * expected
            second[k] += share * (np.outer(expected, expected) + spread)
    found = family.statistics(params, family.prepare(GAPS), SHARES)
    wanted = {
        "full": second,
        "tied": second.sum(axis=0),
        "diag": np.diagonal(second, axis1=1, axis2=2),
        "spherical": np.trace(second, axis1=1, axis2=2),
    }
    np.testing.assert_allclose(found.counts, SHARES.sum(axis=0))
    np.testing.assert_allclose(found.first, first, atol=1e-11)
    np.testing.assert_allclose(found.second, wanted[structure], atol=1e-11)


def test_em_arrives_where_a_general_optimiser_does():
    family = Gaussian("full")
    x, shares = GAPS[:, :2], SHARES[:, :1]
    rows = family.prepare(x)
    params = family.fit(rows, shares)
    for _ in range(500):
        params = family.fit(rows, shares, params)

    def loss(vector):
        factor = np.array([[np.exp(vector[2]), 0.0], [vector[3], np.exp(vector[4])]])
        densities = [row_log_density(row, vector[:2], factor @ factor.T) for row in x]
        return -float(shares[:, 0] @ densities)

    best = optimize.minimize(loss, np.r_[np.nanmean(x, axis=0), 0.0, 0.0, 0.0], method="BFGS", options={"gtol": 1e-6})
    assert objective(family, params, x, shares) == pytest.approx(-best.fun, abs=1e-7)


@every_structure
def test_whole_rows_in_groups_are_as_whole_rows(structure):
    family = Gaussian(structure)
    params = start(family, WHOLE)
    grouped = IncompleteRows.of(WHOLE)
    np.testing.assert_allclose(family.log_density(params, grouped), family.log_density(params, WHOLE), rtol=1e-12)
    one, other = family.statistics(params, grouped, SHARES), family.statistics(params, WHOLE, SHARES)
    np.testing.assert_allclose(one.second, other.second, rtol=1e-10)


def test_rows_can_be_taken_out_of_their_groups():
    rows = IncompleteRows.of(GAPS)
    for chosen in (np.arange(80) % 3 == 0, np.array([5, 5, 0, 7])):
        np.testing.assert_array_equal(rows.take(chosen).x, GAPS[chosen])
        np.testing.assert_array_equal(np.sort(np.concatenate(rows.take(chosen).groups)), np.arange(len(GAPS[chosen])))


def test_more_than_eight_columns_are_grouped_by_all_of_them():
    x = np.zeros((4, 11))
    x[1, 10] = x[2, 0] = x[3, 10] = np.nan
    rows = IncompleteRows.of(x)
    assert sorted(tuple(group.tolist()) for group in rows.groups) == [(0,), (1, 3), (2,)]


def test_starts_see_the_mean_of_a_column_in_its_gaps():
    family = Gaussian()
    features = family.features(family.prepare(GAPS))
    np.testing.assert_allclose(features[7], np.nanmean(GAPS, axis=0))
    np.testing.assert_array_equal(features[~np.isnan(GAPS)], GAPS[~np.isnan(GAPS)])


@every_structure
def test_a_column_that_nobody_has_seen_does_no_harm(structure):
    family = Gaussian(structure)
    x = GAPS.copy()
    x[:, 1] = np.nan
    params = start(family, x)
    assert np.isfinite(params.means).all()
    assert np.isfinite(family.log_density(params, family.prepare(x))).all()


def test_no_rows_at_all_add_nothing():
    family = Gaussian("full")
    x = np.random.default_rng(0).normal(size=(20, 2))
    params = family.fit(x, np.full((20, 2), 0.5))
    none = IncompleteRows.of(np.zeros((0, 2)))
    assert family.log_density(params, none).shape == (0, 2)
    assert not any(np.any(leaf) for leaf in attrs.astuple(family.statistics(params, none, np.zeros((0, 2)))))

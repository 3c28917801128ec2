"""Covariances of a structure against direct maximisation."""

import numpy as np
import pytest
from direct_search import direct_maximum
from emkit_mvn import (
    BlockDiagonal,
    Known,
    MultivariateNormal,
)
from mvn_tables import CHOLESTEROL

import emkit


@pytest.mark.parametrize(
    ("structure", "matrix_of", "free"),
    [
        ("diag", np.diag, np.ones(3)),
        ("spherical", lambda v: v[0] * np.eye(3), np.ones(1)),
        ("exchangeable", lambda v: v[0] * np.eye(3) + v[1], np.array([1.0, 0.1])),
        (
            BlockDiagonal([1, 2, 1]),
            lambda v: np.array([[v[0], 0, v[1]], [0, v[2], 0], [v[1], 0, v[3]]]),
            np.array([1.0, 0.1, 1.0, 1.0]),
        ),
    ],
)
def test_every_structure_is_the_maximum_of_direct_maximisation(structure, matrix_of, free):
    model = MultivariateNormal(structure)
    result = emkit.fit(model, CHOLESTEROL, tol=0)
    found = direct_maximum(model, CHOLESTEROL, result.params, matrix_of, free)
    assert result.log_likelihood == pytest.approx(found, abs=1e-6)
    assert result.n_parameters == 3 + len(free)


def test_a_known_mean_and_a_known_covariance_stay():
    mean = np.array([250.0, 230.0, 220.0])
    result = emkit.fit(MultivariateNormal(mean=mean), CHOLESTEROL, tol=0)
    np.testing.assert_array_equal(result.params.mean, mean)
    assert result.n_parameters == 6
    seen = CHOLESTEROL[:, :2] - mean[:2]
    np.testing.assert_allclose(result.params.covariance[:2, :2], seen.T @ seen / 28, rtol=1e-10)
    covariance = result.params.covariance
    known = emkit.fit(MultivariateNormal(Known(covariance)), CHOLESTEROL, tol=0)
    np.testing.assert_array_equal(known.params.covariance, covariance)
    assert known.n_parameters == 3
    # Generalised least squares: the mean of the columns seen by all, and a regression on it for the other.
    top = CHOLESTEROL[:, :2].mean(axis=0)
    seen = ~np.isnan(CHOLESTEROL[:, 2])
    slopes = np.linalg.solve(covariance[:2, :2], covariance[:2, 2])
    last = CHOLESTEROL[seen, 2].mean() + slopes @ (top - CHOLESTEROL[seen, :2].mean(axis=0))
    np.testing.assert_allclose(known.params.mean, [*top, last], rtol=1e-10)


def test_groups_are_told_apart_as_what_they_are():
    ties = BlockDiagonal([0, "0", None, "None", 0]).ties(5)
    assert np.argwhere(np.triu(ties >= 0, 1)).tolist() == [[0, 4]]


@pytest.mark.parametrize(
    ("structure", "message"),
    [
        (lambda: BlockDiagonal(5), "groups must name the group of every column"),
        (lambda: Known("a"), r"Known\(covariance\) holds strings"),
        (lambda: Known([1.0, 2.0]), "must be a symmetric positive definite matrix"),
        (lambda: Known(np.zeros((2, 2))), "must be a symmetric positive definite matrix"),
        (lambda: Known([[1.0, 0.5], [0.0, 1.0]]), "must be a symmetric positive definite matrix"),
        (lambda: Known([[1.0, np.nan], [np.nan, 1.0]]), r"Known\(covariance\)\[0, 1\] is nan"),
    ],
)
def test_structures_that_are_none_are_refused_in_words(structure, message):
    with pytest.raises((ValueError, TypeError), match=message):
        structure()

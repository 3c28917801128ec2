"""Posterior modes against direct maximisation."""

import numpy as np
import pytest
from direct_search import FACTOR, direct_maximum, from_factor
from emkit_mvn import (
    InverseWishart,
    Known,
    MultivariateNormal,
    Ridge,
)
from mvn_tables import CHOLESTEROL
from scipy import stats

import emkit
from emkit.errors import InvalidParamsError

PRIORS = [
    None,
    Ridge(2.0),
    InverseWishart(0),
    InverseWishart(4, np.array([[900.0, 300, 100], [300, 700, 200], [100, 200, 800]])),
    InverseWishart(4, 500 * np.eye(3), [260.0, 200.0, 240.0], 6.0),
]


@pytest.mark.parametrize("prior", PRIORS, ids=str)
def test_the_mode_under_every_prior_is_that_of_direct_maximisation(prior):
    model = MultivariateNormal(prior=prior)
    result = emkit.fit(model, CHOLESTEROL, tol=0)
    found = direct_maximum(model, CHOLESTEROL, result.params, from_factor, FACTOR)
    assert result.objective == pytest.approx(found, abs=1e-6)
    assert result.objective >= found - 1e-9


@pytest.mark.parametrize(
    ("prior", "message"),
    [
        (lambda: Ridge(-1), r"Ridge\(df\) must be"),
        (lambda: Ridge("a"), "numbers of rows, such as 0.5; found 'a'"),
        (lambda: Ridge(None), "found None"),
        (lambda: Ridge(True), "found True"),
        (lambda: InverseWishart(1, strength="2"), "found '2'"),
        (lambda: InverseWishart(np.nan), r"InverseWishart\(df\) must be"),
        (lambda: InverseWishart(1, [[1.0, 0.0]]), "symmetric"),
        (lambda: InverseWishart(1, [[1.0, 2.0], [2.0, 1.0]]), "negative eigenvalues"),
        (lambda: InverseWishart(1, mean=[0.0]), "together"),
        (lambda: InverseWishart(1, strength=2), "together"),
        (lambda: Known([[1.0, 2.0], [2.0, 1.0]]), "positive definite"),
    ],
)
def test_priors_that_are_none_are_refused_in_words(prior, message):
    with pytest.raises((ValueError, InvalidParamsError), match=message):
        prior()


def test_the_prior_of_some_columns_is_the_distribution_of_their_block():
    """Draws of all columns, cut to the block, have the mean ``scale / (df - n_features - 1)`` of the block's prior."""
    rng = np.random.default_rng(0)
    root = rng.normal(size=(4, 4))
    prior = InverseWishart(12, root @ root.T, [1.0, 2.0, 3.0, 4.0], 2.0)
    columns = np.array([0, 3])
    block = prior.of_columns(columns, 4)
    draws = stats.invwishart(12, prior.scale).rvs(40_000, random_state=rng)[:, columns[:, None], columns]
    np.testing.assert_allclose(draws.mean(axis=0), block.scale / (block.df - 3), rtol=0.05)
    np.testing.assert_array_equal(block.mean, [1.0, 4.0])
    assert block.strength == 2
    assert InverseWishart(0).of_columns(columns, 4).df == 0
    assert Ridge(3).of_columns(columns, 4) == Ridge(3)


def test_the_prior_of_other_columns_has_no_block():
    with pytest.raises(ValueError, match=r"n_features=4, but InverseWishart has a scale of shape \(3, 3\)"):
        InverseWishart(5, np.eye(3)).of_columns(np.array([0]), 4)

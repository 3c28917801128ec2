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

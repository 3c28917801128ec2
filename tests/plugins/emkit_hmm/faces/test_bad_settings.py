"""Settings that cannot be, told when a face is fitted or asked."""

from __future__ import annotations

import numpy as np
import pytest
from emkit_hmm import HMM, GaussianHMM

X = np.random.default_rng(0).normal(np.repeat([[0.0], [4.0]], 30, axis=0), 1.0, (60, 2))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_components": 0}, "n_components must be a whole number of at least 1.*it is 0"),
        ({"n_components": 2.5}, "n_components must be a whole number"),
        ({"n_components": "2"}, "n_components must be a whole number"),
        ({"n_iter": 0}, "n_iter must be a whole number"),
        ({"n_init": 0}, "n_init must be a whole number"),
        ({"tol": -1.0}, "tol must be a number of nats of at least 0"),
        ({"covariance_type": "banded"}, "'full', 'tied', 'diag', 'spherical'"),
        ({"params": "stmx"}, "params must consist of the letters 's'"),
        ({"init_params": 7}, "init_params must consist of the letters 's'"),
        ({"transmat_prior": 0.5}, "at least 1"),
        ({"startprob_prior": [1.0, 0.2]}, "at least 1"),
        ({"transmat_prior": np.full((3, 3), 2.0)}, r"transmat_prior must be a number or have shape \(2, 2\).*\(3, 3\)"),
        ({"startprob_prior": "many"}, "startprob_prior must be a number or have shape"),
        (
            {"means_prior": [1.0, 2.0, 3.0], "means_weight": 1.0},
            r"means_prior must be a number or of the shape \(2, 2\)",
        ),
        ({"means_weight": -1.0}, "means_weight must be at least 0"),
        ({"min_covar": -1.0}, "min_covar"),
        ({"random_state": -3}, "random_state must not be negative"),
    ],
)
def test_settings_that_cannot_be_are_told(settings, message):
    with pytest.raises(ValueError, match=message):
        GaussianHMM(**{"n_components": 2} | settings).fit(X)


def test_an_unknown_algorithm_is_told_where_it_matters():
    hmm = GaussianHMM(2, algorithm="beam", random_state=0).fit(X)
    with pytest.raises(ValueError, match="algorithm must be one of 'viterbi', 'map'; it is 'beam'"):
        hmm.predict(X)


@pytest.mark.parametrize("settings", [{"emission": "poisson"}, {"chain": "stationary"}])
def test_what_is_no_family_or_chain_is_told(settings):
    with pytest.raises(TypeError, match=r"must be a (Family|Chain), such as emkit.*; it is '(poisson|stationary)'"):
        HMM(2, **settings).fit(X)

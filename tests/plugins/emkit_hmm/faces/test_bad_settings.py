"""Settings that cannot be, told when a face is fitted or asked."""

from __future__ import annotations

import numpy as np
import pytest
from emkit_hmm import HMM, CategoricalHMM, GaussianHMM, MultinomialHMM, PoissonHMM

from emkit.errors import DegenerateWarning, EmkitWarning

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


def _die(**changes):
    hmm = CategoricalHMM(2)
    attributes = {
        "startprob_": [0.5, 0.5],
        "transmat_": [[0.5, 0.5], [0.2, 0.8]],
        "emissionprob_": [[0.5, 0.5], [0.1, 0.9]],
    }
    for name, value in (attributes | changes).items():
        setattr(hmm, name, value)
    return hmm


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"startprob_": [0.5, 0.6]}, r"^startprob_ must hold probabilities that sum to 1; they sum to 1\.1\.$"),
        ({"startprob_": [-0.5, 1.5]}, r"^startprob_\[0\] must be a probability; it is -0\.5\.$"),
        ({"transmat_": [[0.5, 0.5], [0.2, 0.7]]}, r"^transmat_\[1\] must hold .* sum to 0\.9\.$"),
        ({"transmat_": [[0.5, 0.5], [1.2, -0.2]]}, r"^transmat_\[1, 1\] must be a probability; it is -0\.2\.$"),
        ({"emissionprob_": [[0.5, 0.6], [0.1, 0.9]]}, r"^emissionprob_\[0\] must hold .* sum to 1\.1\.$"),
        ({"emissionprob_": [[0.5, 0.5], [0.3, 0.7], [0.2, 0.8]]}, r"^emissionprob_ must have shape \(2, n_symbols\)"),
    ],
)
def test_probabilities_that_cannot_be_are_named_as_their_user_names_them(changes, message):
    with pytest.raises(ValueError, match=message):
        _die(**changes).predict([[0], [1]])
    with pytest.raises(ValueError, match=message):
        _die(**changes).set_params(init_params="").fit([[0], [1], [1], [0]])


def test_sums_that_rounding_has_moved_are_set_right():
    rounded = _die(startprob_=[0.333333, 0.666668], transmat_=np.array([[0.1, 0.9], [0.3, 0.7]], dtype=np.float32))
    exact = _die(startprob_=[1 / 3, 2 / 3], transmat_=[[0.1, 0.9], [0.3, 0.7]])
    assert rounded.score([[0], [1], [0]]) == pytest.approx(exact.score([[0], [1], [0]]), abs=1e-5)
    assert rounded.model_and_params()[1].chain.startprob.sum() == pytest.approx(1, rel=1e-15)
    assert rounded.startprob_ == [0.333333, 0.666668]
    with pytest.raises(ValueError, match=r"they sum to 0\.999"):
        _die(startprob_=[0.333, 0.666]).score([[0]])


def test_a_start_that_is_set_but_not_used_is_told():
    hmm = PoissonHMM(2, random_state=0)
    hmm.lambdas_ = [[10.0], [30.0]]
    counts = np.random.default_rng(0).poisson(np.repeat([[10.0], [30.0]], 20, axis=0))
    with pytest.warns(EmkitWarning, match="lambdas_ was set by hand, .* init_params='stl' contains 'l'"):
        hmm.fit(counts)
    # What the last fit has left there was set by nobody.
    hmm.fit(counts[::-1])
    hmm.set_params(init_params="st")
    hmm.lambdas_ = [[10.0], [30.0]]
    hmm.fit(counts)


def test_a_change_within_an_attribute_is_a_change():
    x = np.concatenate([X, X + 1.0])
    hmm = GaussianHMM(2, random_state=0).fit(x)
    hmm.means_[0] = 0.0
    with pytest.warns(EmkitWarning, match="means_ was set by hand"):
        hmm.fit(x)


def test_counts_of_a_single_symbol_are_taken_for_a_mistake():
    with pytest.warns(DegenerateWarning, match="X has one column, .* For a column of symbols use CategoricalHMM"):
        MultinomialHMM(2, random_state=0).fit([[0], [1], [2], [1]])


@pytest.mark.parametrize("kind", [int, bool])
def test_a_table_of_ones_and_zeros_is_no_table_of_logarithms(kind):
    x = np.random.default_rng(0).normal(size=(10, 1))
    table = np.eye(2, dtype=kind)[np.arange(10) % 2]
    with pytest.raises(
        ValueError, match=r"are logarithms .* as floats; found (int64|bool)\. .* states\.argmax\(axis=1\)"
    ):
        GaussianHMM(2).fit(x, states=table)
    GaussianHMM(2, random_state=0).fit(x, states=table.argmax(axis=1))


def test_what_is_given_for_lengths_by_mistake_is_told():
    x = np.random.default_rng(0).normal(size=(10, 1))
    with pytest.raises(ValueError, match="lengths must be a list of whole numbers"):
        GaussianHMM(2).fit(x, [x[:4], x[4:]])
    with pytest.raises(ValueError, match="found one for each of the 10 rows"):
        GaussianHMM(2).fit(x, np.zeros(10))
    with pytest.raises(ValueError, match=r"arrays with one axis: a sequence is a matrix .* x\[:, None\]"):
        GaussianHMM(2).fit([np.arange(5.0), np.arange(3.0)])

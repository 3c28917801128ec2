"""Where a fit starts."""

from __future__ import annotations

import numpy as np
import pytest
from emkit_hmm import GaussianHMM, HiddenMarkovModel, StartingPoint
from emkit_hmm.starts import as_start, with_fields

import emkit
from emkit import datasets
from emkit.families import Gaussian, Mixture, Poisson, partition_by_features

QUAKES = datasets.earthquakes().values
KINDS = ("kmeans", "k-means++", "random", "random_from_data")
X = np.concatenate([np.random.default_rng(0).normal(m, 1.0, (50, 2)) for m in (0.0, 6.0)])


@pytest.mark.parametrize("kind", KINDS)
def test_no_row_counts_more_than_once_and_every_state_gets_some(kind):
    shares = partition_by_features(X, 3, kind, np.random.default_rng(0))
    assert shares.shape == (100, 3)
    assert (shares.sum(axis=1) <= 1 + 1e-12).all()
    assert (shares >= 0).all()
    assert (shares.sum(axis=0) > 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_units_and_origins_of_columns_do_not_matter(kind):
    one, two = (partition_by_features(x, 2, kind, np.random.default_rng(0)) for x in (X, X * [1e6, 1e-6] + [1e7, -3.0]))
    np.testing.assert_allclose(one, two, atol=1e-8)


def test_cells_that_miss_and_constant_columns_do_no_harm():
    x = np.column_stack([X, np.ones(100), np.full(100, np.nan)])
    x[::9, 0] = np.nan
    shares = partition_by_features(x, 2, "kmeans", np.random.default_rng(0))
    # The two groups are far apart in the second column, whole as it is.
    first = shares[:50].argmax(axis=1)
    assert (first == first[0]).all()
    assert np.isfinite(shares).all()


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_weight_zero_cannot_take_a_state_for_themselves(kind):
    absurd = np.concatenate([X, np.full((20, 2), 1e9)])
    weights = np.append(np.full(100, 2.0), np.zeros(20))
    shares = partition_by_features(absurd, 2, kind, np.random.default_rng(0), weights)
    np.testing.assert_array_equal(shares[:100], partition_by_features(X, 2, kind, np.random.default_rng(0)))
    assert not shares[100:].any()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_leads_to_the_optimum_of_easy_data(kind):
    result = emkit.fit(HiddenMarkovModel(2, Poisson(), start=kind), QUAKES, rng=3)
    assert -result.log_likelihood == pytest.approx(341.878701, abs=1e-5)


def test_given_fields_are_where_the_fit_starts():
    rates = np.array([[10.0], [30.0]])
    start = StartingPoint(chain={"transmat": np.array([[0.9, 0.1], [0.1, 0.9]])}, emission={"rates": rates})
    params = HiddenMarkovModel(2, Poisson(), start=start).initialize(QUAKES, np.random.default_rng(0))
    np.testing.assert_array_equal(params.emission.rates, rates)
    np.testing.assert_array_equal(params.chain.transmat, [[0.9, 0.1], [0.1, 0.9]])
    np.testing.assert_array_equal(params.chain.startprob, [0.5, 0.5])
    # Zucchini and MacDonald, Hidden Markov Models for Time Series (2009), section 4.3: 413.27542 at this start.
    model = HiddenMarkovModel(2, Poisson())
    assert -model.log_likelihood(params, QUAKES) == pytest.approx(413.27542, abs=5e-6)


def test_dotted_names_are_fields_of_parts():
    model = HiddenMarkovModel(2, Mixture(Gaussian("diag"), 2))
    params = model.initialize(X, np.random.default_rng(0))
    means = np.zeros((2, 2, 2))
    changed = with_fields(params.emission, {"parts.means": means, "weights": np.full((2, 2), 0.5)})
    np.testing.assert_array_equal(changed.parts.means, means)
    np.testing.assert_array_equal(changed.weights, 0.5)
    np.testing.assert_array_equal(changed.parts.covariances, params.emission.parts.covariances)


def test_an_unknown_kind_is_refused_with_the_choices():
    with pytest.raises(ValueError, match=r"start must be one of .*'kmeans'.*it is 'spectral'"):
        StartingPoint("spectral")
    assert as_start("random").kind == "random"


def test_a_start_outside_the_space_is_told():
    hmm = GaussianHMM(2, init_params="tmc", random_state=0)
    hmm.startprob_ = [0.7, 0.7]
    with pytest.raises(ValueError, match=r"startprob_ must hold probabilities that sum to 1; they sum to 1\.4"):
        hmm.fit(X)

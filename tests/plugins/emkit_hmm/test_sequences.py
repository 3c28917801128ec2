"""Data of a hidden Markov model: ragged sequences, weights, known states, gaps."""

from __future__ import annotations

import numpy as np
import pytest
from emkit_hmm import GaussianHMM, HiddenMarkovModel, OnlineFilter, PoissonHMM, Sequence, Sequences
from emkit_hmm.sequences import as_sequences, checked_lengths, gathered, holds_sequences

import emkit
from emkit import datasets
from emkit.families import Bernoulli, Categorical, Exponential, Gaussian, Mixture, Multinomial, Poisson, Product

QUAKES = datasets.earthquakes().values
RNG = np.random.default_rng(0)
STATES = np.repeat([0, 1, 0, 1], 50)
X = RNG.normal(4.0 * STATES[:, None], 1.0, (200, 2))
LENGTHS = [3, 1, 96, 1, 99]
DIAGONAL = HiddenMarkovModel(2, Gaussian("diag"))


def _fit(data, **settings):
    return emkit.fit(DIAGONAL, data, rng=0, **settings)


def _same(one, two, rel=1e-9):
    assert one.log_likelihood == pytest.approx(two.log_likelihood, rel=1e-10)
    np.testing.assert_allclose(one.params.emission.means, two.params.emission.means, rtol=rel)
    np.testing.assert_allclose(one.params.chain.transmat, two.params.chain.transmat, atol=rel)


def test_a_list_and_a_matrix_with_lengths_are_the_same_data():
    parts = np.split(X, np.cumsum(LENGTHS)[:-1])
    _same(_fit(parts), _fit(Sequences(X, LENGTHS)))
    _same(_fit([Sequence(part) for part in parts]), _fit(parts))
    _same(_fit(Sequence(X)), _fit(X))


def test_the_likelihood_of_sequences_is_the_sum_over_them_and_not_that_of_one_long_one():
    model, params = DIAGONAL, _fit(Sequences(X, LENGTHS)).params
    parts = np.split(X, np.cumsum(LENGTHS)[:-1])
    alone = [model.log_likelihood(params, part) for part in parts]
    assert model.log_likelihood(params, Sequences(X, LENGTHS)) == pytest.approx(sum(alone), rel=1e-12)
    assert model.log_likelihood(params, X) != pytest.approx(sum(alone), rel=1e-3)
    np.testing.assert_allclose(model.log_likelihoods(params, parts), alone, rtol=1e-12)


def test_sequences_of_one_step_make_a_mixture():
    # Every step starts anew, so transitions say nothing and the start takes the place of a mixture's weights.
    hmm = PoissonHMM(2, random_state=0).fit(QUAKES, [1] * 107)
    densities = hmm.lambdas_[:, 0] ** QUAKES * np.exp(-hmm.lambdas_[:, 0])
    log_factorials = sum(np.log(np.arange(1, count + 1)).sum() for count in QUAKES[:, 0])
    assert hmm.score(QUAKES, [1] * 107) == pytest.approx(
        np.log(densities @ hmm.startprob_).sum() - log_factorials, rel=1e-10
    )
    # Zucchini and MacDonald (2009), table 1.2: independent mixture of two Poisson distributions, 360.3690.
    assert -hmm.score(QUAKES, [1] * 107) == pytest.approx(360.3690, abs=1e-4)


def test_whole_weights_repeat_sequences_and_zero_leaves_one_out():
    parts = np.split(X, 4)
    weighted = _fit(Sequences(X, [50] * 4, weights=[1, 2, 0, 3]))
    repeated = _fit([parts[0], parts[1], parts[1], parts[3], parts[3], parts[3]])
    _same(weighted, repeated)
    assert weighted.n_observations == repeated.n_observations == 300
    assert weighted.bic == pytest.approx(repeated.bic, rel=1e-10)
    by_part = [Sequence(part, weight=weight) for part, weight in zip(parts, [1, 2, 0, 3], strict=True)]
    _same(_fit(by_part), weighted)


def test_equal_weights_change_the_likelihood_and_nothing_else():
    one, ten = _fit(Sequences(X, [50] * 4)), _fit(Sequences(X, [50] * 4, weights=[10.0] * 4))
    np.testing.assert_allclose(one.params.emission.means, ten.params.emission.means, rtol=1e-6)
    assert ten.log_likelihood == pytest.approx(10 * one.log_likelihood, rel=1e-9)


def test_known_states_are_known_and_name_the_states():
    states = np.full(200, -1)
    states[:20], states[60:80] = 1, 0
    hmm = GaussianHMM(2, random_state=0).fit(X, states=states)
    # State 1 is what the labels say it is, although its mean is the lower one.
    assert hmm.means_[1, 0] < hmm.means_[0, 0]
    model, params = hmm.model_and_params()
    smoothed = model.posterior(params, Sequences(X, states=states))
    np.testing.assert_allclose(smoothed[:20, 1], 1, rtol=1e-12)
    np.testing.assert_allclose(smoothed[60:80, 0], 1, rtol=1e-12)


def test_where_all_states_are_known_the_fit_is_counting():
    result = _fit(Sequences(X, [50] * 4, states=STATES))
    for k in range(2):
        np.testing.assert_allclose(result.params.emission.means[k], X[np.equal(STATES, k)].mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(result.params.chain.startprob, [0.5, 0.5])
    np.testing.assert_allclose(result.params.chain.transmat, np.eye(2), atol=1e-12)


def test_a_log_prior_of_states_that_is_the_same_for_all_only_shifts_the_likelihood():
    prior = np.full((200, 2), -0.25)
    plain, shifted = _fit(X), _fit(Sequences(X, states=prior))
    assert shifted.log_likelihood == pytest.approx(plain.log_likelihood - 200 * 0.25, rel=1e-10)


def test_missing_rows_say_nothing_but_time_passes():
    model, params = DIAGONAL, _fit(X).params
    gap = np.full((3, 2), np.nan)
    with_gap = np.concatenate([X[:60], gap, X[60:]])
    chain = params.chain
    # By hand: three more steps of the chain between rows 59 and 60.
    forward = chain.startprob
    total = 0.0
    for t, row in enumerate(np.exp(model.log_emission(params, X))):
        if t:
            forward = forward @ np.linalg.matrix_power(chain.transmat, 4 if t == 60 else 1)
        forward = forward * row
        total += np.log(forward.sum())
        forward = forward / forward.sum()
    assert model.log_likelihood(params, with_gap) == pytest.approx(total, rel=1e-12)
    assert model.posterior(params, with_gap).shape == (203, 2)


def test_rows_that_miss_at_the_end_and_sequences_that_miss_altogether_change_nothing():
    nothing = np.full((7, 2), np.nan)
    plain = _fit([X[:50], X[50:]])
    _same(_fit([X[:50], np.concatenate([X[50:], nothing])]), plain)
    padded = _fit([X[:50], nothing, X[50:]])
    _same(padded, plain)
    assert padded.n_observations == 200


@pytest.mark.parametrize(
    "family", [Poisson(), Exponential(), Categorical(), Multinomial(n_trials=6), Mixture(Poisson())]
)
def test_a_filter_may_begin_with_a_row_that_misses_whatever_the_family(family):
    x = np.column_stack([1 + QUAKES % 3, 5 - QUAKES % 3]).astype(float)
    model = HiddenMarkovModel(2, family)
    params = emkit.fit(model, x, rng=0, max_iter=5).params
    online = OnlineFilter(model, params)
    np.testing.assert_allclose(online.update([np.nan, np.nan]), params.chain.startprob, rtol=1e-12)
    # A leaf in which nothing was seen adds nothing.
    assert model.e_step(params, [np.full((3, 2), np.nan)]).log_likelihood == pytest.approx(0, abs=1e-12)


def test_single_cells_may_miss():
    gappy = X.copy()
    gappy[RNG.random(X.shape) < 0.25] = np.nan
    hmm = GaussianHMM(2, "full", random_state=0).fit(gappy)
    assert (hmm.predict(gappy) == STATES).mean() > 0.97
    # Only the first column of row 7 is seen: its density is that of the first column.
    model, params = hmm.model_and_params()
    gappy[7] = [0.3, np.nan]
    variances = hmm.covars_[:, 0, 0]
    expected = -0.5 * (np.log(2 * np.pi * variances) + (0.3 - hmm.means_[:, 0]) ** 2 / variances)
    np.testing.assert_allclose(model.log_emission(params, gappy)[7], expected, rtol=1e-10)


def test_a_cell_that_misses_leaves_the_other_parts_of_a_product():
    x = np.column_stack([X[:, 0], RNG.random(200) < 0.2 + 0.6 * STATES])
    x[5, 0] = x[9, 1] = np.nan
    model = HiddenMarkovModel(2, Product([(0, Gaussian("diag")), (1, Bernoulli())]))
    params = emkit.fit(model, x, rng=0).params
    p = params.emission.parts[1].probabilities[:, 0]
    np.testing.assert_allclose(model.log_emission(params, x)[5], np.log(p if x[5, 1] else 1 - p), rtol=1e-12)


def test_what_counts_as_sequences():
    assert holds_sequences([X, X])
    assert holds_sequences(Sequence(X))
    assert holds_sequences(Sequences(X))
    assert not holds_sequences(X)
    assert not holds_sequences(X.tolist())
    assert not holds_sequences([])
    assert as_sequences(X, lengths=[200]).lengths == [200]
    with pytest.raises(ValueError, match="so lengths, weights cannot be given beside them"):
        as_sequences([X], lengths=[200], weights=[1.0])


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([150, 51], "sum to the number of rows, 200; they sum to 201"),
        ([0, 200], r"Sequence 0 is empty \(lengths\[0\] is 0\)"),
        ([201, -1], r"Sequence 1 is empty \(lengths\[1\] is -1\)"),
        ([99.5, 100.5], "whole numbers"),
        ([np.nan, 200], "whole numbers"),
        ([[100, 100]], "one for each sequence"),
        ([], "one for each sequence"),
        ("abc", "whole numbers"),
    ],
)
def test_lengths_that_do_not_fit_are_told(lengths, message):
    with pytest.raises(ValueError, match=message):
        checked_lengths(lengths, 200)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "list of sequences is empty"),
        ([X, X[:, :1]], r"need the same columns; found n_features=\[1, 2\]"),
        ([X, np.zeros((0, 2))], "Sequence 1 is empty: leave it out"),
        ([Sequence(X, states=STATES), X], "Sequence 1 has no states"),
        ([X, np.array([["a", "b"]])], "Sequence 1 holds strings"),
    ],
)
def test_sequences_that_do_not_fit_together_are_told(data, message):
    with pytest.raises(ValueError, match=message):
        gathered(data)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"states": [2] * 200}, r"states\[0\] is 2, but states are numbered 0 to 1"),
        ({"states": [0.5] * 200}, r"states\[0\] is 0.5"),
        ({"states": [0] * 5}, r"one number for each of the 200 rows .* found shape \(5,\)"),
        ({"states": np.full((200, 2), -np.inf)}, r"states\[0\] must hold logarithms"),
        ({"states": np.full((200, 2), np.nan)}, r"states\[0\] must hold logarithms"),
        ({"weights": [1.0, 2.0]}, r"weights must be one number for each of the 1 sequences; found shape \(2,\)"),
        ({"weights": [-1.0]}, "finite and not negative"),
        ({"weights": [np.nan]}, "finite and not negative"),
        ({"covariates": np.zeros((7, 1))}, "covariates need one row for each of the 200 rows of the data; found 7"),
    ],
)
def test_parts_that_do_not_fit_are_told(parts, message):
    with pytest.raises(ValueError, match=message):
        HiddenMarkovModel(2, Gaussian()).prepare(Sequences(X, **parts))


def test_counts_of_a_sequence_of_weight_zero_may_be_anything_within_the_support():
    absurd = np.concatenate([QUAKES, [[100_000]] * 5])
    model = HiddenMarkovModel(2, Poisson())
    result = emkit.fit(model, Sequences(absurd, [107, 5], weights=[1, 0]), rng=0)
    assert -result.log_likelihood == pytest.approx(341.878701, abs=1e-5)

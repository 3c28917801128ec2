"""HiddenMarkovModel: what must hold of any chain and any family."""

from __future__ import annotations

import numpy as np
import pytest
from emkit_hmm import (
    HiddenMarkovModel,
    HiddenMarkovParams,
    Logit,
    Markov,
    MarkovParams,
    Pattern,
    Sequence,
    Sequences,
    StartingPoint,
    Stationary,
    viterbi,
)
from hmm_series import EARTHQUAKES
from regimes import COUNTS, COVARIATES, LENGTHS, NUMBERS, STATES, forms
from small_chains import KINDS, data_for, model_and_params

import emkit
from emkit import EStep, fit
from emkit.errors import DegenerateError, InvalidParamsError, MissingCapabilityError
from emkit.families import Bernoulli, Gaussian, LogisticRegression, Poisson, PoissonParams
from emkit.information import observed_information
from emkit.space import spaces_of


def as_list(x):
    return np.split(x, np.cumsum(LENGTHS)[:-1])


@pytest.mark.parametrize("kind", KINDS)
def test_the_score_is_the_slope_of_the_likelihood(kind):
    """By Fisher's identity, against central differences along every free direction."""
    model, params = model_and_params(kind)
    if kind == "zeros":
        # Zeros of a plain chain are on a bound, where only one side has a slope.
        upper = np.where(params.chain.transmat > 0, np.nan, 0.0)
        upper[2, 2] = 1.0
        model = HiddenMarkovModel(3, Poisson(), chain=Markov(Pattern([1.0, 0, 0]), Pattern(upper)))
    data = data_for(model)
    exact = observed_information(model, params, data, "score")
    numeric = observed_information(model, params, data, "likelihood")
    np.testing.assert_allclose(exact.gradient, numeric.gradient, rtol=2e-4, atol=5e-5)
    np.testing.assert_allclose(exact.matrix, numeric.matrix, rtol=1e-3, atol=2e-4)


@pytest.mark.parametrize("chain", [Markov(), Stationary(), Logit(ridge=0.5)], ids=["markov", "stationary", "logit"])
def test_two_methods_give_the_same_standard_errors(chain):
    model = HiddenMarkovModel(2, Poisson(), chain=chain)
    data = Sequences(EARTHQUAKES, covariates=np.sin(np.arange(107))[:, None] if chain.needs_covariates else None)
    result = fit(model, data, rng=0, tol=0)
    exact, numeric = (result.standard_errors(data, method=method) for method in ("score", "likelihood"))
    np.testing.assert_allclose(exact.emission.rates, numeric.emission.rates, rtol=1e-5)
    name = "coefficients" if chain.needs_covariates else "transmat"
    np.testing.assert_allclose(getattr(exact.chain, name), getattr(numeric.chain, name), rtol=1e-4, atol=1e-9)


def test_standard_errors_agree_with_supplemented_em():
    result = fit(HiddenMarkovModel(2, Poisson(), chain=Markov(Pattern([0.5, 0.5]))), EARTHQUAKES, rng=0, tol=0)
    sem = result.standard_errors(EARTHQUAKES, method="sem")
    exact = result.standard_errors(EARTHQUAKES, method="score")
    np.testing.assert_allclose(sem.emission.rates, exact.emission.rates, rtol=1e-4)
    np.testing.assert_allclose(sem.chain.transmat, exact.chain.transmat, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_states_may_change_places(kind):
    model, params = model_and_params(kind)
    if kind == "logit with zeros":
        model = model_and_params("logit")[0]
    data = data_for(model)
    order = np.array([2, 0, 1])
    permuted = model.permuted(params, order)
    assert model.log_likelihood(permuted, data) == pytest.approx(model.log_likelihood(params, data), rel=1e-12)
    np.testing.assert_allclose(model.posterior(permuted, data), model.posterior(params, data)[:, order], atol=1e-12)


def test_the_canonical_order_is_that_of_the_means_whatever_the_start():
    model = HiddenMarkovModel(2, Poisson(), start="random")
    fits = [fit(model, EARTHQUAKES, rng=seed, tol=0).params for seed in range(4)]
    found = [model.canonical(params) for params in fits]
    assert len({bool(params.emission.rates[0] < params.emission.rates[1]) for params in fits}) == 2
    for params in found:
        np.testing.assert_allclose(params.emission.rates[:, 0], [15.42076, 26.01823], atol=1e-4)
        np.testing.assert_allclose(params.chain.transmat, found[0].chain.transmat, atol=1e-6)


@pytest.mark.parametrize(
    "model",
    [
        HiddenMarkovModel(2, Poisson(), chain=Markov(transitions=Pattern([[0.2, 0.8], [np.nan, np.nan]]))),
        HiddenMarkovModel(2, Poisson(), ties=[0, 0]),
        HiddenMarkovModel(2, Poisson(), is_emission_fixed=True),
    ],
    ids=["fixed transitions", "ties", "fixed emissions"],
)
def test_states_with_names_of_their_own_keep_their_places(model):
    params = model.initialize(COUNTS, np.random.default_rng(0))
    assert model.canonical(params) is params


def test_one_state_is_the_family_itself():
    result = fit(HiddenMarkovModel(1, Gaussian()), NUMBERS, rng=0)
    assert result.params.emission.means[0, 0] == pytest.approx(NUMBERS.mean(), rel=1e-12)
    assert result.params.emission.covariances[0, 0, 0] == pytest.approx(NUMBERS.var(), rel=1e-10)
    assert result.n_parameters == 2


@pytest.mark.parametrize("kind", KINDS)
def test_sequences_add_up(kind):
    model, params = model_and_params(kind)
    data = data_for(model)
    parts = [
        Sequence(
            data.x[first : first + n],
            covariates=None if data.covariates is None else data.covariates[first : first + n],
        )
        for first, n in zip([0, 5, 6], data.lengths, strict=True)
    ]
    separate = [model.log_likelihood(params, [part]) for part in parts]
    np.testing.assert_allclose(model.log_likelihoods(params, data), separate, rtol=1e-12)
    assert model.log_likelihood(params, parts) == pytest.approx(sum(separate), rel=1e-12)


@pytest.mark.parametrize("chain", [Markov(), Stationary(), Logit(ridge=0.3)], ids=["markov", "stationary", "logit"])
def test_weights_are_repetitions(chain):
    model = HiddenMarkovModel(2, Poisson(), chain=chain)
    covariates = as_list(COVARIATES) if chain.needs_covariates else [None] * 5
    once = list(zip(as_list(COUNTS), covariates, strict=True))
    weighted = [Sequence(x, weight=w, covariates=c) for (x, c), w in zip(once, [2, 1, 0, 3, 1], strict=True)]
    repeated = [Sequence(*once[i][:1], covariates=once[i][1]) for i in [0, 0, 1, 3, 3, 3, 4]]
    start = model.initialize(weighted, np.random.default_rng(0))
    first, second = (fit(model, data, start, tol=0) for data in (weighted, repeated))
    assert first.log_likelihood == pytest.approx(second.log_likelihood, rel=1e-10)
    assert first.n_observations == second.n_observations
    np.testing.assert_allclose(first.params.emission.rates, second.params.emission.rates, rtol=1e-7)


def test_states_known_throughout_are_counted():
    data = Sequences(COUNTS, LENGTHS, states=STATES)
    params = fit(HiddenMarkovModel(2, Poisson()), data, rng=0).params
    pairs = np.zeros((2, 2))
    for part in as_list(STATES):
        np.add.at(pairs, (part[:-1], part[1:]), 1)
    np.testing.assert_allclose(params.chain.transmat, pairs / pairs.sum(axis=1, keepdims=True), rtol=1e-12)
    np.testing.assert_allclose(
        params.emission.rates, [COUNTS[STATES == 0].mean(axis=0), COUNTS[STATES == 1].mean(axis=0)]
    )


def test_known_states_that_cannot_be_are_named():
    chain = Markov(Pattern([1.0, 0.0]))
    with pytest.raises(ValueError, match="Sequence 1 is impossible at the start"):
        fit(HiddenMarkovModel(2, Poisson(), chain=chain), Sequences(COUNTS[:4], [2, 2], states=[0, 1, 1, 1]), rng=0)
    ignored = Sequences(COUNTS[:4], [2, 2], [1.0, 0.0], [0, 1, 1, 1])
    assert np.isfinite(fit(HiddenMarkovModel(2, Poisson(), chain=chain), ignored, rng=0).log_likelihood)


def test_tied_states_share_their_distribution():
    """Two states with one distribution and one with its own: a duration that is not geometric."""
    model = HiddenMarkovModel(3, Poisson(), ties=[0, 1, 0])
    result = fit(model, EARTHQUAKES, rng=0, n_starts=3)
    assert result.params.emission.rates.shape == (2, 1)
    assert result.n_parameters == 2 + 6 + 2
    rates = model.m_step(result.params, model.e_step(result.params, EARTHQUAKES).statistics).emission.rates
    shares = model.posterior(result.params, EARTHQUAKES)
    first = shares[:, 0] + shares[:, 2]
    np.testing.assert_allclose(
        rates[:, 0], [w @ EARTHQUAKES[:, 0] / w.sum() for w in (first, shares[:, 1])], rtol=1e-12
    )
    density = model.log_emission(result.params, EARTHQUAKES)
    np.testing.assert_array_equal(density[:, 0], density[:, 2])
    assert result.log_likelihood >= -341.878702
    assert set(viterbi(model, result.params, EARTHQUAKES)[0]) <= {0, 1, 2}
    x, states = model.sample_with_states(result.params, 4000, np.random.default_rng(0))
    for k, rate in enumerate(result.params.emission.rates[[0, 1, 0], 0]):
        assert abs(x[states == k].mean() - rate) < 5 * np.sqrt(rate / max(1, (states == k).sum()))


@pytest.mark.parametrize("ties", [[0, 2, 0], [0, 1], [1, 1, 1]])
def test_ties_with_a_gap_are_refused(ties):
    with pytest.raises(ValueError, match="without a gap"):
        HiddenMarkovModel(3, Poisson(), ties=ties).initialize(COUNTS, np.random.default_rng(0))


def test_no_start_lies_on_a_bound_that_em_would_never_leave():
    """Groups of rows that are alike never show the other symbol; the fit would end where it began."""
    x = (COUNTS > 4).astype(float)
    model = HiddenMarkovModel(2, Bernoulli())
    for seed in range(3):
        start = model.initialize(x, np.random.default_rng(seed)).emission.probabilities
        assert ((start > 0.01) & (start < 0.99)).all()


def test_regressions_start_from_rows_divided_at_random():
    assert HiddenMarkovModel(2, LogisticRegression()).start.kind == "random"
    assert HiddenMarkovModel(2, Poisson()).start.kind == "kmeans"
    assert HiddenMarkovModel(2, LogisticRegression(), start="k-means++").start.kind == "k-means++"


def test_a_start_may_be_given_in_part():
    given = StartingPoint(
        chain={"transmat": np.array([[0.5, 0.5], [0.25, 0.75]])}, emission={"rates": np.array([[1.0], [9]])}
    )
    params = HiddenMarkovModel(2, Poisson(), start=given).initialize(COUNTS, np.random.default_rng(0))
    np.testing.assert_array_equal(params.chain.transmat, [[0.5, 0.5], [0.25, 0.75]])
    np.testing.assert_array_equal(params.emission.rates, [[1], [9]])


def test_params_outside_their_space_are_named():
    model = HiddenMarkovModel(2, Poisson())
    rates = PoissonParams(np.array([[1.0], [2.0]]))
    wrong = HiddenMarkovParams(MarkovParams(np.array([0.5, 0.5]), np.array([[0.9, 0.2], [0.5, 0.5]])), rates)
    with pytest.raises(InvalidParamsError, match=r"chain.transmat"):
        model.check(wrong)
    right = HiddenMarkovParams(MarkovParams(np.array([0.5, 0.5]), np.full((2, 2), 0.5)), rates)
    model.check(right)
    assert model.n_free(right) == 1 + 2 + 2
    assert ("chain", "transmat") in spaces_of(model, right)


def test_nothing_observed_is_said():
    with pytest.raises(DegenerateError, match="Nothing was observed"):
        fit(HiddenMarkovModel(2, Poisson()), np.full((5, 1), np.nan), rng=0)


def test_the_parametric_bootstrap_agrees_with_the_information():
    result = fit(HiddenMarkovModel(2, Poisson(), chain=Stationary()), forms(COUNTS)["ragged"], rng=0)
    boot = result.bootstrap(forms(COUNTS)["ragged"], n=60, kind="parametric", rng=0)
    exact = result.standard_errors(forms(COUNTS)["ragged"])
    np.testing.assert_allclose(boot.standard_errors.emission.rates, exact.emission.rates, rtol=0.4)


def test_covariates_cannot_be_sampled():
    model = HiddenMarkovModel(2, Poisson(), chain=Logit())
    assert "sample" in model.lacks
    assert isinstance(
        model.e_step(model_and_params("logit", 2)[1], Sequences(COUNTS, covariates=np.zeros((90, 2)))), EStep
    )
    with pytest.raises((MissingCapabilityError, ValueError)):
        model.sample(model_and_params("logit", 2)[1], 5, np.random.default_rng(0))


@pytest.mark.parametrize("chain", [Markov(), Stationary()], ids=["markov", "stationary"])
def test_replicates_of_a_bootstrap_are_brought_into_one_order(chain):
    # The start of a single sequence is certain in every replicate: it must not decide which state is which.
    rng = np.random.default_rng(0)
    states = np.repeat(rng.integers(0, 2, 30), 10)
    x = (2 * states + rng.normal(size=300))[:, None]
    result = emkit.fit(HiddenMarkovModel(2, chain=chain), x, rng=0)
    found = result.bootstrap(x, 20, kind="parametric", rng=0).standard_errors.emission.means
    expected = result.standard_errors(x).emission.means
    assert (found < 2.5 * expected).all()
    assert found.max() < 0.3


def test_a_matrix_that_all_states_share_is_not_taken_for_several():
    rng = np.random.default_rng(0)
    states = np.repeat(rng.integers(0, 2, 20), 10)
    x = np.column_stack([3 * states + rng.normal(size=200), rng.normal(size=200)])
    result = emkit.fit(HiddenMarkovModel(2, Gaussian("tied")), x, rng=0)
    assert "emission.covariances" not in result.model.label_axes(result.params)
    errors = result.bootstrap(x, 6, kind="parametric", rng=0).standard_errors.emission
    assert np.isfinite(errors.covariances).all()


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
def test_a_saved_fit_of_any_covariance_comes_back(kind, tmp_path):
    x = np.random.default_rng(0).normal(size=(60, 2))
    result = emkit.fit(HiddenMarkovModel(2, Gaussian(kind)), x, rng=0, max_iter=20)
    result.save(tmp_path / "fit.emkit")
    back = emkit.load(tmp_path / "fit.emkit")
    np.testing.assert_array_equal(back.params.emission.covariances, result.params.emission.covariances)

"""States of a fitted face come in an order of their own, and everything that is said of them uses their numbers."""

from __future__ import annotations

import re

import attrs
import numpy as np
import pytest
from emkit_hmm import (
    GMMHMM,
    HMM,
    GaussianHMM,
    HiddenMarkovModel,
    HiddenMarkovParams,
    MarkovParams,
    PoissonHMM,
    SemiMarkov,
    Stationary,
)
from emkit_hmm.order import in_order

import emkit
from emkit import Status, datasets, fit, tree
from emkit.families import Gaussian, GaussianPrior, Poisson, PoissonParams, Product, StudentT

QUAKES = datasets.earthquakes().values
NAMED = re.compile(r"((?:chain|emission)[\w.]*)\[(\d+(?:, \d+)*)\](?: = ([\d.e+-]+))?")


def _named_entries(result):
    """Yield every entry that a note names: its value, and the one that the note gives (None for a bound)."""
    leaves = {tree.path_name(path): np.asarray(leaf) for path, leaf in tree.leaves(result.params)}
    for note in result.notes:
        for name, place, told in NAMED.findall(note):
            index = tuple(map(int, place.split(", ")))
            yield leaves[name][index], float(told) if told else None


@pytest.mark.filterwarnings("ignore::emkit.errors.DegenerateWarning")
@pytest.mark.parametrize("seed", [2, 4, 5])
def test_notes_name_states_by_the_numbers_that_they_have_in_the_result(seed):
    hmm = PoissonHMM(4, random_state=seed).fit(QUAKES)
    named = list(_named_entries(hmm.result_))
    assert len(named) >= 2
    for value, told in named:
        assert value < 1e-6
        # What is on its way has gone on since by a step.
        assert told is None or told == pytest.approx(value, rel=0.2, abs=1e-12)
    unordered = emkit.fit(hmm.model_, QUAKES, rng=seed)
    assert not np.array_equal(unordered.params.emission.rates, hmm.lambdas_)
    assert len(unordered.notes) == len(hmm.result_.notes)
    if seed == 4:
        assert any("transmat[3, 3] = " in note for note in unordered.notes)
        assert any("transmat[2, 2] = " in note for note in hmm.result_.notes)


def test_a_state_that_nobody_visits_is_named_by_its_number_in_the_result():
    chain = MarkovParams([0.0, 0.5, 0.5], [[0.2, 0.4, 0.4], [0.0, 0.9, 0.1], [0.0, 0.1, 0.9]])
    start = HiddenMarkovParams(chain, PoissonParams([[40.0], [15.0], [25.0]]))
    result = emkit.fit(HiddenMarkovModel(3, Poisson()), QUAKES, start, max_iter=3)
    assert next(note for note in result.notes if "never visited" in note).startswith("State 0 is")
    ordered = in_order(result)
    assert next(note for note in ordered.notes if "never visited" in note).startswith("State 2 is")
    assert ordered.params.emission.rates[2] == 40.0


def test_a_warning_names_the_state_that_rests_on_a_floor():
    # The only state without any spread has the larger mean, so it is the last one.
    x = np.concatenate([np.random.default_rng(0).normal(size=30), np.full(30, 50.0)])[:, None]
    floors = set()
    for seed in range(6):
        with pytest.warns(emkit.errors.DegenerateWarning, match=r"covars_\[1, 0\] rests on its floor"):
            hmm = GaussianHMM(2, random_state=seed).fit(x)
        floors |= {note for note in emkit.fit(hmm.model_, x, rng=seed).notes if "floor" in note}
    # Without an order it would have had either number.
    assert len(floors) == 2


@pytest.mark.parametrize(
    "model",
    [
        HiddenMarkovModel(3, Poisson(), chain=Stationary()),
        HiddenMarkovModel(3, Poisson(), chain=SemiMarkov(longest=20)),
        HiddenMarkovModel(3, Gaussian("full")),
        HiddenMarkovModel(3, Gaussian("tied")),
        HiddenMarkovModel(3, Product([(0, Poisson()), (1, Gaussian("diag"))])),
    ],
    ids=lambda model: type(model.chain).__name__ + type(model.emission).__name__,
)
def test_the_ordered_result_has_the_canonical_params_of_its_model(model):
    x = np.column_stack([QUAKES, QUAKES[::-1], QUAKES**2]).astype(float)
    x = x[:, :2] if isinstance(model.emission, Product) else x if isinstance(model.emission, Gaussian) else x[:, :1]
    result = emkit.fit(model, x, rng=1, max_iter=15)
    ordered = in_order(result)
    for (path, one), (_, two) in zip(
        tree.leaves(ordered.params), tree.leaves(model.canonical(result.params)), strict=True
    ):
        np.testing.assert_array_equal(one, two, err_msg=tree.path_name(path))
    means = model.emission.mean(ordered.params.emission)[:, 0]
    assert (np.diff(means) >= 0).all()
    assert model.log_likelihood(ordered.params, x) == pytest.approx(result.log_likelihood, rel=1e-12)


def test_what_was_written_on_the_way_stays_as_it_was():
    result = emkit.fit(HiddenMarkovModel(3, Poisson()), QUAKES, rng=1, n_starts=3)
    ordered = in_order(result)
    assert ordered.params is not result.params
    assert (ordered.starts, ordered.optima) == (result.starts, result.optima)
    np.testing.assert_array_equal(ordered.log_likelihoods, result.log_likelihoods)
    assert (ordered.n_parameters, ordered.n_e_steps, ordered.message) == (
        result.n_parameters,
        result.n_e_steps,
        result.message,
    )


def test_states_with_names_of_their_own_and_fits_that_broke_down_keep_their_order():
    fixed = emkit.fit(HiddenMarkovModel(3, Poisson(), ties=(0, 1, 1)), QUAKES, rng=1)
    assert in_order(fixed) is fixed
    result = emkit.fit(HiddenMarkovModel(3, Poisson()), QUAKES, rng=1)
    broken = attrs.evolve(result, status=Status.DEGENERATE, message="Component 0 lost its rows.")
    assert in_order(broken) is broken


def test_a_general_face_says_the_same_as_the_special_one():
    general, special = (hmm.fit(QUAKES) for hmm in (HMM(4, Poisson(), random_state=4), PoissonHMM(4, random_state=4)))
    assert general.result_.notes == special.result_.notes


@pytest.mark.filterwarnings("ignore::emkit.errors.EmkitWarning")
@pytest.mark.parametrize(
    "hmm",
    [
        GaussianHMM(2, params="stc"),
        GaussianHMM(2, "tied", params="stc"),
        GaussianHMM(2, params="stm"),
        GMMHMM(2, n_mix=2, params="stcw"),
        GMMHMM(2, n_mix=2, params="stmc"),
        HMM(2, Gaussian("diag", fixed=("means",))),
        HMM(2, Product([(0, Gaussian("diag", fixed=("covariances",)))])),
        HMM(2, Gaussian("diag", prior=GaussianPrior([[9.0], [-9.0]], 5.0))),
    ],
    ids=repr,
)
@pytest.mark.parametrize("seed", range(4))
def test_what_is_fixed_of_a_state_stays_with_the_rest_of_it(hmm, seed):
    z = np.repeat([0, 1, 0, 1], 50)
    x = np.random.default_rng(0).normal(6.0 * z, 1.0 + 2 * z)[:, None]
    hmm.set_params(random_state=seed).fit(x)
    model, params = hmm.model_, hmm.result_.params
    assert hmm.score(x) == pytest.approx(hmm.result_.log_likelihood, rel=1e-12)
    assert hmm.score(x) + model.log_prior(params) == pytest.approx(hmm.result_.objective, rel=1e-12)


def test_what_is_fixed_alike_for_all_states_gives_them_no_names():
    x = np.random.default_rng(0).normal(np.repeat([[0.0], [6.0], [0.0]], 40, axis=0))
    means = {HMM(2, StudentT(df=4.0), random_state=seed).fit(x).params_.emission.means[0, 0] < 3 for seed in range(6)}
    assert means == {True}


def test_states_of_which_something_is_fixed_have_names():
    model = HiddenMarkovModel(2, Gaussian("diag", fixed=("means",)))
    x = np.random.default_rng(0).normal(np.repeat([[0.0], [9.0]], 20, axis=0))
    result = fit(model, x, rng=0)
    assert model.label_axes(result.params) == {}
    assert model.canonical(result.params) is result.params

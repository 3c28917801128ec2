"""Models that were built alike are equal, hash alike, and come back from a file as they were."""

from __future__ import annotations

import numpy as np
import pytest
from emkit_hmm import (
    HiddenMarkovModel,
    Logit,
    Markov,
    Pattern,
    PoissonHMM,
    SemiMarkov,
    Sequences,
    StartingPoint,
    Stationary,
    left_right,
)

import emkit
from emkit import datasets
from emkit.families import Gaussian, GaussianPrior, Poisson

QUAKES = datasets.earthquakes().values
COVARIATES = np.linspace(-1, 1, len(QUAKES))[:, None]

#: Each makes the same model at every call.
RECIPES = {
    "plain": lambda: HiddenMarkovModel(2, Poisson()),
    "zeros": lambda: HiddenMarkovModel(2, Poisson(), chain=Markov(Pattern([1.0, 0.0]), Pattern(left_right(2)))),
    "priors": lambda: HiddenMarkovModel(
        2, Poisson(), chain=Stationary(Pattern(concentration=np.array([[3.0, 1.0], [1.0, 3.0]])))
    ),
    "tied": lambda: HiddenMarkovModel(3, Poisson(), ties=(0, 1, 1)),
    "started": lambda: HiddenMarkovModel(
        2,
        Poisson(),
        start=StartingPoint(
            "random", {"transmat": np.full((2, 2), 0.5)}, {"rates": np.array([[10.0], [np.float64(30)]])}
        ),
    ),
    "started elsewhere": lambda: HiddenMarkovModel(
        2,
        Poisson(),
        start=StartingPoint("random", {"transmat": np.full((2, 2), 0.5)}, {"rates": np.array([[10.0], [31.0]])}),
    ),
    "durations": lambda: HiddenMarkovModel(2, Poisson(), chain=SemiMarkov(longest=30)),
    "gaussians": lambda: HiddenMarkovModel(2, Gaussian("diag", prior=GaussianPrior(np.zeros((2, 1)), 1.0))),
}


@pytest.mark.parametrize("name", RECIPES)
def test_models_that_were_built_alike_are_equal_and_hash_alike(name):
    one, two = RECIPES[name](), RECIPES[name]()
    assert one == two
    assert hash(one) == hash(two)


def test_models_that_differ_in_anything_are_not_equal():
    models = [recipe() for recipe in RECIPES.values()]
    assert len(set(models)) == len(models)


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.filterwarnings("ignore::emkit.errors.EmkitWarning")
def test_a_saved_model_is_loaded_as_it_was(name, tmp_path):
    result = emkit.fit(RECIPES[name](), QUAKES, rng=0, max_iter=2)
    result.save(tmp_path / "fit.emkit")
    loaded = emkit.load(tmp_path / "fit.emkit").model
    assert loaded == result.model
    assert hash(loaded) == hash(result.model)


def test_a_model_with_covariates_is_loaded_as_it_was(tmp_path):
    allowed = np.array([[True, True], [False, True]])
    model = HiddenMarkovModel(2, Poisson(), chain=Logit(allowed, ridge=0.5))
    result = emkit.fit(model, Sequences(QUAKES, covariates=COVARIATES), rng=0, max_iter=2)
    result.save(tmp_path / "fit.emkit")
    assert emkit.load(tmp_path / "fit.emkit").model == model
    assert model != HiddenMarkovModel(2, Poisson(), chain=Logit(~allowed | np.eye(2, dtype=bool), ridge=0.5))


def test_numbers_are_equal_in_any_form_and_nothing_else_is():
    assert Pattern([[0.5, np.nan], [np.nan, 0.0]]) == Pattern(np.array([[0.5, np.nan], [np.nan, -0.0]]))
    assert Pattern([[np.nan, 0.5], [np.nan, 0.0]]) != Pattern([[0.5, np.nan], [np.nan, 0.0]])
    assert Pattern(concentration=2) == Pattern(concentration=np.float64(2.0))
    assert Pattern(concentration=2.0) != Pattern(concentration=[2.0, 2.0])
    assert Pattern(concentration=[[2.0, 3.0]]) != Pattern(concentration=[[2.0], [3.0]])
    assert StartingPoint(chain={"startprob": [1, 0]}) == StartingPoint(chain={"startprob": (1.0, 0.0)})
    assert StartingPoint(chain={"startprob": [1, 0]}) != StartingPoint(chain={"startprob": [0, 1]})
    assert StartingPoint(chain={"startprob": [1, 0]}) != StartingPoint()


def test_faces_with_the_same_settings_hold_equal_models():
    one, two = (PoissonHMM(2, random_state=0, transmat_prior=np.full((2, 2), 2.0)).fit(QUAKES) for _ in range(2))
    assert one.model_ == two.model_
    assert one.model_ != PoissonHMM(2, random_state=0).fit(QUAKES).model_

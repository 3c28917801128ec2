"""Criteria count the parameters of the model that the attributes make, also where these were changed after a fit."""

from __future__ import annotations

import numpy as np
import pytest
from emkit_hmm import GMMHMM, HMM, CategoricalHMM, GaussianHMM, MultinomialHMM, Pattern, PoissonHMM, Stationary

from emkit import datasets, information
from emkit.families import Poisson

QUAKES = datasets.earthquakes().values
COUNTS = np.column_stack([QUAKES, 45 - QUAKES])


def _n_counted(hmm, x):
    """Return the number of parameters that both criteria charge for."""
    by_aic = (hmm.aic(x) + 2 * hmm.score(x)) / 2
    by_bic = (hmm.bic(x) + 2 * hmm.score(x)) / np.log(len(x))
    assert by_aic == pytest.approx(by_bic, rel=1e-9)
    return round(by_aic, 6)


@pytest.mark.filterwarnings("ignore::emkit.errors.DegenerateWarning")
@pytest.mark.parametrize(
    ("hmm", "n_free"),
    [
        (GaussianHMM(3, "full", random_state=0), 2 + 6 + 3 + 3),
        (GaussianHMM(3, "tied", random_state=0), 2 + 6 + 3 + 1),
        (GMMHMM(2, n_mix=2, random_state=0), 1 + 2 + 2 + 4 + 4),
        (PoissonHMM(3, random_state=0), 2 + 6 + 3),
        (CategoricalHMM(2, random_state=0), 1 + 2 + 2 * 41),
        (MultinomialHMM(3, random_state=0), 2 + 6 + 3),
        (HMM(3, Poisson(), Stationary(), random_state=0), 6 + 3),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_fit_that_nobody_has_touched_counts_as_its_result_does(hmm, n_free):
    x = COUNTS if isinstance(hmm, MultinomialHMM) else QUAKES
    hmm.fit(x)
    assert _n_counted(hmm, x) == n_free == hmm.result_.n_parameters


def test_another_number_of_states_set_by_hand_is_another_number_of_parameters():
    hmm = PoissonHMM(2, random_state=0).fit(QUAKES)
    hmm.set_params(n_components=3)
    hmm.startprob_, hmm.transmat_ = np.full(3, 1 / 3), np.full((3, 3), 1 / 3)
    hmm.lambdas_ = [[10.0], [20.0], [30.0]]
    assert hmm.predict_proba(QUAKES).shape == (107, 3)
    assert _n_counted(hmm, QUAKES) == 2 + 6 + 3


@pytest.mark.filterwarnings("ignore::emkit.errors.DegenerateWarning")
def test_more_symbols_and_more_columns_set_by_hand_are_more_parameters():
    hmm = CategoricalHMM(2, random_state=0).fit([[0], [1], [1], [0], [1]])
    hmm.emissionprob_ = np.full((2, 5), 0.2)
    assert _n_counted(hmm, [[4], [0], [1]]) == 1 + 2 + 2 * 4
    wide = GaussianHMM(2, random_state=0).fit(QUAKES)
    wide.means_, wide.covars_ = [[15.0, 0.0], [25.0, 0.0]], np.ones((2, 2))
    assert _n_counted(wide, np.column_stack([QUAKES, QUAKES])) == 1 + 2 + 4 + 4
    with pytest.raises(ValueError, match="X has 1 features, but GaussianHMM is expecting 2"):
        wide.score(QUAKES)


def test_what_the_fit_held_fixed_is_not_counted_whatever_it_is_changed_to():
    hmm = PoissonHMM(2, params="st", init_params="st", random_state=0)
    hmm.lambdas_ = [[15.0], [26.0]]
    hmm.fit(QUAKES)
    assert _n_counted(hmm, QUAKES) == 1 + 2
    hmm.lambdas_ = [[14.0], [27.0]]
    assert _n_counted(hmm, QUAKES) == 1 + 2
    chained = GaussianHMM(2, params="mc", init_params="mc", random_state=0)
    chained.startprob_, chained.transmat_ = [0.5, 0.5], [[0.9, 0.1], [0.1, 0.9]]
    chained.fit(QUAKES)
    chained.transmat_ = [[0.8, 0.2], [0.2, 0.8]]
    assert _n_counted(chained, QUAKES) == 2 + 2
    means = GaussianHMM(2, params="stc", init_params="stc", random_state=0)
    means.means_ = [[15.0], [26.0]]
    assert _n_counted(means.fit(QUAKES), QUAKES) == 1 + 2 + 2


def test_structural_zeros_stay_uncounted_until_somebody_sets_them_to_something_else():
    hmm = PoissonHMM(3, init_params="l", random_state=0)
    hmm.startprob_, hmm.transmat_ = [1.0, 0.0, 0.0], [[0.9, 0.1, 0.0], [0.0, 0.9, 0.1], [0.0, 0.0, 1.0]]
    hmm.fit(QUAKES)
    assert _n_counted(hmm, QUAKES) == 0 + 2 + 3
    hmm.lambdas_ = [[10.0], [20.0], [30.0]]
    hmm.transmat_ = [[0.8, 0.2, 0.0], [0.0, 0.7, 0.3], [0.0, 0.0, 1.0]]
    assert _n_counted(hmm, QUAKES) == 0 + 2 + 3
    # The last state may be left now, to either of the others.
    hmm.transmat_ = [[0.8, 0.2, 0.0], [0.0, 0.7, 0.3], [0.1, 0.1, 0.8]]
    assert _n_counted(hmm, QUAKES) == 0 + 2 + 3 + 2
    hmm.startprob_ = [0.5, 0.25, 0.25]
    assert _n_counted(hmm, QUAKES) == 2 + 2 + 3 + 2


def test_the_model_of_a_fitted_face_knows_its_zeros_and_its_priors():
    hmm = PoissonHMM(3, init_params="l", transmat_prior=2.0, random_state=0)
    hmm.startprob_, hmm.transmat_ = [1.0, 0.0, 0.0], [[0.9, 0.1, 0.0], [0.0, 0.9, 0.1], [0.1, 0.0, 0.9]]
    hmm.fit(QUAKES)
    model, params = hmm.model_and_params()
    assert model.chain == hmm.model_.chain
    assert model.log_prior(params) + hmm.score(QUAKES) == pytest.approx(hmm.result_.objective, rel=1e-12)
    errors = information.standard_errors(model, params, QUAKES).chain.transmat
    assert (errors[params.chain.transmat == 0] == 0).all()


def test_params_of_a_general_face_that_were_changed_are_counted_by_its_model():
    chain = Stationary(Pattern([[np.nan, np.nan, 0.0], [np.nan, np.nan, np.nan], [0.0, np.nan, np.nan]]))
    hmm = HMM(3, Poisson(), chain, random_state=0).fit(QUAKES)
    hmm.params_ = hmm.model_.permuted(hmm.params_, np.array([2, 1, 0]))
    assert _n_counted(hmm, QUAKES) == 1 + 2 + 1 + 3

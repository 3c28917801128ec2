"""Attributes and priors set by hand: what does not fit is told in the words of the face, before a fit and after it."""

from __future__ import annotations

import numpy as np
import pytest
from emkit_hmm import (
    GMMHMM,
    HMM,
    CategoricalHMM,
    GaussianHMM,
    HiddenMarkovParams,
    MarkovParams,
    MultinomialHMM,
    PoissonHMM,
)
from scipy.stats import multivariate_normal

from emkit.errors import InvalidParamsError
from emkit.families import Bernoulli, Gaussian, Mixture, NegativeBinomial, Poisson, PoissonParams, Product

COUNTS = np.random.default_rng(0).poisson(np.repeat([[3.0], [20.0]], 20, axis=0)).astype(float)
REALS = np.random.default_rng(1).normal(size=(40, 2))
SYMBOLS = np.random.default_rng(2).integers(0, 3, (40, 1))
CHAIN = {"startprob_": [0.5, 0.5], "transmat_": [[0.9, 0.1], [0.1, 0.9]]}
FACES = {
    PoissonHMM: (COUNTS, {"lambdas_": [[3.0], [20.0]]}),
    GaussianHMM: (REALS, {"means_": [[0.0, 0.0], [1.0, 1.0]], "covars_": np.ones((2, 2))}),
    GMMHMM: (
        REALS,
        {"means_": np.arange(8.0).reshape(2, 2, 2), "covars_": np.ones((2, 2, 2)), "weights_": np.full((2, 2), 0.5)},
    ),
    CategoricalHMM: (SYMBOLS, {"emissionprob_": np.full((2, 3), 1 / 3)}),
    MultinomialHMM: (np.column_stack([COUNTS, COUNTS + 1]), {"emissionprob_": [[0.5, 0.5], [0.2, 0.8]]}),
}


def _set(face, **changes):
    hmm = face(2, n_mix=2) if face is GMMHMM else face(2)
    for name, value in (CHAIN | FACES[face][1] | changes).items():
        setattr(hmm, name, value)
    return hmm


@pytest.mark.parametrize(
    ("face", "name", "value", "message"),
    [
        (PoissonHMM, "lambdas_", [1.0, 2.0], r"lambdas_ must have shape \(2, n_features\), .* it has shape \(2,\)"),
        (PoissonHMM, "lambdas_", [[1.0], [2.0], [3.0]], r"lambdas_ must have shape \(2, .* \(3, 1\)"),
        (PoissonHMM, "lambdas_", [[1.0], [-2.0]], r"lambdas_\[1, 0\] must be at least 0, but is -2"),
        (PoissonHMM, "lambdas_", [[1.0], [np.nan]], r"lambdas_\[1, 0\] is nan"),
        (PoissonHMM, "lambdas_", [[1.0], [2.0, 3.0]], "lambdas_ is ragged"),
        (PoissonHMM, "startprob_", [-0.5, 1.5], r"startprob_\[0\] must be a probability; it is -0\.5"),
        (GaussianHMM, "means_", [0.0, 5.0], r"means_ must have shape \(2, n_features\), .* it has shape \(2,\)"),
        (GaussianHMM, "means_", 3.0, r"means_ must have shape \(2, n_features\), .* it has shape \(\)"),
        (GaussianHMM, "means_", "abc", "means_ holds strings"),
        (GaussianHMM, "means_", None, "means_ is nan"),
        (GMMHMM, "means_", [[0.0], [1.0]], r"means_ must have shape \(2, 2, n_features\), .* \(2, 1\)"),
        (GMMHMM, "covars_", [[1.0], [1.0]], r"covars_ must have shape \(2, 2, n_features\), .* \(2, 1\)"),
        (GMMHMM, "covars_", -np.ones((2, 2, 2)), r"covars_\[0, 0\] must be positive"),
        (GMMHMM, "weights_", [0.5, 0.5], r"weights_ must have shape \(2, 2\), .* \(2,\)"),
        (GMMHMM, "weights_", np.full((2, 3), 1 / 3), r"weights_ must have shape \(2, 2\), .* \(2, 3\)"),
        (CategoricalHMM, "emissionprob_", [0.5, 0.5], r"emissionprob_ must have shape \(2, n_symbols\), .* \(2,\)"),
        (CategoricalHMM, "emissionprob_", "abc", "emissionprob_ holds strings"),
        (MultinomialHMM, "emissionprob_", [0.5, 0.5], r"emissionprob_ must have shape \(2, n_features\), .* \(2,\)"),
    ],
)
def test_an_attribute_that_does_not_fit_is_told_by_its_name(face, name, value, message):
    x, _ = FACES[face]
    assert np.isfinite(_set(face).score(x))
    hmm = _set(face, **{name: value})
    for ask in (hmm.score, hmm.predict, hmm.set_params(init_params="").fit):
        with pytest.raises(ValueError, match=f"^{message}"):
            ask(x)


@pytest.mark.parametrize(
    ("face", "name", "value", "found"),
    [
        (PoissonHMM, "lambdas_", np.ones((2, 3)), 1),
        (GaussianHMM, "means_", np.ones((2, 3)), 2),
        (GaussianHMM, "covars_", np.ones((2, 3)), 2),
        (GMMHMM, "covars_", np.ones((2, 2, 3)), 2),
        (MultinomialHMM, "emissionprob_", np.full((2, 3), 1 / 3), 2),
        (CategoricalHMM, "emissionprob_", np.full((2, 3, 4), 1 / 4), 1),
    ],
)
def test_a_start_for_other_columns_than_the_data_have_is_told(face, name, value, found):
    x, attributes = FACES[face]
    hmm = face(2, n_mix=2) if face is GMMHMM else face(2)
    letter = next(letter for letter, attribute in hmm._letters().items() if attribute == name)
    hmm.set_params(init_params=hmm.init_params.replace(letter, ""), random_state=0)
    setattr(hmm, name, value)
    with pytest.raises(ValueError, match=f"^X has {found} features, but {name}, where the fit starts, is for 3"):
        hmm.fit(x)
    setattr(hmm, name, attributes[name])
    hmm.set_params(n_iter=2)
    with pytest.warns(match="max_iter"):
        hmm.fit(x)


def test_covariances_keep_their_form_when_another_type_is_set():
    hmm = GaussianHMM(2, random_state=0).fit(REALS)
    variances, before = hmm.covars_, hmm.score(REALS)
    hmm.covariance_type = "full"
    np.testing.assert_array_equal(hmm.covars_, variances)
    assert hmm.covars_.shape == (2, 2, 2)
    assert hmm.score(REALS) == pytest.approx(before, rel=1e-12)
    # Where the fit of full covariances starts: in the diagonal ones.
    hmm.set_params(init_params="", n_iter=1)
    with pytest.warns(match="max_iter"):
        hmm.fit(REALS)
    assert hmm.monitor_.history[0] == pytest.approx(before, rel=1e-12)
    hmm.covars_ = [[[1.0, 0.5], [0.5, 1.0]]] * 2
    hmm.startprob_ = [1.0, 0.0]
    expected = multivariate_normal(hmm.means_[0], [[1.0, 0.5], [0.5, 1.0]]).logpdf([0.3, 0.2])
    assert hmm.score([[0.3, 0.2]]) == pytest.approx(expected, rel=1e-12)
    hmm.covariance_type = "diag"
    with pytest.raises(ValueError, match="For this covariance_type the matrices must be diagonal"):
        hmm.score(REALS)


@pytest.mark.parametrize(
    ("hmm", "x", "message"),
    [
        (PoissonHMM(2, lambdas_prior=[1, 2]), COUNTS, r"lambdas_prior must be a number of at least 0.* it is \[1, 2\]"),
        (PoissonHMM(2, lambdas_prior="a"), COUNTS, "lambdas_prior must be a number"),
        (PoissonHMM(2, lambdas_prior=-1), COUNTS, "lambdas_prior must be a number of at least 0"),
        (PoissonHMM(2, lambdas_weight=np.nan), COUNTS, "lambdas_weight must be a number"),
        (
            PoissonHMM(2, transmat_prior=[2.0, 2.0]),
            COUNTS,
            r"transmat_prior must .* shape \(2, 2\); it has shape \(2,\)",
        ),
        (PoissonHMM(2, startprob_prior=[2.0, 0.5]), COUNTS, r"startprob_prior\[1\] must be at least 1.* it is 0\.5"),
        (
            GMMHMM(2, 3, weights_prior=[2.0, 3.0, 4.0]),
            REALS,
            r"weights_prior must .* shape \(2, 3\); it has shape \(3,",
        ),
        (GMMHMM(2, 2, weights_prior=np.full((1, 2), 2.0)), REALS, r"weights_prior must .* it has shape \(1, 2\)"),
        (
            CategoricalHMM(2, emissionprob_prior=[2.0, 3.0, 4.0]),
            SYMBOLS,
            r"emissionprob_prior must .* shape \(2, 3\); ",
        ),
        (CategoricalHMM(2, emissionprob_prior=np.full((1, 3), 2.0)), SYMBOLS, r"emissionprob_prior .* shape \(1, 3\)"),
        (MultinomialHMM(2, emissionprob_prior=[1.0, 2.0]), FACES[MultinomialHMM][0], r"emissionprob_prior .* \(2,\)"),
        (CategoricalHMM(2, n_features="a"), SYMBOLS, "n_features must be a whole number"),
        (CategoricalHMM(2, n_features=2.5), SYMBOLS, "n_features must be a whole number"),
    ],
)
def test_a_setting_of_the_wrong_shape_or_kind_is_told_by_its_name(hmm, x, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        hmm.fit(x)


def test_a_symbol_that_no_fit_has_seen_is_told_in_the_words_of_the_face():
    hmm = CategoricalHMM(1).fit(SYMBOLS)
    with pytest.raises(ValueError, match=r"Row 1, column 0 is symbol 3, .* symbols 0 to 2 only: set n_features"):
        hmm.predict([[0], [3]])


def test_notes_are_in_the_words_of_the_face():
    x = np.concatenate([REALS[:20], np.full((20, 2), 50.0)])
    with pytest.warns(match=r"GaussianHMM: covars_\[1, 0\] and 1 more rest on their floor"):
        GaussianHMM(2, random_state=0).fit(x)
    with pytest.warns(match=r"HMM: emission\.covariances\[1, 0\] and 1 more rest on their floor"):
        HMM(2, Gaussian("diag"), random_state=0).fit(x)


def _general(startprob=(0.5, 0.5), transmat=((0.9, 0.1), (0.1, 0.9)), rates=((3.0,), (20.0,))):
    hmm = HMM(2, Poisson())
    hmm.params_ = HiddenMarkovParams(MarkovParams(startprob, transmat), PoissonParams(rates))
    return hmm


def test_params_set_by_hand_are_those_of_the_other_face():
    assert _general().score(COUNTS) == pytest.approx(_set(PoissonHMM).score(COUNTS), rel=1e-14)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"transmat": [[1.9, -0.9], [0.5, 0.5]]}, r"chain\.transmat\[0, 1\] must be a proportion of at least 0"),
        ({"startprob": [0.6, 0.5]}, r"chain\.startprob must be a set of proportions that sum to 1"),
        ({"rates": [[np.nan], [1.0]]}, r"emission\.rates\[0, 0\] must be a finite number"),
        ({"rates": [[3.0], [20.0], [4.0]]}, r"emission\.rates must have one row for each of 2 distributions"),
    ],
)
def test_params_set_by_hand_are_checked(changes, message):
    hmm = _general(**changes)
    for ask in (hmm.score, hmm.predict, lambda x: hmm.sample(len(x))):
        with pytest.raises(InvalidParamsError, match=message):
            ask(COUNTS)
    fitted = HMM(2, Poisson(), random_state=0).fit(COUNTS)
    fitted.params_ = hmm.params_
    with pytest.raises(InvalidParamsError, match=message):
        fitted.score(COUNTS)


@pytest.mark.parametrize(
    ("family", "x", "kind"),
    [
        (Poisson(), COUNTS, "i"),
        (NegativeBinomial(), COUNTS, "i"),
        (Mixture(Poisson(), 2), COUNTS, "i"),
        (Product([(0, Poisson()), (1, Bernoulli())]), np.column_stack([COUNTS, COUNTS > 10]), "i"),
        (Product([(0, Poisson()), (1, Gaussian())]), np.column_stack([COUNTS, np.sqrt(COUNTS)]), "f"),
        (Gaussian(), COUNTS, "f"),
    ],
)
@pytest.mark.filterwarnings("ignore::emkit.errors.EmkitWarning")
def test_samples_of_counts_are_whole_numbers(family, x, kind):
    rows, _ = HMM(2, family, random_state=0, n_iter=20).fit(x).sample(5)
    assert rows.dtype.kind == kind

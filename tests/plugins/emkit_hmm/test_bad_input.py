"""Bad and hard data: clear errors or sound fits, never a bare RuntimeWarning or LinAlgError.

Warnings are errors in these tests, so a warning of numpy anywhere in a fit makes its test fail.
"""

from __future__ import annotations

import numpy as np
import pytest
from emkit_hmm import GMMHMM, CategoricalHMM, GaussianHMM, MultinomialHMM, PoissonHMM

from emkit.errors import DegenerateError, DegenerateWarning, EmkitWarning

KINDS = ("diag", "full", "spherical", "tied")
STATES = np.repeat([0, 1, 0, 1], 30)
X = np.random.default_rng(0).normal(4.0 * STATES[:, None], 1.0, (120, 2))
COUNTS = np.random.default_rng(1).poisson(3 + 8 * STATES)[:, None]
SYMBOLS = (2 * STATES + np.random.default_rng(2).integers(0, 2, 120))[:, None]
TRIALS = np.random.default_rng(3).multinomial(6, [0.2, 0.3, 0.5], 120)

# Notes on floors and bounds belong to such data; everything else is an error.
pytestmark = pytest.mark.filterwarnings("ignore::emkit.errors.DegenerateWarning")


def _sound(hmm, x, lengths=None):
    """Fit, and require finite params and answers."""
    hmm.fit(x, lengths)
    for name in ("startprob_", "transmat_", *hmm._letters().values()):
        assert np.isfinite(getattr(hmm, name)).all(), name
    np.testing.assert_allclose(hmm.transmat_.sum(axis=1), 1, rtol=1e-9)
    assert np.isfinite(hmm.score(x, lengths))
    np.testing.assert_allclose(hmm.predict_proba(x, lengths).sum(axis=1), 1, rtol=1e-9)
    assert np.isfinite(hmm.decode(x, lengths)[0])
    assert np.isfinite(hmm.sample(5)[0]).all()
    return hmm


def _gaussians(n_components=2):
    mixed = [GMMHMM(n_components, n_mix=2, random_state=0)]
    return [GaussianHMM(n_components, kind, random_state=0) for kind in KINDS] + mixed


@pytest.mark.parametrize(
    "x",
    [
        np.ones((40, 2)),
        np.column_stack([X, np.ones(120)]),
        np.repeat(X[:2], 30, axis=0),
        np.column_stack([X, 2 * X[:, 0]]),
        np.concatenate([X, [[1e6, -1e6]]]),
        np.round(X),
        X > 1,
        X.astype(object),
        np.column_stack([X[:, 0], np.full(120, np.nan)]),
        np.where(np.arange(120)[:, None] % 7 == 0, np.nan, X),
        np.concatenate([X[:1], np.full((30, 2), np.nan), X[1:]]),
        np.random.default_rng(0).normal(size=(30, 40)),
    ],
    ids=[
        "constant",
        "constant column",
        "duplicated rows",
        "collinear",
        "outlier",
        "rounded",
        "bool",
        "objects that are numbers",
        "column that misses",
        "rows that miss",
        "long gap",
        "more columns than rows",
    ],
)
def test_degenerate_but_possible_data_give_sound_fits(x):
    for hmm in _gaussians():
        _sound(hmm, x)


@pytest.mark.filterwarnings("ignore::emkit.errors.ConvergenceWarning")
@pytest.mark.parametrize("n_rows", [1, 2, 3])
def test_fewer_rows_than_states_give_sound_fits(n_rows):
    for hmm in [*_gaussians(2), *_gaussians(5)]:
        _sound(hmm, X[:n_rows])
    for hmm, x in [(PoissonHMM(5, random_state=0), COUNTS), (CategoricalHMM(5, random_state=0), SYMBOLS)]:
        _sound(hmm, x[:n_rows])


@pytest.mark.parametrize("units", [1e150, 1e-150, 1e100])
def test_very_large_and_very_small_units_give_the_fit_of_plain_ones(units):
    for plain, scaled in zip(_gaussians(), _gaussians(), strict=True):
        plain.fit(X)
        _sound(scaled, X * (units / 10))
        assert scaled.score(X * (units / 10)) == pytest.approx(plain.score(X) - 240 * np.log(units / 10), rel=1e-9)


def test_data_far_from_zero_give_the_fit_of_those_about_it():
    for plain, shifted in zip(_gaussians(), _gaussians(), strict=True):
        plain.fit(X)
        _sound(shifted, X + 1e8)
        assert shifted.score(X + 1e8) == pytest.approx(plain.score(X), abs=1e-4)
        np.testing.assert_allclose(shifted.means_ - 1e8, plain.means_, atol=1e-5)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (X * 1e300, "standard deviation of .*e\\+300.*other units"),
        (X * 1e-300, "standard deviation of .*e-300.*other units"),
        (np.where(np.arange(240).reshape(120, 2) == 7, np.inf, X), "infinity.*in row 3 of column 1"),
        (X[:0], "0 sample\\(s\\).*minimum of 1 is required by GaussianHMM"),
        (X[:, :0], "0 feature\\(s\\)"),
        (X[:, 0], "Expected 2D array, got 1D array"),
        (X[None], "dim 3"),
        (X + 1j, "Complex data not supported"),
        (np.array([["a", "b"]] * 9), "X holds strings"),
        (np.array([[1.0, "b"]] * 9, dtype=object), "X holds strings, the first at row 0, column 1"),
        ([[1.0, 2.0], [3.0]], "X"),
    ],
)
def test_impossible_data_are_told(x, message):
    with pytest.raises((ValueError, TypeError), match=message):
        GaussianHMM(2).fit(x)


@pytest.mark.parametrize("face", [GaussianHMM, GMMHMM, PoissonHMM, CategoricalHMM, MultinomialHMM])
def test_data_that_miss_altogether_are_told_in_a_fit_and_say_nothing_afterwards(face):
    missing, some = np.full((20, 2), np.nan), np.column_stack([SYMBOLS, 3 - SYMBOLS])
    with pytest.raises(DegenerateError, match="Nothing was observed: every row is missing"):
        face(2).fit(missing)
    with pytest.raises(DegenerateError, match="or all weights are zero"):
        face(2).fit(some, [60, 60], sample_weight=[0, 0])
    hmm = face(2, random_state=0).fit(some)
    assert hmm.score(missing) == pytest.approx(0, abs=1e-12)
    expected = [hmm.startprob_ @ np.linalg.matrix_power(hmm.transmat_, t) for t in range(20)]
    np.testing.assert_allclose(hmm.predict_proba(missing), expected, atol=1e-12)
    with pytest.raises(DegenerateError, match="every row of X is missing"):
        hmm.bic(missing)


@pytest.mark.parametrize(
    ("hmm", "x"),
    [
        (CategoricalHMM(2, random_state=0), np.where(SYMBOLS == 3, np.nan, SYMBOLS)),
        (CategoricalHMM(2, random_state=0), SYMBOLS * 0),
        (CategoricalHMM(3, random_state=0), np.column_stack([SYMBOLS, SYMBOLS % 2])),
        (CategoricalHMM(2, n_features=9, random_state=0), SYMBOLS),
        (CategoricalHMM(30, random_state=0), SYMBOLS),
        (PoissonHMM(2, random_state=0), np.where(COUNTS == 3, np.nan, COUNTS)),
        (PoissonHMM(2, random_state=0), COUNTS * 0),
        (PoissonHMM(2, random_state=0), COUNTS * 10**12),
        (PoissonHMM(12, random_state=0), COUNTS),
        (PoissonHMM(2, random_state=0), np.column_stack([COUNTS, COUNTS[::-1]])),
        (MultinomialHMM(2, random_state=0), np.where(TRIALS == 3, np.nan, TRIALS)),
        (MultinomialHMM(2, random_state=0), TRIALS * 0),
        (MultinomialHMM(2, random_state=0), TRIALS[:, :1]),
        (MultinomialHMM(2, random_state=0), np.column_stack([TRIALS, np.zeros(120)])),
    ],
)
def test_odd_counts_and_symbols_give_sound_fits(hmm, x):
    _sound(hmm, x)


@pytest.mark.parametrize(
    ("hmm", "x", "message"),
    [
        (CategoricalHMM(2), SYMBOLS - 1, "Row 1, column 0 is -1.*Categorical expects symbols 0, 1, 2"),
        (CategoricalHMM(2), SYMBOLS + 0.5, "Categorical expects symbols"),
        (CategoricalHMM(2), SYMBOLS + 10**6, "fewer than 100000 symbols unless n_symbols"),
        (CategoricalHMM(2, n_features=3), SYMBOLS, "Categorical expects symbols 0 to 2"),
        (PoissonHMM(2), COUNTS - 30, "Poisson expects whole numbers from 0"),
        (PoissonHMM(2), COUNTS + 0.5, "Poisson expects whole numbers from 0"),
        (MultinomialHMM(2), TRIALS - 1, "Multinomial expects whole numbers from 0"),
        (MultinomialHMM(2), TRIALS + 0.5, "Multinomial expects whole numbers from 0"),
    ],
)
def test_counts_and_symbols_outside_the_support_are_told(hmm, x, message):
    with pytest.raises(ValueError, match=message):
        hmm.fit(x)


def test_a_symbol_that_the_fit_has_not_seen_is_told():
    hmm = CategoricalHMM(2, random_state=0).fit(SYMBOLS)
    with pytest.raises(ValueError, match="Row 1, column 0 is symbol 9, but the fit knows symbols 0 to 3"):
        hmm.score([[0], [9]])


def test_a_row_that_no_state_can_emit_has_probability_zero():
    hmm = CategoricalHMM(2)
    hmm.startprob_, hmm.transmat_ = [0.5, 0.5], [[0.5, 0.5], [0.5, 0.5]]
    hmm.emissionprob_ = [[0.4, 0.6, 0.0], [0.6, 0.4, 0.0]]
    assert hmm.score([[0], [2], [1]]) == -np.inf
    assert hmm.decode([[0], [2], [1]])[0] == -np.inf


def test_a_state_that_nobody_visits_keeps_its_place():
    hmm = GaussianHMM(3, init_params="", random_state=0)
    hmm.startprob_, hmm.transmat_ = [0.5, 0.5, 0.0], [[0.9, 0.1, 0.0], [0.1, 0.9, 0.0], [0.2, 0.3, 0.5]]
    hmm.means_, hmm.covars_ = [[0.0, 0.0], [4.0, 4.0], [9.0, 9.0]], [[1.0, 1.0]] * 3
    _sound(hmm, X)
    np.testing.assert_array_equal(hmm.transmat_[2], [0.2, 0.3, 0.5])
    np.testing.assert_array_equal(hmm.means_[2], [9.0, 9.0])
    np.testing.assert_array_equal(hmm.predict_proba(X)[:, 2], 0)


@pytest.mark.parametrize("hmm", _gaussians(), ids=repr)
def test_a_column_without_a_seen_cell_is_named(hmm):
    with pytest.warns(DegenerateWarning, match="Column 1: no cell is seen there"):
        hmm.fit(np.column_stack([X[:, 0], np.full(120, np.nan)]))


def test_errors_of_a_state_that_nobody_visits_are_nan_and_it_is_named():
    hmm = GaussianHMM(3, init_params="", random_state=0)
    hmm.startprob_, hmm.transmat_ = [0.5, 0.5, 0.0], [[0.9, 0.1, 0.0], [0.1, 0.9, 0.0], [0.2, 0.3, 0.5]]
    hmm.means_, hmm.covars_ = [[0.0, 0.0], [4.0, 4.0], [9.0, 9.0]], [[1.0, 1.0]] * 3
    hmm.fit(X)
    with pytest.warns(DegenerateWarning, match=r"say nothing of .*emission.means\[2, 0\] and 1 more"):
        means = hmm.result_.standard_errors(X).emission.means
    assert np.isnan(means[2]).all()
    np.testing.assert_allclose(means[:2], 1 / np.sqrt(60), rtol=0.2)


def test_parameters_that_are_all_fixed_come_back_as_they_were():
    hmm = PoissonHMM(2, params="", init_params="")
    hmm.startprob_, hmm.transmat_, hmm.lambdas_ = [0.5, 0.5], [[0.9, 0.1], [0.1, 0.9]], [[3.0], [11.0]]
    before = hmm.score(COUNTS)
    assert _sound(hmm, COUNTS).score(COUNTS) == before
    assert hmm.lambdas_.tolist() == [[3.0], [11.0]]


def test_warnings_of_a_fit_are_of_the_own_kind():
    with pytest.warns(EmkitWarning) as caught:
        GaussianHMM(2, n_iter=2, random_state=0).fit(np.column_stack([X, np.ones(120)]))
    assert all(issubclass(warning.category, EmkitWarning) for warning in caught)


@pytest.mark.parametrize("hmm", [*_gaussians(), PoissonHMM(2)], ids=repr)
def test_the_largest_numbers_there_are_lead_to_an_error_of_the_own_kind(hmm):
    x = np.where(np.arange(40)[:, None] % 3 == 0, 1.7e308, [[-1.7e308]])
    with pytest.raises(ValueError, match=r"standard deviation|whole numbers"):
        hmm.fit(np.abs(x) if isinstance(hmm, PoissonHMM) else x)

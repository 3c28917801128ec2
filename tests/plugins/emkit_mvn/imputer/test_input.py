"""What NormalImputer answers to data that no textbook has: an answer, or one clear sentence."""

import warnings

import numpy as np
import pandas as pd
import pytest
from emkit_mvn.estimator import NormalImputer
from mvn_tables import AIRQUALITY, MISSVALS, SLEEP
from scipy import sparse

from emkit import Status
from emkit.errors import DegenerateWarning, EmkitWarning

FILLED = NormalImputer().fit_transform(AIRQUALITY)
FEW = np.where(np.random.default_rng(1).random((8, 12)) < 0.2, np.nan, np.random.default_rng(0).normal(size=(8, 12)))


@pytest.mark.parametrize(
    ("x", "kind", "message"),
    [
        (np.where(AIRQUALITY > 300, np.inf, AIRQUALITY), ValueError, "infinity.*row 3 of column 1"),
        (AIRQUALITY + 1j, ValueError, "Complex data not supported"),
        ([["a", "b"], ["c", "d"]], ValueError, "strings"),
        (pd.DataFrame({"a": [1.0, 2.0], "b": ["x", None]}), ValueError, "column 1 .'b'. holds strings"),
        ([[1.0, 2.0], [3.0]], ValueError, "ragged"),
        (np.empty((0, 2)), ValueError, r"0 sample\(s\)"),
        (np.empty((5, 0)), ValueError, r"0 feature\(s\)"),
        (AIRQUALITY[:, 0], ValueError, "Reshape your data"),
        (np.zeros((4, 2, 2)), ValueError, "dim 3"),
        (sparse.csr_matrix(np.eye(3)), TypeError, "[Ss]parse"),
        (np.full((5, 3), np.nan), ValueError, "no seen cell"),
        ([[None, None], [None, None]], ValueError, "no seen cell"),
    ],
    ids=[
        "inf",
        "complex",
        "strings",
        "column",
        "ragged",
        "no rows",
        "no columns",
        "1-D",
        "3-D",
        "sparse",
        "nan",
        "none",
    ],
)
def test_what_cannot_be_fitted_to_is_refused(x, kind, message):
    with pytest.raises(kind, match=message):
        NormalImputer().fit(x)


def test_infinity_is_refused_among_new_rows_as_well():
    imputer = NormalImputer().fit(AIRQUALITY)
    for method in (imputer.transform, imputer.sample, imputer.score_samples, imputer.conditional_std):
        with pytest.raises(ValueError, match="infinity"):
            method([[1, np.inf, 3, 4, 5, 6]])
        with pytest.raises(ValueError, match="X has 2 features, but NormalImputer is expecting 6"):
            method([[1, 2]])


@pytest.mark.parametrize("frame", [False, True])
def test_nan_beside_a_number_that_marks_gaps_is_an_error_that_says_where(frame):
    x = np.where(np.isnan(AIRQUALITY), -999, AIRQUALITY)
    x[7, 2] = np.nan
    x = pd.DataFrame(x).convert_dtypes() if frame else x
    with pytest.raises(ValueError, match=r"NaN: in row 7 of column 2.*missing_values=-999 that number alone"):
        NormalImputer(missing_values=-999).fit(x)


@pytest.mark.parametrize("marker", ["?", np.inf, True, [1], 1j, 10**400])
def test_what_marks_gaps_must_be_nan_or_a_number(marker):
    with pytest.raises(ValueError, match="missing_values must be NaN"):
        NormalImputer(missing_values=marker).fit(AIRQUALITY)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"covariance_type": "fulll"}, "covariance_type must be one of 'full'"),
        ({"prior": "rigde"}, "prior must be None, 'ridge'"),
        ({"floor": -1}, "floor must be"),
        ({"n_init": 0}, "n_init must be"),
        ({"max_iter": 0}, "max_iter"),
        ({"tol": -1}, "tol"),
        ({"accelerate": "warp"}, "accelerate"),
        ({"random_state": -1}, "random_state"),
    ],
    ids=lambda setting: next(iter(setting)) if isinstance(setting, dict) else "",
)
def test_settings_that_cannot_be_are_refused_by_their_name(settings, message):
    with pytest.raises((ValueError, TypeError), match=message):
        NormalImputer(**settings).fit(AIRQUALITY)


@pytest.mark.parametrize("n", [0, -1, 2.5, "3"])
def test_a_number_of_draws_that_cannot_be_is_refused(n):
    with pytest.raises(ValueError, match="n must be a whole number"):
        NormalImputer().fit(AIRQUALITY).sample(AIRQUALITY, n)


@pytest.mark.parametrize("weights", [np.zeros(153), -np.ones(153), np.ones(5), np.full(153, np.nan)])
def test_weights_that_cannot_be_are_refused(weights):
    with pytest.raises(ValueError, match="weight"):
        NormalImputer().fit(AIRQUALITY, sample_weight=weights)


def test_an_exactly_collinear_table_fits_on_the_floor_and_says_so():
    """Sleep of mammals: non-dreaming and dreaming sleep add up to all sleep; EM without a floor breaks down."""
    with pytest.warns(DegenerateWarning, match="NormalImputer: covariance rests on its eigenvalue floor"):
        imputer = NormalImputer().fit(SLEEP)
    assert imputer.converged_
    filled = imputer.transform(SLEEP)
    assert np.isfinite(filled).all()
    seen = ~np.isnan(SLEEP)
    np.testing.assert_array_equal(filled[seen], SLEEP[seen])


def test_a_gap_that_collinear_columns_determine_is_filled_with_what_they_say():
    x = np.column_stack([AIRQUALITY, 2 * AIRQUALITY[:, 0] + 1])
    x[0, 0], x[1, 6] = np.nan, np.nan
    with pytest.warns(DegenerateWarning, match="floor"):
        filled = NormalImputer().fit_transform(x)
    assert filled[0, 0] == pytest.approx(AIRQUALITY[0, 0], rel=1e-6)
    assert filled[1, 6] == pytest.approx(2 * AIRQUALITY[1, 0] + 1, rel=1e-6)


@pytest.mark.parametrize("value", [7.0, 0.0, -1e-90, 1e150])
def test_a_constant_column_is_filled_with_its_constant_and_disturbs_nobody(value):
    x = np.column_stack([AIRQUALITY, np.full(153, value)])
    x[3, 6] = np.nan
    with pytest.warns(DegenerateWarning, match="floor"):
        filled = NormalImputer().fit_transform(x)
    assert filled[3, 6] == pytest.approx(value, rel=1e-12, abs=1e-300)
    np.testing.assert_allclose(filled[:, :6], FILLED, rtol=1e-5)


def test_fewer_rows_than_columns_need_a_floor_or_a_prior():
    with pytest.warns(DegenerateWarning, match="floor"):
        on_floor = NormalImputer().fit(FEW)
    assert np.isfinite(on_floor.transform(FEW)).all()
    # With filterwarnings = error this says that a prior needs no warning.
    with_prior = NormalImputer(prior="ridge").fit(FEW)
    assert with_prior.result_.status is Status.CONVERGED
    assert np.linalg.eigvalsh(with_prior.covariance_)[0] > 1e-4


@pytest.mark.parametrize("x", [[[1.0, 2.0, 3.0]], [[1.0, 2.0], [1.0, 2.0]], [[1.0, np.nan], [np.nan, 2.0]]])
def test_one_row_or_equal_rows_are_a_mean_on_the_floor(x):
    with pytest.warns(DegenerateWarning, match="floor"):
        imputer = NormalImputer().fit(x)
    (filled,) = imputer.transform(np.full((1, len(x[0])), np.nan))
    np.testing.assert_allclose(filled, np.nanmean(x, axis=0))


@pytest.mark.parametrize("factor", [1e-150, 1e-8, 1e8, 1e150])
@pytest.mark.parametrize("columns", [[0], [1, 3], slice(None)])
def test_other_units_give_the_same_answer_in_them(factor, columns):
    unit = np.ones(6)
    unit[columns] = factor
    filled = NormalImputer().fit_transform(AIRQUALITY * unit)
    np.testing.assert_allclose(filled / unit, FILLED, rtol=1e-9)


@pytest.mark.parametrize("factor", [1e-300, 1e200, 1e300])
def test_the_column_whose_variance_is_no_float_is_named(factor):
    with pytest.raises(ValueError, match=r"Column 1 has a standard deviation of .*other units"):
        NormalImputer().fit(AIRQUALITY * np.array([1, factor, 1, 1, 1, 1]))


@pytest.mark.parametrize("shift", [1e4, 1e8])
def test_data_far_from_zero_give_the_shifted_answer(shift):
    filled = NormalImputer().fit_transform(AIRQUALITY + shift)
    np.testing.assert_allclose(filled - shift, FILLED, atol=1e-12 * shift if shift < 1e8 else 1e-6)


def test_a_far_row_is_filled_with_finite_numbers_and_has_no_density():
    imputer = NormalImputer().fit(AIRQUALITY)
    row = [[np.nan, np.nan, 1e200, 60, 5, 5]]
    assert np.isfinite(imputer.transform(row)).all()
    assert imputer.score_samples(row)[0] == -np.inf


def test_columns_almost_determined_by_others_keep_their_digits():
    """The maximum of the cement data (Little and Rubin 2002, p. 154), with correlations of smallest eigenvalue 5e-5."""
    imputer = NormalImputer(tol=1e-12).fit(MISSVALS)
    np.testing.assert_allclose(imputer.mean_[:2], [6.655165846, 49.9652591199], rtol=1e-8)
    assert imputer.covariance_[1, 3] == pytest.approx(-252.0723121769, rel=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "int64", "int8", "bool", ">f8", "longdouble", "object"])
def test_every_kind_of_number_is_computed_in_double_precision(dtype):
    whole = (AIRQUALITY[:, 2:] > 9 if dtype == "bool" else np.round(AIRQUALITY[:, 2:])).astype(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateWarning)  # as truth values months and days hardly differ
        found = NormalImputer().fit(whole)
        expected = NormalImputer().fit(whole.astype(np.float64))
    np.testing.assert_array_equal(found.covariance_, expected.covariance_)


def test_data_are_not_touched():
    x = AIRQUALITY.copy()
    x.setflags(write=False)
    imputer = NormalImputer(min_value=0, add_indicator=True, random_state=0).fit(x, sample_weight=np.ones(153))
    imputer.transform(x)
    imputer.sample(x)
    imputer.conditional_std(x)
    np.testing.assert_array_equal(x, AIRQUALITY)


def test_column_names_are_compared_and_duplicates_told_apart_by_position():
    frame = pd.DataFrame(AIRQUALITY, columns=["a", "b", "c", "d", "e", "f"])
    imputer = NormalImputer().fit(frame)
    with pytest.raises(ValueError, match="same order"):
        imputer.transform(frame[["b", "a", "c", "d", "e", "f"]])
    twice = pd.DataFrame(AIRQUALITY, columns=["a", "a", "c", "d", "e", "f"])
    with pytest.warns(EmkitWarning, match="several columns named 'a'"):
        NormalImputer().fit(twice)

"""Columns that come in and columns that come out, and the way back."""

import warnings

import numpy as np
import pytest
from emkit_mvn.estimator import NormalImputer
from mvn_tables import (
    AIRQUALITY,
    AIRQUALITY_FRAME,
    AIRQUALITY_NAMES,
)
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer

from emkit.errors import NotFittedError


@pytest.mark.filterwarnings("ignore:.*without any observed values", "ignore:.*Early stopping")
@pytest.mark.parametrize("add_indicator", [False, True])
@pytest.mark.parametrize("keep_empty_features", [False, True])
def test_columns_and_their_names_are_those_of_scikit_learn(keep_empty_features, add_indicator):
    # Of a frame of floats alone scikit-learn gets an array that it cannot write to, which it tries.
    frame = AIRQUALITY_FRAME.astype({"day": int}).assign(nothing=np.nan)[["nothing", *AIRQUALITY_NAMES]]
    later = frame.iloc[:9].copy()
    later.iloc[0, 0], later.iloc[1, 4] = 7.5, np.nan  # a first value of "nothing", a gap where there was none
    settings = {"keep_empty_features": keep_empty_features, "add_indicator": add_indicator}
    ours, theirs = (
        cls(**settings).set_output(transform="pandas").fit(frame) for cls in (NormalImputer, IterativeImputer)
    )
    found, expected = ours.transform(later), theirs.transform(later)
    assert list(found.columns) == list(expected.columns)
    assert list(ours.get_feature_names_out()) == list(theirs.get_feature_names_out())
    assert found.shape == expected.shape
    for name in set(found.columns) & set(AIRQUALITY_NAMES):
        kept = later[name].notna()
        np.testing.assert_array_equal(found[name][kept], later[name][kept])
    for name in set(found.columns) - set(AIRQUALITY_NAMES):
        np.testing.assert_array_equal(found[name], expected[name])
    if add_indicator:
        np.testing.assert_array_equal(ours.indicator_.features_, theirs.indicator_.features_)
    else:
        assert ours.indicator_ is theirs.indicator_ is None


def test_what_is_seen_later_in_a_column_that_was_empty_has_no_influence():
    x = np.insert(AIRQUALITY, 2, np.nan, axis=1)
    imputer = NormalImputer(keep_empty_features=True).fit(x)
    expected = NormalImputer().fit_transform(AIRQUALITY)
    x[:, 2] = 1e6
    np.testing.assert_array_equal(np.delete(imputer.transform(x), 2, axis=1), expected)
    assert np.isnan(imputer.mean_[2])
    assert np.isnan(imputer.covariance_[2]).all()
    np.testing.assert_array_equal(imputer.seen_features_, [0, 1, 3, 4, 5, 6])
    x[3, 2] = np.nan
    assert np.isnan(imputer.conditional_std(x)[:, 2]).sum() == 1


@pytest.mark.parametrize(("marker", "gap"), [(np.nan, np.nan), (None, np.nan), (-999, -999.0)])
@pytest.mark.parametrize("keep_empty_features", [False, True])
def test_the_inverse_transform_brings_the_gaps_back(marker, gap, keep_empty_features):
    x = np.insert(AIRQUALITY, 3, np.nan, axis=1)
    x[np.isnan(x)] = gap
    imputer = NormalImputer(missing_values=marker, add_indicator=True, keep_empty_features=keep_empty_features)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*without any observed values")
        transformed = imputer.fit_transform(x)
    np.testing.assert_array_equal(imputer.inverse_transform(transformed), x)
    with pytest.raises(ValueError, match=r"X has 6 columns, but transform gives \d+"):
        imputer.inverse_transform(transformed[:, :6])


def test_gaps_without_an_indicator_stay_filled_and_without_any_there_is_no_way_back():
    imputer = NormalImputer(add_indicator=True).fit(AIRQUALITY)
    row = np.array([[np.nan, 118, 8, np.nan, 5, 2]])
    back = imputer.inverse_transform(imputer.transform(row))
    np.testing.assert_array_equal(np.isnan(back), [[True, False, False, False, False, False]])
    without = NormalImputer().fit(AIRQUALITY)
    assert not hasattr(without, "inverse_transform")
    with pytest.raises(AttributeError, match="add_indicator=True"):
        without.inverse_transform(AIRQUALITY[:1])
    with pytest.raises(ValueError, match="fit again"):
        without.set_params(add_indicator=True).inverse_transform(AIRQUALITY[:1])


def test_before_a_fit_there_are_no_names_and_no_way_back():
    with pytest.raises(NotFittedError, match="not fitted yet"):
        NormalImputer().get_feature_names_out()
    with pytest.raises(NotFittedError, match="not fitted yet"):
        NormalImputer(add_indicator=True).inverse_transform(AIRQUALITY)

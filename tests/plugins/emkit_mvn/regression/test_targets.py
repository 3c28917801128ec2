"""What a regression predicts: checked on the way in, scored on the way out."""

import numpy as np
import pandas as pd
import pytest
from emkit_mvn.regression.estimator import NormalRegression
from emkit_mvn.regression.targets import r_squared
from sklearn.metrics import r2_score


def test_without_a_target_there_is_no_score():
    x, y = np.arange(5.0)[:, None], np.array([1.0, 3.0, 2.0, 5.0, 4.0])
    fit = NormalRegression().fit(x, y)
    y[1:] = np.nan
    with pytest.raises(ValueError, match="No target is seen"):
        fit.score(x, y, np.arange(len(y)))


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([[1.0], [2.0]], None, "requires y to be passed"),
        ([[1.0], [2.0]], [1.0], "inconsistent numbers of samples: X has 2, y has 1"),
        ([[1.0], [np.inf]], [1.0, 2.0], "X contains infinity"),
        ([[1.0], [2.0]], [1.0, np.inf], "y contains infinity"),
        (
            [[1.0, np.nan], [2.0, np.nan]],
            [1.0, 2.0],
            "Column 1 of X has no seen cell in rows of positive weight: leave it out",
        ),
        ([[1.0], [2.0]], [np.nan, np.nan], "Column y has no seen cell"),
        ([[1.0], [2.0]], [["a"], ["b"]], "y holds strings"),
    ],
)
def test_what_cannot_be_fitted_is_refused(x, y, message):
    with pytest.raises(ValueError, match=message):
        NormalRegression().fit(x, y)


def test_one_row_that_counts_is_not_enough():
    x, y = np.arange(5.0)[:, None], np.array([1.0, 3.0, 2.0, 5.0, 4.0])
    with pytest.raises(ValueError, match="Found 1 sample of positive weight, while a minimum of 2 is required"):
        NormalRegression().fit(x, y, [0, 1, 0, 0, 0])


def test_columns_without_a_cell_have_the_names_of_the_frame():
    frame = pd.DataFrame({"a": [1.0, 2.0, 4.0], "b": np.nan, "c": np.nan})
    with pytest.raises(ValueError, match=r"Columns 'b' of X, 'c' of X have no seen cell .*: leave them out"):
        NormalRegression().fit(frame, [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="Columns 0 of X, 1 of y have no seen cell"):
        NormalRegression().fit([[np.nan], [np.nan]], [[1.0, np.nan], [2.0, np.nan]])


@pytest.mark.parametrize("missing", [None, pd.NA, np.nan])
def test_any_sign_of_a_missing_target_is_understood(missing):
    x = np.arange(6.0)[:, None]
    y = [1.0, 3.0, missing, 5.0, 4.0, 7.0]
    expected = NormalRegression().fit(x, [1.0, 3.0, np.nan, 5.0, 4.0, 7.0]).coef_
    containers = (y, np.array(y, dtype=object), pd.Series(y, dtype="Float64"), [[value] for value in y])
    for container in containers:
        np.testing.assert_array_equal(NormalRegression().fit(x, container).coef_.ravel(), expected)


@pytest.mark.parametrize("factor", [1e160, 1e300, 1e-200])
def test_a_score_does_not_depend_on_units(factor):
    target, prediction = np.array([1.0, 3.0, 2.0, 5.0]), np.array([1.5, 2.0, 2.5, 4.0])
    expected = r2_score(target, prediction)
    assert r_squared(target * factor, prediction * factor, np.ones(4)) == pytest.approx(expected, rel=1e-12)


def test_a_constant_target_is_predicted_exactly_or_not_at_all():
    target, shares = np.full(3, 2.0), np.ones(3)
    assert r_squared(target, target, shares) == 1
    assert r_squared(target, target + 1e-9, shares) == 0
    assert r_squared(np.array([1.0, 2.0]), np.array([1e200, 0.0]), np.ones(2)) < -1e300


@pytest.mark.parametrize(("fitted", "given"), [(1, 2), (3, 1)])
def test_a_score_needs_the_targets_of_the_fit(fitted, given):
    x, y = np.random.default_rng(0).standard_normal((20, 2)), np.random.default_rng(1).standard_normal((20, 3))
    with pytest.raises(ValueError, match=f"y has {given} targets, but NormalRegression was fitted to {fitted}"):
        NormalRegression().fit(x, y[:, :fitted]).score(x, y[:, :given])

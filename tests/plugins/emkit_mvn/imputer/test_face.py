"""How an imputer is fitted, and what it says of that."""

import attrs
import numpy as np
import pandas as pd
import pytest
from emkit_mvn import MultivariateNormal, fitting
from emkit_mvn.estimator import NormalImputer
from emkit_mvn.kernels.rows import IncompleteRows
from mvn_tables import (
    AIRQUALITY,
    AIRQUALITY_FRAME,
    AIRQUALITY_NAMES,
    NHANES,
)
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

import emkit
from emkit import errors

NEVER_TOGETHER = np.array([[1, np.nan, 2.2, np.nan], [2, np.nan, 1, np.nan], [4, np.nan, 5, np.nan]] * 3)
NEVER_TOGETHER = np.vstack([NEVER_TOGETHER, [[np.nan, np.nan, 1, 5], [np.nan, np.nan, 2, 7], [np.nan, np.nan, 4, 7.5]]])


def test_a_weight_counts_a_row_so_often_and_zero_leaves_it_out():
    counts = np.arange(153) % 3
    weighted = NormalImputer(tol=1e-10, add_indicator=True).fit(AIRQUALITY, sample_weight=counts)
    repeated = NormalImputer(tol=1e-10, add_indicator=True).fit(np.repeat(AIRQUALITY, counts, axis=0))
    np.testing.assert_allclose(weighted.covariance_, repeated.covariance_, rtol=1e-6)
    # Whether a column has gaps or is empty is for the rows that count to say as well.
    x = np.column_stack([AIRQUALITY, np.full(153, np.nan)])
    x[0, 6], x[1, 3] = 1.0, np.nan
    counts = np.r_[0, 0, np.ones(151)]
    with pytest.warns(errors.EmkitWarning, match=r"without any observed values: \[6\]"):
        found = NormalImputer(add_indicator=True).fit(x, sample_weight=counts)
    np.testing.assert_array_equal(found.indicator_.features_, [0, 1, 6])
    assert found.n_features_with_missing_ == 3
    assert found.transform(x).shape == (153, 9)


def test_weights_reach_the_fit_through_fit_transform_and_pipelines():
    weights = np.linspace(0, 2, 153)
    expected = NormalImputer().fit(AIRQUALITY, sample_weight=weights).transform(AIRQUALITY)
    found = NormalImputer().fit_transform(AIRQUALITY, sample_weight=weights)
    np.testing.assert_array_equal(found, expected)
    pipeline = make_pipeline(NormalImputer(), LinearRegression())
    pipeline.fit(AIRQUALITY, AIRQUALITY[:, 3], normalimputer__sample_weight=weights)
    np.testing.assert_array_equal(pipeline[0].transform(AIRQUALITY), expected)


@pytest.mark.parametrize("names", [None, ["a", "b", "c", "d"]])
def test_columns_never_seen_together_are_named_as_the_user_knows_them(names):
    x = NEVER_TOGETHER if names is None else pd.DataFrame(NEVER_TOGETHER, columns=names)
    expected = "columns 0 and 3 together" if names is None else "columns 'a' and 'd' together"
    with pytest.warns(errors.EmkitWarning) as caught:
        imputer = NormalImputer().fit(x)
    assert sum(expected in str(warning.message) for warning in caught) == 1
    assert any(expected in note for note in imputer.result_.notes)


def test_the_empty_columns_are_named():
    frame = AIRQUALITY_FRAME.assign(empty=np.nan)
    with pytest.warns(errors.EmkitWarning, match=r"without any observed values: \['empty'\]") as caught:
        NormalImputer().fit(frame)
    assert caught[0].filename == __file__
    NormalImputer(keep_empty_features=True).fit(frame)


def test_data_of_more_rows_than_a_leaf_are_cut_first_and_give_the_same_fit(monkeypatch):
    prepared = []

    def spy(model, data, **settings):
        prepared.append(isinstance(data, IncompleteRows))
        return emkit.fit(model, data, **settings)

    monkeypatch.setattr(fitting, "fit", spy)
    whole = NormalImputer(tol=1e-10).fit(AIRQUALITY)
    monkeypatch.setattr(MultivariateNormal, "leaf_rows", 40)
    cut = NormalImputer(tol=1e-10).fit(AIRQUALITY, sample_weight=np.ones(153))
    np.testing.assert_allclose(cut.covariance_, whole.covariance_, rtol=1e-6)
    assert prepared == [True, False]


def test_a_fall_of_the_objective_keeps_the_best_point_and_warns(monkeypatch):
    best = emkit.fit(MultivariateNormal(), AIRQUALITY)

    def falling(*_, **__):
        msg = "It fell."
        raise errors.LikelihoodDecreasedError(msg, attrs.evolve(best, status=emkit.Status.DECREASED))

    monkeypatch.setattr(fitting, "fit", falling)
    with pytest.warns(errors.LikelihoodDecreasedWarning, match="NormalImputer"):
        imputer = NormalImputer().fit(AIRQUALITY)
    np.testing.assert_array_equal(imputer.mean_, best.params.mean)
    assert not imputer.converged_


def test_a_fit_cut_short_warns_at_the_line_of_the_user():
    with pytest.warns(errors.ConvergenceWarning, match="NormalImputer: .*max_iter") as caught:
        imputer = NormalImputer(max_iter=2).fit(NHANES)
    assert caught[0].filename == __file__
    assert not imputer.converged_


def test_a_fit_that_fails_leaves_the_last_one():
    imputer = NormalImputer().fit(AIRQUALITY_FRAME)
    before = imputer.transform(AIRQUALITY_FRAME)
    with pytest.raises(ValueError, match="no seen cell"):
        imputer.fit(np.full((4, 2), np.nan))
    np.testing.assert_array_equal(imputer.transform(AIRQUALITY_FRAME), before)
    assert list(imputer.feature_names_in_) == AIRQUALITY_NAMES


def test_verbose_shows_progress(capsys):
    NormalImputer(verbose=1).fit(AIRQUALITY)
    assert "objective" in capsys.readouterr().err

"""Completed tables: a sequence in the container of the data, and of other rows."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from emkit_mvn import MultivariateNormal
from emkit_mvn.multiple.imputation import multiple_imputation
from mvn_tables import AIRQUALITY, EMPLOYEE
from scipy import stats


@pytest.mark.parametrize("method", ["augmentation", "bootstrap"])
def test_seen_cells_are_as_they_were_to_the_last_bit_and_gaps_are_filled(method):
    x = np.vstack([EMPLOYEE * [1e-5, 1, np.pi], np.full(3, np.nan)])
    before = x.copy()
    for table in multiple_imputation(x, 3, method=method, random_state=0):
        assert np.isfinite(table).all()
        np.testing.assert_array_equal(table[~np.isnan(x)], x[~np.isnan(x)])
    np.testing.assert_array_equal(x, before)


def test_it_is_a_sequence_whose_tables_never_change():
    x = EMPLOYEE.copy()
    imputations = multiple_imputation(x, 4, random_state=0)
    first = imputations[0]
    x[:] = 0
    np.testing.assert_array_equal(imputations[0], first)
    np.testing.assert_array_equal(imputations[-4], first)
    assert len(imputations) == len(list(imputations)) == len(imputations.params) == 4
    assert [table.tolist() for table in imputations[1:3]] == [imputations[1].tolist(), imputations[2].tolist()]
    with pytest.raises(IndexError):
        imputations[4]
    assert "4 tables of 20 x 3 with 13 gaps filled" in repr(imputations)


def test_pandas_frames_keep_index_names_and_the_types_of_columns_without_gaps():
    frame = pd.DataFrame(EMPLOYEE.copy(), columns=["iq", "wellbeing", "performance"], index=np.arange(20) * 3)
    frame["iq"] = frame["iq"].astype(int)
    imputations = multiple_imputation(frame, 2, random_state=0)
    array = multiple_imputation(EMPLOYEE, 2, random_state=0)[1]
    frame.iloc[0] = 0
    table = imputations[1]
    assert table.dtypes.tolist() == [np.dtype(int), np.dtype(float), np.dtype(float)]
    assert (table.index == frame.index).all()
    assert list(table.columns) == list(frame.columns)
    np.testing.assert_array_equal(table.to_numpy(), array)


def test_polars_frames_stay_polars_frames():
    frame = pl.DataFrame({"a": [1, 2, 4, 3, 7], "b": [1.5, None, 3.5, 2.0, 9.0]})
    table = multiple_imputation(frame, 2, random_state=0)[0]
    assert table.schema == frame.schema
    assert table["a"].to_list() == [1, 2, 4, 3, 7]
    assert table["b"].null_count() == 0


def test_bounds_hold_for_gaps_and_not_for_seen_cells():
    x = AIRQUALITY.copy()
    x[0, 0] = -1.0
    gaps = np.isnan(x)
    free = np.array([table[gaps] for table in multiple_imputation(x, 5, random_state=0)])
    assert free.min() < 0
    for table in multiple_imputation(x, 5, random_state=0, min_value=0.0, max_value=[150, 350, 99, 99, 99, 99]):
        assert table[gaps].min() >= 0
        assert table[:, 0][gaps[:, 0]].max() <= 150
        assert table[0, 0] == -1


def test_other_rows_are_imputed_once_under_each_of_the_params():
    imputations = multiple_imputation(AIRQUALITY, 300, random_state=0)
    new = np.array([[np.nan, 190.0, 7.4, 67.0, 5.0, 1.0], AIRQUALITY[1]])
    tables = imputations.impute(new, random_state=1)
    np.testing.assert_array_equal(tables, imputations.impute(new, random_state=1))
    assert (np.array(tables)[:, 1] == AIRQUALITY[1]).all()
    model = MultivariateNormal()
    expected = [model.posterior(params, new) for params in imputations.params]
    z = [(t[0, 0] - e.values[0, 0]) / np.sqrt(e.variances[0, 0]) for t, e in zip(tables, expected, strict=True)]
    assert stats.kstest(z, "norm").pvalue > 0.01


def test_other_rows_must_have_the_columns_of_the_data():
    frame = pd.DataFrame(EMPLOYEE, columns=["a", "b", "c"])
    imputations = multiple_imputation(frame, 2, random_state=0)
    tables = imputations.impute(frame[:3])
    assert [list(table.columns) for table in tables] == [["a", "b", "c"]] * 2
    assert frame.isna().to_numpy().sum() == 13
    assert (tables[0].to_numpy() != tables[1].to_numpy()).any()
    with pytest.raises(ValueError, match="in their order"):
        imputations.impute(frame[["b", "a", "c"]])
    with pytest.raises(ValueError, match="X has 2 features, but the data had 3"):
        imputations.impute(EMPLOYEE[:, :2])

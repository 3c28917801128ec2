"""What comes in from outside becomes float64 arrays, or an error that says what to do."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import sparse

from emkit.arrays import as_array, as_matrix, as_sample_weight, feature_names, read_only

NAN = float("nan")


def test_a_read_only_copy_cannot_be_written_to_and_does_not_follow_its_source():
    source = np.array([1.0, 2.0])
    copy = read_only(source)
    source[0] = 9.0
    assert copy.tolist() == [1.0, 2.0]
    with pytest.raises(ValueError, match="read-only"):
        copy[0] = 3.0


def test_a_read_only_copy_is_float64_whatever_it_was_made_from():
    assert read_only([1, 2]).dtype == np.float64
    assert read_only(3).shape == ()


def test_an_array_of_any_shape_is_copied_and_locked():
    source = np.arange(6.0).reshape(1, 2, 3)
    array = as_array(source, "means")
    np.testing.assert_array_equal(array, source)
    assert not array.flags.writeable
    assert not np.shares_memory(array, source)


@pytest.mark.parametrize(
    ("values", "kind", "message"),
    [
        ("abc", ValueError, "means holds strings"),
        ([[1], [1, 2]], ValueError, "means is ragged"),
        ([1j], ValueError, "means holds complex numbers"),
        ({}, TypeError, "means holds something else than numbers: .*dict"),
        ([[0, 1], [NAN, 2]], ValueError, r"means\[1, 0\] is nan; finite numbers are expected"),
        (None, ValueError, "means is nan"),
    ],
)
def test_an_array_that_holds_no_finite_numbers_is_refused_by_name(values, kind, message):
    with pytest.raises(kind, match=message):
        as_array(values, "means")


def test_a_float64_array_passes_without_a_copy():
    x = np.ones((3, 2))
    assert as_matrix(x) is x


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_read_only_array_of_either_order_passes_and_stays_as_it_is(order):
    x = np.array([[1.0, 2.0], [3.0, 4.0]], order=order)
    x.setflags(write=False)
    assert np.shares_memory(as_matrix(x), x)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint64, np.float16, np.float32, np.longdouble, ">f8", ">i4"])
def test_every_real_dtype_becomes_native_float64(dtype):
    matrix = as_matrix(np.array([[0, 1], [1, 0]], dtype=dtype))
    assert matrix.dtype == np.float64
    assert matrix.dtype.isnative
    assert matrix.tolist() == [[0.0, 1.0], [1.0, 0.0]]


def test_objects_that_are_numbers_are_read_and_none_is_missing():
    x = np.array([[1, Decimal("2.5")], [None, pd.NA]], dtype=object)
    np.testing.assert_array_equal(as_matrix(x, allow_nan=True), [[1.0, 2.5], [NAN, NAN]])


def test_values_near_the_ends_of_the_range_are_finite_although_their_sum_is_not():
    assert as_matrix(np.full((4, 2), 1e308)).max() == 1e308


@pytest.mark.parametrize("shape", [(), (3,)])
def test_data_of_fewer_than_two_axes_are_to_be_reshaped(shape):
    with pytest.raises(ValueError, match="Reshape your data"):
        as_matrix(np.ones(shape))


def test_data_of_three_axes_are_refused():
    with pytest.raises(ValueError, match=r"dim 3 \(shape=\(2, 2, 2\)\), while dim 2 is required by Toy"):
        as_matrix(np.ones((2, 2, 2)), estimator="Toy")


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((0, 3), r"Found array with 0 sample\(s\) \(shape=\(0, 3\)\) while a minimum of 1 is required"),
        ((3, 0), r"Found array with 0 feature\(s\) \(shape=\(3, 0\)\) while a minimum of 1 is required"),
    ],
)
def test_empty_data_are_refused_with_their_shape(shape, message):
    with pytest.raises(ValueError, match=message):
        as_matrix(np.empty(shape))


def test_the_smallest_numbers_of_rows_and_columns_can_be_asked_for():
    with pytest.raises(ValueError, match=r"1 sample\(s\) .* minimum of 2 is required by Toy"):
        as_matrix([[1.0]], min_samples=2, estimator="Toy")
    with pytest.raises(ValueError, match=r"1 feature\(s\) .* minimum of 2"):
        as_matrix([[1.0]], min_features=2)


def test_a_missing_entry_is_named_by_row_and_column():
    x = np.ones((5, 3))
    x[3, 1] = x[4, 0] = NAN
    with pytest.raises(ValueError, match="Input X contains NaN: 2 entries, the first in row 3 of column 1"):
        as_matrix(x)


def test_a_missing_entry_of_a_frame_is_named_by_the_name_of_its_column():
    frame = pd.DataFrame({"age": [1.0, 2.0], "height": [1.0, NAN]})
    with pytest.raises(ValueError, match=r"in row 1 of column 1 \('height'\)"):
        as_matrix(frame)


def test_a_column_that_is_called_by_its_number_is_named_once():
    with pytest.raises(ValueError, match=r"in row 0 of column 1\. Missing"):
        as_matrix(pd.DataFrame([[1.0, NAN]]))


def test_the_message_about_a_missing_entry_says_what_to_do():
    with pytest.raises(ValueError, match=r"not accepted by Toy; the NormalImputer of emkit_mvn accepts NaN\.$"):
        as_matrix([[NAN]], estimator="Toy", nan_hint="the NormalImputer of emkit_mvn accepts NaN.")


@pytest.mark.parametrize("allow_nan", [True, False])
def test_infinity_is_refused_even_where_missing_entries_are_not(allow_nan):
    with pytest.raises(ValueError, match=r"contains infinity .* in row 1 of column 0"):
        as_matrix([[NAN if allow_nan else 0.0], [-np.inf]], allow_nan=allow_nan)


def test_a_long_double_beyond_the_range_counts_as_infinite():
    if np.finfo(np.longdouble).max == np.finfo(np.float64).max:
        pytest.skip("long double is double here")
    with pytest.raises(ValueError, match="too large for dtype"):
        as_matrix(np.array([[np.finfo(np.longdouble).max]]))


@pytest.mark.parametrize("dtype", [float, int, object])
def test_a_masked_entry_is_missing_and_never_read(dtype):
    x = np.ma.masked_array(np.array([[1, 9999], [2, 3]], dtype=dtype), mask=[[False, True], [False, False]])
    with pytest.raises(ValueError, match="contains NaN: in row 0 of column 1"):
        as_matrix(x)
    np.testing.assert_array_equal(as_matrix(x, allow_nan=True), [[1.0, NAN], [2.0, 3.0]])
    assert x.data[0, 1] == 9999


def test_masked_rows_in_a_list_keep_their_masks():
    rows = [np.ma.masked_array([1.0, 9999.0], mask=[False, True]), [2.0, 3.0]]
    np.testing.assert_array_equal(as_matrix(rows, allow_nan=True), [[1.0, NAN], [2.0, 3.0]])


@pytest.mark.parametrize("container", [sparse.csr_array, sparse.coo_matrix])
def test_sparse_data_are_to_be_made_dense(container):
    with pytest.raises(TypeError, match=r"Sparse data was passed for X.*toarray"):
        as_matrix(container(np.eye(2)))


def test_a_numpy_matrix_is_refused():
    with pytest.raises(TypeError, match=r"numpy\.matrix"):
        as_matrix(np.eye(2).view(np.matrix))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.ones((2, 2)) * 1j, "Complex data not supported"),
        (np.array([[1j, 2]], dtype=object), "Complex data not supported"),
        (np.array([["1.5", "2"]]), "holds strings"),
        (np.array([[1.0, "1.5"]], dtype=object), "holds strings, the first at row 0, column 1"),
        (np.array([["2020-01-01"]], dtype="datetime64[D]"), "holds dates"),
        (np.array([[1]], dtype="timedelta64[s]"), "holds time differences"),
        (np.zeros((2, 2), dtype=[("a", float)]), "holds records"),
        ([[1.0, 2.0], [3.0]], "ragged"),
    ],
)
def test_entries_that_are_no_real_numbers_are_refused(x, message):
    with pytest.raises(ValueError, match=message):
        as_matrix(x)


@pytest.mark.parametrize("value", [{"foo": "bar"}, [1.0], datetime(2020, 1, 1)])
def test_objects_that_are_no_numbers_are_named_with_their_place(value):
    x = np.array([[1.0, None]], dtype=object)
    x[0, 1] = value
    with pytest.raises(TypeError, match=r"row 0, column 1.*argument must be a string or a (real )?number"):
        as_matrix(x)


def test_a_frame_of_numbers_is_read_and_not_written_to():
    frame = pd.DataFrame({"a": [1, 2], "b": [0.5, NAN], "c": [True, False]})
    before = frame.copy()
    np.testing.assert_array_equal(as_matrix(frame, allow_nan=True), [[1, 0.5, 1], [2, NAN, 0]])
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "boolean", "double[pyarrow]", "int64[pyarrow]", "bool[pyarrow]"])
def test_missing_values_of_the_nullable_dtypes_of_pandas_become_nan(dtype):
    frame = pd.DataFrame({"a": pd.Series([1, None], dtype=dtype), "b": [2.0, 3.0]})
    np.testing.assert_array_equal(as_matrix(frame, allow_nan=True), [[1.0, 2.0], [NAN, 3.0]])


def test_columns_of_objects_and_sparse_columns_of_pandas_are_read():
    frame = pd.DataFrame({"a": pd.Series([Decimal("1.5"), None], dtype=object), "b": pd.arrays.SparseArray([0, 2])})
    np.testing.assert_array_equal(as_matrix(frame, allow_nan=True), [[1.5, 0.0], [NAN, 2.0]])


def test_nulls_of_polars_become_nan():
    frame = pl.DataFrame({"i": [1, None], "f": [None, 0.5], "b": [True, None], "n": [None, None]})
    expected = [[1.0, NAN, 1.0, NAN], [NAN, 0.5, NAN, NAN]]
    np.testing.assert_array_equal(as_matrix(frame, allow_nan=True), expected)


@pytest.mark.parametrize("of_batches", [False, True])
def test_nulls_of_arrow_become_nan(of_batches):
    table = pa.table({"i": [1, None], "d": pa.array([None, Decimal("0.50")], pa.decimal128(5, 2)), "b": [True, None]})
    x = table.to_batches()[0] if of_batches else table
    np.testing.assert_array_equal(as_matrix(x, allow_nan=True), [[1.0, NAN, 1.0], [NAN, 0.5, NAN]])


@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame, pa.table])
def test_columns_that_hold_no_numbers_are_all_named(library):
    frame = library({"age": [1.0], "city": ["Oslo"], "when": [datetime(2020, 1, 1)]})
    with pytest.raises(ValueError, match=r"column 1 \('city'\) holds strings.*column 2 \('when'\) holds dates"):
        as_matrix(frame)


def test_categories_are_refused_even_if_they_are_numbers():
    with pytest.raises(ValueError, match=r"column 0 \('a'\) holds categories"):
        as_matrix(pd.DataFrame({"a": pd.Categorical([1, 2])}))


def test_complex_columns_are_refused():
    with pytest.raises(ValueError, match=r"Complex data not supported.*'a'"):
        as_matrix(pd.DataFrame({"a": [1j]}))


@pytest.mark.parametrize(
    "column",
    [
        pl.Series([{"x": 1.0, "y": 2.0}, {"x": 3.0, "y": 4.0}]),
        pl.Series([[1.0, 2.0], [3.0, 4.0]], dtype=pl.Array(pl.Float64, 2)),
    ],
    ids=["struct", "array"],
)
def test_a_column_of_several_values_a_row_is_not_taken_for_several_columns(column):
    with pytest.raises(ValueError, match=r"column 1 \('pairs'\) holds several values in each row"):
        as_matrix(pl.DataFrame({"a": [1.0, 2.0], "pairs": column}))


def test_an_object_in_a_column_is_named_with_the_column():
    with pytest.raises(TypeError, match=r"column 0 \('a'\) .* row 1: .*not 'dict'"):
        as_matrix(pd.DataFrame({"a": [1.0, {}]}))


@pytest.mark.parametrize("frame", [pd.DataFrame(), pl.DataFrame(), pa.table({}), pd.DataFrame(index=range(3))])
def test_a_frame_without_columns_is_empty(frame):
    with pytest.raises(ValueError, match="while a minimum of 1 is required"):
        as_matrix(frame)


def test_repeated_column_names_are_told_apart_by_position():
    frame = pd.DataFrame([[1.0, "x"], [2.0, "y"]], columns=["a", "a"])
    with pytest.raises(ValueError, match=r"numeric: column 1 \('a'\)"):
        as_matrix(frame)


@pytest.mark.parametrize("reader", [as_matrix, feature_names])
def test_a_lazy_frame_is_to_be_collected_first(reader):
    with pytest.raises(TypeError, match=r"X\.collect\(\)"):
        reader(pl.LazyFrame({"a": [1.0]}))


def test_no_weights_are_none():
    assert as_sample_weight(None, 3) is None


@pytest.mark.parametrize("weight", [[1, 0, 2], (1, 0, 2), pd.Series([1, 0, 2]), pl.Series([1, 0, 2])])
def test_weights_become_a_float64_vector(weight):
    weights = as_sample_weight(weight, 3)
    assert weights.dtype == np.float64
    assert weights.tolist() == [1.0, 0.0, 2.0]


def test_a_number_is_the_weight_of_every_row():
    assert as_sample_weight(2, 3).tolist() == [2.0, 2.0, 2.0]


@pytest.mark.parametrize("weight", [np.ones(6), np.ones((3, 2)), np.ones((3, 1)), []])
def test_weights_of_another_shape_than_the_rows_are_refused(weight):
    with pytest.raises(ValueError, match=r"sample_weight has shape .* expected \(3,\)"):
        as_sample_weight(weight, 3)


@pytest.mark.parametrize("bad", [-0.5, NAN, np.inf])
def test_a_weight_that_is_no_weight_is_named_by_its_index(bad):
    with pytest.raises(ValueError, match=r"sample_weight\[2\] is "):
        as_sample_weight([1.0, 0.0, bad, bad], 4)


def test_a_masked_weight_is_not_read():
    with pytest.raises(ValueError, match=r"sample_weight\[1\] is nan"):
        as_sample_weight(np.ma.masked_array([1.0, 9.0], mask=[False, True]), 2)


@pytest.mark.parametrize("weight", [0.0, [0, 0, 0]])
def test_weights_that_are_all_zero_are_refused(weight):
    with pytest.raises(ValueError, match=r"weight.*zero"):
        as_sample_weight(weight, 3)


@pytest.mark.parametrize("weight", [np.full(272, 1e308), np.full(272, 5e-324)])
def test_weights_whose_total_is_no_ordinary_float_are_refused(weight):
    with pytest.raises(ValueError, match=r"sample_weight adds up to .* divide the weights by the largest"):
        as_sample_weight(weight, 272)


@pytest.mark.parametrize("weight", [np.zeros(272), np.full(272, 1e308), np.full(272, 5e-324)])
def test_the_weights_of_a_part_of_the_data_may_add_up_to_anything(weight):
    np.testing.assert_array_equal(as_sample_weight(weight, 272, check_total=False), weight)


@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame, pa.table])
def test_the_names_of_columns_are_read_from_every_kind_of_frame(library):
    names = feature_names(library({"a": [1.0], "b": [2.0]}))
    assert names.dtype == object
    assert names.tolist() == ["a", "b"]


@pytest.mark.parametrize("x", [np.ones((2, 2)), [[1.0]], pd.DataFrame(np.ones((2, 2))), pd.DataFrame()])
def test_data_without_string_names_have_no_names(x):
    assert feature_names(x) is None


def test_names_of_which_some_are_strings_are_refused():
    with pytest.raises(TypeError, match=r"only supported if all input features have string names.*\['int', 'str'\]"):
        feature_names(pd.DataFrame([[1.0, 2.0]], columns=["a", 0]))


def test_reading_arrays_imports_no_data_frame_library():
    code = (
        "import sys; from emkit.arrays import as_matrix, feature_names; as_matrix([[1.0, None]], allow_nan=True); "
        "feature_names([[1.0]]); print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "emkit.arrays" in loaded
    assert not {"pandas", "polars", "pyarrow"} & set(loaded)

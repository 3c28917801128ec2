import csv
import sys
from importlib import resources

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from emkit import datasets


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


# Bundled data


def test_every_bundled_file_has_a_name_and_every_name_a_file():
    files = {file.name for file in resources.files(datasets).iterdir() if file.name.endswith(".csv")}
    assert {f"{name}.csv" for name in datasets.names()} == files
    assert list(datasets.names()) == sorted(datasets.names())


@pytest.mark.parametrize("name", datasets.names())
def test_every_bundled_data_set_has_a_function_and_says_where_it_is_from(name):
    data = getattr(datasets, name)()
    assert data.name == name
    assert data.values.shape[1] == len(data.columns)
    assert np.isnan(data.values).any() == (name in {"air_quality", "mammal_sleep"})
    assert any(year in data.citation for year in ("1969", "1976", "1983", "1990", "2008", "2009"))


def test_air_quality_has_the_published_summary():
    # As R prints summary(airquality): number of gaps and means of the columns.
    data = datasets.air_quality()
    assert data.values.shape == (153, 6)
    assert np.isnan(data.values).sum(axis=0).tolist() == [37, 7, 0, 0, 0, 0]
    expected = [42.12931, 185.9315, 9.957516, 77.88235, 6.993464, 15.80392]
    np.testing.assert_allclose(np.nanmean(data.values, axis=0), expected, rtol=1e-6)


def test_sleep_of_mammals_has_the_published_gaps():
    data = datasets.mammal_sleep()
    assert data.values.shape == (62, 10)
    assert np.isnan(data.values).sum(axis=0).tolist() == [0, 0, 14, 12, 4, 4, 4, 0, 0, 0]
    kinds = data.values[:, 2] + data.values[:, 3]
    known = ~np.isnan(kinds) & ~np.isnan(data.values[:, 4])
    np.testing.assert_allclose(kinds[known], data.values[known, 4], atol=1e-12)
    assert known.sum() == 48


def test_the_earthquakes_have_the_published_moments():
    counts = datasets.earthquakes().values[:, 0]
    # Zucchini and MacDonald (2009), section 1.2: mean 19.36, variance 51.57.
    assert len(counts) == 107
    assert counts.sum() == 2072
    assert round(counts.mean(), 2) == 19.36
    assert round(counts.var(ddof=1), 2) == 51.57


def test_old_faithful_has_the_published_summary():
    # As R prints summary(faithful): minimum, quartiles, mean and maximum of both columns.
    data = datasets.old_faithful()
    assert data.columns == ("eruptions", "waiting")
    assert data.values.shape == (272, 2)
    quartiles = np.quantile(data.values, [0, 0.25, 0.5, 0.75, 1], axis=0)
    assert np.allclose(quartiles[:, 0], [1.6, 2.163, 4.0, 4.454, 5.1], atol=5e-4)
    assert np.allclose(quartiles[:, 1], [43, 58, 76, 82, 96])
    assert np.allclose(data.values.mean(axis=0), [3.488, 70.9], atol=5e-3)


def test_old_faithful_keeps_the_published_order():
    values = datasets.old_faithful().values
    assert np.array_equal(values[:3], [[3.6, 79], [1.8, 54], [3.333, 74]])
    assert np.array_equal(values[-2:], [[1.817, 46], [4.467, 74]])


def test_the_death_notices_are_those_of_three_years():
    deaths, days = datasets.london_times_deaths().values.T
    assert np.array_equal(deaths, range(10))
    assert days.sum() == 365 + 365 + 366
    assert deaths @ days / days.sum() == pytest.approx(2.156934306569, rel=1e-12)


def test_the_two_coins_fell_as_published():
    assert np.array_equal(datasets.two_coins().values, [[5, 10], [9, 10], [8, 10], [4, 10], [7, 10]])


def test_values_are_read_only():
    with pytest.raises(ValueError, match="read-only"):
        datasets.two_coins().values[0, 0] = 1


def test_an_unknown_bundled_name_is_answered_with_the_known_ones():
    with pytest.raises(
        ValueError,
        match=r"'iris'; there are air_quality, earthquakes, london_times_deaths, mammal_sleep, old_faithful, two_coins",
    ):
        datasets.load("iris")


@pytest.mark.parametrize("name", ["old_faithful", "old-faithful", "faithful", "Faithful"])
def test_a_bundled_data_set_is_read_by_its_names(name):
    assert datasets.read(name).name == "old_faithful"


# Files


def test_a_path_to_nothing_is_answered_with_the_bundled_names(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.csv'; bundled are .*old_faithful"):
        datasets.read(tmp_path / "nowhere.csv")


def test_a_path_object_is_never_taken_for_a_bundled_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError):
        datasets.read(tmp_path / "faithful")


def test_a_file_of_another_kind_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"ends in \.csv, \.npy, \.parquet; found 'table\.xlsx'"):
        datasets.read(write(tmp_path / "table.xlsx", "1"))


def test_a_csv_with_names_gives_columns_and_says_where_it_is_from(tmp_path):
    data = datasets.read(write(tmp_path / "table.csv", 'a,"b, in cm"\n1,2.5\n-3e2,4\n'))
    assert (data.name, data.columns) == ("table", ("a", "b, in cm"))
    assert np.array_equal(data.values, [[1, 2.5], [-300, 4]])
    assert data.values.dtype == np.float64
    assert "table.csv" in data.citation


def test_a_csv_without_names_loses_no_row(tmp_path):
    data = datasets.read(str(write(tmp_path / "table.csv", "1,2\n3,4\n")))
    assert data.columns == ("x0", "x1")
    assert np.array_equal(data.values, [[1, 2], [3, 4]])


def test_a_first_row_with_missing_cells_is_no_header(tmp_path):
    data = datasets.read(write(tmp_path / "table.csv", "NA,2\n3,\n"))
    assert np.array_equal(data.values, [[np.nan, 2], [3, np.nan]], equal_nan=True)


@pytest.mark.parametrize("cell", ["", " ", "NA", "na", "NaN", '""', '"NA"'])
def test_a_missing_cell_becomes_nan(tmp_path, cell):
    data = datasets.read(write(tmp_path / "table.csv", f"a,b\n1,{cell}\n{cell},2\n"))
    assert np.array_equal(data.values, [[1, np.nan], [np.nan, 2]], equal_nan=True)


def test_a_column_without_a_name_gets_one(tmp_path):
    assert datasets.read(write(tmp_path / "table.csv", '"",b\n1,2\n')).columns == ("x0", "b")


def test_a_byte_order_mark_other_line_ends_and_blank_lines_do_not_matter(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes("\ufeffa,b\r\n\r\n1, 2\r\n\r\n3,4\r\n".encode())
    data = datasets.read(path)
    assert data.columns == ("a", "b")
    assert np.array_equal(data.values, [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a,species\n1,2\n3,setosa\n4,setosa\n",
            r"line 3: expected a number in column 'species', found 'setosa'",
        ),
        ("1,setosa\n2,virginica\n", r"line 1: expected a number in column 'x1', found 'setosa'"),
        ("a\n1_000\n", r"line 2: .* found '1_000'"),
        ("a;b\n1;2\n", r"line 2: expected a number in column 'a;b', found '1;2'"),
        ("a,b\n1,2\n3\n", r"line 3: expected 2 cells as in the first row, found 1"),
        ("a,b\n", "holds no rows"),
        ("", "holds no rows"),
        ("a\n" + "1" * 200_000, r"line 2: field larger"),
        ('a,b\n1,2\n3,"4\n', r"line 3: unexpected end of data\. Check the quotes"),
    ],
)
def test_a_csv_that_is_no_table_of_numbers_is_refused_with_its_place(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        datasets.read(write(tmp_path / "table.csv", text))


def test_what_csv_writes_is_what_is_read(tmp_path):
    values = np.random.default_rng(0).standard_normal((50, 3)) * 10.0 ** np.arange(-100, 200, 100)
    with (tmp_path / "table.csv").open("w", newline="") as file:
        csv.writer(file).writerows(values.tolist())
    assert np.array_equal(datasets.read(tmp_path / "table.csv").values, values)


@pytest.mark.parametrize("dtype", ["float64", "float32", "int16", "bool"])
def test_a_numpy_file_becomes_a_table(tmp_path, dtype):
    array = np.array([[1, 0], [0, 1], [1, 1]], dtype=dtype)
    np.save(tmp_path / "table.npy", array)
    data = datasets.read(tmp_path / "table.npy")
    assert (data.name, data.columns) == ("table", ("x0", "x1"))
    assert type(data.values) is np.ndarray
    assert np.array_equal(data.values, array)


def test_a_one_dimensional_numpy_file_becomes_one_column(tmp_path):
    np.save(tmp_path / "table.npy", np.arange(4))
    assert np.array_equal(datasets.read(tmp_path / "table.npy").values, [[0], [1], [2], [3]])


@pytest.mark.parametrize(
    "array",
    [
        np.array([{}, None]),
        np.ones((2, 2, 2)),
        np.array(3.0),
        np.ones(2, complex),
        np.array(["a"]),
        np.ones((0, 2)),
    ],
    ids=["objects", "three dimensions", "no dimension", "complex", "texts", "empty"],
)
def test_a_numpy_file_that_is_no_table_of_numbers_is_refused(tmp_path, array):
    np.save(tmp_path / "table.npy", array)
    with pytest.raises(ValueError, match=r"."):
        datasets.read(tmp_path / "table.npy")


def test_a_numpy_file_that_announces_more_than_it_holds_is_refused(tmp_path):
    with (tmp_path / "table.npy").open("wb") as file:
        header = {"descr": "<f8", "fortran_order": False, "shape": (2**39, 2)}
        np.lib.format.write_array_header_1_0(file, header)
        file.write(bytes(16))
    with pytest.raises(ValueError, match=r"."):
        datasets.read(tmp_path / "table.npy")


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((0, 4_000_000_000_000), "it holds no rows of numbers"),
        ((4_000_000_000_000, 0), "it holds no rows of numbers"),
        ((10**24, 2), "takes 16000000000000000000000000 bytes, but 16 follow"),
        ((3,), "takes 24 bytes, but 16 follow: the file is cut or damaged"),
    ],
)
def test_a_numpy_file_is_not_believed_beyond_its_size(tmp_path, shape, message):
    path = tmp_path / "table.npy"
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": shape})
        file.write(bytes(16))
    with pytest.raises(ValueError, match=rf"table\.npy: .*{message}"):
        datasets.read(path)


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_numpy_file_of_either_order_is_read(tmp_path, order):
    array = np.asarray(np.arange(6.0).reshape(3, 2), order=order)
    np.save(tmp_path / "table.npy", array)
    assert np.array_equal(datasets.read(tmp_path / "table.npy").values, array)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("table.csv", "größe\n1\n".encode("latin-1")),
        ("table.npy", b"\x93NUM"),
        ("table.npy", b"\x93NUMPY\x03\x00\x10\x00\x00\x00"),
        ("table.npy", b"\x93NUMPY\x01\x00\x10\x00(((((((((((((((("),
        ("table.parquet", b"PAR1 and nothing else"),
    ],
)
def test_whatever_is_wrong_with_a_file_its_name_is_in_the_message(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name}: \S+"):
        datasets.read(tmp_path / name)


def test_text_in_another_encoding_is_to_be_saved_in_utf_8(tmp_path):
    (tmp_path / "table.csv").write_bytes("größe\n1\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"expected text in UTF-8.* Save the table in UTF-8"):
        datasets.read(tmp_path / "table.csv")


def test_parquet_columns_of_one_name_are_refused(tmp_path):
    table = pyarrow.table([[1.0], [2.0]], names=["a", "a"])
    parquet.write_table(table, tmp_path / "table.parquet")
    with pytest.raises(ValueError, match=r"table\.parquet: .*several named 'a'"):
        datasets.read(tmp_path / "table.parquet")


def test_whole_numbers_that_floats_do_not_tell_apart_are_refused_by_column(tmp_path):
    parquet.write_table(pyarrow.table({"id": [2**53 + 1]}), tmp_path / "table.parquet")
    with pytest.raises(ValueError, match=r"table\.parquet: column 'id' holds whole numbers beyond 2\*\*53"):
        datasets.read(tmp_path / "table.parquet")


def test_a_parquet_file_becomes_a_table(tmp_path):
    columns = {"a": [1, None, 3], "b": [0.5, 1.5, None], "c": [True, False, None]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "table.parquet")
    data = datasets.read(tmp_path / "table.parquet")
    assert data.columns == ("a", "b", "c")
    expected = [[1, 0.5, 1], [np.nan, 1.5, 0], [3, np.nan, np.nan]]
    assert np.array_equal(data.values, expected, equal_nan=True)


def test_a_parquet_column_that_is_not_numeric_is_refused_by_name(tmp_path):
    table = pyarrow.table({"a": [1], "species": ["setosa"]})
    parquet.write_table(table, tmp_path / "table.parquet")
    with pytest.raises(ValueError, match="column 'species', found values of type string"):
        datasets.read(tmp_path / "table.parquet")


def test_a_parquet_file_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r'pip install "emkit\[parquet\]"'):
        datasets.read(write(tmp_path / "table.parquet", "PAR1"))

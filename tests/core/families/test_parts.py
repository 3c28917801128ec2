"""What is no list of columns and families is told with what it should have been."""

from __future__ import annotations

import numpy as np
import pytest

from emkit.families import Gaussian, Poisson, Product


@pytest.mark.parametrize("parts", [Gaussian(), 5, None, "ab"], ids=repr)
def test_parts_must_be_a_list(parts):
    with pytest.raises(TypeError, match=r"parts must be a list of pairs of columns and a Family, such as \[\(0, Poi"):
        Product(parts)


@pytest.mark.parametrize(
    "second", [Gaussian(), (1, Poisson(), 2), (Poisson(), 1), (1, Poisson), (1,), "ab", 7, (1, "poisson")], ids=repr
)
def test_a_part_that_is_no_pair_is_told_with_its_place(second):
    with pytest.raises(TypeError, match=r"parts\[1\] must be a pair of columns and a Family, such as \(0, Poisson"):
        Product([(0, Poisson()), second])


@pytest.mark.parametrize(
    "columns", ["a", 0.5, 1.0, slice(0, 2), [], [True, False], True, [[0, 1]], [0, [1]], None, ["0"]], ids=repr
)
def test_columns_must_be_whole_numbers(columns):
    with pytest.raises(TypeError, match=r"parts\[0\] must name its columns by whole numbers, such as 0 or \[1, 2\]"):
        Product([(columns, Poisson())])


def test_all_usual_forms_of_columns_are_taken():
    pairs = [[0, Poisson()], (np.int64(1), Gaussian()), (range(2, 4), Gaussian()), (np.array([5, 4]), Gaussian())]
    assert [columns for columns, _ in Product(iter(pairs)).parts] == [(0,), (1,), (2, 3), (5, 4)]

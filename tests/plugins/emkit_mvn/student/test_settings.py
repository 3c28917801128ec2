"""Degrees of freedom as users give them."""

import numpy as np
import pytest
from emkit_mvn.student.model import MultivariateT


@pytest.mark.parametrize("df", [0, -1.0, np.nan, "3", True, 1e-300, 1j, [3.0]])
def test_df_must_be_a_positive_number(df):
    with pytest.raises(ValueError, match=r"^df must be a number of at least 1e-20"):
        MultivariateT(df=df)


@pytest.mark.parametrize("smallest", [0, -1.0, np.inf, None, "3", True])
def test_the_smallest_df_must_be_a_finite_positive_number(smallest):
    with pytest.raises(ValueError, match=r"^smallest_df must be a finite number of at least 1e-20"):
        MultivariateT(smallest_df=smallest)


@pytest.mark.parametrize(("df", "expected"), [(1e300, np.inf), (np.inf, np.inf), (1e14, 1e14), (3, 3.0), (None, None)])
def test_so_many_degrees_of_freedom_that_floats_see_a_normal_are_infinite(df, expected):
    assert MultivariateT(df=df).df == expected

"""What the multivariate normal answers to data, settings and params that cannot be."""

import attrs
import numpy as np
import pytest
from emkit_mvn import BlockDiagonal, InverseWishart, Known, MultivariateNormal, NormalParams, Ridge
from mvn_tables import AIRQUALITY, EMPLOYEE

import emkit
from emkit.errors import DegenerateError


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.array([[1.0, np.inf], [2, 3]]), "infinity"),
        (np.array([["a", "b"], ["c", "d"]]), "strings"),
        (np.array([1.0, 2.0]), "2D array"),
        (np.empty((0, 2)), "0 sample"),
        (
            np.array([[1.0, np.nan], [2.0, np.nan]]),
            "Column 1 has no seen cell in rows of positive weight: leave it out",
        ),
        (
            np.array([[np.nan, 1.0, np.nan]]),
            "Columns 0, 2 have no seen cell in rows of positive weight: leave them out",
        ),
        (np.full((3, 2), np.nan), "No column has a seen cell"),
        ((EMPLOYEE, np.zeros(20)), "zero"),
        ((EMPLOYEE, np.ones(3)), r"\(20,\)"),
        ((EMPLOYEE, -np.ones(20)), "negative"),
        ((EMPLOYEE, np.ones(20), 3), "tuple of length 3"),
        (np.array([[1.0 + 2j, 3.0]]), "[Cc]omplex"),
    ],
)
def test_data_that_cannot_be_used_are_refused_in_words(data, message):
    with pytest.raises((ValueError, TypeError), match=message):
        emkit.fit(MultivariateNormal(), data)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"covariance": "round"}, "covariance must be one of"),
        ({"prior": "flat"}, "prior must be None"),
        ({"floor": -1}, "floor"),
        ({"mean": [np.nan]}, "mean"),
        ({"prior": Ridge}, "prior must be None"),
    ],
)
def test_settings_that_mean_nothing_are_refused_in_words(settings, message):
    with pytest.raises(ValueError, match=message):
        MultivariateNormal(**settings)


@pytest.mark.parametrize(
    "model",
    [
        MultivariateNormal(mean=[1.0, 2.0]),
        MultivariateNormal(Known(np.eye(2))),
        MultivariateNormal(BlockDiagonal([0, 1])),
        MultivariateNormal(prior=InverseWishart(1, np.eye(2))),
    ],
    ids=["mean", "covariance", "groups", "prior"],
)
def test_settings_for_other_columns_are_refused(model):
    with pytest.raises(ValueError, match=r"n_features=3|3 columns"):
        emkit.fit(model, EMPLOYEE)


def test_params_of_other_columns_are_refused():
    params = emkit.fit(MultivariateNormal(), EMPLOYEE).params
    with pytest.raises(ValueError, match="n_features=6, but the params have 3"):
        MultivariateNormal().e_step(params, AIRQUALITY)
    with pytest.raises(ValueError, match="covariance"):
        emkit.fit(MultivariateNormal(), EMPLOYEE, NormalParams(params.mean, np.eye(2), params.scale, params.coverage))


def test_params_with_a_scale_of_zero_are_refused_by_name():
    params = attrs.evolve(emkit.fit(MultivariateNormal(), EMPLOYEE).params, scale=np.array([1.0, 0.0, 1.0]))
    with pytest.raises(ValueError, match=r"scale must be positive; scale\[1\] is 0"):
        emkit.fit(MultivariateNormal(), EMPLOYEE, params)


def test_one_variance_for_columns_of_incomparable_size_asks_for_other_units():
    with pytest.raises(DegenerateError, match="leaves the range of floats: columns that differ so much"):
        emkit.fit(MultivariateNormal("spherical"), EMPLOYEE * [1e150, 1e-150, 1.0])

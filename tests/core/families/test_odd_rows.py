"""What families of real numbers do with rows that are few, equal, collinear, extreme or far from zero."""

import numpy as np
import pytest

from emkit import tree
from emkit.families import Autoregressive, Gaussian, LinearRegression, Mixture, StudentT
from emkit.space.assignment import outside

RNG = np.random.default_rng(0)
BASE = RNG.normal(size=(40, 3))
STRUCTURES = ["full", "tied", "diag", "spherical"]
FAMILIES = {
    **{f"gaussian {name}": Gaussian(name) for name in STRUCTURES},
    **{f"student {name}": StudentT(covariance=name) for name in STRUCTURES},
    "student 3": StudentT(3.0),
    "mixture full": Mixture(Gaussian(), 2),
    "mixture tied": Mixture(Gaussian("tied"), 2),
    "regression": LinearRegression(),
    "regression through the origin": LinearRegression(intercept=False),
    "regression, one variance": LinearRegression(shared_variance=True),
    "autoregression": Autoregressive(1),
    "autoregression of order 2": Autoregressive(2, "diag"),
}
TABLES = {
    "one row": BASE[:1],
    "two rows": BASE[:2],
    "equal rows": np.ones((20, 3)),
    "zeros": np.zeros((20, 3)),
    "one column": BASE[:, :1],
    "collinear": np.column_stack([BASE[:, 0], BASE[:, 0], 2 * BASE[:, 0]]),
    "whole numbers": np.round(BASE),
    "tiny": 1e-140 * BASE,
    "huge": 1e140 * BASE,
    "far": BASE + 1e8,
    "at the end of digits": BASE + 1e15,
    "an outlier": np.vstack([BASE, [[1e12, 0.0, 0.0]]]),
    "an extreme outlier": np.vstack([BASE, [[1e100, 0.0, 0.0]]]),
}


def responsibilities(n_rows):
    soft = np.random.default_rng(1).dirichlet([1.0, 1.0], size=n_rows)
    return {"soft": soft, "none": 0 * soft, "one component": np.ones((n_rows, 2)) * [1, 0], "tiny": 1e-250 * soft}


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("name", FAMILIES)
def test_params_stay_inside_their_space_and_densities_are_numbers(name, table):
    family = FAMILIES[name]
    x = family.prepare(TABLES[table])
    for shares in responsibilities(len(x)).values():
        params = family.fit(x, shares)
        for _ in range(3):
            assert not outside(family, params)
            density = family.log_density(params, x)
            assert not np.isnan(density).any()
            assert (density < np.inf).all()
            statistics = family.statistics(params, x, shares)
            score = family.complete_score(params, statistics)
            assert all(np.isfinite(leaf).all() for _, leaf in tree.leaves(score))
            params = family.m_step(params, statistics)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("unit", [1e-300, 1e300])
def test_variances_outside_the_range_of_floats_are_refused(name, unit):
    family = FAMILIES[name]
    with pytest.raises(ValueError, match="variances of that size leave the range of floats"):
        family.fit(family.prepare(BASE * unit), np.ones((40, 2)))


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("n_seen", [0, 1, 2])
def test_gaussians_bear_tables_that_are_nearly_empty(structure, n_seen):
    family = Gaussian(structure)
    x = np.full((10, 3), np.nan)
    x.ravel()[: 7 * n_seen : 7] = BASE.ravel()[:n_seen]
    rows, shares = family.prepare(x), np.full((10, 2), 0.5)
    params = family.fit(rows, shares)
    for _ in range(3):
        assert not outside(family, params)
        assert np.isfinite(family.log_density(params, rows)).all()
        params = family.fit(rows, shares, params)

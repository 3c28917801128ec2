"""What every family does with one row, equal rows, values at the ends of the floats, and weights of any size."""

import numpy as np
import pytest

from emkit import tree
from emkit.families import (
    Bernoulli,
    Categorical,
    Exponential,
    Gamma,
    LogisticRegression,
    Multinomial,
    NegativeBinomial,
    Poisson,
    PoissonRegression,
    Product,
    VonMises,
)
from emkit.space.assignment import check_params

SIZES = {
    "one row": [[3.0]],
    "equal rows": [[7.0]] * 5,
    "nearly equal rows": (7.0 + np.spacing(7.0) * np.arange(5.0))[:, None],
    "tiny": [[1e-300], [2e-300], [5e-300]],
    "huge": [[1e300], [2e300], [5e299]],
    "tiny and huge": [[1e-300], [1.0], [1e300]],
}
COUNTS = {"one row": [[3.0]], "zeros": [[0.0]] * 4, "equal rows": [[7.0]] * 5, "huge": [[9e15], [0.0], [3.0]]}
SWITCHES = {"one row": [[1.0]], "zeros": [[0.0]] * 5, "ones": [[1.0]] * 5}
COVARIATES = {"constant": 1.0, "tiny": 1e-140, "huge": 1e140, "far": 1e8}


def with_covariates(tables):
    return {
        f"{name}, {kind} covariate": np.column_stack(
            [rows, np.full(len(rows), unit) + (kind != "constant") * np.arange(len(rows)) * min(unit, 1e140)]
        )
        for name, rows in tables.items()
        for kind, unit in COVARIATES.items()
    }


TABLES = [
    (Exponential(), SIZES | {"zeros": [[0.0]] * 4}),
    (Gamma(), SIZES),
    (Poisson(), COUNTS),
    (NegativeBinomial(), COUNTS),
    (Bernoulli(), SWITCHES),
    (Categorical(), {"one row": [[3.0]], "equal rows": [[2.0]] * 4, "zeros": [[0.0]] * 3}),
    (Multinomial(), {"one row": [[3.0, 0.0]], "no trials": [[0.0, 0.0]] * 4, "some": [[0.0, 0.0], [3.0, 4.0]]}),
    (
        VonMises(),
        {"one row": [[1.0]], "equal rows": [[3.0]] * 5, "opposite": [[0.0], [np.pi]], "huge": [[1e300], [1.0]]},
    ),
    (LogisticRegression(), with_covariates(SWITCHES)),
    (PoissonRegression(), with_covariates(COUNTS)),
    (Product([(0, Gamma()), (1, Poisson())]), {"gaps": [[1.0, np.nan], [np.nan, 3.0]]}),
]
CASES = [
    pytest.param(family, rows, id=f"{type(family).__name__}, {name}")
    for family, t in TABLES
    for name, rows in t.items()
]


def shares(n_samples):
    return np.random.default_rng(0).dirichlet([1, 1], n_samples)


@pytest.mark.parametrize(("family", "rows"), CASES)
@pytest.mark.parametrize("how", ["shared", "nothing", "tiny weights", "one component empty"])
def test_params_are_numbers_in_their_space_and_densities_no_nan(family, rows, how):
    x = family.prepare(rows)
    responsibilities = {
        "shared": shares(len(x)),
        "nothing": np.zeros((len(x), 2)),
        "tiny weights": 1e-290 * shares(len(x)),
        "one component empty": np.eye(2)[np.zeros(len(x), dtype=int)],
    }[how]
    params = family.fit(x, responsibilities)
    for _ in range(3):
        check_params(family, params)
        density = family.log_density(params, x)
        assert not np.isnan(density).any()
        assert (density < np.inf).all()
        statistics = family.statistics(params, x, responsibilities)
        params = family.m_step(params, statistics)
    assert all(np.isfinite(leaf).all() for _, leaf in tree.leaves(params))
    assert np.isfinite(family.features(x)).all()


@pytest.mark.parametrize("weight", [1e-250, 1e-3, 1e150])
@pytest.mark.parametrize(
    ("family", "rows"),
    [
        (Exponential(), np.arange(1.0, 9.0)[:, None]),
        (Gamma(), np.arange(1.0, 9.0)[:, None]),
        (Poisson(), np.arange(8.0)[:, None]),
        (NegativeBinomial(), np.arange(8.0)[:, None] ** 3),
        (Bernoulli(), np.arange(8.0)[:, None] % 2),
        (Categorical(), np.arange(8.0)[:, None] % 3),
        (Multinomial(), np.column_stack([np.arange(8.0), np.ones(8)])),
        (VonMises(), np.arange(8.0)[:, None] / 2),
        (LogisticRegression(), np.column_stack([np.arange(8.0) % 2, np.arange(8.0)])),
        (PoissonRegression(), np.column_stack([np.arange(8.0) % 5, np.arange(8.0)])),
    ],
    ids=lambda case: type(case).__name__ if not isinstance(case, np.ndarray) else "",
)
def test_a_common_factor_of_all_weights_changes_nothing(family, rows, weight):
    x, responsibilities = family.prepare(rows), shares(8)
    responsibilities[:, 1] = 0.0
    one, two = family.fit(x, responsibilities), family.fit(x, weight * responsibilities)
    for (path, left), (_, right) in zip(tree.leaves(one), tree.leaves(two), strict=True):
        assert np.allclose(left, right, rtol=1e-6, atol=1e-7), tree.path_name(path)


@pytest.mark.parametrize("unit", [1e-3, 1e3, 1e100])
@pytest.mark.parametrize("family", [Exponential(), Gamma()], ids=lambda family: type(family).__name__)
def test_units_change_nothing_but_the_units(family, unit):
    rows = np.array([[1.0], [2.0], [2.0], [2.0], [9.0]])
    responsibilities = np.eye(2)[[0, 1, 1, 1, 0]]
    one, two = family.prepare(rows), family.prepare(rows * unit)
    first, second = family.fit(one, responsibilities), family.fit(two, responsibilities)
    assert np.allclose(family.mean(first) * unit, family.mean(second), rtol=1e-12)
    densities = family.log_density(first, one), family.log_density(second, two) + np.log(unit)
    # The components of equal rows rest on a cap, where densities are steep.
    assert np.allclose(*densities, rtol=1e-6, atol=1e-6)

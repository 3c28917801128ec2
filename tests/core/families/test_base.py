"""What every family has from its base."""

from __future__ import annotations

import numpy as np
import pytest

from emkit.families import Autoregressive, Gaussian, LinearRegression, Mixture, Poisson, Product, StudentT

X = np.random.default_rng(0).normal(size=(60, 2)) * [1.0, 3.0]
COUNTS = np.random.default_rng(1).poisson(4.0, (60, 2)).astype(float)
FAMILIES = {
    "gaussian full": (Gaussian("full"), X),
    "gaussian tied": (Gaussian("tied"), X),
    "t tied": (StudentT(covariance="tied"), X),
    "autoregressive tied": (Autoregressive(1, covariance="tied"), X),
    "one variance": (LinearRegression(shared_variance=True), X),
    "poisson": (Poisson(), COUNTS),
    "mixture": (Mixture(Gaussian("tied"), 2), X),
    "product": (Product([([0, 1], Gaussian("tied")), (2, Poisson())]), np.column_stack([X, COUNTS[:, 1]])),
}


def fitted(family, x):
    rows = family.prepare(x)
    shares = np.random.default_rng(2).dirichlet([1.0, 1.0], len(x))
    return rows, shares, family.fitted(rows, shares)


@pytest.mark.parametrize("case", FAMILIES)
def test_components_in_another_order_have_the_densities_in_that_order(case):
    # Two components of two columns: a matrix that both share must not be mistaken for one that holds them.
    family, x = FAMILIES[case]
    rows, _, params = fitted(family, x)
    turned = family.permuted(params, np.array([1, 0]))
    np.testing.assert_allclose(family.log_density(turned, rows), family.log_density(params, rows)[:, ::-1], rtol=1e-12)


@pytest.mark.parametrize("case", FAMILIES)
def test_a_component_without_rows_keeps_its_distribution(case):
    family, x = FAMILIES[case]
    rows, shares, params = fitted(family, x)
    after = family.fitted(rows, shares * [0.0, 1.0], params)
    if case in {"gaussian full", "poisson", "mixture"}:
        before = family.log_density(params, rows)[:, 0]
        np.testing.assert_allclose(family.log_density(after, rows)[:, 0], before, rtol=1e-12)
    assert np.isfinite(family.log_density(after, rows)[5:]).all()

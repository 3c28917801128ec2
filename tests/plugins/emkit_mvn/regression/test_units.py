"""Standard errors in any units, and priors that are given in those of the data."""

import numpy as np
import pytest
from emkit_mvn import InverseWishart, NormalRegression
from emkit_mvn.regression.table import Coefficients
from emkit_mvn.regression.units import PriorInUnits, in_units
from mvn_tables import AIRQUALITY

X, Y = AIRQUALITY[:, 1:4], AIRQUALITY[:, 0]
PRIORS = {
    "none": None,
    "ridge": "ridge",
    "absolute": InverseWishart(6.0, np.diag([2e4, 30.0, 200.0, 3e3]), mean=np.array([180.0, 9, 80, 40]), strength=4.0),
}


@pytest.mark.parametrize("prior", PRIORS)
def test_standard_errors_are_those_of_the_delta_method_in_the_units_of_the_data(prior):
    fit = NormalRegression(prior=PRIORS[prior], tol=1e-10)
    if prior == "absolute":
        # The prior is of the columns of X and y side by side.
        fit.prior = InverseWishart(6.0, PRIORS[prior].scale, mean=[180.0, 9, 80, 40], strength=4.0)
    fit.fit(X, Y)
    found = fit.result_.delta(lambda params: Coefficients.of(params, 3).stacked(), np.column_stack([X, Y]))
    np.testing.assert_allclose(fit.standard_errors_, found.standard_errors[0, 1:], rtol=1e-4)
    assert fit.intercept_standard_error_ == pytest.approx(found.standard_errors[0, 0], rel=1e-4)


@pytest.mark.parametrize(
    "factors", [(1e150, 1e150, 1e150, 1e150), (1e-150, 1e-150, 1e-150, 1e-150), (1e100, 1e-140, 1, 1e8)]
)
def test_units_at_the_ends_of_the_range_of_floats_do_not_matter(factors):
    *of_x, of_y = np.array(factors)
    units = of_y / np.array(of_x)
    here = NormalRegression(tol=1e-9).fit(X, Y)
    there = NormalRegression(tol=1e-9).fit(X * of_x, Y * of_y)
    np.testing.assert_allclose(there.coef_ / units, here.coef_, rtol=1e-5)
    np.testing.assert_allclose(there.standard_errors_ / units, here.standard_errors_, rtol=1e-3)
    one, other = here.summary(), there.summary()
    np.testing.assert_allclose(other.z, one.z, rtol=1e-3)


def test_a_prior_in_other_units_has_the_same_density_but_for_a_constant():
    units = np.array([2.0, 0.5, 4.0, 8.0])
    prior, scaled = PRIORS["absolute"], PriorInUnits(PRIORS["absolute"], units)
    rng = np.random.default_rng(0)
    differences = []
    for _ in range(5):
        root = rng.standard_normal((4, 4)) + 3 * np.eye(4)
        mean, covariance = rng.standard_normal(4), root @ root.T
        here = prior.terms(4, units).log_density(mean, covariance)
        there = scaled.terms(4, np.ones(4)).log_density(mean / units, covariance / np.outer(units, units))
        differences.append(there - here)
    np.testing.assert_allclose(differences, differences[0], rtol=1e-9)


def test_a_fit_in_other_units_is_that_of_the_data_in_these():
    units = np.array([2.0, 0.5, 4.0, 8.0])
    table = np.column_stack([X, Y])
    fit = NormalRegression(prior="ridge", tol=1e-10).fit(X, Y)
    moved = in_units(fit.result_, units)
    n_cells = (~np.isnan(table)).sum(axis=0)
    found = moved.model.log_likelihood(moved.params, table / units)
    assert found == pytest.approx(fit.result_.log_likelihood + n_cells @ np.log(units), abs=1e-8)
    # Still a fixed point of EM.
    again = moved.model.m_step(moved.params, moved.model.e_step(moved.params, table / units).statistics)
    np.testing.assert_allclose(again.covariance, moved.params.covariance, rtol=1e-4)

"""What gaps hide: published rates of EM and standard errors, closed forms, and independent derivatives."""

import attrs
import numpy as np
import pytest
from emkit_mvn import InverseWishart, Known, MultivariateNormal, Ridge
from emkit_mvn.inference.information import fraction_missing_information
from mvn_tables import AIRQUALITY, CHOLESTEROL, EMPLOYEE, NHANES, RATES, SLEEP

import emkit


def fitted(x, **settings):
    return emkit.fit(MultivariateNormal(**settings), x, tol=0)


@pytest.mark.parametrize(("x", "rate"), [r[1:] for r in RATES], ids=[r[0] for r in RATES])
def test_the_largest_fraction_is_the_rate_of_em(x, rate):
    digits = len(str(rate)) - 2
    result = emkit.fit(MultivariateNormal(), x)
    missing = fraction_missing_information(result, x)
    assert missing.largest == pytest.approx(rate, abs=0.51 * 10.0**-digits)
    assert missing.largest == missing.fractions[0]
    assert missing.largest == pytest.approx(result.verify(x).rate, abs=1e-5)


@pytest.mark.parametrize("method", ["score", "likelihood"])
def test_standard_errors_of_means_are_the_published_ones(method):
    """By numerical observed information, elsewhere: employee (Enders 2010, table 1.1), airquality."""
    employee = fitted(EMPLOYEE).standard_errors(EMPLOYEE, method)
    np.testing.assert_allclose(employee.mean, [3.07896, 0.79686, 1.16378], atol=6e-6)
    airquality = fitted(AIRQUALITY).standard_errors(AIRQUALITY, method)
    np.testing.assert_allclose(airquality.mean[:2], [2.79230, 7.41025], atol=1.1e-5)


@pytest.mark.parametrize("x", [EMPLOYEE, AIRQUALITY, CHOLESTEROL], ids=["employee", "airquality", "cholesterol"])
def test_fractions_of_entries_compare_complete_with_observed_variances(x):
    """The complete-data variances in closed form, the observed ones from the core's second derivatives."""
    result = fitted(x)
    missing, errors = fraction_missing_information(result, x), result.standard_errors(x)
    covariance, variances, n = result.params.covariance, np.diag(result.params.covariance), len(x)
    np.testing.assert_allclose(missing.mean, 1 - variances / n / errors.mean**2, atol=1e-6)
    complete = (np.outer(variances, variances) + covariance**2) / n
    np.testing.assert_allclose(missing.covariance, 1 - complete / errors.covariance**2, atol=1e-6)


def test_the_largest_fraction_exceeds_that_of_every_function():
    missing = fraction_missing_information(fitted(EMPLOYEE), EMPLOYEE)
    assert missing.largest >= max(missing.mean.max(), missing.covariance.max())
    assert len(missing.fractions) == 9
    assert (np.diff(missing.fractions) <= 0).all()


def test_independent_columns_lack_the_share_of_their_gaps():
    missing = fraction_missing_information(fitted(EMPLOYEE, covariance="diag"), EMPLOYEE)
    share = np.isnan(EMPLOYEE).mean(axis=0)
    np.testing.assert_allclose(missing.mean, share, atol=1e-9)
    np.testing.assert_allclose(np.diag(missing.covariance), share, atol=1e-9)
    assert np.isnan(missing.covariance[0, 1:]).all()


def test_without_gaps_nothing_is_missing(rng):
    x = rng.standard_normal((30, 3)) * [1, 1e-8, 1e8]
    missing = fraction_missing_information(fitted(x), x)
    np.testing.assert_allclose(missing.fractions, 0, atol=1e-7)
    np.testing.assert_allclose(missing.covariance, 0, atol=1e-7)


@pytest.mark.parametrize(
    "settings",
    [
        {"covariance": "exchangeable"},
        {"prior": Ridge(2)},
        {"prior": InverseWishart(3, np.eye(3), mean=np.array([100.0, 10, 10]), strength=2)},
        {"mean": [100.0, 10, 10]},
    ],
    ids=["exchangeable", "ridge", "inverse Wishart", "known mean"],
)
def test_structures_and_priors_have_the_rate_that_the_core_finds(settings):
    result = fitted(EMPLOYEE, **settings)
    missing = fraction_missing_information((result.model, result.params), EMPLOYEE)
    assert missing.largest == pytest.approx(result.verify(EMPLOYEE).rate, abs=1e-6)
    assert np.isnan(missing.mean).all() == ("mean" in settings)
    assert missing.fractions.size == result.n_parameters


def test_with_a_known_covariance_only_the_mean_is_uncertain():
    result = fitted(EMPLOYEE, covariance=Known(fitted(EMPLOYEE).params.covariance))
    missing = fraction_missing_information(result, EMPLOYEE)
    errors = result.standard_errors(EMPLOYEE)
    expected = 1 - np.diag(result.params.covariance) / 20 / errors.mean**2
    np.testing.assert_allclose(missing.mean, expected, atol=1e-6)
    assert np.isnan(missing.covariance).all()


def test_weights_and_units_count_as_they_should():
    weights = np.arange(len(NHANES)) % 3 + 1
    repeated = np.repeat(NHANES, weights, axis=0) * [1, 1e9, 1e-9, 1] + [0, 0, 0, 1e6]
    weighted = fraction_missing_information(fitted((NHANES, weights)), (NHANES, weights))
    other = fraction_missing_information(fitted(repeated), repeated)
    np.testing.assert_allclose(weighted.covariance, other.covariance, atol=1e-5)
    np.testing.assert_allclose(weighted.fractions, other.fractions, atol=1e-5)


@pytest.mark.parametrize("unit", [np.full(3, 1e150), np.full(3, 1e-150), np.array([1e150, 1.0, 1e-150])], ids=str)
@pytest.mark.parametrize("prior", [None, "ridge"])
def test_extreme_units_hide_nothing(unit, prior):
    model = MultivariateNormal(prior=prior)
    expected = fraction_missing_information(emkit.fit(model, EMPLOYEE, tol=0), EMPLOYEE)
    found = fraction_missing_information(emkit.fit(model, EMPLOYEE * unit, tol=0), EMPLOYEE * unit)
    np.testing.assert_allclose(found.fractions, expected.fractions, atol=1e-6)
    np.testing.assert_allclose(found.mean, expected.mean, atol=1e-6)
    np.testing.assert_allclose(found.covariance, expected.covariance, atol=1e-6)


def test_params_elsewhere_than_at_the_maximum_are_refused():
    result = fitted(EMPLOYEE)
    moved = attrs.evolve(result.params, mean=result.params.mean + np.eye(3)[1])
    with pytest.raises(ValueError, match="still moves the params by"):
        fraction_missing_information((result.model, moved), EMPLOYEE)
    with pytest.raises(ValueError, match="still moves the params by"):
        fraction_missing_information(result, EMPLOYEE + 1)


def test_a_covariance_on_its_floor_is_refused():
    result = emkit.fit(MultivariateNormal(), SLEEP)
    with pytest.raises(ValueError, match="rests on its floor"):
        fraction_missing_information(result, SLEEP)


@pytest.mark.parametrize("fit", [None, "result", (1, 2)])
def test_something_else_than_a_fit_is_refused(fit):
    with pytest.raises(ValueError, match="or a pair"):
        fraction_missing_information(fit, EMPLOYEE)


@pytest.fixture
def rng():
    return np.random.default_rng(5)

"""How long a chain is, and what is said if it is too short."""

import numpy as np
import pytest
from emkit_mvn import MultivariateNormal
from emkit_mvn.kernels.rows import incomplete_rows
from emkit_mvn.multiple.chain import WorstFunction
from emkit_mvn.multiple.imputation import multiple_imputation
from mvn_tables import AIRQUALITY, EMPLOYEE, MISSVALS

import emkit
from emkit.errors import ConvergenceWarning


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def test_the_trace_is_correlated_as_the_rate_says():
    """In large samples the worst linear function is an autoregression whose coefficient is the rate of EM."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2000, 2)) @ [[1.0, 0.7], [0.0, 0.7]]
    x[rng.random(2000) < 0.7, 1] = np.nan
    imputations = multiple_imputation(x, 1, random_state=0, burn_in=5000)
    trace = imputations.trace
    assert len(trace) == 5000
    assert np.corrcoef(trace[1:], trace[:-1])[0, 1] == pytest.approx(imputations.rate, abs=0.05)
    assert trace.std() == pytest.approx(1, abs=0.15)


def test_the_worst_function_has_the_fraction_of_missing_information_that_is_the_rate():
    result = emkit.fit(MultivariateNormal(), EMPLOYEE, tol=0)
    worst = WorstFunction.of(result.model, result.params, incomplete_rows(EMPLOYEE))
    covariance = result.params.covariance
    product = worst.covariance @ covariance
    complete = (worst.mean @ covariance @ worst.mean + 2 * np.trace(product @ product)) / 20
    coefficients = np.concatenate([worst.mean, worst.covariance.ravel(), np.zeros(12)])
    observed = coefficients @ result.covariance(EMPLOYEE) @ coefficients
    assert 1 - complete / observed == pytest.approx(0.88504, abs=1e-4)
    assert complete / (1 - worst.rate) == pytest.approx(1, rel=1e-6)
    shift = np.array([1.0, 0.5, 2.0])
    assert worst(result.params.mean + shift, covariance) == pytest.approx(worst.mean @ shift)
    assert worst(result.params.mean, 1.1 * covariance) == pytest.approx(0.1 * np.trace(product))


def test_the_lengths_follow_from_the_rate():
    imputations = multiple_imputation(MISSVALS, 2, random_state=0)
    assert imputations.rate == pytest.approx(0.956, abs=0.001)
    assert imputations.spacing == int(np.ceil(np.log(0.05) / np.log(imputations.rate)))
    assert imputations.burn_in == 2 * imputations.spacing
    assert len(imputations.trace) == 3 * imputations.spacing
    assert multiple_imputation(AIRQUALITY, 2, random_state=0).spacing == 10


def test_imputations_too_much_alike_are_warned_of():
    with pytest.warns(ConvergenceWarning, match=r"0.885.* 2 steps leave an autocorrelation of 0.78"):
        multiple_imputation(EMPLOYEE, 2, spacing=2, random_state=0)

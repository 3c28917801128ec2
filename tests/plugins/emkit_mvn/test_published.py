"""Maxima of the likelihood that are published or were computed by several independent programs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from emkit_mvn import MultivariateNormal, NormalParams
from mvn_tables import (
    AIRQUALITY,
    APPLE,
    CHOLESTEROL,
    EMPLOYEE,
    FITNESS,
    LOG_SLEEP,
    MARIJUANA,
    MDATA,
    MISSVALS,
    MURRAY,
    NHANES,
)

import emkit

TABLES = {
    "airquality": AIRQUALITY,
    "apple": APPLE,
    "cholesterol": CHOLESTEROL,
    "employee": EMPLOYEE,
    "enders_iq_jp": EMPLOYEE[:, [0, 2]],
    "fitness": FITNESS,
    "mdata": MDATA,
    "missvals": MISSVALS,
    "nhanes": NHANES,
    "sleep_log9": LOG_SLEEP,
}
#: Converged by plain EM to 1e-13 of the deviations, and confirmed by direct maximisation.
REFERENCE = json.loads(Path(__file__).with_name("ml_reference.json").read_text())
MONOTONE = ("apple", "missvals", "cholesterol", "enders_iq_jp")


def without_constant(log_likelihood, table):
    """Return -2 log-likelihood without the 2 pi, as norm, norm2, mvnmle and SAS print it."""
    return -2 * log_likelihood - np.log(2 * np.pi) * np.count_nonzero(~np.isnan(table))


@pytest.mark.parametrize("accelerate", [None, "squarem", "anderson", "quasi_newton", "auto"])
@pytest.mark.parametrize("name", TABLES)
def test_every_accelerator_ends_at_the_maximum(name, accelerate):
    expected = REFERENCE[name]
    result = emkit.fit(MultivariateNormal(), TABLES[name], tol=0, accelerate=accelerate)
    assert result.converged
    deviations = np.sqrt(np.diag(expected["covariance"]))
    np.testing.assert_allclose(result.params.mean, expected["mean"], rtol=1e-7)
    errors = (result.params.covariance - expected["covariance"]) / np.outer(deviations, deviations)
    assert np.abs(errors).max() < 1e-7
    assert result.log_likelihood == pytest.approx(expected["log_likelihood"], rel=1e-12)


@pytest.mark.parametrize("start", ["usual", "independent columns"])
@pytest.mark.parametrize("accelerate", [None, "auto"])
@pytest.mark.parametrize("name", TABLES)
def test_the_default_stops_within_a_hundredth_of_a_standard_error(name, accelerate, start):
    table, expected, model = TABLES[name], REFERENCE[name], MultivariateNormal()
    params = None
    if start == "independent columns":
        usual = model.initialize(table, np.random.default_rng(0))
        params = NormalParams(usual.mean, np.diag(usual.scale**2), usual.scale, usual.coverage)
    result = emkit.fit(model, table, params, accelerate=accelerate)
    assert result.converged
    at_maximum = NormalParams(expected["mean"], expected["covariance"], result.params.scale, result.params.coverage)
    maximum = emkit.fit(model, table, at_maximum, tol=0)
    errors = maximum.standard_errors(table)
    assert (np.abs(result.params.mean - expected["mean"]) < 0.01 * errors.mean).all()
    off = np.abs(result.params.covariance - expected["covariance"])
    assert (off < 0.01 * errors.covariance).all()


@pytest.mark.parametrize("name", MONOTONE)
def test_monotone_patterns_need_no_iteration(name):
    """The factored likelihood (Little and Rubin 2019, section 7.4) equals the limit of EM to 1e-10."""
    table, model = TABLES[name], MultivariateNormal()
    start = model.initialize(table, np.random.default_rng(0))
    limit = emkit.fit(model, table, _independent(start), tol=0, accelerate=None, max_iter=20_000)
    assert limit.n_e_steps > 20
    deviations = np.sqrt(np.diag(start.covariance))
    np.testing.assert_allclose(start.mean / deviations, limit.params.mean / deviations, atol=1e-10)
    errors = (start.covariance - limit.params.covariance) / np.outer(deviations, deviations)
    assert np.abs(errors).max() < 1e-10
    assert emkit.fit(model, table).n_e_steps <= 3


def _independent(params):
    return NormalParams(params.mean, np.diag(params.scale**2), params.scale, params.coverage)


def test_cholesterol_as_norm2_prints_it():
    """Schafer's norm2, tests/emTests: means, the covariance and -2 log-likelihood."""
    result = emkit.fit(MultivariateNormal(), CHOLESTEROL, tol=0)
    np.testing.assert_allclose(result.params.mean, [253.9286, 230.6429, 222.2371], atol=5e-5)
    expected = [[2194.9949, 1454.617, 835.3973], [0, 2127.158, 1515.4584], [0, 0, 1952.2182]]
    # Its own EM stopped at a relative change of 1e-5.
    np.testing.assert_allclose(np.triu(result.params.covariance), expected, rtol=1e-5)
    assert without_constant(result.log_likelihood, CHOLESTEROL) == pytest.approx(615.9902, abs=1e-4)


def test_fitness_as_sas_prints_it():
    """SAS/STAT, PROC MI, EM algorithm for the maximum of the likelihood; SAS stops at a change of 1e-4."""
    result = emkit.fit(MultivariateNormal(), FITNESS, tol=0)
    np.testing.assert_allclose(result.params.mean, [47.104077, 10.554858, 171.381669], rtol=1e-6)
    assert without_constant(result.log_likelihood, FITNESS) == pytest.approx(254.4828, abs=5e-5)


def test_cement_with_gaps_as_mvnmle_prints_it():
    result = emkit.fit(MultivariateNormal(), MISSVALS, tol=0)
    np.testing.assert_allclose(
        result.params.mean, [6.655166, 49.965258, 11.769231, 27.047090, 95.423077], rtol=0, atol=2e-6
    )
    assert -without_constant(result.log_likelihood, MISSVALS) / 2 == pytest.approx(-86.9783238, abs=1e-7)


def test_marijuana_under_a_ridge_prior_as_norm2_prints_it():
    result = emkit.fit(MultivariateNormal(prior="ridge"), MARIJUANA, tol=0)
    expected = [7.681907, 16.88889, 14.77574, 5.264824, 7.555556, -2.602595]
    # norm2 had not converged to more digits than these.
    np.testing.assert_allclose(result.params.mean, expected, rtol=2e-4)
    assert without_constant(result.log_likelihood, MARIJUANA) == pytest.approx(252.7862, abs=5e-5)
    # What norm2 calls the log-posterior is -2 of it.
    assert without_constant(result.objective, MARIJUANA) == pytest.approx(434.1799, abs=5e-5)


def test_murray_between_two_maxima_is_a_saddle():
    """Murray (1977): no correlation is a saddle at covariance 5/2 I, the maxima are 8/3 and +-4/3."""
    model = MultivariateNormal()
    saddle = emkit.fit(model, MURRAY)
    assert saddle.log_likelihood == pytest.approx(-30.0333423863, abs=1e-9)
    np.testing.assert_allclose(saddle.params.covariance, 2.5 * np.eye(2), atol=1e-9)
    assert "saddle" in str(saddle.verify(MURRAY)).lower()
    for sign in (1, -1):
        start = NormalParams([0, 0], [[2.5, sign * 0.25], [sign * 0.25, 2.5]], saddle.params.scale, np.ones((2, 2)))
        result = emkit.fit(model, MURRAY, start, tol=0)
        np.testing.assert_allclose(result.params.covariance, [[8 / 3, sign * 4 / 3], [sign * 4 / 3, 8 / 3]], atol=1e-9)
        assert result.log_likelihood == pytest.approx(-29.9742864105, abs=1e-9)
    escaped = emkit.fit(model, MURRAY, escapes=1)
    assert escaped.log_likelihood == pytest.approx(-29.9742864105, abs=1e-6)
    several = emkit.fit(model, MURRAY, n_starts=6, rng=0)
    assert several.log_likelihood == pytest.approx(-29.9742864105, abs=1e-6)
    assert several.starts[0].objective < several.objective - 0.05


def test_complete_data_need_one_step():
    table = AIRQUALITY[~np.isnan(AIRQUALITY).any(axis=1)]
    result = emkit.fit(MultivariateNormal(), table)
    np.testing.assert_allclose(result.params.mean, table.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(result.params.covariance, np.cov(table.T, bias=True), rtol=1e-11, atol=1e-11)
    assert result.n_e_steps <= 3

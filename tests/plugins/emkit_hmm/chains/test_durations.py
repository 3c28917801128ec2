"""Laws of durations against scipy's distributions, their M-steps against a search."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
from emkit_hmm import (
    FreeDurationParams,
    FreeDurations,
    NegativeBinomialDurationParams,
    NegativeBinomialDurations,
    PoissonDurationParams,
    PoissonDurations,
)
from scipy import optimize, stats

POISSON = PoissonDurationParams(np.array([0.5, 3.0]))
NEGATIVE_BINOMIAL = NegativeBinomialDurationParams(np.array([0.5, 3.0]), np.array([0.2, 1.5]))
FREE = FreeDurationParams(np.array([[0.5, 0.5, 0, 0, 0, 0], [0.1, 0.1, 0.1, 0.1, 0.1, 0.5]]))
CUT = [(PoissonDurations(), POISSON), (NegativeBinomialDurations(), NEGATIVE_BINOMIAL)]
ALL = [*CUT, (FreeDurations(), FREE)]
NAMES = ["poisson", "negative binomial", "free"]


def uncut(params, n):
    """Return scipy's distribution functions of the durations less one at 0, ..., n - 1."""
    further = np.arange(n)
    if isinstance(params, PoissonDurationParams):
        return np.array([stats.poisson(rate).pmf(further) for rate in params.rates])
    pairs = zip(params.means, params.dispersions, strict=True)
    return np.array([stats.nbinom(1 / a, 1 / (1 + a * m)).pmf(further) for m, a in pairs])


@pytest.mark.parametrize(("law", "params"), CUT, ids=NAMES[:2])
@pytest.mark.parametrize("longest", [1, 3, 60])
def test_laws_are_those_of_scipy_cut_at_the_longest_duration(law, params, longest):
    expected = uncut(params, longest)
    found = np.exp(law.log_pmf(params, longest))
    np.testing.assert_allclose(found, expected / expected.sum(axis=1, keepdims=True), rtol=1e-11)
    np.testing.assert_allclose(law.cut_off(params, longest), 1 - expected.sum(axis=1), atol=1e-12)


def table(params):
    return np.array([np.ravel(getattr(params, field.name)) for field in attrs.fields(type(params))])


@pytest.mark.parametrize(("law", "params"), CUT, ids=NAMES[:2])
@pytest.mark.parametrize("longest", [4, 12, 60], ids=["much is cut", "some is cut", "nothing is cut"])
def test_the_m_step_is_the_maximum_that_a_search_finds(law, params, longest):
    """After some M-steps, since one need not arrive."""
    shape = np.exp(law.log_pmf(params, longest))
    counts = shape * np.array([[40.0], [70.0]]) * np.random.default_rng(0).uniform(0.7, 1.3, shape.shape)
    found = params
    for _ in range(5):
        found = law.m_step(found, counts)
    heights = (counts * law.log_pmf(found, longest)).sum(axis=1)
    for k in range(2):

        def fall(logs, k=k):
            other = type(params)(*np.exp(logs)[:, None])
            return -counts[k] @ law.log_pmf(other, longest)[0]

        searched = optimize.minimize(
            fall,
            np.log(table(params)[:, k]),
            method="Nelder-Mead",
            options={"maxiter": 4000, "fatol": 1e-11, "xatol": 1e-9},
        )
        assert heights[k] >= -searched.fun - 1e-7


@pytest.mark.parametrize("seed", range(10))
def test_no_m_step_ever_lowers_the_height(seed):
    rng = np.random.default_rng(seed)
    for law in (PoissonDurations(), NegativeBinomialDurations()):
        params = type(law.initialize(2, 5))(*rng.gamma(0.5, 6, size=(len(table(law.initialize(2, 5))), 2)))
        counts = rng.gamma(0.2, 20, size=(2, 5))
        before, after = ((counts * law.log_pmf(p, 5)).sum(axis=1) for p in (params, law.m_step(params, counts)))
        assert (after >= before - 1e-9 * (1 + np.abs(before))).all()


@pytest.mark.parametrize(("law", "params"), ALL, ids=NAMES)
def test_a_state_without_segments_keeps_its_law(law, params):
    counts = np.vstack([np.zeros(6), np.arange(6)])
    after = law.m_step(params, counts)
    for field in attrs.fields(type(params)):
        np.testing.assert_array_equal(getattr(after, field.name)[0], getattr(params, field.name)[0])


def test_segments_of_one_step_alone_have_mean_zero():
    counts = np.array([[5.0, 0, 0], [0.0, 4, 1]])
    np.testing.assert_allclose(PoissonDurations().m_step(POISSON, counts).rates[0], 0, atol=1e-12)
    assert NegativeBinomialDurations().m_step(NEGATIVE_BINOMIAL, counts).means[0] == 0
    assert np.isfinite(PoissonDurations().log_pmf(PoissonDurationParams(np.zeros(1)), 3)[0, 0])


def test_durations_less_varied_than_poissons_have_dispersion_zero():
    counts = np.array([[0, 0, 0, 10.0, 0] + [0] * 60])
    found = NegativeBinomialDurations().m_step(NegativeBinomialDurationParams(np.ones(1), np.ones(1)), counts)
    assert found.dispersions[0] == 0
    assert found.means[0] == pytest.approx(3)


def test_free_durations_are_shares():
    counts = np.array([[1.0, 3.0, 0.0], [2.0, 2.0, 4.0]])
    found = FreeDurations().m_step(FreeDurations().initialize(2, 3), counts).probabilities
    np.testing.assert_allclose(found, [[0.25, 0.75, 0], [0.25, 0.25, 0.5]])


@pytest.mark.parametrize(("law", "params"), CUT, ids=NAMES[:2])
def test_the_score_is_the_slope_of_the_height(law, params):
    counts = np.random.default_rng(0).gamma(1.0, 5, size=(2, 6))
    slopes, values = table(law.complete_score(params, counts)), table(params)
    for index in np.ndindex(values.shape):
        step = np.zeros(values.shape)
        step[index] = 1e-6
        high, low = (np.sum(counts * law.log_pmf(type(params)(*(values + s * step)), 6)) for s in (1, -1))
        assert slopes[index] == pytest.approx((high - low) / 2e-6, rel=1e-5, abs=1e-6)

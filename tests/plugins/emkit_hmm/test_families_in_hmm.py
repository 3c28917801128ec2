"""Every family of emissions in a small model: known distributions are found again, with gaps and without."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
from emkit_hmm import HiddenMarkovModel, Sequences, viterbi
from family_series import FAMILIES, states_of
from regimes import TRANSMAT

from emkit import fit, space
from emkit.families import Family

NAMES = list(FAMILIES)


def drawn(name, seed=0):
    family, draw, truth = FAMILIES[name]
    states = states_of(seed)
    return HiddenMarkovModel(2, family), draw(states, np.random.default_rng([seed, 1])), states, truth


def matched(model, params, data, states):
    """Return the params with states in the order of the truth, and how often they are decoded rightly."""
    same = np.mean(viterbi(model, params, data)[0] == states)
    order = np.array([0, 1] if same > 0.5 else [1, 0])
    return order, model.permuted(params, order), max(same, 1 - same)


@pytest.mark.parametrize("name", NAMES)
def test_known_distributions_are_found_again(name):
    """Every entry within five standard errors."""
    model, x, states, truth = drawn(name)
    result = fit(model, x, rng=0, n_starts=6)
    order, params, share = matched(model, result.params, x, states)
    assert result.converged
    assert share > 0.75
    errors = result.standard_errors(x)
    for field, values in truth.items():
        difference = np.abs(getattr(params.emission, field) - values)
        assert (difference <= 5 * getattr(errors.emission, field)[order]).all(), field
    assert (np.abs(params.chain.transmat - TRANSMAT) <= 5 * errors.chain.transmat[order]).all()


@pytest.mark.parametrize("name", NAMES)
def test_missing_rows_are_left_open(name):
    """Rows that nobody saw say nothing: cut out at the end they change nothing, inside they leave the fit near."""
    model, x, states, truth = drawn(name)
    x, states = x[:600], states[:600]
    params = fit(model, x, rng=0).params
    longer = np.vstack([x, np.full((20, x.shape[1]), np.nan)])
    assert model.log_likelihood(params, longer) == pytest.approx(model.log_likelihood(params, x), rel=1e-10)
    holed = x.copy()
    holed[np.random.default_rng(0).random(len(x)) < 0.1] = np.nan
    result = fit(model, holed, rng=0, n_starts=2)
    assert result.converged
    assert result.n_observations <= np.isfinite(holed).any(axis=1).sum()
    _, found, share = matched(model, result.params, holed, states)
    assert share > 0.7
    for field in truth:
        assert np.isfinite(getattr(found.emission, field)).all()


@pytest.mark.parametrize("name", NAMES)
def test_data_like_the_given_ones_come_from_the_params(name):
    """Lengths, gaps and covariates stay; a refit from the truth gains what chance allows."""
    model, x, _, _ = drawn(name)
    x = x[:500].copy()
    x[[3, 77]] = np.nan
    data = Sequences(x, [200, 300])
    params = fit(model, data, rng=0).params
    like = model.simulate(params, data, np.random.default_rng(0))
    np.testing.assert_array_equal(np.isnan(like.x).all(axis=1), np.isnan(x).all(axis=1))
    np.testing.assert_array_equal(like.lengths, [200, 300])
    if not model.emission.has_sampler and name != "autoregressive":
        np.testing.assert_array_equal(like.x[:, 1:], x[:, 1:])
    refitted = fit(model, like, params)
    gain = refitted.log_likelihood - model.log_likelihood(params, like)
    assert -1e-6 <= gain < 5 + 2 * refitted.n_parameters


@attrs.frozen(eq=False)
class RayleighParams:
    scales: np.ndarray = space.positive()


@attrs.frozen
class Rayleigh(Family):
    """A family of a user's own."""

    def log_density(self, params, x):
        return np.log(x / params.scales**2) - x**2 / (2 * params.scales**2)

    def fit(self, x, responsibilities, params=None):
        return RayleighParams(np.sqrt((responsibilities.T @ x**2)[:, 0] / (2 * responsibilities.sum(axis=0))))

    def sample(self, params, components, rng):
        return rng.rayleigh(params.scales[components])[:, None]


def test_a_family_of_fifteen_lines_is_enough():
    model, states = HiddenMarkovModel(2, Rayleigh()), states_of()
    x = np.random.default_rng(0).rayleigh(np.array([1.0, 5.0])[states])[:, None]
    x[[5, 6, 7, 300]] = np.nan
    result = fit(model, x, rng=0)
    assert result.converged
    found, errors = model.canonical(result.params), result.standard_errors(x)
    assert (np.abs(found.emission.scales - [1, 5]) < 5 * errors.emission.scales.max()).all()
    again = fit(model, model.sample(result.params, 800, np.random.default_rng(0)), rng=0)
    np.testing.assert_allclose(model.canonical(again.params).emission.scales, found.emission.scales, rtol=0.2)
    assert [len(part) for part in viterbi(model, result.params, [x[:9], x[9:]])] == [len(x), 2]

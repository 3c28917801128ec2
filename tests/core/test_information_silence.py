"""What the data say nothing of: NaN for it, closed forms for the rest, and a warning that names it."""

from __future__ import annotations

import attrs
import numpy as np
import pytest

import emkit
from emkit import information, space
from emkit.errors import DegenerateWarning

GROUPS = np.repeat([0, 0, 2, 3], 10)
DATA = np.column_stack([GROUPS, np.random.default_rng(0).normal(GROUPS, 1.0 + GROUPS), np.arange(40) % 3])


@attrs.frozen(eq=False)
class GroupParams:
    """Means of four groups, and the shares of three kinds of rows in each."""

    means: np.ndarray = space.real()
    shares: np.ndarray = space.simplex()


@attrs.frozen
class Groups(emkit.LatentModel):
    """Rows whose group is known: ``x | group k ~ Normal(means[k], 1)``, and group 1 has no rows.

    The shares of a group are those of three kinds of rows.
    """

    leaf_rows = 8

    def _parts(self, data):
        hits = (data[:, :1] == np.arange(4)).astype(float)
        parts = data[:, 2:] == np.arange(3)
        return hits, parts.astype(float)

    def e_step(self, params, data):
        hits, parts = self._parts(data)
        deviations = data[:, 1:2] - params.means
        log_density = -0.5 * deviations**2 + parts @ np.log(params.shares).T
        counts = hits.T @ parts
        return emkit.EStep(
            (hits.sum(axis=0), hits.T @ data[:, 1], counts), float(np.sum(hits * log_density)), len(data)
        )

    def m_step(self, params, statistics):
        n, sums, counts = statistics
        seen = n > 0
        means = np.where(seen, sums / np.where(seen, n, 1.0), params.means)
        shares = np.where(seen[:, None], counts / np.where(seen, n, 1.0)[:, None], params.shares)
        return GroupParams(means, shares)

    def complete_score(self, params, statistics):
        n, sums, counts = statistics
        return GroupParams(sums - n * params.means, counts / params.shares)

    def score_contributions(self, params, data):
        hits, parts = self._parts(data)
        deviations = hits * (data[:, 1:2] - params.means)
        return GroupParams(deviations, hits[:, :, None] * parts[:, None] / params.shares)


@attrs.frozen
class Plain(emkit.LatentModel):
    """The same without an exact score."""

    def e_step(self, params, data):
        return Groups().e_step(params, data)

    def m_step(self, params, statistics):
        return Groups().m_step(params, statistics)


def fitted(model=Groups()):
    rng = np.random.default_rng(1)
    return emkit.fit(model, DATA, GroupParams(np.arange(4.0), rng.dirichlet(np.ones(3), size=4)), tol=0)


def closed_form(params):
    """Return the errors of means and shares of the groups with rows, 1 / sqrt(n) and those of proportions."""
    n = np.array([20.0, np.nan, 10.0, 10.0])
    return 1 / np.sqrt(n), np.sqrt(params.shares * (1 - params.shares) / n[:, None])


@pytest.mark.parametrize("method", ["score", "likelihood", "sem"])
def test_what_has_no_rows_is_nan_and_the_rest_is_as_if_it_were_not_there(method):
    result = fitted()
    with pytest.warns(DegenerateWarning, match=r"say nothing of means\[1\], shares\[1, 0\] and 2 more"):
        errors = result.standard_errors(DATA, method)
    means, shares = closed_form(result.params)
    np.testing.assert_allclose(errors.means, means, rtol=1e-4)
    np.testing.assert_allclose(errors.shares, shares, rtol=1e-4)


@pytest.mark.parametrize("method", ["sandwich", "opg"])
def test_sums_of_squared_scores_leave_it_out_too(method):
    result = fitted()
    with pytest.warns(DegenerateWarning, match="say nothing of"):
        errors = result.standard_errors(DATA, method)
    expected = []
    for k in (0, 2, 3):
        rows, shares = DATA[k == GROUPS], result.params.shares[k]
        deviations, parts = rows[:, 1] - result.params.means[k], (rows[:, 2:] == np.arange(3)) / shares
        # Along the mean, and along the first two shares at the cost of the third.
        scores = np.column_stack([deviations, parts[:, :2] - parts[:, 2:]])
        own = np.linalg.inv(scores.T @ scores)[0, 0] if method == "opg" else np.sum(deviations**2) / len(rows) ** 2
        expected.append(np.sqrt(own))
    np.testing.assert_allclose(errors.means[[0, 2, 3]], expected, rtol=1e-4)
    assert np.isnan(errors.means[1])
    assert np.isnan(errors.shares[1]).all()


def test_a_model_without_a_score_says_the_same():
    result = fitted(Plain())
    with pytest.warns(DegenerateWarning, match=r"means\[1\]"):
        errors = result.standard_errors(DATA)
    np.testing.assert_allclose(errors.means, closed_form(result.params)[0], rtol=1e-4)


def test_a_function_of_it_has_no_error_and_other_functions_have_theirs():
    result = fitted()
    with pytest.warns(DegenerateWarning, match="say nothing of"):
        found = result.delta(lambda p: [p.means[1], p.means[0] * 2, p.means.sum()], DATA)
    np.testing.assert_allclose(found.standard_errors, [np.nan, 2 / np.sqrt(20), np.nan], rtol=1e-4)


def test_it_makes_an_estimate_not_determined_and_is_named():
    found = information.verify(Groups(), fitted().params, DATA)
    assert found.kind == "not determined"
    assert found.silent == ("means[1]", "shares[1, 0]", "shares[1, 1]", "shares[1, 2]")
    assert "say nothing of means[1]" in str(found)


def test_a_prior_that_says_something_of_it_gives_its_error():
    @attrs.frozen
    class WithPrior(Groups):
        def log_prior(self, params):
            return -0.5 * float(np.sum(params.means**2)) / 9.0 + float(np.sum(np.log(params.shares)))

        def m_step(self, params, statistics):
            n, sums, counts = statistics
            return GroupParams(sums / (n + 1 / 9.0), (counts + 1) / (n + 3)[:, None])

    result = fitted(WithPrior())
    errors = result.standard_errors(DATA)
    assert errors.means[1] == pytest.approx(3.0, rel=1e-4)
    np.testing.assert_allclose(errors.means[[0, 2, 3]], 1 / np.sqrt(np.array([20, 10, 10]) + 1 / 9), rtol=1e-4)


@attrs.frozen(eq=False)
class NormalParams:
    """A mean that says nothing of its own size, and a variance."""

    mean: float = space.real()
    variance: float = space.positive()


class Normal(emkit.LatentModel):
    """A normal distribution, without anything latent."""

    def e_step(self, params, x):
        deviations = (x - params.mean) ** 2
        density = -0.5 * (deviations / params.variance + np.log(2 * np.pi * params.variance)).sum()
        return emkit.EStep((float(len(x)), x.sum(), (x**2).sum()), float(density), len(x))

    def m_step(self, params, statistics):
        n, total, squares = statistics
        return NormalParams(total / n, squares / n - (total / n) ** 2)


@pytest.mark.parametrize("mean", [0.0, -2e-17, 3e-12])
def test_a_mean_that_is_zero_but_for_rounding_is_not_silent(mean):
    x = np.random.default_rng(0).normal(size=200)
    x = x - x.mean()
    params = NormalParams(mean, float(np.mean(x**2)))
    errors = information.standard_errors(Normal(), params, x)
    assert errors.mean == pytest.approx(np.sqrt(params.variance / 200), rel=1e-4)
    assert information.verify(Normal(), params, x).kind == "maximum"


class OfThePriorAlone(Normal):
    """A second number of which only the prior speaks."""

    def log_prior(self, params):
        return -0.5 * (params["free"] - 2.0) ** 2

    def e_step(self, params, x):
        return emkit.EStep((float(len(x)), x.sum()), -0.5 * float(((x - params["mean"]) ** 2).sum()), len(x))

    def m_step(self, params, statistics):
        return {"mean": statistics[1] / statistics[0], "free": 2.0}

    def score_contributions(self, params, x):
        return {"mean": x - params["mean"], "free": np.zeros(len(x))}


def test_a_sandwich_holds_what_the_prior_alone_determines():
    x = np.random.default_rng(0).normal(size=200)
    params = {"mean": float(x.mean()), "free": 2.0}
    errors = information.standard_errors(OfThePriorAlone(), params, x, method="sandwich")
    assert errors["mean"] == pytest.approx(np.sqrt(np.sum((x - x.mean()) ** 2)) / 200, rel=1e-4)
    assert errors["free"] == 0.0

"""Families inside a model: the driver, its acceleration, its scores and its files find all they need."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs
import numpy as np
import pytest

from emkit import EStep, LatentModel, fit, space
from emkit.families import (
    Autoregressive,
    AutoregressiveParams,
    Family,
    Gaussian,
    GaussianParams,
    GaussianPrior,
    LinearRegression,
    LinearRegressionParams,
    Mixture,
    MixtureParams,
    StudentT,
    StudentTParams,
    kmeans_responsibilities,
)
from emkit.families.regression.gaussian import DesignRows
from emkit.space import spaces_of
from emkit.testing import check_model
from emkit.tree import path_name

RNG = np.random.default_rng(12)
LABELS = RNG.integers(0, 2, size=150)
ROWS = RNG.normal(size=(150, 2)) @ np.array([[1.0, 0.4], [0.0, 1.0]]) + np.array([[0.0, 0.0], [4.0, -2.0]])[LABELS]
GAPS = np.where(RNG.random(ROWS.shape) < 0.1, np.nan, ROWS)
LINES = np.column_stack([np.where(LABELS, ROWS[:, 1], 5.0 - ROWS[:, 1]) + 0.3 * RNG.normal(size=150), ROWS[:, 1]])
#: Params that a file of the model below may hold; a class is known by being seen here.
HELD = (GaussianParams, StudentTParams, MixtureParams, LinearRegressionParams, AutoregressiveParams)


@attrs.frozen(eq=False)
class BlendParams:
    weights: np.ndarray = space.simplex()
    parts: Any = None


@attrs.frozen(eq=False)
class BlendStatistics:
    counts: np.ndarray
    parts: Any


@attrs.frozen
class Blend(LatentModel):
    """Two components of any family, the smallest model that uses every method of one."""

    family: Family
    leaf_rows: ClassVar[int | None] = None

    def prepare(self, leaf):
        return self.family.prepare(leaf) if isinstance(leaf, np.ndarray) else leaf

    def log_joint(self, params, x):
        with np.errstate(divide="ignore"):
            return self.family.log_density(params.parts, x) + np.log(params.weights)

    def e_step(self, params, data):
        x = self.prepare(data)
        joint = self.log_joint(params, x)
        totals = np.logaddexp.reduce(joint, axis=1)
        # A row that counts as missing tells nothing.
        seen = ~getattr(x, "missing", np.zeros(len(x), dtype=bool))
        shares = np.exp(joint - totals[:, None]) * seen[:, None]
        statistics = BlendStatistics(shares.sum(axis=0), self.family.statistics(params.parts, x, shares))
        return EStep(statistics, float(totals[seen].sum()), int(seen.sum()))

    def m_step(self, params, statistics):
        return BlendParams(
            statistics.counts / statistics.counts.sum(), self.family.m_step(params.parts, statistics.parts)
        )

    def initialize(self, data, rng):
        x = self.prepare(data)
        shares = kmeans_responsibilities(self.family.features(x), 2, rng)
        return BlendParams([0.5, 0.5], self.family.fit(x, 0.8 * shares + 0.1))

    def space(self, params):
        inner = spaces_of(self.family, params.parts)
        return {path_name(("parts", *path)): each for path, each in inner.items()}

    def log_prior(self, params):
        return self.family.log_prior(params.parts)

    def complete_score(self, params, statistics):
        weights = statistics.counts / params.weights
        return BlendParams(weights, self.family.complete_score(params.parts, statistics.parts))


CASES = {
    "gaussian": (Gaussian(), ROWS),
    "gaussian, tied": (Gaussian("tied"), ROWS),
    "gaussian, one column": (Gaussian("diag"), ROWS[:, :1]),
    "gaussian, gaps": (Gaussian(), GAPS),
    "gaussian, prior": (Gaussian("diag", prior=GaussianPrior(0.0, 1.0, 1.0, 4.0)), ROWS),
    "student, df known": (StudentT(4.0), ROWS),
    "student": (
        StudentT(covariance="diag"),
        np.random.default_rng(0).standard_t(3, size=(200, 1)) + 8 * np.tile([[0], [1]], (100, 1)),
    ),
    "regression": (LinearRegression(), LINES),
    "regression, one variance": (LinearRegression(shared_variance=True), LINES),
    "autoregression": (Autoregressive(1), np.cumsum(ROWS - ROWS.mean(axis=0), axis=0)),
}


@pytest.mark.parametrize("case", CASES)
def test_a_model_of_the_family_keeps_every_law_of_models(case):
    family, x = CASES[case]
    report = check_model(Blend(family), x)
    assert "params_survive_saving_and_pickling" in report.kept
    assert "the_gradient_vanishes_at_the_optimum" in report.kept


@pytest.mark.parametrize("case", CASES)
def test_every_accelerator_arrives_at_the_same_place(case):
    family, x = CASES[case]
    model = Blend(family)
    start = model.initialize(x, np.random.default_rng(0))
    found = [fit(model, x, start, accelerate=name, tol=1e-9, max_iter=5000) for name in (None, "squarem", "anderson")]
    assert all(result.converged for result in found)
    np.testing.assert_allclose([result.objective for result in found], found[0].objective, atol=1e-5)


def test_a_mixture_of_mixtures_climbs_and_saves():
    x = np.vstack([ROWS, ROWS + np.array([0.0, 9.0])])
    model = Blend(Mixture(Gaussian("diag"), 2))
    result = fit(model, x, rng=0)
    assert (np.diff(result.objectives) > -1e-7).all()
    # One weight, and two mixtures of one weight and two times two means and variances.
    assert result.n_parameters == 1 + 2 * (1 + 2 * 4)


def test_standard_errors_of_a_regression_are_those_of_least_squares():
    # With one component nothing is latent: s / sqrt(sum of squares), with the maximum likelihood variance.
    model, rows = Blend(LinearRegression()), LINES[LABELS == 1]
    start = model.initialize(rows, np.random.default_rng(0))
    alone = attrs.evolve(start.parts, coefficients=start.parts.coefficients[:1], variances=start.parts.variances[:1])
    result = fit(model, rows, BlendParams([1.0], alone), tol=1e-10)
    design = np.column_stack([np.ones(len(rows)), rows[:, 1]])
    expected = np.sqrt(np.diagonal(np.linalg.inv(design.T @ design)) * result.params.parts.variances[0])
    np.testing.assert_allclose(result.standard_errors(rows).parts.coefficients[0], expected, rtol=1e-5)


def test_prepared_rows_are_not_prepared_again():
    rows = LinearRegression().prepare(LINES)
    assert isinstance(rows, DesignRows)
    assert LinearRegression().prepare(rows) is rows

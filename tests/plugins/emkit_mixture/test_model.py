"""GaussianMixtureModel: the laws, the leaves, what it says of itself."""

from __future__ import annotations

import attrs
import matplotlib.figure
import numpy as np
import pytest
from emkit_mixture import GaussianMixtureModel, GaussianMixtureParams, WeightedRows
from scipy.stats import multivariate_normal

import emkit
from emkit import datasets
from emkit.engines import Workload
from emkit.testing import LAWS, DoesNotApply, check_model

FAITHFUL = datasets.old_faithful().values
TYPES = ("full", "tied", "diag", "spherical")


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("covariance", TYPES)
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
def test_the_laws(law, covariance, weighted):
    weights = np.random.default_rng(0).integers(1, 4, len(FAITHFUL)).astype(float)
    try:
        law(GaussianMixtureModel(2, covariance), (FAITHFUL, weights) if weighted else FAITHFUL)
    except DoesNotApply:
        assert law.__name__ == "the_e_step_reports_the_log_likelihood"


def test_the_laws_in_one_and_in_five_dimensions():
    rng = np.random.default_rng(2)
    for n_features in (1, 5):
        x = np.concatenate([rng.normal(size=(150, n_features)), rng.normal(3.0, 0.5, size=(100, n_features))])
        check_model(GaussianMixtureModel(2), x)


@pytest.mark.parametrize("covariance", TYPES)
def test_the_e_step_is_that_of_the_textbook(covariance):
    model = GaussianMixtureModel(3, covariance)
    params = model.initialize(FAITHFUL, np.random.default_rng(0))
    matrices = model.covariance.to_full(params.covariances, 3, 2)
    joint = np.column_stack(
        [
            w * multivariate_normal(m, c).pdf(FAITHFUL)
            for w, m, c in zip(params.weights, params.means, matrices, strict=True)
        ]
    )
    e_step = model.e_step(params, FAITHFUL)
    assert e_step.log_likelihood == pytest.approx(np.log(joint.sum(axis=1)).sum(), rel=1e-12)
    shares = joint / joint.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.posterior(params, FAITHFUL), shares, atol=1e-12)
    following = model.m_step(params, e_step.statistics)
    np.testing.assert_allclose(following.weights, shares.mean(axis=0), rtol=1e-11)
    np.testing.assert_allclose(following.means, shares.T @ FAITHFUL / shares.sum(axis=0)[:, None], rtol=1e-11)


def test_leaves_do_not_change_the_answer():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(5000, 3)) + rng.choice([0.0, 4.0], size=5000)[:, None]

    @attrs.frozen
    class SmallLeaves:
        whole = GaussianMixtureModel(2)
        leaf_rows = 700

        def __getattr__(self, name):
            return getattr(GaussianMixtureModel(2), name)

        def e_step(self, params, data):
            return self.whole.e_step(params, data)

        def prepare(self, leaf):
            return self.whole.prepare(leaf)

    start = GaussianMixtureModel(2).initialize(x, rng)
    workload = Workload.of(SmallLeaves(), x)
    assert [len(leaf.x) for leaf in workload.leaves] == [700] * 7 + [100]
    one, many = Workload.of(GaussianMixtureModel(2), x).e_step(start), workload.e_step(start)
    assert many.log_likelihood == pytest.approx(one.log_likelihood, rel=1e-13)
    np.testing.assert_allclose(many.statistics.second, one.statistics.second, rtol=1e-11, atol=1e-9)


def test_prepared_data_are_taken_as_they_are():
    model = GaussianMixtureModel(2)
    rows = model.prepare((FAITHFUL, np.ones(len(FAITHFUL))))
    assert isinstance(rows, WeightedRows)
    assert model.prepare(rows) is rows
    assert rows.x is FAITHFUL


def test_the_floor_is_part_of_the_space_and_the_fit_stays_monotone_on_it():
    x = np.column_stack([FAITHFUL, FAITHFUL[:, 0] * 2 + 1])
    result = emkit.fit(GaussianMixtureModel(2), x, rng=0)
    assert result.converged
    assert (np.diff(result.objectives) >= -1e-9).all()
    assert "floor" in " ".join(result.notes)
    standard = result.params.covariances / np.outer(result.params.scale, result.params.scale)
    assert np.linalg.eigvalsh(standard).min() == pytest.approx(1e-6, rel=1e-3)


def test_a_result_survives_its_file(tmp_path):
    result = emkit.fit(GaussianMixtureModel(3, "diag"), FAITHFUL, rng=0, n_starts=3)
    result.save(tmp_path / "fit.emkit")
    back = emkit.load(tmp_path / "fit.emkit")
    assert isinstance(back.params, GaussianMixtureParams)
    np.testing.assert_array_equal(back.params.covariances, result.params.covariances)
    assert (back.status, back.log_likelihood, back.n_e_steps) == (
        result.status,
        result.log_likelihood,
        result.n_e_steps,
    )
    assert [start.objective for start in back.starts] == [start.objective for start in result.starts]
    assert back.bic == result.bic
    assert back.model.covariance == result.model.covariance


@pytest.mark.parametrize("columns", [1, 2])
def test_it_draws_itself(columns, tmp_path):
    x = FAITHFUL[:, :columns]
    result = emkit.fit(GaussianMixtureModel(2), x, rng=0)
    figure = result.plot(x, tmp_path / "picture.png", ("eruptions", "waiting")[:columns])
    assert isinstance(figure, matplotlib.figure.Figure)
    assert figure.axes[0].get_xlabel() == "eruptions"
    assert (tmp_path / "picture.png").stat().st_size > 5000


def test_the_registry_finds_it():
    assert emkit.load_model("gaussian-mixture") is GaussianMixtureModel


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_components": 0}, "n_components must be a whole number of at least 1"),
        ({"n_components": 1.5}, "n_components must be a whole number"),
        ({"covariance": "banded"}, "'full', 'tied', 'diag', 'spherical'"),
        ({"floor": -1.0}, "floor must be at least 0"),
        ({"start": "hierarchical"}, "'kmeans'"),
    ],
)
def test_settings_are_checked_at_once(settings, message):
    with pytest.raises(ValueError, match=message):
        GaussianMixtureModel(**settings)

"""GaussianMixtureModel: the laws, the leaves, what it says of itself."""

from __future__ import annotations

import tracemalloc

import attrs
import matplotlib.figure
import numpy as np
import pytest
from emkit_mixture import GaussianMixtureModel, GaussianMixtureParams, StartingValues, WeightedRows
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
    assert (np.diff(result.objectives) >= -1e-10 * (1 + np.abs(result.objectives[1:]))).all()
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
        ({"floor": -1.0}, "floor must be a number of at least 0"),
        ({"start": "hierarchical"}, "'kmeans'"),
    ],
)
def test_settings_are_checked_at_once(settings, message):
    with pytest.raises(ValueError, match=message):
        GaussianMixtureModel(**settings)


def _fitted():
    return emkit.fit(GaussianMixtureModel(2), FAITHFUL, rng=0)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (GaussianMixtureModel(3), r"weights must have shape \(3,\).*found shape \(2,\)"),
        (GaussianMixtureModel(2, "diag"), r"covariances must have shape \(2, 2\).*found shape \(2, 2, 2\)"),
        (GaussianMixtureModel(2, "tied"), r"covariances must have shape"),
    ],
)
def test_params_of_another_model_are_refused(model, message):
    with pytest.raises(ValueError, match=message):
        emkit.fit(model, FAITHFUL, _fitted().params)


def test_params_of_other_columns_are_refused():
    result = _fitted()
    more = np.column_stack([FAITHFUL, FAITHFUL[:, 0]])
    for other in (FAITHFUL[:, :1], more):
        for ask in (
            lambda x: emkit.fit(result.model, x, result.params),
            result.standard_errors,
            lambda x: result.model.log_density(result.params, x),
            lambda x: result.model.posterior(result.params, x),
        ):
            with pytest.raises(ValueError, match=rf"n_features={other.shape[1]}, but the means of the params have 2"):
                ask(other)


def test_params_of_another_kind_are_refused():
    with pytest.raises(TypeError, match="Params must be GaussianMixtureParams; found ndarray"):
        emkit.fit(GaussianMixtureModel(2), FAITHFUL, np.zeros(3))


def test_starting_values_survive_the_file_of_a_result(tmp_path):
    start = StartingValues("random", weights=[0.5, 0.5], means=FAITHFUL[:2])
    result = emkit.fit(GaussianMixtureModel(2, start=start), FAITHFUL, rng=0)
    result.save(tmp_path / "fit.emkit")
    assert emkit.load(tmp_path / "fit.emkit").model == result.model


def test_params_that_do_not_fit_together_are_refused():
    params = attrs.evolve(_fitted().params, scale=np.ones(3))
    with pytest.raises(ValueError, match=r"scale must have shape \(2,\)"):
        emkit.fit(GaussianMixtureModel(2), FAITHFUL, params)


@pytest.mark.parametrize("data", [(FAITHFUL,), (FAITHFUL, np.ones(272), np.ones(272)), ()])
def test_data_are_a_matrix_or_a_pair(data):
    with pytest.raises(ValueError, match=rf"a pair \(matrix, weights\); found a tuple of length {len(data)}"):
        emkit.fit(GaussianMixtureModel(2), data, rng=0)


@pytest.mark.parametrize("weights", [np.ones(5), np.full(272, np.nan), -np.ones(272)])
def test_rows_and_weights_made_by_hand_are_checked(weights):
    with pytest.raises(ValueError, match="sample_weight"):
        WeightedRows(FAITHFUL, weights)
    with pytest.raises(ValueError, match="contains NaN"):
        WeightedRows(np.full((272, 2), np.nan))


def test_a_leaf_may_consist_of_rows_of_weight_zero():
    x = np.random.default_rng(0).normal(size=(68_536, 1))
    weights = np.r_[np.zeros(65_536), np.ones(3_000)]
    result = emkit.fit(GaussianMixtureModel(1), (x, weights), rng=0)
    np.testing.assert_allclose(result.params.means[0], x[65_536:].mean(axis=0), rtol=1e-9)
    assert result.n_observations == 3_000


@pytest.mark.parametrize("weight", [0.0, 1e308])
def test_the_weights_of_all_the_data_must_add_up(weight):
    with pytest.raises(ValueError, match="sample_weight"):
        emkit.fit(GaussianMixtureModel(2), (FAITHFUL, np.full(272, weight)), rng=0)


def test_where_no_row_counts_given_params_stay_as_they_are():
    start = _fitted().params
    result = emkit.fit(GaussianMixtureModel(2), (FAITHFUL, np.zeros(272)), start)
    assert result.status is emkit.Status.DEGENERATE
    assert "Nothing was observed" in result.message
    np.testing.assert_array_equal(result.params.means, start.means)


def test_rows_of_weight_zero_do_not_shape_the_units():
    absurd = np.vstack([FAITHFUL, [[1e300, -1e300]]])
    one = GaussianMixtureModel(2).initialize((absurd, np.r_[np.ones(272), 0.0]), np.random.default_rng(0))
    two = GaussianMixtureModel(2).initialize(FAITHFUL, np.random.default_rng(0))
    np.testing.assert_allclose(one.location, two.location, rtol=1e-13)
    np.testing.assert_allclose(one.scale, two.scale, rtol=1e-13)


def test_large_data_are_fitted_in_less_memory_than_they_take():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200_000, 16)) + 4 * rng.integers(0, 2, 200_000)[:, None]
    tracemalloc.start()
    result = emkit.fit(GaussianMixtureModel(2), x, rng=0, max_iter=20)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.6 * x.nbytes
    np.testing.assert_allclose(np.sort(result.params.means[:, 0]), [0, 4], atol=0.05)
    np.testing.assert_allclose(result.params.location, x.mean(axis=0), rtol=1e-12)


def test_a_start_on_large_data_draws_on_rows_that_count():
    x = np.random.default_rng(0).normal(size=(60_000, 2))
    x[:30_000] = 1e6
    weights = np.r_[np.zeros(30_000), np.full(30_000, 2.0)]
    params = GaussianMixtureModel(2).initialize((x, weights), np.random.default_rng(0))
    assert np.abs(params.means).max() < 5

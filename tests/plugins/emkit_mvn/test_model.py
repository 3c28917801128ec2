"""The multivariate normal with gaps: laws, weights, units, and data that are no pleasure."""

import attrs
import numpy as np
import pytest
from emkit_mvn import BlockDiagonal, InverseWishart, Known, MultivariateNormal
from mvn_tables import AIRQUALITY, CHOLESTEROL, EMPLOYEE, FITNESS, LOG_SLEEP, MARIJUANA, NHANES, SLEEP

import emkit
from emkit.testing import check_model

WEIGHTS = np.random.default_rng(0).integers(0, 4, len(CHOLESTEROL)) / 2


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (MultivariateNormal(), AIRQUALITY),
        (MultivariateNormal(), (CHOLESTEROL, WEIGHTS)),
        (MultivariateNormal("diag"), NHANES),
        (MultivariateNormal("spherical"), CHOLESTEROL),
        (MultivariateNormal("exchangeable"), CHOLESTEROL),
        (MultivariateNormal(BlockDiagonal("aab")), CHOLESTEROL),
        (MultivariateNormal(Known(np.diag([2000.0, 2000.0, 1900.0]))), CHOLESTEROL),
        (MultivariateNormal(mean=[250.0, 230.0, 220.0]), CHOLESTEROL),
        (MultivariateNormal(prior="ridge"), MARIJUANA),
        (MultivariateNormal(prior="jeffreys"), CHOLESTEROL),
        (MultivariateNormal(prior=InverseWishart(5, 1e3 * np.eye(3), [250.0, 230.0, 220.0], 4)), CHOLESTEROL),
    ],
    ids=str,
)
def test_it_obeys_every_law_of_a_model(model, data):
    check_model(model, data)


def test_a_weight_of_two_counts_a_row_twice():
    counts = np.arange(len(FITNESS)) % 3
    repeated = emkit.fit(MultivariateNormal(prior="ridge"), np.repeat(FITNESS, counts, axis=0), tol=0)
    weighted = emkit.fit(MultivariateNormal(prior="ridge"), (FITNESS, counts), tol=0)
    assert weighted.log_likelihood == pytest.approx(repeated.log_likelihood, rel=1e-12)
    assert weighted.n_observations == repeated.n_observations == counts.sum()
    np.testing.assert_allclose(weighted.params.covariance, repeated.params.covariance, rtol=1e-9)
    np.testing.assert_allclose(weighted.params.coverage, repeated.params.coverage)


def test_rows_without_a_cell_say_nothing():
    empty = np.full((7, 4), np.nan)
    with_empty = emkit.fit(MultivariateNormal(), np.concatenate([empty, NHANES]), tol=0)
    without = emkit.fit(MultivariateNormal(), NHANES, tol=0)
    assert with_empty.log_likelihood == pytest.approx(without.log_likelihood, rel=1e-14)
    assert with_empty.n_observations == 25 - np.isnan(NHANES).all(axis=1).sum()


@pytest.mark.parametrize("prior", [None, "ridge"])
@pytest.mark.parametrize("table", [EMPLOYEE, SLEEP], ids=["employee", "sleep"])
def test_the_fit_does_not_depend_on_units(table, prior):
    # A power of two, so that not a bit of the data changes, for the collinear columns of SLEEP.
    factor = 2.0 ** np.resize([10, -20, 0, 3], table.shape[1])
    model = MultivariateNormal(prior=prior)
    usual = emkit.fit(model, table)
    scaled = emkit.fit(model, table * factor)
    assert scaled.n_e_steps == usual.n_e_steps
    np.testing.assert_allclose(scaled.params.mean, usual.params.mean * factor, rtol=1e-9)
    np.testing.assert_allclose(scaled.params.covariance, usual.params.covariance * np.outer(factor, factor), rtol=1e-6)


@pytest.mark.parametrize("factor", [1e-140, 1e-100, 7.0, 1e140])
def test_the_fit_does_not_depend_on_extreme_units(factor):
    usual = emkit.fit(MultivariateNormal(), EMPLOYEE)
    scaled = emkit.fit(MultivariateNormal(), EMPLOYEE * factor)
    np.testing.assert_allclose(scaled.params.mean / factor, usual.params.mean, rtol=1e-6)
    np.testing.assert_allclose(scaled.params.covariance / factor / factor, usual.params.covariance, rtol=1e-5)


def test_the_fit_does_not_depend_on_where_zero_is():
    usual = emkit.fit(MultivariateNormal(), EMPLOYEE)
    shifted = emkit.fit(MultivariateNormal(), EMPLOYEE + 1e8)
    np.testing.assert_allclose(shifted.params.mean - 1e8, usual.params.mean, atol=1e-4)
    np.testing.assert_allclose(shifted.params.covariance, usual.params.covariance, atol=1e-3)


def test_units_beyond_the_range_of_floats_are_refused():
    with pytest.raises(ValueError, match=r"standard deviation of .* Give it in other units"):
        emkit.fit(MultivariateNormal(), EMPLOYEE * 1e-200)


def test_leaves_add_up():
    model = MultivariateNormal()
    params = model.initialize(AIRQUALITY, np.random.default_rng(0))
    whole = model.e_step(params, AIRQUALITY)
    parts = [model.e_step(params, AIRQUALITY[start : start + 20]) for start in range(0, 153, 20)]
    assert sum(part.log_likelihood for part in parts) == pytest.approx(whole.log_likelihood, rel=1e-13)
    np.testing.assert_allclose(sum(part.statistics.first for part in parts), whole.statistics.first, atol=1e-9)
    np.testing.assert_allclose(sum(part.statistics.second for part in parts), whole.statistics.second, atol=1e-9)


@pytest.mark.parametrize("unit", [1e-8, 1.0, 1e8])
def test_a_leaf_that_lacks_a_column_is_as_exact_as_the_others(unit):
    """Its likelihood says nothing of that column, so it does not depend on its unit, and nor does its rounding."""
    table = AIRQUALITY * [unit, 1, 1, 1, 1, 1]
    model = MultivariateNormal()
    params = model.initialize(table, np.random.default_rng(0))
    found = model.e_step(params, np.where([True, False, False, False, False, False], np.nan, table))
    without = model.initialize(AIRQUALITY[:, 1:], np.random.default_rng(0))
    alone = model.e_step(
        attrs.evolve(without, mean=params.mean[1:], covariance=params.covariance[1:, 1:]), AIRQUALITY[:, 1:]
    )
    assert found.log_likelihood == pytest.approx(alone.log_likelihood, rel=1e-12)
    assert alone.rounding < found.rounding < 10 * alone.rounding


@pytest.mark.parametrize("value", [5.0, 0.1, 123.456, 7e5 / 3, -1e8 - 0.1])
@pytest.mark.parametrize("n_samples", [3, 60, 20_000])
def test_a_constant_is_one_however_long_its_column(value, n_samples):
    """Its mean is a sum, which rounds: what is left of the column is no variation, and hides no fall as rounding."""
    table = np.column_stack([np.random.default_rng(0).normal(size=n_samples), np.full(n_samples, value)])
    result = emkit.fit(MultivariateNormal(), table)
    assert result.params.scale[1] == abs(value)
    assert result.params.mean[1] == pytest.approx(value, rel=1e-15)
    assert MultivariateNormal().e_step(result.params, table).rounding < 1e-9 * n_samples


def test_collinear_columns_fit_under_the_floor_and_say_so():
    """Of 62 mammals total sleep is the sum of two kinds of sleep: the likelihood has no maximum without a floor."""
    results = [emkit.fit(MultivariateNormal(), SLEEP, accelerate=name) for name in (None, "auto", "squarem")]
    for result in results:
        assert result.converged
        assert "rests on its eigenvalue floor" in " ".join(result.notes)
        assert np.isfinite(result.params.covariance).all()
        assert result.log_likelihood == pytest.approx(results[0].log_likelihood, abs=0.01)
    filled = MultivariateNormal().posterior(results[0].params, SLEEP).values
    # What is known of sleep is enough to fill the third kind in.
    one_gap = np.isnan(SLEEP[:, 2:5]).sum(axis=1) == 1
    np.testing.assert_allclose(filled[one_gap, 2] + filled[one_gap, 3], filled[one_gap, 4], atol=0.01)


def test_a_constant_column_stays_where_it_is():
    table = np.column_stack([EMPLOYEE, np.full(20, 3.0)])
    result = emkit.fit(MultivariateNormal(), table)
    assert result.converged
    assert result.params.mean[3] == pytest.approx(3.0, abs=1e-9)
    assert any("floor" in note for note in result.notes)
    usual = emkit.fit(MultivariateNormal(), EMPLOYEE)
    np.testing.assert_allclose(result.params.mean[:3], usual.params.mean, rtol=1e-4)


def test_fewer_rows_than_columns_fit_under_the_floor_or_a_prior():
    rng = np.random.default_rng(0)
    table = rng.normal(size=(8, 12))
    table[[1, 3, 4], [2, 7, 7]] = np.nan
    bare = emkit.fit(MultivariateNormal(), table, max_iter=200)
    assert any("floor" in note for note in bare.notes)
    assert np.isfinite(bare.params.covariance).all()
    with_prior = emkit.fit(MultivariateNormal(prior="ridge"), table)
    assert with_prior.converged
    assert with_prior.notes == ()


@pytest.mark.parametrize("n_samples", [1, 2])
def test_a_row_or_two_will_do(n_samples):
    result = emkit.fit(MultivariateNormal(), EMPLOYEE[10 : 10 + n_samples])
    assert np.isfinite(result.params.covariance).all()
    assert any("floor" in note for note in result.notes)


def test_two_columns_never_seen_together_are_named():
    table = np.random.default_rng(0).normal(size=(60, 3)) @ np.array([[1, 0.5, 0.5], [0, 1, 0.2], [0, 0, 1]])
    table[:30, 1] = np.nan
    table[30:, 2] = np.nan
    result = emkit.fit(MultivariateNormal(), table)
    assert any("No row sees columns 1 and 2 together" in note for note in result.notes)
    assert result.params.coverage[1, 2] == 0
    structured = emkit.fit(MultivariateNormal("diag"), table)
    assert structured.notes == ()


def test_a_table_is_simulated_with_the_gaps_and_weights_it_has():
    model, weights = MultivariateNormal(), np.linspace(1, 2, 28)
    result = emkit.fit(model, (CHOLESTEROL, weights))
    rows, same = model.simulate(result.params, (CHOLESTEROL, weights), np.random.default_rng(0))
    np.testing.assert_array_equal(np.isnan(rows), np.isnan(CHOLESTEROL))
    np.testing.assert_array_equal(same, weights)
    assert not np.array_equal(rows[:, 0], CHOLESTEROL[:, 0])


def test_a_parametric_bootstrap_knows_of_the_gaps():
    """A bootstrap of complete rows would give the smaller errors of complete data."""
    result = emkit.fit(MultivariateNormal(), AIRQUALITY)
    replicates = result.bootstrap(AIRQUALITY, n=200, kind="parametric", rng=0)
    by_information = result.standard_errors(AIRQUALITY).mean
    # Four standard errors of a standard deviation of 200 replicates.
    np.testing.assert_allclose(replicates.standard_errors.mean, by_information, rtol=4 / np.sqrt(400))
    complete = np.sqrt(np.diag(result.params.covariance) / 153)
    assert by_information[0] > 1.04 * complete[0]


@pytest.mark.parametrize("model", [MultivariateNormal(), MultivariateNormal(prior="ridge")], ids=str)
def test_every_way_to_the_information_tells_the_same(model):
    result = emkit.fit(model, EMPLOYEE, tol=0)
    errors = {name: result.standard_errors(EMPLOYEE, method=name) for name in ("score", "sem", "likelihood")}
    for name, rtol in (("sem", 1e-5), ("likelihood", 1e-3)):
        np.testing.assert_allclose(errors[name].mean, errors["score"].mean, rtol=rtol)
        np.testing.assert_allclose(errors[name].covariance, errors["score"].covariance, rtol=rtol)


def test_prepared_data_are_as_good_as_raw_ones():
    model = MultivariateNormal()
    raw = emkit.fit(model, LOG_SLEEP)
    prepared = emkit.fit(model, model.prepare(LOG_SLEEP))
    assert prepared.log_likelihood == raw.log_likelihood
    assert model.prepare(prepared := model.prepare(LOG_SLEEP)) is prepared


def test_threads_and_leaves_give_the_same_bits():
    rng = np.random.default_rng(0)
    table = rng.normal(size=(3000, 4)) @ rng.normal(size=(4, 4))
    table[rng.random(table.shape) < 0.2] = np.nan
    small = type("SmallLeaves", (MultivariateNormal,), {"leaf_rows": 256})()
    serial = emkit.fit(small, table)
    threads = emkit.fit(small, table, engine=2)
    np.testing.assert_array_equal(serial.params.covariance, threads.params.covariance)
    whole = emkit.fit(MultivariateNormal(), table)
    np.testing.assert_allclose(whole.params.covariance, serial.params.covariance, rtol=1e-9)

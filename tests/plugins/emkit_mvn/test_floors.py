"""Covariances above their floor, and tables that have no maximum without one."""

import numpy as np
import pytest
from collinear_tables import ORANGE
from emkit_mvn import MultivariateNormal, NormalImputer
from mvn_tables import EMPLOYEE, FITNESS

import emkit
from emkit import Status
from emkit.errors import DegenerateError, DegenerateWarning

COMPLETE = np.random.default_rng(0).normal(size=(30, 3))
SINGULAR = {
    "collinear": np.column_stack([COMPLETE, COMPLETE.sum(axis=1)]),
    "constant": np.column_stack([COMPLETE, np.ones(30)]),
    "one row": COMPLETE[:1],
    "few rows": COMPLETE[:3],
}


@pytest.mark.parametrize("floor", [0, 1e-300, 1e-17])
@pytest.mark.parametrize("table", SINGULAR.values(), ids=SINGULAR)
def test_a_singular_table_needs_a_floor_and_says_so(table, floor):
    with pytest.raises(DegenerateError, match=r"singular to working precision .*Give a larger floor"):
        emkit.fit(MultivariateNormal(floor=floor), table)
    with pytest.raises(DegenerateError, match=r"prior='ridge'"):
        NormalImputer(floor=floor).fit(table)


@pytest.mark.parametrize("floor", [0, 1e-14, 1e-12])
def test_with_gaps_the_climb_ends_before_rounding_makes_the_likelihood_fall(floor):
    """The more its covariance shrinks the likelier such a table is, until no E-step has a digit left."""
    table = np.where(np.random.default_rng(1).random((30, 4)) < 0.2, np.nan, SINGULAR["collinear"])
    for x in (table, ORANGE):
        result = emkit.fit(MultivariateNormal(floor=floor), x)
        assert result.status is Status.DEGENERATE
        assert "Give a larger floor" in result.message
        # All the way up it climbed.
        assert (np.diff(result.log_likelihoods) > 0).all()
    with pytest.warns(DegenerateWarning, match="too low to bound the likelihood"):
        NormalImputer(floor=floor).fit(table)


def test_twelve_juices_do_not_determine_the_covariance_of_eight_scores():
    on_floor = emkit.fit(MultivariateNormal(), ORANGE)
    assert on_floor.converged
    assert any("floor" in note for note in on_floor.notes)
    with_prior = emkit.fit(MultivariateNormal(prior="ridge"), ORANGE)
    assert with_prior.converged
    assert with_prior.notes == ()
    for model, result in ((MultivariateNormal(), on_floor), (MultivariateNormal(prior="ridge"), with_prior)):
        filled = model.posterior(result.params, ORANGE).values
        assert np.isfinite(filled).all()
        np.testing.assert_array_equal(filled[~np.isnan(ORANGE)], ORANGE[~np.isnan(ORANGE)])


@pytest.mark.parametrize("table", [EMPLOYEE, FITNESS, COMPLETE], ids=["employee", "fitness", "complete"])
def test_a_table_that_determines_its_covariance_needs_no_floor(table):
    without, usual = (emkit.fit(MultivariateNormal(floor=floor), table) for floor in (0, 1e-8))
    np.testing.assert_array_equal(without.params.covariance, usual.params.covariance)


@pytest.mark.parametrize("weights", [np.full(30, 1 / 3), np.random.default_rng(1).uniform(0.1, 3, 30)])
def test_weights_of_a_complete_table_are_no_gaps(weights):
    """A correlation of 1 - 1e-11 is no matter for a table without gaps, whatever the rounding of its weights."""
    table = np.column_stack([COMPLETE[:, 0], COMPLETE[:, 0] + 5e-6 * COMPLETE[:, 1]])
    result = emkit.fit(MultivariateNormal(floor=0), (table, weights))
    assert result.converged
    np.testing.assert_allclose(result.params.covariance, np.cov(table.T, ddof=0, aweights=weights), rtol=1e-9)


@pytest.mark.parametrize("floor", [0.4, 0.9])
@pytest.mark.parametrize("n_starts", [1, 3])
def test_a_floor_above_that_of_the_start_holds_from_the_start(floor, n_starts):
    result = emkit.fit(MultivariateNormal(floor=floor), EMPLOYEE, n_starts=n_starts, rng=0)
    scale = result.params.scale
    assert all(start.status is Status.CONVERGED for start in result.starts)
    smallest = np.linalg.eigvalsh(result.params.covariance / np.outer(scale, scale))[0]
    assert smallest == pytest.approx(floor, rel=1e-9)

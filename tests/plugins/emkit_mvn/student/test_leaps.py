"""Between tails and none: fits that end at the normal, and fits that leave it."""

import attrs
import numpy as np
import pytest
from emkit_mvn.model import MultivariateNormal
from emkit_mvn.student.leaps import to_normal
from emkit_mvn.student.model import MultivariateT
from scipy import stats
from student_rows import heavy_rows, some_params

import emkit


def test_rows_of_a_normal_may_have_no_tails_and_a_note_says_so():
    x = heavy_rows(n=200, df=np.inf, missing=0.1, seed=3)
    result = emkit.fit(MultivariateT(), x)
    assert result.params.tail == 0
    assert np.isinf(result.params.df)
    assert any("no heavier tails than a normal" in note for note in result.notes)
    assert result.log_likelihood == pytest.approx(emkit.fit(MultivariateNormal(), x).log_likelihood, abs=1e-5)
    for df in (1e4, 100.0, 10.0):
        assert emkit.fit(MultivariateT(df=df), x).log_likelihood < result.log_likelihood


def test_peaked_data_without_outliers_are_not_taken_for_a_normal():
    # Their kurtosis is below that of a normal, and yet a t distribution is far likelier.
    rng = np.random.default_rng(0)
    x = np.concatenate([0.01 * rng.standard_normal(66), np.repeat([-1.0, 1.0], 17) + 0.01 * rng.standard_normal(34)])
    assert stats.kurtosis(x) < 0
    result = emkit.fit(MultivariateT(), x[:, None])
    assert result.params.df < 2
    assert result.log_likelihood > emkit.fit(MultivariateNormal(), x[:, None]).log_likelihood + 10


def test_params_far_from_heavy_tailed_data_do_not_lead_to_the_normal():
    x = heavy_rows(n=500, df=4.0, missing=0.0)
    model = MultivariateT()
    params = some_params(model, x, 5.0)
    moved = emkit.fit(MultivariateNormal(), x).params
    assert model.log_likelihood(params, x) < MultivariateNormal().log_likelihood(moved, x)
    assert model.m_step(params, model.e_step(params, x).statistics).tail > 0


def test_light_tails_give_way_to_none_only_where_that_is_likelier_and_not_past_a_maximum():
    x = heavy_rows(n=200, df=np.inf, missing=0.1, seed=3)
    model = MultivariateT()
    params = emkit.fit(MultivariateT(df=50.0), x).params
    found = model.e_step(params, x)
    leap = to_normal(params, found.statistics.tail, model.floor)
    assert leap is not None
    assert leap.tail == 0
    assert model.log_likelihood(leap, x) > found.log_likelihood
    # By how much the kernel has to be higher to be as good as that of the normal.
    gain = model.log_likelihood(leap, x) - found.log_likelihood
    tail = found.statistics.tail
    for factor, leaps in ((0.999, True), (1.001, False)):
        likelier = attrs.evolve(tail, kernel=tail.kernel + factor * gain)
        assert (to_normal(params, likelier, model.floor) is not None) is leaps
    k = tail.distance / tail.seen
    slope = (tail.squares / k - 2 * tail.products) / k + tail.offset
    assert slope == pytest.approx(4 * model.complete_score(leap, model.e_step(leap, x).statistics).tail, rel=1e-9)
    for factor, leaps in ((0.999, True), (1.001, False)):
        heavier = attrs.evolve(tail, squares=tail.squares - factor * slope * k**2)
        assert (to_normal(params, heavier, model.floor) is not None) is leaps


def test_a_fit_that_starts_at_the_normal_finds_heavy_tails():
    x = heavy_rows()
    model = MultivariateT()
    usual = emkit.fit(model, x, tol=1e-9)
    result = emkit.fit(model, x, some_params(model, x, 0.0), tol=1e-9)
    assert result.log_likelihood == pytest.approx(usual.log_likelihood, abs=1e-7)
    assert result.params.df == pytest.approx(usual.params.df, rel=1e-3)


@pytest.mark.parametrize("extra", ["constant", "duplicated"])
def test_a_scatter_on_its_floor_does_not_keep_a_fit_from_the_normal(extra):
    # Their scatter cannot shrink to that of the normal of the same distances.
    x = heavy_rows(n=80, df=np.inf, missing=0.1, seed=3)
    column = np.full(80, 3.0) if extra == "constant" else x[:, 0]
    result = emkit.fit(MultivariateT(), np.column_stack([x, column]))
    assert result.params.tail == 0
    assert any("floor" in note for note in result.notes)
    lighter = emkit.fit(MultivariateT(df=1e5), np.column_stack([x, column]), tol=1e-9)
    assert lighter.log_likelihood < result.log_likelihood

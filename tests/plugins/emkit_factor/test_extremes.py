"""Factor models of data at the edge: constant or copied columns, vanishing noise, few rows, units of any size."""

from __future__ import annotations

import numpy as np
import pytest
from emkit_factor import (
    FactorAnalysis,
    FactorAnalysisModel,
    FactorAnalysisParams,
    PartialRows,
    ProbabilisticPCA,
)
from sklearn.datasets import load_iris, load_wine

import emkit
from emkit import Status
from emkit.errors import DegenerateError, DegenerateWarning

WINE, IRIS = load_wine().data, load_iris().data
HOLED = np.where(np.random.default_rng(0).random(WINE.shape) < 0.1, np.nan, WINE)
FACES = (FactorAnalysis, ProbabilisticPCA)


def _is_sound(result):
    params = result.params
    arrays = (params.mean, params.loadings, params.noise_variances)
    return np.isfinite(result.log_likelihood) and all(np.isfinite(array).all() for array in arrays)


@pytest.mark.parametrize("face", FACES)
def test_a_constant_column_is_fitted_and_told(face):
    x = np.c_[WINE[:, :5], np.full(178, 7.0)]
    if face is FactorAnalysis:
        with pytest.warns(DegenerateWarning, match=r"noise_variances\[5\] rests on its floor"):
            analysis = face(1).fit(x)
        assert analysis.noise_variance_[5] == pytest.approx(1e-6 * 49)
    else:
        # The noise that all columns share is not zero because one of them is constant.
        analysis = face(1).fit(x)
    assert analysis.mean_[5] == pytest.approx(7.0, rel=1e-12)
    assert abs(analysis.components_[:, 5]).max() < 1e-9
    assert _is_sound(analysis.result_)


@pytest.mark.parametrize("face", FACES)
def test_constant_data_are_fitted_and_told(face):
    with pytest.warns(DegenerateWarning, match="rests? on (its|their) floor"):
        analysis = face(1).fit(np.tile([3.0, 0.0, -5.0], (10, 1)))
    np.testing.assert_allclose(analysis.mean_, [3.0, 0.0, -5.0], atol=1e-12)
    assert _is_sound(analysis.result_)


def test_a_duplicated_column_is_a_heywood_case():
    x = np.c_[HOLED[:, :5], HOLED[:, 4]]
    with pytest.warns(DegenerateWarning, match=r"noise_variances\[4\] and 1 more rest on their floor"):
        analysis = FactorAnalysis(1, max_iter=5000).fit(x)
    np.testing.assert_allclose(analysis.noise_variance_[4:] / np.nanvar(HOLED[:, 4]), 1e-6, rtol=1e-3)
    np.testing.assert_allclose(analysis.components_[0, 4], analysis.components_[0, 5], rtol=1e-6)


def test_heywood_cases_end_on_the_floor_whatever_the_units():
    # Petal length explains itself: its noise variance vanishes at the maximum. The log-likelihood of numbers of 1e120
    # is so large that its rounding hides the last of the way.
    settings = {"tol": 1e-8, "max_iter": 20_000}
    for factor, gap in ((1.0, 1e-3), (1e-120, 1.0), (1e120, 1.0)):
        with pytest.warns(
            DegenerateWarning, match=r"noise_variances\[2\].*(rests? on (its|their) floor|on the way to a bound)"
        ):
            analysis = FactorAnalysis(1, **settings).fit(IRIS * factor)
        assert analysis.noise_variance_[2] / (IRIS[:, 2].var() * factor**2) == pytest.approx(1e-6, rel=gap)


def test_without_a_floor_a_heywood_case_goes_on_towards_zero():
    result = emkit.fit(FactorAnalysisModel(1, floor=0.0), IRIS, max_iter=500)
    assert _is_sound(result)
    shares = result.params.noise_variances / IRIS.var(axis=0)
    assert shares[2] < 1e-3 < shares[[0, 1, 3]].min()
    assert result.log_likelihood == pytest.approx(emkit.fit(FactorAnalysisModel(1), IRIS).log_likelihood, abs=0.05)


@pytest.mark.parametrize("noise", ["diagonal", "isotropic"])
@pytest.mark.parametrize("shape", [(3, 10), (2, 5), (5, 5), (4, 300)])
def test_fewer_rows_than_factors_or_columns_give_a_fit_with_a_note(noise, shape):
    x = np.random.default_rng(0).standard_normal(shape)
    result = emkit.fit(FactorAnalysisModel(shape[0], noise), x, max_iter=2000)
    assert _is_sound(result)
    assert any("floor" in note for note in result.notes)


@pytest.mark.parametrize("noise", ["diagonal", "isotropic"])
@pytest.mark.parametrize(("factor", "shift"), [(1e120, 0.0), (1e-120, 0.0), (1.0, 1e8), (1e-3, -1e5), (2.0**400, 1.0)])
def test_the_fit_does_not_depend_on_units_and_shifts(noise, factor, shift):
    model, x = FactorAnalysisModel(2, noise), HOLED / WINE.std(axis=0)
    one, two = emkit.fit(model, x), emkit.fit(model, (x + shift) * factor)
    # Cells shifted by 1e8 have lost half of their digits before the fit sees them.
    rtol = 1e-5 if shift == 1e8 else 1e-6
    n_cells = np.count_nonzero(~np.isnan(x))
    assert two.log_likelihood + n_cells * np.log(factor) == pytest.approx(one.log_likelihood, abs=1e-4)
    np.testing.assert_allclose(two.params.noise_variances / factor**2, one.params.noise_variances, rtol=10 * rtol)
    np.testing.assert_allclose(two.params.mean / factor - shift, one.params.mean, atol=rtol)
    ours, theirs = model.canonical(one.params), model.canonical(two.params)
    np.testing.assert_allclose(theirs.loadings / factor, ours.loadings, atol=20 * rtol)
    assert abs(one.n_e_steps - two.n_e_steps) <= 5


def test_no_digit_is_lost_where_data_lie_far_from_zero():
    x, model = np.round(IRIS * 10), FactorAnalysisModel(1)
    params = FactorAnalysisParams(np.array([58.0, 30.0, 37.0, 12.0]), np.full((4, 1), 2.0), np.full(4, 7.0))
    far = FactorAnalysisParams(params.mean + 2.0**45, params.loadings, params.noise_variances)
    np.testing.assert_array_equal(model.log_density(far, x + 2.0**45), model.log_density(params, x))


def test_columns_of_very_different_units_do_not_disturb_each_other():
    units = 10.0 ** np.linspace(-100, 100, 13)
    one = emkit.fit(FactorAnalysisModel(2), HOLED / WINE.std(axis=0))
    two = emkit.fit(FactorAnalysisModel(2), HOLED / WINE.std(axis=0) * units)
    np.testing.assert_allclose(two.params.noise_variances / units**2, one.params.noise_variances, rtol=1e-4)


def test_units_beyond_the_range_of_variances_are_named():
    with pytest.raises(ValueError, match="Column 0 has a standard deviation of"):
        FactorAnalysis(1).fit(WINE * 1e200)


def test_huge_and_tiny_weights_are_weights():
    one = emkit.fit(FactorAnalysisModel(2), HOLED)
    for factor in (1e200, 1e-200):
        two = emkit.fit(FactorAnalysisModel(2), (HOLED, np.full(178, factor)))
        assert two.log_likelihood / factor == pytest.approx(one.log_likelihood, rel=1e-6)


def test_a_part_of_the_data_without_cells_or_weights_adds_nothing():
    model = FactorAnalysisModel(2)
    params = model.initialize(HOLED, np.random.default_rng(0))
    for part in (np.full((4, 13), np.nan), (WINE[:4], np.zeros(4))):
        e_step = model.e_step(params, part)
        assert e_step.log_likelihood == 0
        assert e_step.n_observations == 0
        with pytest.raises(DegenerateError, match="No row of positive weight has an observed cell"):
            model.m_step(params, e_step.statistics)


def test_columns_never_seen_together_are_fitted():
    # Each half of the columns is seen in another half of the rows.
    x = WINE.copy()
    x[:89, 6:] = np.nan
    x[89:, :6] = np.nan
    result = emkit.fit(FactorAnalysisModel(1), x, max_iter=5000)
    assert _is_sound(result)
    assert result.status in {Status.CONVERGED, Status.STALLED}


def test_what_is_handed_in_is_never_written_to():
    x = HOLED.copy()
    rows = PartialRows(x)
    model = FactorAnalysisModel(2)
    params = model.initialize(rows, np.random.default_rng(0))
    model.impute(params, x)
    model.e_step(params, rows)
    np.testing.assert_array_equal(x, HOLED)
    assert rows.x is x


def test_a_single_column_is_a_normal_distribution():
    x = HOLED[:, :1]
    seen = x[~np.isnan(x)]
    with pytest.warns(DegenerateWarning, match="more than the covariances"):
        analysis = FactorAnalysis(1).fit(x)
    expected = -len(seen) / 2 * (np.log(2 * np.pi * seen.var()) + 1)
    assert analysis.result_.log_likelihood == pytest.approx(expected, abs=1e-5)


def _hardly_a_cell():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((60, 2)) @ rng.standard_normal((2, 6)) + 0.5 * rng.standard_normal((60, 6))
    return np.where(rng.random(x.shape) < 0.9, np.nan, x)


WITHOUT_MAXIMUM = {
    "a constant column": (np.c_[WINE[:, :4], np.full(178, 3.0)], "diagonal", "of column 4 vanishes"),
    "a column twice": (np.c_[HOLED[:, :4], HOLED[:, 0]], "diagonal", "of column 0 vanishes"),
    "two rows": (WINE[:2], "isotropic", "that all columns share vanishes"),
    "constant data": (np.full((10, 3), 2.0), "isotropic", "that all columns share vanishes"),
    "hardly a cell": (_hardly_a_cell(), "isotropic", "that all columns share vanishes"),
}


@pytest.mark.parametrize("case", WITHOUT_MAXIMUM)
@pytest.mark.parametrize("is_expanded", [False, True])
def test_without_a_floor_noise_that_vanishes_ends_the_fit_with_a_sentence(case, is_expanded):
    x, noise, words = WITHOUT_MAXIMUM[case]
    result = emkit.fit(FactorAnalysisModel(1, noise, floor=0.0, is_expanded=is_expanded), x, max_iter=3000, rng=0)
    assert result.status is Status.DEGENERATE
    assert words in result.message
    assert "with floor=0 the likelihood has no maximum: give a larger floor" in result.message
    assert _is_sound(result)


def test_without_a_floor_a_single_column_is_still_a_normal_distribution():
    x = HOLED[:, :1]
    variance = np.nanvar(x)
    result = emkit.fit(FactorAnalysisModel(1, floor=0.0), x)
    expected = -np.count_nonzero(~np.isnan(x)) / 2 * (np.log(2 * np.pi * variance) + 1)
    assert result.log_likelihood == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("factor", [1e160, 1e300])
def test_new_rows_however_far_have_scores_and_no_density(face, factor):
    analysis = face(2).fit(WINE)
    rows = HOLED[:4] * factor
    # Warnings are errors here, also those of overflow.
    assert (analysis.score_samples(rows) == -np.inf).all()
    assert analysis.score(rows) == -np.inf
    assert np.isfinite(analysis.transform(rows)).all()
    assert np.isfinite(analysis.impute(rows)).all()


def test_a_weight_beyond_all_others_is_a_weight():
    weights = np.ones(178)
    weights[3] = 1e200
    analysis = FactorAnalysis(1).fit(WINE, sample_weight=weights)
    assert _is_sound(analysis.result_)
    np.testing.assert_allclose(analysis.mean_, WINE[3], rtol=1e-6)

"""What factor models answer to data that no textbook has: an answer, or one clear sentence."""

from __future__ import annotations

import numpy as np
import pytest
from emkit_factor import (
    FactorAnalysis,
    FactorAnalysisModel,
    FactorAnalysisParams,
    InverseGamma,
    PartialRows,
    ProbabilisticPCA,
)
from scipy import sparse
from sklearn.datasets import load_iris, load_wine

import emkit
from emkit import Status
from emkit.errors import DegenerateError, DegenerateWarning, InvalidParamsError

WINE, IRIS = load_wine().data, load_iris().data
GAPS = np.random.default_rng(0).random(WINE.shape) < 0.1
HOLED = np.where(GAPS, np.nan, WINE)
FACES = (FactorAnalysis, ProbabilisticPCA)


def _is_sound(result):
    params = result.params
    arrays = (params.mean, params.loadings, params.noise_variances)
    return np.isfinite(result.log_likelihood) and all(np.isfinite(array).all() for array in arrays)


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize(
    ("x", "kind", "message"),
    [
        (np.where(WINE > 1000, np.inf, WINE), ValueError, "infinity"),
        (WINE + 1j, ValueError, "Complex data not supported"),
        ([["a", "b"], ["c", "d"]], ValueError, "strings"),
        ([[1.0, 2.0], [3.0]], ValueError, "ragged"),
        (np.empty((0, 2)), ValueError, r"0 sample\(s\)"),
        (np.empty((5, 0)), ValueError, r"0 feature\(s\)"),
        (WINE[:1], ValueError, "minimum of 2"),
        (WINE[:, 0], ValueError, "Reshape your data"),
        (np.zeros((4, 2, 2)), ValueError, "dim"),
        (sparse.csr_matrix(WINE), TypeError, "[Ss]parse"),
        (np.full((5, 2), np.nan), ValueError, r"Columns 0, 1 have no observed value"),
        (np.c_[WINE[:, 0], np.full(178, np.nan)], ValueError, r"Column 1 has no observed value"),
        (np.r_[WINE[:1, :2], np.full((3, 2), np.nan)], ValueError, "minimum of 2"),
    ],
    ids=[
        *("inf", "complex", "strings", "ragged", "no rows", "no columns", "one row", "1-D", "3-D", "sparse"),
        *("no cells", "an empty column", "one row with cells"),
    ],
)
def test_what_nothing_can_be_learnt_from_is_refused(face, x, kind, message):
    with pytest.raises(kind, match=message):
        face(1).fit(x)


def test_a_column_seen_only_in_rows_of_weight_zero_is_named():
    x, weights = WINE.copy(), np.ones(178)
    x[10:, 4] = np.nan
    weights[:10] = 0
    with pytest.raises(ValueError, match="Column 4 has no observed value in any row of positive weight"):
        emkit.fit(FactorAnalysisModel(1), (x, weights))
    with pytest.raises(ValueError, match="Column 4 has no observed value"):
        FactorAnalysis(1).fit(x, sample_weight=weights)


def test_many_empty_columns_are_counted():
    x = np.where(np.arange(13) < 9, np.nan, WINE)
    with pytest.raises(ValueError, match="Columns 0, 1, 2, 3, 4 and 4 more have no observed value"):
        FactorAnalysis(1).fit(x)


@pytest.mark.parametrize("weights", [np.zeros(178), -np.ones(178), np.ones(5), np.full(178, np.nan)])
def test_weights_that_cannot_be_are_refused(weights):
    with pytest.raises(ValueError, match="weight"):
        FactorAnalysis(1).fit(WINE, sample_weight=weights)
    with pytest.raises(ValueError, match="weight"):
        emkit.fit(FactorAnalysisModel(1), (WINE, weights))


@pytest.mark.parametrize("face", FACES)
def test_more_factors_than_columns_are_refused(face):
    with pytest.raises(ValueError, match="n_components=5 must be at most n_features=4"):
        face(5).fit(IRIS)
    with pytest.raises(ValueError, match="n_factors=5 must be at most n_features=4"):
        emkit.fit(FactorAnalysisModel(5), IRIS)


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("n_components", [0, -1, 1.5, "mle", True])
def test_a_number_of_factors_that_is_none_is_refused(face, n_components):
    with pytest.raises(ValueError, match="n_components must be a whole number of at least 1"):
        face(n_components).fit(IRIS)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"noise": "tied"}, "noise must be one of 'diagonal', 'isotropic'"),
        ({"floor": 1.0}, "floor must be a number of at least 0 and below 1"),
        ({"is_expanded": 1}, "is_expanded must be True or False"),
        ({"free_loadings": [1, 1]}, "free_loadings must be a matrix of True and False"),
        ({"free_loadings": np.full((4, 2), 0.5)}, "free_loadings must be a matrix of True and False"),
        ({"free_loadings": [[1, 0], [1, 0]]}, "leaves factor 1 without any loading"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        FactorAnalysisModel(2, **settings)


@pytest.mark.parametrize(("shape", "scale"), [(0.0, 1.0), (1.0, -1.0), (1.0, np.inf), ("a", 1.0)])
def test_a_prior_that_is_none_is_refused(shape, scale):
    with pytest.raises(ValueError, match="must be a finite number above 0"):
        InverseGamma(shape, scale)


def test_zeros_of_another_shape_than_the_data_are_refused():
    with pytest.raises(ValueError, match=r"free_loadings must have shape \(4, 2\)"):
        emkit.fit(FactorAnalysisModel(2, free_loadings=np.ones((5, 2), dtype=bool)), IRIS)


def test_params_of_another_shape_or_kind_are_refused():
    params = FactorAnalysisModel(1).initialize(IRIS, np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"loadings must have shape \(4, 2\)"):
        emkit.fit(FactorAnalysisModel(2), IRIS, params)
    with pytest.raises(ValueError, match=r"noise_variances must have shape \(1,\)"):
        emkit.fit(FactorAnalysisModel(1, "isotropic"), IRIS, params)
    with pytest.raises(TypeError, match="must be FactorAnalysisParams; found dict"):
        emkit.fit(FactorAnalysisModel(1), IRIS, {"mean": 0.0})
    with pytest.raises(ValueError, match="n_features=13, but the params have 4"):
        emkit.fit(FactorAnalysisModel(1), WINE, params)
    with pytest.raises(ValueError, match="tuple of length 3"):
        FactorAnalysisModel(1).prepare((IRIS, None, None))


def test_starting_loadings_where_there_should_be_none_are_refused():
    model = FactorAnalysisModel(2, free_loadings=np.tri(4, 2, dtype=bool))
    start = FactorAnalysisParams(np.zeros(4), np.ones((4, 2)), np.ones(4))
    with pytest.raises(InvalidParamsError, match=r"loadings\[0, 1\] must be 0 \(it is not free\)"):
        emkit.fit(model, IRIS, start)


def test_rows_of_another_width_are_refused():
    analysis = FactorAnalysis(1).fit(WINE)
    for method in (analysis.transform, analysis.impute, analysis.score_samples):
        with pytest.raises(ValueError, match="12 features"):
            method(WINE[:, :12])
    with pytest.raises(ValueError, match=r"X must have shape \(n_samples, 2\)"):
        ProbabilisticPCA(2).fit(WINE).inverse_transform(WINE)


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
    with pytest.warns(DegenerateWarning, match="rests on its floor"):
        analysis = face(1).fit(np.tile([3.0, 0.0, -5.0], (10, 1)))
    np.testing.assert_allclose(analysis.mean_, [3.0, 0.0, -5.0], atol=1e-12)
    assert _is_sound(analysis.result_)


def test_a_duplicated_column_is_a_heywood_case():
    x = np.c_[HOLED[:, :5], HOLED[:, 4]]
    with pytest.warns(DegenerateWarning, match=r"noise_variances\[4\] and 1 more rests on its floor"):
        analysis = FactorAnalysis(1, max_iter=5000).fit(x)
    np.testing.assert_allclose(analysis.noise_variance_[4:] / np.nanvar(HOLED[:, 4]), 1e-6, rtol=1e-3)
    np.testing.assert_allclose(analysis.components_[0, 4], analysis.components_[0, 5], rtol=1e-6)


def test_heywood_cases_end_on_the_floor_whatever_the_units():
    # Petal length explains itself: its noise variance vanishes at the maximum. The log-likelihood of numbers of 1e120
    # is so large that its rounding hides the last of the way.
    settings = {"tol": 1e-8, "max_iter": 20_000}
    for factor, gap in ((1.0, 1e-3), (1e-120, 1.0), (1e120, 1.0)):
        with pytest.warns(DegenerateWarning, match=r"noise_variances\[2\].*(rests on its floor|on the way to a bound)"):
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

"""What factor models answer to data that no textbook has: an answer, or one clear sentence."""

from __future__ import annotations

import numpy as np
import pytest
from emkit_factor import (
    FactorAnalysis,
    FactorAnalysisModel,
    FactorAnalysisParams,
    InverseGamma,
    ProbabilisticPCA,
)
from scipy import sparse
from sklearn.datasets import load_iris, load_wine

import emkit
from emkit.errors import InvalidParamsError

WINE, IRIS = load_wine().data, load_iris().data
GAPS = np.random.default_rng(0).random(WINE.shape) < 0.1
HOLED = np.where(GAPS, np.nan, WINE)
FACES = (FactorAnalysis, ProbabilisticPCA)


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
        ({"free_loadings": [[1, 0], [1]]}, "free_loadings must be a matrix of True and False"),
        ({"free_loadings": "x"}, "free_loadings must be a matrix of True and False"),
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


@pytest.mark.parametrize("prior", [0.5, "x", (1.0, 0.1), InverseGamma])
def test_what_is_no_prior_is_refused_before_the_fit(prior):
    with pytest.raises(TypeError, match=r"^prior must be an InverseGamma or None"):
        FactorAnalysisModel(1, prior=prior)
    with pytest.raises(TypeError, match=r"^noise_prior must be an InverseGamma or None"):
        FactorAnalysis(1, noise_prior=prior).fit(IRIS)


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


def test_params_without_any_size_are_refused():
    model, zeros = FactorAnalysisModel(1), np.zeros((4, 1))
    with pytest.raises(ValueError, match=r"scale\[0\] is 0: give each column noise, loadings or a scale above 0"):
        emkit.fit(model, IRIS, FactorAnalysisParams(IRIS.mean(axis=0), zeros, np.zeros(4)))
    with pytest.raises(InvalidParamsError, match=r"noise_variances\[1\] must be"):
        emkit.fit(model, IRIS, FactorAnalysisParams(IRIS.mean(axis=0), zeros, np.array([1.0, -1.0, 1.0, 1.0])))


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

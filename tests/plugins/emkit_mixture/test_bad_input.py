"""What the Gaussian mixture answers to data that no textbook has: an answer, or one clear sentence."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from emkit_mixture import GaussianMixture, GaussianMixtureModel
from scipy import sparse

import emkit
from emkit import Status, datasets
from emkit.errors import DegenerateWarning

FAITHFUL = datasets.old_faithful().values
TYPES = ("full", "tied", "diag", "spherical")
REFERENCE = -1130.2639601847


def _is_sound(result):
    params = result.params
    arrays = (params.weights, params.means, params.covariances)
    return np.isfinite(result.log_likelihood) and all(np.isfinite(array).all() for array in arrays)


def test_nan_is_refused_with_its_place_and_the_plugin_that_accepts_it():
    frame = pd.DataFrame(FAITHFUL.copy(), columns=["eruptions", "waiting"])
    frame.loc[7, "waiting"] = np.nan
    with pytest.raises(ValueError, match="NaN") as caught:
        GaussianMixture(2).fit(frame)
    assert "waiting" in str(caught.value)
    assert "7" in str(caught.value)
    assert "NormalImputer" in str(caught.value)


@pytest.mark.parametrize(
    ("x", "kind", "message"),
    [
        (np.where(FAITHFUL > 95, np.inf, FAITHFUL), ValueError, "infinity"),
        (FAITHFUL + 1j, ValueError, "Complex data not supported"),
        ([["a", "b"], ["c", "d"]], ValueError, "string|number|float"),
        ([[1.0, 2.0], [3.0]], ValueError, "length|shape|rows"),
        (np.empty((0, 2)), ValueError, r"0 sample\(s\)"),
        (np.empty((5, 0)), ValueError, r"0 feature\(s\)"),
        (FAITHFUL[:1], ValueError, "minimum of 2"),
        (FAITHFUL[:, 0], ValueError, "Reshape your data"),
        (np.zeros((4, 2, 2)), ValueError, "dim"),
        (sparse.csr_matrix(FAITHFUL), TypeError, "[Ss]parse"),
    ],
    ids=["inf", "complex", "strings", "ragged", "no rows", "no columns", "one row", "1-D", "3-D", "sparse"],
)
def test_what_is_no_matrix_of_numbers_is_refused(x, kind, message):
    with pytest.raises(kind, match=message):
        GaussianMixture(2).fit(x)


def test_a_masked_entry_is_missing_not_ignored():
    masked = np.ma.masked_array(FAITHFUL.copy(), mask=np.zeros_like(FAITHFUL, dtype=bool))
    masked[3, 1] = 9999.0
    masked.mask[3, 1] = True
    with pytest.raises(ValueError, match="NaN"):
        GaussianMixture(2).fit(masked)


@pytest.mark.parametrize("weights", [np.zeros(272), -np.ones(272), np.ones(5), np.full(272, np.nan)])
def test_weights_that_cannot_be_are_refused(weights):
    with pytest.raises(ValueError, match="weight"):
        GaussianMixture(2).fit(FAITHFUL, sample_weight=weights)


def test_fewer_rows_than_components_are_refused_in_one_sentence():
    with pytest.raises(ValueError, match=r"n_components=5 needs at least as many rows.*n_samples=3"):
        GaussianMixture(5).fit(FAITHFUL[:3])


DEGENERATE = {
    "constant column": np.column_stack([FAITHFUL, np.full(272, 7.0)]),
    "column of zeros": np.column_stack([FAITHFUL, np.zeros(272)]),
    "collinear columns": np.column_stack([FAITHFUL, FAITHFUL.sum(axis=1)]),
    "all rows equal": np.full((40, 2), 3.3),
    "two distinct rows": np.repeat([[1.0, 2.0], [3.0, 5.0]], 20, axis=0),
    "fewer rows than columns": np.random.default_rng(0).normal(size=(10, 15)),
    "as many rows as components": FAITHFUL[:3],
    "one outlier": np.vstack([FAITHFUL, [[1e12, -1e12]]]),
}


@pytest.mark.parametrize("covariance", TYPES)
@pytest.mark.parametrize("case", DEGENERATE)
def test_degenerate_data_are_fitted_under_the_floor(case, covariance):
    model = GaussianMixtureModel(3, covariance)
    result = emkit.fit(model, DEGENERATE[case], rng=0)
    assert _is_sound(result)
    assert result.status is Status.CONVERGED
    # Nearly singular covariances have densities with fewer digits.
    rounding = max(model.e_step(result.params, DEGENERATE[case]).rounding, 1e-12 * abs(result.objectives[0]))
    assert rounding < 1e-5 * (1 + abs(result.objectives[0]))
    assert np.diff(result.objectives).min() >= -rounding


@pytest.mark.parametrize("case", ["constant column", "collinear columns", "all rows equal", "fewer rows than columns"])
def test_the_floor_is_reported_when_it_holds_an_estimate_up(case):
    with pytest.warns(DegenerateWarning, match="floor"):
        mixture = GaussianMixture(2, random_state=0).fit(DEGENERATE[case])
    assert any("floor" in note for note in mixture.result_.notes)


@pytest.mark.filterwarnings("ignore::emkit.errors.DegenerateWarning")
def test_duplicated_rows_change_nothing_but_their_weight():
    one = GaussianMixture(2, random_state=0).fit(np.repeat(FAITHFUL, 3, axis=0))
    two = GaussianMixture(2, random_state=0).fit(FAITHFUL)
    np.testing.assert_allclose(one.means_, two.means_, rtol=1e-6)


@pytest.mark.parametrize("covariance", ["full", "tied", "diag"])
@pytest.mark.parametrize("factor", [1e-300, 1e-150, 1e-8, 1e8, 1e150])
def test_a_column_in_extreme_units_gives_the_rescaled_fit(factor, covariance):
    extreme = FAITHFUL * np.array([1.0, factor])
    if factor == 1e-300:
        with pytest.raises(ValueError, match=r"Column 1 has a standard deviation of 1[.]36e-299"):
            GaussianMixture(2, covariance_type=covariance, random_state=0).fit(extreme)
        return
    one = emkit.fit(GaussianMixtureModel(2, covariance), extreme, rng=0)
    two = emkit.fit(GaussianMixtureModel(2, covariance), FAITHFUL, rng=0)
    assert one.log_likelihood + 272 * np.log(factor) == pytest.approx(two.log_likelihood, abs=1e-6)
    np.testing.assert_allclose(one.params.means / [1, factor], two.params.means, rtol=1e-7)


def test_values_beyond_the_range_of_squares_are_refused_in_one_sentence():
    with pytest.raises(ValueError, match="leave the range of floats"):
        GaussianMixture(2).fit(FAITHFUL * 1e299)


@pytest.mark.parametrize("covariance", TYPES)
@pytest.mark.parametrize("shift", [1e4, 1e8])
def test_data_far_from_zero_give_the_shifted_fit(shift, covariance):
    """scikit-learn's diagonal and spherical fits fail at a shift of 1e8, its tied one is wrong from 1e7 on."""
    one = emkit.fit(GaussianMixtureModel(2, covariance), FAITHFUL + shift, rng=0)
    two = emkit.fit(GaussianMixtureModel(2, covariance), FAITHFUL, rng=0)
    # At 1e8 the data themselves are rounded to 1.5e-8.
    assert one.log_likelihood == pytest.approx(two.log_likelihood, abs=1e-5 if shift == 1e8 else 1e-8)
    np.testing.assert_allclose(one.params.means - shift, two.params.means, rtol=1e-6)


def test_tiny_units_do_not_drown_in_the_floor():
    """scikit-learn adds 1e-6 to every variance and finds no clusters in data of size 1e-4."""
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(-3, 1, (100, 2)), rng.normal(3, 1, (100, 2))])
    labels = [GaussianMixture(2, random_state=0).fit_predict(x * unit) for unit in (1.0, 1e-4, 1e-8)]
    np.testing.assert_array_equal(labels[0], labels[1])
    np.testing.assert_array_equal(labels[0], labels[2])


def test_without_a_floor_a_collapse_is_named_and_the_last_good_params_are_kept():
    x = np.vstack([FAITHFUL, np.repeat([[6.0, 110.0]], 5, axis=0)])
    model = GaussianMixtureModel(3, floor=0.0)
    labels = np.r_[np.arange(272) % 2, np.full(5, 2)]
    start = GaussianMixtureModel(3).params_of(x, np.eye(3)[labels])
    result = emkit.fit(model, x, start)
    assert result.status is Status.DEGENERATE
    assert "component 2" in result.message
    assert _is_sound(result)


@pytest.mark.parametrize("dtype", ["float32", "float16", "int64", "int8", "bool", ">f8", "longdouble", "object"])
def test_every_kind_of_number_is_computed_in_double_precision(dtype):
    x = (FAITHFUL > 70 if dtype == "bool" else np.round(FAITHFUL)).astype(dtype)
    expected = x.astype(np.float64)
    result = emkit.fit(GaussianMixtureModel(1), x, rng=0)
    np.testing.assert_allclose(result.params.means[0], expected.mean(axis=0), rtol=1e-12)


def test_read_only_and_fortran_ordered_data_are_not_touched():
    x = np.asfortranarray(FAITHFUL)
    x.setflags(write=False)
    before = x.copy()
    GaussianMixture(2, random_state=0).fit(x)
    np.testing.assert_array_equal(x, before)


def test_a_far_row_at_prediction_time_gets_an_answer():
    mixture = GaussianMixture(2, random_state=0).fit(FAITHFUL)
    far = np.array([[1e200, 1e200], [1e8, 1e8]])
    shares = mixture.predict_proba(far)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert mixture.score_samples(far)[0] == -np.inf


@pytest.mark.parametrize("covariance", TYPES)
@pytest.mark.parametrize("shift", [1e13, 1e14])
def test_data_so_far_from_zero_that_they_are_rounded_give_the_fit_of_what_is_left(shift, covariance):
    x = np.random.default_rng(0).normal(scale=3.3, size=(400, 2)) + 20 * (np.arange(400) % 2)[:, None]
    shifted = x + shift
    one = emkit.fit(GaussianMixtureModel(2, covariance), shifted, rng=0)
    two = emkit.fit(GaussianMixtureModel(2, covariance), shifted - shift, rng=0)
    assert one.status is Status.CONVERGED
    np.testing.assert_allclose(one.params.scale, two.params.scale, rtol=1e-10)
    np.testing.assert_allclose(np.sort(one.params.means - shift, axis=0), np.sort(two.params.means, axis=0), atol=0.1)
    assert one.log_likelihood == pytest.approx(two.log_likelihood, abs=0.1)


@pytest.mark.parametrize(
    ("constant", "scale"), [(0.0, 1.0), (7.0, 7.0), (-1e-90, 1e-90), (1e-120, 1.0), (1e150, 1.0), (0.1 + 0.2, 0.3)]
)
def test_a_constant_column_has_its_own_size_as_scale_or_one(constant, scale):
    column = np.full(272, constant)
    # One unit in the last place is no variation.
    column[0] = np.nextafter(constant, 0) if constant == 0.1 + 0.2 else constant
    params = GaussianMixtureModel(2).initialize(np.column_stack([FAITHFUL, column]), np.random.default_rng(0))
    assert params.scale[2] == pytest.approx(scale, rel=1e-12)
    assert params.location[2] == pytest.approx(constant, rel=1e-12, abs=0)


@pytest.mark.parametrize("covariance", TYPES)
@pytest.mark.parametrize("factor", [1e200, 1e-300])
def test_the_column_that_leaves_the_range_is_named_whatever_the_structure(covariance, factor):
    extreme = FAITHFUL[:, ::-1] * ([factor, factor] if factor < 1 else [1.0, factor])
    with pytest.raises(ValueError, match=f"Column {int(factor > 1)} has a standard deviation of"):
        emkit.fit(GaussianMixtureModel(2, covariance), extreme, rng=0)


def test_values_at_both_ends_of_the_range_are_refused_without_a_warning():
    with pytest.raises(ValueError, match=r"Column 0 has a standard deviation of 1e\+308"):
        emkit.fit(GaussianMixtureModel(2), np.array([[1e308], [-1e308]] * 10), rng=0)


@pytest.mark.parametrize("weight", [1e306, 1e305, 5e-324])
def test_a_score_does_not_depend_on_the_size_of_the_weights(weight):
    mixture = GaussianMixture(2, random_state=0).fit(FAITHFUL)
    score = mixture.score(FAITHFUL, sample_weight=np.full(272, weight))
    assert score == pytest.approx(mixture.score(FAITHFUL), rel=1e-12)
    with pytest.raises(ValueError, match=r"weight.*zero"):
        mixture.score(FAITHFUL, sample_weight=np.zeros(272))


@pytest.mark.parametrize("weight", [1e297, 1e-297])
def test_large_and_small_weights_give_the_same_fit(weight):
    result = emkit.fit(GaussianMixtureModel(2), (FAITHFUL, np.full(272, weight)), rng=0, tol=1e-6 * weight)
    np.testing.assert_allclose(
        result.params.means, emkit.fit(GaussianMixtureModel(2), FAITHFUL, rng=0).params.means, rtol=1e-3
    )


@pytest.mark.parametrize("weight", [1e308, 5e305, 5e-324])
def test_weights_whose_total_is_no_float_are_refused(weight):
    with pytest.raises(ValueError, match="sample_weight adds up to"):
        GaussianMixture(2).fit(FAITHFUL, sample_weight=np.full(272, weight))

"""The multivariate t distribution where data or settings are extreme: an answer, or one clear sentence."""

import numpy as np
import pytest
from emkit_mvn.student.model import MultivariateT
from student_rows import heavy_rows, some_params

import emkit
from emkit import Status
from emkit.errors import DegenerateError, InvalidParamsError


@pytest.mark.parametrize("far", [1e4, 1e8, 1e15, 1e100])
def test_far_outliers_hardly_move_the_fit(far):
    x = heavy_rows(n=100, df=np.inf, missing=0.1, seed=5)
    clean = emkit.fit(MultivariateT(), x[5:])
    dirty = x.copy()
    dirty[:5] = far * np.random.default_rng(6).standard_normal((5, 3))
    result = emkit.fit(MultivariateT(), dirty)
    assert result.converged
    spread = np.sqrt(np.diag(clean.params.scatter))
    assert (np.abs(result.params.location - clean.params.location) < 0.3 * spread).all()
    assert (result.model.posterior(result.params, dirty).weights[:5] < 1e-3).all()


def test_a_fit_is_equivariant_under_units():
    x = heavy_rows()
    factor, shift = np.array([1e-150, 3.0, 1e150]), np.array([0.0, 1e8, 0.0])
    result, moved = emkit.fit(MultivariateT(), x, tol=1e-9), emkit.fit(MultivariateT(), x * factor + shift, tol=1e-9)
    np.testing.assert_allclose((moved.params.location - shift) / factor, result.params.location, rtol=1e-4)
    np.testing.assert_allclose(
        moved.params.scatter / factor / factor[:, None], result.params.scatter, rtol=1e-3, atol=1e-4
    )
    assert moved.params.df == pytest.approx(result.params.df, rel=1e-3)


@pytest.mark.parametrize("extra", ["constant", "collinear", "mostly constant"])
def test_columns_without_spread_rest_on_the_floor(extra):
    x = heavy_rows(n=80, missing=0.0, df=10.0)
    column = {
        "constant": np.full(80, 7.0),
        "collinear": x.sum(axis=1),
        "mostly constant": np.where(np.arange(80) < 75, 7.0, x[:, 0]),
    }[extra]
    result = emkit.fit(MultivariateT(), np.column_stack([x, column]))
    assert result.converged
    assert any("floor" in note for note in result.notes)
    assert np.isfinite(result.params.scatter).all()


@pytest.mark.parametrize("n", [1, 2, 5])
def test_fewer_rows_than_columns_give_a_finite_fit_on_the_floor(n):
    result = emkit.fit(MultivariateT(), heavy_rows(n=n, d=6, missing=0.0))
    assert np.isfinite(result.log_likelihood)
    assert any("floor" in note for note in result.notes)


def test_columns_that_no_row_sees_together_are_named():
    x = heavy_rows(n=80)
    x[:40, 0], x[40:, 2] = np.nan, np.nan
    result = emkit.fit(MultivariateT(), x)
    assert any("No row sees columns 0 and 2 together" in note for note in result.notes)


def test_a_row_without_cells_says_nothing():
    x = heavy_rows(n=50)
    with_empty = np.vstack([x, np.full((1, 3), np.nan)])
    results = [emkit.fit(MultivariateT(), rows) for rows in (x, with_empty)]
    assert results[0].log_likelihood == pytest.approx(results[1].log_likelihood, rel=1e-12)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.array([[1.0, np.inf], [2.0, 3.0]]), "infinity"),
        (
            np.array([[1.0, np.nan], [2.0, np.nan]]),
            "Column 1 has no seen cell in rows of positive weight: leave it out",
        ),
        (np.full((3, 2), np.nan), "No column has a seen cell"),
        (np.array([[1.0], [2.0], [4.0], [1e200]]), "Column 0 has a cell"),
    ],
)
def test_data_that_say_nothing_or_too_much_are_refused(x, message):
    with pytest.raises(ValueError, match=message):
        emkit.fit(MultivariateT(), x)


def test_a_start_with_tails_too_heavy_is_refused():
    x = heavy_rows()
    model = MultivariateT(smallest_df=1.0)
    with pytest.raises(InvalidParamsError, match=r"tail = 1 / df must be between 0 .* and 1"):
        emkit.fit(model, x, some_params(model, x, 2.0))


def test_the_smallest_df_holds_and_a_note_says_so():
    x = heavy_rows(n=300, df=0.8, missing=0.0, seed=2)
    free, held = emkit.fit(MultivariateT(), x), emkit.fit(MultivariateT(smallest_df=2.0), x)
    assert free.params.df < 1
    assert held.params.df == pytest.approx(2.0)
    assert held.log_likelihood == pytest.approx(emkit.fit(MultivariateT(df=2.0), x).log_likelihood, abs=1e-5)
    assert any("heaviest allowed, df = 2" in note for note in held.notes)


def test_without_a_floor_singular_data_end_with_a_sentence_on_it():
    x = heavy_rows(n=80, missing=0.1, df=10.0)
    for column in (np.full(80, 7.0), x.sum(axis=1), x[:, 0]):
        result = emkit.fit(MultivariateT(floor=0.0), np.column_stack([x, column]))
        assert result.status is Status.DEGENERATE
        assert "singular to working precision" in result.message
        assert np.isfinite(result.params.scatter).all()


def test_weights_of_zero_shape_no_start():
    x, weights = heavy_rows(n=40), np.ones(40)
    x[30:], weights[30:] = 1e6, 0.0
    x[20:30] = np.nan
    model = MultivariateT()
    for seed in range(20):
        first, start = model.starts((x, weights), np.random.default_rng(seed), 2)
        # At a row that counts and has a cell.
        assert (start.location < 1e3).all()
        assert (start.location != first.location).any()


def test_rows_that_do_not_count_have_no_maximum():
    model, x = MultivariateT(), heavy_rows(n=5)
    params = model.initialize(x, np.random.default_rng(0))
    e_step = model.e_step(params, (x, np.zeros(5)))
    assert e_step.log_likelihood == 0
    with pytest.raises(DegenerateError, match="No row of positive weight has a seen cell"):
        model.m_step(params, e_step.statistics)


@pytest.mark.parametrize("df", [1e-20, 1e-3])
def test_the_heaviest_tails_give_finite_fits_and_finite_rows(df):
    x, model = heavy_rows(n=60), MultivariateT(df=df)
    result = emkit.fit(model, x, max_iter=100)
    assert np.isfinite(result.params.scatter).all()
    assert np.isfinite(result.log_likelihood)
    # Most latent weights of such tails are smaller than any float.
    assert np.isfinite(model.sample(result.params, 500, np.random.default_rng(0))).all()


@pytest.mark.parametrize("n", [0, -1, 1.5, "a", None])
def test_a_number_of_rows_to_draw_that_is_none_is_refused(n):
    params = MultivariateT().initialize(heavy_rows(), np.random.default_rng(0))
    with pytest.raises(ValueError, match="n must be a whole number of at least 1"):
        MultivariateT().sample(params, n, np.random.default_rng(0))

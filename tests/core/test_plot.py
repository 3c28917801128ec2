"""Pictures of a fit."""

from __future__ import annotations

import sys

import attrs
import numpy as np
import pytest
from toys import DEATHS, Parabola, PoissonMixture, PoissonMixtureParams, TablePoisson

import emkit

TABLE = np.column_stack(DEATHS)
PNG = b"\x89PNG\r\n"


@pytest.fixture(scope="module")
def result():
    return emkit.fit(PoissonMixture(), DEATHS, PoissonMixtureParams([0.4, 0.6], [1.0, 3.0]))


def line(ax, label):
    """Return the x and y of the line with a label, where it is drawn."""
    (found,) = (each for each in ax.get_lines() if each.get_label() == label)
    x, y = (np.asarray(each) for each in found.get_data())
    return x[np.isfinite(y)], y[np.isfinite(y)]


@pytest.mark.parametrize("max_iter", [1, 2, 10_000])
def test_a_picture_of_the_climb_is_written_without_data(tmp_path, max_iter):
    found = emkit.fit(PoissonMixture(), DEATHS, rng=0, max_iter=max_iter)
    figure = found.plot(path=tmp_path / "climb.png")
    assert (tmp_path / "climb.png").read_bytes().startswith(PNG)
    assert [ax.get_ylabel() for ax in figure.axes] == ["nats", "length relative to scale"]
    assert [ax.get_xlabel() for ax in figure.axes] == ["E-steps", "E-steps"]


def test_the_climb_shows_how_far_below_its_end_every_point_was(result):
    x, y = line(result.plot().axes[0], "objective below its end")
    below = result.objectives[-1] - result.objectives
    assert np.array_equal(x, result.history.n_e_steps[:-1])
    is_clear = below[:-1] > 1e-9
    assert is_clear.sum() > 10
    assert np.array_equal(y[is_clear], below[:-1][is_clear])


def test_the_climb_shows_the_estimated_gap_where_it_is_known(result):
    x, y = line(result.plot().axes[0], "estimated gap")
    known = np.isfinite(result.history.gaps)
    assert np.array_equal(x, result.history.n_e_steps[known])
    assert np.array_equal(y, np.maximum(result.history.gaps[known], y.min()))


def test_steps_are_shown_where_they_were_taken(result):
    x, y = line(result.plot().axes[1], "EM step")
    taken = np.isfinite(result.history.step_lengths)
    assert np.array_equal(x, result.history.n_e_steps[taken])
    assert np.array_equal(y, result.history.step_lengths[taken])


def test_values_below_rounding_lie_on_a_line_that_says_so():
    found = emkit.fit(Parabola(0.1), None, np.ones(2), accelerate=None, tol=0)
    ax = found.plot().axes[0]
    _, (rounding, _) = line(ax, "rounding")
    _, below = line(ax, "objective below its end")
    assert below[-1] == below.min() == rounding
    assert rounding < 1e-12


def test_points_above_the_end_are_left_out(result):
    history = attrs.evolve(result.history, objectives=result.objectives[::-1].copy())
    x, _ = line(attrs.evolve(result, history=history).plot().axes[0], "objective below its end")
    assert len(x) < len(result.objectives) / 2


def test_many_points_have_no_markers(result):
    plain = emkit.fit(PoissonMixture(), DEATHS, PoissonMixtureParams([0.4, 0.6], [1.0, 3.0]), accelerate=None)
    assert plain.n_iter > 150 > result.n_iter
    assert plain.plot().axes[0].get_lines()[0].get_marker() == "None"
    assert result.plot().axes[0].get_lines()[0].get_marker() == "o"


def test_every_curve_is_named_in_a_legend(result):
    for ax in result.plot().axes:
        named = [text.get_text() for text in ax.get_legend().get_texts()]
        assert named == [each.get_label() for each in ax.get_lines()]


def test_a_fit_without_steps_says_why_its_picture_is_empty():
    found = emkit.fit(PoissonMixture(), DEATHS, rng=0, max_iter=1)
    assert [text.get_text() for text in found.plot().axes[0].texts] == ["too few steps"]


def test_a_model_that_can_draw_itself_does_so_over_the_data(tmp_path):
    found = emkit.fit(TablePoisson(), TABLE, rng=0)
    figure = found.plot(TABLE, tmp_path / "fit.png", ["deaths", "days"])
    assert [ax.get_xlabel() for ax in figure.axes] == ["deaths", "E-steps"]
    assert (tmp_path / "fit.png").read_bytes().startswith(PNG)


def test_a_model_that_cannot_draw_itself_shows_the_climb_alone(result):
    assert [ax.get_ylabel() for ax in result.plot(DEATHS).axes] == ["nats", "length relative to scale"]


def test_without_matplotlib_the_error_says_how_to_install_it(result, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"emkit\[plot\]"):
        result.plot()


def test_a_path_in_the_place_of_data_is_told_so(result):
    with pytest.raises(TypeError, match=r"result.plot\(path='fit.png'\)"):
        result.plot("fit.png")

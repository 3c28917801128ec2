"""The report of a fit in a notebook."""

from __future__ import annotations

from html.parser import HTMLParser

import attrs
import numpy as np
import pytest
from toys import DEATHS, Parabola, PoissonMixture, PoissonMixtureParams

import emkit
from emkit import Start, Status
from emkit.report import report_rows

VOID = {"br", "hr"}


class Page(HTMLParser):
    """Checks that every element is closed in its place, and keeps all tags, texts and attributes."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.texts, self.attributes = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture(scope="module")
def result():
    return emkit.fit(PoissonMixture(), DEATHS, PoissonMixtureParams([0.4, 0.6], [1.0, 3.0]))


def shown(result):
    return Page(result._repr_html_())


def test_every_row_of_the_report_is_there(result):
    texts = shown(attrs.evolve(result, notes=("Component 1 is empty.",))).texts
    for label, text in report_rows(result):
        assert label in texts
        assert text in texts
    assert "Component 1 is empty." in texts


def test_estimates_are_there_with_six_decimals(result):
    texts = shown(result).texts
    assert {"weights", "rates", *(f"{rate:.6f}" for rate in result.params.rates)} <= set(texts)


def test_nothing_is_loaded_or_run(result):
    page = shown(result)
    assert set(page.tags) <= {"div", "table", "tbody", "tr", "th", "td", "hr", "svg", "title", "polyline"}
    assert not {"href", "src", "class"} & {name for name, _ in page.attributes} - {"class"}
    assert not any(name.startswith("on") or "url(" in (value or "") for name, value in page.attributes)


def test_colours_are_left_to_the_page(result):
    for name, value in shown(result).attributes:
        if name in ("style", "stroke", "fill"):
            assert "#" not in value
            assert "rgb" not in value
    assert "currentColor" in result._repr_html_()


HOSTILE = "<script>alert('x')</script>&\"</td></table>"


def test_what_users_write_is_escaped(result):
    class Hostile(PoissonMixture):
        objective_name = HOSTILE

        def __repr__(self):
            return HOSTILE

    params = {HOSTILE: np.ones(2), "nested": {HOSTILE: np.ones((2, 2, 2))}}
    found = attrs.evolve(result, model=Hostile(), notes=(HOSTILE,), message=HOSTILE, params=params)
    page = shown(found)
    assert "script" not in page.tags
    # The name, the model, the status, a note, and two names of fields.
    assert sum(HOSTILE in text for text in page.texts) == 6


def test_large_tables_end_in_dots(result):
    params = np.arange(1.0, 1501.0).reshape(50, 30)
    page = shown(attrs.evolve(result, model=Parabola(), params=params))
    numbers = [float(text) for text in page.texts if text.replace(".", "").isdigit() and "." in text]
    first = [*range(10), *range(40, 50)]
    columns = [*range(10), *range(20, 30)]
    assert set(params[np.ix_(first, columns)].ravel()) <= set(numbers)
    assert params[10, 0] not in numbers
    assert params[0, 10] not in numbers
    assert page.texts.count("…") == 20 + 21


@pytest.mark.parametrize("size", [1, 20])
def test_small_tables_are_whole(result, size):
    page = shown(attrs.evolve(result, model=Parabola(), params=np.full((size, size), 1.25)))
    assert page.texts.count("1.250000") == size**2
    assert "…" not in page.texts


@pytest.mark.parametrize("unit", [1e-9, 1e9])
def test_estimates_in_any_unit_keep_their_digits(result, unit):
    params = PoissonMixtureParams([0.5, 0.5], np.array([1.234567, 2.5]) * unit)
    assert any(text.startswith("1.234567e") for text in shown(attrs.evolve(result, params=params)).texts)


@pytest.mark.parametrize("params", [np.empty(0), np.zeros(3), np.array([np.nan, np.inf]), np.ones((2, 2, 2)), 1.5])
def test_estimates_of_any_shape_can_be_shown(result, params):
    shown(attrs.evolve(result, model=Parabola(), params={"value": params}))


def test_distinct_optima_are_a_table(result):
    starts = (Start(0, Status.CONVERGED, result.objective, 5, ""), Start(1, Status.CONVERGED, -2000.0, 5, ""))
    texts = shown(attrs.evolve(result, starts=starts)).texts
    place = texts.index("optima")
    assert texts[place + 1 : place + 4] == ["objective", "found", "status"]
    assert texts[place + 7 : place + 10] == ["-2000.000000", "1", "converged"]


def test_the_sparkline_goes_down_from_left_to_right(result):
    page = shown(result)
    (points,) = (value for name, value in page.attributes if name == "points")
    x, y = np.array([pair.split(",") for pair in points.split()], dtype=float).T
    assert (np.diff(x) > 0).all()
    # The y axis of a picture points down: a climb that comes closer to its end falls.
    assert (np.diff(y) >= 0).all()
    assert (x.min(), x.max(), y.min(), y.max()) == (2.0, 158.0, 2.0, 34.0)


def test_a_fit_without_steps_has_no_sparkline():
    found = emkit.fit(PoissonMixture(), DEATHS, rng=0, max_iter=1)
    assert "svg" not in shown(found).tags

"""How a report shows its model: as it is where that fits on a line, else without what is at its default."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import pytest
from toys import PoissonMixture

import emkit
from emkit.notebook import html_report
from emkit.report import describe_model


@attrs.frozen
class Round:
    """A choice without settings."""


@attrs.frozen
class Square:
    side: float = 1.0


@attrs.frozen
class Shape:
    kind: Any = attrs.field(factory=Round)
    sides: tuple[Any, ...] = attrs.field(default=(), converter=tuple)
    colours: dict[str, Any] = attrs.field(factory=dict)
    known: Any = None
    a_name_that_is_much_too_long_for_a_line: float = attrs.field(default=1, converter=float, kw_only=True)


@attrs.frozen
class Whole:
    n_components: int = 2
    shape: Shape = attrs.field(factory=Shape)
    floor: float = 1e-6
    _weight: float = 0.0
    option: Square = attrs.field(factory=Square, kw_only=True)
    double: int = attrs.field(default=attrs.Factory(lambda self: 2 * self.n_components, takes_self=True), kw_only=True)


@attrs.frozen
class Written:
    text: str = "x" * 120

    def __repr__(self):
        return f"Written(as its author wished, {self.text})"


@pytest.mark.parametrize(
    ("model", "text"),
    [
        (Whole(), "Whole(n_components=2, shape=Shape(kind=Round()))"),
        (Whole(5, floor=1e-3), "Whole(n_components=5, shape=Shape(kind=Round()), floor=0.001)"),
        (Whole(3, double=6), "Whole(n_components=3, shape=Shape(kind=Round()))"),
        (Whole(3, double=7), "Whole(n_components=3, shape=Shape(kind=Round()), double=7)"),
        (Whole(weight=0.5), "Whole(n_components=2, shape=Shape(kind=Round()), weight=0.5)"),
        (Whole(option=Square(2.0)), "Whole(n_components=2, shape=Shape(kind=Round()), option=Square(side=2.0))"),
        (Whole(shape=Shape(Square())), "Whole(n_components=2, shape=Shape(kind=Square()))"),
        (
            Whole(shape=Shape(sides=[Square()], colours={"red": [Square(3.0), Round()]})),
            "Whole(n_components=2, shape=Shape(kind=Round(), sides=(Square(),), "
            "colours={'red': [Square(side=3.0), Round()]}))",
        ),
        (
            Whole(shape=Shape(known=np.eye(2))),
            "Whole(n_components=2, shape=Shape(kind=Round(), known=array([[1., 0.], [0., 1.]])))",
        ),
    ],
)
def test_a_long_text_leaves_out_what_is_at_its_default(model, text):
    assert len(repr(model)) > 100
    assert describe_model(model) == text


def test_what_is_shown_makes_the_same_model_again():
    model = Whole(4, Shape(Square(2.0), [Square()]), weight=2.0, double=1)
    text = describe_model(model)
    assert "double=1" in text
    assert eval(text, {"Whole": Whole, "Shape": Shape, "Square": Square}) == model


def test_a_text_that_fits_on_a_line_and_one_that_somebody_has_written_stay_as_they_are():
    assert describe_model(PoissonMixture(2)) == "PoissonMixture(n_components=2)"
    assert describe_model(Square()) == "Square(side=1.0)"
    assert describe_model(Written()) == repr(Written())
    assert describe_model(object()) == "object()"


def test_a_part_that_cannot_be_put_back_alone_is_shown():
    @attrs.frozen
    class Pair:
        low: float = 0.0
        high: float = 1.0
        a_name_that_makes_the_text_long_enough_not_to_fit_on_one_line_of_a_report_of_emkit: float = 0.0

        def __attrs_post_init__(self):
            if self.low >= self.high:
                msg = "low must lie below high"
                raise ValueError(msg)

    assert describe_model(Pair(2.0, 3.0)) == "Pair(low=2.0, high=3.0)"


def test_reports_as_text_and_as_html_show_the_short_form():
    @attrs.frozen
    class Long(PoissonMixture):
        an_option_whose_name_is_so_long_that_there_is_no_room_for_it_beside_the_name_of_the_model: float = 0.0

    result = emkit.fit(Long(2), (np.arange(5.0), np.array([3.0, 9.0, 5.0, 2.0, 1.0])), rng=0, max_iter=3)
    assert "Long(n_components=2)" in result.summary()
    assert "Long(n_components=2)" in html_report(result)
    assert "no_room" not in result.summary()

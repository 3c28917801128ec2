"""What a fit shows while it runs."""

from __future__ import annotations

import re
import sys

import pytest
from toys import DEATHS, PoissonMixture

import emkit
from emkit import progress
from emkit.progress import Display, Screen, Silent, reporter


class Paper(Screen):
    """Keeps what is shown."""

    pause = 0.0

    def __init__(self):
        self.shown = []
        self.is_closed = False

    def show(self, n_e_steps, text):
        self.shown.append((n_e_steps, text))

    def close(self):
        self.is_closed = True


def point(n_e_steps, *, start=0, gap=float("inf"), elapsed=0.0):
    return emkit.Iterate(None, -12.5, -12.5, n_e_steps=n_e_steps, gap=gap, start=start, elapsed=elapsed)


def test_no_progress_is_silent():
    assert isinstance(reporter(False), Silent)


def test_objective_gap_and_time_left_are_shown():
    paper = Paper()
    display = Display(paper, tolerance=1e-6, n_starts=1)
    for n in range(1, 7):
        display.update(point(n, gap=10.0**-n if n > 1 else float("inf"), elapsed=60.0 * n))
    assert paper.shown[0] == (1, "objective -12.500000, gap unknown, time left unknown")
    assert paper.shown[4] == (5, "objective -12.500000, gap 1.0e-05, time left unknown")
    assert paper.shown[5] == (6, "objective -12.500000, gap 1.0e-06, time left under 1 s")


def test_the_time_left_comes_from_the_rate():
    paper = Paper()
    display = Display(paper, tolerance=1e-10, n_starts=1)
    for n in range(1, 6):
        display.update(point(n, gap=10.0**-n, elapsed=60.0 * n))
    assert paper.shown[-1] == (5, "objective -12.500000, gap 1.0e-05, time left 5 min")


def test_several_starts_are_numbered_and_their_e_steps_added():
    paper = Paper()
    display = Display(paper, tolerance=None, n_starts=3)
    for n_e_steps, start in ((1, 0), (4, 0), (1, 1), (7, 1), (9, 0)):
        display.update(point(n_e_steps, start=start))
    assert [count for count, _ in paper.shown] == [1, 4, 5, 11, 16]
    assert [text.partition(":")[0] for _, text in paper.shown] == [f"start {k} of 3" for k in (1, 1, 2, 2, 1)]


def test_starts_that_run_side_by_side_have_forecasts_of_their_own():
    paper = Paper()
    display = Display(paper, tolerance=1e-10, n_starts=2)
    for n in range(1, 6):
        display.update(point(n, gap=10.0**-n, elapsed=60.0 * n))
        display.update(point(n, gap=10.0 ** (-n / 2), elapsed=60.0 * n, start=1))
    assert paper.shown[-2][1].endswith("time left 5 min")
    assert paper.shown[-1][1].endswith("time left 15 min")


def test_points_between_two_texts_are_not_shown_but_the_last_one_is(monkeypatch):
    clock = iter([0.0, 0.0, 0.0, 0.3, 0.6, 1.2, 1.2, 1.5, 1.6])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    paper = Paper()
    paper.pause = 1.0
    display = Display(paper, tolerance=None, n_starts=1)
    for n in range(1, 6):
        display.update(point(n))
    assert [count for count, _ in paper.shown] == [1, 4]
    display.close()
    assert [count for count, _ in paper.shown] == [1, 4, 5]
    assert paper.shown[-1][1] == "objective -12.500000, gap unknown"
    assert paper.is_closed


def test_a_fit_without_points_closes_its_display():
    paper = Paper()
    Display(paper, tolerance=None, n_starts=1).close()
    assert paper.shown == []
    assert paper.is_closed


def test_only_a_tolerance_in_nats_gives_a_time(monkeypatch):
    given = []
    monkeypatch.setattr(progress, "_screen", Paper)
    monkeypatch.setattr(progress, "Display", lambda screen, tolerance, n_starts: given.append((tolerance, n_starts)))
    for tolerance in (None, emkit.GainTolerance(1e-3), emkit.StepTolerance(1e-3), emkit.Standstill()):
        reporter(True, tolerance, 4)
    assert given == [(None, 4), (1e-3, 4), (None, 4), (None, 4)]


@pytest.mark.parametrize("has_tqdm", [True, False])
def test_a_fit_ends_with_its_last_point_on_stderr(capsys, monkeypatch, has_tqdm):
    if has_tqdm:
        pytest.importorskip("tqdm")
    else:
        monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    result = emkit.fit(PoissonMixture(), DEATHS, rng=0, n_starts=2, progress=True)
    shown = capsys.readouterr()
    assert shown.out == ""
    total = sum(start.n_e_steps for start in result.starts)
    last = shown.err.replace("\r", "\n").strip().splitlines()[-1]
    assert last.startswith(f"emkit: {total} E-steps")
    shown_objective = re.search(r"objective (\S+), gap \S+\d", last)[1]
    assert float(shown_objective) == pytest.approx(result.objective, abs=1e-5)
    assert "time left" not in last

"""A fit that was killed, at any moment, goes on as if nothing had happened."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import attrs
import numpy as np
import pytest
from problems import PROBLEMS
from toys import DEATHS, SQUAREM_DEMO_START, PoissonMixture, PoissonMixtureParams, PoissonVector

import emkit
from emkit import Checkpoint, Status
from emkit.errors import FormatError

TESTS = Path(__file__).parents[1]
START = PoissonMixtureParams([0.4, 0.6], [1.0, 4.0])


def assert_same(one, two):
    """Everything but times is the same, to the last bit."""
    for field in attrs.fields(emkit.EMResult):
        before, after = getattr(one, field.name), getattr(two, field.name)
        if field.name == "history":
            for column in attrs.fields(type(before)):
                if column.name != "seconds":
                    np.testing.assert_array_equal(getattr(after, column.name), getattr(before, column.name))
        elif field.name == "params":
            for (_, x), (_, y) in zip(emkit.tree.leaves(before), emkit.tree.leaves(after), strict=True):
                np.testing.assert_array_equal(y, x)
        elif field.name not in ("model", "elapsed"):
            np.testing.assert_equal(after, before)


def in_pieces(folder, model, data, start, ends, **settings):
    """Return the fit that is stopped after each of some counts of E-steps, and resumed."""
    for end in ends:
        result = emkit.fit(model, data, start, max_iter=end, checkpoint=Checkpoint(folder, 0), **settings)
    return result


@pytest.mark.parametrize("accelerate", [None, "squarem", "anderson", "quasi_newton", "auto"])
@pytest.mark.parametrize("start", [SQUAREM_DEMO_START, np.array([0.5, 1.0, 3.0])])
def test_stopped_at_every_few_e_steps_it_takes_the_same_way(tmp_path, accelerate, start):
    whole = emkit.fit(PoissonVector(), DEATHS, start, accelerate=accelerate)
    stops = range(1, whole.n_e_steps, 1 if whole.n_e_steps < 200 else 97)
    pieces = in_pieces(tmp_path, PoissonVector(), DEATHS, start, [*stops, 10_000], accelerate=accelerate)
    assert_same(whole, pieces)


@pytest.mark.parametrize("index", [4, 6, 8, 12], ids=lambda index: PROBLEMS[index].name)
def test_every_kind_of_params_comes_back(tmp_path, index):
    problem = PROBLEMS[index]
    whole = emkit.fit(problem.model, problem.data, problem.start)
    stops = [1, 2, 3, 5, 8, 13, 21, 10_000]
    assert_same(whole, in_pieces(tmp_path, problem.model, problem.data, problem.start, stops))


def test_several_starts_with_short_runs_come_back(tmp_path):
    settings = {"n_starts": 4, "rng": 3, "short_runs": emkit.ShortRuns(5, 2)}
    whole = emkit.fit(PoissonMixture(3), DEATHS, **settings)
    assert_same(whole, in_pieces(tmp_path, PoissonMixture(3), DEATHS, None, [3, 7, 20, 10_000], **settings))


def test_starts_on_threads_come_back(tmp_path):
    whole = emkit.fit(PoissonMixture(3), DEATHS, n_starts=4, rng=3)
    assert_same(whole, in_pieces(tmp_path, PoissonMixture(3), DEATHS, None, [7, 10_000], n_starts=4, rng=3, engine=2))


@pytest.mark.parametrize("rng", [None, 5, np.random.SeedSequence(5)], ids=["none", "int", "sequence"])
def test_starts_not_yet_begun_get_the_streams_of_the_first_call(tmp_path, rng):
    def stop(point):
        if point.start == 1:
            raise StopIteration

    first = emkit.fit(PoissonMixture(), DEATHS, n_starts=3, rng=rng, callback=stop, checkpoint=tmp_path)
    assert len(first.starts) == 2
    again = emkit.fit(PoissonMixture(), DEATHS, n_starts=3, rng=rng, checkpoint=tmp_path)
    entropy = None if rng is None else 5
    if entropy is not None:
        assert [s.objective for s in again.starts] == [
            s.objective for s in emkit.fit(PoissonMixture(), DEATHS, n_starts=3, rng=entropy).starts
        ]
    assert again.starts[0].objective == first.starts[0].objective


def test_a_generator_gives_the_same_streams_again(tmp_path):
    whole = emkit.fit(PoissonMixture(), DEATHS, n_starts=3, rng=np.random.default_rng(2))
    for end in (3, 10_000):
        rng = np.random.default_rng(2)
        pieces = emkit.fit(PoissonMixture(), DEATHS, n_starts=3, rng=rng, max_iter=end, checkpoint=tmp_path)
    assert_same(whole, pieces)


def test_a_finished_fit_runs_its_e_steps_no_more(tmp_path):
    class Counting(PoissonVector):
        calls = 0

        def e_step(self, params, data):
            type(self).calls += 1
            return super().e_step(params, data)

    first = emkit.fit(Counting(), DEATHS, SQUAREM_DEMO_START, checkpoint=tmp_path)
    before = Counting.calls
    again = emkit.fit(Counting(), DEATHS, SQUAREM_DEMO_START, checkpoint=tmp_path)
    assert_same(first, again)
    # One to see that model and data are the same, and one to learn what an undeclared field is.
    assert Counting.calls - before <= 2


def test_a_smaller_tolerance_goes_on_from_the_end(tmp_path):
    first = emkit.fit(PoissonMixture(), DEATHS, START, accelerate=None, tol=1e-3, checkpoint=tmp_path)
    second = emkit.fit(PoissonMixture(), DEATHS, START, accelerate=None, tol=1e-6, checkpoint=tmp_path)
    assert second.n_e_steps > first.n_e_steps
    assert np.array_equal(second.objectives[: len(first.objectives)], first.objectives)
    assert second.converged


@pytest.mark.parametrize("model", [PoissonMixture(), PoissonVector()], ids=["other data", "other model"])
def test_a_checkpoint_of_another_fit_is_refused_and_kept(tmp_path, model):
    emkit.fit(PoissonMixture(), DEATHS, START, max_iter=5, checkpoint=tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    data = (DEATHS[0], DEATHS[1] + 1.0)
    start = START if isinstance(model, PoissonMixture) else SQUAREM_DEMO_START
    with pytest.raises(ValueError, match="another folder"):
        emkit.fit(model, data, start, checkpoint=tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_damaged_checkpoint_is_refused_and_kept(tmp_path):
    emkit.fit(PoissonMixture(), DEATHS, START, max_iter=5, checkpoint=tmp_path)
    path = tmp_path / "start-0.leg-0.emkit"
    damaged = path.read_bytes()[:-5]
    path.write_bytes(damaged)
    with pytest.raises(FormatError, match=r"start-0.leg-0.emkit cannot be used"):
        emkit.fit(PoissonMixture(), DEATHS, START, checkpoint=tmp_path)
    assert path.read_bytes() == damaged


def test_a_folder_that_cannot_be_written_is_told_at_once(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="give another folder as checkpoint"):
        emkit.fit(PoissonMixture(), DEATHS, START, checkpoint=tmp_path / "file")


def test_states_are_written_every_so_many_seconds(tmp_path, monkeypatch):
    now = [0.0]
    written = []
    monkeypatch.setattr("emkit.checkpoint.time.monotonic", lambda: now[0])
    write = emkit.storage.write
    monkeypatch.setattr(
        "emkit.checkpoint.storage.write", lambda path, tree: (written.append(now[0]), write(path, tree))
    )

    def tick(point):
        now[0] += 1.0

    result = emkit.fit(
        PoissonMixture(),
        DEATHS,
        START,
        accelerate=None,
        max_iter=50,
        callback=tick,
        checkpoint=Checkpoint(tmp_path, 10),
    )
    # The seed first; then at the first point, every ten points, and at the end.
    assert result.n_e_steps == 50
    assert written == [0.0, 1.0, 11.0, 21.0, 31.0, 41.0, 50.0]


SLOW_FIT = """
import signal, sys, time
# Where the tests run in the background, processes would begin deaf to an interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, {tests!r})
import emkit
from toys import DEATHS, PoissonMixture, PoissonMixtureParams

class Slow(PoissonMixture):
    def e_step(self, params, data):
        time.sleep({pause})
        return super().e_step(params, data)

print("begun", flush=True)
result = emkit.fit(
    Slow(3), DEATHS, n_starts=2, rng=7, max_iter=400, accelerate={accelerate!r},
    checkpoint=emkit.Checkpoint({folder!r}, 0.0),
)
result.save({out!r})
print(result.status.name, flush=True)
"""


def run_slow_fit(folder, out, accelerate, *, kill_after=None, by=signal.SIGKILL, pause=0.0005):
    """Return what a process prints that makes a fit, or is killed on the way."""
    where = {"tests": str(TESTS), "folder": str(folder), "out": str(out)}
    script = textwrap.dedent(SLOW_FIT).format(**where, accelerate=accelerate, pause=pause)
    path = os.pathsep.join(entry for entry in sys.path if entry)
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    if kill_after is not None:
        time.sleep(kill_after)
        process.send_signal(by)
    rest = process.stdout.read()
    process.wait()
    process.stdout.close()
    return rest.strip()


def load(path):
    return emkit.load(path, PoissonMixture, known=[PoissonMixtureParams])


class Slow(PoissonMixture):
    """Of the name that the processes below write."""


@pytest.mark.parametrize("accelerate", [None, "auto"])
def test_a_fit_killed_again_and_again_ends_where_it_would_have_ended(tmp_path, accelerate):
    whole = emkit.fit(Slow(3), DEATHS, n_starts=2, rng=7, max_iter=400, accelerate=accelerate)
    folder, out = tmp_path / "run", tmp_path / "result"
    rng = np.random.default_rng(11)
    seen = 0
    for _ in range(6):
        run_slow_fit(folder, out, accelerate, kill_after=float(rng.uniform(0.0, 0.15)))
        # Whatever stands there is whole.
        for file in folder.glob("*.emkit"):
            emkit.storage.peek(file)
            seen += 1
        if out.exists():
            break
    last = run_slow_fit(folder, out, accelerate)
    assert seen > 0
    assert last == whole.status.name
    assert_same(whole, emkit.load(out, Slow, known=[PoissonMixtureParams]))


def test_a_killed_fit_loses_no_more_than_it_did_since_its_last_write(tmp_path):
    folder = tmp_path / "run"
    run_slow_fit(folder, tmp_path / "none", None, kill_after=0.1)
    calls = []

    class Watching(Slow):
        def e_step(self, params, data):
            calls.append(params)
            return super().e_step(params, data)

    told = []
    emkit.fit(
        Watching(3),
        DEATHS,
        n_starts=2,
        rng=7,
        max_iter=400,
        accelerate=None,
        checkpoint=Checkpoint(folder, 0, known=[PoissonMixtureParams]),
        callback=told.append,
    )
    first = next(point for point in told)
    # Written at every point: the first new one continues the count.
    assert first.n_e_steps > 1


def test_ctrl_c_keeps_the_best_point_and_a_state_to_go_on_from(tmp_path):
    folder, out = tmp_path / "run", tmp_path / "result"
    # Without the interrupt it would take three seconds.
    status = run_slow_fit(folder, out, None, kill_after=0.1, by=signal.SIGINT, pause=0.004)
    assert status == Status.INTERRUPTED.name
    interrupted = emkit.load(out, Slow, known=[PoissonMixtureParams])
    assert interrupted.objective > -2100
    run_slow_fit(folder, out, None)
    whole = emkit.fit(Slow(3), DEATHS, n_starts=2, rng=7, max_iter=400, accelerate=None)
    assert_same(whole, emkit.load(out, Slow, known=[PoissonMixtureParams]))

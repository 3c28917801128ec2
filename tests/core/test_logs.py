"""What a fit writes to the log."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest
from toys import DEATHS, PoissonMixture

import emkit
from emkit import Start, Status, logs
from emkit.progress import Silent, reporter


@pytest.fixture(scope="module")
def result():
    return emkit.fit(PoissonMixture(), DEATHS, rng=0)


def test_importing_adds_a_handler_that_does_nothing_and_no_level():
    code = (
        "import logging, emkit; log = logging.getLogger('emkit'); "
        "print([type(h).__name__ for h in log.handlers], log.level, log.propagate, logging.getLogger().handlers)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "['NullHandler'] 0 True []"


def test_begin_and_end_of_a_fit_and_of_its_starts_are_information(caplog, result):
    with caplog.at_level(logging.INFO, logger="emkit"):
        logs.log_begin(PoissonMixture(), 2)
        logs.log_start(Start(0, Status.MAX_ITER, -2.5, 30, "Too slow."))
        logs.log_start(Start(1, None, float("-inf"), 0, "ValueError: no"))
        logs.log_end(result)
    assert {record.levelno for record in caplog.records} == {logging.INFO}
    assert {record.name for record in caplog.records} == {"emkit"}
    assert caplog.messages[:3] == [
        "fit of PoissonMixture begins, number of starts: 2",
        "start 0 ends MAX_ITER after 30 E-steps, objective -2.500000000",
        "start 1 failed: ValueError: no",
    ]
    assert caplog.messages[3].startswith("fit of PoissonMixture ends CONVERGED after ")
    assert caplog.messages[3].endswith(f" s, objective {result.objective:.9f}")


def test_every_accepted_point_is_for_debugging(caplog):
    with caplog.at_level(logging.DEBUG, logger="emkit"):
        result = emkit.fit(PoissonMixture(), DEATHS, rng=0, n_starts=1)
    messages = [record.message for record in caplog.records if record.levelno == logging.DEBUG]
    assert len(messages) == result.n_iter + 1
    for message, objective in zip(messages, result.objectives, strict=True):
        assert message.startswith("start 0, step ")
        assert f"objective {objective:.9f}" in message


def test_points_are_not_looked_at_unless_somebody_listens(caplog):
    with caplog.at_level(logging.INFO, logger="emkit"):
        assert type(reporter(False)) is Silent
    with caplog.at_level(logging.DEBUG, logger="emkit"):
        assert type(reporter(False)) is not Silent


def test_texts_are_made_only_for_those_who_listen(monkeypatch, result):
    made = []
    monkeypatch.setattr(logging.LogRecord, "getMessage", made.append)
    assert not logs.wants_points()
    logs.log_begin(PoissonMixture(), 1)
    logs.log_end(result)
    assert made == []

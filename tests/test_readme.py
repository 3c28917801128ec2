"""The README is executed: its commands, its Python blocks, and what it says they print."""

from __future__ import annotations

import re
import shlex
import sys
from contextlib import redirect_stdout
from io import StringIO
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest

from emkit.__main__ import main

README = Path(__file__).parents[1] / "README.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"-?\d+(?:\.\d*)?(?:e[-+]?\d+)?")
#: Lines about the way up, which differ between machines: seconds, E-steps, the last digits of a rate.
VARIES = re.compile(r"^(work|rejected|EM rate) |E-steps of plain EM")


def blocks() -> list[tuple[str, str]]:
    """Return language and text of every fenced block, in order."""
    return BLOCK.findall(README.read_text(encoding="utf-8"))


def commands() -> list[str]:
    return [text for language, text in blocks() if language == "sh"]


def lasting(text: str) -> tuple[list[str], list[str]]:
    """Return the words of a print, and its numbers but those that differ between machines."""
    # Numbers are padded to the longest of their column: a trailing zero makes a space.
    words = [" ".join(NUMBER.sub("#", line).split()).replace(" ]", "]") for line in text.splitlines()]
    lines = [line for line in text.splitlines() if not VARIES.search(line)]
    return [line for line in words if line], NUMBER.findall("\n".join(lines))


def e_steps(text: str) -> list[int]:
    """Return every count of E-steps in a print."""
    return [int(count) for count in re.findall(r"(\d+) E-steps", text)]


def assert_prints(printed: str, shown: str) -> None:
    words, numbers = lasting(printed)
    shown_words, shown_numbers = lasting(shown)
    assert words == shown_words
    assert e_steps(printed) == pytest.approx(e_steps(shown), rel=0.25)
    for number, expected in zip(numbers, shown_numbers, strict=True):
        # A fit ends within its tolerance of the optimum, and a last digit may be rounded either way.
        last_digit = 10.0 ** -len(expected.partition(".")[2]) if "." in expected else 0.0
        assert float(number) == pytest.approx(float(expected), rel=5e-6, abs=max(1.01 * last_digit, 1e-5)), expected


def test_the_readme_opens_with_exactly_two_commands_of_one_line():
    assert [language for language, _ in blocks()][:2] == ["sh", "sh"]
    assert len(commands()) == 2
    assert all(command.count("\n") == 1 for command in commands())


def test_the_first_command_prints_the_report_that_is_shown(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    _, _, emkit_command = commands()[0].partition("&& emkit ")
    shown = next(text for language, text in blocks() if language == "text")
    assert main(shlex.split(emkit_command)) == 0
    assert_prints(capsys.readouterr().out, shown)
    assert (tmp_path / "faithful.png").stat().st_size > 10_000


def test_the_python_blocks_run_in_order_and_print_what_is_shown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = ModuleType("readme")
    monkeypatch.setitem(sys.modules, "readme", module)
    compared = 0
    for (language, text), (following, shown) in pairwise([*blocks(), ("", "")]):
        if language != "python":
            continue
        printed = StringIO()
        with redirect_stdout(printed):
            exec(compile(text, str(README), "exec"), vars(module))
        if following == "text":
            assert_prints(printed.getvalue(), shown)
            compared += 1
        else:
            assert not printed.getvalue(), text
    assert compared >= 5


def test_the_readme_links_to_files_that_exist():
    targets = re.findall(r"\]\(([^)#:]+)\)", README.read_text(encoding="utf-8"))
    assert len(targets) > 5
    missing = [target for target in targets if not (README.parent / target).exists()]
    assert not missing

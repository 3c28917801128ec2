"""The command line lists, fits and checks models, and reports errors in one line."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import EntryPoint

import attrs
import numpy as np
import pytest
from toys import DEATHS, TablePoisson

import emkit
from emkit.__main__ import main

FIT = ("fit", "toy-poisson", "london_times_deaths")


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    """Register one toy in place of whatever is installed."""
    points = [EntryPoint("toy-poisson", "toys:TablePoisson", "emkit.models")]
    monkeypatch.setattr("emkit.registry.entry_points", lambda group: points)
    return points


def run(capsys, *arguments):
    """Return exit code, what was printed, and what was said on stderr."""
    code = main([str(argument) for argument in arguments])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def one_line_error(capsys, *arguments):
    code, out, err = run(capsys, *arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("emkit: ")
    assert err.count("\n") == 1
    return err


@pytest.fixture
def table(tmp_path):
    """Return the path of a CSV file with a column too many."""
    path = tmp_path / "counts.csv"
    rows = [f"{k},{y:g},{n:g}" for k, (y, n) in enumerate(zip(*DEATHS, strict=True))]
    path.write_text("\n".join(["row,deaths,days", *rows]))
    return path


def test_models_are_listed_with_where_they_come_from(capsys):
    assert run(capsys, "models") == (0, "toy-poisson  toys:TablePoisson\n", "")


def test_no_models_are_an_empty_list(capsys, registry):
    registry.clear()
    assert run(capsys, "models") == (0, "", "")


def test_a_fit_prints_the_data_and_the_summary(capsys):
    code, out, err = run(capsys, *FIT)
    expected = emkit.fit(TablePoisson(), np.column_stack(DEATHS), rng=0)
    assert (code, err) == (0, "")
    first, *rest = out.splitlines()
    assert first == "data            london_times_deaths: deaths, days"
    without_time = [line for line in expected.summary().splitlines() if not line.startswith("work")]
    assert [line for line in rest if not line.startswith("work")] == without_time


def test_settings_of_the_model_are_options(capsys):
    code, out, _ = run(capsys, *FIT, "--n-components", "3", "--label", "plain text")
    assert "TablePoisson(n_components=3, label='plain text', tol=1.0)" in out
    assert code == 0


def test_a_setting_named_like_an_option_of_fit_has_a_longer_name(capsys):
    _, out, _ = run(capsys, *FIT, "--tol", "1e-3", "--model-tol", "0.25")
    assert "tol=0.25" in out


def test_the_settings_are_explained_with_their_defaults(capsys):
    with pytest.raises(SystemExit) as caught:
        main([*FIT, "--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert "settings of TablePoisson" in shown
    assert "--n-components VALUE" in shown
    assert "default: 'none'" in shown


def test_options_of_the_fit_are_passed_on(capsys):
    code, out, _ = run(capsys, *FIT, "--max-iter", "3", "--n-starts", "4", "--seed", "7")
    expected = emkit.fit(TablePoisson(), np.column_stack(DEATHS), rng=7, n_starts=4, max_iter=3)
    assert f"{expected.log_likelihood:.6f}" in out
    assert "of 4 reached this objective" in out
    assert code == 1


def test_the_tolerance_is_that_of_the_fit(capsys):
    assert "At most 0.1 nats remain to be gained." in run(capsys, *FIT, "--tol", "0.1")[1]
    assert "At most 1e-06 nats remain to be gained." in run(capsys, *FIT)[1]


@pytest.mark.parametrize("columns", ["deaths,days", "1,2", " deaths , 2"])
def test_columns_are_chosen_by_name_or_number(capsys, table, columns):
    code, out, _ = run(capsys, "fit", "toy-poisson", table, "--columns", columns)
    assert code == 0
    assert "counts: deaths, days" in out
    assert "-1989.9458" in out


def test_an_unknown_column_is_answered_with_the_known_ones(capsys, table):
    for unknown in ("nights", "3", "-1", ""):
        err = one_line_error(capsys, "fit", "toy-poisson", table, f"--columns={unknown}")
        assert f"counts has no column {unknown!r}; it has row, deaths, days." in err


def test_a_saved_result_loads_by_its_registered_name(capsys, tmp_path):
    path = tmp_path / "fit.emkit"
    code, out, _ = run(capsys, *FIT, "--save", path)
    assert code == 0
    assert f"saved    {path}" in out
    back = emkit.load(path)
    assert back.model == TablePoisson()
    assert f"{back.log_likelihood:.6f}" in out


def test_a_picture_is_written(capsys, tmp_path):
    path = tmp_path / "fit.png"
    code, out, _ = run(capsys, *FIT, "--plot", path)
    assert code == 0
    assert f"picture  {path}" in out
    assert path.read_bytes().startswith(b"\x89PNG")


def test_progress_goes_to_stderr(capsys):
    _, out, err = run(capsys, *FIT, "--progress")
    assert "objective" in err
    assert "emkit:" not in out


def test_an_unknown_model_is_answered_with_the_known_ones(capsys):
    assert "toy-poisson" in one_line_error(capsys, "fit", "toy-poison", "london_times_deaths")


def test_options_before_the_model_are_answered_with_the_right_order(capsys):
    err = one_line_error(capsys, "fit", "--tol", "1e-3", "toy-poisson", "london_times_deaths")
    assert "Name the model before its options: emkit fit MODEL DATA" in err


def test_data_that_are_not_there_are_named(capsys):
    assert "'nowhere.csv'" in one_line_error(capsys, "fit", "toy-poisson", "nowhere.csv")


def test_what_the_model_says_of_the_data_is_the_error(capsys, table):
    assert "A table of two columns is expected, and this one has 3." in one_line_error(
        capsys, "fit", "toy-poisson", table
    )


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [("--tol", "-1", "tol must be"), ("--max-iter", "0", "max_iter must be"), ("--n-starts", "0", "n_starts must be")],
)
def test_a_value_out_of_range_is_refused(capsys, option, value, said):
    assert said in one_line_error(capsys, *FIT, f"{option}={value}")


def test_a_folder_that_is_not_there_cannot_be_saved_to(capsys, tmp_path):
    path = tmp_path / "nowhere" / "fit.emkit"
    code, _, err = run(capsys, *FIT, "--save", path)
    assert code == 2
    assert err.startswith("emkit: ")
    assert repr(str(path)) in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["fit"], ["nonsense"], ["fit", "toy-poisson"], [*FIT, "--nonsense", "1"]])
def test_a_wrong_command_shows_the_usage(capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: emkit" in capsys.readouterr().err


def test_a_sound_model_keeps_the_laws(capsys):
    code, out, _ = run(capsys, "check", "toys:TablePoisson", "london_times_deaths")
    assert code == 0
    assert "kept     the objective never falls" in out
    assert "BROKEN" not in out


def test_a_registered_name_will_do_for_a_check(capsys):
    assert run(capsys, "check", "toy-poisson", "london_times_deaths")[0] == 0


OWN_MODELS = """
from toys import TablePoisson

class Broken(TablePoisson):
    def m_step(self, params, statistics):
        following = super().m_step(params, statistics)
        return type(following)(following.weights, following.rates * 1.5)

class Shelf:
    model = TablePoisson()

class Raises(TablePoisson):
    error = KeyError("rate")

    def __init__(self, *args):
        raise self.error

class Fails(Raises):
    error = RuntimeError("two\\nlines")

class Leaves(Raises):
    error = SystemExit(7)

class Silent(Raises):
    error = ValueError()
"""


@pytest.fixture
def own_models(tmp_path, monkeypatch):
    """Put a module of the caller's own in the current folder."""
    (tmp_path / "own_models.py").write_text(OWN_MODELS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    sys.modules.pop("own_models", None)


@pytest.mark.usefixtures("own_models")
def test_a_broken_model_from_the_current_folder_breaks_a_law(capsys):
    code, out, _ = run(capsys, "check", "own_models:Broken", "london_times_deaths")
    assert code == 1
    assert "BROKEN   the objective never falls" in out


@pytest.mark.usefixtures("own_models")
def test_an_object_inside_another_is_found(capsys):
    assert run(capsys, "check", "own_models:Shelf.model", "london_times_deaths")[0] == 0


@pytest.mark.parametrize("address", ["own_models:Nowhere", "no_such_module:Model", "neither"])
@pytest.mark.usefixtures("own_models")
def test_an_address_that_leads_nowhere_is_named(capsys, address):
    err = one_line_error(capsys, "check", address, "london_times_deaths")
    assert address.partition(":")[2] or address in err
    assert any(part in err for part in address.split(":"))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Raises", "KeyError: 'rate'"),
        ("Fails", "RuntimeError: two lines"),
        ("Leaves", "the model's own code ended the program, with exit code 7"),
        ("Silent", "ValueError"),
    ],
)
@pytest.mark.usefixtures("own_models")
def test_whatever_a_model_raises_is_one_line(capsys, name, said):
    assert said in one_line_error(capsys, "check", f"own_models:{name}", "london_times_deaths")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("raise RuntimeError('boom')", "RuntimeError: boom"),
        ("def broken(:", "SyntaxError: invalid syntax (bad_model.py, line 1)"),
        ("import sys; sys.exit(7)", "exit code 7"),
    ],
)
def test_a_module_that_cannot_be_imported_is_named_with_the_reason(capsys, tmp_path, monkeypatch, text, said):
    (tmp_path / "bad_model.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    err = one_line_error(capsys, "check", "bad_model:Model", "london_times_deaths")
    assert "'bad_model' cannot be imported: " in err
    assert said in err


@pytest.mark.parametrize("value", ["1e999", "{[]: 1}", "(" * 5000])
def test_a_setting_that_makes_no_sense_is_one_line(capsys, value):
    one_line_error(capsys, *FIT, "--n-components", value)


@pytest.mark.parametrize("command", ["models", "--help"])
def test_a_reader_that_leaves_early_ends_the_program_quietly(command):
    reader, writer = os.pipe()
    os.close(reader)
    code = "import sys, emkit.__main__ as line; line._list_models = lambda options: print('x' * 9) or 0; "
    code += f"sys.exit(line.main([{command!r}]))"
    # Buffered, as it is by default: what is printed meets the closed pipe only at the end.
    environment = os.environ | {"PYTHONUNBUFFERED": ""}
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, env=environment, text=True, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_model_of_ones_own_is_fitted_like_a_registered_one(capsys, table):
    code, out, _ = run(capsys, "fit", "toys:TablePoisson", table, "--columns", "deaths,days")
    assert code == 0
    assert "-1989.9458" in out


def test_defaults_that_are_made_anew_are_shown(capsys, monkeypatch):
    @attrs.frozen
    class Listed(TablePoisson):
        order: list[int] = attrs.field(factory=lambda: [1, 2])

    monkeypatch.setattr("toys.Listed", Listed, raising=False)
    with pytest.raises(SystemExit):
        main(["fit", "toys:Listed", "--help"])
    out = capsys.readouterr().out
    assert "default: [1, 2]" in out
    assert "NOTHING" not in out


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out.startswith("emkit ")

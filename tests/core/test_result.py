"""What a fit gives back: criteria, a report for people, pictures, and a file that reads back the same."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
from toys import (
    DEATHS,
    LINKAGE_DATA,
    LINKAGE_OPTIMUM,
    Linkage,
    LinkageParams,
    Parabola,
    PoissonMixture,
    PoissonMixtureParams,
    PoissonVector,
    TablePoisson,
    Watched,
)

import emkit
from emkit import Start, Status, space
from emkit.errors import FormatError

TABLE = np.column_stack(DEATHS)


@pytest.fixture(scope="module")
def result():
    return emkit.fit(PoissonMixture(), DEATHS, PoissonMixtureParams([0.4, 0.6], [1.0, 3.0]))


def lines(text):
    """Return the rows of a summary by their label."""
    return {line.partition("  ")[0]: line.partition("  ")[2].strip() for line in text.splitlines() if "  " in line}


# Criteria


def test_aic_and_bic_are_smaller_the_better(result):
    log_likelihood, n = -1989.945859883, 1096.0
    assert result.n_parameters == 3
    assert result.n_observations == n
    assert result.aic == pytest.approx(-2 * log_likelihood + 6, abs=1e-5)
    assert result.bic == pytest.approx(-2 * log_likelihood + 3 * np.log(n), abs=1e-5)


def test_criteria_use_the_log_likelihood_without_the_prior():
    class WithPrior(Linkage):
        def log_prior(self, params):
            return 0.0 * params.theta - 7.0

    found = emkit.fit(WithPrior(), LINKAGE_DATA, LinkageParams(0.5))
    assert found.objective == found.log_likelihood - 7
    assert found.aic == -2 * found.log_likelihood + 2


def test_bic_without_a_number_of_observations_says_what_to_return():
    found = emkit.fit(PoissonVector(), DEATHS, np.array([0.4, 1.0, 3.0]))
    assert found.n_observations is None
    assert found.aic == -2 * found.log_likelihood + 6
    with pytest.raises(ValueError, match=r"return emkit\.EStep\(statistics, log_likelihood, n_observations\)"):
        _ = found.bic


def test_a_model_may_count_its_parameters_itself():
    class Counts(Linkage):
        def n_parameters(self, params):
            return 17

    found = emkit.fit(Counts(), LINKAGE_DATA, LinkageParams(0.5))
    assert found.n_parameters == 17
    assert found.aic == -2 * found.log_likelihood + 34


# The report


def test_the_summary_reports_the_fit_and_the_estimates(result):
    rows = lines(str(result))
    assert rows["model"] == "PoissonMixture(n_components=2)"
    assert rows["log-likelihood"] == f"{result.log_likelihood:.6f}"
    assert rows["parameters"] == "3"
    assert rows["observations"] == "1096"
    assert rows["BIC"] == f"{result.bic:.4f}"
    assert rows["AIC"] == f"{result.aic:.4f}"
    assert rows["status"] == "Converged. At most 1e-06 nats remain to be gained."
    assert rows["work"].startswith(f"{result.n_e_steps} E-steps, {result.n_iter} accepted steps")
    assert rows["EM rate"].startswith(f"about {result.rate:.4f}, estimated gap")
    assert not {"objective", "starts", "note"} & set(rows)
    assert f"rates = [{result.params.rates[0]:.6f} {result.params.rates[1]:.6f}]" in str(result)


def test_the_summary_says_why_a_fit_did_not_converge():
    assert Status.MAX_ITER.value in emkit.fit(PoissonMixture(), DEATHS, rng=0, max_iter=3).summary()


def test_the_summary_shows_the_objective_only_where_a_prior_changes_it():
    class WithPrior(Linkage):
        def log_prior(self, params):
            return -7.0

    found = emkit.fit(WithPrior(), LINKAGE_DATA, LinkageParams(0.5))
    assert lines(found.summary())["objective"] == f"{found.objective:.6f} (with log-prior)"


def test_the_summary_calls_the_objective_what_the_model_calls_it():
    class Restricted(Linkage):
        objective_name = "restricted log-likelihood"

    found = emkit.fit(Restricted(), LINKAGE_DATA, LinkageParams(0.5))
    assert lines(found.summary())["restricted log-likelihood"] == f"{found.log_likelihood:.6f}"


def test_the_summary_leaves_bic_out_where_it_is_unknown():
    found = emkit.fit(PoissonVector(), DEATHS, np.array([0.4, 1.0, 3.0]))
    assert not {"BIC", "observations"} & set(lines(found.summary()))


def test_the_summary_counts_the_starts_that_reached_the_objective(result):
    def start(index, objective, status=Status.CONVERGED):
        return Start(index, status, objective, 5, "")

    best = result.objective
    starts = (
        start(0, best),
        start(1, best - 5e-5),
        start(2, best - 1.0),
        start(3, -np.inf, None),
        start(4, best + 50.0, Status.DEGENERATE),
    )
    row = lines(attrs.evolve(result, starts=starts).summary())["starts"]
    assert row == "2 of 5 reached this objective, 1 failed"


def test_the_summary_counts_the_work_of_all_starts(result):
    starts = (Start(0, Status.CONVERGED, -1.0, 30, ""), Start(1, Status.MAX_ITER, -2.0, 12, ""))
    assert "(all starts: 42 E-steps)" in lines(attrs.evolve(result, starts=starts).summary())["work"]


def test_the_summary_names_a_model_without_a_text_of_its_own_by_its_class():
    found = emkit.fit(Linkage(), LINKAGE_DATA, LinkageParams(0.5))
    assert lines(found.summary())["model"] == "Linkage()"


def test_the_summary_shows_every_note(result):
    noted = attrs.evolve(result, notes=("weights[0] lies on the bound of its space.", "Component 1 is empty."))
    assert [line for line in noted.summary().splitlines() if line.startswith("note")] == [
        "note            weights[0] lies on the bound of its space.",
        "note            Component 1 is empty.",
    ]


def test_notes_of_the_model_stand_beside_those_of_the_space():
    class Noting(PoissonMixture):
        def notes(self, params):
            return [f"Component 0 has rate {params.rates[0]:.0f}."]

    found = emkit.fit(Noting(), DEATHS, PoissonMixtureParams([1e-12, 1 - 1e-12], [5.0, 2.0]), max_iter=1)
    assert found.notes == ("weights[0] lies on the bound of its space.", "Component 0 has rate 5.")


def test_the_summary_leaves_constants_out():
    class Center(PoissonMixture):
        def space(self, params):
            return {"weights": space.Fixed()}

    found = emkit.fit(Center(), DEATHS, rng=0, max_iter=2)
    assert "weights" not in found.summary()


@pytest.mark.parametrize("unit", [1e-12, 1e-5, 1.0, 1e12])
def test_the_summary_shows_six_digits_of_estimates_in_any_unit(result, unit):
    rates = np.array([1.25, 2.5]) * unit
    shown = attrs.evolve(result, params=PoissonMixtureParams([0.5, 0.5], rates)).summary()
    text = next(line for line in shown.splitlines() if line.startswith("rates"))
    back = [float(word) for word in text.partition("=")[2].strip(" []").split()]
    assert back == pytest.approx(rates.tolist(), rel=1e-6)


def test_a_table_of_estimates_begins_on_a_line_of_its_own(result):
    shown = attrs.evolve(result, model=Parabola(), params=np.eye(2)).summary()
    assert "params =\n[[1. 0.]\n [0. 1.]]" in shown


def test_the_short_form_names_model_and_status(result):
    assert repr(result).startswith("EMResult(PoissonMixture, CONVERGED, log_likelihood=-1989.94586")


def test_questions_about_the_data_are_answered_at_the_estimate():
    found = emkit.fit(Linkage(), LINKAGE_DATA, LinkageParams(0.5))
    assert found.standard_errors(LINKAGE_DATA).theta == pytest.approx(0.0514673492, rel=1e-4)
    assert found.covariance(LINKAGE_DATA) == pytest.approx(np.array([[0.0514673492**2]]), rel=1e-4)
    low, high = found.confidence_intervals(LINKAGE_DATA, 0.5)
    assert low.theta < LINKAGE_OPTIMUM < high.theta
    assert found.verify(LINKAGE_DATA).kind == "maximum"


# Pictures

PNG = b"\x89PNG\r\n"


@pytest.mark.parametrize("max_iter", [1, 2, 10_000])
def test_a_picture_of_the_climb_is_written_without_data(tmp_path, max_iter):
    found = emkit.fit(PoissonMixture(), DEATHS, rng=0, max_iter=max_iter)
    figure = found.plot(path=tmp_path / "climb.png")
    assert (tmp_path / "climb.png").read_bytes().startswith(PNG)
    (ax,) = figure.axes
    assert ax.get_ylabel() == "nats below the end"


def test_the_climb_shows_how_far_below_its_end_every_step_was(result):
    (ax,) = result.plot().axes
    (line,) = ax.get_lines()
    below = result.objectives[-1] - result.objectives
    assert np.array_equal(line.get_ydata(), below[below > 0])
    assert np.array_equal(line.get_xdata(), np.flatnonzero(below > 0))


def test_a_model_that_can_draw_itself_does_so_over_the_data(tmp_path):
    found = emkit.fit(TablePoisson(), TABLE, rng=0)
    figure = found.plot(TABLE, tmp_path / "fit.png", ["deaths", "days"])
    assert [ax.get_xlabel() for ax in figure.axes] == ["deaths", "accepted step"]
    assert (tmp_path / "fit.png").read_bytes().startswith(PNG)


def test_a_model_that_cannot_draw_itself_shows_the_climb_alone(result):
    assert len(result.plot(DEATHS).axes) == 1


def test_without_matplotlib_the_error_says_how_to_install_it(result, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"emkit\[plot\]"):
        result.plot()


# Files


def assert_same(one, two):
    for field in attrs.fields(type(one)):
        before, after = getattr(one, field.name), getattr(two, field.name)
        if field.name == "params":
            assert np.array_equal(before.weights, after.weights)
            assert np.array_equal(before.rates, after.rates)
        elif field.name == "history":
            np.testing.assert_equal(attrs.asdict(after), attrs.asdict(before))
        else:
            assert before == after or (np.isnan(before) and np.isnan(after)), field.name


@pytest.mark.parametrize("max_iter", [1, 5, 10_000])
def test_a_result_survives_its_file_bit_for_bit(tmp_path, max_iter):
    found = emkit.fit(PoissonMixture(3), DEATHS, rng=0, n_starts=2, max_iter=max_iter)
    found.save(tmp_path / "fit.emkit")
    back = emkit.load(tmp_path / "fit.emkit", PoissonMixture)
    assert_same(found, back)
    assert back.summary() == found.summary()


def test_the_failures_of_starts_survive_the_file(result, tmp_path):
    starts = (Start(0, None, float("-inf"), 0, "ValueError: no"), Start(1, Status.DEGENERATE, -5.0, 3, "empty", True))
    attrs.evolve(result, starts=starts, status=Status.STALLED, notes=("a note",)).save(tmp_path / "fit.emkit")
    back = emkit.load(tmp_path / "fit.emkit", PoissonMixture)
    assert (back.starts, back.status, back.notes) == (starts, Status.STALLED, ("a note",))


def test_a_loaded_result_answers_questions_about_the_data(result, tmp_path):
    result.save(tmp_path / "fit.emkit")
    back = emkit.load(tmp_path / "fit.emkit", PoissonMixture)
    assert np.array_equal(back.standard_errors(DEATHS).rates, result.standard_errors(DEATHS).rates)
    assert emkit.fit(back.model, DEATHS, back.params).log_likelihood >= result.log_likelihood


def test_a_file_of_a_model_that_is_not_registered_needs_its_class(result, tmp_path):
    result.save(tmp_path / "fit.emkit")
    with pytest.raises(FormatError, match=r"not registered under a name: give its class, emkit\.load"):
        emkit.load(tmp_path / "fit.emkit")


def test_a_model_that_is_no_record_is_named_when_it_cannot_be_saved(tmp_path):
    found = emkit.fit(Watched(Linkage()), LINKAGE_DATA, LinkageParams(0.5))
    with pytest.raises(TypeError, match="model is of type Watched, which cannot be stored"):
        found.save(tmp_path / "fit.emkit")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_cut_or_edited_is_refused(result, tmp_path):
    path = tmp_path / "fit.emkit"
    result.save(path)
    whole = path.read_bytes()
    for bad in (whole[:-1], whole[:100], b"", whole[:-8] + b"\x00" * 8):
        path.write_bytes(bad)
        with pytest.raises(FormatError):
            emkit.load(path, PoissonMixture)


def test_a_file_that_holds_something_else_is_no_result(tmp_path):
    emkit.storage.write(tmp_path / "other.emkit", {"x": 1.0})
    with pytest.raises(FormatError, match="does not hold a sound fit result"):
        emkit.load(tmp_path / "other.emkit", PoissonMixture)

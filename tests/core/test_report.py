"""What a fit tells people, as plain text."""

from __future__ import annotations

import re

import attrs
import numpy as np
import pytest
from toys import (
    DEATHS,
    LINKAGE_DATA,
    Linkage,
    LinkageParams,
    Parabola,
    PoissonMixture,
    PoissonMixtureParams,
    PoissonVector,
)

import emkit
from emkit import Start, Status, space


@pytest.fixture(scope="module")
def result():
    return emkit.fit(PoissonMixture(), DEATHS, PoissonMixtureParams([0.4, 0.6], [1.0, 3.0]))


def lines(text):
    """Return the rows of a summary by their label."""
    return {line.partition("  ")[0]: line.partition("  ")[2].strip() for line in text.splitlines() if "  " in line}


def with_starts(result, *endings):
    """Return the result as if its starts had converged so many nats below it; negative ones rest on a floor."""
    best = result.objective
    starts = [Start(i, Status.CONVERGED, best - below, 5, "", below < 0) for i, below in enumerate(endings)]
    return attrs.evolve(result, starts=tuple(starts))


def optima_table(text):
    """Return the lines of the table of optima, cells split."""
    rows = text.splitlines()
    first = next(i for i, row in enumerate(rows) if row.startswith("optima"))
    last = next(i for i in range(first + 1, len(rows)) if not rows[i].startswith(" "))
    return [rows[first].removeprefix("optima").split(), *(row.split() for row in rows[first + 1 : last])]


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
    shown = re.search(r"rates = \[(.*) (.*)\]", str(result))
    assert shown is not None
    assert [float(number) for number in shown.groups()] == [round(rate, 6) for rate in result.params.rates]


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


def test_the_summary_names_rejected_proposals_where_there_were_any(result):
    def row(n):
        return lines(attrs.evolve(result, n_rejected=n).summary()).get("rejected")

    assert row(0) is None
    assert row(1) == "1 proposal of the accelerator"
    assert row(7) == "7 proposals of the accelerator"


@pytest.mark.parametrize(("gap", "text"), [(np.inf, "unknown"), (2.4e-7, "2e-07 nats"), (1e-13, "below 1e-12 nats")])
def test_the_summary_tells_the_gap_to_one_digit(result, gap, text):
    assert lines(attrs.evolve(result, gap=gap).summary())["EM rate"].endswith(f", estimated gap {text}")


# Distinct optima


def test_distinct_optima_are_listed_below_the_starts_best_first(result):
    text = with_starts(result, 7.25, 0.0, -3.0, 1.5, 0.0).summary()
    labels = [line.split("  ")[0] for line in text.splitlines()]
    assert labels.index("optima") == labels.index("starts") + 1
    best = result.objective
    assert optima_table(text) == [
        ["objective", "found", "status"],
        [f"{best:.6f}", "2", "converged"],
        [f"{best - 1.5:.6f}", "1", "converged"],
        [f"{best - 7.25:.6f}", "1", "converged"],
        [f"{best + 3.0:.6f}", "1", "converged,", "rests", "on", "a", "floor"],
    ]


def test_more_than_five_optima_are_counted(result):
    text = with_starts(result, *range(8)).summary()
    assert len(optima_table(text)) == 1 + 5 + 1
    assert optima_table(text)[-1] == ["and", "3", "more"]


def test_one_optimum_needs_no_table(result):
    assert "optima" not in with_starts(result, 0.0, 1e-9).summary()
    assert "optima" not in result.summary()


def test_notes_of_several_lines_stay_in_their_column(result):
    text = attrs.evolve(result, notes=("one\ntwo",)).summary()
    assert f"note{' ' * 12}one\n{' ' * 16}two" in text


def test_numbers_too_large_for_decimals_are_told_in_powers_of_ten(result):
    text = attrs.evolve(result, log_likelihood=-4.5e301, objective=-4.5e301).summary()
    assert "-4.5e+301" in text
    assert max(map(len, text.splitlines())) < 200


def test_there_is_no_bic_of_no_observations(result):
    empty = attrs.evolve(result, n_observations=0.0)
    assert "BIC" not in empty.summary()
    with pytest.raises(ValueError, match="bic needs at least one observation"):
        _ = empty.bic

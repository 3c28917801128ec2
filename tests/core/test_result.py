"""What a fit gives back: criteria, notes, questions about the data, and a file that reads back the same."""

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
    PoissonMixture,
    PoissonMixtureParams,
    PoissonVector,
    Watched,
)

import emkit
from emkit import Start, Status
from emkit.errors import FormatError


@pytest.fixture(scope="module")
def result():
    return emkit.fit(PoissonMixture(), DEATHS, PoissonMixtureParams([0.4, 0.6], [1.0, 3.0]))


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


# Notes


def test_notes_of_the_model_stand_beside_those_of_the_space():
    class Noting(PoissonMixture):
        def notes(self, params):
            return [f"Component 0 has rate {params.rates[0]:.0f}."]

    found = emkit.fit(Noting(), DEATHS, PoissonMixtureParams([1e-12, 1 - 1e-12], [5.0, 2.0]), max_iter=1)
    assert found.notes == ("weights[0] lies on the bound of its space.", "Component 0 has rate 5.")


# Questions about the data


def test_questions_about_the_data_are_answered_at_the_estimate():
    found = emkit.fit(Linkage(), LINKAGE_DATA, LinkageParams(0.5))
    assert found.standard_errors(LINKAGE_DATA).theta == pytest.approx(0.0514673492, rel=1e-4)
    assert found.covariance(LINKAGE_DATA) == pytest.approx(np.array([[0.0514673492**2]]), rel=1e-4)
    low, high = found.confidence_intervals(LINKAGE_DATA, 0.5)
    assert low.theta < LINKAGE_OPTIMUM < high.theta
    assert found.verify(LINKAGE_DATA).kind == "maximum"


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

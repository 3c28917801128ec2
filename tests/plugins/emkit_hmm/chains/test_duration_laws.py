"""All laws of emkit.testing for chains with explicit durations."""

from __future__ import annotations

import pytest
from emkit_hmm import FreeDurations, HiddenMarkovModel, NegativeBinomialDurations, PoissonDurations, SemiMarkov
from regimes import COUNTS, forms

from emkit.families import Poisson
from emkit.testing import check_model

DURATIONS = {"poisson": PoissonDurations(), "negative binomial": NegativeBinomialDurations(), "free": FreeDurations()}


@pytest.mark.parametrize("durations", DURATIONS.values(), ids=DURATIONS)
def test_explicit_durations_keep_the_laws(durations):
    model = HiddenMarkovModel(2, Poisson(), chain=SemiMarkov(durations, longest=4))
    report = check_model(model, forms(COUNTS)["everything"])
    # The model has no log_likelihood of its own; and only lists of sequences are cut.
    assert set(report.not_applicable) == {
        "the_e_step_reports_the_log_likelihood",
        "statistics_of_two_halves_add_to_the_whole",
    }

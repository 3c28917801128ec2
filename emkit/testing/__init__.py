"""The laws every model obeys, as functions that a stranger's model passes too.

    >>> from emkit.testing import check_model
    >>> report = check_model(model, data)  # doctest: +SKIP

Each law takes a model and data, raises AssertionError with numbers where the model breaks it, and :class:`DoesNotApply`
where the model lacks what the law is about. :data:`LAWS` lists them, for instance for ``pytest.mark.parametrize``.
:func:`check_family` does the same for a family of distributions, by :data:`FAMILY_LAWS`.
"""

from emkit.testing.check import Report, check_model, survey
from emkit.testing.family_check import check_family, survey_family
from emkit.testing.family_laws import FAMILY_LAWS
from emkit.testing.laws import (
    LAWS,
    DoesNotApply,
    a_converged_point_is_a_fixed_point,
    nothing_is_mutated,
    params_stay_in_their_space,
    params_survive_saving_and_pickling,
    params_survive_the_flat_vector,
    sampled_data_refitted_from_the_truth_stay_near_it,
    statistics_of_two_halves_add_to_the_whole,
    the_e_step_reports_the_log_likelihood,
    the_gradient_vanishes_at_the_optimum,
    the_objective_never_falls,
    the_result_reports_the_log_likelihood_of_its_params,
    the_same_input_gives_the_same_output,
)

__all__ = [
    "FAMILY_LAWS",
    "LAWS",
    "DoesNotApply",
    "Report",
    "a_converged_point_is_a_fixed_point",
    "check_family",
    "check_model",
    "nothing_is_mutated",
    "params_stay_in_their_space",
    "params_survive_saving_and_pickling",
    "params_survive_the_flat_vector",
    "sampled_data_refitted_from_the_truth_stay_near_it",
    "statistics_of_two_halves_add_to_the_whole",
    "survey",
    "survey_family",
    "the_e_step_reports_the_log_likelihood",
    "the_gradient_vanishes_at_the_optimum",
    "the_objective_never_falls",
    "the_result_reports_the_log_likelihood_of_its_params",
    "the_same_input_gives_the_same_output",
]

"""Each law holds for correct models, and catches a model broken in exactly that way."""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np
import pytest
from toys import (
    DEATHS,
    LINKAGE_DATA,
    SQUAREM_DEMO_START,
    TURNBULL_DATA,
    Linkage,
    PoissonMixture,
    PoissonMixtureParams,
    PoissonVector,
    Turnbull,
)

import emkit
from emkit import space, testing
from emkit.testing import LAWS, DoesNotApply, check_model, survey

CORRECT = {
    "linkage": (Linkage(), LINKAGE_DATA, None),
    "poisson": (PoissonMixture(), DEATHS, None),
    "poisson, nothing declared": (PoissonVector(), DEATHS, SQUAREM_DEMO_START),
    "turnbull, nothing declared": (Turnbull(), TURNBULL_DATA, np.full(14, 1 / 14)),
}


@pytest.mark.parametrize("case", CORRECT)
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_correct_models_keep_every_law(law, case):
    model, data, params = CORRECT[case]
    try:
        law(model, data, params)
    except DoesNotApply:
        assert case != "poisson", "This toy has every capability, so every law must apply to it."


def _delegate(name):
    return lambda self, *args, **kwargs: getattr(PoissonMixture(), name)(*args, **kwargs)


class Poisson:
    """The Poisson mixture as an open class, to break it one method at a time."""

    leaf_rows: ClassVar[int | None] = 4
    e_step = _delegate("e_step")
    m_step = _delegate("m_step")
    initialize = _delegate("initialize")
    log_likelihood = _delegate("log_likelihood")
    sample = _delegate("sample")


class ParamsOffTheSimplex(Poisson):
    def m_step(self, params, statistics):
        following = PoissonMixture().m_step(params, statistics)
        return attrs.evolve(following, weights=following.weights * 1.001)


class MutatesItsStatistics(Poisson):
    def m_step(self, params, statistics):
        following = PoissonMixture().m_step(params, statistics)
        statistics["counts"] /= 2
        return following


class MutatesItsData(Poisson):
    def e_step(self, params, data):
        answer = PoissonMixture().e_step(params, data)
        data[1][0] += 1e-9
        return answer


class DrawsBesideTheRng(Poisson):
    def __init__(self):
        self._hidden = np.random.default_rng(1)

    def initialize(self, data, rng):
        start = PoissonMixture().initialize(data, rng)
        return attrs.evolve(start, rates=start.rates * self._hidden.uniform(0.9, 1.1, 2))


class ForgetsTheFactorial(Poisson):
    """Reports a log-likelihood without the terms that do not depend on params, unlike its own log_likelihood."""

    def e_step(self, params, data):
        y, n = data
        answer = PoissonMixture().e_step(params, data)
        return attrs.evolve(answer, log_likelihood=answer.log_likelihood + float(n @ y))


class AveragesInsteadOfSums(Poisson):
    def e_step(self, params, data):
        answer = PoissonMixture().e_step(params, data)
        total = answer.statistics["counts"].sum()
        return attrs.evolve(answer, statistics={k: v / total for k, v in answer.statistics.items()})


class OvershootsInItsMStep(Poisson):
    """Steps three times too far, as a wrong formula may; there the objective falls."""

    def m_step(self, params, statistics):
        following = PoissonMixture().m_step(params, statistics)
        return attrs.evolve(following, rates=np.maximum(params.rates + 3 * (following.rates - params.rates), 1e-3))


class PriorOnlyInItsMStep(Poisson):
    """Its M-step maximises with a Gamma prior that log_prior does not mention: it stands still off the maximum."""

    def m_step(self, params, statistics):
        counts, sums = statistics["counts"], statistics["sums"]
        return PoissonMixtureParams(counts / counts.sum(), (sums + 40.0) / (counts + 20.0))


class RemembersItsLastCall(Poisson):
    """An impure M-step: once as many calls were made as a whole fit takes, it answers with other params."""

    def __init__(self):
        self.calls, self.limit = 0, np.inf
        start = PoissonMixture().initialize(DEATHS, np.random.default_rng(testing.laws.SEED))
        emkit.fit(self, DEATHS, start, tol=0)
        self.calls, self.limit = 0, self.calls

    def m_step(self, params, statistics):
        self.calls += 1
        following = PoissonMixture().m_step(params, statistics)
        return following if self.calls <= self.limit else attrs.evolve(following, rates=following.rates * 1.02)


class ReportsTheLikelihoodOneStepLate(Poisson):
    """Its E-step answers with the log-likelihood of the params it was given the time before."""

    def __init__(self):
        self.last = None

    def e_step(self, params, data):
        answer = PoissonMixture().e_step(params, data)
        late = self.last if self.last is not None else answer.log_likelihood - 1
        self.last = answer.log_likelihood
        return attrs.evolve(answer, log_likelihood=late)


class SamplesAnotherModel(Poisson):
    def sample(self, params, n, rng):
        return PoissonMixture().sample(attrs.evolve(params, rates=params.rates * 1.3), n, rng)


class SimulatesAnotherModel(Poisson):
    def simulate(self, params, data, rng):
        return PoissonMixture().sample(attrs.evolve(params, rates=params.rates * 1.3), int(data[1].sum()), rng)


@attrs.frozen(eq=False)
class RescalingParams:
    weights: np.ndarray = space.simplex()
    rates: np.ndarray = attrs.field(
        converter=lambda v: np.asarray(v, float) * 1.01, metadata={"emkit.space": space.Positive()}
    )


class ParamsAlterTheirArguments(Poisson):
    def initialize(self, data, rng):
        return RescalingParams(np.array([0.4, 0.6]), np.array([1.0, 3.0]))

    def m_step(self, params, statistics):
        following = PoissonMixture().m_step(params, statistics)
        return RescalingParams(following.weights, following.rates)


@attrs.frozen(eq=False)
class ForgetfulParams:
    weights: np.ndarray = space.simplex()
    rates: np.ndarray = space.positive()

    def __reduce__(self):
        return ForgetfulParams, (self.weights, self.rates.astype(np.float32))


class ParamsLoseDigitsInPickle(Poisson):
    def initialize(self, data, rng):
        return ForgetfulParams(np.array([0.4, 0.6]), np.array([1.1, 3.3]))


BROKEN = {
    testing.params_stay_in_their_space: [ParamsOffTheSimplex],
    testing.nothing_is_mutated: [MutatesItsStatistics, MutatesItsData],
    testing.the_same_input_gives_the_same_output: [DrawsBesideTheRng],
    testing.the_e_step_reports_the_log_likelihood: [ForgetsTheFactorial],
    testing.statistics_of_two_halves_add_to_the_whole: [AveragesInsteadOfSums],
    testing.the_objective_never_falls: [OvershootsInItsMStep],
    testing.the_result_reports_the_log_likelihood_of_its_params: [ReportsTheLikelihoodOneStepLate],
    testing.a_converged_point_is_a_fixed_point: [RemembersItsLastCall],
    testing.the_gradient_vanishes_at_the_optimum: [PriorOnlyInItsMStep],
    testing.sampled_data_refitted_from_the_truth_stay_near_it: [SamplesAnotherModel, SimulatesAnotherModel],
    testing.params_survive_the_flat_vector: [ParamsAlterTheirArguments],
    testing.params_survive_saving_and_pickling: [ParamsLoseDigitsInPickle],
}


def _fresh_deaths():
    return tuple(part.copy() for part in DEATHS)


@pytest.mark.parametrize(
    ("law", "broken"),
    [(law, model) for law, models in BROKEN.items() for model in models],
    ids=lambda item: item.__name__,
)
def test_a_law_catches_the_model_broken_in_its_way(law, broken):
    with pytest.raises((AssertionError, emkit.errors.InvalidParamsError)):
        law(broken(), _fresh_deaths())


def test_every_law_is_shown_to_catch_something():
    assert set(BROKEN) == set(LAWS)


def test_the_open_class_is_correct_until_it_is_broken():
    assert survey(Poisson(), _fresh_deaths()).broken == {}


def test_check_model_names_the_broken_law():
    with pytest.raises(AssertionError, match="statistics of two halves add to the whole"):
        check_model(AveragesInsteadOfSums(), _fresh_deaths())


def test_check_model_reports_which_laws_do_not_apply():
    report = check_model(Linkage(), LINKAGE_DATA)
    assert "statistics_of_two_halves_add_to_the_whole" in report.not_applicable
    assert "the_objective_never_falls" in report.kept


def test_the_far_start_is_far():
    """The law about falls means nothing from a point next to the optimum."""
    model = PoissonMixture()
    far = testing.laws._far_start(model, DEATHS, None)
    result = emkit.fit(model, DEATHS, far)
    assert result.log_likelihood - result.log_likelihoods[0] > 10


def test_a_model_that_may_fall_is_excused():
    class Stochastic(Poisson):
        monotone = False

    with pytest.raises(DoesNotApply):
        testing.the_objective_never_falls(Stochastic(), DEATHS)

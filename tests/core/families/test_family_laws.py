"""Each law of families holds for a correct family, and catches one broken in exactly that way."""

import itertools

import attrs
import numpy as np
import pytest

from emkit import space
from emkit.families import Family
from emkit.families.responsibilities import shared_at_start, weighted_means
from emkit.testing import FAMILY_LAWS, check_family, survey_family

ROWS = np.random.default_rng(3).rayleigh(2.0, size=(200, 1))
STORED = {}


@attrs.frozen(eq=False)
class RayleighParams:
    scales: np.ndarray = space.positive()
    unit: np.ndarray = space.fixed()


@attrs.frozen(eq=False)
class RayleighSums:
    counts: np.ndarray
    squares: np.ndarray


@attrs.frozen
class Rayleigh(Family):
    """Correct; the families below each break one thing."""

    is_additive = True

    def log_density(self, params, x):
        return np.log(x / params.scales**2) - x**2 / (2 * params.scales**2)

    def statistics(self, params, x, responsibilities):
        return RayleighSums(responsibilities.sum(axis=0), (responsibilities.T @ x**2)[:, 0])

    def m_step(self, params, statistics):
        variances = weighted_means(statistics.counts, statistics.squares / 2, params.scales**2)
        kept = statistics.counts > 0
        return attrs.evolve(params, scales=np.where(kept, np.sqrt(variances), params.scales))

    def fit(self, x, responsibilities, params=None):
        if params is None:
            params = RayleighParams(np.ones(responsibilities.shape[1]), np.ones(1))
            responsibilities = shared_at_start(responsibilities)
        return self.m_step(params, self.statistics(params, x, responsibilities))

    def sample(self, params, components, rng):
        return rng.rayleigh(params.scales[components])[:, None]

    def complete_score(self, params, statistics):
        gradient = -2 * statistics.counts / params.scales + statistics.squares / params.scales**3
        return RayleighParams(gradient, np.zeros(1))


class WithAStoredTable(Rayleigh):
    def log_density(self, params, x):
        table = STORED.get(params.scales.tobytes())
        if table is None or len(table) != len(x):
            table = STORED[params.scales.tobytes()] = super().log_density(params, x)
        return table


class WithAWideTable(Rayleigh):
    def log_density(self, params, x):
        return np.column_stack([super().log_density(params, x), np.zeros(len(x))])


class WithAnUnbiasedEstimate(Rayleigh):
    def m_step(self, params, statistics):
        fewer = attrs.evolve(statistics, counts=np.maximum(statistics.counts - 1, 0))
        return super().m_step(params, fewer)


class WithAForgottenPrior(Rayleigh):
    def log_prior(self, params):
        return -float(params.scales.sum())


class WithATooLongStep(Rayleigh):
    def m_step(self, params, statistics):
        best = super().m_step(params, statistics)
        return attrs.evolve(best, scales=np.abs(3 * best.scales - 2 * params.scales) + 1e-3)


class WithAFitUnlikeItsMStep(Rayleigh):
    def fit(self, x, responsibilities, params=None):
        best = super().fit(x, responsibilities, params)
        return best if params is None else attrs.evolve(best, scales=best.scales * 1.01)


class WithAnUnfaithfulSpace(Rayleigh):
    def space(self, params):
        return {"scales": space.Positive(100.0)}


class WithAMovingConstant(Rayleigh):
    def m_step(self, params, statistics):
        return attrs.evolve(super().m_step(params, statistics), unit=params.unit + 1)


class WithGreedyHands(Rayleigh):
    def statistics(self, params, x, responsibilities):
        responsibilities *= 2.0
        return super().statistics(params, x, responsibilities / 2)


class WithDice(Rayleigh):
    draws = itertools.count()

    def statistics(self, params, x, responsibilities):
        sums = super().statistics(params, x, responsibilities)
        return attrs.evolve(sums, squares=sums.squares * (1 + 1e-12 * next(self.draws)))


class WithAveragesForSums(Rayleigh):
    def statistics(self, params, x, responsibilities):
        sums = super().statistics(params, x, responsibilities)
        return RayleighSums(sums.counts / len(x), sums.squares / len(x))


class WithNothingForEmptyComponents(Rayleigh):
    def m_step(self, params, statistics):
        with np.errstate(invalid="ignore"):
            scales = np.sqrt(statistics.squares / 2 / np.maximum(statistics.counts, 1e-300))
        return attrs.evolve(params, scales=scales)


class WithAPoorStart(Rayleigh):
    def fitted(self, x, responsibilities, params=None):
        if params is None:
            params = RayleighParams(np.ones(responsibilities.shape[1]), np.ones(1))
        return self.m_step(params, self.statistics(params, x, responsibilities))


class WithoutWeights(Rayleigh):
    def statistics(self, params, x, responsibilities):
        total = np.maximum(responsibilities.sum(axis=1, keepdims=True), 1e-300)
        return super().statistics(params, x, responsibilities / total)


class WithoutPatienceForGaps(Rayleigh):
    def prepare(self, x, lengths=None):
        if np.isnan(x).any():
            msg = "NaN"
            raise ValueError(msg)
        return x


class WithHalfAScore(Rayleigh):
    def complete_score(self, params, statistics):
        score = super().complete_score(params, statistics)
        return attrs.evolve(score, scales=score.scales / 2)


class WithoutAFactor(Rayleigh):
    """Of no consequence for any fit, but for the log-likelihood."""

    def log_density(self, params, x):
        return super().log_density(params, x) - np.log(x)


class WithAnotherSampler(Rayleigh):
    def sample(self, params, components, rng):
        return 1.2 * super().sample(params, components, rng)


BROKEN = {
    WithAStoredTable: "log_densities_are_numbers",
    WithAWideTable: "log_densities_are_numbers",
    WithAnUnbiasedEstimate: "a_fit_is_a_maximum",
    WithAForgottenPrior: "a_fit_is_a_maximum",
    WithATooLongStep: "an_m_step_never_lowers_the_objective",
    WithAFitUnlikeItsMStep: "a_fit_is_an_m_step",
    WithAnUnfaithfulSpace: "params_of_a_family_stay_in_their_space",
    WithAMovingConstant: "params_of_a_family_stay_in_their_space",
    WithGreedyHands: "no_method_of_a_family_mutates",
    WithDice: "a_family_is_deterministic",
    WithAveragesForSums: "statistics_of_parts_add",
    WithNothingForEmptyComponents: "an_empty_component_keeps_its_params",
    WithAPoorStart: "an_empty_component_starts_as_all_rows_together",
    WithoutWeights: "weights_count_as_repetitions",
    WithoutPatienceForGaps: "rows_that_miss_can_be_taken_out",
    WithHalfAScore: "the_complete_score_is_the_gradient",
    WithoutAFactor: "the_density_adds_up_to_the_share_of_draws",
    WithAnotherSampler: "samples_refitted_from_the_truth_stay_near_it",
}


def test_a_correct_family_keeps_every_law():
    report = check_family(Rayleigh(), ROWS)
    assert set(report.kept) == {law.__name__ for law in FAMILY_LAWS}


@pytest.mark.parametrize("family", BROKEN, ids=lambda family: family.__name__)
def test_a_broken_family_breaks_its_law(family):
    assert BROKEN[family] in survey_family(family(), ROWS).broken


def test_every_law_has_a_family_that_breaks_it():
    assert set(BROKEN.values()) == {law.__name__ for law in FAMILY_LAWS}


def test_the_error_names_the_law_and_the_numbers():
    with pytest.raises(AssertionError, match=r"(?s)breaks 1 of .* laws.*BROKEN.*complete score of scales\[\d\] is"):
        check_family(WithHalfAScore(), ROWS)


def test_the_fifteen_lines_of_the_docstring_obey_every_law():
    @attrs.frozen
    class Plain(Family):
        def log_density(self, params, x):
            return np.log(x / params.scales**2) - x**2 / (2 * params.scales**2)

        def fit(self, x, responsibilities, params=None):
            squares = (responsibilities.T @ x**2)[:, 0]
            return PlainParams(np.sqrt(squares / (2 * responsibilities.sum(axis=0))))

        def sample(self, params, components, rng):
            return rng.rayleigh(params.scales[components])[:, None]

    x = np.random.default_rng(0).rayleigh(2.0, (60, 1))
    assert not survey_family(Plain(), x).broken


@attrs.frozen(eq=False)
class PlainParams:
    """Scales of distributions."""

    scales: np.ndarray = space.positive()

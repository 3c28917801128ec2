"""Ways off a saddle or a lower hill."""

from __future__ import annotations

import itertools

import attrs
import numpy as np
import pytest
from scipy.special import logsumexp
from toys import (
    DEATHS,
    LINKAGE_DATA,
    MURRAY_DATA,
    MURRAY_MAXIMUM,
    MURRAY_SADDLE,
    SQUAREM_DEMO_START,
    Linkage,
    MissingNormal,
    NormalParams,
    PoissonMixture,
    PoissonVector,
)
from workers import TLocation

import emkit
import emkit.restarts.escape
from emkit import ShortRuns, Status, space

UNCORRELATED = NormalParams(np.zeros(2), np.diag([2.0, 3.0]))


@attrs.frozen(eq=False)
class MeansParams:
    weights: np.ndarray = space.simplex()
    means: np.ndarray = space.real()


@attrs.frozen
class Means(emkit.LatentModel):
    """Normals of variance 1 on a line; ``splits`` offers to merge two of them and to split a third."""

    n_components: int = 3

    def e_step(self, params, data):
        log_joint = np.log(params.weights) - (data[:, None] - params.means) ** 2 / 2 - np.log(2 * np.pi) / 2
        log_density = logsumexp(log_joint, axis=1)
        shares = np.exp(log_joint - log_density[:, None])
        statistics = (shares.sum(axis=0), data @ shares, data**2 @ shares)
        return emkit.EStep(statistics, float(log_density.sum()), float(len(data)))

    def m_step(self, params, statistics):
        counts, sums, _ = statistics
        return MeansParams(counts / counts.sum(), sums / counts)


@attrs.frozen
class SplitAndMerge(Means):
    tried: list = attrs.field(factory=list, eq=False)

    def escape(self, params, statistics):
        counts, sums, squares = statistics
        means = sums / counts
        spread = np.sqrt(squares / counts - means**2)
        for split in range(self.n_components):
            one, other = (k for k in range(self.n_components) if k != split)
            merged = (sums[one] + sums[other]) / (counts[one] + counts[other])
            self.tried.append(split)
            weights = np.array([counts[one] + counts[other], counts[split] / 2, counts[split] / 2]) / counts.sum()
            yield MeansParams(weights, [merged, means[split] - spread[split], means[split] + spread[split]])


#: Three clusters, the first a little wide; from TWO_ON_ONE EM keeps two means there and one between the other two.
NOISE = np.random.default_rng(0).normal(size=(3, 100))
CLUSTERS = np.concatenate([2 * NOISE[0], 20 + NOISE[1], 30 + NOISE[2]])
TWO_ON_ONE = MeansParams(np.full(3, 1 / 3), [-0.5, 0.5, 25.0])
CENTRES = [0.0, 20.0, 30.0]


@pytest.mark.parametrize("accelerate", ["squarem", None])
def test_murrays_saddle_is_left_for_a_maximum(accelerate):
    settings = {"accelerate": accelerate, "tol": 1e-9}
    stuck = emkit.fit(MissingNormal(), MURRAY_DATA, UNCORRELATED, **settings)
    assert stuck.objective == pytest.approx(MURRAY_SADDLE, abs=1e-9)
    free = emkit.fit(MissingNormal(), MURRAY_DATA, UNCORRELATED, escapes=1, **settings)
    assert free.objective == pytest.approx(MURRAY_MAXIMUM, abs=1e-8)
    assert abs(free.params.covariance[0, 1]) == pytest.approx(4 / 3, rel=1e-4)
    assert free.notes == ("Left a saddle with objective -30.033342 for a point 0.059056 nats higher.",)
    assert free.converged


def test_the_history_of_an_escape_never_falls_and_counts_every_e_step():
    calls = []

    class Counted(MissingNormal):
        def e_step(self, params, data):
            calls.append(None)
            return super().e_step(params, data)

    result = emkit.fit(Counted(), MURRAY_DATA, UNCORRELATED, escapes=1)
    # Looking for the spaces of fields that declare none takes E-steps of its own; this model declares all.
    assert result.n_e_steps == len(calls)
    assert result.starts[0].n_e_steps == len(calls)
    # But for rounding.
    assert (np.diff(result.objectives) >= -1e-12).all()
    assert (np.diff(result.history.n_e_steps) > 0).all()
    assert result.history.n_e_steps[-1] <= result.n_e_steps
    assert result.objectives[-1] == result.objective


def test_splitting_and_merging_leaves_a_local_maximum_that_em_cannot_leave():
    model = SplitAndMerge()
    stuck = emkit.fit(model, CLUSTERS, TWO_ON_ONE)
    assert stuck.verify(CLUSTERS).kind == "maximum"
    free = emkit.fit(model, CLUSTERS, TWO_ON_ONE, escapes=3)
    assert free.objective > stuck.objective + 500
    assert np.sort(free.params.means) == pytest.approx(CENTRES, abs=0.3)
    assert any(note.startswith("Left a lower hill with objective") for note in free.notes)
    assert (np.diff(free.objectives) >= 0).all()
    # The second search found nothing, and there was no third.
    assert model.tried == [0, 1, 2, 0, 1, 2]


def test_a_push_to_either_side_does_not_leave_a_true_maximum():
    stuck = emkit.fit(Means(), CLUSTERS, TWO_ON_ONE)
    pushed = emkit.fit(Means(), CLUSTERS, TWO_ON_ONE, escapes=2)
    assert pushed.objective == stuck.objective
    assert np.array_equal(pushed.params.means, stuck.params.means)
    assert pushed.notes == stuck.notes
    assert stuck.n_e_steps < pushed.n_e_steps <= stuck.n_e_steps + 70


@pytest.mark.parametrize(
    ("model", "data", "params"),
    [
        (Linkage(), LINKAGE_DATA, None),
        (PoissonMixture(), DEATHS, None),
        (PoissonMixture(3), DEATHS, None),
        (PoissonVector(), DEATHS, SQUAREM_DEMO_START),
    ],
)
def test_a_good_fit_stays_as_it_is(model, data, params):
    stays = emkit.fit(model, data, params, rng=0, escapes=1)
    plain = emkit.fit(model, data, params, rng=0)
    assert stays.objective == pytest.approx(plain.objective, abs=1e-4)
    assert stays.converged == plain.converged
    assert not any("Left" in note for note in stays.notes)


def test_where_em_is_fast_the_search_ends_with_the_power_iteration():
    # The rate of EM is 0.13 here: no direction grows, so no candidate is tried.
    plain, searched = (emkit.fit(Linkage(), LINKAGE_DATA, rng=0, escapes=escapes) for escapes in (0, 1))
    assert searched.n_e_steps == plain.n_e_steps + 21


@pytest.mark.parametrize("minimum", [-14.516177, 1.373176, 2.646855])
def test_a_minimum_between_two_hills_is_left(minimum):
    # Arslan, Constable and Kent (1993): stopped at once on the minimum itself, where one EM step moves little.
    data = np.array([-20.0, 1, 2, 3])
    tolerance = emkit.StepTolerance(1e-4)
    stuck = emkit.fit(TLocation(), data, minimum, tol=tolerance)
    assert stuck.params == pytest.approx(minimum, abs=1e-3)
    free = emkit.fit(TLocation(), data, minimum, tol=tolerance, escapes=1)
    assert free.objective > stuck.objective + 0.01
    assert min(abs(free.params - top) for top in (-19.993165, 1.086168, 1.997513, 2.905631)) < 1e-3


def test_the_search_keeps_within_max_iter():
    plain = emkit.fit(MissingNormal(), MURRAY_DATA, UNCORRELATED)
    for allowed in range(plain.n_e_steps, plain.n_e_steps + 60, 7):
        result = emkit.fit(MissingNormal(), MURRAY_DATA, UNCORRELATED, escapes=1, max_iter=allowed)
        assert result.n_e_steps <= allowed
        assert result.objective >= plain.objective
        if result.objective == plain.objective:
            assert result.converged
            assert result.notes == ("The search for a higher point was cut short (MAX_ITER).",)


def test_a_climb_that_has_not_converged_is_not_searched():
    result = emkit.fit(SplitAndMerge(), CLUSTERS, TWO_ON_ONE, escapes=1, max_iter=5)
    assert (result.status, result.n_e_steps) == (Status.MAX_ITER, 5)


def test_a_candidate_outside_its_space_is_refused_and_the_others_are_tried():
    class Careless(SplitAndMerge):
        def escape(self, params, statistics):
            yield MeansParams([2.0, -1.0, 0.0], [0.0, 1.0, 2.0])
            yield from super().escape(params, statistics)

    result = emkit.fit(Careless(), CLUSTERS, TWO_ON_ONE, escapes=1)
    assert np.sort(result.params.means) == pytest.approx(CENTRES, abs=0.3)
    assert any("was refused: weights" in note for note in result.notes)


def test_the_history_begins_anew_where_a_candidate_that_starts_low_gets_higher():
    class Far(Means):
        def escape(self, params, statistics):
            return [MeansParams(np.full(3, 1 / 3), [-10.0, 15.0, 35.0])]

    stuck = emkit.fit(Far(), CLUSTERS, TWO_ON_ONE)
    result = emkit.fit(Far(), CLUSTERS, TWO_ON_ONE, escapes=1)
    assert Far().e_step(Far().escape(None, None)[0], CLUSTERS).log_likelihood < stuck.objective
    assert np.sort(result.params.means) == pytest.approx(CENTRES, abs=0.3)
    # But for rounding.
    assert (np.diff(result.objectives) >= -1e-12).all()
    assert result.objectives[: len(stuck.objectives)].tolist() == stuck.objectives.tolist()


@attrs.frozen
class Floored(Means):
    """The means must not be smaller than ``floor``, and are clipped to it."""

    floor: float = 0.0

    def m_step(self, params, statistics):
        free = super().m_step(params, statistics)
        return MeansParams(free.weights, np.maximum(free.means, self.floor))

    def space(self, params):
        return {"means": space.Positive(self.floor)}

    def escape(self, params, statistics):
        return [MeansParams(np.full(3, 1 / 3), [200.0, 180.0, max(170.0, self.floor)])]


@pytest.mark.parametrize(("floor", "is_left"), [(160.0, True), (171.0, False)])
def test_a_higher_point_is_taken_unless_a_floor_holds_it_up(floor, is_left):
    mirrored = 200 - CLUSTERS
    start = MeansParams(np.full(3, 1 / 3), 200 - TWO_ON_ONE.means)
    stuck = emkit.fit(Floored(3, floor), mirrored, start)
    result = emkit.fit(Floored(3, floor), mirrored, start, escapes=1)
    assert stuck.params.means.min() > 174
    assert (result.objective > stuck.objective + 500) == is_left
    assert any("Left a lower hill" in note for note in result.notes) == is_left


def test_an_interrupt_of_the_search_keeps_what_was_found():
    class Interrupted(Means):
        def escape(self, params, statistics):
            raise KeyboardInterrupt

    result = emkit.fit(Interrupted(), CLUSTERS, TWO_ON_ONE, escapes=1)
    assert result.converged
    assert "The search for a higher point was cut short (INTERRUPTED)." in result.notes
    with pytest.raises(KeyboardInterrupt):
        emkit.fit(Interrupted(), CLUSTERS, TWO_ON_ONE, escapes=1, on_interrupt="raise")


def test_an_interrupt_of_the_search_ends_the_other_starts_too():
    class Interrupted(Means):
        def initialize(self, data, rng):
            return TWO_ON_ONE

        def escape(self, params, statistics):
            raise KeyboardInterrupt

    assert len(emkit.fit(Interrupted(), CLUSTERS, n_starts=3, escapes=1).starts) == 1


def test_a_mistake_in_escape_is_not_hidden():
    class Broken(Means):
        def escape(self, params, statistics):
            return params.no_such_field

    with pytest.raises(AttributeError, match="no_such_field"):
        emkit.fit(Broken(), CLUSTERS, TWO_ON_ONE, escapes=1)


def test_only_starts_that_run_to_the_end_are_searched():
    @attrs.frozen
    class Anywhere(SplitAndMerge):
        def initialize(self, data, rng):
            return MeansParams(np.full(3, 1 / 3), rng.choice(data, 3))

    model = Anywhere()
    result = emkit.fit(model, CLUSTERS, n_starts=8, rng=3, short_runs=ShortRuns(5, 1), escapes=1)
    assert np.sort(result.params.means) == pytest.approx(CENTRES, abs=0.3)
    assert model.tried == [0, 1, 2]


@pytest.mark.parametrize("escapes", [-1, 0.5, "many"])
def test_escapes_are_counted_in_whole_numbers(escapes):
    with pytest.raises(ValueError, match="escapes must be a whole number of at least 0"):
        emkit.fit(Means(), CLUSTERS, TWO_ON_ONE, escapes=escapes)


class Offering(Means):
    """Offers what it is given."""

    def __init__(self, offer):
        object.__setattr__(self, "n_components", 3)
        object.__setattr__(self, "offer", offer)

    def escape(self, params, statistics):
        return self.offer(params)


def test_candidates_without_end_are_cut_off(monkeypatch):
    monkeypatch.setattr(emkit.restarts.escape, "MAX_CANDIDATES", 5)
    outside = MeansParams([2.0, -1.0, 0.0], [0.0, 1.0, 2.0])
    result = emkit.fit(Offering(lambda _: itertools.repeat(outside)), CLUSTERS, TWO_ON_ONE, escapes=1)
    assert result.converged
    assert sum("was refused" in note for note in result.notes) == 5
    assert "Only the first 5 candidates of the search for a higher point were tried." in result.notes


def test_an_escape_that_gives_up_leaves_the_fit_as_it_was():
    result = emkit.fit(Offering(lambda _: 1 / 0), CLUSTERS, TWO_ON_ONE, escapes=1)
    assert result.converged
    assert "`escape` of the model gave up: ZeroDivisionError: division by zero" in result.notes


@pytest.mark.parametrize("offer", [lambda _: None, lambda params: params, lambda _: {"weights": 1.0}])
def test_an_escape_gives_an_iterable_of_params(offer):
    with pytest.raises(TypeError, match=r"Offering\.escape must give an iterable of params"):
        emkit.fit(Offering(offer), CLUSTERS, TWO_ON_ONE, escapes=1)

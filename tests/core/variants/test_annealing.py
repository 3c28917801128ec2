"""Deterministic annealing."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
from scipy.special import logsumexp
from toys import PoissonMixture

import emkit
from emkit import Annealing, Status, anneal, space
from emkit.model import offers
from emkit.variants import Tempered


@attrs.frozen(eq=False)
class MeansParams:
    means: np.ndarray = space.real()


@attrs.frozen
class UnitNormals(emkit.LatentModel):
    """Equally likely components of variance 1: only the means are unknown."""

    n_components: int = 12
    shrinkage: float = 0.0

    def e_step(self, params, data, temperature=1.0):
        log_joint = -np.log(self.n_components * np.sqrt(2 * np.pi)) - (data[:, None] - params.means) ** 2 / 2
        log_joint = log_joint / temperature
        log_density = logsumexp(log_joint, axis=1)
        shares = np.exp(log_joint - log_density[:, None])
        return emkit.EStep((shares.sum(axis=0), data @ shares), temperature * log_density.sum(), len(data))

    def m_step(self, params, statistics):
        counts, sums = statistics
        return MeansParams(sums / (counts + self.shrinkage))

    def log_prior(self, params):
        return -self.shrinkage * np.sum(params.means**2) / 2

    def initialize(self, data, rng):
        return MeansParams(rng.choice(data, self.n_components, replace=False))


CENTRES = np.arange(-22.0, 23.0, 4.0)
DATA = (np.random.default_rng(0).standard_normal((40, 12)) + CENTRES).ravel()
#: Hotter than the variance of the data in units of a component's: there is one hill.
HOT = Annealing(start=200.0)


def best():
    return emkit.fit(UnitNormals(), DATA, MeansParams(CENTRES)).log_likelihood


def test_annealing_finds_the_best_hill_where_most_starts_miss_it():
    top = best()
    plain = [emkit.fit(UnitNormals(), DATA, rng=seed).log_likelihood for seed in range(20)]
    annealed = [anneal(UnitNormals(), DATA, schedule=HOT, rng=seed).log_likelihood for seed in range(20)]
    assert np.mean(np.array(plain) > top - 1e-3) < 0.5
    assert np.mean(np.array(annealed) > top - 1e-3) >= 0.95


def test_annealing_leaves_a_bad_start_behind():
    start = MeansParams([-22.2, -22, -21.8, *CENTRES[1:9], 16])
    assert emkit.fit(UnitNormals(), DATA, start).log_likelihood < best() - 10
    assert anneal(UnitNormals(), DATA, start, schedule=HOT, rng=0).log_likelihood == pytest.approx(best(), abs=1e-5)


def test_without_a_push_rounding_alone_parts_coincident_components_and_too_late():
    start = MeansParams(np.full(12, DATA.mean()))
    stays = anneal(UnitNormals(), DATA, start, schedule=attrs.evolve(HOT, jitter=0.0), rng=0)
    assert stays.log_likelihood < best() - 10
    parts = anneal(UnitNormals(), DATA, start, schedule=HOT, rng=0)
    assert parts.log_likelihood == pytest.approx(best(), abs=1e-5)


@pytest.mark.parametrize("temperature", [1.0, 1.5, 4.0, 30.0])
@pytest.mark.parametrize("shrinkage", [0.0, 3.0])
def test_em_at_a_fixed_temperature_never_lowers_the_tempered_objective(temperature, shrinkage):
    model = Tempered(UnitNormals(shrinkage=shrinkage), temperature)
    start = model.initialize(DATA, np.random.default_rng(1))
    result = emkit.fit(model, DATA, start, accelerate=None)
    assert result.converged
    assert (np.diff(result.objectives) > -1e-9).all()


def test_the_tempered_log_likelihood_is_the_power_sum_over_components():
    params, temperature = MeansParams(CENTRES), 3.0
    joint = np.exp(-((DATA[:, None] - CENTRES) ** 2) / 2) / (12 * np.sqrt(2 * np.pi))
    expected = temperature * np.log((joint ** (1 / temperature)).sum(axis=1)).sum()
    assert Tempered(UnitNormals(), temperature).e_step(params, DATA).log_likelihood == pytest.approx(expected)


def test_a_broken_m_step_is_caught_at_the_temperature_where_it_falls():
    class Broken(UnitNormals):
        def m_step(self, params, statistics):
            return MeansParams(-2 * super().m_step(params, statistics).means - 1)

    with pytest.raises(emkit.errors.LikelihoodDecreasedError) as caught:
        anneal(Broken(), DATA, schedule=HOT, rng=0)
    assert "temperature 200" in caught.value.__notes__[0]


def test_the_result_is_that_of_the_model_at_temperature_one():
    model = UnitNormals()
    result = anneal(model, DATA, schedule=HOT, rng=0)
    assert result.converged
    assert result.model is model
    assert result.log_likelihood == model.e_step(result.params, DATA).log_likelihood
    assert "path 200, 153.8" in result.notes[-1]
    assert result.notes[-1].endswith(", 1.")


def test_all_e_steps_are_counted():
    calls = []

    class Counted(UnitNormals):
        def e_step(self, params, data, temperature=1.0):
            calls.append(temperature)
            return super().e_step(params, data, temperature)

    result = anneal(Counted(), DATA, schedule=HOT, rng=0)
    assert result.n_e_steps == len(calls)
    assert result.history.n_e_steps[-1] <= len(calls)
    assert calls == sorted(calls, reverse=True)
    assert calls[-1] == 1.0


def test_a_schedule_that_starts_at_one_is_the_plain_fit():
    start = MeansParams(CENTRES + 1)
    plain, annealed = emkit.fit(UnitNormals(), DATA, start), anneal(UnitNormals(), DATA, start, schedule=Annealing(1.0))
    assert annealed.n_e_steps == plain.n_e_steps
    assert (annealed.params.means == plain.params.means).all()


def test_the_same_seed_gives_the_same_fit():
    one, other = (anneal(UnitNormals(), DATA, schedule=HOT, rng=3).params.means for _ in range(2))
    assert (one == other).all()


def test_a_callback_may_stop_on_the_way_and_the_likelihood_is_the_models_own():
    def callback(point):
        raise StopIteration

    result = anneal(UnitNormals(), DATA, schedule=HOT, rng=0, callback=callback)
    assert result.status is Status.STOPPED_BY_CALLBACK
    assert "temperature 200" in result.message
    assert result.log_likelihood == UnitNormals().e_step(result.params, DATA).log_likelihood


def test_time_is_that_of_all_temperatures_together():
    result = anneal(UnitNormals(), DATA, schedule=HOT, rng=0, max_time=0.0)
    assert result.status is Status.MAX_TIME


def test_temperatures_fall_by_a_factor_and_end_above_one():
    assert Annealing(start=8.0, factor=2.0).temperatures() == (8.0, 4.0, 2.0)
    assert Annealing(start=1.0).temperatures() == ()
    assert min(Annealing().temperatures()) > 1


@pytest.mark.parametrize(
    "settings", [{"start": 0.5}, {"factor": 1.0}, {"jitter": -1.0}, {"tol": -1.0}, {"start": np.inf}]
)
def test_bad_schedules_are_refused(settings):
    with pytest.raises(ValueError, match=f"{next(iter(settings))} must be"):
        Annealing(**settings)


def test_a_model_without_temperature_is_told_what_to_define():
    with pytest.raises(emkit.errors.MissingCapabilityError, match=r"temperature=1\.0"):
        anneal(PoissonMixture(), (np.arange(3.0), np.ones(3)), rng=0)


def test_several_starts_are_refused():
    with pytest.raises(ValueError, match="n_starts"):
        anneal(UnitNormals(), DATA, n_starts=3)


@attrs.frozen(eq=False)
class FullParams:
    weights: np.ndarray = space.simplex()
    covariances: np.ndarray = space.covariance()
    rates: np.ndarray = space.positive()


class Everything(UnitNormals):
    """Capabilities that a tempered model hands on."""

    leaf_rows = 50

    def prepare(self, leaf):
        return leaf

    def space(self, params):
        return {"means": space.Real()}

    def sample(self, params, n, rng):
        return rng.standard_normal(n)


def test_the_tempered_model_hands_on_what_is_still_true_and_no_more():
    model = Everything()
    tempered = Tempered(model, 2.0)
    for name in ("leaf_rows", "prepare", "space", "log_prior", "initialize"):
        assert offers(tempered, name)
        assert getattr(tempered, name) == getattr(model, name)
    for name in ("sample", "log_likelihood", "score_contributions", "complete_score", "escape"):
        assert not offers(tempered, name)


def test_data_in_leaves_are_annealed_alike():
    whole = anneal(UnitNormals(), DATA, schedule=HOT, rng=0)
    leaves = anneal(Everything(), DATA, schedule=HOT, rng=0)
    # Two components far apart may have exchanged their places: rounding breaks the symmetry.
    np.testing.assert_allclose(np.sort(leaves.params.means), np.sort(whole.params.means), atol=1e-5)


def test_a_push_stays_inside_every_space():
    class Still(emkit.LatentModel):
        def e_step(self, params, data, temperature=1.0):
            return emkit.EStep(params, 0.0)

        def m_step(self, params, statistics):
            return params

    seen = []
    start = FullParams([[0.5, 0.5, 0.0]], [[[2.0, 0.5], [0.5, 1.0]]], [1e-9, 5.0])
    anneal(
        Still(), None, start, schedule=Annealing(jitter=0.3), rng=0, callback=lambda point: seen.append(point.params)
    )
    later = [params for params in seen if params.rates[1] != 5.0]
    assert later
    for params in later:
        assert params.weights.sum() == pytest.approx(1, abs=1e-12)
        assert params.weights[0, 2] == 0
        assert (params.covariances == np.swapaxes(params.covariances, -1, -2)).all()
        assert np.linalg.eigvalsh(params.covariances).min() > 0
        assert params.rates.min() > 0


def test_params_that_declare_nothing_keep_summing_to_one():
    class Bare(PoissonMixture):
        def e_step(self, params, data, temperature=1.0):
            y, n = data
            log_joint = (
                np.log(params["weights"]) + y[:, None] * np.log(params["rates"]) - params["rates"]
            ) / temperature
            log_density = logsumexp(log_joint, axis=1)
            shares = n[:, None] * np.exp(log_joint - log_density[:, None])
            return emkit.EStep((shares.sum(axis=0), y @ shares), temperature * n @ log_density, n.sum())

        def m_step(self, params, statistics):
            counts, sums = statistics
            return {"weights": counts / counts.sum(), "rates": sums / counts}

    seen = []
    data = (np.arange(10.0), np.array([162.0, 267, 271, 185, 111, 61, 27, 8, 3, 1]))
    start = {"weights": np.array([0.4, 0.6]), "rates": np.array([1.0, 3.0])}
    anneal(Bare(), data, start, schedule=Annealing(2.0), rng=0, callback=lambda point: seen.append(point.params))
    assert np.ptp([params["weights"].sum() for params in seen]) < 1e-9


@pytest.mark.parametrize("settings", [{"start": "hot"}, {"factor": None}, {"jitter": "a little"}])
def test_a_schedule_is_made_of_numbers(settings):
    with pytest.raises(ValueError, match=f"{next(iter(settings))} must be"):
        Annealing(**settings)


def test_a_schedule_of_millions_of_temperatures_is_refused():
    with pytest.raises(ValueError, match="more than 10000 temperatures"):
        Annealing(factor=1 + 1e-9)


def test_a_number_is_no_schedule():
    with pytest.raises(TypeError, match=r"schedule must be emkit\.variants\.Annealing"):
        anneal(UnitNormals(), DATA, schedule=5.0)


def test_a_checkpoint_is_refused(tmp_path):
    with pytest.raises(ValueError, match="anneal takes no checkpoint"):
        anneal(UnitNormals(), DATA, checkpoint=tmp_path)

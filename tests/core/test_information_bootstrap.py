"""The bootstrap: which data, which labels, which streams, and the errors it gives."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any, ClassVar

import attrs
import numpy as np
import pytest
from problems.scored import APPLE_CROP, IncompleteNormal, ScoredPoissonMixture, one_row_each
from toys import DEATHS, LINKAGE_DATA, Linkage, LinkageParams, PoissonMixture, PoissonMixtureParams

import emkit
from emkit import information, space
from emkit.errors import FitFailedError, MissingCapabilityError
from emkit.information.labels import align_all, label_axes
from emkit.information.resampling import resample_rows
from emkit.information.surface import Surface


class SampledLinkage(Linkage):
    """Linkage of which new animals can be drawn."""

    def sample(self, params, n, rng):
        t = params.theta
        return rng.multinomial(n, [(2 + t) / 4, (1 - t) / 4, (1 - t) / 4, t / 4]).astype(float)

    def resample(self, data, rng):
        return rng.multinomial(int(data.sum()), data / data.sum()).astype(float)


@attrs.frozen(eq=False)
class MeanParams:
    mean: Any = space.real()


class Mean(emkit.LatentModel):
    """A normal mean of weighted rows; sd 1."""

    leaf_rows: ClassVar[int | None] = 16

    def e_step(self, params, data):
        rows, weights = data
        log_likelihood = -float(weights @ (rows - params.mean) ** 2) / 2
        return emkit.EStep((weights @ rows, weights.sum()), log_likelihood, float(weights.sum()))

    def m_step(self, params, statistics):
        return MeanParams(statistics[0] / statistics[1])


@attrs.frozen(eq=False)
class SlopeParams:
    slope: Any = space.real()


class Slope(emkit.LatentModel):
    """A line through the origin; sd 1; values that are missing say nothing. Data (covariate, value), rows first."""

    def e_step(self, params, data):
        x, y = data[~np.isnan(data[:, 1])].T
        log_likelihood = -float(np.sum((y - params.slope * x) ** 2)) / 2
        # Half of the information counts as missing, so that EM takes more than one step.
        slope = (params.slope + (x @ y) / (x @ x)) / 2
        return emkit.EStep(slope, log_likelihood)

    def m_step(self, params, statistics):
        return SlopeParams(statistics)

    def simulate(self, params, data, rng):
        values = params.slope * data[:, 0] + rng.standard_normal(len(data))
        return np.column_stack([data[:, 0], np.where(np.isnan(data[:, 1]), np.nan, values)])


class RowsPoisson(ScoredPoissonMixture):
    """On one row for each observation; simulated data are of that kind too."""

    def sample(self, params, n, rng):
        return one_row_each(super().sample(params, n, rng))


@pytest.fixture(scope="module")
def linkage():
    return emkit.fit(SampledLinkage(), LINKAGE_DATA, LinkageParams(0.5), tol=0)


@pytest.fixture(scope="module")
def poisson():
    return emkit.fit(ScoredPoissonMixture(), DEATHS, PoissonMixtureParams([0.4, 0.6], [1.0, 3.0]))


@pytest.fixture(scope="module")
def mean():
    rng = np.random.default_rng(4)
    data = (rng.normal(5, 2, 80), rng.integers(1, 4, 80).astype(float))
    return emkit.fit(Mean(), data, MeanParams(0.0), tol=0), data


@pytest.mark.parametrize("kind", ["parametric", "nonparametric"])
def test_linkage_has_its_closed_form_standard_error_up_to_chance(linkage, kind):
    found = linkage.bootstrap(LINKAGE_DATA, 1000, kind=kind, rng=7)
    # A standard deviation of 1000 replicates has a relative error of 1 / sqrt(2000), 2.2 %; three of them.
    assert found.standard_errors.theta == pytest.approx(0.0514673, rel=0.07)
    assert found.replicates.shape == (1000, 1)
    assert found.kind == kind
    assert abs(found.bias.theta) < 0.01


def test_covariates_and_gaps_stay_where_a_model_simulates_data_like_the_given_ones():
    rng = np.random.default_rng(8)
    data = np.column_stack([rng.uniform(0, 3, 40), rng.normal(size=40)])
    data[::3, 1] = np.nan
    seen: list[Any] = []

    class Watched(Slope):
        def simulate(self, params, data, rng):
            seen.append(super().simulate(params, data, rng))
            return seen[-1]

    result = emkit.fit(Watched(), data, SlopeParams(0.0), tol=1e-12)
    found = result.bootstrap(data, 1000, kind="parametric", rng=7)
    assert all(np.array_equal(drawn[:, 0], data[:, 0]) for drawn in seen)
    assert all(np.array_equal(np.isnan(drawn), np.isnan(data)) for drawn in seen)
    # Least squares: the variance is 1 over the sum of squares of the covariate, over the rows with a value.
    expected = 1 / np.sqrt(np.sum(data[~np.isnan(data[:, 1]), 0] ** 2))
    assert found.standard_errors.slope == pytest.approx(expected, rel=0.07)


def test_simulate_goes_before_sample(linkage):
    class Both(SampledLinkage):
        def simulate(self, params, data, rng):
            return data

    result = attrs.evolve(linkage, model=Both())
    found = result.bootstrap(LINKAGE_DATA, 5, kind="parametric", rng=0)
    assert np.ptp(found.replicates) == 0


def test_percentile_intervals_are_quantiles_of_the_replicates(linkage):
    found = linkage.bootstrap(LINKAGE_DATA, 200, rng=7)
    low, high = found.intervals(0.9)
    assert np.mean(found.replicates[:, 0] < low.theta) == pytest.approx(0.05, abs=0.006)
    assert np.mean(found.replicates[:, 0] > high.theta) == pytest.approx(0.05, abs=0.006)
    with pytest.raises(ValueError, match="level must lie between 0 and 1"):
        found.intervals(90)


def test_weights_travel_with_their_rows(mean):
    result, (rows, weights) = mean
    found = result.bootstrap((rows, weights), 2000, rng=1)
    # The variance of a ratio estimate, sum of w_i**2 (y_i - mean)**2 / (sum of w_i)**2 (Cochran 1977, section 6.4).
    center = weights @ rows / weights.sum()
    expected = np.sqrt(np.sum((weights * (rows - center)) ** 2)) / weights.sum()
    assert found.standard_errors.mean == pytest.approx(expected, rel=0.05)
    for values, drawn in (resample_rows((rows, weights), np.random.default_rng(r)) for r in range(3)):
        assert {*zip(values, drawn, strict=True)} <= {*zip(rows, weights, strict=True)}
        assert len(values) == len(rows)


def test_lists_of_sequences_are_drawn_sequence_by_sequence():
    data = [np.full(n, float(n)) for n in range(1, 9)]
    drawn = resample_rows(data, np.random.default_rng(0))
    assert len(drawn) == 8
    assert all(len(piece) == piece[0] for piece in drawn)
    assert len({len(piece) for piece in drawn}) < 8


def test_arrays_of_different_lengths_are_not_drawn_by_rows():
    with pytest.raises(ValueError, match=r"these have lengths \[2, 3\]"):
        resample_rows((np.zeros(2), np.zeros(3)), np.random.default_rng(0))


def test_rows_are_not_drawn_unless_the_model_says_that_they_are_independent():
    result = emkit.fit(Linkage(), LINKAGE_DATA, LinkageParams(0.5))
    with pytest.raises(MissingCapabilityError, match="does not say that rows are independent"):
        result.bootstrap(LINKAGE_DATA, 10)


def test_a_parametric_bootstrap_needs_a_model_that_samples(mean):
    result, data = mean
    with pytest.raises(MissingCapabilityError, match="sample"):
        result.bootstrap(data, 10, kind="parametric")


def test_a_parametric_bootstrap_needs_the_number_of_observations():
    class Silent(SampledLinkage):
        def e_step(self, params, data):
            e_step = super().e_step(params, data)
            return emkit.EStep(e_step.statistics, e_step.log_likelihood)

    result = emkit.fit(Silent(), LINKAGE_DATA, LinkageParams(0.5))
    with pytest.raises(ValueError, match="the E-step reports None"):
        result.bootstrap(LINKAGE_DATA, 10, kind="parametric")


def test_a_replicate_depends_on_its_number_alone(linkage):
    few = linkage.bootstrap(LINKAGE_DATA, 5, rng=3)
    many = linkage.bootstrap(LINKAGE_DATA, 9, rng=3)
    assert np.array_equal(few.replicates, many.replicates[:5])
    other = linkage.bootstrap(LINKAGE_DATA, 5, rng=4)
    assert not np.array_equal(few.replicates, other.replicates)


@pytest.mark.parametrize("pool", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_the_engine_does_not_matter(poisson, pool):
    alone = poisson.bootstrap(DEATHS, 6, kind="parametric", rng=3)
    with pool(2) as executor:
        together = poisson.bootstrap(DEATHS, 6, kind="parametric", rng=3, engine=executor)
    assert np.array_equal(alone.replicates, together.replicates)


def test_failures_are_kept_apart_with_their_reasons(linkage):
    class Fragile(SampledLinkage):
        def resample(self, data, rng):
            drawn = super().resample(data, rng)
            if drawn[0] > 125:
                msg = "too many"
                raise ValueError(msg)
            return drawn

    result = attrs.evolve(linkage, model=Fragile())
    found = result.bootstrap(LINKAGE_DATA, 40, rng=0)
    assert 0 < found.n_failed < 40
    assert found.n_failed + len(found.replicates) == 40
    assert all(reason == "ValueError: too many" for _, reason in found.failures)
    assert "more failed, the first: ValueError: too many" in str(found)


def test_fits_that_do_not_converge_are_failures(linkage):
    with pytest.raises(FitFailedError, match="Only 0 of 4 replicates could be fitted: Not converged"):
        linkage.bootstrap(LINKAGE_DATA, 4, rng=0, max_iter=2)


@pytest.mark.parametrize("n", [0, 1, 2.5, "ten"])
def test_a_number_of_replicates_is_whole_and_at_least_two(linkage, n):
    with pytest.raises(ValueError, match="whole number of at least 2"):
        linkage.bootstrap(LINKAGE_DATA, n)


def test_an_unknown_kind_is_named(linkage):
    with pytest.raises(ValueError, match="it is 'bayesian'"):
        linkage.bootstrap(LINKAGE_DATA, 4, kind="bayesian")


def test_replicates_have_the_shape_of_the_params_with_replicates_first(poisson):
    found = poisson.bootstrap(DEATHS, 6, kind="parametric", rng=3)
    assert found.params.rates.shape == (6, 2)
    assert found.covariance == pytest.approx(np.cov(found.replicates.T))
    assert found.standard_errors.rates == pytest.approx(found.params.rates.std(axis=0, ddof=1))


def test_exchanged_components_are_put_back_in_order(poisson):
    def exchanged(model, data, params):
        result = emkit.fit(model, data, params)
        swapped = PoissonMixtureParams(result.params.weights[::-1], result.params.rates[::-1])
        return attrs.evolve(result, params=swapped)

    settings: dict[str, Any] = {"kind": "parametric", "rng": 3}
    straight = information.bootstrap(emkit.fit, poisson.model, poisson.params, DEATHS, 6, **settings)
    back = information.bootstrap(exchanged, poisson.model, poisson.params, DEATHS, 6, **settings)
    assert straight.is_aligned
    assert np.array_equal(straight.replicates, back.replicates)
    left = information.bootstrap(exchanged, poisson.model, poisson.params, DEATHS, 6, align=False, **settings)
    assert not left.is_aligned
    assert np.array_equal(left.replicates, straight.replicates[:, [1, 0, 3, 2]])


def test_three_components_find_their_places():
    params = PoissonMixtureParams([0.2, 0.3, 0.5], [1.0, 4.0, 9.0])
    surface = Surface(PoissonMixture(3), params, DEATHS)
    rows = np.array(
        [[0.51, 0.19, 0.3, 8.8, 1.1, 4.1], [0.22, 0.3, 0.48, 1.2, 4.1, 9.2], [0.3, 0.21, 0.49, 4.2, 0.9, 9.1]]
    )
    found = align_all(rows, params, label_axes(surface), surface.spaces)
    assert found[0].tolist() == [0.19, 0.3, 0.51, 1.1, 4.1, 8.8]
    assert found[1].tolist() == rows[1].tolist()
    assert found[2].tolist() == [0.21, 0.3, 0.49, 0.9, 4.2, 9.1]


def test_what_the_data_determine_well_decides_about_the_order():
    params = PoissonMixtureParams([0.4, 0.6], [1.0, 3.0])
    surface = Surface(PoissonMixture(), params, DEATHS)
    rng = np.random.default_rng(0)
    first = rng.uniform(0.05, 0.95, 50)
    # Weights say nothing, rates all: no component is to be exchanged, however far its weight.
    rows = np.column_stack([first, 1 - first, rng.normal(1.0, 0.05, 50), rng.normal(3.0, 0.05, 50)])
    assert np.array_equal(align_all(rows, params, label_axes(surface), surface.spaces), rows)
    swapped = rows.copy()
    swapped[:20] = rows[:20][:, [1, 0, 3, 2]]
    assert np.array_equal(align_all(swapped, params, label_axes(surface), surface.spaces), rows)


def test_a_field_as_long_as_the_weights_that_is_none_of_the_components_stops_the_guess():
    @attrs.frozen(eq=False)
    class Params:
        weights: Any = space.simplex()
        slopes: Any = space.real()

    class Uneven(emkit.LatentModel):
        """Depends on which entry is which."""

        def e_step(self, params, data):
            total = float(np.log(params.weights) @ [1.0, 2.0]) - float(params.slopes @ params.slopes)
            return emkit.EStep(np.array([1.0, 2.0]), total, 3.0)

        def m_step(self, params, statistics):
            return Params(statistics / 3, params.slopes * 0.5)

    assert label_axes(Surface(Uneven(), Params([1 / 3, 2 / 3], [0.1, 0.2]), None)) == {}


def test_proportions_alone_have_no_labels():
    class Bare(emkit.LatentModel):
        def e_step(self, params, data):
            return emkit.EStep(data, float(data @ np.log(params)), float(data.sum()))

        def m_step(self, params, statistics):
            return statistics / statistics.sum()

        def space(self, params):
            return space.Simplex()

    assert label_axes(Surface(Bare(), np.array([0.5, 0.5]), np.array([5.0, 5.0]))) == {}


@attrs.frozen(eq=False)
class ChainParams:
    startprob: Any = space.simplex()
    transmat: Any = space.simplex()
    shift: Any = space.fixed()


class Chain(emkit.LatentModel):
    """States in pairs that only their counts tell apart; a constant as long as there are states."""

    def e_step(self, params, data):
        total = (
            np.sum(np.log(params.startprob))
            + np.sum(np.log(params.transmat))
            + np.sum(np.log(np.diag(params.transmat)))
        )
        return emkit.EStep(data, float(total), 2.0)

    def m_step(self, params, statistics):
        return params


def test_a_transition_matrix_is_permuted_by_both_its_axes_and_constants_are_not():
    transmat = [[0.9, 0.05, 0.05], [0.2, 0.7, 0.1], [0.3, 0.3, 0.4]]
    params = ChainParams([0.6, 0.3, 0.1], transmat, [1.0, 2.0, 3.0])
    surface = Surface(Chain(), params, None)
    axes = label_axes(surface)
    assert axes == {("startprob",): (0,), ("transmat",): (0, 1)}
    order = [2, 0, 1]
    mixed = np.r_[params.startprob[order], params.transmat[np.ix_(order, order)].ravel(), params.shift]
    found = align_all(mixed[None], params, axes, surface.spaces)[0]
    assert found.tolist() == [*params.startprob, *params.transmat.ravel(), *params.shift]


def test_a_model_may_say_itself_which_axes_run_over_components():
    class Told(Chain):
        def label_axes(self, params):
            return {"transmat": 1}

    class Mistaken(Chain):
        def label_axes(self, params):
            return {"transmats": 1}

    params = ChainParams([0.6, 0.4], [[0.9, 0.1], [0.2, 0.8]], [1.0])
    assert label_axes(Surface(Told(), params, None)) == {("transmat",): (1,)}
    with pytest.raises(
        ValueError, match="label_axes names transmats, but the params only have startprob, transmat, shift"
    ):
        label_axes(Surface(Mistaken(), params, None))


def test_missing_entries_are_drawn_with_their_rows():
    class Rows(IncompleteNormal):
        leaf_rows = 64

    result = emkit.fit(Rows(), APPLE_CROP, rng=0)
    found = result.bootstrap(APPLE_CROP, 60, rng=2)
    # Of 18 rows, and 60 replicates: the right order, no more.
    assert found.standard_errors.mean == pytest.approx([2.23, 2.73], rel=0.4)


def test_simulated_data_of_another_size_are_failures(linkage):
    class Few(SampledLinkage):
        def sample(self, params, n, rng):
            return super().sample(params, n // 2, rng)

    class Fewer(SampledLinkage):
        def simulate(self, params, data, rng):
            return self.sample(params, 50, rng)

    for model, found in ((Few(), "Few.sample gave 98"), (Fewer(), "Fewer.simulate gave 50")):
        with pytest.raises(FitFailedError, match=f"{found} observations, and 197 were asked for"):
            information.bootstrap(emkit.fit, model, linkage.params, LINKAGE_DATA, 2, kind="parametric", rng=0)


def test_data_without_arrays_are_not_drawn_by_rows():
    with pytest.raises(ValueError, match="Rows are drawn again from arrays, and object holds none"):
        resample_rows(object(), np.random.default_rng(0))

"""Standard errors, covariances and the second look at an optimum, against published and closed-form numbers."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import pytest
from scipy import stats
from toys import (
    DEATHS,
    LINKAGE_DATA,
    LINKAGE_OPTIMUM,
    MURRAY_DATA,
    MURRAY_SADDLE,
    SQUAREM_DEMO_START,
    Linkage,
    LinkageParams,
    MissingNormal,
    NormalParams,
    PoissonMixture,
    PoissonMixtureParams,
    PoissonVector,
)

import emkit
from emkit import information, space

#: Square root of the inverse of -L'' at the optimum of the linkage data, from the closed form of L''.
LINKAGE_SE = 0.051467349200889
#: Poisson mixture on the London Times deaths: weight of the first component and both rates, first the smaller rate.
POISSON_SES = (0.194684299, 0.350029711, 0.250478270)


@attrs.frozen(eq=False)
class MultinomialParams:
    shares: Any = space.simplex()
    scale: Any = space.fixed()


class Multinomial(emkit.LatentModel):
    """Counts of categories: the covariance of the shares is (diag(p) - p p') / n."""

    def e_step(self, params, data):
        seen = data > 0
        return emkit.EStep(data, float(data[seen] @ np.log(params.shares[seen])), float(data.sum()))

    def m_step(self, params, statistics):
        return MultinomialParams(statistics / statistics.sum(), params.scale)


@attrs.frozen(eq=False)
class RowsParams:
    transmat: Any = space.simplex()


class Rows(emkit.LatentModel):
    """Transition counts."""

    def e_step(self, params, data):
        return emkit.EStep(data, float((data * np.log(params.transmat)).sum()), float(data.sum()))

    def m_step(self, params, statistics):
        return RowsParams(statistics / statistics.sum(axis=1, keepdims=True))


@attrs.frozen(eq=False)
class NormalPair:
    mean: Any = space.real()
    variance: Any = space.positive()
    n: int = 0


class Normal(emkit.LatentModel):
    """A normal sample, without missing parts: SE(mean) = sqrt(v / n), SE(variance) = v sqrt(2 / n)."""

    def e_step(self, params, data):
        density = stats.norm.logpdf(data, float(params.mean), np.sqrt(float(params.variance)))
        return emkit.EStep((len(data), data.sum(), data @ data), float(density.sum()), float(len(data)))

    def m_step(self, params, statistics):
        n, first, second = statistics
        return NormalPair(first / n, second / n - (first / n) ** 2, params.n)


@pytest.fixture(scope="module")
def poisson():
    start = PoissonMixtureParams([0.4, 0.6], [1.0, 3.0])
    return emkit.fit(PoissonMixture(), DEATHS, start, tol=0)


@pytest.fixture(scope="module")
def sample():
    return np.random.default_rng(3).normal(2.0, 3.0, 50)


def test_linkage_has_the_published_standard_error():
    ses = information.standard_errors(Linkage(), LinkageParams(LINKAGE_OPTIMUM), LINKAGE_DATA)
    assert isinstance(ses, LinkageParams)
    assert ses.theta == pytest.approx(LINKAGE_SE, rel=1e-6)


def test_the_published_standard_error_of_linkage_is_that_of_the_closed_form():
    t = LINKAGE_OPTIMUM
    second = -125 / (2 + t) ** 2 - 38 / (1 - t) ** 2 - 34 / t**2
    assert (-second) ** -0.5 == pytest.approx(LINKAGE_SE, rel=1e-12)


def test_the_poisson_mixture_has_the_published_standard_errors(poisson):
    ses = poisson.standard_errors(DEATHS)
    assert np.allclose(ses.weights, POISSON_SES[0], rtol=1e-5, atol=0)
    assert ses.rates == pytest.approx(POISSON_SES[1:], rel=1e-5)


def test_standard_errors_of_undeclared_params_are_the_same():
    result = emkit.fit(PoissonVector(), DEATHS, SQUAREM_DEMO_START, tol=0)
    one, large, small = information.standard_errors(PoissonVector(), result.params, DEATHS)
    assert (one, small, large) == pytest.approx(POISSON_SES, rel=1e-5)


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("shift", [0.0, 1e4])
def test_standard_errors_of_a_normal_are_closed_in_any_units(sample, unit, shift):
    data = unit * (sample + shift)
    v = data.var()
    ses = information.standard_errors(Normal(), NormalPair(data.mean(), v, 9), data)
    assert float(ses.mean) == pytest.approx(np.sqrt(v / 50), rel=1e-5)
    assert float(ses.variance) == pytest.approx(v * np.sqrt(2 / 50), rel=1e-5)
    assert ses.n == 0


def test_default_fits_are_close_enough_for_standard_errors():
    result = emkit.fit(PoissonMixture(), DEATHS, PoissonMixtureParams([0.4, 0.6], [1.0, 3.0]))
    assert result.standard_errors(DEATHS).rates == pytest.approx(POISSON_SES[1:], rel=1e-2)


def test_the_covariance_of_shares_is_that_of_the_multinomial_and_sums_to_zero():
    counts = np.array([10.0, 30.0, 60.0])
    shares = counts / 100
    params = MultinomialParams(shares, [5.0])
    full = information.covariance(Multinomial(), params, counts)
    expected = (np.diag(shares) - np.outer(shares, shares)) / 100
    assert full[:3, :3] == pytest.approx(expected, rel=1e-5)
    assert np.abs(full[:3, :3].sum(axis=1)).max() < 1e-15


def test_entries_that_are_fixed_have_no_error(sample):
    params = MultinomialParams([0.1, 0.3, 0.6], [5.0])
    full = information.covariance(Multinomial(), params, np.array([10.0, 30.0, 60.0]))
    assert not full[3].any()
    assert not full[:, 3].any()
    ses = information.standard_errors(Multinomial(), params, np.array([10.0, 30.0, 60.0]))
    assert ses.scale.tolist() == [0.0]


def test_every_row_of_a_transition_matrix_has_errors_of_its_own():
    counts = np.array([[10.0, 30.0], [200.0, 50.0]])
    transmat = counts / counts.sum(axis=1, keepdims=True)
    full = information.covariance(Rows(), RowsParams(transmat), counts)
    for row, n in enumerate((40, 250)):
        block = full[2 * row : 2 * row + 2, 2 * row : 2 * row + 2]
        assert block == pytest.approx(np.prod(transmat[row]) / n * np.array([[1, -1], [-1, 1]]), rel=1e-5)
    assert not full[:2, 2:].any() or np.abs(full[:2, 2:]).max() < 1e-10


def test_an_entry_on_a_bound_has_no_standard_error_and_the_others_keep_theirs():
    counts = np.array([0.0, 30.0, 70.0])
    ses = information.standard_errors(Multinomial(), MultinomialParams(counts / 100, [5.0]), counts)
    assert np.isnan(ses.shares[0])
    assert ses.shares[1:] == pytest.approx(np.sqrt([0.0021, 0.0021]), rel=1e-5)


def test_a_fit_that_ends_on_a_bound_counts_the_entry_and_names_it():
    counts = np.array([0.0, 30.0, 70.0])
    result = emkit.fit(Multinomial(), counts, MultinomialParams([0.2, 0.3, 0.5], [5.0]))
    assert result.n_parameters == 2
    assert any(note.startswith("shares[0] lies on the bound") for note in result.notes)
    assert result.verify(counts).n_on_bound == 1


def test_intervals_reach_normal_quantiles_to_both_sides(poisson):
    low, high = poisson.confidence_intervals(DEATHS, level=0.9)
    z = stats.norm.ppf(0.95)
    assert low.rates == pytest.approx(poisson.params.rates - z * np.array(POISSON_SES[1:]), rel=1e-5)
    assert high.rates == pytest.approx(poisson.params.rates + z * np.array(POISSON_SES[1:]), rel=1e-5)
    # An interval for a weight may leave [0, 1]: it is the normal one.
    assert isinstance(low, PoissonMixtureParams)


def test_the_level_of_intervals_is_95_percent_unless_told():
    params = LinkageParams(LINKAGE_OPTIMUM)
    low, high = information.confidence_intervals(Linkage(), params, LINKAGE_DATA)
    assert high.theta - low.theta == pytest.approx(2 * 1.959963984540054 * LINKAGE_SE, rel=1e-6)


@pytest.mark.parametrize("level", [0, 1, 95, -0.5, np.nan])
def test_a_level_is_a_probability(poisson, level):
    with pytest.raises(ValueError, match="level must lie between 0 and 1"):
        poisson.confidence_intervals(DEATHS, level)


def test_a_maximum_is_verified(poisson):
    found = poisson.verify(DEATHS)
    assert found.kind == "maximum"
    assert found.gap < 1e-8
    assert found.smallest_eigenvalue > 0
    assert found.n_on_bound == 0


def test_a_point_on_the_way_is_not_stationary_and_the_gap_is_what_newton_would_gain():
    params = LinkageParams(LINKAGE_OPTIMUM + 0.5 * LINKAGE_SE)
    found = information.verify(Linkage(), params, LINKAGE_DATA)
    assert found.kind == "not stationary"
    # Half a standard error from the top of a parabola lie an eighth of a nat.
    assert found.gap == pytest.approx(0.125, rel=0.05)


def test_the_saddle_where_em_stops_is_flagged():
    start = NormalParams([0.0, 0.0], [[1.0, 0.0], [0.0, 3.0]])
    result = emkit.fit(MissingNormal(), MURRAY_DATA, start)
    assert result.converged
    assert result.log_likelihood == pytest.approx(MURRAY_SADDLE, abs=1e-6)
    found = result.verify(MURRAY_DATA)
    assert found.kind == "saddle"
    assert found.smallest_eigenvalue < -0.05
    with pytest.raises(ValueError, match="not a maximum"):
        result.standard_errors(MURRAY_DATA)


def test_the_maximum_beside_the_saddle_has_the_published_standard_errors():
    start = NormalParams([0.0, 0.0], [[2.5, 0.3], [0.3, 2.5]])
    result = emkit.fit(MissingNormal(), MURRAY_DATA, start, tol=0)
    assert result.verify(MURRAY_DATA).kind == "maximum"
    ses = result.standard_errors(MURRAY_DATA)
    assert ses.mean == pytest.approx([0.557773351] * 2, rel=1e-5)
    assert ses.covariance[0, 1] == ses.covariance[1, 0]


def test_a_point_whose_curvature_leads_up_has_no_standard_errors():
    with pytest.raises(ValueError, match="not positive definite, so there are no standard errors"):
        information.standard_errors(PoissonMixture(), PoissonMixtureParams([0.5, 0.5], [2.2, 2.2]), DEATHS)


class SumOnly(emkit.LatentModel):
    """Data that determine the sum of the first two params only; a third shows in the rounding alone."""

    def e_step(self, params, data):
        log_likelihood = -1e3 - float((params[0] + params[1] - 3.0) ** 2)
        if len(params) > 2:
            log_likelihood += 3e-12 * float(np.sin(1e5 * params[2]))
        return emkit.EStep(params, log_likelihood, 1.0)

    def m_step(self, params, statistics):
        return params * 0.9


UNDETERMINED = [[x, 3.0 - x, *more] for x in np.linspace(-2.3, 4.1, 12) for more in ((), (5.3 * x,))]


@pytest.mark.parametrize("params", UNDETERMINED)
def test_params_that_the_data_do_not_determine_have_no_standard_errors(params):
    with pytest.raises(ValueError, match="the data do not determine all params"):
        information.standard_errors(SumOnly(), np.array(params), None)


@pytest.mark.parametrize("params", UNDETERMINED)
def test_a_flat_direction_is_neither_a_maximum_nor_a_saddle(params):
    found = information.verify(SumOnly(), np.array(params), None)
    assert found.kind == "not determined"
    assert abs(found.smallest_eigenvalue) < 1e-6


def test_params_without_a_free_direction_have_no_errors_at_all():
    class Settled(PoissonVector):
        def space(self, params):
            return space.Fixed()

    ses = information.standard_errors(Settled(), SQUAREM_DEMO_START, DEATHS)
    assert ses.tolist() == [0.0, 0.0, 0.0]
    assert information.verify(Settled(), SQUAREM_DEMO_START, DEATHS).kind == "maximum"


def test_the_information_of_a_posterior_includes_the_prior(sample):
    class WithPrior(Normal):
        def log_prior(self, params):
            return -5.0 * float(params.mean) ** 2

    v = sample.var()
    flat = information.observed_information(Normal(), NormalPair(1.0, v), sample).matrix
    sharp = information.observed_information(WithPrior(), NormalPair(1.0, v), sample).matrix
    assert (sharp - flat)[0, 0] == pytest.approx(10.0, rel=1e-4)


def test_differences_never_leave_the_space():
    seen = []

    class Instrumented(PoissonMixture):
        def e_step(self, params, data):
            seen.append(params)
            return super().e_step(params, data)

    near_the_edge = PoissonMixtureParams([1e-6, 1 - 1e-6], [1e-5, 2.2])
    information.verify(Instrumented(), near_the_edge, DEATHS)
    assert len(seen) > 10
    for params in seen:
        assert (params.weights > 0).all()
        assert (params.rates > 0).all()
        assert params.weights.sum() == pytest.approx(1, abs=1e-12)


def test_a_function_of_an_estimate_on_a_bound_has_no_standard_error():
    # Counts of one kind never seen: its share is zero, and so is its slope along every free direction.
    class Shares:
        def e_step(self, params, data):
            with np.errstate(divide="ignore", invalid="ignore"):
                terms = np.where(data > 0, data * np.log(params.shares), 0.0)
            return emkit.EStep(data, float(terms.sum()), float(data.sum()))

        def m_step(self, params, statistics):
            return SharesParams(statistics / statistics.sum())

    params = SharesParams(np.array([0.0, 0.4, 0.6]))
    found = information.delta(lambda p: [*p.shares, 2.0], Shares(), params, np.array([0.0, 40.0, 60.0]))
    assert np.isnan(found.standard_errors[0])
    np.testing.assert_allclose(found.standard_errors[1:], [np.sqrt(0.24 / 100)] * 2 + [0.0], rtol=1e-4)


@attrs.frozen(eq=False)
class SharesParams:
    """Three shares."""

    shares: np.ndarray = space.simplex()

"""Leaps of the degrees of freedom: each is judged by the very log-likelihood that it changes."""

import attrs
import numpy as np
import pytest
from scipy import stats

from emkit.families import StudentT
from emkit.families.student.leaps import LIGHT_DF, TailSums, best_leaps
from emkit.families.student.tails import HIGHEST_DF

RNG = np.random.default_rng(11)
NORMAL = RNG.normal(size=(400, 3)) @ np.array([[2.0, 1.0, 0.0], [0.0, 1.0, 0.3], [0.0, 0.0, 5.0]])
HEAVY = NORMAL / np.sqrt(RNG.chisquare(6, size=(400, 1)) / 6)
SHARES = RNG.dirichlet([2.0, 3.0], size=400)


def objective(params, x):
    return (SHARES * StudentT().log_density(params, x)).sum(axis=0)


def started(x, df):
    return attrs.evolve(StudentT().fit(x, SHARES), df=np.array(df))


def leaps_at(params, x, shrinkable):
    family = StudentT()
    _, distances = family._distances(params, x)
    sums = TailSums.of(params.df, distances, SHARES)
    return best_leaps(params.df, SHARES.sum(axis=0), sums, 3, np.array(shrinkable))


@pytest.mark.parametrize("x", [NORMAL, HEAVY], ids=["normal", "heavy"])
@pytest.mark.parametrize("df", [[20.0, 300.0], [1e4, HIGHEST_DF], [LIGHT_DF, 0.9 * HIGHEST_DF]])
@pytest.mark.parametrize("shrinkable", [[True, True], [False, True], [False, False]])
def test_a_leap_gains_what_it_promises_or_more(x, df, shrinkable):
    params = started(x, df)
    leaps = leaps_at(params, x, shrinkable)
    leaping = leaps.gains > 0
    assert leaping.any()
    scatters = params.scatters * leaps.factors[:, None, None]
    after = objective(attrs.evolve(params, df=leaps.df, scatters=scatters), x)
    gained = (after - objective(params, x))[leaping]
    assert (gained >= leaps.gains[leaping] - 1e-7).all()
    # Not much more, either: a bound that promises nothing would never leap.
    assert (gained <= 2 * leaps.gains[leaping] + 1e-7).all()
    assert (leaps.factors[~np.array(shrinkable)] == 1).all()


def test_where_no_leap_gains_there_is_none():
    # The maximum of each component, found by EM: nothing at another df is better.
    params = StudentT().fit(HEAVY, SHARES)
    for _ in range(400):
        params = StudentT().fit(HEAVY, SHARES, params)
    assert (leaps_at(params, HEAVY, [True, True]).gains == -np.inf).all()


@pytest.mark.parametrize("df", [LIGHT_DF, 50.0, HIGHEST_DF])
def test_the_polynomial_is_above_the_logarithm_and_meets_it(df):
    distances = stats.chi2(3).rvs(size=(500, 1), random_state=1)
    distances[:3, 0] = [0.0, 1e5, 1e290]
    sums = TailSums.of(np.array([df]), distances, np.ones((500, 1)))
    for multiple in (0.0, 0.1, 0.9, 1.0, 1.1, 4.0, 40.0):
        exact = np.log1p(distances[:, 0] * multiple / df).sum()
        bound = sums.logs_at(np.array([multiple]))[0]
        assert bound >= exact - 1e-9
        if multiple in {0.9, 1.0, 1.1}:
            assert bound == pytest.approx(exact, rel=1e-4)


def test_heavy_tails_are_left_to_em():
    assert (leaps_at(started(NORMAL, [3.0, 0.9 * LIGHT_DF]), NORMAL, [True, True]).gains == -np.inf).all()


def test_from_the_normal_there_is_a_way_back():
    params = started(HEAVY, [HIGHEST_DF, HIGHEST_DF])
    for _ in range(200):
        params = StudentT().fit(HEAVY, SHARES, params)
    again = StudentT().fit(HEAVY, SHARES)
    for _ in range(200):
        again = StudentT().fit(HEAVY, SHARES, again)
    np.testing.assert_allclose(params.df, again.df, rtol=1e-3)
    assert (params.df < 12).all()


@pytest.mark.parametrize("structure", ["full", "tied", "diag", "spherical"])
def test_leaps_keep_scatters_above_their_floor(structure):
    # One column is constant but for rounding: its variance rests on the floor and cannot shrink with the tails.
    x = np.column_stack([NORMAL[:, :2], np.where(np.arange(400) % 2, 1.0, 1.0 + 1e-7)])
    family = StudentT(None, structure, floor=0.01)
    params = family.fit(x, SHARES)
    for _ in range(60):
        before = (SHARES * family.log_density(params, x)).sum()
        params = family.fit(x, SHARES, params)
        assert (SHARES * family.log_density(params, x)).sum() >= before - 1e-9 * abs(before)
        family.space(params)["scatters"].check(params.scatters, "scatters")


def test_at_the_highest_the_degrees_of_freedom_stay():
    # Evenly spread rows have lighter tails than a normal; what an EM step would make of them there is rounding.
    x = np.linspace(-1.0, 1.0, 200)[:, None]
    params = attrs.evolve(StudentT().fit(x, np.ones((200, 1))), df=np.array([HIGHEST_DF]))
    for _ in range(20):
        params = StudentT().fit(x, np.ones((200, 1)), params)
        assert params.df[0] == HIGHEST_DF


@pytest.mark.parametrize("structure", ["full", "diag", "spherical"])
def test_a_leap_to_heavy_tails_stops_at_the_floor(structure):
    # Under a normal the variance is far above the floor, under the best t the scatter is below it.
    x = stats.t.ppf((np.arange(300) + 0.5) / 300, 2.0)[:, None] * [1.0, 3.0]
    family, shares = StudentT(None, structure, floor=0.9), np.ones((300, 1))
    params = attrs.evolve(StudentT(1e5, structure, floor=0.9).fit(x, shares), df=np.array([HIGHEST_DF]))
    for _ in range(60):
        before = family.log_density(params, x).sum()
        params = family.fit(x, shares, params)
        assert family.log_density(params, x).sum() >= before - 1e-9 * abs(before)
        family.space(params)["scatters"].check(params.scatters, "scatters")
    assert params.df[0] < 10


def test_an_outlier_beyond_all_squares_is_no_reason_to_leap():
    x = np.vstack([stats.norm.ppf((np.arange(99) + 0.5) / 99)[:, None], [[1e140]]])
    params = StudentT().fit(x, np.ones((100, 1)))
    for df in (20.0, 1e5):
        _, distances = StudentT()._distances(params, x)
        sums = TailSums.of(np.array([df]), distances, np.ones((100, 1)))
        leaps = best_leaps(np.array([df]), np.array([100.0]), sums, 1, np.array([False]))
        assert leaps.df[0] <= df

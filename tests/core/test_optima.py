"""Which distinct optima several starts have found, and how often."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from workers import TLocation

import emkit
from emkit import Status
from emkit.optima import SAME, distinct_optima
from emkit.result import Start

#: Four observations with four maxima (Arslan, Constable and Kent 1993, Statistics and Computing 3:103):
#: location and log-likelihood without constants.
DATA = np.array([-20.0, 1, 2, 3])
MAXIMA = {-19.993165: -14.452564, 1.086168: -8.616671, 1.997513: -8.015097, 2.905631: -8.703555}


def start(index, objective, status=Status.CONVERGED, *, on_floor=False):
    return Start(index, status, objective, 10, "", on_floor)


def objectives(starts):
    return [optimum.objective for optimum in distinct_optima(starts)]


@pytest.mark.parametrize(("first", "found"), [(100.0, 1.086168), (10.0, 1.997513), (-25.0, -19.993165)])
def test_plain_em_ends_at_the_published_maximum_of_its_basin(first, found):
    result = emkit.fit(TLocation(), DATA, first, accelerate=None, tol=1e-12)
    assert result.params == pytest.approx(found, abs=1e-6)
    assert result.objective == pytest.approx(MAXIMA[found], abs=1e-6)


def test_many_starts_find_the_highest_of_four_published_maxima_and_list_the_others():
    result = emkit.fit(TLocation(), DATA, n_starts=60, rng=0)
    assert result.params == pytest.approx(1.997513, abs=1e-5)
    expected = sorted(MAXIMA.values(), reverse=True)
    assert [optimum.objective for optimum in result.optima] == pytest.approx(expected, abs=1e-5)
    assert sum(optimum.n_found for optimum in result.optima) == 60
    assert sorted(itertools.chain(*(optimum.starts for optimum in result.optima))) == list(range(60))


def test_objectives_that_agree_are_one_optimum_named_by_the_highest():
    (optimum,) = distinct_optima([start(0, -5.0), start(1, -5.0 + SAME / 2), start(2, -5.0 - SAME / 3)])
    assert (optimum.objective, optimum.n_found, optimum.starts) == (-5.0 + SAME / 2, 3, (0, 1, 2))


def test_a_chain_of_near_objectives_is_no_single_optimum():
    assert len(distinct_optima([start(i, -i * 0.6 * SAME) for i in range(4)])) == 2


def test_the_best_optimum_is_first_and_those_on_a_floor_are_last():
    starts = [start(0, -9.0), start(1, 50.0, on_floor=True), start(2, -7.0), start(3, -9.0, on_floor=True)]
    found = distinct_optima(starts)
    assert [(optimum.objective, optimum.rests_on_floor) for optimum in found] == [
        (-7.0, False),
        (-9.0, False),
        (50.0, True),
        (-9.0, True),
    ]


def test_starts_cut_short_count_where_they_arrived_and_nowhere_else():
    starts = [start(0, -7.0, Status.MAX_ITER), start(1, -7.0 + SAME / 2), start(2, -8.0, Status.SHORT_RUN)]
    (optimum,) = distinct_optima(starts)
    assert (optimum.starts, optimum.status) == ((0, 1), Status.CONVERGED)


def test_the_top_of_a_ridge_is_an_optimum():
    (optimum,) = distinct_optima([start(0, -7.0, Status.STALLED)])
    assert optimum.status is Status.STALLED


def test_failures_are_no_optima():
    failures = [start(0, -np.inf, None), start(1, np.nan, Status.NONFINITE), start(2, 9.0, Status.DEGENERATE)]
    assert objectives(failures) == []
    assert objectives([*failures, start(3, -7.0)]) == [-7.0]


def test_the_order_of_the_starts_does_not_matter():
    starts = [start(0, -5.0), start(1, -9.0), start(2, -5.0), start(3, -5.0, Status.MAX_ITER), start(4, np.nan, None)]
    tables = {distinct_optima(order) for order in itertools.permutations(starts)}
    assert len(tables) == 1

"""Several workers: the same bits as one, nothing lost when a worker dies, nothing left running."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any, ClassVar

import attrs
import numpy as np
import pytest
from toys import PoissonMixture, PoissonMixtureParams
from workers import MANY, Dying, Whole

import emkit
from emkit import ExecutorEngine, SerialEngine, ThreadEngine, space
from emkit.engines import Workload, as_engine, n_workers
from emkit.engines.leaves import shard_size
from emkit.engines.pools import ITEMS_PER_WORKER, n_cores
from emkit.errors import EmkitWarning


@attrs.frozen(eq=False)
class TurnedParams:
    weights: Any = space.simplex()
    speeds: Any = space.positive()


START = PoissonMixtureParams([0.4, 0.6], [10.0, 40.0])


def fit(engine, model=None, **settings):
    return emkit.fit(model or PoissonMixture(), MANY, START, engine=engine, **settings)


def assert_same_bits(one, other):
    assert np.array_equal(one.objectives, other.objectives)
    assert np.array_equal(one.params.weights, other.params.weights)
    assert np.array_equal(one.params.rates, other.params.rates)
    assert (one.status, one.n_e_steps, one.n_rejected) == (other.status, other.n_e_steps, other.n_rejected)


@pytest.fixture(scope="module")
def processes():
    with ProcessPoolExecutor(2) as pool:
        yield pool


def test_the_data_of_these_tests_make_many_leaves():
    assert len(Workload.of(PoissonMixture(), MANY).leaves) == 16


@pytest.mark.parametrize("engine", [2, 4, -1, ThreadEngine(3), SerialEngine()], ids=str)
def test_any_number_of_threads_gives_the_bits_of_one(engine):
    assert_same_bits(fit(None), fit(engine))


def test_processes_give_the_bits_of_one(processes):
    assert_same_bits(fit(None), fit(processes))


def test_an_executor_of_threads_gives_the_bits_of_one():
    with ThreadPoolExecutor(3) as pool:
        assert_same_bits(fit(None), fit(pool))
        assert_same_bits(fit(None), fit(ExecutorEngine(pool, n_workers=2)))


def test_one_leaf_and_many_have_the_same_history():
    whole, cut = fit(None, Whole()), fit(2)
    assert np.allclose(whole.objectives, cut.objectives, rtol=1e-12, atol=0)
    assert np.allclose(whole.params.rates, cut.params.rates, rtol=1e-12, atol=0)


@pytest.mark.parametrize("n_leaves", [1, 7, 8, 9, 31, 64, 100, 1000])
@pytest.mark.parametrize("workers", [1, 2, 3, 8])
def test_a_shard_is_a_power_of_two_and_leaves_work_for_everybody(n_leaves, workers):
    size = shard_size(n_leaves, workers)
    assert size.bit_count() == 1
    assert size == 1 or n_leaves // size >= 4 * workers
    assert workers == 1 or n_leaves < 8 * workers or size > 1


def test_a_dead_worker_costs_nothing_but_a_line_in_the_log(caplog):
    with ProcessPoolExecutor(2) as pool, caplog.at_level(logging.WARNING, "emkit"):
        found = fit(pool, Dying())
    assert_same_bits(found, fit(None))
    (record,) = caplog.records
    assert "has died" in record.getMessage()
    assert record.name == "emkit"


def test_an_executor_that_was_broken_before_is_no_obstacle(caplog):
    with ProcessPoolExecutor(2) as pool, caplog.at_level(logging.WARNING, "emkit"):
        fit(pool, Dying())
        assert_same_bits(fit(pool), fit(None))
    assert len(caplog.records) == 2


def test_a_model_that_cannot_be_pickled_is_told_to_use_threads(processes):
    class Local(PoissonMixture):
        pass

    with pytest.raises(TypeError, match=r"Local or its params cannot be sent to another process.*engine=-1"):
        fit(processes, Local())
    assert_same_bits(fit(2, Local()), fit(None))


@attrs.frozen
class Linked(PoissonMixture):
    link: Any = None


@attrs.frozen(eq=False)
class Table:
    values: Any
    counts: Any
    link: Any


class OfTables(PoissonMixture):
    leaf_rows: ClassVar[int | None] = None

    def e_step(self, params, data):
        return super().e_step(params, (data.values, data.counts))


class GivesFunctions(PoissonMixture):
    def e_step(self, params, data):
        e_step = super().e_step(params, data)
        return emkit.EStep({**e_step.statistics, "later": lambda: None}, e_step.log_likelihood)


@pytest.mark.parametrize("n_starts", [1, 2])
def test_a_function_in_the_model_that_cannot_be_sent_is_named(processes, n_starts):
    with pytest.raises(TypeError, match=r"Linked or its params cannot .* in link: <function .*<lambda>") as told:
        emkit.fit(Linked(link=lambda x: x), MANY, rng=0, engine=processes, n_starts=n_starts)
    assert "emkit.ThreadEngine()" in str(told.value)


def test_a_function_in_the_data_that_cannot_be_sent_is_named(processes):
    data = Table(*MANY, link=lambda x: x)
    with pytest.raises(TypeError, match=r"The data cannot be sent .* At fault in link: <function .*<lambda>"):
        emkit.fit(OfTables(), data, START, engine=processes)
    assert_same_bits(emkit.fit(OfTables(), data, START, engine=2), emkit.fit(Whole(), MANY, START))


def test_an_answer_that_cannot_be_sent_back_is_told(processes):
    with pytest.raises(TypeError, match=r"What GivesFunctions gave cannot be sent back from another process"):
        emkit.fit(GivesFunctions(), MANY, START, engine=processes)


def test_a_mistake_of_the_model_in_another_process_is_not_taken_for_pickles(processes):
    with pytest.raises(AttributeError, match="rates"):
        emkit.fit(PoissonMixture(), MANY, TurnedParams([0.5, 0.5], [1.0, 2.0]), engine=processes)


NOTEBOOK = """
import multiprocessing, sys
from concurrent.futures import ProcessPoolExecutor
sys.path += {path!r}
import emkit
from toys import PoissonMixture
from workers import MANY

class Mine(PoissonMixture):
    pass

if __name__ == "__main__":
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        try:
            emkit.fit(Mine(), MANY, rng=0, engine=pool)
        except TypeError as error:
            print(error)
"""


def test_a_model_of_a_notebook_that_a_fresh_process_cannot_find_is_told_to_use_threads():
    code = NOTEBOOK.format(path=sys.path)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert "Mine or its params cannot be sent to another process" in done.stdout


@pytest.mark.parametrize("engine", [2, "processes"])
def test_what_the_model_raises_is_passed_on_as_it_is(engine, processes):
    outside = PoissonMixtureParams([0.5, 0.5], [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="broadcast") as serial:
        emkit.fit(PoissonMixture(), MANY, outside)
    with pytest.raises(ValueError, match="broadcast") as spread:
        emkit.fit(PoissonMixture(), MANY, outside, engine=processes if engine == "processes" else engine)
    assert str(serial.value) == str(spread.value)


def test_an_error_in_one_leaf_leaves_the_others_unstarted():
    begun = []

    def work(item):
        begun.append(item)
        if item == 0:
            raise KeyError(item)
        time.sleep(0.05)

    with ThreadPoolExecutor(1) as pool, pytest.raises(KeyError):
        list(ExecutorEngine(pool).map(work, range(1000)))
    assert len(begun) < ITEMS_PER_WORKER


def test_answers_come_in_order_and_few_items_are_taken_in_advance():
    taken = []

    def items():
        for i in range(100):
            taken.append(i)
            yield i

    with ThreadPoolExecutor(2) as pool:
        for fetched, answer in enumerate(ExecutorEngine(pool).map(lambda i: 10 * i, items())):
            assert answer == 10 * fetched
            assert len(taken) - fetched <= 2 * ITEMS_PER_WORKER
    assert len(taken) == 100


def test_threads_of_a_fit_end_with_it_and_their_number_is_the_one_asked_for():
    names = set()

    class Watching(PoissonMixture):
        def e_step(self, params, data):
            names.add(threading.current_thread().name)
            return super().e_step(params, data)

    fit(2, Watching())
    assert {name[:5] for name in names} == {"emkit"}
    assert len(names) <= 2
    assert not any(thread.name.startswith("emkit") for thread in threading.enumerate())


def test_threads_end_when_the_fit_fails():
    class Breaking(PoissonMixture):
        def m_step(self, params, statistics):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fit(2, Breaking())
    assert not any(thread.name.startswith("emkit") for thread in threading.enumerate())


def test_threads_are_started_once_for_a_fit(monkeypatch):
    made = []

    class Counted(ThreadPoolExecutor):
        def __init__(self, *args, **keywords):
            made.append(self)
            super().__init__(*args, **keywords)

    monkeypatch.setattr("emkit.engines.pools.ThreadPoolExecutor", Counted)
    assert fit(2).n_e_steps > 3
    assert len(made) == 1


def test_the_executor_of_the_caller_is_not_shut_down():
    with ThreadPoolExecutor(2) as pool:
        fit(pool)
        assert pool.submit(int, "7").result() == 7


def test_a_thread_engine_works_outside_a_fit_too():
    assert list(ThreadEngine(2).map(str.upper, ["a", "b", "c"])) == ["A", "B", "C"]


def test_an_executor_says_how_many_workers_it_has_or_counts_as_one_for_each_core():
    class Silent(Executor):
        def submit(self, function, /, *args):
            future = Future()
            future.set_result(function(*args))
            return future

    with ThreadPoolExecutor(3) as pool:
        assert n_workers(as_engine(pool)) == 3
    assert n_workers(as_engine(Silent())) == n_cores()
    assert_same_bits(fit(Silent()), fit(None))


@pytest.mark.parametrize("engine", [None, 1, np.int64(1)])
def test_none_and_one_are_the_calling_thread(engine):
    assert isinstance(as_engine(engine), SerialEngine)


def test_a_number_means_threads_and_minus_one_all_cores():
    assert as_engine(3) == ThreadEngine(3)
    assert n_workers(as_engine(-1)) == n_cores()


@pytest.mark.parametrize("engine", [0, -2])
def test_a_number_of_workers_that_makes_no_sense_is_refused(engine):
    with pytest.raises(ValueError, match="number of threads of at least 1, or -1"):
        as_engine(engine)
    with pytest.raises(ValueError, match="n_workers must be at least 1"):
        ThreadEngine(engine)


@pytest.mark.parametrize("engine", ["threads", 2.0, True, ThreadPoolExecutor, object()])
def test_what_is_no_engine_is_refused(engine):
    with pytest.raises(TypeError, match="engine must be None, a number of threads"):
        as_engine(engine)


def _blas_threads():
    threadpoolctl = pytest.importorskip("threadpoolctl")
    return {pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"}


def test_blas_has_one_thread_while_workers_run_and_its_own_number_afterwards():
    threadpoolctl = pytest.importorskip("threadpoolctl")
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        before = _blas_threads()
        inside = list(ThreadEngine(2).map(lambda _: _blas_threads(), range(2)))
        assert inside == [{1}, {1}]
        assert _blas_threads() == before


def test_without_threadpoolctl_a_warning_tells_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    with pytest.warns(EmkitWarning, match="OMP_NUM_THREADS=1"):
        fit(2)


def test_without_threadpoolctl_a_limit_from_outside_is_enough(monkeypatch):
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    assert_same_bits(fit(2), fit(None))


def test_an_executor_that_was_shut_down_is_named():
    pool = ThreadPoolExecutor(2)
    pool.shutdown()
    with pytest.raises(RuntimeError, match="The ThreadPoolExecutor given as engine takes no work"):
        list(ExecutorEngine(pool).map(str, [1, 2]))

"""Data are cut by rows, prepared once, and what the leaves give is merged along one fixed tree."""

from __future__ import annotations

import concurrent.futures
from types import SimpleNamespace
from typing import Any, ClassVar

import attrs
import numpy as np
import pytest

import emkit
from emkit.engines import SerialEngine, Workload, merge_in_tree
from emkit.engines.leaves import add_e_steps, cut, halves, leaf_size


@attrs.frozen(eq=False)
class Rows:
    x: Any
    weights: Any = None
    label: str = "kept"


class Sum:
    """A model that sums the rows; the params and the M-step do not matter."""

    def e_step(self, params, data):
        return emkit.EStep({"sum": data.sum(axis=0)}, float(data.sum()), float(len(data)))

    def m_step(self, params, statistics):
        return params


class SumOfLeaves(Sum):
    leaf_rows: ClassVar[int | None] = 3


class Preparing(SumOfLeaves):
    """Counts the calls of prepare, and refuses data that were not prepared."""

    def __init__(self):
        self.prepared = []

    def prepare(self, leaf):
        self.prepared.append(leaf)
        return ("ready", leaf)

    def e_step(self, params, data):
        word, rows = data
        assert word == "ready"
        return super().e_step(params, rows)


def level_by_level(items):
    """Return the merge of texts by pairing neighbours, level after level; an odd one waits for the next level."""
    level = list(items)
    while len(level) > 1:
        pairs = [f"({''.join(level[i : i + 2])})" if i + 1 < len(level) else level[i] for i in range(0, len(level), 2)]
        level = pairs
    return level[0]


def bracket(left, right):
    return f"({left}{right})"


def names(n):
    return [f"<{i}>" for i in range(n)]


def test_an_array_is_cut_by_rows_and_the_last_piece_may_be_short():
    pieces = cut(np.arange(14).reshape(7, 2), 3)
    assert [len(piece) for piece in pieces] == [3, 3, 1]
    assert np.array_equal(np.concatenate(pieces), np.arange(14).reshape(7, 2))


def test_pieces_are_views():
    data = np.zeros((6, 2))
    assert all(np.shares_memory(piece, data) for piece in cut(data, 2))


@pytest.mark.parametrize("rows", [6, 7, 10**9])
def test_data_that_fit_one_leaf_are_left_as_they_are(rows):
    data = np.zeros(6)
    (piece,) = cut(data, rows)
    assert piece is data


def test_everything_that_shares_the_first_axis_travels_together():
    x, weights = np.arange(10.0).reshape(5, 2), np.arange(5.0)
    flags, texts = weights > 2, np.array(list("abcde"))
    whole = {"x": x, "more": (weights, [flags, texts])}
    first, second, third = cut(whole, 2)
    assert np.array_equal(third["x"], x[4:])
    assert np.array_equal(second["more"][0], [2.0, 3.0])
    assert second["more"][1][0].tolist() == [False, True]
    assert first["more"][1][1].tolist() == ["a", "b"]


def test_an_attrs_class_is_cut_through_its_constructor():
    first, second = cut(Rows(np.arange(4.0), np.arange(4)), 2)
    assert type(second) is Rows
    assert (second.x.tolist(), second.weights.tolist(), second.label) == ([2.0, 3.0], [2, 3], "kept")
    assert first.x.tolist() == [0.0, 1.0]


def test_numbers_and_arrays_without_axes_are_given_to_every_leaf():
    pieces = cut({"x": np.arange(4.0), "zero-dim": np.array(7.0), "number": 3, "none": None}, 2)
    assert len(pieces) == 2
    for piece in pieces:
        assert (float(piece["zero-dim"]), piece["number"], piece["none"]) == (7.0, 3, None)
        assert len(piece["x"]) == 2


def test_a_list_is_cut_between_its_sequences_only():
    sequences = [np.zeros(n) for n in (5, 1, 3)]
    first, second = cut(sequences, 2)
    assert [len(s) for s in first] == [5, 1]
    assert [len(s) for s in second] == [3]


def test_an_empty_list_of_sequences_is_one_leaf():
    assert cut([], 2) == [[]]


@pytest.mark.parametrize("data", [(np.zeros(4), np.zeros(3)), {"n": 3}, "text", None, np.array(1.0)])
def test_data_without_one_common_first_axis_are_not_cut(data):
    (piece,) = cut(data, 1)
    assert piece is data


@pytest.mark.parametrize("n", [2, 3, 4, 7])
def test_halves_are_two_parts_that_make_the_whole(n):
    model = SimpleNamespace(leaf_rows=8)
    one, two = halves(model, np.arange(n))
    assert abs(len(one) - len(two)) <= 1
    assert np.concatenate([one, two]).tolist() == list(range(n))


def test_data_that_may_not_be_cut_have_no_halves():
    assert len(halves(SimpleNamespace(), np.arange(4))) == 1


def test_sequences_are_only_cut_between_members_of_a_list():
    model = SimpleNamespace(leaf_sequences=2, leaf_rows=None)
    one_sequence = np.arange(10.0)
    assert leaf_size(model, one_sequence) is None
    assert leaf_size(model, [one_sequence] * 5) == 2
    assert [len(leaf) for leaf in Workload.of(model, [one_sequence] * 5).leaves] == [2, 2, 1]
    assert Workload.of(model, one_sequence).leaves == [one_sequence]


def test_a_leaf_of_no_sequences_is_refused():
    with pytest.raises(ValueError, match="leaf_sequences must be None or a whole number of at least 1; it is 0"):
        Workload.of(SimpleNamespace(leaf_sequences=0), [np.zeros(2)])


@pytest.mark.parametrize("n", range(1, 41))
def test_the_tree_pairs_neighbours_level_by_level(n):
    assert merge_in_tree(names(n), bracket) == level_by_level(names(n))


@pytest.mark.parametrize("n", [5, 8, 13, 31, 40])
@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_an_aligned_run_of_a_power_of_two_leaves_is_a_node(n, size):
    whole = merge_in_tree(names(n), bracket)
    shards = [merge_in_tree(names(n)[start : start + size], bracket) for start in range(0, n, size)]
    assert all(shard in whole for shard in shards)
    assert merge_in_tree(shards, bracket) == whole


def test_a_run_that_is_not_aligned_is_no_node():
    assert merge_in_tree(names(8)[1:3], bracket) not in merge_in_tree(names(8), bracket)


def test_merging_holds_only_logarithmically_many_items():
    alive, most = 0, 0

    def items():
        nonlocal alive, most
        for _ in range(1000):
            alive += 1
            most = max(most, alive)
            yield None

    def merge(left, right):
        nonlocal alive
        alive -= 1

    merge_in_tree(items(), merge)
    assert most <= 11


def test_nothing_cannot_be_merged():
    with pytest.raises(ValueError, match="no leaf"):
        merge_in_tree([], bracket)


def test_e_steps_add_in_all_three_parts():
    total = add_e_steps(emkit.EStep({"s": 1.0}, -2.0, 3.0), emkit.EStep({"s": 10.0}, -20.0, 30.0))
    assert (total.statistics, total.log_likelihood, total.n_observations) == ({"s": 11.0}, -22.0, 33.0)


def test_a_missing_count_makes_the_total_count_unknown():
    total = add_e_steps(emkit.EStep(1.0, 1.0, 3.0), emkit.EStep(1.0, 1.0))
    assert total.n_observations is None


def test_the_e_step_of_all_leaves_is_that_of_the_whole():
    data = np.arange(14.0).reshape(7, 2)
    workload = Workload.of(SumOfLeaves(), data)
    assert [len(leaf) for leaf in workload.leaves] == [3, 3, 1]
    total = workload.e_step(None)
    assert np.array_equal(total.statistics["sum"], data.sum(axis=0))
    assert (total.log_likelihood, total.n_observations) == (91.0, 7.0)


def test_a_model_that_says_nothing_of_leaves_is_never_cut():
    data = np.zeros((100_000, 1))
    (leaf,) = Workload.of(Sum(), data).leaves
    assert leaf is data


def test_every_leaf_is_cut_first_and_prepared_once():
    model = Preparing()
    workload = Workload.of(model, np.arange(7.0))
    for _ in range(3):
        assert workload.e_step(None).log_likelihood == 21.0
    assert [leaf.tolist() for leaf in model.prepared] == [[0, 1, 2], [3, 4, 5], [6]]


def test_the_leaves_are_merged_along_the_tree_and_not_in_a_row():
    class Texts(SumOfLeaves):
        leaf_rows = 1

        def e_step(self, params, data):
            return emkit.EStep((), float(data[0]), 1.0)

    # In a row (1e16 + 1) + 1 + 1 rounds to 1e16; in the tree 1 + 1 meet first and are seen.
    data = np.array([1e16, -1e16, 1.0, 1.0])
    spread = np.array([1e16, 0.0, 1.0, 1.0])
    assert Workload.of(Texts(), data).e_step(None).log_likelihood == 2.0
    assert Workload.of(Texts(), spread).e_step(None).log_likelihood == 1e16 + 2


def test_any_object_with_a_map_in_order_is_an_engine_and_gives_the_same_bits():
    rng = np.random.default_rng(1)
    data = rng.normal(size=(1000, 2)) * 10.0 ** rng.integers(-8, 8, (1000, 1))
    serial = Workload.of(SumOfLeaves(), data).e_step(None)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        threaded = Workload.of(SumOfLeaves(), data, pool).e_step(None)
    assert serial.log_likelihood == threaded.log_likelihood
    assert np.array_equal(serial.statistics["sum"], threaded.statistics["sum"])


def test_the_serial_engine_answers_in_order():
    assert list(SerialEngine().map(str.upper, ["a", "b"])) == ["A", "B"]


def test_a_leaf_that_runs_out_of_something_does_not_silently_end_the_data():
    class Careless(SumOfLeaves):
        def e_step(self, params, data):
            if data[0] == 3.0:
                next(iter(()))
            return super().e_step(params, data)

    with pytest.raises(RuntimeError, match="StopIteration"):
        Workload.of(Careless(), np.arange(9.0)).e_step(None)


@pytest.mark.parametrize("change", [lambda answers: answers[:-1], lambda answers: answers * 2])
def test_an_engine_that_loses_or_doubles_a_part_of_the_data_is_found_out(change):
    class Careless:
        def map(self, function, items):
            return change([function(item) for item in items])

    with pytest.raises(ValueError, match=r"Careless\.map must give one answer for each item, in order; for 4 items"):
        Workload.of(SumOfLeaves(), np.ones((10, 2)), Careless()).e_step(None)

"""The arrangement of sequences: every row has one place, and memory is lent to one borrower at a time."""

import pickle

import numpy as np
import pytest
from emkit_hmm.kernels.layout import Layout
from emkit_hmm.kernels.scratch import LARGEST_KEPT, Scratch


@pytest.mark.parametrize("block", [None, 1, 3, 100])
@pytest.mark.parametrize("lengths", [[5], [1, 1, 1], [4, 9, 1, 7, 9], [20_000]])
def test_every_row_has_one_place(lengths, block):
    layout = Layout.of(lengths, 3, block=block)
    rows = np.concatenate([group.rows for group in layout.groups])
    np.testing.assert_array_equal(np.sort(rows), np.arange(sum(lengths)))


@pytest.mark.parametrize("block", [None, 3])
def test_columns_are_rows_in_order_of_time_and_continue_each_other(block):
    lengths = np.array([4, 9, 1, 7, 9])
    layout = Layout.of(lengths, 2, block=block)
    group = layout.groups[0]
    columns = [[] for _ in range(group.n_columns)]
    for rows in group.by_step(group.rows):
        for column, row in enumerate(rows):
            columns[column].append(int(row))
    sequences = {}
    for column in group.order:
        rows, previous = columns[column], group.previous[column]
        assert rows == list(range(rows[0], rows[0] + group.lengths[column]))
        if previous >= 0:
            assert columns[previous][-1] + 1 == rows[0]
            assert previous < group.n_continued
            assert group.lengths[previous] == block
        sequences.setdefault(int(group.sequences[column]), []).extend(rows)
    for k, start in enumerate(layout.starts):
        assert sequences[k] == list(range(start, start + lengths[k]))


def test_few_long_sequences_are_cut_and_many_short_ones_are_not():
    assert Layout.of([50_000], 4).groups[0].n_columns > 100
    assert Layout.of([100] * 50, 4).groups[0].n_continued == 0
    assert len(Layout.of([20] * 20_000, 8).groups) > 1


def test_pieces_of_runs_make_up_the_runs():
    group = Layout.of([30_000, 20_000], 5).groups[0]
    pieces = list(group.pieces(5))
    assert [piece.places.start for piece in pieces[1:]] == [piece.places.stop for piece in pieces[:-1]]
    assert pieces[-1].places.stop == 50_000
    flat = np.arange(250_000.0)
    np.testing.assert_array_equal(np.concatenate([piece.view(flat, 5).ravel() for piece in pieces]), flat)


@pytest.mark.parametrize("lengths", [[], [3, 0], [[1, 2]]])
def test_lengths_that_make_no_sense_are_refused(lengths):
    with pytest.raises(ValueError, match="lengths of sequences"):
        Layout.of(lengths, 2)


def test_borrowed_memory_is_not_lent_twice_and_comes_back():
    scratch = Scratch()
    first, second = scratch.borrow(10), scratch.borrow(10)
    assert not np.shares_memory(first, second)
    scratch.give_back(first)
    assert np.shares_memory(scratch.borrow(8), first)
    assert not np.shares_memory(scratch.borrow(8), first)


def test_large_memory_is_not_kept_and_copies_begin_empty():
    scratch = Scratch()
    large = scratch.borrow(LARGEST_KEPT + 1)
    scratch.give_back(large)
    assert not np.shares_memory(scratch.borrow(LARGEST_KEPT + 1), large)
    small = scratch.borrow(100)
    scratch.give_back(small)
    layout = pickle.loads(pickle.dumps(Layout.of([3, 4], 2)))
    assert layout.lengths.tolist() == [3, 4]
    assert len(pickle.dumps(scratch)) < 100

"""Cutting data into leaves, and merging what the leaves give."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import attrs
import numpy as np

from emkit import tree
from emkit.engines.choice import n_workers
from emkit.engines.serial import Engine, SerialEngine
from emkit.model import EStep, as_e_step, offers

T = TypeVar("T")

#: Shards for each of several workers: enough that none waits long for another, few enough to send around.
SHARDS_PER_WORKER = 4


def cut(data: Any, rows: int) -> list[Any]:
    """Return ``data`` in leaves of ``rows`` rows; the last one may be shorter.

    A list is taken as a list of sequences and cut between its members. Any other tree must consist of arrays that
    share their first axis; each is cut along it, so weights travel with their rows. Pieces are views, not copies.
    """
    if isinstance(data, list):
        return [data[start : start + rows] for start in range(0, len(data), rows)] or [data]
    lengths = set(_lengths(data))
    if len(lengths) != 1:
        return [data]
    (length,) = lengths
    if length <= rows:
        return [data]
    return [_rows(data, start, start + rows) for start in range(0, length, rows)]


def leaf_size(model: Any, data: Any) -> int | None:
    """Return how many rows (members of a list) make a leaf, None where data may not be cut.

    Raises
    ------
    ValueError
        If what the model says is not a whole number of at least 1.
    """
    by_sequence = getattr(model, "leaf_sequences", None)
    name = "leaf_rows" if by_sequence is None else "leaf_sequences"
    size = getattr(model, name, None)
    if size is not None and not (isinstance(size, int | np.integer) and size >= 1):
        msg = f"{type(model).__name__}.{name} must be None or a whole number of at least 1; it is {size!r}."
        raise ValueError(msg)
    return None if size is None or (by_sequence is not None and not isinstance(data, list)) else int(size)


def halves(model: Any, data: Any) -> list[Any]:
    """Return data in two pieces, cut as for leaves; in one if they may not be cut."""
    if leaf_size(model, data) is None:
        return [data]
    rows = len(data) if isinstance(data, list) else next(_lengths(data), 0)
    return cut(data, (rows + 1) // 2)


def _lengths(data: Any) -> Iterator[int]:
    if isinstance(data, np.ndarray):
        if data.ndim:
            yield len(data)
        return
    for _, child in tree.children(data):
        yield from _lengths(child)


def _rows(data: Any, start: int, stop: int) -> Any:
    if isinstance(data, np.ndarray):
        return data[start:stop] if data.ndim else data
    parts = tree.children(data)
    return tree.rebuild(data, [_rows(child, start, stop) for _, child in parts]) if parts else data


def merge_in_tree(items: Iterable[T], merge: Callable[[T, T], T]) -> T:
    """Return all items merged along the binary tree over their index, holding O(log n) of them at a time.

    Item 2i meets item 2i + 1, pairs meet pairs, and so on: the tree does not depend on who computed which item, and
    an aligned run of 2^m items is one of its nodes.
    """
    waiting: list[tuple[int, T]] = []
    for item in items:
        level, merged = 0, item
        while waiting and waiting[-1][0] == level:
            merged = merge(waiting.pop()[1], merged)
            level += 1
        waiting.append((level, merged))
    if not waiting:
        msg = "There is nothing to merge: no leaf of data was given."
        raise ValueError(msg)
    total = waiting.pop()[1]
    while waiting:
        total = merge(waiting.pop()[1], total)
    return total


def answers(engine: Engine, function: Callable[[Any], T], items: Sequence[Any]) -> Iterator[T]:
    """Yield the answers of an engine, one for each item.

    Raises
    ------
    ValueError
        If there are more or fewer: an engine that loses a part of the data would give another fit, unseen.
    """
    number = 0
    for answer in engine.map(function, items):
        number += 1
        yield answer
    if number != len(items):
        msg = (
            f"{type(engine).__name__}.map must give one answer for each item, in order; for {len(items)} items it gave "
            f"{number}."
        )
        raise ValueError(msg)


def add_e_steps(left: EStep[Any], right: EStep[Any]) -> EStep[Any]:
    """Return the E-step of two parts of the data taken together."""
    counts = (left.n_observations, right.n_observations)
    total = None if None in counts else counts[0] + counts[1]  # type: ignore[operator]
    return EStep(
        tree.add(left.statistics, right.statistics),
        left.log_likelihood + right.log_likelihood,
        total,
        left.rounding + right.rounding,
    )


def _e_step_of_shard(model: Any, params: Any, leaves: list[Any]) -> EStep[Any]:
    return merge_in_tree((as_e_step(model, model.e_step(params, leaf)) for leaf in leaves), add_e_steps)


def shard_size(n_leaves: int, workers: int) -> int:
    """Return how many leaves one worker takes at a time: a power of two, so that a shard is a node of the tree."""
    size = 1
    while workers > 1 and 2 * size * workers * SHARDS_PER_WORKER <= n_leaves:
        size *= 2
    return size


@attrs.frozen(eq=False)
class Workload:
    """A model's data, cut and prepared, with the engine that runs over them.

    Attributes
    ----------
    data : tree of arrays
        As the user gave them.
    leaves : list
        Cut first, then prepared.
    """

    model: Any
    data: Any
    leaves: list[Any]
    engine: Engine

    @classmethod
    def of(cls, model: Any, data: Any, engine: Engine | None = None) -> Workload:
        """Cut (if the model sets ``leaf_rows`` or ``leaf_sequences``) and prepare (if it can) the data."""
        size = leaf_size(model, data)
        pieces = [data] if size is None else cut(data, size)
        if offers(model, "prepare"):
            pieces = [model.prepare(piece) for piece in pieces]
        return cls(model, data, pieces, SerialEngine() if engine is None else engine)

    def e_step(self, params: Any) -> EStep[Any]:
        """Return the E-step over all the data."""
        if len(self.leaves) == 1 and isinstance(self.engine, SerialEngine):
            return as_e_step(self.model, self.model.e_step(params, self.leaves[0]))
        run = functools.partial(_e_step_of_shard, self.model, params)
        size = shard_size(len(self.leaves), n_workers(self.engine))
        shards = [self.leaves[start : start + size] for start in range(0, len(self.leaves), size)]
        return merge_in_tree(answers(self.engine, run, shards), add_e_steps)

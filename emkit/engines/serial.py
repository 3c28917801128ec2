"""The engine protocol, and the one that runs in this thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

import attrs

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Engine(Protocol):
    """Runs a function over items and yields the answers in the order of the items."""

    def map(self, function: Callable[[Item], Answer], items: Iterable[Item]) -> Iterator[Answer]:
        """Yield ``function(item)`` for each item, in order."""
        ...


@attrs.frozen
class SerialEngine:
    """Runs one leaf after another in the calling thread."""

    def map(self, function: Callable[[Item], Answer], items: Iterable[Item]) -> Iterator[Answer]:
        """Yield ``function(item)`` for each item, in order."""
        # Not the builtin map: there a StopIteration that escapes from a model would end the data early, unseen.
        for item in items:
            yield function(item)

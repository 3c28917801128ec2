"""Checkpoints: a folder in which every start of a fit keeps its state, so that the same call goes on after a crash.

Files appear whole or not at all and hold numbers and names only (:mod:`emkit.storage`). A killed process loses what it
did since its last write; a resumed run takes the same steps, bit for bit, as one that was never stopped.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from numpy.random import Generator, SeedSequence

from emkit import storage, tree
from emkit.history import History
from emkit.point import Ending, Point, Settings
from emkit.result import Status
from emkit.snapshot import Snapshot

#: Endings after which more of the same may follow: the budget was spent, or somebody stopped the fit.
RESUMABLE = (Status.MAX_ITER, Status.MAX_TIME, Status.INTERRUPTED, Status.STOPPED_BY_CALLBACK)


def _absolute(path: str | os.PathLike[str]) -> Path:
    # Workers may have another current folder.
    return Path(os.path.abspath(path))


@attrs.frozen
class Checkpoint:
    """Where a fit keeps its state; ``checkpoint=`` of :func:`emkit.fit` takes one, or just the folder.

    Parameters
    ----------
    folder : path
        Made if it is not there. A fit that finds its own state in it goes on from there.
    seconds : float
        How often a running start writes its state; 0 writes at every accepted point.
    known : iterable of types
        Classes of which the params consist, if they cannot be seen in the module that defines the model.
    """

    folder: Path = attrs.field(converter=_absolute)
    seconds: float = 30.0
    known: frozenset[type] = attrs.field(default=frozenset(), converter=frozenset)


@attrs.frozen(eq=False)
class Kept:
    """What the file of one start holds.

    Attributes
    ----------
    rule : str
        The stopping rule and the accelerator by which the climb went.
    ending : Ending or None
        How it ended, if it has.
    """

    snapshot: Snapshot
    rule: str
    ending: Ending | None = None

    def is_final(self, rule: str) -> bool:
        """Return whether the start has ended under that rule, for a reason that more E-steps would not change."""
        return self.ending is not None and self.ending.status not in RESUMABLE and self.rule == rule


@attrs.frozen(eq=False)
class Seed:
    """From where the random streams of a fit come."""

    entropy: tuple[int, ...]
    spawn_key: tuple[int, ...]
    n_children: int
    is_generator: bool

    @classmethod
    def of(cls, rng: Any) -> Seed:
        """Return the seed of what a fit takes as ``rng``, whose state is left as it is."""
        source: Any = rng.bit_generator.seed_seq if isinstance(rng, Generator) else rng
        root = source if isinstance(source, SeedSequence) else SeedSequence(source)
        entropy = root.entropy if root.entropy is not None else 0
        words = (entropy,) if isinstance(entropy, int | np.integer) else tuple(entropy)
        key = tuple(int(word) for word in root.spawn_key)
        return cls(tuple(int(word) for word in words), key, root.n_children_spawned, isinstance(rng, Generator))

    def rng(self) -> Generator | SeedSequence:
        """Return a source of the same streams."""
        entropy = self.entropy[0] if len(self.entropy) == 1 else list(self.entropy)
        root = SeedSequence(entropy, spawn_key=self.spawn_key, n_children_spawned=self.n_children)
        return np.random.default_rng(root) if self.is_generator else root


@attrs.frozen(eq=False)
class Journal:
    """The checkpoints of one fit."""

    checkpoint: Checkpoint
    known: frozenset[type]
    rule: str

    @classmethod
    def of(
        cls, checkpoint: Checkpoint | str | os.PathLike[str], model: Any, params: Any, settings: Settings
    ) -> Journal:
        """Return the journal of a fit; its folder is made if it is not there."""
        if not isinstance(checkpoint, Checkpoint):
            checkpoint = Checkpoint(checkpoint)
        checkpoint.folder.mkdir(parents=True, exist_ok=True)
        memories: list[Any] = [settings.tolerance.begin()]
        if settings.accelerator is not None:
            memories.append(settings.accelerator.begin(np.ones(1), [slice(0, 1)]))
        own = {Kept, Seed, Snapshot, Point, Ending, History, Status}
        seen = {kind for memory in (*memories, params) for kind in _types(memory)}
        known = own | seen | storage.known_types(type(model)) | checkpoint.known
        return cls(checkpoint, frozenset(known), f"{settings.tolerance!r}, {settings.accelerator!r}")

    def seeded(self, rng: Any) -> Any:
        """Return the source of random streams of the fit that began in this folder, or keep this one for later."""
        path = self.checkpoint.folder / "seed.emkit"
        if path.exists():
            seed: Seed = storage.read(path, self.known)
            return seed.rng()
        if rng is None or not isinstance(rng, Generator):
            rng = Seed.of(rng).rng()
        storage.write(path, Seed.of(rng))
        return rng

    def keeper(self, index: int, leg: int) -> Keeper:
        """Return what keeps the state of one leg of one start."""
        return Keeper(self, self.checkpoint.folder / f"start-{index}.leg-{leg}.emkit")


class Keeper:
    """Writes the state of a climb, at most so often, and at its end."""

    def __init__(self, journal: Journal, path: Path) -> None:
        self._journal = journal
        self._path = path
        self._latest: Snapshot | None = None
        self._written = time.monotonic()

    def found(self) -> Kept | None:
        """Return what an earlier run has left; None if there is nothing."""
        if not self._path.exists():
            return None
        kept: Kept = storage.read(self._path, self._journal.known)
        return kept

    def __call__(self, snapshot: Snapshot) -> None:
        """Take note of an accepted point."""
        is_first = self._latest is None
        self._latest = snapshot
        if is_first or time.monotonic() - self._written >= self._journal.checkpoint.seconds:
            self.flush()

    def flush(self, ending: Ending | None = None) -> None:
        """Write the latest state, if there is one."""
        if self._latest is None:
            return
        snapshot = self._latest
        if not _can_be_stored(snapshot.acceleration):
            snapshot = attrs.evolve(snapshot, acceleration=None)
        try:
            storage.write(self._path, Kept(snapshot, self._journal.rule, ending))
        except OSError as error:
            # A full disk is no reason to lose the fit as well.
            logging.getLogger("emkit").warning("The checkpoint could not be written: %s", error)
        self._written = time.monotonic()


def _can_be_stored(memory: Any) -> bool:
    try:
        storage.check(memory)
    except (TypeError, ValueError):
        return False
    return True


def _types(node: Any) -> Iterable[type]:
    """Yield the classes of all records in a tree."""
    if node is None or tree.is_leaf(node):
        return
    yield type(node)
    for _, child in tree.children(node):
        yield from _types(child)

"""Checkpoints: a folder in which every start of a fit keeps its state, so that the same call goes on after a crash.

Files appear whole or not at all and hold numbers and names only (:mod:`emkit.storage`). A killed process loses what it
did since its last write; a resumed run takes the same steps, bit for bit, as one that was never stopped.
"""

from __future__ import annotations

import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from numbers import Integral
from pathlib import Path
from typing import Any, TypeVar

import attrs

from emkit import storage, tree
from emkit.errors import CheckpointWarning, FormatError
from emkit.kept import Kept, Rules
from emkit.point import Ending, Settings
from emkit.seed import Seed
from emkit.snapshot import Snapshot

T = TypeVar("T")


def _absolute(path: str | os.PathLike[str]) -> Path:
    # Workers may have another current folder.
    return Path(os.path.abspath(path))


def _as_types(known: Any) -> tuple[type, ...]:
    kinds = (known,) if isinstance(known, type) else tuple(known)
    for kind in kinds:
        if not isinstance(kind, type):
            msg = f"known must be classes of which the params consist; {kind!r} is none."
            raise TypeError(msg)
    return kinds


def _not_negative(instance: object, attribute: Any, value: Any) -> None:
    if not value >= 0:
        msg = f"{attribute.name} must be a number of at least 0; it is {value!r}."
        raise ValueError(msg)


@attrs.frozen
class Checkpoint:
    """Where a fit keeps its state; ``checkpoint=`` of :func:`emkit.fit` takes one, or just the folder.

    Parameters
    ----------
    folder : path
        Made if it is not there. A fit that finds its own state in it goes on from there. One fit at a time.
    seconds : float
        How often a running start writes its state; 0 writes at every accepted point.
    known : iterable of types
        Classes of which the params consist, if they cannot be seen in the module that defines the model.
    """

    folder: Path = attrs.field(converter=_absolute)
    seconds: float = attrs.field(default=30.0, validator=_not_negative)
    known: tuple[type, ...] = attrs.field(default=(), converter=_as_types)


@attrs.frozen(eq=False)
class Journal:
    """The checkpoints of one fit.

    Attributes
    ----------
    model_type : type
        Whose module says which classes params may consist of.
    seen : frozenset of types
        Of which the given params consist.
    """

    checkpoint: Checkpoint
    model_type: type
    seen: frozenset[type]
    rules: Rules

    @classmethod
    def of(
        cls, checkpoint: Checkpoint | str | os.PathLike[str], model: Any, params: Any, settings: Settings
    ) -> Journal:
        """Return the journal of a fit. Its folder is made, and cleared of files that a crash has left half written.

        Raises
        ------
        OSError
            If the folder cannot be made, or not be written to.
        """
        if not isinstance(checkpoint, Checkpoint):
            checkpoint = Checkpoint(checkpoint)
        folder = checkpoint.folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
            storage.sweep(folder)
        except OSError as error:
            msg = f"Nothing can be kept in {folder} ({error.strerror or error}): give another folder as checkpoint."
            raise type(error)(error.errno, msg) from error
        return cls(checkpoint, type(model), frozenset(_types(params)), Rules.of(settings))

    @property
    def known(self) -> set[type]:
        """The classes that may stand in the files; of several with one name that which is used."""
        named = {kind.__name__: kind for kind in sorted(storage.known_types(self.model_type), key=_place)}
        named |= {kind.__name__: kind for kind in (*self.seen, *self.checkpoint.known)}
        return set(named.values())

    def seeded(self, rng: Any) -> Any:
        """Return the source of random streams of the fit that began in this folder, or keep this one for later.

        Raises
        ------
        ValueError
            If that fit began with another number.
        """
        path = self.checkpoint.folder / "seed.emkit"
        if not path.exists():
            seed = Seed.of(rng)
            storage.write(path, seed.plain())
            return rng if seed.bit_generator else seed.rng()
        seed = self.read(path, Seed.from_plain)
        if isinstance(rng, Integral) and not seed.is_of(int(rng)):
            msg = (
                f"The fit in {self.checkpoint.folder} began with another rng than {rng}. Give the same one, or None, "
                "to go on with it, or another folder to begin a new one."
            )
            raise ValueError(msg)
        return seed.rng()

    def read(self, path: Path, build: Callable[[Any], T]) -> T:
        """Return what is built from the tree in a file; raise FormatError, with the file's name, if it is damaged."""
        try:
            return build(storage.read(path, self.known))
        except FormatError as error:
            msg = f"The checkpoint {path} cannot be used. {error} Remove it, and what it kept begins anew."
            raise FormatError(msg) from error

    def write(self, path: Path, content: Any) -> bool:
        """Write a file and return whether that was possible: a full disk is no reason to lose the fit as well."""
        try:
            storage.write(path, content)
        except (OSError, TypeError, ValueError) as error:
            msg = f"The checkpoint {path} could not be written, and stays as it was: {error}"
            warnings.warn(msg, CheckpointWarning, stacklevel=2)
            return False
        return True

    def forget(self, pattern: str) -> None:
        """Remove the files of climbs with such names."""
        for path in self.checkpoint.folder.glob(f"{pattern}.emkit"):
            path.unlink(missing_ok=True)

    def keeper(self, name: str) -> Keeper:
        """Return what keeps the state of one climb."""
        return Keeper(self, self.checkpoint.folder / f"{name}.emkit")

    def kept(self) -> Iterator[Keeper]:
        """Yield the keepers of all climbs of which something was found."""
        for path in sorted(self.checkpoint.folder.glob("start-*.emkit")):
            yield Keeper(self, path)


class Keeper:
    """Writes the state of a climb, at most so often, and at its end."""

    def __init__(self, journal: Journal, path: Path) -> None:
        self.rules = journal.rules
        #: What the starting params of the climb hash to.
        self.origin = ""
        self._journal = journal
        self._path = path
        self._latest: Snapshot | None = None
        self._written = float("-inf")

    @property
    def name(self) -> str:
        """Of the climb, as in the name of its file."""
        return self._path.name.removesuffix(".emkit")

    def found(self) -> Kept | None:
        """Return what an earlier run has left; None if there is nothing.

        Raises
        ------
        FormatError
            If that is damaged.
        """
        if not self._path.exists():
            return None
        return self._journal.read(self._path, Kept.from_plain)

    def __call__(self, snapshot: Snapshot) -> None:
        """Take note of an accepted point."""
        if self._latest is None:
            self._require_storable(snapshot)
        self._latest = snapshot
        if time.monotonic() - self._written >= self._journal.checkpoint.seconds:
            self.flush()

    def flush(self, ending: Ending | None = None) -> None:
        """Write the latest state, if there is one."""
        if self._latest is None:
            return
        kept = Kept(self._without_strangers(self._latest), self.rules, self.origin, ending)
        self._journal.write(self._path, kept.plain())
        self._written = time.monotonic()

    def _require_storable(self, snapshot: Snapshot) -> None:
        """Raise TypeError unless params such as these can be written, and read again."""
        params = (snapshot.point.params, snapshot.image, snapshot.basis)
        try:
            unknown = storage.check(params) - self._journal.known
        except (TypeError, ValueError) as error:
            msg = f"The params cannot be kept in a checkpoint: {error}"
            raise TypeError(msg) from error
        if unknown:
            names = ", ".join(sorted(kind.__name__ for kind in unknown))
            msg = (
                f"The params are of class {names}, which cannot be seen in the module of "
                f"{self._journal.model_type.__name__}, so a checkpoint could not be read again: give "
                f"checkpoint=emkit.Checkpoint(folder, known=[{names}])."
            )
            raise TypeError(msg)

    def _without_strangers(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot without memories that could not be read again."""
        states = {"monitor": snapshot.monitor, "acceleration": snapshot.acceleration}
        lost: dict[str, Any] = {name: None for name, state in states.items() if not self._is_storable(state)}
        return attrs.evolve(snapshot, **lost) if lost else snapshot

    def _is_storable(self, state: Any) -> bool:
        try:
            return storage.check(state) <= self._journal.known
        except (TypeError, ValueError):
            return False


def _place(kind: type) -> tuple[str, str]:
    return (kind.__module__, kind.__qualname__)


def _types(node: Any) -> Iterable[type]:
    """Yield the classes of all records in a tree."""
    if node is None or tree.is_leaf(node):
        return
    yield type(node)
    for _, child in tree.children(node):
        yield from _types(child)

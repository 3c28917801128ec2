"""What a checkpoint holds of one climb, as the plain tree that stands in its file."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any

import attrs
import numpy as np

from emkit import tree
from emkit.errors import FormatError
from emkit.history import History
from emkit.point import Ending, Point, Settings
from emkit.result import AT_REST, Status
from emkit.snapshot import Snapshot
from emkit.trail import Excerpt

#: Of what a row of the trail consists.
ROW = 6


@attrs.frozen
class Rules:
    """How a climb goes, in words: if these change, the memories that belong to them begin anew."""

    tolerance: str
    accelerator: str
    polish: str

    @classmethod
    def of(cls, settings: Settings) -> Rules:
        """Return the rules that the caller of a fit chose."""
        return cls(*(_in_words(chosen) for chosen in (settings.tolerance, settings.accelerator, settings.polish)))


@attrs.frozen(eq=False)
class Kept:
    """A climb as it is kept.

    Attributes
    ----------
    snapshot : Snapshot
        At the last accepted point that was written.
    rules : Rules
        By which it went.
    origin : str
        What its starting params hash to.
    ending : Ending or None
        How it ended, if it has.
    """

    snapshot: Snapshot
    rules: Rules
    origin: str
    ending: Ending | None = None

    def settled(self, rules: Rules, max_iter: int) -> Ending | None:
        """Return the ending if a climb by these rules would end there too; None if it would go on."""
        ending = self.ending
        if ending is None or self.rules != rules:
            return None
        is_spent = ending.status is Status.MAX_ITER and ending.n_e_steps >= max_iter
        return ending if ending.status in AT_REST or is_spent else None

    def under(self, rules: Rules) -> Snapshot:
        """Return the snapshot, without what belongs to rules that are no longer the same."""
        changes: dict[str, Any] = {}
        if rules.tolerance != self.rules.tolerance:
            changes["monitor"] = None
        if rules.accelerator != self.rules.accelerator:
            changes["acceleration"] = None
        if rules.polish != self.rules.polish:
            changes |= {"has_polished": False, "polish_note": ""}
        return attrs.evolve(self.snapshot, **changes)

    def plain(self) -> dict[str, Any]:
        """Return a tree of which only params need classes."""
        snapshot = _fields(self.snapshot)
        snapshot["trail"] = self.snapshot.trail.array()
        snapshot["point"] = _plain_point(self.snapshot.point)
        if self.snapshot.anchor is not None:
            before, image = self.snapshot.anchor
            snapshot["anchor"] = (_plain_point(before), image)
        return {
            "snapshot": snapshot,
            "rules": _fields(self.rules),
            "origin": self.origin,
            "ending": None if self.ending is None else plain_ending(self.ending),
        }

    @classmethod
    def from_plain(cls, kept: Any) -> Kept:
        """Return what a file keeps; raise FormatError if it keeps something else."""
        try:
            snapshot = dict(kept["snapshot"])
            rows = _checked(snapshot["trail"], _is_table)
            snapshot["trail"] = Excerpt([tuple(row) for row in rows.tolist()], len(rows), tuple(rows[-1].tolist()))
            snapshot["point"] = _point(snapshot["point"])
            if snapshot["anchor"] is not None:
                before, image = snapshot["anchor"]
                snapshot["anchor"] = (_point(before), image)
            ending = None if kept["ending"] is None else ending_from_plain(kept["ending"])
            rules = Rules(**kept["rules"])
            return cls(_require_sound(Snapshot(**snapshot)), rules, _checked(kept["origin"], _is_text), ending)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            msg = f"It does not hold the state of a fit, or that of another version of emkit ({error})."
            raise FormatError(msg) from error


def plain_ending(ending: Ending) -> dict[str, Any]:
    """Return an ending as a tree of which only params need classes."""
    return _fields(ending) | {"history": _fields(ending.history), "status": ending.status.name}


def ending_from_plain(kept: dict[str, Any]) -> Ending:
    """Return the ending of a tree; raise one of several errors if it is none."""
    history = History(**kept["history"])
    for field in attrs.fields(History):
        _checked(getattr(history, field.name), lambda column: np.shape(column) == (len(history),))
    ending = Ending(**(kept | {"history": history, "status": Status[kept["status"]]}))
    for name in ("log_likelihood", "objective", "rate", "gap"):
        _checked(getattr(ending, name), _is_number)
    _checked((ending.n_e_steps, ending.n_rejected), _are_counts)
    _checked((ending.message, *ending.notes), _are_texts)
    return ending


def digest(params: Any) -> str:
    """Return a hash of the numbers in params."""
    found = hashlib.sha256()
    for path, leaf in tree.leaves(params):
        value = np.asarray(leaf)
        exact = value if value.dtype.kind == "c" else value.astype(np.float64)
        found.update(f"{tree.path_name(path)}{value.shape}".encode() + exact.tobytes())
    return found.hexdigest()


def _in_words(chosen: object) -> str:
    """Return a description that is the same in every process: addresses are left out."""
    text = repr(chosen)
    if type(chosen).__repr__ is object.__repr__:
        text = f"{text} {getattr(chosen, '__dict__', '')}"
    return re.sub(r" at 0x[0-9a-fA-F]+", "", text)


def _fields(record: Any) -> dict[str, Any]:
    return {field.name: getattr(record, field.name) for field in attrs.fields(type(record))}


def _plain_point(point: Point) -> dict[str, Any]:
    return _fields(point) | {"statistics": None}


def _point(kept: dict[str, Any]) -> Point:
    point = Point(**kept)
    for number in (point.log_likelihood, point.objective, point.rounding):
        _checked(number, _is_number)
    if point.n_observations is not None:
        _checked(point.n_observations, _is_number)
    return point


def _require_sound(snapshot: Snapshot) -> Snapshot:
    _checked((snapshot.n_e_steps, snapshot.n_rejected, snapshot.next_look), _are_counts)
    _checked(snapshot.basis, lambda basis: isinstance(basis, tuple) and len(basis) == 2)
    _checked(snapshot.held, lambda held: all(isinstance(names, tuple) for names in held))
    _checked(snapshot.gain, lambda gain: gain is None or _is_number(gain))
    _checked(snapshot.x, lambda x: x is None or (isinstance(x, np.ndarray) and x.ndim == 1))
    for state in (snapshot.monitor, snapshot.acceleration):
        _checked(state, lambda state: state is None or isinstance(state, dict))
    return snapshot


def _checked(value: Any, holds: Callable[[Any], bool]) -> Any:
    if not holds(value):
        msg = f"{str(value)[:60]!r} is out of place"
        raise ValueError(msg)
    return value


def _is_table(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.ndim == 2 and value.shape[1] == ROW and len(value) > 0


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _are_texts(values: Any) -> bool:
    return all(isinstance(value, str) for value in values)


def _are_counts(values: Any) -> bool:
    return all(isinstance(value, int) and value >= 0 for value in values)

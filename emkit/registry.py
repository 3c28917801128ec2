"""Which models are installed: every distribution names its own in the entry-point group ``emkit.models``."""

from __future__ import annotations

import difflib
from importlib.metadata import EntryPoint, entry_points

from emkit.errors import DuplicateModelError, UnknownModelError

GROUP = "emkit.models"


def available_models() -> dict[str, EntryPoint]:
    """Return the entry points of all installed models by name, sorted; nothing is imported.

    Where two distributions register the same name, the first one found is here; :func:`load_model` raises.
    """
    found: dict[str, EntryPoint] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        found.setdefault(point.name, point)
    return found


def load_model(name: str) -> type:
    """Import and return the class of the model registered under a name.

    Raises
    ------
    UnknownModelError
        If no installed distribution registers that name; the message lists those that are.
    DuplicateModelError
        If several distributions do; the message names them.
    ImportError
        If the distribution that registers it cannot be imported, or what it registers is not a class.
    """
    points = [point for point in entry_points(group=GROUP) if point.name == name]
    if not points:
        raise UnknownModelError(_unknown(name))
    owners = sorted({_distribution(point) for point in points})
    if len(owners) > 1:
        msg = f"The model {name!r} is registered by {' and by '.join(owners)}: uninstall all but one of them."
        raise DuplicateModelError(msg)
    return _load(points[0])


def model_name(cls: type) -> str | None:
    """Return the name under which a class is registered, or None.

    Of the registered packages only the one that the class itself comes from is imported.
    """
    package = _package(cls.__module__)
    points = [point for point in available_models().values() if _package(point.module) == package]
    for point in points:
        if (point.module, point.attr) == (cls.__module__, cls.__qualname__):
            return point.name
    # A package may register a class where it shows it, not where it defines it.
    for point in points:
        if _names(point, cls):
            return point.name
    return None


def _names(point: EntryPoint, cls: type) -> bool:
    try:
        return point.load() is cls
    except Exception:  # a broken neighbour does not make this class unregistered
        return False


def _package(module: str) -> str:
    return module.partition(".")[0]


def _distribution(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else "an unnamed distribution"


def _unknown(name: str) -> str:
    names = list(available_models())
    if not names:
        return f"There is no model {name!r}: no installed distribution has entry points in the group {GROUP!r}."
    close = difflib.get_close_matches(name, names)
    hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
    return f"There is no model {name!r}; there are {', '.join(names)}.{hint}"


def _load(point: EntryPoint) -> type:
    try:
        model = point.load()
    except Exception as error:
        msg = (
            f"The model {point.name!r} of the distribution {_distribution(point)} cannot be loaded from "
            f"{point.value}: {type(error).__name__}: {error}. Reinstall or repair that distribution."
        )
        raise ImportError(msg) from error
    if not isinstance(model, type):
        msg = (
            f"The distribution {_distribution(point)} registers {point.value} as the model {point.name!r}, "
            f"which must be a class and is of type {type(model).__name__}."
        )
        raise ImportError(msg)
    return model

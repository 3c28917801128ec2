"""Trees to files and back."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from emkit.storage import layout
from emkit.storage.structure import Reader, Writer


def write(path: str | os.PathLike[str], tree: Any) -> None:
    """Save a tree of arrays; the file appears whole or not at all.

    Parameters
    ----------
    path
        Where to. An existing file is replaced in one step; if anything fails it stays as it was.
    tree
        Any nesting of attrs classes, dataclasses, named tuples, dicts with string keys, tuples and lists over
        arrays of floats, integers or booleans, numpy scalars, members of enums and plain Python values.
        Classes are stored by name.

    Raises
    ------
    TypeError
        If the tree holds something that cannot be stored; the message says where.
    ValueError
        If the tree without its arrays takes more than 1 MiB, or two classes of it share a name.
    OSError
        If the file cannot be written, or the path is that of a folder, a pipe or a device.
    """
    writer = Writer()
    structure = writer.node(tree)
    content = layout.encode(structure, writer.arrays)
    # A symbolic link stays a link: the file it points to is replaced.
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        # To replace a pipe or a device would be to delete it.
        msg = f"{target} is not a regular file, so it is not replaced: save under another name."
        raise OSError(msg)
    temporary = target.with_name(f".emkit-{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.writelines(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except OSError as error:
        # The error names the temporary file, of which the caller knows nothing.
        raise OSError(error.errno, error.strerror or str(error), str(target)) from error
    finally:
        # It is not there if it was never made or has become the target.
        with contextlib.suppress(OSError):
            temporary.unlink()
    _sync_folder(target.parent)


def check(tree: Any) -> set[type]:
    """Return the classes that a tree consists of; raise TypeError or ValueError if :func:`write` could not save it."""
    writer = Writer()
    writer.node(tree)
    return set(writer.classes.values())


def read(path: str | os.PathLike[str], known: Iterable[type] = ()) -> Any:
    """Return the tree that :func:`write` saved; its arrays are read-only.

    Parameters
    ----------
    path
        The file.
    known
        The classes that may be rebuilt, through their constructors; see :func:`known_types`. A field that the
        file lacks takes its default, so a class may gain fields.

    Raises
    ------
    FormatError
        If the file is damaged, was not written by :func:`write`, is of another version, names a class that is
        not among `known`, or holds values that a constructor refuses.
    """
    metadata, arrays = layout.load(Path(path))
    return Reader.of(arrays, known).tree(metadata["tree"])


def peek(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what a file says about itself, after checking its bytes, without rebuilding anything.

    Returns
    -------
    dict
        ``format``, ``version`` and ``sha256``; ``tree``, the structure as JSON. If the tree is a dict, also
        the texts in it (unless under one of these names), so that it can say which classes it needs.
    """
    metadata, _ = layout.load(Path(path))
    match metadata["tree"]:
        case ["dict", dict(items)]:
            return {key: text for key, text in items.items() if isinstance(text, str)} | metadata
    return metadata


def sweep(folder: str | os.PathLike[str]) -> None:
    """Remove what :func:`write` had not finished in a folder when its process was killed."""
    for temporary in Path(folder).glob(".emkit-*.tmp"):
        temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make the new name survive a power cut, where the system lets a folder be opened."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

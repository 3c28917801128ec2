"""The bytes of a file: header, hash and arrays, and every check that needs no knowledge of classes."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, TypeAlias

import numpy as np

from emkit.errors import FormatError

FORMAT, VERSION = "emkit", "1"
MAX_HEADER = 2**20
_METADATA = ("format", "version", "sha256", "tree")
_DTYPES: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "I16": np.dtype("<i2"),
    "I8": np.dtype("|i1"),
    "U64": np.dtype("<u8"),
    "U32": np.dtype("<u4"),
    "U16": np.dtype("<u2"),
    "U8": np.dtype("|u1"),
    "BOOL": np.dtype("|b1"),
}
DTYPE_NAMES = {dtype: name for name, dtype in _DTYPES.items()}

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Place: TypeAlias = tuple[np.dtype[Any], tuple[int, ...], int]


def fail(what: str, cause: BaseException | None = None) -> NoReturn:
    """Raise the one error that a file can cause."""
    msg = f"Not a sound emkit file: {what}."
    raise FormatError(msg) from cause


def encode(structure: Any, arrays: Mapping[str, Array]) -> list[bytes]:
    """Return the pieces of a file: length of the header, header, arrays."""
    # Wide items first keep every array aligned without holes, which safetensors does not allow.
    ordered = sorted(arrays.items(), key=lambda item: (-item[1].dtype.itemsize, item[0]))
    texts = (FORMAT, VERSION, "0" * 64, _dump(structure))
    header: dict[str, Any] = {"__metadata__": dict(zip(_METADATA, texts, strict=True))}
    end = 0
    for name, array in ordered:
        begin, end = end, end + array.nbytes
        dtype = DTYPE_NAMES[array.dtype]
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [begin, end]}
    text = _dump(header).encode("ascii")
    text += b" " * (-len(text) % 8)
    if len(text) > MAX_HEADER:
        msg = (
            f"Without its arrays the tree takes {len(text)} bytes, of which {MAX_HEADER} are allowed: "
            "put long lists into arrays."
        )
        raise ValueError(msg)
    data = [array.tobytes() for _, array in ordered]
    sealed = text.replace(_seal("0" * 64), _seal(_digest(text, data)))
    return [_length(sealed), sealed, *data]


def load(path: Path) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return the metadata and the read-only arrays of a file, or raise FormatError."""
    if path.exists() and not path.is_file():
        fail(f"{path} is not a regular file")
    with open(path, "rb") as file:
        text, size = _read_header(file)
        entries = _parse(text)
        if not isinstance(entries, dict):
            fail("its header is no JSON object")
        metadata = _check_metadata(entries.pop("__metadata__", None))
        # Every size is known to fit the file before memory is asked for.
        places = _check_places(entries, size)
        data = file.read(size)
    seal = _seal(metadata["sha256"])
    unsealed = text.replace(seal, _seal("0" * 64))
    if len(data) != size or text.count(seal) != 1 or _digest(unsealed, [data]) != metadata["sha256"]:
        fail("its SHA-256 does not match, so it is not what was written")
    metadata["tree"] = _parse(metadata["tree"])
    return metadata, {name: _take(data, *place) for name, place in places.items()}


def _dump(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def _length(header: bytes) -> bytes:
    return len(header).to_bytes(8, "little")


def _seal(digest: str) -> bytes:
    """Return how the hash stands in the header; inside any text there the quotes would be escaped."""
    return f'"sha256":"{digest}"'.encode()


def _digest(unsealed_header: bytes, data: Iterable[bytes]) -> str:
    """Return the hash of a file whose header has zeros in the place of the hash."""
    digest = hashlib.sha256(_length(unsealed_header) + unsealed_header)
    for piece in data:
        digest.update(piece)
    return digest.hexdigest()


def _read_header(file: BinaryIO) -> tuple[bytes, int]:
    """Return the header and the number of bytes that follow it."""
    total = os.fstat(file.fileno()).st_size
    length = int.from_bytes(file.read(8), "little")
    if total < 8 or length > min(MAX_HEADER, total - 8):
        fail(f"it has {total} bytes and announces a header of {length} (at most {MAX_HEADER})")
    return file.read(length), total - 8 - length


def _parse(text: bytes | str) -> Any:
    """Return what strict JSON says: no key twice, no number but integers."""
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_float=_no_float, parse_constant=_no_float)
    except (ValueError, RecursionError) as error:
        fail(f"its header is not the JSON expected ({error})", error)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        msg = "a key stands twice"
        raise ValueError(msg)
    return result


def _no_float(text: str) -> NoReturn:
    msg = f"the number {text[:30]} is no integer"
    raise ValueError(msg)


def _check_metadata(metadata: Any) -> dict[str, Any]:
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        fail(f"its metadata do not name the format {FORMAT!r}")
    if metadata.get("version") != VERSION:
        fail(f"it has version {metadata.get('version')!r}, and this emkit reads {VERSION!r}")
    if set(metadata) != set(_METADATA) or not all(
        isinstance(text, str) and text.isascii() for text in metadata.values()
    ):
        fail(f"its metadata must be the texts {', '.join(_METADATA)}, and are {', '.join(metadata)[:200]}")
    return metadata


def _check_places(entries: dict[str, Any], size: int) -> dict[str, Place]:
    """Return dtype, shape and first byte of every array; they cover the data without gap or overlap."""
    spans = []
    places: dict[str, Place] = {}
    for name, entry in entries.items():
        match entry:
            case {"dtype": str(dtype), "shape": list(shape), "data_offsets": [int(begin), int(end)]}:
                pass
            case _:
                fail(f"the entry of array {name!r} is not understood")
        if len(entry) != 3 or dtype not in _DTYPES or not all(type(n) is int and n >= 0 for n in [*shape, begin, end]):
            fail(f"array {name!r} has a dtype, a number or a key that is not understood")
        if math.prod(shape) * _DTYPES[dtype].itemsize != end - begin:
            fail(f"array {name!r} has {end - begin} bytes and does not fit shape {str(shape)[:80]} of {dtype}")
        spans.append((begin, end))
        places[name] = (_DTYPES[dtype], tuple(shape), begin)
    position = 0
    for begin, end in sorted(spans):
        if begin != position:
            fail(f"an array starts at byte {begin} where {position} was expected")
        position = end
    if position != size:
        fail(f"its arrays take {position} bytes, but {size} follow the header")
    return places


def _take(data: bytes, dtype: np.dtype[Any], shape: tuple[int, ...], begin: int) -> Array:
    try:
        view: Array = np.ndarray(shape, dtype, buffer=data, offset=begin)
    except (ValueError, OverflowError) as error:
        fail(f"numpy cannot have an array of shape {str(shape)[:80]}", error)
    if dtype.kind == "b" and view.view(np.uint8).max(initial=0) > 1:
        fail("a boolean is neither 0 nor 1")
    # A copy has numpy's own alignment and does not keep the whole file in memory.
    array = view.copy()
    array.setflags(write=False)
    return array

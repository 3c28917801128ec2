import dataclasses
import enum
import hashlib
import json
import math
import os
import struct
import sys
from typing import Any, NamedTuple

import attrs
import numpy as np
import pytest

from emkit import storage
from emkit.errors import FormatError


class Colour(enum.Enum):
    RED = "a sentence about red"
    BLUE = "a sentence about blue"


class Pair(NamedTuple):
    first: Any
    second: Any = 2


@dataclasses.dataclass(frozen=True)
class Choice:
    n_components: int
    colour: Colour = Colour.RED


def _positive(instance, attribute, value):
    if not np.all(np.asarray(value) > 0):
        msg = "weights must be positive"
        raise ValueError(msg)


@attrs.frozen(eq=False)
class Params:
    weights: Any = attrs.field(validator=_positive)
    _hidden: Any = None
    doubled: Any = attrs.field(init=False)

    def __attrs_post_init__(self):
        object.__setattr__(self, "doubled", 2 * np.asarray(self.weights))


KNOWN = {Colour, Pair, Choice, Params}
SPECIAL = [0.1, -0.0, math.inf, -math.inf, math.nan, 5e-324, 1.7976931348623157e308, 1.0]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some.emkit"


def round_trip(tree, path, known=KNOWN):
    storage.write(path, tree)
    return storage.read(path, known)


def a_tree():
    return {
        "model": Choice(3, Colour.BLUE),
        "params": Params(np.array([0.25, 0.75]), hidden=(1, "two", None, True)),
        "history": [-3.5, -2.25, math.nan],
        "counts": np.arange(6).reshape(2, 3),
        "seen": np.array([True, False]),
        "scalar": np.float32(0.1),
    }


def split(content):
    """Take a file apart by hand, as its description says: length, JSON, bytes."""
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def forge(path, header, data=b""):
    """Write a file whose hash is right, whatever else is wrong with it."""
    header.setdefault("__metadata__", {"format": "emkit", "version": "1", "tree": "null"})
    header["__metadata__"].setdefault("sha256", "0" * 64)
    text = json.dumps(header, separators=(",", ":")).encode()
    digest = hashlib.sha256(struct.pack("<Q", len(text)) + text + data).hexdigest()
    text = text.replace(b'"sha256":"' + b"0" * 64, b'"sha256":"' + digest.encode())
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def forge_tree(path, node, header=None, data=b""):
    metadata = {
        "format": "emkit",
        "version": "1",
        "tree": node if isinstance(node, str) else json.dumps(node),
    }
    forge(path, {"__metadata__": metadata, **(header or {})}, data)


def floats(shape, begin, end, dtype="F64"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


# What comes back


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, False, 0, -7, 2**127 + 1, 1.5, "", 'quotes " and \\', "Grüße \ud800"),
        *([], (), {}, [1, 2], (1.0, 2.0), [1.0, 2], (0.5,), {"a": {"b": [()]}}),
        *(Colour.RED, Pair(1, (2.0, "x")), Choice(2)),
    ],
)
def test_a_plain_value_comes_back_equal_and_of_the_same_type(path, value):
    back = round_trip(value, path)
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize("value", SPECIAL)
def test_a_float_comes_back_with_the_same_bits(path, value):
    back = round_trip({"alone": value, "among": [value, 1.0], "mixed": (value, None)}, path)
    expected = struct.pack("<d", value)
    for found in (back["alone"], back["among"][0], back["mixed"][0]):
        assert type(found) is float
        assert struct.pack("<d", found) == expected


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int64", "int32", "uint8", "bool", ">f8", ">i4"])
@pytest.mark.parametrize("shape", [(), (1,), (0,), (3, 0, 2), (2, 3, 4)])
def test_an_array_comes_back_with_the_same_values_shape_and_type(path, dtype, shape):
    array = np.random.default_rng(0).integers(0, 2, shape).astype(dtype)
    back = round_trip(array, path)
    assert type(back) is np.ndarray
    assert back.dtype == array.dtype.newbyteorder("=")
    assert back.shape == array.shape
    assert np.array_equal(back, array)


def test_an_array_keeps_the_bits_of_every_nan(path):
    bits = np.array([0x7FF8000000000001, 0xFFF8000000000000, 0x7FF0000000000000], dtype=np.uint64)
    back = round_trip(bits.view(np.float64), path)
    assert np.array_equal(back.view(np.uint64), bits)


def test_arrays_that_are_not_contiguous_come_back_with_the_same_values(path):
    array = np.arange(24.0).reshape(4, 6)
    for view in (array.T, array[::2, ::-1], np.asfortranarray(array), np.broadcast_to(1.0, (2, 2))):
        assert np.array_equal(round_trip(view, path), view)


def test_a_memory_map_comes_back_as_an_array(path, tmp_path):
    mapped = np.memmap(tmp_path / "raw", dtype=np.float64, mode="w+", shape=(3,))
    mapped[:] = [1, 2, 3]
    assert np.array_equal(round_trip(mapped, path), [1, 2, 3])


def test_arrays_come_back_read_only(path):
    back = round_trip({"a": np.ones(3)}, path)
    with pytest.raises(ValueError, match="read-only"):
        back["a"][0] = 2


@pytest.mark.parametrize("scalar", [np.float64("nan"), np.float64(0.1), np.float32(0.1), np.int64(-3), np.bool_(True)])
def test_a_numpy_scalar_comes_back_as_one(path, scalar):
    back = round_trip(scalar, path)
    assert type(back) is type(scalar)
    assert back.tobytes() == scalar.tobytes()


def test_a_tree_of_classes_comes_back_through_their_constructors(path):
    back = round_trip(a_tree(), path)
    assert list(back) == list(a_tree())
    assert back["model"] == Choice(3, Colour.BLUE)
    assert type(back["params"]) is Params
    assert back["params"]._hidden == (1, "two", None, True)
    assert np.array_equal(back["params"].doubled, [0.5, 1.5])
    assert back["history"][:2] == [-3.5, -2.25]
    assert math.isnan(back["history"][2])


def test_a_field_that_the_file_lacks_takes_its_default(path):
    forge_tree(path, ["class", "Choice", {"n_components": 4}])
    assert storage.read(path, KNOWN) == Choice(4, Colour.RED)


def test_names_of_arrays_never_collide(path):
    tree = {"a.b": np.array([1.0]), "a": {"b": np.array([2.0])}, "__metadata__": np.array([3.0])}
    back = round_trip(tree, path)
    assert (back["a.b"][0], back["a"]["b"][0], back["__metadata__"][0]) == (1, 2, 3)


def test_a_history_longer_than_the_header_is_stored_with_the_arrays(path):
    history = [1 / (n + 1) for n in range(200_000)]
    assert round_trip({"log_likelihoods": history}, path) == {"log_likelihoods": history}


def test_the_same_tree_gives_the_same_bytes(path, tmp_path):
    storage.write(path, a_tree())
    storage.write(tmp_path / "other", a_tree())
    assert path.read_bytes() == (tmp_path / "other").read_bytes()


# What is written


def test_the_layout_is_that_of_safetensors(path):
    tree = {"seen": np.array([True, False, True]), "single": np.ones(3, np.float32), "double": np.arange(4.0)}
    storage.write(path, tree)
    content = path.read_bytes()
    assert content[8:9] == b"{"
    header, data = split(content)
    metadata = header.pop("__metadata__")
    assert all(type(text) is str for text in metadata.values())
    dtypes = {"F64": "<f8", "F32": "<f4", "BOOL": "|b1"}
    position = 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        begin, end = entry["data_offsets"]
        assert begin == position
        raw = np.frombuffer(data[begin:end], dtypes[entry["dtype"]]).reshape(entry["shape"])
        assert np.array_equal(raw, tree[name])
        assert (len(content) - len(data) + begin) % raw.itemsize == 0
        position = end
    assert position == len(data)


def test_the_hash_is_over_everything_but_itself(path):
    storage.write(path, a_tree())
    content = path.read_bytes()
    header, _ = split(content)
    digest = header["__metadata__"]["sha256"]
    assert hashlib.sha256(content.replace(digest.encode(), b"0" * 64)).hexdigest() == digest


def test_peek_shows_the_metadata_and_the_texts_without_any_class(path):
    storage.write(path, {"model_name": "two-coins", "model": Choice(2), "version": "mine"})
    shown = storage.peek(path)
    assert shown["model_name"] == "two-coins"
    assert (shown["format"], shown["version"]) == ("emkit", "1")
    assert shown["tree"][1]["model"][:2] == ["class", "Choice"]
    assert set(shown) == {"format", "version", "sha256", "tree", "model_name"}


def test_peek_refuses_a_damaged_file(path):
    storage.write(path, a_tree())
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(FormatError, match="SHA-256"):
        storage.peek(path)


class Plain:
    pass


@pytest.mark.parametrize(
    ("value", "where"),
    [
        (Plain(), r"a\.b is of type Plain"),
        ({1: 2}, r"a\.b is a dict with keys that are not strings"),
        ({1, 2}, r"a\.b is of type set"),
        (np.array(["x"]), r"a\.b is of dtype <U1"),
        (np.array([None]), r"a\.b is of dtype object"),
        (np.ones(2, complex), r"a\.b is of dtype complex128"),
        (np.ma.masked_array([1.0], [True]), r"a\.b is of type MaskedArray"),
        (Choice, r"a\.b is of type type"),
        ((1, len), r"a\.b\[1\] is of type builtin"),
    ],
)
def test_what_cannot_be_stored_is_refused_with_its_place(path, value, where):
    with pytest.raises(TypeError, match=where):
        storage.write(path, {"a": {"b": value}})
    assert not path.exists()


def test_a_tree_that_contains_itself_is_refused(path):
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(ValueError, match="contain itself"):
        storage.write(path, loop)


def test_a_structure_too_large_for_the_header_is_refused(path):
    with pytest.raises(ValueError, match="put long lists into arrays"):
        storage.write(path, list(range(300_000)))


def test_two_classes_of_one_name_are_refused(path):
    with pytest.raises(ValueError, match="Two classes named Choice"):
        storage.write(path, [Choice(1), attrs.make_class("Choice", ["a"])(1)])


# Atomic writing


@pytest.fixture
def old(path):
    storage.write(path, "old")
    return path


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError("no space left"), KeyboardInterrupt()])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(old, monkeypatch, step, error):
    def fail(*_):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(os, step, fail)
        with pytest.raises(type(error)):
            storage.write(old, a_tree())
    assert storage.read(old) == "old"
    assert os.listdir(old.parent) == [old.name]


def test_a_tree_that_cannot_be_stored_leaves_the_old_file(old):
    with pytest.raises(TypeError):
        storage.write(old, {"good": np.ones(3), "bad": Plain()})
    assert storage.read(old) == "old"
    assert os.listdir(old.parent) == [old.name]


def test_a_write_replaces_the_old_file_and_leaves_nothing_else(old):
    storage.write(old, "new")
    assert storage.read(old) == "new"
    assert os.listdir(old.parent) == [old.name]


def test_a_folder_that_cannot_be_synchronised_does_not_spoil_a_write(path, monkeypatch):
    def refuse(*_):
        raise PermissionError

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        storage.write(path, "new")
    assert storage.read(path) == "new"


def test_a_pipe_is_not_replaced_by_a_file(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "link").symlink_to(pipe)
    for path in (pipe, tmp_path / "link"):
        with pytest.raises(OSError, match=r"pipe is not a regular file, so it is not replaced"):
            storage.write(path, a_tree())
    assert pipe.is_fifo()
    assert sorted(os.listdir(tmp_path)) == ["link", "pipe"]


def test_an_error_names_the_file_that_was_asked_for(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"'.*/nowhere/fit\.emkit'$"):
        storage.write(tmp_path / "nowhere" / "fit.emkit", a_tree())
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match=r"'.*/file/fit\.emkit'$"):
        storage.write(tmp_path / "file" / "fit.emkit", a_tree())


def test_a_symbolic_link_stays_a_link(old, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(old)
    storage.write(link, "new")
    assert link.is_symlink()
    assert storage.read(old) == "new"


# Classes


def test_an_unknown_class_is_an_error_that_names_it(path):
    storage.write(path, Choice(3))
    with pytest.raises(FormatError, match="names the class Choice, which is not among the known ones"):
        storage.read(path)


def test_nothing_is_imported_because_a_file_says_so(path):
    for name in ("antigravity", "antigravity.fly", "antigravity:fly"):
        forge_tree(path, ["class", name, {}])
        with pytest.raises(FormatError, match="antigravity"):
            storage.read(path, KNOWN)
    assert "antigravity" not in sys.modules


def test_two_known_classes_of_one_name_are_ambiguous(path):
    storage.write(path, Choice(1))
    with pytest.raises(FormatError, match="classes of that name"):
        storage.read(path, [Choice, attrs.make_class("Choice", ["n_components"])])


def test_what_a_constructor_refuses_is_a_format_error_with_its_reason(path):
    forge_tree(path, ["class", "Params", {"weights": ["float", "-1.0"]}])
    with pytest.raises(FormatError, match=r"Params refuses .* weights must be positive") as caught:
        storage.read(path, KNOWN)
    assert isinstance(caught.value.__cause__, ValueError)


def test_known_types_are_those_the_module_and_its_packages_can_see(monkeypatch):
    house, room = type(sys)("house"), type(sys)("house.room")
    room.Choice, room.Colour, room.json, room.Plain = Choice, Colour, json, Plain
    house.Pair = Pair
    model = type("Model", (), {"__module__": "house.room"})
    monkeypatch.setitem(sys.modules, "house", house)
    monkeypatch.setitem(sys.modules, "house.room", room)
    assert storage.known_types(model) == {model, Choice, Colour, Pair}


def test_known_types_of_a_class_without_a_module_are_that_class():
    lost = type("Lost", (), {"__module__": "not.there"})
    assert storage.known_types(lost) == {lost}


# Damage and malice


def test_a_file_cut_anywhere_is_refused(path):
    storage.write(path, a_tree())
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(FormatError):
            storage.read(path, KNOWN)


def test_a_file_with_flipped_bits_is_refused(path):
    storage.write(path, a_tree())
    content = path.read_bytes()
    rng = np.random.default_rng(1)
    for _ in range(4000):
        damaged = np.frombuffer(content, np.uint8).copy()
        places = rng.choice(len(content), rng.integers(1, 4), replace=False)
        damaged[places] ^= rng.integers(1, 256, len(places)).astype(np.uint8)
        path.write_bytes(damaged.tobytes())
        with pytest.raises(FormatError):
            storage.read(path, KNOWN)


def test_a_header_with_flipped_bits_is_refused_or_read_even_if_its_hash_is_right(path):
    storage.write(path, a_tree())
    header, data = split(path.read_bytes())
    del header["__metadata__"]["sha256"]
    text = json.dumps(header).encode()
    rng = np.random.default_rng(2)
    refused = 0
    for _ in range(4000):
        damaged = bytearray(text)
        damaged[rng.integers(len(text))] = rng.choice(list(b'"{}[],:0123456789abcF'))
        try:
            forged = json.loads(damaged)
            assert isinstance(forged["__metadata__"], dict)
        except (ValueError, KeyError, AssertionError):
            continue
        forge(path, forged, data)
        try:
            storage.read(path, KNOWN)
        except FormatError:
            refused += 1
    assert refused > 500


def test_random_bytes_are_refused(path):
    rng = np.random.default_rng(3)
    for _ in range(500):
        body = rng.bytes(rng.integers(0, 300))
        path.write_bytes(rng.choice([struct.pack("<Q", len(body)), rng.bytes(8)]) + body)
        with pytest.raises(FormatError):
            storage.read(path)


def test_bytes_after_the_end_are_refused(path):
    storage.write(path, a_tree())
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(FormatError):
        storage.read(path, KNOWN)


def test_a_folder_is_refused_and_a_missing_file_is_missing(tmp_path):
    with pytest.raises(FormatError, match="not a regular file"):
        storage.read(tmp_path)
    with pytest.raises(FileNotFoundError):
        storage.read(tmp_path / "missing")


def test_a_header_longer_than_a_mebibyte_is_refused_before_it_is_read(path):
    path.write_bytes(struct.pack("<Q", 2**20 + 1) + b" " * (2**20 + 1))
    with pytest.raises(FormatError, match="announces a header"):
        storage.read(path)


HUGE = 7 * 2**40


@pytest.mark.parametrize(
    ("entries", "data"),
    [
        ({"a": floats([HUGE // 8], 0, HUGE)}, b""),
        ({"a": floats([HUGE // 8], 0, 8)}, bytes(8)),
        ({"a": floats([2**40, 2**40, 0], 0, 0)}, b""),
        ({"a": floats([10**40, 0], 0, 0)}, b""),
        ({"a": floats([1] * 100, 0, 8)}, bytes(8)),
        ({"a": floats([2], 0, 16)}, bytes(8)),
        ({"a": floats([1], 8, 16)}, bytes(16)),
        ({"a": floats([1], -8, 0)}, b""),
        ({"a": floats([-1], 8, 0)}, bytes(8)),
        ({"a": floats([True], 0, 8)}, bytes(8)),
        ({"a": floats([1.0], 0, 8)}, bytes(8)),
        ({"a": floats(["1"], 0, 8)}, bytes(8)),
        ({"a": floats([1], 0, 8)}, bytes(16)),
        ({"a": floats([2], 0, 16), "b": floats([1], 8, 16)}, bytes(16)),
        ({"a": floats([1], 0, 8), "b": floats([1], 16, 24)}, bytes(24)),
        ({"a": floats([1], 0, 8, "O")}, bytes(8)),
        ({"a": floats([1], 0, 8, "C64")}, bytes(8)),
        ({"a": floats([1], 0, 8, ["F64"])}, bytes(8)),
        ({"a": floats([1], 0, 8) | {"more": 1}}, bytes(8)),
        ({"a": {"dtype": "F64", "shape": [1]}}, bytes(8)),
        ({"a": 7}, b""),
        ({"a": floats([2], 0, 2, "BOOL")}, b"\x01\x02"),
    ],
)
def test_an_array_that_does_not_fit_the_file_is_refused(path, entries, data):
    forge_tree(path, ["list", [["array", name] for name in entries]], entries, data)
    with pytest.raises(FormatError):
        storage.read(path)


@pytest.mark.parametrize(
    "node",
    [
        [],
        ["list", 3],
        ["dict", [1]],
        ["float", 1],
        ["float", "1"],
        ["float", "1_0.0"],
        ["float", "one"],
        ["unheard", "a"],
        ["class", "Choice", {"n_components": 1, "strange": 2}],
        ["class", "Choice", {}],
        ["class", "Colour", {}],
        ["enum", "Colour", "GREEN"],
        ["enum", "Choice", "RED"],
        ["enum", "Colour", "__class__"],
        {"n_components": 1},
        "1.5",
        "NaN",
        "[",
        "1" * 5000,
        '["dict",{"x":1,"x":2}]',
        "[" * 100_000,
        '["list",[' * 70 + "]]" * 70,
    ],
)
def test_a_tree_that_makes_no_sense_is_refused(path, node):
    forge_tree(path, node)
    with pytest.raises(FormatError):
        storage.read(path, KNOWN)


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        (None, "does not use the array 'a'"),
        (["array", "b"], "names the array 'b'"),
        (["list", [["array", "a"], ["array", "a"]]], "was used before"),
        (["array", 0], "tells no part of a tree"),
        (["array", "a", "more"], "tells no part of a tree"),
        (["scalar", "a"], r"has shape \(1, 1\)"),
        (["list", "a"], "float64 of shape"),
        (["tuple", ["a"]], "does not use the array 'a'"),
    ],
)
def test_a_tree_that_misuses_its_arrays_is_refused(path, node, reason):
    forge_tree(path, node, {"a": floats([1, 1], 0, 8)}, bytes(8))
    with pytest.raises(FormatError, match=reason):
        storage.read(path, KNOWN)


def test_a_forged_file_with_nothing_wrong_is_read(path):
    forge_tree(path, ["list", [["array", "a"], 1]], {"a": floats([1], 0, 8)}, bytes(8))
    assert storage.read(path, KNOWN) == [np.zeros(1), 1]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"version": "2"}, "version '2', and this emkit reads '1'"),
        ({"format": "pt"}, "format 'emkit'"),
        ({"extra": "x"}, "metadata must be"),
        ({"tree": 3}, "metadata must be"),
        ({"sha256": "f" * 64}, "SHA-256"),
        ({"sha256": "é"}, "metadata must be"),
        ({"sha256": ""}, "SHA-256"),
    ],
)
def test_metadata_of_another_kind_are_refused(path, change, reason):
    forge(path, {"__metadata__": {"format": "emkit", "version": "1", "tree": "null"} | change})
    with pytest.raises(FormatError, match=reason):
        storage.read(path)


@pytest.mark.parametrize("text", [b"[]", b"{}", b'{"__metadata__":[]}', b"null", b'"x"', b"\xff\xfe{}", b"[" * 99_999])
def test_a_header_that_is_no_object_with_metadata_is_refused(path, text):
    path.write_bytes(struct.pack("<Q", len(text)) + text)
    with pytest.raises(FormatError):
        storage.read(path)

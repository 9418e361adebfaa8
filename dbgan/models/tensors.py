"""Named tensors from a file that may be anything: nothing in it is executed, and it costs little more than its size.

`torch.load(weights_only=True)` executes nothing either, but lets a pickle copy what it names: one string, named over
and over, makes gigabytes of a file of 1 MB. So the pickle is first gone through with sizes in the place of tensors.
"""

import io
import math
import pickletools
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load as load_safetensors

MAGIC = 0x1950A86A20F9469CFC6C  # opens what torch wrote before 1.6
LARGEST_PICKLE = 2**20  # bytes; a tensor takes about 200, its values stand elsewhere
MOST_DIMENSIONS = 8
MOST_ENTRIES = 20_000  # of a zip archive; each takes a kilobyte when listed
LARGEST_KEY = 2**60  # integers beyond the prime 2^61 - 1 could be chosen to have one hash
ITEM_BYTES = {"Double": 8, "Float": 4, "Half": 2, "BFloat16": 2, "Long": 8, "Int": 4, "Short": 2, "Char": 1, "Byte": 1}
STORAGES = {f"torch {kind}Storage": size for kind, size in (ITEM_BYTES | {"Bool": 1}).items()}
REBUILDS = {"torch._utils _rebuild_tensor", "torch._utils _rebuild_tensor_v2"}
GLOBALS = {"collections OrderedDict", "torch._utils _rebuild_parameter", *REBUILDS, *STORAGES}
LITERALS = {"BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINSTRING"}
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
TENSOR = object()  # stands for a tensor whose size has been checked


class Refused(Exception):
    """Says in a few words what torch.save would not have written."""


class Global(str):
    """The name of what a pickle wants to call."""

    __slots__ = ()


class Storage(NamedTuple):
    """What a pickle says of the values of one or more tensors."""

    items: int
    item_bytes: int


def read_named(path: Path) -> dict[Any, Any]:
    """What a .safetensors file or a file of torch.save holds by name, which may be more than tensors.

    Raises ValueError, one line with the file's name, for every file that is no such file, is damaged or hostile.
    """
    try:
        if path.exists() and not path.is_file():
            raise OSError("Not a file")
        data = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror or error})") from None
    try:
        if path.suffix == ".safetensors":
            found = load_safetensors(data)
        else:
            check(data)
            found = torch.load(io.BytesIO(data), "cpu", weights_only=True, mmap=False)
    except Refused as reason:
        raise ValueError(f"{path}: refused, {reason}") from None
    except Exception:  # many kinds, and torch's come with advice to execute what is in the file
        raise ValueError(f"{path}: refused, no weights file or more than tensors in it") from None
    if not isinstance(found, dict):
        raise ValueError(f"{path}: holds no named tensors")
    return found


def require(condition: bool, reason: str) -> None:
    """Raises Refused where a file is not as torch writes it."""
    if not condition:
        raise Refused(reason)


def check(data: bytes) -> None:
    """Raises an error if the file of torch.save with these bytes would make more of itself than it holds."""
    if data.startswith(b"PK\x03\x04"):
        check_archive(data)
    else:
        check_legacy(data)


def check_archive(data: bytes) -> None:
    """A zip archive, as torch has written since 1.6: one pickle, and each storage in a file of its own.

    All are stored, not compressed, and fit into the file together: no entry unfolds, or is counted twice.
    """
    require(data.count(b"PK\x01\x02") <= MOST_ENTRIES, "an archive of too many entries")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
        sizes = {entry.filename: entry.file_size for entry in entries}
        require(len(sizes) == len(entries), "two entries of one name")
        require(all(entry.compress_type == zipfile.ZIP_STORED for entry in entries), "a compressed archive")
        require(sum(sizes.values()) <= len(data), "an archive whose entries overlap")
        require(archive.testzip() is None, "a check sum is wrong: damaged")
        root = entries[0].filename.partition("/")[0]
        pickle = archive.read(f"{root}/data.pkl")
    _, storages = dry_run(io.BytesIO(pickle[:LARGEST_PICKLE]))
    for key, storage in storages.items():
        require(
            sizes.get(f"{root}/data/{key}") == storage.items * storage.item_bytes,
            "a tensor with more or fewer values than stored",
        )


def check_legacy(data: bytes) -> None:
    """The older format: five pickles, then the values of each storage that the fourth names, in the fifth's order."""
    file = io.BytesIO(data[:LARGEST_PICKLE])
    require(dry_run(file)[0] == MAGIC, "not written by torch.save")
    for _ in ("version of the format", "the writer's machine"):
        dry_run(file)
    _, storages = dry_run(file)
    keys, _ = dry_run(file)
    require(sorted(keys) == sorted(storages), "a tensor without stored values")
    total = sum(8 + storage.items * storage.item_bytes for storage in storages.values())  # each follows its length
    require(file.tell() + total <= len(data), "a tensor with more values than stored")


def dry_run(file: io.BytesIO) -> tuple[Any, dict[str, Storage]]:
    """Goes through one pickle as torch would: what it stands for, with TENSOR for each tensor, and its storages.

    Raises an error at all that torch does not write for tensors, dicts, lists, tuples, numbers and strings.
    """
    stack: list[Any] = []
    marks: list[int] = []
    memo: dict[int, Any] = {}
    storages: dict[str, Storage] = {}
    copied = 0

    def since_mark() -> list[Any]:
        start = marks.pop()
        items = stack[start:]
        del stack[start:]
        return items

    for opcode, argument, _ in pickletools.genops(file):
        name = opcode.name
        if name in LITERALS:
            stack.append(argument)
        elif name in CONSTANTS:
            stack.append(CONSTANTS[name])
        elif name in ("EMPTY_DICT", "EMPTY_LIST"):
            stack.append({} if name == "EMPTY_DICT" else [])
        elif name == "GLOBAL":
            require(argument in GLOBALS, f"more than tensors in it: {argument!a:.80}")
            stack.append(Global(argument))
        elif name in ("BINPUT", "LONG_BINPUT"):
            memo[argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name == "MARK":
            marks.append(len(stack))
        elif name in ("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"):
            items = since_mark() if name == "TUPLE" else [stack.pop() for _ in range(int(name[-1]))][::-1]
            stack.append(tuple(items))
        elif name in ("APPEND", "APPENDS"):
            items = since_mark() if name == "APPENDS" else [stack.pop()]
            require(type(stack[-1]) is list, "no list to append to")
            stack[-1].extend(items)
        elif name in ("SETITEM", "SETITEMS"):
            items = since_mark() if name == "SETITEMS" else [stack.pop() for _ in range(2)][::-1]
            set_items(stack[-1], zip(items[::2], items[1::2], strict=True))
        elif name == "BINPERSID":
            stack.append(named_storage(stack.pop(), storages))
        elif name == "REDUCE":
            arguments = stack.pop()
            stack[-1] = called(stack[-1], arguments)
            copied += len(stack[-1]) if type(stack[-1]) is dict else 0
        elif name == "BUILD":  # an OrderedDict's attributes; others than this one could replace its methods
            attributes = stack.pop()
            require(type(attributes) is dict and attributes.keys() <= {"_metadata"}, "attributes")
        else:
            require(name == "STOP" or (name == "PROTO" and argument == 2), "a pickle of another kind than torch's")
        require(copied <= LARGEST_PICKLE, "a dict copied again and again")
    return stack.pop(), storages


def set_items(target: Any, pairs: Any) -> None:
    """Put pairs into a dict. Keys are strings or integers: the hash of a deeply nested tuple overflows C's stack."""
    require(type(target) is dict, "no dict to put items into")
    for key, value in pairs:
        require(type(key) is str or (type(key) is int and abs(key) < LARGEST_KEY), "a key that is no name")
        target[key] = value


def named_storage(identity: Any, storages: dict[str, Storage]) -> Storage:
    """The storage that a pickle names, entered into `storages`; older files say of each that it is no view (None)."""
    word, kind, key, location, items, *view = identity
    require(type(identity) is tuple and word == "storage" and type(key) is str, "no storage")
    require(type(location) is str and type(items) is int and items >= 0 and view in ([], [None]), "no storage")
    require(type(kind) is Global, "no storage")
    storage = Storage(items, STORAGES[kind])
    require(storages.setdefault(key, storage) == storage, "one storage of two sizes")
    return storage


def called(function: Any, arguments: Any) -> Any:
    """What a call of one of GLOBALS gives."""
    require(type(function) is Global and type(arguments) is tuple, "no call")
    if function == "collections OrderedDict":
        ordered: dict[Any, Any] = {}
        (pairs,) = arguments or ([],)  # written by Python 2: a list of pairs
        set_items(ordered, pairs)
        return ordered
    if function == "torch._utils _rebuild_parameter":
        tensor, requires_grad, hooks = arguments
        require(tensor is TENSOR and type(requires_grad) is bool and hooks == {}, "no parameter")
        return TENSOR
    require(function in REBUILDS, "no call")
    storage, offset, size, stride, *more = arguments
    require(type(storage) is Storage and (not more or (type(more[0]) is bool and more[1:] == [{}])), "no tensor")
    require(type(size) is type(stride) is tuple and len(size) == len(stride) <= MOST_DIMENSIONS, "no tensor")
    require(all(type(number) is int and number >= 0 for number in (offset, *size, *stride)), "no tensor")
    values = math.prod(size)
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    require(
        values <= storage.items and (not values or last < storage.items),
        f"a tensor of {values} values over {storage.items} stored ones",
    )
    return TENSOR

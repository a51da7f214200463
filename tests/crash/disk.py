"""What SQLite asked of the disk, and what may be left of it after a power cut.

`record(folder)` puts itself between SQLite and the files below a folder: it changes the table of functions of
SQLite's own default VFS (https://www.sqlite.org/vfs.html) in the library that Python's sqlite3 uses, so the product
runs unchanged and every write, truncation, flush and deletion is noted in order, beside whatever the caller notes.

`Disk` replays such a log up to a moment and invents the rest as a disk may: what was flushed is there; of what came
after the last flush of a file any part is, each write torn at sectors of 512 bytes. What SQLite assumes of a disk
(bytes beside those written stay: https://www.sqlite.org/psow.html) holds here, too; so does what every journaling file
system gives: a deletion lasts once anything was flushed after it.
"""

from __future__ import annotations

import _sqlite3
import ctypes
import os
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

SECTOR = 512
OK = 0
Entry = tuple[Any, ...]
"""("write", file, offset, bytes) | ("truncate", file, size) | ("sync", file) | ("delete", file) | (anything else that
the caller notes)."""

_P, _INT, _I64 = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64
_Open = ctypes.CFUNCTYPE(_INT, _P, _P, _P, _INT, _P)  # the name stays SQLite's own pointer, which it keeps
_Delete = ctypes.CFUNCTYPE(_INT, _P, ctypes.c_char_p, _INT)
_Close = ctypes.CFUNCTYPE(_INT, _P)
_Write = ctypes.CFUNCTYPE(_INT, _P, _P, _INT, _I64)
_Truncate = ctypes.CFUNCTYPE(_INT, _P, _I64)
_Sync = ctypes.CFUNCTYPE(_INT, _P, _INT)


class NoRecorder(Exception):
    """The sqlite3 of this Python cannot be reached from outside; the message says why."""


class _Methods(ctypes.Structure):
    """sqlite3_io_methods, https://www.sqlite.org/c3ref/io_methods.html"""

    _fields_ = [("version", _INT)] + [
        (name, _P)
        for name in (
            "close", "read", "write", "truncate", "sync", "file_size", "lock", "unlock", "check_reserved_lock",
            "file_control", "sector_size", "device_characteristics", "shm_map", "shm_lock", "shm_barrier",
            "shm_unmap", "fetch", "unfetch",
        )
    ]  # fmt: skip


class _Vfs(ctypes.Structure):
    """The beginning of sqlite3_vfs, https://www.sqlite.org/c3ref/vfs.html"""

    _fields_ = [
        ("version", _INT), ("file_size", _INT), ("path_length", _INT), ("next", _P), ("name", ctypes.c_char_p),
        ("app_data", _P), ("open", _P), ("delete", _P),
    ]  # fmt: skip


class _File(ctypes.Structure):
    _fields_ = [("methods", ctypes.POINTER(_Methods))]


def record(folder: Path, log: list[Entry]) -> None:
    """From now on, until the process ends, note in `log` what SQLite does with files below `folder`. Raises
    NoRecorder."""
    vfs = _default_vfs()
    root = os.fsencode(folder.resolve()) + b"/"
    names: dict[int, str] = {}
    tables: dict[int, _Methods] = {}
    true_open, true_delete = _Open(vfs.open), _Delete(vfs.delete)

    def opening(me: int, pointer: int | None, file: int, flags: int, out: int) -> int:
        code: int = true_open(me, pointer, file, flags, out)
        name = ctypes.string_at(pointer) if pointer else b""
        if code == OK and name.startswith(root) and not name.endswith(b"-shm"):
            at = ctypes.cast(file, ctypes.POINTER(_File)).contents
            address = ctypes.addressof(at.methods.contents)
            if address not in tables:
                tables[address] = _noting(at.methods.contents, names, log, kept)
            names[file] = os.fsdecode(name[len(root) :])
            at.methods = ctypes.pointer(tables[address])
        return code

    def deleting(me: int, name: bytes, lasting: int) -> int:
        code: int = true_delete(me, name, lasting)
        if code == OK and name.startswith(root):
            log.append(("delete", os.fsdecode(name[len(root) :])))
        return code

    kept: list[Any] = [vfs, true_open, true_delete, tables]
    for field_, function in (("open", _Open(opening)), ("delete", _Delete(deleting))):
        kept.append(function)
        setattr(vfs, field_, ctypes.cast(function, _P))
    _KEPT.append(kept)


_KEPT: list[Any] = []
"""What C holds pointers to must never be freed."""


def _noting(true: _Methods, names: dict[int, str], log: list[Entry], kept: list[Any]) -> _Methods:
    """A table of functions that note and then do as `true` does."""
    write, truncate = _Write(true.write), _Truncate(true.truncate)
    sync, close = _Sync(true.sync), _Close(true.close)

    def writing(file: int, data: int, size: int, offset: int) -> int:
        code: int = write(file, data, size, offset)
        if code == OK:
            log.append(("write", names[file], offset, ctypes.string_at(data, size)))
        return code

    def truncating(file: int, size: int) -> int:
        code: int = truncate(file, size)
        if code == OK:
            log.append(("truncate", names[file], size))
        return code

    def syncing(file: int, flags: int) -> int:
        code: int = sync(file, flags)
        if code == OK:
            log.append(("sync", names[file]))
        return code

    def closing(file: int) -> int:
        names.pop(file, None)
        code: int = close(file)
        return code

    made = _Methods.from_buffer_copy(true)
    for name, function in (
        ("write", _Write(writing)),
        ("truncate", _Truncate(truncating)),
        ("sync", _Sync(syncing)),
        ("close", _Close(closing)),
    ):
        kept.append(function)
        setattr(made, name, ctypes.cast(function, _P))
    kept += [write, truncate, sync, close]
    return made


def _default_vfs() -> _Vfs:
    """The VFS of the very library that the sqlite3 module uses."""
    try:
        library = ctypes.CDLL(_sqlite3.__file__)  # finds symbols of what it is linked against, too
        find = library.sqlite3_vfs_find
    except (AttributeError, OSError) as error:
        raise NoRecorder(f"the SQLite of this Python is out of reach: {error}") from error
    find.restype = ctypes.POINTER(_Vfs)
    find.argtypes = [ctypes.c_char_p]
    found = find(None)
    if not found:
        raise NoRecorder("SQLite has no default VFS")
    return found.contents  # type: ignore[no-any-return]


@dataclass
class _Copy:
    """One file: what is safely on the disk, and what was asked since the last flush."""

    safe: bytearray = field(default_factory=bytearray)
    there: bool = False
    since: list[Entry] = field(default_factory=list)
    deleted: bool = False
    """Deleted, and nothing flushed since."""


class Disk:
    """The files of a log at a moment. `forward` goes on in the log; `after_a_cut` says what is found when the power
    comes back."""

    def __init__(self) -> None:
        self._files: dict[str, _Copy] = {}

    def forward(self, entry: Entry) -> None:
        """One more entry of the log has happened."""
        if entry[0] not in ("write", "truncate", "sync", "delete"):
            return
        file = self._files.setdefault(entry[1], _Copy())
        if entry[0] == "sync":
            for name, gone in list(self._files.items()):
                if gone.deleted:
                    del self._files[name]
            for one in file.since:
                _apply(file.safe, one)
            file.since.clear()
            file.there = True
        elif entry[0] == "delete":
            file.deleted = True
        else:
            if file.deleted:  # a new file of that name: the old one may come back as little as the new one
                file = self._files[entry[1]] = _Copy()
            file.since.append(entry)

    def after_a_cut(self, random: Random) -> dict[str, bytes]:
        """Contents by file name. A file that was never flushed may not be there at all."""
        found = {}
        for name, file in self._files.items():
            if file.deleted and random.random() < 0.5:
                continue
            image = bytearray(file.safe)
            share = random.choice((0.0, 0.1, 0.5, 0.9, 1.0))
            touched = file.there
            for one in file.since:
                for part in _torn(one, random, share):
                    _apply(image, part)
                    touched = True
            if touched:
                found[name] = bytes(image)
        return found


def _apply(image: bytearray, entry: Entry) -> None:
    if entry[0] == "truncate":
        del image[entry[2] :]
        return
    _kind, _name, offset, data = entry
    if len(image) < offset:
        image.extend(bytes(offset - len(image)))
    image[offset : offset + len(data)] = data


def _torn(entry: Entry, random: Random, share: float) -> list[Entry]:
    """The sectors of one request that arrived, each with the chance `share`."""
    if entry[0] == "truncate":
        return [entry] if random.random() < share else []
    kind, name, offset, data = entry
    parts = []
    at = 0
    while at < len(data):
        end = min(len(data), at + SECTOR - (offset + at) % SECTOR)
        if random.random() < share:
            parts.append((kind, name, offset + at, data[at:end]))
        at = end
    return parts

"""The file beside the database that says which laptop this is, and how far its log had come.

Databases are restored from backups and disks are cloned; the file tells the first at once (queueing/journal/epochs.py).
It is replaced whole, after the commit it speaks of, and flushed to the disk.
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict
from pathlib import Path

from queueing.journal.epochs import Witness

NAME = "van-device.json"


def new_device() -> str:
    """The name of a laptop: 80 random bits."""
    return secrets.token_hex(10)


def new_epoch() -> str:
    """The name of an epoch: 40 random bits."""
    return secrets.token_hex(5)


def load(folder: Path) -> Witness:
    """What the file says; a new identity where there is none (not stored yet)."""
    try:
        stored = json.loads((folder / NAME).read_text())
        return Witness(**stored)
    except (FileNotFoundError, ValueError, TypeError):
        return Witness(device=new_device())


def store(folder: Path, witness: Witness) -> None:
    """Replace the file: whoever reads it sees the old or the new one, also after a power cut."""
    path, fresh = folder / NAME, folder / (NAME + ".new")
    with fresh.open("w") as stream:
        json.dump(asdict(witness), stream)
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(path)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

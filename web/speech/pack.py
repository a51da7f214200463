"""All clips of a language in one file: a board fetches it once and cuts out what it plays.

Layout: four bytes (length of the index, little-endian), the index as JSON `{clip: [offset, bytes]}`, the clips end to
end (each a whole MP3). Offsets count from the end of the index.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "static" / "sounds"
_HEAD = 4


def write(path: Path, clips: dict[str, bytes]) -> int:
    """Write the clips into one file; returns its size in bytes."""
    index, at = {}, 0
    for key, sound in clips.items():
        index[key] = [at, len(sound)]
        at += len(sound)
    head = json.dumps(index, separators=(",", ":"), ensure_ascii=False).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(".half")  # a board must never fetch one that is being written
    half.write_bytes(len(head).to_bytes(_HEAD, "little") + head + b"".join(clips.values()))
    half.replace(path)
    return path.stat().st_size


def read(path: Path) -> dict[str, bytes]:
    """The clips of a file that `write` made."""
    whole = path.read_bytes()
    start = _HEAD + int.from_bytes(whole[:_HEAD], "little")
    index = json.loads(whole[_HEAD:start])
    return {key: whole[start + at : start + at + size] for key, (at, size) in index.items()}


@cache
def spoken_here() -> tuple[str, ...]:
    """The languages whose packs this installation has, looked for once."""
    return tuple(path.stem for path in sorted(FOLDER.glob("*.pack")))

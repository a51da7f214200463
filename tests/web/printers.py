"""A network printer for tests: it listens, reads, and behaves as badly as it is told."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class FakePrinter:
    """`answers` to status questions by their last byte (1 printer, 2 why offline, 4 paper) and to that after the
    slip (r); a missing answer is silence. `dies_after` bytes it hangs up; `hangs_after` bytes it reads no more."""

    answers: dict[bytes, int] = field(default_factory=dict)
    dies_after: int | None = None
    hangs_after: int | None = None
    slips: list[bytes] = field(default_factory=list)
    """What came on each connection, questions left out."""
    port: int = 0

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"


WELL = {b"\x01": 0x12, b"\x04": 0x12, b"r": 0x00}
"""Online, paper there, and done."""


@contextlib.contextmanager
def fake_printer(**how: object) -> Iterator[FakePrinter]:
    """A printer that runs while the block does."""
    printer = FakePrinter(**how)  # type: ignore[arg-type]
    stop = threading.Event()
    with socket.socket() as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        door.bind(("127.0.0.1", 0))
        door.listen(8)
        door.settimeout(0.05)
        printer.port = door.getsockname()[1]
        threads: list[threading.Thread] = []

        def accept() -> None:
            while not stop.is_set():
                with contextlib.suppress(TimeoutError):
                    line, _peer = door.accept()
                    threads.append(threading.Thread(target=_serve, args=(printer, line, stop), daemon=True))
                    threads[-1].start()

        at_door = threading.Thread(target=accept, daemon=True)
        at_door.start()
        yield printer
        stop.set()
        at_door.join(5)
        for thread in threads:
            thread.join(5)


def _serve(printer: FakePrinter, line: socket.socket, stop: threading.Event) -> None:
    came = b""
    asked = 0
    line.settimeout(0.05)
    with line:
        while not stop.is_set():
            if printer.hangs_after is not None and len(came) >= printer.hangs_after:
                stop.wait(0.05)
                continue
            try:
                more = line.recv(512)
            except TimeoutError:
                continue
            except OSError:
                break
            if not more:
                break
            came += more
            if printer.dies_after is not None and len(came) >= printer.dies_after:
                # Reset, not a polite end: the cable was pulled.
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                break
            if came[asked:].startswith(b"\x10\x04") and len(came) - asked == 3:
                _answer(printer, line, came[-1:])
                asked = len(came)
            elif came.endswith(b"\x1dr\x01"):
                _answer(printer, line, b"r")
    slip = came
    while slip[:2] == b"\x10\x04":
        slip = slip[3:]
    printer.slips.append(slip)


def _answer(printer: FakePrinter, line: socket.socket, question: bytes) -> None:
    if question in printer.answers:
        with contextlib.suppress(OSError):
            line.sendall(bytes([printer.answers[question]]))

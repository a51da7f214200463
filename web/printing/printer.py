"""Getting a slip onto paper: where a printer is, what it answers, and what is known after a fault.

An address is `tcp://192.168.1.50:9100` (a network printer), `usb:/dev/usb/lp0` (a device of this machine),
`file:/path` (bytes appended to a file, for tests and for spoolers) or `none` (a printer that takes everything).

The bytes are python-escpos'. Sending is our own: every step has a deadline (a printer that hangs must not hold a
person at the kiosk), and what went out before a fault decides whether anything can be on paper:

- nothing sent: `failed`, with the reason;
- something sent and no word after it: `unsure` - somebody must look.

Printers that answer are asked twice: before (paper, cover, error; then nothing is sent at all) and after the last
line, in the order of printing (GS r), so that a yes means that the slip is out.
"""

from __future__ import annotations

import array
import contextlib
import copy
import fcntl
import os
import select
import socket
import stat
import termios
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from escpos.printer import Dummy
from PIL import Image

PORTS = range(9100, 9200)
CONNECT_S = 2.0
SEND_S = 6.0
"""For all bytes: a printer takes 30 kB in a second or two."""
ANSWER_S = 0.6
DONE_S = 6.0
"""For the answer after the last line: the paper must be drawn first."""
FAULTS = (
    "no_printer",
    "unreachable",
    "paper_out",
    "cover_open",
    "printer_error",
    "offline",
    "broke_off",
    "no_word",
    "no_font",
    "never_sent",
)
"""Why a slip is not, or not surely, on paper."""
_PRINTER, _OFFLINE, _PAPER = b"\x10\x04\x01", b"\x10\x04\x02", b"\x10\x04\x04"
_AFTER = b"\x1dr\x01"


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a slip: `state` and `fault` as of PrintJob, bytes that went out, whether the printer said so."""

    state: str
    fault: str = ""
    bytes_sent: int = 0
    confirmed: bool = False
    paper_low: bool = False


class AddressError(ValueError):
    """An address that names no printer; the message says why."""


class Line(Protocol):
    """A line to a printer, opened. Deadlines are instants of time.monotonic()."""

    hears: bool
    """Whether anything can come back."""

    def send(self, data: bytes, deadline: float) -> int:
        """Send; returns how many bytes went out. Raises OSError (with `sent` on it) when the line breaks or hangs."""

    def hear(self, deadline: float) -> bytes:
        """One byte of answer, or nothing by the deadline."""

    def arrived(self, deadline: float) -> bool:
        """Whether what was sent has left this machine by the deadline. Raises OSError when the line broke."""

    def close(self) -> None:
        """Hang up."""


class Broken(OSError):
    """The line broke or hung; `sent` bytes had gone out."""

    def __init__(self, sent: int, why: str) -> None:
        super().__init__(why)
        self.sent = sent


def encode(picture: Image.Image) -> bytes:
    """The bytes that print a one-bit picture and cut the paper."""
    paper = Dummy()
    # The width is ours to know; without it the library complains for each slip.
    known = copy.deepcopy(paper.profile.profile_data)
    known["media"]["width"]["pixels"] = picture.width
    paper.profile.profile_data = known
    paper.hw("INIT")
    paper.image(picture, impl="bitImageRaster", fragment_height=480)
    paper.cut()
    made: bytes = paper.output
    return made


def check_address(address: str) -> str:
    """An address that somebody typed, as it is stored. Raises AddressError.

    Only ports at which printers listen: this server must not be made to knock at other doors of its network. Files
    are for whoever has the machine (tests, spoolers), not for a form.
    """
    text = address.strip()
    if text == "none":
        return text
    parts = urlsplit(text)
    if parts.scheme == "tcp":
        try:
            port = parts.port or 9100
        except ValueError:
            raise AddressError("the port must be a number up to 65535") from None
        if not parts.hostname or parts.path or parts.query or parts.username:
            raise AddressError("write tcp://host:port")
        if port not in PORTS:
            raise AddressError(f"printers listen at ports {PORTS.start} to {PORTS.stop - 1}")
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        return f"tcp://{host}:{port}"
    if parts.scheme == "usb":
        path = os.path.normpath(parts.path)
        if not path.startswith(("/dev/usb/lp", "/dev/lp")) or parts.netloc:
            raise AddressError("a USB printer is a device such as usb:/dev/usb/lp0")
        return f"usb:{path}"
    raise AddressError("write tcp://host:port or usb:/dev/usb/lp0")


def print_bytes(address: str, data: bytes, *, clock: Callable[[], float] = time.monotonic) -> Sent:
    """Send a slip to a printer and say what became of it. Never raises for what a printer does."""
    try:
        line = _open(address)
    except OSError:
        return Sent("failed", "unreachable")
    try:
        return _talk(line, data, clock)
    finally:
        line.close()


def _talk(line: Line, data: bytes, clock: Callable[[], float]) -> Sent:
    try:
        answers, fault, low = _ask(line, clock)
    except OSError:
        return Sent("failed", "unreachable")  # the questions are no paper
    if fault:
        return Sent("failed", fault)
    try:
        sent = line.send(data + (_AFTER if answers else b""), clock() + SEND_S)
    except Broken as broken:
        if broken.sent == 0:
            return Sent("failed", "offline")
        return Sent("unsure", "broke_off", broken.sent)
    except OSError:
        return Sent("unsure", "broke_off", len(data))
    sent = min(sent, len(data))
    if not answers:
        try:
            arrived = line.arrived(clock() + SEND_S)
        except OSError:
            arrived = False
        return Sent("printed", "", sent) if arrived else Sent("unsure", "broke_off", sent)
    try:
        said = line.hear(clock() + DONE_S)
    except OSError:
        return Sent("unsure", "broke_off", sent)
    if said:
        # Bits 2 and 3: the paper ran out by the end of this slip.
        return Sent("unsure", "paper_out", sent) if said[0] & 0x0C else Sent("printed", "", sent, True, low)
    try:
        _answers, fault, _low = _ask(line, clock)
    except OSError:
        fault = ""
    return Sent("unsure", fault or "no_word", sent)


def _ask(line: Line, clock: Callable[[], float]) -> tuple[bool, str, bool]:
    """(does it answer, what keeps it from printing, is paper low). Many printers never answer: they are taken at
    their word's absence."""
    if not line.hears:
        return False, "", False
    line.send(_PRINTER, clock() + ANSWER_S)
    state = line.hear(clock() + ANSWER_S)
    if not state:
        return False, "", False
    line.send(_PAPER, clock() + ANSWER_S)
    paper = line.hear(clock() + ANSWER_S)
    if paper and paper[0] & 0x60:
        return True, "paper_out", True
    if state[0] & 0x08:  # offline: why?
        line.send(_OFFLINE, clock() + ANSWER_S)
        why = line.hear(clock() + ANSWER_S)
        bits = why[0] if why else 0
        if bits & 0x04:
            return True, "cover_open", False
        if bits & 0x20:
            return True, "paper_out", True
        return True, "printer_error" if bits & 0x40 else "offline", False
    return True, "", bool(paper and paper[0] & 0x0C)


class _Socket:
    """A network printer."""

    hears = True

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port), timeout=CONNECT_S)

    def send(self, data: bytes, deadline: float) -> int:
        sent = 0
        while sent < len(data):
            left = deadline - time.monotonic()
            if left <= 0:
                raise Broken(sent, "the printer takes nothing more")
            self._socket.settimeout(left)
            try:
                sent += self._socket.send(data[sent : sent + 4096])
            except OSError as error:
                raise Broken(sent, str(error)) from error
        return sent

    def hear(self, deadline: float) -> bytes:
        self._socket.settimeout(max(0.01, deadline - time.monotonic()))
        try:
            said = self._socket.recv(1)
        except TimeoutError:
            return b""
        if not said:
            raise ConnectionResetError("the printer hung up")
        return said

    def arrived(self, deadline: float) -> bool:
        # The system takes bytes that the printer has not: its queue must be empty, and the line still there.
        while _waiting_in(self._socket):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        self._socket.shutdown(socket.SHUT_WR)
        self._socket.settimeout(ANSWER_S)
        with contextlib.suppress(TimeoutError):
            while self._socket.recv(64):
                pass
        return True

    def close(self) -> None:
        self._socket.close()


class _Device:
    """A printer behind a device file (or a file that stands for one)."""

    def __init__(self, path: str, *, make: bool) -> None:
        flags = os.O_NONBLOCK | os.O_NOCTTY
        if make:
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | flags, 0o600)
            self.hears = False
            return
        kind = Path(path).stat().st_mode
        if not stat.S_ISCHR(kind) and not stat.S_ISFIFO(kind):
            raise FileNotFoundError(path)
        try:
            self._file, self.hears = os.open(path, os.O_RDWR | flags), True
        except OSError:
            self._file, self.hears = os.open(path, os.O_WRONLY | flags), False

    def send(self, data: bytes, deadline: float) -> int:
        sent = 0
        while sent < len(data):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select((), (self._file,), (), left)[1]:
                raise Broken(sent, "the printer takes nothing more")
            try:
                sent += os.write(self._file, data[sent : sent + 4096])
            except BlockingIOError:
                continue
            except OSError as error:
                raise Broken(sent, str(error)) from error
        return sent

    def hear(self, deadline: float) -> bytes:
        if not select.select((self._file,), (), (), max(0.0, deadline - time.monotonic()))[0]:
            return b""
        try:
            return os.read(self._file, 1)
        except BlockingIOError:
            return b""

    def arrived(self, deadline: float) -> bool:
        return True  # the device's driver took it all

    def close(self) -> None:
        os.close(self._file)


class _None:
    """Takes everything and says nothing."""

    hears = False

    def send(self, data: bytes, deadline: float) -> int:
        return len(data)

    def hear(self, deadline: float) -> bytes:
        return b""

    def arrived(self, deadline: float) -> bool:
        return True

    def close(self) -> None:
        return


def _waiting_in(line: socket.socket) -> int:
    """Bytes that the other side has not acknowledged (Linux); 0 where the system does not tell."""
    count = array.array("i", [0])
    try:
        fcntl.ioctl(line.fileno(), termios.TIOCOUTQ, count)
    except OSError:
        return 0
    return count[0]


def _open(address: str) -> Line:
    if address == "none":
        return _None()
    parts = urlsplit(address)
    if parts.scheme == "tcp":
        return _Socket(parts.hostname or "", parts.port or 9100)
    return _Device(parts.path, make=parts.scheme == "file")

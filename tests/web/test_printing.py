"""Slips: what is on them, how they reach a printer, and what is known after every way it can go wrong."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import func, select

from queueing import counter
from queueing.store import Queue, Ticket
from tests.web.printers import WELL, fake_printer
from tests.web.world import form_to
from web.accounts import AccessToken, new_token
from web.printing import jobs, printer, slip
from web.printing.printer import AddressError, check_address, encode, print_bytes
from web.printing.slip import Line, Slip, picture, visual
from web.printing.store import KioskPrinter, PrintJob


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines of a test: the same order, a tenth of the time."""
    monkeypatch.setattr(printer, "ANSWER_S", 0.15)
    monkeypatch.setattr(printer, "SEND_S", 1.0)
    monkeypatch.setattr(printer, "DONE_S", 0.4)


SLIP = Slip(
    (Line("المركز التكنولوجي بأسوان", 36, True),),
    "A107",
    (Line("بطاقة الرقم القومي (بدل فاقد)", 34, True), Line("Identity card", 26, rtl=False)),
    "http://localhost/tickets/q8n1fV3xTt0aYbZk",
    (Line("وجّه كاميرا هاتفك إلى المربع", 24),),
)


# The picture.


def test_arabic_is_joined_and_runs_from_right_to_left() -> None:
    """The letters of a word take their joined forms, the first of them stands last, numbers keep their order, and
    brackets turn round."""
    assert (
        visual("بيت", rtl=True) == "\ufe96\ufef4\ufe91"
    )  # teh final, yeh medial, beh initial: read from the right
    assert visual("لا", rtl=True) == "\ufefb"  # one sign
    assert visual("(بيت 12)", rtl=True) == "(12 \ufe96\ufef4\ufe91)"
    assert visual("Copy 2", rtl=False) == "Copy 2"


def test_the_font_has_every_sign_that_a_slip_of_arabic_can_need() -> None:
    """A sign that is missing would come out as an empty box."""
    from PIL import ImageFont

    letters = "".join(chr(n) for n in range(0x0621, 0x064B) if n not in range(0x063B, 0x0641))
    for name in (slip.BOLD, slip.MEDIUM):
        font = slip._font(name, 30)
        assert isinstance(font, ImageFont.FreeTypeFont)
        box = bytes(font.getmask("\U000f0000"))
        signs = set(visual(" ".join(a + b + c for a in letters for b in "بد" for c in letters), rtl=True))
        missing = [
            hex(ord(s))
            for s in signs | set("ABCDEF0123456789،–·()")
            if s != " " and bytes(font.getmask(s)) == box
        ]
        assert missing == []


@pytest.mark.parametrize("dots", [576, 384])
def test_a_slip_is_black_and_white_fits_the_paper_and_its_number_is_the_largest_thing(dots: int) -> None:
    made = picture(SLIP, dots=dots)
    assert (made.mode, made.width) == ("1", dots)
    rows = made.convert("L").resize((1, made.height), Image.Resampling.BOX).tobytes()
    assert 0.02 < sum(value < 255 for value in made.convert("L").tobytes()) / (dots * made.height) < 0.4
    # The tallest unbroken run of inked rows after the QR code is the label's.
    runs, run = [], 0
    for value in rows:
        run = run + 1 if value < 255 else 0
        runs.append(run)
    assert max(runs) >= dots * 0.24


def test_a_long_service_is_broken_between_words_and_nothing_leaves_the_paper() -> None:
    long = "استخراج صورة طبق الأصل من قيد الزواج مع ترجمة معتمدة وختم وزارة الخارجية للاستعمال خارج البلاد"
    made = picture(Slip((), "A1", (Line(long, 34, True),), "http://x/y", ()), dots=576).convert("L")
    for column in (0, 575):
        assert made.crop((column, 0, column + 1, made.height)).getextrema() == (255, 255)


def test_the_code_on_the_slip_leads_to_the_ticket() -> None:
    """The square is that of the address: its modules are compared with a fresh code's."""
    import segno

    made = picture(SLIP, dots=576).convert("L")
    rows = [list(row) for row in segno.make(SLIP.address, error="m", micro=False).matrix_iter(border=0)]
    unit = max(3, round(576 * 0.46) // (len(rows) + 4))
    pixels = made.load()
    assert pixels is not None

    def at(left: int, top: int) -> bool:
        return all(
            (pixels[left + x * unit + unit // 2, top + y * unit + unit // 2] == 0) == bool(rows[y][x])
            for y in range(len(rows))
            for x in range(len(rows))
        )

    left = (576 - unit * (len(rows) + 4)) // 2 + 2 * unit
    assert any(at(left, top) for top in range(made.height - unit * len(rows)))


def test_the_bytes_are_a_raster_of_the_picture_and_a_cut() -> None:
    """Read back as a printer reads them: the dots are the picture's, the paper is cut once, at the end."""
    made = picture(SLIP, dots=576)
    data = encode(made)
    assert data.startswith(b"\x1b@")
    dots, at = b"", 2
    while data[at : at + 3] == b"\x1dv0":
        wide = int.from_bytes(data[at + 4 : at + 6], "little")
        high = int.from_bytes(data[at + 6 : at + 8], "little")
        assert wide == 72
        dots += data[at + 8 : at + 8 + wide * high]
        at += 8 + wide * high
    assert dots == bytes(255 - byte for byte in made.tobytes())
    assert data[at:].count(b"\x1dV") == 1 and len(data) - at < 20


# The printer.


def test_a_printer_that_answers_is_asked_before_and_after() -> None:
    data = encode(picture(SLIP))
    with fake_printer(answers=WELL) as well:
        sent = print_bytes(well.address, data)
    assert (sent.state, sent.fault, sent.confirmed) == ("printed", "", True)
    assert well.slips == [data + b"\x1dr\x01"]


def test_a_printer_that_never_answers_prints_all_the_same() -> None:
    data = encode(picture(SLIP))
    with fake_printer() as mute:
        sent = print_bytes(mute.address, data)
    assert (sent.state, sent.confirmed, sent.bytes_sent) == ("printed", False, len(data))
    assert mute.slips == [data]


@pytest.mark.parametrize(
    ("answers", "fault"),
    [
        ({b"\x01": 0x12, b"\x04": 0x7E}, "paper_out"),
        ({b"\x01": 0x1A, b"\x04": 0x12, b"\x02": 0x16}, "cover_open"),
        ({b"\x01": 0x1A, b"\x04": 0x12, b"\x02": 0x32}, "paper_out"),
        ({b"\x01": 0x1A, b"\x04": 0x12, b"\x02": 0x52}, "printer_error"),
        ({b"\x01": 0x1A, b"\x04": 0x12}, "offline"),
    ],
)
def test_a_printer_that_cannot_is_sent_nothing(answers: dict[bytes, int], fault: str) -> None:
    with fake_printer(answers=answers) as ill:
        sent = print_bytes(ill.address, b"slip")
    assert (sent.state, sent.fault, sent.bytes_sent) == ("failed", fault, 0)
    assert ill.slips == [b""]


def test_nobody_there_is_a_failure_and_not_a_doubt() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: refused
        assert print_bytes(f"tcp://127.0.0.1:{taken.getsockname()[1]}", b"x").fault == "unreachable"
    assert print_bytes("usb:/dev/usb/lp99", b"x").fault == "unreachable"


@pytest.mark.parametrize("answers", [{}, WELL])
def test_a_line_that_dies_in_the_middle_leaves_a_doubt(answers: dict[bytes, int]) -> None:
    data = encode(picture(SLIP)) * 20
    with fake_printer(dies_after=9000, answers=answers) as dying:
        sent = print_bytes(dying.address, data)
    assert (sent.state, sent.fault) == ("unsure", "broke_off")
    assert 0 < sent.bytes_sent <= len(data)


def test_a_printer_that_hangs_is_given_up_in_time() -> None:
    data = b"\0" * 8_000_000
    with fake_printer(hangs_after=2000) as hanging:
        began = time.monotonic()
        sent = print_bytes(hanging.address, data)
        assert time.monotonic() - began < 5
    assert (sent.state, sent.fault) == ("unsure", "broke_off")


def test_a_printer_that_answers_before_and_is_silent_after_leaves_a_doubt() -> None:
    with fake_printer(answers={b"\x01": 0x12, b"\x04": 0x12}) as printer_:
        assert print_bytes(printer_.address, b"slip").fault == "no_word"


def test_paper_that_ends_within_the_slip_leaves_a_doubt_and_says_why() -> None:
    with fake_printer(answers={**WELL, b"r": 0x0C}) as printer_:
        sent = print_bytes(printer_.address, b"slip")
    assert (sent.state, sent.fault) == ("unsure", "paper_out")


def test_a_device_file_is_written_whole(tmp_path: Path) -> None:
    """A pipe stands for /dev/usb/lp0: it is read as slowly as a printer draws."""
    import os

    path = tmp_path / "lp0"
    os.mkfifo(path)
    got: list[bytes] = []

    def drain() -> None:
        with path.open("rb") as reader:
            while more := reader.read1(2000):
                got.append(more)

    reader = threading.Thread(target=drain, daemon=True)
    reader.start()
    data = encode(picture(SLIP)) * 3
    line = printer._Device(str(path), make=False)
    assert line.send(data, time.monotonic() + 5) == len(data)
    line.close()
    reader.join(5)
    assert b"".join(got) == data


def test_bytes_for_a_spooler_are_put_one_after_the_other(tmp_path: Path) -> None:
    for _ in range(2):
        assert print_bytes(f"file:{tmp_path}/out", b"slip").state == "printed"
    assert (tmp_path / "out").read_bytes() == b"slipslip"


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("tcp://192.168.1.50", "tcp://192.168.1.50:9100"),
        (" tcp://printer.local:9101 ", "tcp://printer.local:9101"),
        ("tcp://[fe80::1]:9100", "tcp://[fe80::1]:9100"),
        ("usb:/dev/usb/lp0", "usb:/dev/usb/lp0"),
        ("none", "none"),
    ],
)
def test_addresses_are_stored_in_one_form(typed: str, stored: str) -> None:
    assert check_address(typed) == stored


@pytest.mark.parametrize(
    "typed",
    ["", "printer", "tcp://", "tcp://x:25", "tcp://x:99999", "tcp://x/y", "tcp://u@x", "usb:/etc/passwd",
     "usb:/dev/usb/lp0/../../../etc/passwd", "usb:/dev/sda", "file:/tmp/x", "http://x"],
)  # fmt: skip
def test_what_is_no_printer_cannot_be_set(typed: str) -> None:
    """No other port of the network, no other file of the machine."""
    with pytest.raises(AddressError):
        check_address(typed)


# The kiosk.


@pytest.fixture
def kiosk(write: Any, world: Any, clock: Any) -> Any:
    """`kiosk(address)` -> the path of a kiosk of Aswan whose printer is there."""

    def make(address: str, **more: Any) -> str:
        def run(session: Any) -> str:
            text = new_token(session, "kiosk", now=clock.now(), queue_id=world.queue_a)
            token = session.scalar(select(func.max(AccessToken.id)))
            session.add(
                KioskPrinter(
                    token_id=token, queue_id=world.queue_a, address=address, changed_at=clock.now(),
                    changed_by="x", **more,
                )
            )  # fmt: skip
            return text

        return f"/en/kiosk/{write(run)}"

    return make


def take(client: Any, path: str, request_id: str = "k1") -> Any:
    data = {"service": "NID-01", "request_id": request_id, "priority": "none"}
    return client.post(f"{path}/tickets", data=data, follow_redirects=True)


def job_states(db_session: Any) -> list[tuple[str, str, int]]:
    db_session.rollback()
    return [(j.state, j.fault, j.copy) for j in db_session.scalars(select(PrintJob).order_by(PrintJob.id))]


def test_a_ticket_taken_is_printed_once_however_often_the_form_is_sent(
    client: Any, kiosk: Any, db_session: Any
) -> None:
    with fake_printer(answers=WELL) as well:
        path = kiosk(well.address)
        page = take(client, path)
        assert "Take your printed ticket." in page.text
        take(client, path)
    assert len(well.slips) == 1
    assert job_states(db_session) == [("printed", "", 1)]
    assert db_session.scalar(select(func.count()).select_from(Ticket)) == 1


@pytest.mark.parametrize(
    ("answers", "words", "arabic"),
    [
        ({b"\x01": 0x12, b"\x04": 0x7E}, "The paper has run out.", "انتهى الورق"),
        ({b"\x01": 0x1A, b"\x04": 0x12, b"\x02": 0x16}, "cover is open", "غطاء الطابعة مفتوح"),
    ],
)
def test_a_failed_print_keeps_the_ticket_says_why_and_prints_again(
    client: Any, kiosk: Any, db_session: Any, answers: Any, words: str, arabic: str
) -> None:
    with fake_printer(answers=answers) as ill:
        path = kiosk(ill.address)
        page = take(client, path)
        assert "A001" in page.text and words in page.text and "could not be printed" in page.text
        assert db_session.scalar(select(Ticket.state)) == "waiting"
        assert arabic in client.get(page.request.path.replace("/en", "", 1)).text
        ill.answers.clear()
        ill.answers.update(WELL)  # somebody put paper in
        form = form_to(page.text, "/print")
        again = client.post(form.action, data=form.fields, follow_redirects=True)
        assert "Take your printed ticket." in again.text
        client.post(form.action, data=form.fields)  # the button pressed twice
        # Nothing was on paper before: this one is no copy.
        assert job_states(db_session) == [("failed", job_states(db_session)[0][1], 1), ("printed", "", 1)]
        assert len([s for s in ill.slips if s]) == 1


def test_a_slip_in_doubt_is_asked_about_and_a_second_one_is_marked(
    client: Any, kiosk: Any, db_session: Any
) -> None:
    with fake_printer(answers={b"\x01": 0x12, b"\x04": 0x12}) as silent:
        path = kiosk(silent.address)
        page = take(client, path)
        assert "Did the whole ticket come out?" in page.text
        form = form_to(page.text, "/print")
        client.post(form.action, data=form.fields)
    assert job_states(db_session) == [("unsure", "no_word", 1), ("unsure", "no_word", 2)]
    assert silent.slips[0] != silent.slips[1]  # the second says that it is a copy


def test_a_holder_prints_a_few_times_and_not_a_roll(client: Any, kiosk: Any, db_session: Any) -> None:
    path = kiosk("none")
    page = take(client, path)
    for _ in range(5):
        form = form_to(page.text, "/print")
        answer = client.post(form.action, data=form.fields, follow_redirects=True)
        page = answer if answer.status_code == 200 else page
    assert answer.status_code == 409 and "member of staff" in answer.text
    assert len(job_states(db_session)) == jobs.MOST_AT_KIOSK


def test_a_printer_that_waits_to_be_asked_prints_nothing_unasked(
    client: Any, kiosk: Any, db_session: Any
) -> None:
    page = take(client, kiosk("none", by_itself=False))
    assert job_states(db_session) == []
    form = form_to(page.text, "/print")
    client.post(form.action, data=form.fields)
    assert job_states(db_session) == [("printed", "", 1)]


def test_a_hanging_printer_does_not_keep_people_from_their_number(
    client: Any, kiosk: Any, db_session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page is there while the printer still hangs, and looks again by itself."""
    hold = threading.Event()

    def hang(address: str, data: bytes) -> Any:
        hold.wait(20)
        return printer.Sent("unsure", "broke_off", 1)

    monkeypatch.setattr(jobs, "print_bytes", hang)
    monkeypatch.setattr(jobs, "PATIENCE_S", 0.05)
    monkeypatch.setattr(jobs.run, "__kwdefaults__", {"patience": 0.05})
    path = kiosk("none")
    page = take(client, path)
    assert "being printed" in page.text and 'http-equiv="refresh"' in page.text and "A001" in page.text
    hold.set()
    for thread in threading.enumerate():
        if thread.name == "slip":
            thread.join(10)
    assert job_states(db_session) == [("unsure", "broke_off", 1)]


@pytest.mark.parametrize(
    ("moment", "state", "fault"), [("_claim", "failed", "never_sent"), ("_ready", "unsure", "no_word")]
)
def test_a_crash_between_neither_loses_a_slip_nor_prints_it_twice(
    client: Any, kiosk: Any, db_session: Any, write: Any, clock: Any, monkeypatch: pytest.MonkeyPatch,
    moment: str, state: str, fault: str,
) -> None:  # fmt: skip
    """Dead before the claim: never sent. Dead after it: perhaps on paper. Both are said, and nothing prints by
    itself later."""

    def die(*_given: Any) -> None:
        raise SystemExit("power")

    path = kiosk("none")
    with monkeypatch.context() as dying:
        dying.setattr(jobs, moment, die)
        with pytest.raises(SystemExit):
            take(client, path)
    code = db_session.scalar(select(Ticket.code))
    clock.advance(seconds=61)
    page = client.get(f"{path}/tickets/{code}").text
    assert ("Did the whole ticket come out?" if state == "unsure" else "could not be printed") in page
    assert write(lambda session: jobs.settle(session, now=clock.now())) == 1
    assert job_states(db_session) == [(state, fault, 1)]
    assert take(client, path).status_code == 200  # the form sent again after the restart
    assert job_states(db_session) == [(state, fault, 1)]


def test_two_who_send_one_job_print_it_once(app: Any, kiosk: Any, write: Any, world: Any, clock: Any) -> None:
    with fake_printer(answers=WELL) as well:
        kiosk(well.address)

        def make(session: Any) -> int:
            done = counter.issue(
                session,
                session.get_one(Queue, world.queue_a),
                "NID-01",
                request_id="t",
                actor="x",
                now=clock.now(),
            )
            found = jobs.printers_of(session, world.queue_a)[0]
            return jobs.ask(session, done.ticket, found, request_id="j", actor="x", now=clock.now()).id

        number = write(make)

        def send() -> None:
            with app.test_request_context("/"):
                jobs.run(number, patience=10)

        both = [threading.Thread(target=send) for _ in range(2)]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join(15)
    assert len(well.slips) == 1


def test_a_kiosk_without_a_printer_offers_the_browsers(
    client: Any, write: Any, world: Any, clock: Any
) -> None:
    text = write(lambda s: new_token(s, "kiosk", now=clock.now(), queue_id=world.queue_a))
    page = take(client, f"/en/kiosk/{text}").text
    assert "data-print" in page and "/print" not in page

"""The board's voice in a real browser: what is heard, in which order, and that nothing is cut off or spoken over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import expect
from sqlalchemy.orm import Session

from queueing import counter, desks, lineup
from queueing.store import Desk, Queue
from tests.browser.conftest import Live
from tests.browser.test_board_browser import board, call  # noqa: F401  (a fixture, and calls desk after desk)
from web import board_store
from web.accounts import AccessToken, new_token
from web.speech import pack, words

pytestmark = pytest.mark.browser

HEAR = """
window.heard = [];
const cut = ArrayBuffer.prototype.slice, decode = BaseAudioContext.prototype.decodeAudioData;
ArrayBuffer.prototype.slice = function (from, to) {
  const part = cut.call(this, from, to); part.cut = [this.byteLength, from]; return part; };
BaseAudioContext.prototype.decodeAudioData = function (part) {
  const from = part.cut; return decode.call(this, part).then(sound => { sound.cut = from; return sound; }); };
const play = AudioBufferSourceNode.prototype.start, ring = AudioScheduledSourceNode.prototype.start;
AudioBufferSourceNode.prototype.start = function (at) {
  window.heard.push({cut: this.buffer.cut, from: at, to: at + this.buffer.duration, called: this.context.currentTime});
  return play.call(this, at); };
AudioScheduledSourceNode.prototype.start = function (at) {
  if (this instanceof OscillatorNode) window.heard.push({from: at, to: at + 0.75, tone: this.frequency.value});
  return ring.call(this, at); };
// The sound's clock runs six times as fast, so that the test need not wait for every word.
const clock = Object.getOwnPropertyDescriptor(BaseAudioContext.prototype, 'currentTime').get;
Object.defineProperty(BaseAudioContext.prototype, 'currentTime', {get() { return 6 * clock.call(this); }});
"""


@pytest.fixture(scope="module")
def places() -> dict[tuple[int, int], str]:
    """(size of the pack, where a clip begins) -> `language:clip`."""
    if set(pack.spoken_here()) != set(words.LANGUAGES):
        pytest.skip("the spoken calls are not recorded (make setup does it)")
    found = {}
    for language in words.LANGUAGES:
        path = pack.FOLDER / f"{language}.pack"
        whole = path.stat().st_size
        clips = pack.read(path)
        at = whole - sum(len(sound) for sound in clips.values())
        for key, sound in clips.items():
            found[whole, at] = f"{language}:{key}"
            at += len(sound)
    return found


@pytest.fixture
def listen(
    open_page: Callable[..., Any], places: dict[tuple[int, int], str]
) -> Iterator[Callable[[str], tuple[Any, Callable[[], list[Any]]]]]:
    """`listen(address)` -> the page with its sound on, and a way to ask what was heard: names of clips, and "chime"."""

    def make(address: str) -> tuple[Any, Callable[[], list[Any]]]:
        page = open_page(address)
        page.add_init_script(HEAR)
        with page.expect_response("**/sounds/ar.pack*"):
            page.reload()
        page.keyboard.press("Enter")
        expect(page.locator("[data-mute]")).to_be_hidden()

        def heard() -> list[Any]:
            made = page.evaluate("window.heard")
            ends = 0.0
            names = []
            for sound in made:
                if sound.get("tone") == 660:
                    continue  # the second tone of a chime
                assert sound["from"] >= ends - 0.001, f"one sound over another: {made}"
                ends = sound["from"] + 1.03 if "tone" in sound else sound["to"]
                if "tone" not in sound:
                    assert sound["from"] >= sound["called"], "a sound that was late is cut at its beginning"
                names.append("chime" if "tone" in sound else places[tuple(sound["cut"])])
            return names

        return page, heard

    yield make


def said(language: str, label: str, desk: str) -> list[str]:
    row = words.announcement(language, label, desk)
    return [f"{language}:{clip}" for clip in row if clip != words.PAUSE]


def wait_for(page: Any, heard: Callable[[], list[Any]], count: int) -> None:
    """Until so many sounds were heard (second tones of chimes count)."""
    page.wait_for_function(
        "n => window.heard.filter(one => one.tone !== 660).length >= n", arg=count, timeout=20_000
    )


def test_calls_are_spoken_one_after_the_other_and_again(
    listen: Any,
    board: str,  # noqa: F811
    live: Live,
) -> None:
    """Two calls within a second, and one called again while they are spoken: chime, number, desk, each to its end and
    in order; the number on the screen is the one that is spoken."""
    page, heard = listen(board)
    call(live, 2)
    expect(page.locator("li .label").first).to_have_text("A006", timeout=8000)
    now = live.clock.advance(seconds=1)

    def again(session: Session) -> None:
        desk = session.get_one(Desk, live.world.desks_a[1])
        ticket = lineup.open_ticket(session, desk.id)
        assert ticket is not None and ticket.label == "A007"
        counter.recall(session, ticket, request_id="again", actor="t", now=now, desk=desk)

    wait_for(page, heard, 1 + len(said("ar", "A006", "1")) + 1)
    live.write(again)
    first = ["chime", *said("ar", "A006", "1")]
    second = ["chime", *said("ar", "A007", "2")]
    wait_for(page, heard, len(first) + 2 * len(second))
    assert heard() == [*first, *second, *second]
    expect(page.locator("li .label").first).to_have_text("A007")


def test_the_second_language_follows_the_first(
    listen: Any,
    board: str,  # noqa: F811
    live: Live,
) -> None:
    """Arabic, then English, where the board is set up so."""

    def both(session: Session) -> None:
        token = session.query(AccessToken).filter_by(kind="board").one()
        board_store.set_board(session, token.id, spoken="ar en")

    live.write(both)
    page, heard = listen(board)
    call(live)
    expected = ["chime", *said("ar", "A006", "1"), *said("en", "A006", "1")]
    wait_for(page, heard, len(expected))
    assert heard() == expected


def test_without_the_clips_it_chimes(
    open_page: Callable[..., Any],
    board: str,  # noqa: F811
    live: Live,
) -> None:
    """The file of clips does not come: the number is shown and chimed, nothing is half said."""
    page = open_page(board)
    page.add_init_script(HEAR)
    page.route("**/sounds/*", lambda route: route.abort())
    page.reload()
    page.keyboard.press("Enter")
    call(live)
    expect(page.locator("li .label").first).to_have_text("A006", timeout=8000)
    page.wait_for_function("() => window.heard.length === 2")
    assert [sound["tone"] for sound in page.evaluate("window.heard")] == [880, 660]


def test_several_queues_on_one_board(
    open_page: Callable[..., Any],
    live: Live,
    no_sideways_scroll: Callable[[Any], None],
) -> None:
    """Calls of two queues in one list, each with its queue; nothing is cut; set up anew, the screen follows."""

    def prepare(session: Session) -> str:
        for queue_id, service in ((live.world.queue_b, "NID-01"), (live.world.queue_b2, "BLD-01")):
            queue = session.get_one(Queue, queue_id)
            desk = session.query(Desk).filter_by(queue_id=queue_id).order_by(Desk.id).first()
            assert desk is not None
            desks.open_desk(session, desk, actor="t", now=live.clock.now())
            for n in range(2):
                now = live.clock.advance(seconds=1)
                made = counter.issue(
                    session, queue, service, request_id=f"s{queue_id}{n}", actor="t", now=now
                )
            counter.call_next(session, desk, request_id=f"n{queue_id}", actor="t", now=now)
            assert made is not None
        text = new_token(session, "board", now=live.clock.now(), queue_id=live.world.queue_b)
        token = session.query(AccessToken).filter_by(kind="board").one()
        board_store.set_board(session, token.id, site_id=live.world.site_b)
        return text

    token = live.write(prepare)
    for width, height in ((1920, 1080), (1366, 768)):
        page = open_page(f"/board/{token}", language="en", width=width, height=height)
        no_sideways_scroll(page)
        expect(page.locator("li:visible .label")).to_have_text(["C001", "B001"])
        expect(page.locator("li .of").first).to_have_text("Local unit")
        cut = page.evaluate(
            """() => [...document.querySelectorAll('.label,.desk,.of,.foot p,h1')].filter(e => e.offsetParent)
                .map(e => [e.getBoundingClientRect(), e.textContent])
                .filter(([r]) => r.top < -1 || r.bottom > innerHeight + 1).map(([r, t]) => t)"""
        )
        assert not cut

    def one(session: Session) -> None:
        token = session.query(AccessToken).filter_by(kind="board").one()
        board_store.set_board(session, token.id, queues=[live.world.queue_b])

    live.write(one)
    expect(page.locator("li:visible .label")).to_have_text(["B001"], timeout=8000)
    expect(page.locator("h1")).to_contain_text("Civil registry")

"""The pure parts: canonical bytes and hashes, the small form, the clock."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queueing.journal import chain
from queueing.journal.packing import Unreadable, pack, unpack
from queueing.store import to_micros
from tests.web.world import NOW, StillClock
from web.van.clock import VanClock

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
ENTRIES = st.lists(
    st.fixed_dictionaries(
        {"k": st.sampled_from(["ticket", "row"]), "h": st.integers(0, 2**52)},
        optional={"c": st.sampled_from(["aaa", "bbb", "ccc"]), "x": VALUES, "n": VALUES, "d": st.integers(1, 9)},
    ),
    max_size=12,
)  # fmt: skip


@settings(max_examples=150)
@given(ENTRIES)
def test_packing_gives_back_what_went_in(entries: list[dict[str, Any]]) -> None:
    """Columns, differences and the dictionary lose nothing: the canonical text, and so the hash, is the same."""
    back = unpack(pack({"v": 1, "entries": entries, "lost": entries[:2]}))
    assert [chain.canonical(e) for e in back["entries"]] == [chain.canonical(e) for e in entries]
    assert back["lost"] == entries[:2]


@settings(max_examples=100)
@given(ENTRIES, st.integers(1, 400), st.binary(min_size=1, max_size=3))
def test_bytes_that_were_cut_or_changed_are_unreadable_or_the_same(
    entries: list[dict[str, Any]], place: int, noise: bytes
) -> None:
    """A truncated message is never taken for a whole one; a changed one is refused by its checksum."""
    data = pack({"v": 1, "entries": entries})
    with pytest.raises(Unreadable):
        unpack(data[: min(place, len(data) - 1)])
    changed = data[:-1] + bytes([data[-1] ^ 1])
    with pytest.raises(Unreadable):
        unpack(changed)
    with pytest.raises(Unreadable):
        unpack(data + noise)


def test_a_bomb_is_refused() -> None:
    """Few bytes that inflate without end do not fill the memory."""
    import zlib

    from queueing.journal.packing import DICTIONARY

    deflate = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS, 9, zlib.Z_DEFAULT_STRATEGY, DICTIONARY)
    data = deflate.compress(b" " * 50_000_000) + deflate.flush()
    with pytest.raises(Unreadable):
        unpack(data)


def test_the_order_of_keys_does_not_matter_and_everything_else_does() -> None:
    """One canonical text a body; device, epoch, place and the hash before are all in the hash."""
    one, other = {"a": 1, "b": "ق"}, {"b": "ق", "a": 1}
    assert chain.canonical(one) == chain.canonical(other) == '{"a":1,"b":"ق"}'
    base = ("0" * 64, "dev", "ep", 1, chain.canonical(one))
    changed = [("1" * 64, *base[1:]), ("0" * 64, "dew", *base[2:]), (*base[:2], "eq", *base[3:]),
               (*base[:3], 2, base[4]), (*base[:4], chain.canonical({"a": True, "b": "ق"}))]  # fmt: skip
    assert len({chain.link(*args) for args in [base, *changed]}) == 6
    with pytest.raises(ValueError, match="fraction"):
        chain.canonical({"x": [0.1]})


def machine(system: StillClock, running: StillClock, **remembered: int) -> VanClock:
    """A clock over a machine whose own time and ticks are moved apart."""
    return VanClock(system=system.now, running=lambda: running.now().timestamp(), **remembered)


def test_setting_the_machines_clock_does_not_move_the_day() -> None:
    """Somebody sets the machine a day ahead at noon: the van's time goes on by the ticks."""
    system, ticks = StillClock(), StillClock()
    clock = machine(system, ticks)
    segment = clock.segment
    system.advance(hours=24)
    ticks.advance(minutes=5)
    assert clock.now() == NOW + timedelta(minutes=5)
    assert clock.segment == segment
    assert clock.machine_is_off


def test_a_contact_puts_it_right_and_the_next_boot_remembers() -> None:
    """A machine that is an hour slow: right after the contact, and after the next boot without one."""
    system, ticks = StillClock(NOW - timedelta(hours=1)), StillClock()
    clock = machine(system, ticks)
    first = clock.segment
    assert clock.heard(NOW, may_leap=True) == 3_600_000_000
    assert clock.now() == NOW and clock.segment != first
    again = machine(system, ticks, offset_us=clock.offset_us, last_us=to_micros(NOW))
    assert again.now() == NOW and again.why == "boot"


def test_with_people_in_the_line_it_does_not_leap() -> None:
    """Ten minutes and more wait until the line is empty; seconds are put right at once; less than five not at all."""
    system, ticks = StillClock(), StillClock()
    clock = machine(system, ticks)
    clock.heard(NOW + timedelta(hours=24), may_leap=False)
    assert clock.now() == NOW
    clock.heard(NOW + timedelta(seconds=40), may_leap=False)
    assert clock.now() == NOW + timedelta(seconds=40)
    clock.heard(NOW + timedelta(seconds=44), may_leap=True)
    assert clock.now() == NOW + timedelta(seconds=40)


def test_a_dead_battery_is_noticed() -> None:
    """The machine says 2001 after a night: time goes on from where it was last alive."""
    system = StillClock()
    system.set(NOW.replace(year=2001))
    clock = machine(system, StillClock(), last_us=to_micros(NOW))
    assert clock.why == "went_back" and clock.now() == NOW

"""What hypothesis draws: instants, priorities, tickets that wait."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from queueing.order import PRIORITIES
from queueing.ticket import LightTicket
from tests.builders import MORNING

priorities = st.sampled_from(PRIORITIES)
seconds = st.integers(0, 4 * 3600)
instants = st.datetimes(datetime(2015, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@st.composite
def waiting_tickets(draw: st.DrawFn, most: int = 12) -> list[LightTicket]:
    """Tickets of one line: numbers in any order of age, some held after a no-show, some with an age in the
    future."""
    found = []
    for number in range(draw(st.integers(0, most))):
        ticket = LightTicket(
            number,
            draw(st.integers(1, 3)),
            MORNING + timedelta(seconds=draw(seconds)),
            priority=draw(priorities),
        )
        if draw(st.booleans()) and draw(st.booleans()):
            ticket.hold_until = MORNING + timedelta(seconds=draw(seconds))
        found.append(ticket)
    return found

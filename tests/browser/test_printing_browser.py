"""A ticket on paper in a real browser: the printer fails, says why, and prints when somebody has put paper in."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tests.web.printers import WELL, fake_printer
from web.accounts import AccessToken, new_token
from web.printing.store import KioskPrinter, PrintJob

pytestmark = pytest.mark.browser


def kiosk(live: Any, address: str) -> str:
    """A kiosk of Aswan with a printer; its path."""

    def make(session: Session) -> str:
        text = new_token(session, "kiosk", now=live.clock.now(), queue_id=live.world.queue_a)
        token = session.scalar(select(func.max(AccessToken.id)))
        session.add(
            KioskPrinter(
                token_id=token,
                queue_id=live.world.queue_a,
                address=address,
                changed_at=live.clock.now(),
                changed_by="x",
            )
        )
        return text

    return f"/kiosk/{live.write(make)}"


@pytest.mark.parametrize("scripts", [True, False])
def test_no_paper_is_said_and_printed_after_paper_came(
    live: Any, open_page: Any, no_sideways_scroll: Any, scripts: bool
) -> None:
    """With and without scripts: the number stands there all the time, the slip comes out once."""
    with fake_printer(answers={b"\x01": 0x12, b"\x04": 0x7E}) as printer:
        path = kiosk(live, printer.address)
        page = open_page(f"{path}/priority?service=NID-01", scripts=scripts)
        page.locator("button[value=none]").click()
        page.wait_for_selector(".paper-failed")
        assert "انتهى الورق" in page.locator(".paper").inner_text()
        assert page.locator("h1 bdi").inner_text() == "A001"
        no_sideways_scroll(page)
        printer.answers.clear()
        printer.answers.update(WELL)
        page.get_by_role("button", name="اطبع مرة أخرى").click()
        page.wait_for_selector(".paper-printed")
    assert len([slip for slip in printer.slips if slip]) == 1
    with Session(live.app.extensions["writer"].engine) as session:
        states = list(session.scalars(select(PrintJob.state).order_by(PrintJob.id)))
    assert states == ["failed", "printed"]


def test_a_supervisor_seats_a_clerk_and_finds_it_in_the_list(live: Any, open_page: Any) -> None:
    page = open_page("/supervisor", user="supervisor", language="en", scripts=False)
    page.locator("details.seat summary").first.click()
    page.locator("details.seat select").first.select_option("clerk2")
    page.get_by_role("button", name="Seat and open").first.click()
    page.wait_for_url("**/supervisor")
    assert "clerk2" in page.locator("tbody tr").first.inner_text()
    page.get_by_role("link", name="Who did what").click()
    row = page.locator("table.audit tbody tr").first.inner_text()
    assert "desk opened" in row and "for clerk2" in row

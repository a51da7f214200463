"""Every page of the application, and a world in which each of them has something to show.

`SCREENS` names pages by the endpoint that answers; what answers GET and is no page stands in `NO_SCREENS` with the
reason. `furnish` makes the world once; tests and the gallery work on copies of it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import planner as plans
from fleet.calendar import local_instant
from fleet.planning.blobs import decode
from fleet.store import Plan, PlanVisit, Site, Visit
from queueing import counter, paper
from queueing.appointments import book
from queueing.calling import call_next
from queueing.counter import issue
from queueing.desks import open_desk
from queueing.following import follow
from queueing.store import Desk, Queue, Ticket
from queueing.store_life import SlotRule
from routing.problem import Problem
from routing.solve import solve
from tests.web import world as cast
from tests.web.past import a_quarter, add_visit
from tests.web.planned import WEEK, copy_planned
from tests.web.repairing_cast import before_it_opens, first_visit, make_published
from web import solving
from web.accounts import find_token, new_token
from web.app import create_app
from web.board_store import set_board
from web.figures import renew

WIDTHS = (320, 768, 1366)
LANGUAGES = ("ar", "en")


@dataclass(frozen=True, slots=True)
class Screen:
    """A page: its name, the endpoint that answers, its address (with places for what `furnish` found), who opens it."""

    name: str
    endpoint: str
    path: str
    user: str | None = None
    cut: str = ""
    """Addresses that do not answer while it is looked at."""

    def __str__(self) -> str:
        return self.name


def _planner(name: str, endpoint: str, path: str) -> Screen:
    return Screen(name, f"planner.{endpoint}", f"/planner{path}", "planner")


SCREENS: tuple[Screen, ...] = (
    # Citizens
    Screen("home", "citizen.home", "/"),
    Screen("results", "citizen.home", "/?near=24.09,32.90"),
    Screen("nothing-found", "citizen.home", "/?q=zzzzzz"),
    Screen("governorate", "citizen.home", "/?gov=1"),
    Screen("visit", "citizen.visit", "/visits/{visit}"),
    Screen("visit-to-come", "citizen.visit", "/visits/{coming}"),
    Screen("visit-cancelled", "citizen.visit", "/visits/{cancelled}"),
    Screen("center", "citizen.center", "/centers/{site}"),
    Screen("take", "citizen.take", "/queues/{queue}/take"),
    Screen("several", "citizen.several", "/centers/{complex}/several"),
    Screen("book", "citizen.book", "/queues/{queue}/book"),
    Screen("ticket", "citizen.ticket", "/tickets/{ticket}"),
    Screen("ticket-served", "citizen.ticket", "/tickets/{served}"),
    Screen("leave", "citizen.leave", "/tickets/{ticket}/leave"),
    Screen("move", "citizen.move", "/tickets/{booked}/move"),
    Screen("follow", "citizen.follower", "/f/{follower}"),
    Screen("village", "citizen.place", "/places/{village}"),
    Screen("van", "citizen.van", "/vans/{center}"),
    Screen("map", "citizen.map_page", "/map"),
    Screen("offline", "citizen.offline", "/offline"),
    Screen("figures", "figures.page", "/figures"),
    Screen("figures-governorate", "figures.page", "/figures?governorate=EG-ASN"),
    Screen("missing", "", "/no-such-page"),
    # Kiosk and board
    Screen("kiosk", "kiosk.start", "/kiosk/{kiosk}"),
    Screen("kiosk-priority", "kiosk.priority", "/kiosk/{kiosk}/priority?service=NID-01"),
    Screen("kiosk-ticket", "kiosk.ticket", "/kiosk/{kiosk}/tickets/{ticket}"),
    Screen("kiosk-appointments", "kiosk.appointments", "/kiosk/{kiosk}/appointments"),
    Screen("kiosk-rating", "kiosk.rate_which", "/kiosk/{kiosk}/rating"),
    Screen("kiosk-rate", "kiosk.rate", "/kiosk/{kiosk}/rating/{served}"),
    Screen("board", "board.show", "/board/{board}"),
    Screen("board-of-several", "board.show", "/board/{hall}"),
    # Staff
    Screen("login", "auth.login", "/login"),
    Screen("desk", "clerk.desk", "/desk", "clerk"),
    Screen("choose-desk", "clerk.desk", "/desk", "clerk2"),
    Screen("alone", "clerk.shell", "/desk/alone", "clerk", cut="**/contact*"),
    Screen("unsent", "clerk.unsent", "/desk/unsent", "clerk"),
    Screen("paper", "clerk.paper_home", "/desk/paper", "clerk"),
    Screen("paper-bookings", "clerk.paper_bookings", "/desk/paper/bookings/{queue}/2026-11-23", "clerk"),
    Screen("paper-strip", "clerk.print_strip", "/desk/paper/strips/{strip}", "clerk"),
    Screen("paper-entry", "clerk.paper_entry", "/desk/paper/strips/{strip}/entry", "clerk"),
    Screen("supervisor", "clerk.supervisor", "/supervisor", "supervisor"),
    Screen("day", "clerk.supervisor_day", "/supervisor/day", "supervisor"),
    Screen("trail", "clerk.supervisor_tickets", "/supervisor/tickets?label=A001", "supervisor"),
    Screen("audit", "clerk.supervisor_audit", "/supervisor/audit?all=1", "supervisor"),
    Screen("setup", "clerk.supervisor_setup", "/supervisor/setup", "supervisor"),
    Screen("place", "clerk.supervisor_place", "/supervisor/place", "supervisor"),
    Screen("change", "clerk.manage_queue", "/supervisor/queues/{queue}/change", "supervisor"),
    Screen(
        "appointments", "clerk.appointments_page", "/supervisor/queues/{queue}/appointments", "supervisor"
    ),
    Screen("hands", "clerk.desk_hands", "/desk/hands", "supervisor"),
    Screen("agency", "clerk.agency", "/agency", "agency"),
    # Planners
    _planner("week", "home", ""),
    _planner("week-draft", "home", "?plan={draft}"),
    _planner("day-board", "day", "/plans/{plan}/day"),
    _planner("draft", "draft", "/plans/{draft}"),
    _planner("compare", "compare", "/plans/{draft}/compare"),
    _planner("publish", "confirm", "/plans/{draft}/publish"),
    _planner("outlook", "outlook", "/plans/{plan}/outlook"),
    _planner("fairness", "fairness", "/plans/{plan}/fairness"),
    _planner("unserved", "unserved", "/plans/{draft}/unserved"),
    _planner("add", "add", "/plans/{draft}/add?site={unserved}"),
    _planner("whatif", "whatif", "/plans/{draft}/whatif"),
    _planner("why-none", "why_none", "/plans/{draft}/places/{unserved}"),
    _planner("plan-visit", "visit", "/visits/{plan_visit}"),
    _planner("why-visit", "why_visit", "/visits/{plan_visit}/why"),
    _planner("cancel", "cancel", "/announced/{coming}/cancel"),
    _planner("site", "site", "/sites/{site}"),
    _planner("congestion", "congestion", "/congestion"),
    _planner("forecast", "forecast", "/forecast"),
    _planner("events", "events", "/events"),
    _planner("live", "live", "/live"),
    _planner("warnings", "warnings", "/warnings"),
    _planner("nights", "nights", "/nights"),
    _planner("laptops", "vans", "/vans"),
    _planner("repairs", "repairs", "/repairs"),
    _planner("repair-report", "report", "/repair?kind=center_out"),
    _planner("repair", "repair", "/repairs/{repair}"),
    _planner("scenarios", "scenarios", "/scenarios"),
    _planner("scenario", "scenario", "/scenarios/{scenario}"),
    _planner("scenario-week", "scenario_week", "/scenarios/{scenario}/week"),
    _planner("scenario-over", "confirm_take_over", "/scenarios/{scenario}/take-over"),
    _planner("compare-plans", "compare_plans", "/compare?plan={plan}&plan={draft}"),
)
NO_SCREENS = {
    "static": "files",
    "citizen.short": "leads to the visit",
    "citizen.manifest": "a file",
    "citizen.worker": "a script",
    "citizen.map_base": "the map's layers",
    "citizen.map_points": "the map's points",
    "citizen.map_tiles": "the map's tiles",
    "planner.week_pdf": "a file",
    "planner.week_xlsx": "a file",
    "citizen.visit_status": "a section of the visit's page",
    "citizen.center_status": "a section of the center's page",
    "citizen.ticket_part": "a section of the ticket's page",
    "kiosk.alive": "a sign of life",
    "board.now_part": "a section of the board",
    "clerk.hello": "the contact of a tablet: JSON",
    "clerk.worker": "a script",
    "clerk.words_script": "a script",
    "clerk.desk_part": "a section of the desk",
    "clerk.supervisor_part": "a section of the supervisor's page",
    "clerk.supervisor_audit_csv": "a file",
    "figures.table": "a file",
    "planner.rows": "a section of the week",
    "planner.totals": "a section of the week",
    "planner.try_move": "a section of a form",
    "planner.progress": "a section of the draft's page",
    "planner.congestion_part": "a section of the congestion page",
    "planner.live_list": "a section of the live page",
    "planner.positions": "JSON of the map",
    "planner.site_levels": "JSON of the map",
    "planner.warnings_open": "a section of the warnings' page",
    "planner.warnings_tray": "a section of other pages",
    "planner.scenario_answer": "a section of the scenario's page",
    "planner.repair_part": "a section of the repair's page",
    "planner.problem_file": "a file",
    "planner.plan_file": "a file",
    "planner.scenario_problem": "a file",
    "planner.scenario_plan": "a file",
    "planner.scenario_changes": "a file",
    "planner.compare_csv": "a file",
    "planner.compare_json": "a file",
}
NO_SCREENS_OF = {
    "api": "JSON",
    "feeds": "calendar files",
    "health": "for machines",
    "van_sync": "the sync of vans' laptops: packed data",
}
"""Whole blueprints without pages. (A laptop's own page is in no application but a laptop's: test_van_browser.py.)"""


def furnish(folder: Path) -> tuple[Path, cast.World, dict[str, str]]:
    """Make the world in `folder`: its database, the cast, and what the addresses of `SCREENS` name."""
    template, world = cast.make_template(folder)
    published = make_published(template, folder)
    target = folder / "furnished.db"
    copy_planned(published, target)
    clock = cast.StillClock()
    app = create_app(cast.settings_for(folder, "furnished.db"), time_source=clock)
    app.config["WTF_CSRF_ENABLED"] = False
    writer = app.extensions["writer"]
    planner = app.test_client()
    cast.sign_in(planner, "planner")
    with app.app_context():
        found = writer(lambda session: _people(session, world, clock))
        draft = solving.new_draft(WEEK, seconds=5, seed=1, actor="planner")
        assert solving.solve_now(draft) == "draft"
    # Each request in a context of its own, as in the server: it sees what other processes have written.
    made = planner.post("/planner/scenarios", data={"plan": draft, "name": "Longer days"})
    scenario = int(made.location.rpartition("/")[2])
    writer(lambda session: _solve_scenario(session, scenario))
    found |= {"draft": str(draft), "scenario": str(scenario)}
    with Session(writer.engine) as session:
        found |= _plans(session, draft)
        broken = first_visit(session)
    clock.set(before_it_opens(broken))
    found["repair"] = _repair(planner, broken)
    clock.set(cast.NOW)
    with app.app_context():
        renew(cast.NOW, play=False)
    app.extensions["relay"].stop()
    writer.engine.dispose()
    return target, world, found


def _people(session: Session, world: cast.World, clock: cast.StillClock) -> dict[str, str]:
    """Tickets in their states, tokens, a strip of paper, ten weeks that are over."""
    now = clock.now()
    queue = session.get_one(Queue, world.queue_a)
    code = next(iter(world.services))
    tickets: list[Ticket] = [
        issue(session, queue, code, request_id=f"screen-{n}", actor="test", now=now).ticket for n in range(4)
    ]
    desk = session.get_one(Desk, world.desks_a[0])
    open_desk(session, desk, actor="clerk", operator="clerk", now=now)

    def press(verb: Any, name: str) -> None:
        verb(session, tickets[0], desk=desk, request_id=name, actor="clerk", now=clock.now())

    call_next(session, desk, request_id="call", actor="clerk", now=clock.now())
    press(counter.start, "start")
    press(counter.finish, "finish")
    call_next(session, desk, request_id="again", actor="clerk", now=clock.now())
    session.add(
        SlotRule(queue_id=queue.id, weekday=0, begin_minute=540, end_minute=780, slot_minutes=30, capacity=3)
    )
    session.flush()
    tomorrow = cast.TODAY + timedelta(days=1)
    booked = book(
        session, queue, code, at=local_instant(tomorrow, 600), request_id="book", actor="citizen", now=now
    ).ticket
    off = add_visit(
        session, world.center_b, world.village_b, cast.TODAY + timedelta(days=2), status="cancelled"
    )
    off.reason_ar, off.reason_en = "الطريق مغلق بسبب السيول.", "The road is closed by a flood."
    strip = paper.reserve(session, queue, cast.TODAY, 20, request_id="strip", actor="clerk", now=now)
    a_quarter(
        session, [world.queue_a, world.queue_b], next(iter(world.services.values())),
        [(world.center_a, world.village_a), (world.center_b, world.village_b)], cast.TODAY,
    )  # fmt: skip
    follow(
        session,
        f"site:{world.village_a}",
        channel="sms",
        address="+201001234567",
        code="follow-code",
        now=now,
    )
    return {
        "follower": "follow-code",
        "village": str(world.village_a),
        "center": str(world.center_a),
        "ticket": tickets[3].code,
        "served": tickets[0].code,
        "booked": booked.code,
        "cancelled": str(off.id),
        "strip": str(strip.id),
        "queue": str(world.queue_a),
        "visit": str(world.visit_a),
        "coming": str(world.visit_b),
        "site": str(world.site_a),
        "complex": str(world.site_b),
        "kiosk": new_token(session, "kiosk", now=now, queue_id=world.queue_a),
        "board": new_token(session, "board", now=now, queue_id=world.queue_a),
        "hall": _hall(session, world),
    }


def _hall(session: Session, world: cast.World) -> str:
    """A board of both queues of the complex."""
    text = new_token(session, "board", now=cast.NOW, queue_id=world.queue_b)
    made = find_token(session, text, ("board",))
    assert made is not None
    set_board(session, made.id, site_id=world.site_b)
    return text


def _solve_scenario(session: Session, number: int) -> None:
    plan = session.get_one(Plan, number)
    plans.reserve_scenario(session, plan, seconds=2, seed=1)
    plans.fill_draft(session, plan, plans.prepare(session, plan, now=cast.NOW))
    answer = solve(Problem.from_json(decode(plan.problem).raw), iterations=3, seed=1, threads=1)
    plans.accept_solution(session, plan, answer.to_json(), now=cast.NOW)


def _plans(session: Session, draft: int) -> dict[str, str]:
    """The published plan, a visit of the draft, and a place that it does not visit."""
    published = session.scalars(select(Plan.id).where(Plan.status == "published")).one()
    visit = session.scalars(select(PlanVisit).where(PlanVisit.plan_id == draft).order_by(PlanVisit.id)).all()[
        0
    ]
    visited = select(PlanVisit.site_id).where(PlanVisit.plan_id == draft)
    without = session.scalars(
        select(Site.id).where(Site.active, Site.id.not_in(visited)).order_by(Site.id)
    ).first()
    return {"plan": str(published), "plan_visit": str(visit.id), "unserved": str(without or visit.site_id)}


def _repair(planner: Any, broken: Visit) -> str:
    """The center of a visit breaks down: its proposals, as the page finds them."""
    form = {"kind": "center_out", "center": broken.center_id, "until": broken.day.isoformat()}
    number = str(planner.post("/en/planner/repair", data=form).location.rpartition("/")[2])
    deadline = time.monotonic() + 60
    while "Looking for ways" in planner.get(f"/en/planner/repairs/{number}/part").get_data(as_text=True):
        assert time.monotonic() < deadline, "no proposals came"
        time.sleep(0.2)
    return number

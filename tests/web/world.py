"""The fixed cast of the web tests: a small network, people with known passwords, a still clock.

Two governorates, six sites, five queues with desks, two mobile centers with one visit each. It is Sunday
22 November 2026, 10:00 in Cairo. Fixed queues and the van's queue of today are open; nobody sits
at a desk yet.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.names import search_key
from fleet.store import Center, Crew, Governorate, LocalUnit, Site, SiteQueue, Visit
from queueing.store import Base, Desk, Queue, QueueService, Service
from web.accounts import Account, add_account
from web.app import create_app
from web.settings import Settings

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
"""10:00 in Cairo on a Sunday."""
TODAY = date(2026, 11, 22)
PASSWORD = "correct horse 7"
SERVICES = ("NID-01", "BIR-01", "FAM-01", "BLD-01")
"""Identity card, birth certificate, family record (civil registry), building statement (local unit)."""


class StillClock:
    """A clock that stands still until a test moves it."""

    def __init__(self, instant: datetime = NOW) -> None:
        self._now = instant

    def now(self) -> datetime:
        """The instant it stands at, UTC."""
        return self._now

    def advance(self, *, seconds: float = 0, minutes: float = 0, hours: float = 0) -> datetime:
        """Move forward; returns the new instant."""
        self._now += timedelta(seconds=seconds, minutes=minutes, hours=hours)
        return self._now

    def set(self, instant: datetime) -> None:
        """Move to `instant` (aware)."""
        self._now = instant.astimezone(UTC)


@dataclass(frozen=True)
class World:
    """Ids of what `build` made. `_a` lies in Aswan, `_b` in Cairo."""

    governorate_a: int
    governorate_b: int
    site_a: int
    """Fixed center in Aswan city, one queue, three desks: `clerk`, `clerk2`, `supervisor`."""
    site_b: int
    """Service complex in Nasr City, two queues of two desks: `other_clerk`, `other_supervisor`."""
    village_a: int
    village_a2: int
    village_b: int
    queue_a: int
    queue_b: int
    queue_b2: int
    desks_a: tuple[int, int, int]
    desks_b: tuple[int, int]
    center_a: int
    """MC-ASN-01: visits village_a today 09:00 to 14:00, open; `van_clerk` works in it."""
    center_b: int
    """MC-C-01: visits village_b tomorrow 09:30 to 13:30, announced."""
    visit_a: int
    visit_b: int
    queue_visit_a: int
    queue_visit_b: int
    desks_visit_a: tuple[int, int]
    services: dict[str, int]


ACCOUNTS = (
    "planner",
    "supervisor",
    "clerk",
    "clerk2",
    "other_clerk",
    "other_supervisor",
    "van_clerk",
    "van_supervisor",
    "agency",
)


def build(session: Session, *, now: datetime = NOW) -> World:
    """Put the cast into an empty database."""
    aswan = Governorate(
        iso="EG-ASN", name_ar="أسوان", name_en="Aswan", capital_ar="أسوان", capital_en="Aswan",
        region_ar="الصعيد", region_en="Upper Egypt", lat=24.09, lon=32.90, population=1_600_000,
    )  # fmt: skip
    cairo = Governorate(
        iso="EG-C", name_ar="القاهرة", name_en="Cairo", capital_ar="القاهرة", capital_en="Cairo",
        region_ar="القاهرة الكبرى", region_en="Greater Cairo", lat=30.06, lon=31.25, population=10_200_000,
    )  # fmt: skip
    session.add_all([aswan, cairo])
    session.flush()
    units = {
        key: LocalUnit(
            code=code, governorate_id=governorate.id, kind=kind, name_ar=ar, name_en=en, lat=lat, lon=lon,
            population=people, population_method="synthetic", source="test",
        )
        for key, code, governorate, kind, ar, en, lat, lon, people in (
            ("a", "U-ASN", aswan, "city", "مدينة أسوان", "Aswan City", 24.09, 32.90, 350_000),
            ("kom", "U-KOM", aswan, "markaz", "كوم أمبو", "Kom Ombo", 24.47, 32.95, 300_000),
            ("b", "U-NSR", cairo, "qism", "مدينة نصر", "Nasr City", 30.06, 31.33, 700_000),
        )
    }  # fmt: skip
    session.add_all(units.values())
    session.flush()

    def site(
        code: str, kind: str, unit: LocalUnit, ar: str, en: str, lat: float, lon: float, people: int
    ) -> Site:
        made = Site(
            code=code, kind=kind, governorate_id=unit.governorate_id, local_unit_id=unit.id, name_ar=ar,
            name_en=en, landmark_ar="بجوار المدرسة", landmark_en="Beside the school",
            search_key=search_key(ar, en), lat=lat, lon=lon, population=people, synthetic=True, source="test",
        )  # fmt: skip
        session.add(made)
        session.flush()
        return made

    fixed_a = site(
        "F-ASN-01",
        "fixed",
        units["a"],
        "المركز التكنولوجي بأسوان",
        "Aswan technology center",
        24.0889,
        32.8998,
        350_000,
    )
    fixed_b = site(
        "X-NSR-01",
        "complex",
        units["b"],
        "مجمع خدمات مدينة نصر",
        "Nasr City complex",
        30.0600,
        31.3300,
        700_000,
    )
    depot = site(
        "F-KOM-01",
        "fixed",
        units["kom"],
        "المركز التكنولوجي بكوم أمبو",
        "Kom Ombo technology center",
        24.4700,
        32.9500,
        90_000,
    )
    village_a = site(
        "V-ASN-01", "village", units["kom"], "قرية الرغامة", "El Raghama", 24.5000, 32.9200, 21_000
    )
    village_a2 = site("V-ASN-02", "village", units["kom"], "قرية أقليت", "Iqlit", 24.4000, 32.9300, 15_000)
    village_b = site(
        "V-C-01", "village", units["b"], "عزبة الهجانة", "Ezbet El Haggana", 30.0700, 31.3800, 40_000
    )
    for village, center in ((village_a, depot), (village_a2, depot), (village_b, fixed_b)):
        village.nearest_fixed_id, village.nearest_fixed_km = center.id, 6.0

    services: dict[str, int] = {}
    for code, group, agency, ar, en in (
        ("NID-01", "civil", "CSO", "بطاقة الرقم القومي", "National identity card"),
        ("BIR-01", "civil", "CSO", "شهادة ميلاد", "Birth certificate"),
        ("FAM-01", "civil", "CSO", "قيد عائلي", "Family record"),
        ("BLD-01", "building", "LU", "بيان صلاحية الموقع للبناء", "Site validity statement"),
    ):
        service = Service(
            code=code, group_code=group, name_ar=ar, name_en=en, agency_code=agency,
            agency_ar="الأحوال المدنية" if agency == "CSO" else "الوحدة المحلية",
            agency_en="Civil registry" if agency == "CSO" else "Local unit",
            minutes_low=4, minutes_mode=6, minutes_high=12, documents_ar="أصل بطاقة الرقم القومي",
            documents_en="National identity card (original)", at_mobile=True, popularity=1.0,
        )  # fmt: skip
        session.add(service)
        session.flush()
        services[code] = service.id

    def queue(
        ar: str, en: str, letter: str, codes: tuple[str, ...], desks: int, state: str = "open"
    ) -> tuple[int, list[int]]:
        made = Queue(name_ar=ar, name_en=en, letter=letter, state=state)
        session.add(made)
        session.flush()
        session.add_all(QueueService(queue_id=made.id, service_id=services[c]) for c in codes)
        rows = [Desk(queue_id=made.id, name=str(n + 1), state="closed") for n in range(desks)]
        session.add_all(rows)
        session.flush()
        return made.id, [row.id for row in rows]

    queue_a, desks_a = queue("المركز التكنولوجي بأسوان", "Aswan technology center", "A", SERVICES, 3)
    queue_b, desks_b = queue("الأحوال المدنية", "Civil registry", "B", SERVICES[:3], 2)
    queue_b2, _desks = queue("الوحدة المحلية", "Local unit", "C", ("BLD-01",), 2)
    queue_depot, _desks = queue("المركز التكنولوجي بكوم أمبو", "Kom Ombo technology center", "A", SERVICES, 2)
    for queue_id, place in (
        (queue_a, fixed_a),
        (queue_b, fixed_b),
        (queue_b2, fixed_b),
        (queue_depot, depot),
    ):
        session.add(SiteQueue(queue_id=queue_id, site_id=place.id))

    def center(code: str, governorate: Governorate, ar: str, en: str, lat: float, lon: float) -> Center:
        made = Center(
            code=code, name_ar=ar, name_en=en, governorate_id=governorate.id, depot_name_ar="مقر المحافظة",
            depot_name_en="Governorate depot", depot_lat=lat, depot_lon=lon, klass="small", desks=2,
            equipment={"power": True, "link": True, "printer": True, "step_free": True}, lat=lat, lon=lon,
        )  # fmt: skip
        session.add(made)
        session.flush()
        session.add(Crew(center_id=made.id, name_ar="طاقم ١", name_en="Crew 1"))
        return made

    center_a = center("MC-ASN-01", aswan, "مركز أسوان المتنقل 1", "Aswan mobile center 1", 24.09, 32.90)
    center_b = center("MC-C-01", cairo, "مركز القاهرة المتنقل 1", "Cairo mobile center 1", 30.06, 31.25)
    queue_visit_a, desks_visit_a = queue("زيارة قرية الرغامة", "Visit to El Raghama", "M", SERVICES[:3], 2)
    queue_visit_b, _desks = queue(
        "زيارة عزبة الهجانة", "Visit to Ezbet El Haggana", "M", SERVICES[:3], 2, "closed"
    )
    visit_a = Visit(
        center_id=center_a.id, site_id=village_a.id, queue_id=queue_visit_a, day=TODAY,
        opens_at=now.replace(hour=7, minute=0), closes_at=now.replace(hour=12, minute=0),
        depart_at=now.replace(hour=6, minute=0), status="open", opened_at=now.replace(hour=7, minute=0),
        hours_saved=120.0,
    )  # fmt: skip
    tomorrow = now + timedelta(days=1)
    visit_b = Visit(
        center_id=center_b.id, site_id=village_b.id, queue_id=queue_visit_b, day=TODAY + timedelta(days=1),
        opens_at=tomorrow.replace(hour=7, minute=30), closes_at=tomorrow.replace(hour=11, minute=30),
        status="announced", hours_saved=80.0,
    )  # fmt: skip
    center_a.state = "open"
    session.add_all([visit_a, visit_b])
    session.flush()

    for name in ACCOUNTS:
        role = next(r for r in ("planner", "supervisor", "clerk", "agency") if name.rstrip("2").endswith(r))
        place: dict[str, Any] = {}
        if role == "agency":
            place["agency_code"] = "CSO"
        elif name.startswith("van_"):
            place["center_id"] = center_a.id
        elif role != "planner":
            place["site_id"] = fixed_b.id if name.startswith("other_") else fixed_a.id
        add_account(session, name, PASSWORD, role, now=now, **place)
    return World(
        governorate_a=aswan.id, governorate_b=cairo.id, site_a=fixed_a.id, site_b=fixed_b.id,
        village_a=village_a.id, village_a2=village_a2.id, village_b=village_b.id, queue_a=queue_a,
        queue_b=queue_b, queue_b2=queue_b2, desks_a=(desks_a[0], desks_a[1], desks_a[2]),
        desks_b=(desks_b[0], desks_b[1]), center_a=center_a.id, center_b=center_b.id, visit_a=visit_a.id,
        visit_b=visit_b.id, queue_visit_a=queue_visit_a, queue_visit_b=queue_visit_b,
        desks_visit_a=(desks_visit_a[0], desks_visit_a[1]), services=services,
    )  # fmt: skip


def settings_for(folder: Path, name: str = "test.db") -> Settings:
    """Settings of a test application over a SQLite file in `folder`."""
    return Settings(
        data_dir=folder,
        database_url=f"sqlite:///{folder / name}",
        redis_url=None,
        secret_key="only for tests",
        port=0,
        demo=False,
        demo_speed=0.0,
        demo_password=None,
        testing=True,
        scheduler=False,
    )


def make_template(folder: Path) -> tuple[Path, World]:
    """A database file with the cast in it, to be copied for each test (argon2 and the schema cost once)."""
    app = create_app(settings_for(folder, "template.db"), time_source=StillClock())
    writer = app.extensions["writer"]
    Base.metadata.create_all(writer.engine)
    with app.app_context():
        world = writer(build)
    writer.engine.dispose()
    return folder / "template.db", world


def copy_database(template: Path, target: Path) -> None:
    """Copy a SQLite database whole, write-ahead log included."""
    with sqlite3.connect(template) as source, sqlite3.connect(target) as copy:
        source.backup(copy)
    source.close()
    copy.close()


def sign_in(client: Any, name: str) -> None:
    """Give a Flask test client the session of account `name`, without the cost of the password."""
    app = client.application
    with Session(app.extensions["writer"].engine) as session:
        identity = session.scalars(select(Account).where(Account.name == name)).one().get_id()
    with client.session_transaction() as cookie:
        cookie["_user_id"] = identity
        cookie["_fresh"] = True


@dataclass
class Form:
    """A form as a browser without JavaScript would send it."""

    action: str
    method: str
    fields: dict[str, str]
    buttons: list[tuple[str, str]]
    """(name, value) of each submit button, in order."""
    addresses: list[str] = field(default_factory=list)
    """Where buttons with an address of their own (`formaction`) send the form."""
    text: str = ""


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Form] = []
        self._open: Form | None = None
        self._select: str | None = None
        self._area: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        a = {k: v or "" for k, v in attrs}
        if tag == "form":
            self._open = Form(a.get("action", ""), a.get("method", "get").lower(), {}, [])
            self.found.append(self._open)
        if self._open is None:
            return
        name = a.get("name", "")
        if tag == "input" and name and "disabled" not in a:
            if a.get("type") in ("checkbox", "radio") and "checked" not in a:
                return
            self._open.fields[name] = a.get("value", "")
        elif tag == "button" and a.get("type", "submit") == "submit":
            self._open.buttons.append((name, a.get("value", "")))
            if a.get("formaction"):
                self._open.addresses.append(a["formaction"])
        elif tag == "select" and name:
            self._select = name
        elif tag == "option" and self._select:
            if "selected" in a or self._select not in self._open.fields:
                self._open.fields[self._select] = a.get("value", "")
        elif tag == "textarea" and name:
            self._area = name
            self._open.fields[name] = ""

    def handle_data(self, data: str) -> None:
        if self._open is not None:
            self._open.text += data
            if self._area:
                self._open.fields[self._area] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
        elif tag == "select":
            self._select = None
        elif tag == "textarea":
            self._area = None


def forms(html: str) -> list[Form]:
    """Every form of a page, with the values it would send."""
    parser = _Forms()
    parser.feed(html)
    return parser.found


def form_to(html: str, ending: str) -> Form:
    """The first form whose action ends with `ending`. Raises AssertionError that lists the actions."""
    found = forms(html)
    for form in found:
        if form.action.split("?")[0].endswith(ending):
            return form
    raise AssertionError(f"no form posts to ...{ending}; the page has {[f.action for f in found]}")

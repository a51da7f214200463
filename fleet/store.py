"""Tables of the network and its plans. Coordinates are WGS 84 degrees; `minute` columns count from local midnight."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from queueing.store import Base, BigId, Queue


class Governorate(Base):
    """One of Egypt's governorates, by ISO 3166-2 code."""

    __tablename__ = "governorate"

    id: Mapped[int] = mapped_column(primary_key=True)
    iso: Mapped[str] = mapped_column(String(8), unique=True)
    name_ar: Mapped[str] = mapped_column(String(80))
    name_en: Mapped[str] = mapped_column(String(80))
    capital_ar: Mapped[str] = mapped_column(String(80))
    capital_en: Mapped[str] = mapped_column(String(80))
    region_ar: Mapped[str] = mapped_column(String(80), default="")
    region_en: Mapped[str] = mapped_column(String(80), default="")
    lat: Mapped[float] = mapped_column(Float)
    lon: Mapped[float] = mapped_column(Float)
    population: Mapped[int] = mapped_column(Integer)


class LocalUnit(Base):
    """A markaz, qism, city or new city: the level below the governorate. In the built-in network, a town."""

    __tablename__ = "local_unit"

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(40), unique=True)
    governorate_id: Mapped[int] = mapped_column(ForeignKey("governorate.id"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    """markaz | qism | city | new_city | town."""
    name_ar: Mapped[str] = mapped_column(String(120))
    name_en: Mapped[str] = mapped_column(String(120))
    lat: Mapped[float] = mapped_column(Float)
    lon: Mapped[float] = mapped_column(Float)
    population: Mapped[int] = mapped_column(Integer)
    population_method: Mapped[str] = mapped_column(String(60), default="")
    """How the population came about (census, modelled, synthetic ...): shown with every figure."""
    source: Mapped[str] = mapped_column(String(80), default="")
    max_weeks_unvisited: Mapped[int] = mapped_column(Integer, default=4)
    """Its limit: nobody waits longer than this many weeks for a visit without a reason that is shown."""
    promised_from: Mapped[date | None] = mapped_column(Date)
    promised_until: Mapped[date | None] = mapped_column(Date)
    """A planner's word that it is visited between these days; both empty: none (fleet/planning/promises.py)."""

    governorate: Mapped[Governorate] = relationship()


class Site(Base):
    """A place where a center stands (fixed, complex) or can stop (any): the candidates of a plan."""

    __tablename__ = "site"

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(40), unique=True)
    kind: Mapped[str] = mapped_column(String(12), index=True)
    """fixed | complex | village."""
    governorate_id: Mapped[int] = mapped_column(ForeignKey("governorate.id"), index=True)
    local_unit_id: Mapped[int] = mapped_column(ForeignKey("local_unit.id"), index=True)
    name_ar: Mapped[str] = mapped_column(String(160))
    name_en: Mapped[str] = mapped_column(String(160))
    landmark_ar: Mapped[str] = mapped_column(String(160), default="")
    landmark_en: Mapped[str] = mapped_column(String(160), default="")
    search_key: Mapped[str] = mapped_column(String(400), default="", index=True)
    """Names in both scripts, folded (fleet/names.py), so that a typed place is found whatever its spelling."""
    lat: Mapped[float] = mapped_column(Float)
    lon: Mapped[float] = mapped_column(Float)
    population: Mapped[int] = mapped_column(Integer)
    """People for whom this is the nearest place: a village's inhabitants, a fixed center's catchment."""
    nearest_fixed_id: Mapped[int | None] = mapped_column(ForeignKey("site.id"))
    nearest_fixed_km: Mapped[float | None] = mapped_column(Float)
    synthetic: Mapped[bool] = mapped_column(Boolean, default=False)
    source: Mapped[str] = mapped_column(String(80), default="")
    step_free: Mapped[bool] = mapped_column(Boolean, default=True)
    open_minute: Mapped[int] = mapped_column(SmallInteger, default=510)
    close_minute: Mapped[int] = mapped_column(SmallInteger, default=900)
    active: Mapped[bool] = mapped_column(Boolean, default=True)

    governorate: Mapped[Governorate] = relationship()
    local_unit: Mapped[LocalUnit] = relationship()
    queues: Mapped[list[Queue]] = relationship(secondary="site_queue", viewonly=True)


class SiteQueue(Base):
    """The queues of a fixed center or complex (a complex has one per agency)."""

    __tablename__ = "site_queue"

    queue_id: Mapped[int] = mapped_column(ForeignKey("queue.id", ondelete="CASCADE"), primary_key=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"), index=True)


class Center(Base):
    """A mobile center: a van with desks, a crew, a home depot and a shift."""

    __tablename__ = "center"

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(24), unique=True)
    """Such as MC-19-02: second mobile center of governorate 19."""
    name_ar: Mapped[str] = mapped_column(String(120))
    name_en: Mapped[str] = mapped_column(String(120))
    governorate_id: Mapped[int] = mapped_column(ForeignKey("governorate.id"), index=True)
    depot_name_ar: Mapped[str] = mapped_column(String(120))
    depot_name_en: Mapped[str] = mapped_column(String(120))
    depot_lat: Mapped[float] = mapped_column(Float)
    depot_lon: Mapped[float] = mapped_column(Float)
    klass: Mapped[str] = mapped_column(String(12))
    """small | large: what `class` means in fleet-problem/1."""
    desks: Mapped[int] = mapped_column(SmallInteger)
    shift_start: Mapped[int] = mapped_column(SmallInteger, default=420)
    shift_end: Mapped[int] = mapped_column(SmallInteger, default=1020)
    weekdays: Mapped[str] = mapped_column(String(7), default="1111110")
    """Working days from Saturday to Friday, 1 = works: the van's week starts on Saturday."""
    setup_minutes: Mapped[int] = mapped_column(SmallInteger, default=20)
    max_drive_minutes: Mapped[int] = mapped_column(SmallInteger, default=300)
    nights: Mapped[int] = mapped_column(SmallInteger, default=0, server_default="0")
    """The most nights in a row that its crew stays away from the depot; 0: home every evening."""
    night_cost: Mapped[float] = mapped_column(Float, default=0.0, server_default="0")
    """What a night away costs, in person-hours (fleet/network/nights.py says why)."""
    equipment: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """Readiness list: power, link, printer, card_reader, stamps, step_free -> true or false."""
    status: Mapped[str] = mapped_column(String(16), default="ready")
    """ready | out_of_service."""
    status_reason: Mapped[str] = mapped_column(String(200), default="")
    state: Mapped[str] = mapped_column(String(12), default="depot")
    """What it does now: depot | driving | open | returning | away (where it stays the night)."""
    last_heard_at: Mapped[datetime | None]
    silent: Mapped[bool] = mapped_column(Boolean, default=False)
    lat: Mapped[float | None] = mapped_column(Float)
    lon: Mapped[float | None] = mapped_column(Float)
    late_minutes: Mapped[int] = mapped_column(Integer, default=0)
    seq: Mapped[int] = mapped_column(BigInteger, default=0)

    governorate: Mapped[Governorate] = relationship()
    crews: Mapped[list[Crew]] = relationship(back_populates="center")

    __table_args__ = (CheckConstraint("status IN ('ready', 'out_of_service')", name="status"),)


class Crew(Base):
    """The people of a mobile center."""

    __tablename__ = "crew"

    id: Mapped[int] = mapped_column(primary_key=True)
    center_id: Mapped[int] = mapped_column(ForeignKey("center.id", ondelete="CASCADE"), index=True)
    name_ar: Mapped[str] = mapped_column(String(120))
    name_en: Mapped[str] = mapped_column(String(120))
    drivers: Mapped[int] = mapped_column(SmallInteger, default=1)
    clerks: Mapped[int] = mapped_column(SmallInteger, default=2)

    center: Mapped[Center] = relationship(back_populates="crews")


class Plan(Base):
    """A week for the fleet: draft, then published, then superseded by the next publication of that week.

    A draft of several weeks gives each of them, when it is published, to a plan of its own and keeps those visits as
    pins; when its last week is published it is superseded by its parts."""

    __tablename__ = "plan"

    id: Mapped[int] = mapped_column(primary_key=True)
    week: Mapped[date] = mapped_column(Date, index=True)
    """The Saturday the (first) week starts on."""
    weeks: Mapped[int] = mapped_column(SmallInteger, default=1, server_default="1")
    """How many weeks it spans, 1 to 4. What is published spans one: a longer draft is published by weeks."""
    kind: Mapped[str] = mapped_column(String(8), default="plan", server_default="plan")
    """plan | scenario."""
    status: Mapped[str] = mapped_column(String(12), default="solving")
    """solving | draft | published | superseded | failed | discarded; a scenario: editing | solving | solved |
    failed | discarded."""
    name: Mapped[str] = mapped_column(String(120), default="", server_default="")
    """What a scenario is called."""
    source_id: Mapped[int | None] = mapped_column(ForeignKey("plan.id", ondelete="SET NULL"), index=True)
    """The plan whose week a scenario copies."""
    changes: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list, server_default="[]")
    """What a scenario changes, in order (fleet/planning/scenarios)."""
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(80))
    published_at: Mapped[datetime | None]
    published_by: Mapped[str | None] = mapped_column(String(80))
    seed: Mapped[int] = mapped_column(Integer, default=1)
    seconds: Mapped[float] = mapped_column(Float, default=60.0)
    problem: Mapped[bytes] = mapped_column(LargeBinary, deferred=True, default=b"")
    """The fleet-problem/1 this plan answers, gzipped JSON (pins included)."""
    solution: Mapped[bytes] = mapped_column(LargeBinary, deferred=True, default=b"")
    """The solver's own fleet-plan/1 with reasons for the unserved, gzipped JSON."""
    objective: Mapped[int | None] = mapped_column(BigInteger)
    bound: Mapped[int | None] = mapped_column(BigInteger)
    hours_saved: Mapped[float | None] = mapped_column(Float)
    baseline_hours: Mapped[float | None] = mapped_column(Float)
    """Person-hours saved by sending the same vans to the biggest towns in turn, in the same model."""
    progress: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    stop_requested: Mapped[bool] = mapped_column(Boolean, default=False)
    message: Mapped[str] = mapped_column(Text, default="")
    revision: Mapped[int] = mapped_column(Integer, default=0)
    """Rises with every manual change; a form that was opened on an older one is refused."""
    seq: Mapped[int] = mapped_column(BigInteger, default=0)

    visits: Mapped[list[PlanVisit]] = relationship(back_populates="plan", cascade="all, delete-orphan")

    __table_args__ = (
        CheckConstraint(
            "kind = 'plan' AND status IN ('solving', 'draft', 'published', 'superseded', 'failed', 'discarded')"
            # The database itself keeps a scenario from ever being a draft or published.
            " OR kind = 'scenario' AND status IN ('editing', 'solving', 'solved', 'failed', 'discarded')",
            name="status",
        ),
        # One published plan a week, whatever two planners press at once.
        Index(
            "uq_plan_published_week",
            "week",
            unique=True,
            sqlite_where=text("status = 'published'"),
            postgresql_where=text("status = 'published'"),
        ),
    )


class PlanVisit(Base):
    """One stop in a plan: a center at a site on a day, with its share of the value and of the driving."""

    __tablename__ = "plan_visit"

    id: Mapped[int] = mapped_column(primary_key=True)
    plan_id: Mapped[int] = mapped_column(ForeignKey("plan.id", ondelete="CASCADE"), index=True)
    center_id: Mapped[int] = mapped_column(ForeignKey("center.id"), index=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"), index=True)
    day: Mapped[date] = mapped_column(Date)
    start_minute: Mapped[int] = mapped_column(SmallInteger)
    stay_minutes: Mapped[int] = mapped_column(SmallInteger)
    pinned: Mapped[bool] = mapped_column(Boolean, default=False)
    overnight: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    """The last stop of its day, and the van stays the night: its next working day starts here."""
    hours_saved: Mapped[float] = mapped_column(Float, default=0.0)
    drive_minutes: Mapped[int] = mapped_column(SmallInteger, default=0)
    drive_km: Mapped[float] = mapped_column(Float, default=0.0)

    plan: Mapped[Plan] = relationship(back_populates="visits")
    center: Mapped[Center] = relationship()
    site: Mapped[Site] = relationship()

    __table_args__ = (UniqueConstraint("plan_id", "center_id", "day", "start_minute"),)


class Visit(Base):
    """An announced stop: what citizens see. Made by publishing; a cancelled one stays, struck through."""

    __tablename__ = "visit"

    id: Mapped[int] = mapped_column(primary_key=True)
    plan_id: Mapped[int | None] = mapped_column(ForeignKey("plan.id"), index=True)
    center_id: Mapped[int] = mapped_column(ForeignKey("center.id"), index=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"), index=True)
    queue_id: Mapped[int] = mapped_column(ForeignKey("queue.id"), unique=True)
    day: Mapped[date] = mapped_column(Date)
    opens_at: Mapped[datetime]
    closes_at: Mapped[datetime]
    depart_at: Mapped[datetime | None]
    """When the van leaves for this stop (from its depot or from the stop before)."""
    overnight: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    """The van stays the night here: its next working day starts at this place."""
    origin_site_id: Mapped[int | None] = mapped_column(ForeignKey("site.id"))
    """Where the van begins its day, on the first stop of a day after a night away; None: at its depot."""
    status: Mapped[str] = mapped_column(String(12), default="announced")
    """announced | open | closed | cancelled."""
    opened_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    hours_saved: Mapped[float] = mapped_column(Float, default=0.0)
    reason_ar: Mapped[str] = mapped_column(String(200), default="")
    reason_en: Mapped[str] = mapped_column(String(200), default="")
    """Why it was cancelled or changed, in words for citizens."""
    changed_at: Mapped[datetime | None]
    previous_opens_at: Mapped[datetime | None]
    """What was announced before a change: the change notice shows both."""

    center: Mapped[Center] = relationship()
    site: Mapped[Site] = relationship(foreign_keys=[site_id])
    origin: Mapped[Site | None] = relationship(foreign_keys=[origin_site_id])
    queue: Mapped[Queue] = relationship()

    __table_args__ = (
        Index("ix_visit_day_status", "day", "status"),
        CheckConstraint("status IN ('announced', 'open', 'closed', 'cancelled')", name="status"),
    )


class Position(Base):
    """Where a center was, as its device said."""

    __tablename__ = "position"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    center_id: Mapped[int] = mapped_column(ForeignKey("center.id", ondelete="CASCADE"))
    device: Mapped[str] = mapped_column(String(80))
    at: Mapped[datetime]
    received_at: Mapped[datetime]
    lat: Mapped[float] = mapped_column(Float)
    lon: Mapped[float] = mapped_column(Float)
    speed_kmh: Mapped[float | None] = mapped_column(Float)

    __table_args__ = (UniqueConstraint("device", "at"), Index("ix_position_center_at", "center_id", "at"))


class ForecastHour(Base):
    """Expected demand of one fixed site's queue in one local hour of a coming day."""

    __tablename__ = "forecast_hour"

    queue_id: Mapped[int] = mapped_column(ForeignKey("queue.id", ondelete="CASCADE"), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    hour: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    arrivals: Mapped[float] = mapped_column(Float)
    offered_load: Mapped[float] = mapped_column(Float)
    """Erlangs: arrivals an hour x mean service hours."""
    desks: Mapped[float] = mapped_column(Float)
    level: Mapped[int] = mapped_column(SmallInteger)
    """Congestion level, 0 calm to 4 severe (queueing/measure.py has the definition)."""
    low: Mapped[float | None] = mapped_column(Float)
    high: Mapped[float | None] = mapped_column(Float)
    """The 80% band of arrivals."""
    inner_low: Mapped[float | None] = mapped_column(Float)
    inner_high: Mapped[float | None] = mapped_column(Float)
    """The 50% band."""
    spread: Mapped[float | None] = mapped_column(Float)
    """How far the whole day may stray from what is expected, beyond chance: standard deviation / mean."""
    made_at: Mapped[datetime]

    __table_args__ = (Index("ix_forecast_hour_day", "day"),)


class VisitValue(Base):
    """Person-hours that a visit of a standard stay would save at a candidate site on a day (fleet/relief.py)."""

    __tablename__ = "visit_value"

    site_id: Mapped[int] = mapped_column(ForeignKey("site.id", ondelete="CASCADE"), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    klass: Mapped[str] = mapped_column(String(12), primary_key=True)
    stay_minutes: Mapped[int] = mapped_column(SmallInteger)
    hours: Mapped[float] = mapped_column(Float)
    waiting_hours: Mapped[float] = mapped_column(Float)
    travel_hours: Mapped[float] = mapped_column(Float)
    made_at: Mapped[datetime]


class ImportFault(Base):
    """A row of an imported file that could not be used: file, line, column and why."""

    __tablename__ = "import_fault"

    id: Mapped[int] = mapped_column(primary_key=True)
    file: Mapped[str] = mapped_column(String(200))
    line: Mapped[int] = mapped_column(Integer)
    column: Mapped[str] = mapped_column(String(80))
    reason: Mapped[str] = mapped_column(String(400))
    seen_at: Mapped[datetime]


class Setting(Base):
    """Facts of this installation kept as data: network source, demo clock, last run of a job."""

    __tablename__ = "setting"

    key: Mapped[str] = mapped_column(String(60), primary_key=True)
    value: Mapped[dict[str, Any]] = mapped_column(JSON)


class Repair(Base):
    """A disruption of a published week, the ways to go on that were worked out, and the one that was taken."""

    __tablename__ = "repair"

    id: Mapped[int] = mapped_column(primary_key=True)
    plan_id: Mapped[int] = mapped_column(ForeignKey("plan.id", ondelete="CASCADE"), index=True)
    """The published plan that it repairs."""
    status: Mapped[str] = mapped_column(String(10), default="solving")
    """solving | proposed | accepted | dismissed | failed."""
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(80))
    disruption: Mapped[dict[str, Any]] = mapped_column(JSON)
    """What happened: a Disrupted of fleet/planning/repair_shapes.py."""
    moment: Mapped[datetime | None]
    """The instant that the proposals were worked out for."""
    answer: Mapped[bytes] = mapped_column(LargeBinary, deferred=True, default=b"")
    """The alternatives, gzipped JSON."""
    message: Mapped[str] = mapped_column(Text, default="")
    choice: Mapped[str] = mapped_column(String(12), default="")
    accepted_at: Mapped[datetime | None]
    accepted_by: Mapped[str | None] = mapped_column(String(80))
    result_id: Mapped[int | None] = mapped_column(ForeignKey("plan.id", ondelete="SET NULL"))
    """The plan that accepting it published."""

    calls: Mapped[list[RepairCall]] = relationship(back_populates="repair", cascade="all, delete-orphan")

    __table_args__ = (
        CheckConstraint(
            "status IN ('solving', 'proposed', 'accepted', 'dismissed', 'failed')", name="status"
        ),
    )


class RepairCall(Base):
    """Somebody who must be told of a repair, until somebody ticks off that it is done."""

    __tablename__ = "repair_call"

    id: Mapped[int] = mapped_column(primary_key=True)
    repair_id: Mapped[int] = mapped_column(ForeignKey("repair.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(8))
    """crew | site."""
    center_id: Mapped[int | None] = mapped_column(ForeignKey("center.id"))
    site_id: Mapped[int | None] = mapped_column(ForeignKey("site.id"))
    day: Mapped[date] = mapped_column(Date)
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    """A crew: its stops of the day as they are now. A site: the kind of change, the visit before and after."""
    tickets: Mapped[int] = mapped_column(Integer, default=0)
    """People who held a ticket for the visit when the repair was accepted."""
    phones: Mapped[int] = mapped_column(Integer, default=0)
    """How many of them had left a telephone number."""
    told_at: Mapped[datetime | None]
    told_by: Mapped[str | None] = mapped_column(String(80))

    repair: Mapped[Repair] = relationship(back_populates="calls")


# Whoever has the metadata has the tables of forecasts, queues out of use and warnings too.
import fleet.store_forecast  # noqa: E402, F401
import fleet.store_retired  # noqa: E402, F401
import fleet.store_warning  # noqa: E402, F401

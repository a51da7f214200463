"""The catalogue of services, and how often each is asked for. Counter minutes and documents are
illustrative."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.network.towns import read_table
from queueing.store import Service

GROUP_WEIGHT = {
    "civil status": 1.0,
    "building": 0.6,
    "shops and street": 0.35,
    "housing, revenue and property": 0.6,
    "new cities": 0.08,
    "traffic": 0.5,
    "passports": 0.3,
    "security documents": 0.8,
    "notarisation": 0.5,
    "family justice": 0.2,
    "industry": 0.05,
    "internal trade": 0.15,
    "health office": 0.4,
    "other agencies": 0.45,
}
"""Relative demand per service of a group, for codes without a weight of their own (own estimates,
illustrative)."""

WEIGHT = {
    # One identity card to 4.6 computerised extracts (civil-status convoys, September 2025): 3.0 to 13.8.
    "CIV-01": 0.7, "CIV-02": 1.3, "CIV-03": 0.7, "CIV-04": 0.3,
    "CIV-05": 5.6, "CIV-06": 1.5, "CIV-07": 1.4, "CIV-08": 0.6, "CIV-09": 2.9, "CIV-10": 1.8,
    "CIV-11": 0.3, "CIV-12": 0.1,
    # Reconciliation of building violations: about 550,000 certificates from May to mid-August 2024.
    "BLD-10": 3.2, "BLD-11": 2.0, "BLD-12": 1.4, "BLD-13": 1.6, "BLD-01": 1.0, "BLD-15": 1.0,
    "SHP-01": 0.7, "SHP-02": 0.8, "REV-01": 0.8, "REV-02": 0.8, "REV-14": 1.0, "REV-15": 1.5, "REV-16": 2.2,
    "SUP-01": 1.4, "SUP-02": 0.9, "INS-01": 1.0, "SOC-01": 1.0, "SOC-02": 0.6, "UTL-01": 0.9, "WRK-01": 1.2,
}  # fmt: skip
"""Weights of the services that dominate; any scale."""

OFFER = 26
"""Services a fixed center's queue offers: the most wanted ones, for which people actually queue."""


@dataclass(frozen=True)
class CatalogueEntry:
    """A service as `demand.service_shares` needs it, before or after it is a row."""

    id: int
    code: str
    popularity: float
    minutes_low: float
    minutes_mode: float
    minutes_high: float


def popularity(code: str, group: str) -> float:
    """Relative demand of a service."""
    return WEIGHT.get(code, GROUP_WEIGHT.get(group, 0.1))


def service_rows() -> list[dict[str, object]]:
    """The catalogue as rows for the table `service`."""
    english = {row["document_ar"]: row["document_en"] for row in read_table("documents_en.csv")}
    rows: list[dict[str, object]] = []
    for row in read_table("services_catalogue.csv"):
        documents = [part.strip() for part in row["required_documents_ar"].split("؛") if part.strip()]
        rows.append(
            {
                "code": row["code"],
                "group_code": row["group"],
                "name_ar": row["name_ar"],
                "name_en": row["name_en"],
                "agency_code": row["agency_code"],
                "agency_ar": row["agency_ar"],
                "agency_en": row["agency_en"],
                "minutes_low": float(row["counter_min_low"]),
                "minutes_mode": float(row["counter_min_mode"]),
                "minutes_high": float(row["counter_min_high"]),
                "documents_ar": "؛ ".join(documents),
                "documents_en": "; ".join(english[document] for document in documents),
                "at_fixed": row["fixed"] == "Y",
                "at_mobile": row["mobile"] == "Y",
                "at_complex": row["integrated_complex"] == "Y",
                "popularity": popularity(row["code"], row["group"]),
            }
        )
    return rows


def ensure_services(session: Session) -> int:
    """Add the services that are not there yet; rows already there keep what people changed. Returns the
    number added."""
    known = set(session.scalars(select(Service.code)))
    missing = [row for row in service_rows() if row["code"] not in known]
    if missing:
        session.execute(Service.__table__.insert(), missing)  # type: ignore[attr-defined]
    return len(missing)


def fixed_offer(session: Session, limit: int = OFFER) -> list[Service]:
    """What a fixed center's queue gives tickets for: the most wanted services of its counters."""
    wanted = select(Service).where(Service.at_fixed).order_by(Service.popularity.desc(), Service.code)
    return list(session.scalars(wanted.limit(limit)))


def mobile_offer(session: Session) -> list[Service]:
    """What a mobile center offers at a stop."""
    return list(session.scalars(select(Service).where(Service.at_mobile).order_by(Service.code)))


def complex_offer(session: Session) -> dict[str, list[Service]]:
    """The complex's services by agency code, agencies in the catalogue's order."""
    by_agency: dict[str, list[Service]] = {}
    for service in session.scalars(select(Service).where(Service.at_complex).order_by(Service.id)):
        by_agency.setdefault(service.agency_code, []).append(service)
    return by_agency

"""Two plans side by side, in figures and by place."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.planning.blobs import Decoded, decode
from fleet.planning.frame import Frame, Mark, load_frame, marks_of, placement
from fleet.planning.ledger import Share, add_up, marks_in, shares, standing, sum_shares, visits_of
from fleet.planning.shapes import Comparison, GovernorateRow, MovedSite, PlaceChange, Placement, Totals
from fleet.store import Plan, Site


def totals(session: Session, plan: Plan) -> Totals:
    """Return the plan in figures, by its own problem's values."""
    marks = tuple(marks_in(session, plan, load_frame(session, plan.week)))
    verdict, parts = standing(plan.problem, marks)
    return sum_shares(marks, parts, verdict.objective)


def compare(session: Session, draft: Plan, published: Plan | None) -> Comparison:
    """Return the draft beside the published plan of its week (None: nothing is published).

    Both are measured by the draft's problem, the newer forecast: figures of different forecasts cannot be
    compared. A visit of the published plan to a place that is no candidate any more counts its driving only.
    """
    frame = load_frame(session, draft.week)
    new, decoded = _load(session, draft, frame)
    old = _load(session, published, frame)[0] if published is not None else []
    old = [m for m in old if m.center in decoded.problem.center_by_id]
    governorate_of = dict(session.execute(select(Site.code, Site.governorate_id)).all())
    parts_new, parts_old = shares(new, decoded), shares(old, decoded)
    rows = tuple(
        GovernorateRow(
            governorate,
            _within(new, parts_new, governorate_of, governorate),
            _within(old, parts_old, governorate_of, governorate),
        )
        for governorate in sorted({governorate_of[m.site] for m in (*new, *old)})
    )
    places_new, places_old = _by_site(new, frame), _by_site(old, frame)
    return Comparison(
        draft=add_up(new, decoded),
        published=add_up(old, decoded) if old else Totals(),
        baseline_hours=draft.baseline_hours,
        governorates=rows,
        gained=tuple(sorted(set(places_new) - set(places_old))),
        lost=tuple(sorted(set(places_old) - set(places_new))),
        moved=tuple(
            MovedSite(site, places_old[site], places_new[site])
            for site in sorted(set(places_new) & set(places_old))
            if places_new[site] != places_old[site]
        ),
        changes=_changes((old, parts_old), (new, parts_new), frame),
    )


def _load(session: Session, plan: Plan, frame: Frame) -> tuple[list[Mark], Decoded]:
    return marks_of(visits_of(session, plan), frame), decode(plan.problem)


def _within(
    marks: Sequence[Mark], parts: dict[int, Share], governorate_of: dict[str, int], governorate: int
) -> Totals:
    """Totals of the visits in one governorate; the objective has no meaning for a part and is 0."""
    inside = {i: s for i, s in parts.items() if governorate_of[marks[i].site] == governorate}
    return sum_shares(marks, inside, 0)


LEAST = 0.5
"""Hours or people below which a place counts as unchanged: less than what is shown."""


def _changes(
    before: tuple[Sequence[Mark], dict[int, Share]],
    after: tuple[Sequence[Mark], dict[int, Share]],
    frame: Frame,
) -> tuple[PlaceChange, ...]:
    """Every place that one plan serves otherwise than the other, in sums over its visits."""
    sums: dict[str, list[list[float]]] = {}
    for side, (marks, parts) in enumerate((before, after)):
        for i, share in parts.items():
            mine = sums.setdefault(marks[i].site, [[0.0, 0.0, 0], [0.0, 0.0, 0]])[side]
            mine[0] += share.hours
            mine[1] += share.people
            mine[2] += 1
    found = [
        PlaceChange(frame.site_id[site], (old[0], new[0]), (old[1], new[1]), (int(old[2]), int(new[2])))
        for site, (old, new) in sums.items()
    ]
    kept = [
        c for c in found
        if c.visits[0] != c.visits[1] or abs(c.more_hours) >= LEAST or abs(c.more_people) >= LEAST
    ]  # fmt: skip
    return tuple(sorted(kept, key=lambda c: (-abs(c.more_hours), c.site_id)))


def _by_site(marks: Sequence[Mark], frame: Frame) -> dict[int, tuple[Placement, ...]]:
    found: dict[int, list[Placement]] = {}
    for mark in sorted(marks, key=lambda m: (m.day, m.start, m.center)):
        found.setdefault(frame.site_id[mark.site], []).append(placement(mark, frame))
    return {site: tuple(places) for site, places in found.items()}


def visit_shares(session: Session, plan: Plan) -> dict[int, Share]:
    """Return each visit's share of hours, people and driving, by the visit's id."""
    marks, decoded = _load(session, plan, load_frame(session, plan.week))
    return {marks[i].id: share for i, share in shares(marks, decoded).items()}

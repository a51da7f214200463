"""What this week would bring: the plan played citizen by citizen, beside no vans and beside the towns in turn."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Any

from flask import flash, redirect, render_template, url_for
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from fleet.errors import FleetError
from fleet.planner import days_of
from fleet.planning.blobs import pack
from fleet.planning.whatif import state_of
from fleet.simulation.outlook.facts import gather
from fleet.store import ForecastHour, Plan
from queueing.store import Service
from web import clock
from web.db import read
from web.i18n import named
from web.planner import whatif_runs as runs
from web.planner import words
from web.planner.door import blueprint, the_plan, wants_part

RUNS, SEED = 40, 1
SECONDS = 60.0
"""On a busy machine the week is played less often than RUNS, and the interval is wider."""
HAS_VISITS = ("draft", "published", "superseded")


@blueprint.get("/plans/<int:plan_id>/outlook")
def outlook(plan_id: int) -> Any:
    """The page; asked for as a part, the section of it that lives. Begins to play the week when nobody has."""
    plan = the_plan(plan_id)
    if plan.status not in HAS_VISITS:
        return redirect(url_for("planner.draft", plan_id=plan_id))
    refused = None
    try:
        found = played(read(), plan, now=clock.now())
    except FleetError as error:
        found, refused = runs.State("failed"), words.error(error)
    template = "planner/_outlook.html" if wants_part() else "planner/outlook.html"
    return render_template(
        template, plan=plan, words=words, state=found.name, seconds=found.seconds, refused=refused,
        runs=found.answer["runs"] if found.answer else RUNS,
        answer=found.answer, live=found.name == "working", rows=rows_of(found.answer) if found.answer else [],
        services={s.code: named(s) for s in read().scalars(select(Service))} if found.answer else {},
    )  # fmt: skip


@blueprint.post("/plans/<int:plan_id>/outlook")
def play_again(plan_id: int) -> Any:
    """Play a week once more that could not be played."""
    plan, now = the_plan(plan_id), clock.now()
    try:
        key = key_of(read(), plan)
        if plan.status in HAS_VISITS and runs.look(key).name == "failed":
            begin(read(), plan, key, now=now)
    except FleetError as error:
        flash(words.error(error), "error")
    return redirect(url_for("planner.outlook", plan_id=plan_id))


def key_of(session: Session, plan: Plan) -> str:
    """The name of the reckoning: it changes with the plan's visits and with each new forecast of its days."""
    days = days_of(plan)
    made = session.scalar(
        select(func.max(ForecastHour.made_at)).where(ForecastHour.day.between(days[0], days[-1]))
    )
    asked = {"kind": "outlook", "runs": RUNS, "seed": SEED, "made": made.isoformat() if made else ""}
    return runs.key_of(state_of(session, plan), asked)


def known(session: Session, plan: Plan) -> dict[str, Any] | None:
    """The answer when the week has been played as it stands, else None; nothing is begun."""
    found = runs.look(key_of(session, plan))
    return found.answer if found.name == "done" else None


def played(session: Session, plan: Plan, *, now: datetime) -> runs.State:
    """How far the playing is; it is begun when nobody has. Raises FleetError for what cannot be played."""
    key = key_of(session, plan)
    found = runs.look(key)
    if found.name != "none":
        return found
    begin(session, plan, key, now=now)
    return runs.look(key)


def begin(session: Session, plan: Plan, key: str, *, now: datetime) -> None:
    """Begin to play in a process of its own."""
    facts = pack(gather(session, plan, now=now).to_json())

    def command(folder: Any) -> list[str]:
        return [
            sys.executable, "-m", "fleet.simulation.outlook", str(folder / "facts.json.gz"),
            "--out", str(folder / "answer.json"), "--runs", str(RUNS), "--seed", str(SEED),
            "--seconds", str(SECONDS),
        ]  # fmt: skip

    runs.launch(key, {"facts.json.gz": facts}, command)


def rows_of(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """The bars: hours against no vans of the plan and of the towns, on one scale, with the model's own estimate."""
    pairs = (("plan", "saved_against_no_vans"), ("towns", "towns_against_no_vans"))
    model = answer["model"]
    values = [answer[key][edge] for _, key in pairs for edge in ("mean", "high")]
    top = max([1.0, *values, *(m for m in model.values() if m is not None)])
    found = []
    for name, key in pairs:
        one, guess = answer[key], model[key]
        low, high = (min(max(100 * one[edge] / top, 0.0), 100.0) for edge in ("low", "high"))
        found.append(
            {
                "name": name,
                **one,
                "share": round(min(max(100 * one["mean"] / top, 0.0), 100.0), 2),
                "from": round(low, 2),
                "span": round(max(high - low, 0.3), 2),
                "model": guess,
                "mark": None if guess is None else round(min(max(100 * guess / top, 0.0), 100.0), 2),
            }
        )
    return found

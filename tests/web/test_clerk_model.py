"""The rules that a tablet applies by itself are those of the domain: both run side by side on random histories."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from queueing.errors import QueueingError
from queueing.order import HEAD_START, PRIORITIES, choose
from queueing.ticket import AT_DESK, MOVES, LightTicket, move

MODEL = Path(__file__).parents[2] / "web" / "static" / "clerk-model.js"
BEGIN = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
ACTIONS = ("call", "recall", "start", "finish", "miss", "requeue", "park", "resume")
LIMIT, COOL_DOWN_S = 2, 300
RUN = """
const model = require(process.argv[1]);
const asked = JSON.parse(require("fs").readFileSync(0, "utf8"));
console.log(JSON.stringify(asked.cases.map(c => {
  if (c.kind === "next") { const t = model.next({rules: asked.rules, people: c.people}, c.now); return t && t.number; }
  const t = c.ticket;
  return c.steps.map(s => [model.move(asked.rules, t, s[0], s[1]), Object.assign({}, t)]);
})));
"""


def millis(instant: datetime | None) -> int | None:
    return None if instant is None else round(instant.timestamp() * 1000)


def facts(ticket: LightTicket) -> dict[str, Any]:
    """A ticket as the tablet has it."""
    return {
        "state": ticket.state, "number": ticket.number, "priority": ticket.priority, "aged": millis(ticket.aged_from),
        "called": millis(ticket.called_at), "started": millis(ticket.started_at), "ended": millis(ticket.ended_at),
        "hold": millis(ticket.hold_until), "recalls": ticket.recalls, "parked_s": ticket.parked_s,
        "parked": millis(ticket.parked_at),
    }  # fmt: skip


def in_node(cases: list[dict[str, Any]]) -> list[Any]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    rules = {
        "moves": [[state, action, to] for (state, action), to in MOVES.items() if state is not None],
        "at_desk": list(AT_DESK),
        "head_start": [HEAD_START[n].total_seconds() * 1000 for n in PRIORITIES],
        "recall_limit": LIMIT,
        "cool_down": COOL_DOWN_S * 1000,
    }
    asked = json.dumps({"rules": rules, "cases": cases})
    done = subprocess.run(
        [node, "-e", RUN, str(MODEL)], input=asked, capture_output=True, text=True, check=True, timeout=60
    )
    return list(json.loads(done.stdout))


def test_every_move_does_the_same_to_a_ticket_in_the_browser() -> None:
    """400 random histories of 14 steps: same refusals, same states, same times."""
    chance = random.Random(7)
    cases, expected = [], []
    for _ in range(400):
        ticket = LightTicket(1, 1, BEGIN, priority=chance.choice(PRIORITIES))
        start, steps, answers = facts(ticket), [], []
        now = BEGIN
        for _step in range(14):
            now += timedelta(seconds=chance.randrange(0, 400))
            likely = [a for (s, a) in MOVES if s == ticket.state and a in ACTIONS]
            action = chance.choice(likely) if likely and chance.random() < 0.8 else chance.choice(ACTIONS)
            steps.append([action, millis(now)])
            try:
                move(ticket, action, now=now, desk_id=1, hold_s=COOL_DOWN_S, recall_limit=LIMIT)
                wrong = ""
            except QueueingError as error:
                wrong = "recall_limit" if error.code == "recall_limit" else "move_not_possible"
            answers.append([wrong, facts(ticket)])
        cases.append({"kind": "moves", "ticket": start, "steps": steps})
        expected.append(answers)
    assert in_node(cases) == expected
    seen = {(answer[0], answer[1]["state"]) for answers in expected for answer in answers}
    assert len(seen) > 12, "the histories are too tame to prove anything"


def test_who_is_next_is_the_same_in_the_browser() -> None:
    """Classes, ages, cool-downs and appointments that are not due yet."""
    chance = random.Random(11)
    cases, expected = [], []
    for _ in range(400):
        people = []
        for number in range(1, chance.randrange(2, 12)):
            came = BEGIN + timedelta(minutes=chance.randrange(-90, 60))
            ticket = LightTicket(number, 1, came, priority=chance.choice(PRIORITIES))
            ticket.state = chance.choice(("waiting", "waiting", "waiting", "parked"))
            if chance.random() < 0.3:
                ticket.hold_until = BEGIN + timedelta(minutes=chance.randrange(-5, 5))
            people.append(ticket)
        chosen = choose(people, now=BEGIN)
        cases.append({"kind": "next", "people": [facts(t) for t in people], "now": millis(BEGIN)})
        expected.append(chosen.number if chosen is not None else None)
    assert in_node(cases) == expected
    assert None in expected and len(set(expected)) > 5

"""The seed of the simulated country, kept with the data: the live day goes on in the country whose past was
loaded."""

from __future__ import annotations

from sqlalchemy.orm import Session

from fleet.store import Setting

KEY = "simulation"


def keep_seed(session: Session, seed: int) -> None:
    """Remember the seed the history was drawn with."""
    session.merge(Setting(key=KEY, value={"seed": seed}))


def kept_seed(session: Session, given: int | None, default: int = 1) -> int:
    """The seed of the stored history; where there is none, the given one."""
    row = session.get(Setting, KEY)
    if row is not None:
        return int(row.value["seed"])
    return default if given is None else given

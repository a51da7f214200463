"""Tables of who may do what: staff accounts and the tokens of kiosks, boards, desks and vans' devices."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Connection,
    ForeignKey,
    Integer,
    String,
    bindparam,
    event,
    select,
)
from sqlalchemy.orm import Mapped, ORMExecuteState, Session, mapped_column

from queueing.store import Base, Desk

ROLES = ("planner", "supervisor", "clerk", "agency")
TOKEN_KINDS = ("kiosk", "board", "desk", "device", "van")
MIN_PASSWORD = 8
_hasher = PasswordHasher()
_NOBODY = _hasher.hash(secrets.token_urlsafe(16))


class Account(Base):
    """A member of staff. Clerks and supervisors belong to one fixed site or one mobile center."""

    __tablename__ = "account"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    password_hash: Mapped[str] = mapped_column(String(200))
    role: Mapped[str] = mapped_column(String(12))
    site_id: Mapped[int | None] = mapped_column(ForeignKey("site.id"))
    center_id: Mapped[int | None] = mapped_column(ForeignKey("center.id"))
    agency_code: Mapped[str | None] = mapped_column(String(24))
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    epoch: Mapped[int] = mapped_column(Integer, default=0)
    """Rises when the password changes: sessions opened before are over."""
    created_at: Mapped[datetime]

    __table_args__ = (CheckConstraint("role IN ('planner', 'supervisor', 'clerk', 'agency')", name="role"),)

    # What Flask-Login asks of a user.
    is_authenticated = True
    is_anonymous = False

    @property
    def is_active(self) -> bool:
        """False for a switched-off account: its sessions end at the next request."""
        return self.active

    def get_id(self) -> str:
        """Session identity: account and password epoch."""
        return f"{self.id}.{self.epoch}"


class AccessToken(Base):
    """A bearer token of a machine. Only its SHA-256 is kept: tokens are long and random, so no salt is needed."""

    __tablename__ = "access_token"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(12))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    label: Mapped[str] = mapped_column(String(120), default="")
    queue_id: Mapped[int | None] = mapped_column(ForeignKey("queue.id", ondelete="CASCADE"))
    desk_id: Mapped[int | None] = mapped_column(ForeignKey("desk.id", ondelete="CASCADE"))
    center_id: Mapped[int | None] = mapped_column(ForeignKey("center.id", ondelete="CASCADE"))
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]

    __table_args__ = (CheckConstraint("kind IN ('kiosk', 'board', 'desk', 'device', 'van')", name="kind"),)


class AccountError(ValueError):
    """An account cannot be made as asked; the message says what is wrong."""


def add_account(
    session: Session,
    name: str,
    password: str,
    role: str,
    *,
    now: datetime,
    site_id: int | None = None,
    center_id: int | None = None,
    agency_code: str | None = None,
) -> Account:
    """Make an account. Raises AccountError for a name taken, a weak password, a role without its place."""
    name = name.strip()
    if not name or len(name) > 80:
        raise AccountError("the name must have 1 to 80 characters")
    if role not in ROLES:
        raise AccountError(f"the role must be one of {', '.join(ROLES)}, it is {role!r}")
    if len(password) < MIN_PASSWORD:
        raise AccountError(f"the password must have at least {MIN_PASSWORD} characters")
    if role in ("clerk", "supervisor") and (site_id is None) == (center_id is None):
        raise AccountError(f"a {role} belongs to one site or one center: name exactly one")
    if role == "agency" and not agency_code:
        raise AccountError("an agency account names its agency")
    if session.scalar(select(Account.id).where(Account.name == name)) is not None:
        raise AccountError(f"the name {name!r} is taken")
    account = Account(
        name=name,
        password_hash=_hasher.hash(password),
        role=role,
        site_id=site_id,
        center_id=center_id,
        agency_code=agency_code,
        created_at=now,
    )
    session.add(account)
    session.flush()
    return account


def set_password(account: Account, password: str) -> None:
    """Give `account` a new password and end its sessions. Raises AccountError for a weak one."""
    if len(password) < MIN_PASSWORD:
        raise AccountError(f"the password must have at least {MIN_PASSWORD} characters")
    account.password_hash = _hasher.hash(password)
    account.epoch += 1


def check_password(account: Account | None, password: str) -> bool:
    """True when the password is right. Takes as long for a name that does not exist, so that names cannot be probed."""
    try:
        _hasher.verify(account.password_hash if account else _NOBODY, password)
    except (VerifyMismatchError, InvalidHashError):
        return False
    return account is not None and account.active


def new_token(
    session: Session,
    kind: str,
    *,
    now: datetime,
    queue_id: int | None = None,
    desk_id: int | None = None,
    center_id: int | None = None,
    label: str = "",
) -> str:
    """Make a token and return its text, the only time it can be read."""
    text = secrets.token_urlsafe(24)
    session.add(
        AccessToken(
            kind=kind,
            digest=digest(text),
            queue_id=queue_id,
            desk_id=desk_id,
            center_id=center_id,
            label=label,
            created_at=now,
        )
    )
    session.flush()
    return text


def find_token(session: Session, text: str, kinds: tuple[str, ...]) -> AccessToken | None:
    """The valid token with this text and one of these kinds, or None."""
    return session.scalar(
        select(AccessToken).where(
            AccessToken.digest == digest(text), AccessToken.kind.in_(kinds), AccessToken.revoked_at.is_(None)
        )
    )


@dataclass(frozen=True, slots=True)
class KnownToken:
    """What a request needs to know of its token, without the ORM. `desk_name` and `desk_queue_id` are its desk's."""

    id: int
    kind: str
    queue_id: int | None
    desk_id: int | None
    center_id: int | None
    desk_name: str | None
    desk_queue_id: int | None


class TokenCache:
    """Tokens seen lately, by digest. A write of this process that touches tokens or desks empties it; what another
    process has changed (a token taken back) is known after `life_s` seconds at the latest.

    `look_again`, a few times in that time, asks for all that were used at once: else every ten seconds each token's
    next request would go the long way, and on a busy counter those of two hundred kiosks and desks in one moment."""

    MOST = 20_000
    USED_S = 900.0
    """A token that nobody has used for so long is no longer looked at: a clerk is with one person for minutes."""
    TOGETHER = 500
    """Tokens asked for in one statement."""

    def __init__(self, life_s: float = 10.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.life_s, self._clock = life_s, clock
        self._known: dict[str, tuple[float, KnownToken]] = {}
        self._used: dict[str, float] = {}
        """Digest -> when it was last asked about."""
        self._touched = 0

    def after_write(self) -> None:
        """Something was committed: look again where it was a token or a desk."""
        if self._touched != (touched := _touches[0]):
            self._touched = touched
            self._known = {}

    def known(self, text: str) -> KnownToken | None:
        """The valid token with this text when it was seen lately."""
        key = digest(text)
        kept, now = self._known.get(key), self._clock()
        if kept is None or kept[0] <= now:
            return None
        self._used[key] = now
        return kept[1]

    def find(self, text: str, look_up: Callable[[], Session]) -> KnownToken | None:
        """The valid token with this text, or None. `look_up` gives the session to read with when it is not known."""
        key, now, known = digest(text), self._clock(), self._known
        if (kept := known.get(key)) is not None and kept[0] > now:
            self._used[key] = now
            return kept[1]
        row = look_up().execute(_TOKEN, {"the_digest": key}).one_or_none()
        if row is None:
            known.pop(key, None)
            return None
        if len(known) >= self.MOST:
            known.clear()
        token = KnownToken(*row)
        known[key] = now + self.life_s, token
        self._used[key] = now
        return token

    def look_again(self, connection: Connection) -> None:
        """Ask for the tokens that are in use: what still holds is known for longer, the others no more."""
        now, known = self._clock(), self._known  # a write meanwhile puts an empty one in its place
        self._used = {key: at for key, at in self._used.items() if now - at < self.USED_S}
        keys = [key for key in self._used if key in known]
        for at in range(0, len(keys), self.TOGETHER):
            some = keys[at : at + self.TOGETHER]
            found = {row[0]: KnownToken(*row[1:]) for row in connection.execute(_TOKENS, {"digests": some})}
            for key in some:
                if key in found:
                    known[key] = now + self.life_s, found[key]
                else:
                    known.pop(key, None)


_touches = [0]
"""How often this process has written tokens or desks, whatever became of it."""


def _touch(*_about: Any) -> None:
    _touches[0] += 1


def _touch_many(state: ORMExecuteState) -> None:
    mapper = state.bind_mapper
    if (state.is_update or state.is_delete) and mapper is not None and mapper.class_ in (AccessToken, Desk):
        _touch()


for _table in (AccessToken, Desk):
    for _moment in ("after_update", "after_delete"):
        event.listen(_table, _moment, _touch)
event.listen(Session, "do_orm_execute", _touch_many)


_COLUMNS = (
    AccessToken.id,
    AccessToken.kind,
    AccessToken.queue_id,
    AccessToken.desk_id,
    AccessToken.center_id,
    Desk.name,
    Desk.queue_id,
)
_TOKEN = (
    select(*_COLUMNS)
    .outerjoin(Desk, Desk.id == AccessToken.desk_id)
    .where(AccessToken.digest == bindparam("the_digest"), AccessToken.revoked_at.is_(None))
)
_TOKENS = (
    select(AccessToken.digest, *_COLUMNS)
    .outerjoin(Desk, Desk.id == AccessToken.desk_id)
    .where(AccessToken.digest.in_(bindparam("digests", expanding=True)), AccessToken.revoked_at.is_(None))
)


def digest(text: str) -> str:
    """SHA-256 of a token's text, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()

"""Who carries messages: the gateway of telephones, browsers' push services, or the log where there is no gateway.

A round claims what is due, commits, sends, and notes what became of each. Where nobody answers, the round ends and the
messages come up again: a gateway that is away must not hold up the other work of the leader, whose job this is.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask import current_app
from sqlalchemy.orm import Session

from queueing import following, notices
from queueing.store_life import Follower, Notice
from web import push
from web.db import read, write
from web.gateway import Away, Gone, Refused
from web.i18n import LANGUAGES
from web.notices import link_of, text_of, topic_name

LOG = logging.getLogger(__name__)
Sender = Callable[[str, str], None]
AT_ONCE = 100
ROUND_S, REST_S = 4.0, 30.0
"""How long a round sends, and how long nothing is sent to a gateway that did not answer (real seconds)."""
URGENT = ("near", "called", "next_desk")


def log_sender(number: str, text: str) -> None:
    """The carrier of an installation without a gateway: the log, with the number's end alone."""
    LOG.info("message to ...%s: %s", number[-3:], text)


def send_due(now: datetime) -> int:
    """Send what waits to be sent; how many messages. Each is claimed, and committed as claimed, before it goes."""
    if not notices.waiting(read(), now=now):
        return 0
    rests: dict[str, float] = current_app.extensions.setdefault("carriers_rest", {})
    claimed = write(lambda session: [n.id for n in notices.claim(session, now=now, most=AT_ONCE)])
    done: dict[str, list[int]] = {"sent": [], "refused": [], "later": []}
    gone: list[int] = []
    begun = time.monotonic()
    for notice_id in claimed:
        notice = read().get(Notice, notice_id)
        if notice is None:
            continue
        channel = channel_of(read(), notice)
        if time.monotonic() - begun > ROUND_S or time.monotonic() < rests.get(channel, 0.0):
            done["later"].append(notice_id)
            continue
        try:
            _send(read(), notice)
            done["sent"].append(notice_id)
        except Gone:
            done["refused"].append(notice_id)
            if channel.startswith("push") and notice.follower_id is not None:
                gone.append(notice.follower_id)
        except Refused as error:
            LOG.warning("message %s was refused: %s", notice_id, error)
            done["refused"].append(notice_id)
        except Away as error:
            LOG.warning("message %s waits: %s", notice_id, error)
            rests[channel] = time.monotonic() + REST_S
            done["later"].append(notice_id)
        except Exception:
            # One message that cannot be put into words must not hold up the others.
            LOG.exception("message %s could not be sent", notice_id)
            done["later"].append(notice_id)

    def note(session: Session) -> None:
        notices.sent(session, done["sent"], now=now)
        notices.failed(session, done["refused"])
        notices.put_off(session, done["later"], now=now)
        for follower_id in set(gone):
            follower = session.get(Follower, follower_id)
            if follower is not None:
                following.unfollow(session, follower)

    if claimed:
        write(note)
    return len(done["sent"])


def channel_of(db: Session, notice: Notice) -> str:
    """What carries a notice; each push service is one of its own, as one may be away and another not."""
    follower = db.get(Follower, notice.follower_id) if notice.follower_id is not None else None
    if follower is None or follower.channel == "sms":
        return "sms"
    return "push " + follower.address.split("/", 3)[2] if "//" in follower.address else "push"


def _send(db: Session, notice: Notice) -> None:
    follower = db.get(Follower, notice.follower_id) if notice.follower_id is not None else None
    if follower is not None and follower.channel == "push":
        to = push.Subscription(follower.address, follower.keys["p256dh"], follower.keys["auth"])
        push.send(to, push_message(db, notice, follower), urgent=notice.kind in URGENT)
        return
    number = follower.address if follower is not None else notice.phone
    if number is None:
        raise Refused("no number")
    settings, own = current_app.extensions["settings"], current_app.extensions.get("message_sender")
    if own is not None:
        own(number, text_of(db, notice))
    elif settings.sms is not None:
        settings.sms.send(number, text_of(db, notice), str(notice.id))
    else:
        log_sender(number, text_of(db, notice))


def push_message(db: Session, notice: Notice, follower: Follower) -> dict[str, Any]:
    """What a browser shows, and where a tap on it leads."""
    kind, _colon, number = follower.topic.partition(":")
    prefix = (
        "" if follower.language not in LANGUAGES or follower.language == "ar" else f"/{follower.language}"
    )
    pages = {"site": f"/places/{number}", "center": f"/vans/{number}", "unit": f"/?unit={number}"}
    page = f"/tickets/{notice.data['code']}" if "code" in notice.data else pages.get(kind, "/")
    if "visit" in notice.data:
        page = f"/visits/{notice.data['visit']}"
    return {
        "title": topic_name(db, follower.topic),
        "body": text_of(db, notice),
        "url": prefix + page,
        "tag": f"{follower.topic} {notice.kind}" if kind == "ticket" else notice.key,
        "stop": link_of(follower).removeprefix(current_app.extensions["settings"].public_url),
        "lang": follower.language,
        "urgent": notice.kind in URGENT,
    }

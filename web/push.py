"""Web Push: messages to browsers that asked for them, also when no page of ours is open.

Each message is encrypted for its browser alone (RFC 8291, aes128gcm) and signed with this installation's key
(VAPID, RFC 8292), so that the browser maker's service that carries it cannot read it. The key is made at first need and
kept in the settings table, where all processes and machines of an installation find the same one.
"""

from __future__ import annotations

import base64
import json
import os
import struct
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from flask import current_app
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from fleet.store import Setting
from web.db import read, write
from web.gateway import Refused, judge, post

KEY = "push_key"
RECORD = 4096
LIFE_S = 3600
"""How long a push service keeps a message for a phone that is off."""
TOKEN_S = 12 * 3600


@dataclass(frozen=True)
class Subscription:
    """Where a browser is reached, and what messages to it are encrypted with (both from the browser, base64url)."""

    endpoint: str
    p256dh: str
    auth: str


def offered() -> bool:
    """Whether browsers are offered messages here."""
    return bool(current_app.extensions["settings"].push_contact)


def allowed(endpoint: str) -> bool:
    """Whether an address that a browser names is that of a push service: we send to nobody else's machines."""
    try:
        parts = urlsplit(endpoint)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    names = current_app.extensions["settings"].push_hosts
    known = any(host == name.lstrip(".") or (name.startswith(".") and host.endswith(name)) for name in names)
    local = f"{host}:{port}" in names  # a service of one's own, with its port: tests
    return local or (known and parts.scheme == "https" and port in (None, 443))


def readable(keys: Any) -> bool:
    """Whether a browser's keys are keys."""
    try:
        point, secret = _plain(keys["p256dh"]), _plain(keys["auth"])
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except (KeyError, TypeError, ValueError):
        return False
    return len(secret) == 16


def public_key() -> str:
    """This installation's key as browsers want it; made now where there was none."""
    return _text(_point(_key().public_key()))


def send(to: Subscription, message: dict[str, Any], *, urgent: bool = False) -> None:
    """Hand one message to the browser's push service. Raises Gone, Refused or Away (web/gateway.py)."""
    if not allowed(to.endpoint):
        raise Refused("no push service")
    body = encrypt(json.dumps(message, ensure_ascii=False).encode(), to)
    parts = urlsplit(to.endpoint)
    contact = current_app.extensions["settings"].push_contact
    token = sign(f"{parts.scheme}://{parts.netloc}", contact, _key(), expires=int(time.time()) + TOKEN_S)
    headers = {
        "Content-Encoding": "aes128gcm",
        "Content-Type": "application/octet-stream",
        "TTL": str(LIFE_S),
        "Urgency": "high" if urgent else "normal",
        "Authorization": f"vapid t={token}, k={_text(_point(_key().public_key()))}",
    }
    judge(post(to.endpoint, body, headers))


def encrypt(
    plain: bytes,
    to: Subscription,
    *,
    own: ec.EllipticCurvePrivateKey | None = None,
    salt: bytes | None = None,
) -> bytes:
    """`plain` for one browser, as RFC 8291 section 3.4 and RFC 8188 say. `own` and `salt` are fresh unless given (the
    example of RFC 8291 gives them). Raises ValueError for keys that are none, or a text too long for one record."""
    if len(plain) > RECORD - 103:
        raise ValueError("too long for one push message")
    own = own or ec.generate_private_key(ec.SECP256R1())
    salt = salt or os.urandom(16)
    theirs_raw = _plain(to.p256dh)
    theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), theirs_raw)
    mine = _point(own.public_key())
    agreed = own.exchange(ec.ECDH(), theirs)
    secret = _derived(agreed, _plain(to.auth), b"WebPush: info\0" + theirs_raw + mine, 32)
    key = _derived(secret, salt, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _derived(secret, salt, b"Content-Encoding: nonce\0", 12)
    sealed = AESGCM(key).encrypt(nonce, plain + b"\x02", None)
    return salt + struct.pack("!IB", RECORD, len(mine)) + mine + sealed


def sign(audience: str, contact: str, key: ec.EllipticCurvePrivateKey, *, expires: int) -> str:
    """The VAPID token (a JWT, ES256) that says who we are. `expires` in seconds since 1970."""
    head = _text(b'{"typ":"JWT","alg":"ES256"}')
    said = _text(
        json.dumps({"aud": audience, "exp": expires, "sub": contact}, separators=(",", ":")).encode()
    )
    r, s = decode_dss_signature(key.sign(f"{head}.{said}".encode(), ec.ECDSA(hashes.SHA256())))
    return f"{head}.{said}.{_text(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def _key() -> ec.EllipticCurvePrivateKey:
    kept = current_app.extensions.get("push_key")
    if kept is None:
        stored = read().get(Setting, KEY)
        try:
            pem = stored.value["pem"] if stored is not None else write(_make_key)
        except IntegrityError:  # another process was first
            pem = read().get_one(Setting, KEY).value["pem"]
        kept = serialization.load_pem_private_key(pem.encode(), None)
        current_app.extensions["push_key"] = kept
    assert isinstance(kept, ec.EllipticCurvePrivateKey)
    return kept


def _make_key(session: Session) -> str:
    there = session.get(Setting, KEY)
    if there is not None:  # another process was first
        return str(there.value["pem"])
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    session.add(Setting(key=KEY, value={"pem": pem.decode()}))
    session.flush()
    return pem.decode()


def _derived(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt, info).derive(secret)


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def _plain(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

"""Web Push: the encryption of RFC 8291 to the byte, a signature that verifies, and a real round through a service."""

from __future__ import annotations

import base64
import dataclasses
import json
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from flask import Flask
from sqlalchemy import func, select

from fleet.store import Setting
from queueing import following
from queueing.notices import tell_follower
from queueing.store_life import Follower, Notice
from tests.web.carriers import Counterpart, counterpart
from tests.web.world import NOW, World
from web import jobs, push


def plain(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def text_of(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def test_the_example_of_rfc_8291_comes_out_to_the_byte() -> None:
    """Appendix A: its keys, its salt, its text, its message."""
    to = push.Subscription(
        "https://push.example.net/push/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV",
        "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
        "BTBZMqHH6r4Tts7J_aSIgg",
    )
    own = ec.derive_private_key(
        int.from_bytes(plain("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"), "big"), ec.SECP256R1()
    )
    said = push.encrypt(
        b"When I grow up, I want to be a watermelon", to, own=own, salt=plain("DGv6ra1nlYgDCS1FRnbzlw")
    )
    assert text_of(said) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6Tlz"
        "AC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )


@dataclasses.dataclass
class Browser:
    """A browser's side: its keys, and reading what it is sent."""

    key: ec.EllipticCurvePrivateKey
    secret: bytes

    @property
    def keys(self) -> dict[str, str]:
        raw = self.key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        return {"p256dh": text_of(raw), "auth": text_of(self.secret)}

    def read(self, body: bytes) -> Any:
        """Decrypt by RFC 8291, written from the receiver's side."""
        salt, length = body[:16], body[20]
        sender, sealed = body[21 : 21 + length], body[21 + length :]
        agreed = self.key.exchange(
            ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender)
        )
        mine = plain(self.keys["p256dh"])
        first = HKDF(hashes.SHA256(), 32, self.secret, b"WebPush: info\0" + mine + sender).derive(agreed)
        key = HKDF(hashes.SHA256(), 16, salt, b"Content-Encoding: aes128gcm\0").derive(first)
        nonce = HKDF(hashes.SHA256(), 12, salt, b"Content-Encoding: nonce\0").derive(first)
        return json.loads(AESGCM(key).decrypt(nonce, sealed, None).rstrip(b"\0")[:-1])


@pytest.fixture
def browser() -> Browser:
    return Browser(ec.generate_private_key(ec.SECP256R1()), b"0123456789abcdef")


@pytest.fixture
def service(app: Flask) -> Any:
    """A push service that this installation may send to."""
    with counterpart() as there:
        app.extensions["settings"] = dataclasses.replace(
            app.extensions["settings"], push_contact="mailto:a@b.example", push_hosts=(there.url.split("//")[1],),
            public_url="https://centers.example",
        )  # fmt: skip
        yield there


def follow_ticket(client: Any, service: Counterpart, browser: Browser, code: str) -> Any:
    return client.post(
        "/follow",
        data={"topic": f"ticket:{code}", "channel": "push", "endpoint": f"{service.url}/p/1", **browser.keys,
              "back": f"/tickets/{code}"},
    )  # fmt: skip


def test_a_called_ticket_reaches_the_phone_in_the_pocket(
    app: Flask, client: Any, world: World, write: Any, service: Counterpart, browser: Browser
) -> None:
    """Followed from the ticket's page, called at the desk: within one round the browser's service has a message that
    only this browser reads and that this installation signed."""
    client.post(f"/queues/{world.queue_a}/take", data={"service": "NID-01", "request_id": "take-me-1"})
    code = client.get("/").text.split("/tickets/")[1].split('"')[0]
    assert follow_ticket(client, service, browser, code).headers["Location"] == f"/tickets/{code}#follow"
    assert "تصل الأخبار إلى هذا الهاتف" in client.get(f"/tickets/{code}").text
    with app.app_context():
        jobs.messages(NOW)
        key = push.public_key()
    (near,) = service.got
    body = browser.read(near.body)
    assert body["url"] == f"/tickets/{code}" and "A001" in body["body"] and body["stop"].startswith("/f/")
    assert near.headers["Content-Encoding"] == "aes128gcm" and near.headers["Urgency"] == "high"
    token, said = near.headers["Authorization"].removeprefix("vapid t=").split(", k=")
    assert said == key
    head, claims, signed = token.split(".")
    r, s = plain(signed)[:32], plain(signed)[32:]
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), plain(key))
    signature = encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
    public.verify(signature, f"{head}.{claims}".encode(), ec.ECDSA(hashes.SHA256()))
    with pytest.raises(InvalidSignature):
        public.verify(signature, b"else", ec.ECDSA(hashes.SHA256()))
    assert json.loads(plain(claims))["aud"] == service.url
    # Stopped from the message itself: no form, no cookie, one press.
    assert app.test_client().post(body["stop"] + "/stop").status_code == 204
    assert write(lambda s: s.scalar(select(func.count()).select_from(Follower))) == 0


def test_a_browser_that_is_gone_is_forgotten_and_a_service_that_is_away_is_asked_again(
    app: Flask, world: World, write: Any, service: Counterpart, browser: Browser
) -> None:
    """503: the message waits; 410: the address is deleted with all that was written to it."""

    def begin(session: Any) -> int:
        made, _ = following.follow(
            session, f"site:{world.village_a}", channel="push", address=f"{service.url}/p/1", code="one", now=NOW,
            keys=browser.keys,
        )  # fmt: skip
        tell_follower(session, made, "coming", now=NOW, visit=world.visit_a)
        return made.id

    write(begin)
    service.answers = [503, 410]
    with app.app_context():
        jobs.messages(NOW)
        assert write(lambda s: s.scalars(select(Notice)).one().attempts) == 1
        app.extensions["carriers_rest"] = {}
        jobs.messages(NOW.replace(minute=1))
    assert len(service.got) == 2
    assert write(lambda s: s.scalar(select(func.count()).select_from(Follower))) == 0


@pytest.mark.parametrize(
    "endpoint",
    ["http://169.254.169.254/latest", "https://evil.example/x", "https://fcm.googleapis.com.evil.example/x",
     "http://fcm.googleapis.com/x", "https://fcm.googleapis.com:8443/x", "ftp://x", "https://[", ""],
)  # fmt: skip
def test_we_send_to_push_services_and_to_nobody_elses_machines(
    app: Flask, client: Any, world: World, browser: Browser, endpoint: str, write: Any
) -> None:
    """A browser says where it is reached; whoever is no push service is not sent to."""
    app.extensions["settings"] = dataclasses.replace(
        app.extensions["settings"], push_contact="mailto:a@b.example"
    )
    data = {"topic": f"site:{world.village_a}", "channel": "push", "endpoint": endpoint, **browser.keys}
    assert client.post("/follow", data=data).status_code == 303
    assert write(lambda s: s.scalar(select(func.count()).select_from(Follower))) == 0
    with app.app_context():
        assert not push.allowed(endpoint)
        assert push.allowed("https://fcm.googleapis.com/fcm/send/abc")
        assert push.allowed("https://updates.push.services.mozilla.com/wpush/v2/abc")


def test_the_key_is_made_once_and_kept(app: Flask, write: Any) -> None:
    """The same after the process has forgotten it: browsers hold on to it."""
    with app.app_context():
        first = push.public_key()
        app.extensions.pop("push_key")
        assert push.public_key() == first and len(plain(first)) == 65
    assert write(lambda s: s.get(Setting, push.KEY)) is not None

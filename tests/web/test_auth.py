"""Signing in and out, where each role starts, slowing down guesses, and what ends a session."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from tests.web.world import PASSWORD
from web.accounts import Account, set_password
from web.auth import Throttle, safe_next


@pytest.mark.parametrize(
    ("name", "home"),
    [("clerk", "/desk"), ("supervisor", "/desk"), ("agency", "/agency"), ("planner", "/planner")],
)
def test_each_role_starts_at_its_own_page(client: Any, name: str, home: str) -> None:
    answer = client.post("/login", data={"name": name, "password": PASSWORD})
    assert answer.status_code == 302
    assert answer.location.rstrip("/") == home


def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(client: Any) -> None:
    wrong = client.post("/en/login", data={"name": "clerk", "password": "wrong wrong"})
    unknown = client.post("/en/login", data={"name": "nobody", "password": "wrong wrong"})
    assert (wrong.status_code, unknown.status_code) == (401, 401)
    assert "The name or the password is wrong." in wrong.text
    assert "The name or the password is wrong." in unknown.text


def test_after_signing_in_one_goes_where_one_wanted(client: Any) -> None:
    asked = client.get("/en/desk")
    assert asked.status_code == 302
    signed = client.post(asked.location, data={"name": "clerk", "password": PASSWORD})
    assert signed.location == "/en/desk"


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "/\t\\evil.example",
        "//[",
        "javascript:x",
    ],
)
def test_the_way_on_never_leads_to_another_site(target: str) -> None:
    assert safe_next(target) == ""
    assert safe_next("/desk?x=1") == "/desk?x=1"


def test_guessing_is_slowed_down_for_that_name_only(app: Any, client: Any) -> None:
    """After five wrong passwords the sixth try is turned away, even with the right one; other names are not."""
    app.extensions["login_throttle"] = Throttle(clock=lambda: 0.0)  # however slow this machine is
    for _ in range(5):
        assert client.post("/login", data={"name": "clerk", "password": "wrong wrong"}).status_code == 401
    assert client.post("/login", data={"name": "clerk", "password": PASSWORD}).status_code == 429
    assert client.post("/login", data={"name": "clerk2", "password": PASSWORD}).status_code == 302


def test_the_wait_doubles_and_ends() -> None:
    now = [0.0]
    throttle = Throttle(free=2, clock=lambda: now[0])
    for _ in range(4):
        throttle.failed(("x", "a"))
    assert throttle.blocked(("x", "a"))
    now[0] = 3.9
    assert throttle.blocked(("x", "a"))
    now[0] = 4.1
    assert not throttle.blocked(("x", "a"))


def test_a_guesser_with_many_names_is_not_forgotten_and_patience_never_breaks_the_clock() -> None:
    """Wrong tries for ten thousand other names push out the oldest only; a thousand tries for one are still counted."""
    throttle = Throttle(free=2, clock=lambda: 0.0)
    for _ in range(1_100):
        throttle.failed(("x", "a"))
    for n in range(Throttle.REMEMBERED - 1):
        throttle.failed((str(n), "a"))
    assert throttle.blocked(("x", "a"))
    throttle.failed(("one more", "a"))
    assert not throttle.blocked(("x", "a"))


def test_tries_sent_at_once_are_counted_before_any_is_looked_at(
    app: Any, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one password is being checked, the next try for that name already has to wait."""
    throttle = app.extensions["login_throttle"] = Throttle(free=1)
    waits = []

    def check(_account: Any, _password: str) -> bool:
        waits.append(throttle.blocked(("clerk", "127.0.0.1")))
        return False

    monkeypatch.setattr("web.auth.check_password", check)
    client.post("/login", data={"name": "clerk", "password": "wrong wrong"})
    assert waits == [True]


def test_a_new_password_or_a_switched_off_account_ends_its_sessions(login: Any, write: Any) -> None:
    one, two = login("clerk"), login("clerk2")
    assert one.get("/desk").status_code == two.get("/desk").status_code == 200

    def change(session: Any) -> None:
        set_password(
            session.scalars(select(Account).where(Account.name == "clerk")).one(), "another good one"
        )
        session.scalars(select(Account).where(Account.name == "clerk2")).one().active = False

    write(change)
    assert one.get("/desk").status_code == two.get("/desk").status_code == 302


def test_signing_out_ends_the_session(login: Any) -> None:
    client = login("clerk")
    client.post("/logout")
    assert client.get("/desk").status_code == 302


def test_the_session_cookie_is_kept_from_scripts_and_other_sites(client: Any) -> None:
    answer = client.post("/login", data={"name": "clerk", "password": PASSWORD})
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie


def test_a_form_token_from_before_signing_in_is_worth_nothing_after(app: Any, client: Any) -> None:
    """Whoever planted a session in a browser does not hold a token for the account that signs in with it."""
    app.config["WTF_CSRF_ENABLED"] = True
    page = client.get("/en/login").text
    token = page.split('name="csrf_token" value="')[1].split('"')[0]
    signed = client.post("/login", data={"name": "clerk", "password": PASSWORD, "csrf_token": token})
    assert signed.status_code == 302
    assert client.get("/desk").status_code == 200
    assert client.post("/logout", data={"csrf_token": token}).status_code == 400
    fresh = client.get("/en/desk").text.split('name="csrf_token" value="')[1].split('"')[0]
    assert client.post("/logout", data={"csrf_token": fresh}).status_code == 302
    with client.session_transaction() as kept:
        assert not dict(kept)

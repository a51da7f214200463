"""Settings are read once and every problem is named."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from web.settings import SettingsError, from_environment


def test_defaults_are_the_embedded_shape(tmp_path: Path) -> None:
    """Without any variable: SQLite in the data folder, one process, no demonstration."""
    settings = from_environment({"DATA_DIR": str(tmp_path)})
    assert settings.sqlite
    assert settings.database_url.endswith("centers.db")
    assert settings.port == 8000
    assert settings.demo_speed == 0


def test_every_problem_is_listed(tmp_path: Path) -> None:
    """Three wrong variables give one error that names all three."""
    with pytest.raises(SettingsError) as caught:
        from_environment(
            {"DATA_DIR": str(tmp_path), "PORT": "eighty", "DATABASE_URL": "mysql://x", "DEMO_SPEED": "-1"}
        )
    for name in ("PORT", "DATABASE_URL", "DEMO_SPEED"):
        assert name in str(caught.value)


def test_password_in_a_database_url_is_not_repeated_in_errors(tmp_path: Path) -> None:
    """A refused DATABASE_URL does not print its password."""
    with pytest.raises(SettingsError) as caught:
        from_environment({"DATA_DIR": str(tmp_path), "DATABASE_URL": "mysql://user:secret@host/x"})
    assert "secret" not in str(caught.value)


def test_postgresql_urls_take_the_driver_we_ship(tmp_path: Path) -> None:
    """postgres:// and postgresql:// both become the psycopg driver's URL."""
    for scheme in ("postgres", "postgresql"):
        settings = from_environment({"DATA_DIR": str(tmp_path), "DATABASE_URL": f"{scheme}://u@h/n"})
        assert settings.database_url == "postgresql+psycopg://u@h/n"


def test_secret_key_is_kept_and_private(tmp_path: Path) -> None:
    """The key that signs sessions is the same after a restart and readable by its owner only."""
    first = from_environment({"DATA_DIR": str(tmp_path)}).secret_key
    assert from_environment({"DATA_DIR": str(tmp_path)}).secret_key == first
    assert stat.S_IMODE((tmp_path / "secret_key").stat().st_mode) == 0o600


def test_speed_counts_only_in_the_demonstration(tmp_path: Path) -> None:
    """DEMO_SPEED outside the demonstration does not bend time."""
    assert from_environment({"DATA_DIR": str(tmp_path), "DEMO_SPEED": "60"}).demo_speed == 0
    assert from_environment({"DATA_DIR": str(tmp_path), "DEMO_SPEED": "30", "DEMO": "1"}).demo_speed == 30


def test_the_number_of_trusted_proxies_is_none_unless_said(tmp_path: Path) -> None:
    """Without TRUSTED_PROXIES nobody's X-Forwarded-For is believed."""
    assert from_environment({"DATA_DIR": str(tmp_path)}).trusted_proxies == 0
    assert from_environment({"DATA_DIR": str(tmp_path), "TRUSTED_PROXIES": "2"}).trusted_proxies == 2
    with pytest.raises(SettingsError, match="TRUSTED_PROXIES"):
        from_environment({"DATA_DIR": str(tmp_path), "TRUSTED_PROXIES": "-1"})


def test_a_router_is_one_address_or_one_folder(tmp_path: Path) -> None:
    """ROUTER_URL and VALHALLA_TILES say where driving times come from; wrong ones are all named."""
    bare = from_environment({"DATA_DIR": str(tmp_path)})
    assert bare.router_url is None and bare.valhalla_tiles is None
    assert from_environment({"DATA_DIR": str(tmp_path), "ROUTER_URL": "http://osrm:5000"}).router_url
    assert (
        from_environment({"DATA_DIR": str(tmp_path), "VALHALLA_TILES": str(tmp_path)}).valhalla_tiles
        == tmp_path
    )
    with pytest.raises(SettingsError) as caught:
        from_environment(
            {"DATA_DIR": str(tmp_path), "ROUTER_URL": "osrm:5000", "VALHALLA_TILES": str(tmp_path / "none")}
        )
    assert "ROUTER_URL must start with" in str(caught.value) and "must be a folder" in str(caught.value)


def test_a_file_of_traffic_is_read_at_start_and_its_faults_are_named(tmp_path: Path) -> None:
    file = tmp_path / "traffic.json"
    file.write_text('{"EG-C": [[420, 160]]}', encoding="utf-8")
    env = {"DATA_DIR": str(tmp_path), "TRAFFIC_FILE": str(file)}
    assert from_environment(env).traffic == {"EG-C": [[420, 160]]}
    file.write_text('{"EG-C": [[420, 5]]}', encoding="utf-8")
    with pytest.raises(SettingsError, match=r"TRAFFIC_FILE .*EG-C\[0\]\[1\]: must be at least 10"):
        from_environment(env)


def test_messages_need_an_address_for_their_links(tmp_path: Path) -> None:
    """A gateway without PUBLIC_URL could send no link to end it; every fault of messages is named at once."""
    env = {"DATA_DIR": str(tmp_path), "SMS_URL": "https://g.example/s"}
    with pytest.raises(SettingsError, match="SMS_URL needs PUBLIC_URL"):
        from_environment(env)
    with pytest.raises(SettingsError, match=r"SMS_FORM.*PUBLIC_URL.*PUSH_CONTACT"):
        from_environment({**env, "SMS_FORM": "xml", "PUBLIC_URL": "centers", "PUSH_CONTACT": "me"})
    made = from_environment(
        {**env, "PUBLIC_URL": "https://c.example/", "PUSH_HOSTS": "push.example, .other.example"}
    )
    assert made.public_url == "https://c.example" and made.sms is not None and not made.push_contact
    assert made.push_hosts == ("push.example", ".other.example")
